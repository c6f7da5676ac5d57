"""How good and how different the objects of a search are. Works without torch.

Objects are different ones throughout: give each once. A threshold is met by what is at least as large.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fluvial.chem.fingerprints import (
    Fingerprint,
    mean_similarity,
    morgan_fingerprints,
    mutually_distant,
    nearest_similarity,
    readable,
    scaffold,
)

MODE_RADIUS, CIRCLE_RADIUS = 3, 2
"""Radii of the Morgan fingerprints of modes (Koziarski et al. 2024, arXiv:2406.08506) and of circles and
diversity (ECFP4)."""
CIRCLE_DISTANCE = 0.7
"""Renz et al. 2024, doi:10.1021/acs.jcim.4c00519."""


@dataclass(frozen=True)
class Molecules:
    """Different molecules with their rewards, and what their likeness is judged by."""

    texts: Sequence[str]
    rewards: NDArray[np.float64]
    """[N], nan where there is none."""
    wide: Sequence[Fingerprint]
    """[N], Morgan fingerprints of radius 3, for modes."""
    narrow: Sequence[Fingerprint]
    """[N], of radius 2, for circles, diversity and novelty."""
    scaffolds: Sequence[str]
    """[N], Bemis-Murcko scaffolds; empty without rings."""

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, places: Sequence[int] | NDArray[np.int64]) -> Molecules:
        """Those at the given places, in that order."""
        return Molecules(
            [self.texts[place] for place in places],
            self.rewards[np.asarray(places, dtype=np.int64)],
            [self.wide[place] for place in places],
            [self.narrow[place] for place in places],
            [self.scaffolds[place] for place in places],
        )

    def best(self, k: int | None = None) -> Molecules:
        """The `k` (all if None) of the largest reward, best first; those without a reward are left out."""
        return self.rows(best_places(self.rewards)[:k])

    def hits(self, threshold: float) -> Molecules:
        """Those with a reward of at least the threshold, best first."""
        best = self.best()
        return best.rows(range(int((best.rewards >= threshold).sum())))


def molecules(texts: Sequence[str], rewards: ArrayLike) -> Molecules:
    """The different molecules among `texts`, in order; what cannot be read is left out.

    Args:
        texts: SMILES, equal for equal molecules.
        rewards: float [N], nan where there is none.
    """
    numbers = np.asarray(rewards, dtype=np.float64)
    first = {text: place for place, text in reversed(list(enumerate(texts)))}
    places = sorted(first.values())
    mols = readable([texts[place] for place in places])
    kept = [(place, mol) for place, mol in zip(places, mols, strict=True) if mol is not None]
    found = [mol for _, mol in kept]
    return Molecules(
        [texts[place] for place, _ in kept],
        numbers[[place for place, _ in kept]],
        morgan_fingerprints(found, MODE_RADIUS),
        morgan_fingerprints(found, CIRCLE_RADIUS),
        [scaffold(mol) for mol in found],
    )


def best_places(rewards: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the known rewards, largest first, of equal ones the first; int64 [M]."""
    order = np.argsort(-rewards, kind="stable")
    return order[: int((~np.isnan(rewards)).sum())]


def top_k_mean(rewards: ArrayLike, k: int) -> float:
    """Mean of the `k` largest rewards of different objects; nan where fewer than `k` are known."""
    numbers = np.asarray(rewards, dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    return (
        float(np.partition(known, len(known) - k)[len(known) - k :].mean()) if len(known) >= k else math.nan
    )


def n_modes(
    rewards: ArrayLike, fingerprints: Sequence[Fingerprint], thresholds: Sequence[float], similarity: float
) -> list[int]:
    """Number of modes with a reward of at least each threshold.

    A mode is a molecule whose similarity to every better mode is below `similarity`: they are taken greedily
    from the best on, so the modes above a higher threshold are the first of those above a lower one.

    Args:
        rewards: float [N], nan where there is none.
        fingerprints: [N], of radius 3 in the literature.
        thresholds: least rewards.
        similarity: Tanimoto, 0 to 1; 0.5 and 0.7 are usual.
    """
    numbers = np.asarray(rewards, dtype=np.float64)
    places = best_places(numbers)
    places = places[numbers[places] >= min(thresholds)]
    kept = mutually_distant([fingerprints[place] for place in places], 1.0 - similarity)
    reached = numbers[places[kept]]
    return [int((reached >= threshold).sum()) for threshold in thresholds]


def n_circles(fingerprints: Sequence[Fingerprint], distance: float = CIRCLE_DISTANCE) -> int:
    """#Circles: how many molecules have at least `distance` from each other, by greedy sphere exclusion.

    The largest such set cannot be found in reasonable time; the greedy one depends on the order, so give
    molecules best first. (Xie et al. 2023, arXiv:2112.12542; Renz et al. 2024.)

    Args:
        fingerprints: of radius 2.
        distance: 1 - Tanimoto similarity, 0 to 1.
    """
    return len(mutually_distant(fingerprints, math.nextafter(distance, -1.0)))


def n_scaffolds(rewards: ArrayLike, scaffolds: Sequence[str], thresholds: Sequence[float]) -> list[int]:
    """Number of different scaffolds of molecules with a reward of at least each threshold.

    Molecules without rings have none.
    """
    pairs = list(zip(np.asarray(rewards, dtype=np.float64), scaffolds, strict=True))
    return [len({text for reward, text in pairs if text and reward >= low}) for low in thresholds]


def diversity(fingerprints: Sequence[Fingerprint]) -> float:
    """1 - mean Tanimoto similarity over all pairs, 0 to 1; nan for fewer than two."""
    return 1.0 - mean_similarity(fingerprints) if len(fingerprints) > 1 else math.nan


def uniqueness(texts: Sequence[str]) -> float:
    """Different objects per object, in (0, 1]; nan for none."""
    return len(set(texts)) / len(texts) if texts else math.nan


def novelty(texts: Sequence[str], known: Collection[str]) -> float:
    """Share of the different objects that are not known, 0 to 1; nan for none."""
    different = set(texts)
    return len(different.difference(known)) / len(different) if different else math.nan


def mean_distance_to_known(fingerprints: Sequence[Fingerprint], known: Sequence[Fingerprint]) -> float:
    """Mean of 1 - Tanimoto similarity to the most similar known molecule, 0 to 1; nan without any."""
    if not fingerprints or not known:
        return math.nan
    return 1.0 - float(np.mean(nearest_similarity(fingerprints, known)))
