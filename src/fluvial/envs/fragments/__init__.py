"""Molecules as trees of fragments that are joined at attachment points."""
