"""Exact distributions, likelihoods, diversity."""
