"""Environments as batched tensor programs."""
