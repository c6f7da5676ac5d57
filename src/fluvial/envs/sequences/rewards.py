"""Rewards of words that are known everywhere: motifs, bit words with planted modes, a table of DNA binding.

Each is a function from texts to a `RewardBatch`; the module needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from fluvial.assets.registry import fetch
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.reward_batch import Outcome, RewardBatch

WordReward = Callable[[Sequence[str]], RewardBatch]
"""From texts to their rewards, in order."""

MODE_PARTS = ("00000000", "11111111", "11110000", "00001111", "00111100")
"""What planted modes are made of (Malkin et al. 2022, arXiv:2201.13259)."""


def motif_reward(motifs: Sequence[str], max_length: int, floor: float = 0.01) -> WordReward:
    """R = max(floor, occurrences of all motifs / (max_length / 2)).

    Occurrences of one motif do not overlap, so motifs of two characters give at most 1.

    Args:
        motifs: texts to find, at least one.
        max_length: characters of the longest word, at least 1.
        floor: smallest reward, positive because R = 0 has no log; 0.01 is arbitrary.

    Raises:
        ConfigError: an argument out of range.
    """
    if not motifs or not all(motifs):
        raise ConfigError(f"motifs are {list(motifs)}; give at least one, none of them empty")
    if max_length < 1:
        raise ConfigError(f"max_length is {max_length}; it must be at least 1")
    _require_positive("floor", floor)

    def reward(texts: Sequence[str]) -> RewardBatch:
        counts = np.array([sum(map(text.count, motifs)) for text in texts], dtype=np.float64)
        return _known(np.maximum(counts / (max_length / 2), floor), {"occurrences": counts})

    return reward


def planted_modes(length: int, count: int, seed: int) -> list[str]:
    """`count` different bit words of `length` bits, each of random parts out of `MODE_PARTS`.

    Args:
        length: bits, a multiple of 8.
        count: 1 to 5^(length / 8).
        seed: of the choice, 0 to 2^32 - 1.

    Raises:
        ConfigError: an argument out of range.
    """
    n_parts, rest = divmod(length, len(MODE_PARTS[0]))
    if n_parts < 1 or rest:
        raise ConfigError(f"modes of {length} bits cannot be planted; the length must be a multiple of 8")
    most = len(MODE_PARTS) ** n_parts
    if not 1 <= count <= most:
        raise ConfigError(f"number of modes is {count}; with {length} bits it must be from 1 to {most}")
    if not 0 <= seed < 1 << 32:
        raise ConfigError(f"seed of the modes is {seed}; it must be from 0 to 2^32 - 1")
    # The one generator of numpy whose numbers are the same in all versions.
    generator = np.random.RandomState(seed)
    modes: dict[str, None] = {}
    while len(modes) < count:
        parts = generator.randint(len(MODE_PARTS), size=n_parts, dtype=np.int64)
        modes["".join(MODE_PARTS[part] for part in parts)] = None
    return list(modes)


def nearest_mode_reward(modes: Sequence[str], scale: float = 1.0) -> WordReward:
    """R = exp(-d / scale) with d the Hamming distance to the nearest mode, in characters.

    The bit words of Malkin et al. 2022, arXiv:2201.13259, are of this kind. A word of another length than the
    modes is invalid.

    Args:
        modes: words of equal length, at least one.
        scale: > 0, in characters; the larger, the wider the modes. 1 is arbitrary.

    Raises:
        ConfigError: no modes, modes of different length, or a scale out of range.
    """
    if len({len(mode) for mode in modes}) != 1 or not modes[0]:
        raise ConfigError("modes must be one or more words of one length, which is not 0")
    _require_positive("scale", scale)
    length = len(modes[0])
    planted = _characters(modes, length)

    def reward(texts: Sequence[str]) -> RewardBatch:
        fits = np.array([len(text) == length for text in texts], dtype=bool)
        words = _characters([text for text in texts if len(text) == length], length)
        distance = np.full(len(texts), np.nan)
        nearest = np.full(len(words), length)
        for mode in planted:
            nearest = np.minimum(nearest, (words != mode).sum(axis=1))
        distance[fits] = nearest
        return _known(np.exp(-distance / scale), {"distance": distance}, f"does not have {length} characters")

    return reward


def binding_table() -> dict[str, float]:
    """How strongly the transcription factor SIX6 binds each of the 65 536 DNA words of 8 letters, 0 to 1.

    The E-score, scaled to its range over the table; both strands of a word have the same. Measured by Barrera
    et al. 2016, doi:10.1126/science.aad2257; TFBind8 in Trabucco et al. 2022, arXiv:2202.08450.

    Raises:
        AssetError: the public file `tfbind8` is neither here nor can it be downloaded.
        DataError: the file is not of the expected form.
    """
    path = fetch("tfbind8")
    scores: dict[str, float] = {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines()[1:], start=2):
        try:
            word, other_strand, score = line.split("\t")[:3]
            scores[word] = scores[other_strand] = float(score)
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: expected two words and a number with tabs between"
            ) from error
    low, high = min(scores.values()), max(scores.values())
    return {word: (score - low) / (high - low) for word, score in scores.items()}


def binding_reward(exponent: float = 3.0, scale: float = 10.0, floor: float = 1e-3) -> WordReward:
    """R = max(floor, scale * y^exponent) with y of `binding_table`; words that it does not hold are invalid.

    The defaults are those that benchmarks of GFlowNets commonly use with this table.

    Raises:
        ConfigError: an argument that is not positive.
        AssetError, DataError: as for `binding_table`.
    """
    for name, value in (("exponent", exponent), ("scale", scale), ("floor", floor)):
        _require_positive(name, value)
    table = binding_table()

    def reward(texts: Sequence[str]) -> RewardBatch:
        binding = np.array([table.get(text, np.nan) for text in texts], dtype=np.float64)
        values = np.maximum(scale * binding**exponent, floor)
        return _known(values, {"binding": binding}, "is no word of 8 letters out of ACGT")

    return reward


def _known(values: NDArray[np.float64], raw: dict[str, NDArray[np.float64]], fault: str = "") -> RewardBatch:
    """Rewards float64 [B]; rows of nan are invalid by the given fault."""
    is_known = np.isfinite(values)
    outcome = np.where(is_known, Outcome.VALUE, Outcome.INVALID).astype(np.int8)
    info = ["" if known else fault for known in is_known]
    return RewardBatch(values, values[:, None], raw, outcome, info)


def _characters(words: Sequence[str], length: int) -> NDArray[np.uint32]:
    """Code points of words of equal length, [B, length]."""
    return np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32).reshape(len(words), length)


def _require_positive(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0.0):
        raise ConfigError(f"{name} is {value:g}; it must be a positive number")
