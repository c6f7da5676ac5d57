"""Configuration, one step, the loop, checkpoints, the run directory."""
