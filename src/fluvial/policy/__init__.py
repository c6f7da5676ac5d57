"""Observation and network to distributions and flows; behaviour policies."""
