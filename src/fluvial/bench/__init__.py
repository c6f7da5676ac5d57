"""Benchmarks: programs that print figures, to be compared as ratios within one run."""
