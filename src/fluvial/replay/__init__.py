"""Buffers of action numbers."""
