"""A training run and its workers on a cluster or on the GPUs of one machine."""
