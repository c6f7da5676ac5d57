"""Boltz as an oracle: complexes and affinities, predicted in an environment of its own."""
