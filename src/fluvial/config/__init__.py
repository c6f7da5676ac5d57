"""The configuration of a run: its keys, reading, errors, overrides and writing. Free of torch."""
