"""Molecules with their synthesis: building blocks joined and changed by reactions."""
