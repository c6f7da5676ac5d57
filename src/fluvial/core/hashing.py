"""64-bit hashing of integers."""

from __future__ import annotations

from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
"""2^64 / golden ratio, as a signed number."""
_MULTIPLIER_A = 0xBF58476D1CE4E5B9 - (1 << 64)
_MULTIPLIER_B = 0x94D049BB133111EB - (1 << 64)


def mix(value: Tensor) -> Tensor:
    """A one-to-one scrambling of int64 values that spreads every bit over all 64.

    The finaliser of SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195), with wrap-around.
    """
    value = (value ^ _shifted(value, 30)) * _MULTIPLIER_A
    value = (value ^ _shifted(value, 27)) * _MULTIPLIER_B
    return value ^ _shifted(value, 31)


def _shifted(value: Tensor, count: int) -> Tensor:
    """Logical right shift, where torch's is arithmetic."""
    return (value >> count) & ((1 << (64 - count)) - 1)
