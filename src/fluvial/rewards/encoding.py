"""What networks see of a number: one scaled number, or bins that fill up one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """How numbers between two ends are shown to a network."""

    low: float
    high: float
    """More than `low`."""
    n_bins: int
    """Width of the encoding; 0 = one number, 0 at `low` and 1 at `high`."""
    is_open: bool = False
    """Whether numbers above `high` are told apart too."""

    @property
    def width(self) -> int:
        """Columns of the encoding."""
        return self.n_bins or 1

    def __call__(self, values: Tensor) -> Tensor:
        """The encoding of each number, float [..., width]."""
        if self.n_bins == 0:
            start, end = values.new_tensor(self.low), values.new_tensor(self.high)
            share = ((values - start) / (end - start)).clamp_min(0.0)
            return (share if self.is_open else share.clamp_max(1.0))[..., None]
        filled = thermometer(values, self.n_bins, self.low, self.high)
        if not self.is_open:
            return filled
        beyond = (values.clamp_min(self.high) / self.high).log()
        return torch.cat([filled[..., :-1], filled[..., -1:] + beyond[..., None]], dim=-1)


def thermometer(values: Tensor, n_bins: int, low: float, high: float) -> Tensor:
    """Bins that fill up one after the other, float [..., n_bins]: all 0 at `low`, all 1 at `high`.

    Bin i, of width g = (high - low) / n_bins, holds clip(v - (low + i g), 0, g) / g.
    Values outside are clamped.

    Args:
        values: float [...].
        n_bins: >= 1.
        low: lower end of the first bin.
        high: upper end of the last bin, > low.
    """
    # The ends in the precision of the values, so that the upper end is met exactly.
    start, end = values.new_tensor(low), values.new_tensor(high)
    filled = (values[..., None] - start) / (end - start) * n_bins
    return (filled - torch.arange(n_bins, device=values.device, dtype=values.dtype)).clamp(0.0, 1.0)
