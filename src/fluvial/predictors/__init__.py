"""Predictors of a property: molecules to numbers, by learned models and quantum chemistry."""
