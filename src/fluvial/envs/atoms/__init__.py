"""Molecules made atom by atom and bond by bond."""
