"""A filter that keeps a run from making more and more of the same: it changes what is learned.

Molecules with a good reward go into buckets. A bucket holds a number of different molecules; what comes later
gets the least reward. The names of the rules are those of REINVENT (Blaschke et al. 2020,
doi:10.1186/s13321-020-00473-0; Loeffler et al. 2024, doi:10.1186/s13321-024-00812-5). What a molecule is
worth then depends on what was made before it, so a run with this filter does not end at R^beta / Z.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdkit import Chem, DataStructs
from rdkit.Chem.Scaffolds import MurckoScaffold

from fluvial.chem.choices import choose_name
from fluvial.chem.fingerprints import Fingerprint, morgan_fingerprints, scaffold
from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.core.errors import ConfigError

RADIUS = 3
"""Of the Morgan fingerprints that are compared; the usual one for counting modes."""


def murcko(mol: Chem.Mol) -> str:
    """SMILES of the Bemis-Murcko scaffold; empty without rings."""
    return scaffold(mol)


def topological(mol: Chem.Mol) -> str:
    """SMILES of the scaffold with all atoms carbon and all bonds single; empty without rings."""
    core = Chem.MolFromSmiles(scaffold(mol))
    return canonical_smiles(MurckoScaffold.MakeScaffoldGeneric(core))  # type: ignore[no-untyped-call]


def itself(mol: Chem.Mol) -> str:
    """SMILES of the molecule."""
    return canonical_smiles(mol)


@dataclass(frozen=True)
class Rule:
    """How molecules are put into buckets."""

    label: Callable[[Chem.Mol], str]
    """SMILES of what is compared."""
    is_similar: bool = False
    """Whether the bucket is that of the most similar label known, if it is similar enough; else of an equal
    one."""
    penalises_repeats: bool = False
    """Whether each time that the same comes again costs a factor, whatever room there is."""


RULES: dict[str, Rule] = {
    "IdenticalMurckoScaffold": Rule(murcko),
    "IdenticalTopologicalScaffold": Rule(topological),
    "ScaffoldSimilarity": Rule(murcko, is_similar=True),
    "PenalizeSameSmiles": Rule(itself, penalises_repeats=True),
    "Tanimoto": Rule(itself, is_similar=True),
}
"""Rules by REINVENT's names, and `Tanimoto`, the similarity of whole molecules."""


@dataclass(frozen=True)
class Limits:
    """Numbers of the filter.

    Raises:
        ConfigError: a number out of range.
    """

    bucket_size: int = 25
    """Different molecules in a bucket, at least 1. REINVENT's."""
    least_reward: float = 0.4
    """Molecules with less are left alone. REINVENT's."""
    similarity: float = 0.4
    """Tanimoto similarity from which on two labels share a bucket, 0 to 1. REINVENT's."""
    factor: float = 0.5
    """What each repetition leaves of the reward, 0 to 1, by `PenalizeSameSmiles`. REINVENT's."""

    def __post_init__(self) -> None:
        if self.bucket_size < 1:
            raise ConfigError(f"diversity: bucket_size = {self.bucket_size} must be at least 1")
        for name in ("similarity", "factor"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"diversity: {name} = {getattr(self, name):g} must be 0 to 1")


class Diversity:
    """What is left of the reward of each molecule, in the order in which they are made.

    Args:
        rule: a name in `RULES`.
        limits: numbers of the filter.
        floor: least reward.
    """

    def __init__(self, rule: str, limits: Limits, floor: float) -> None:
        self.rule = RULES[choose_name("diversity filter", rule, RULES)]
        self.limits, self.floor = limits, floor
        self._bucket: dict[str, str] = {}
        """Molecule to the bucket that it is in, or full stop where it found no room."""
        self._filled: Counter[str] = Counter()
        self._times: Counter[str] = Counter()
        self._fingerprints: dict[str, Fingerprint] = {}

    def factors(self, texts: Sequence[str], rewards: Sequence[float | None]) -> list[float]:
        """The share of its reward that each molecule keeps, 0 to 1; all are taken note of.

        Args:
            texts: canonical SMILES in order of making.
            rewards: None where there is none.
        """
        return [
            1.0 if reward is None or reward < self.limits.least_reward else self._factor(text)
            for text, reward in zip(texts, rewards, strict=True)
        ]

    def _factor(self, text: str) -> float:
        if self.rule.penalises_repeats:
            self._times[text] += 1
            return float(self.limits.factor ** (self._times[text] - 1))
        if text not in self._bucket:
            bucket = self._bucket_of(self.rule.label(parse_smiles(text)))
            has_room = self._filled[bucket] < self.limits.bucket_size
            self._filled[bucket] += has_room
            self._bucket[text] = bucket if has_room else FULL
        return 0.0 if self._bucket[text] == FULL else 1.0

    def _bucket_of(self, label: str) -> str:
        if not self.rule.is_similar or label in self._fingerprints or not label:
            return label
        known = list(self._fingerprints)
        mine = _fingerprint(label)
        similarity = DataStructs.BulkTanimotoSimilarity(mine, list(self._fingerprints.values()))
        best = max(range(len(known)), key=lambda place: similarity[place], default=None)
        if best is not None and similarity[best] >= self.limits.similarity:
            return known[best]
        self._fingerprints[label] = mine
        return label

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly, as plain values."""
        return {
            "molecules": list(self._bucket),
            "buckets": list(self._bucket.values()),
            "labels": list(self._fingerprints),
            "times": dict(self._times),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self._bucket = dict(zip(state["molecules"], state["buckets"], strict=True))
        self._filled = Counter(bucket for bucket in self._bucket.values() if bucket != FULL)
        self._times = Counter(state["times"])
        self._fingerprints = {label: _fingerprint(label) for label in state["labels"]}


FULL = "."
"""Stands for the bucket of a molecule that found no room; no SMILES is a full stop."""


def _fingerprint(label: str) -> Fingerprint:
    return morgan_fingerprints([parse_smiles(label)], RADIUS)[0]
