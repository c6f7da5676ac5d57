from __future__ import annotations


class Scale:
    """A class that checkpoints name."""

    def __init__(self, factors: list[float]) -> None:
        self.factors = factors
