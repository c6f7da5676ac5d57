"""What terms measure: functions from a batch of molecules to rows of raw values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from rdkit.Chem import Mol

from fluvial.chem.properties import PROPERTIES, MoleculeFunction, similarity_to, substructure_count
from fluvial.predictors.predictions import Predict
from fluvial.predictors.registry import Predictor
from fluvial.rewards.calls import Failure, Row, Value, call_function, describe, finite_value
from fluvial.rewards.function import load_function, takes_molecules

RawFunction = Callable[[Sequence[str], Sequence[Mol]], list[Row]]
"""Takes the same molecules as canonical SMILES and as RDKit molecules; returns a row for each.

An empty call loads what is needed and raises `FluvialError` if that fails. A function that goes to worker
processes must be picklable.
"""


NO_MOLECULES = "the function takes molecules and these objects are none; annotate its parameter list[str]"

nearest_similarity = lru_cache(maxsize=16)(similarity_to)
match_count = lru_cache(maxsize=16)(substructure_count)


def property_rows(name: str, smiles: Sequence[str], mols: Sequence[Mol]) -> list[Row]:
    """The built-in property `name` of each molecule."""
    return [_row(PROPERTIES[name].function, mol) for mol in mols]


def similarity_rows(targets: tuple[str, ...], smiles: Sequence[str], mols: Sequence[Mol]) -> list[Row]:
    """The similarity of each molecule to the nearest of `targets`."""
    return [_row(nearest_similarity(targets), mol) for mol in mols]


def substructure_rows(smarts: str, smiles: Sequence[str], mols: Sequence[Mol]) -> list[Row]:
    """The number of matches of `smarts` in each molecule."""
    return [_row(match_count(smarts), mol) for mol in mols]


@dataclass(frozen=True)
class UserFunction:
    """The rows of a function, which is called with SMILES or with molecules, whichever it wants."""

    function: Callable[..., object]

    def __call__(self, smiles: Sequence[str], mols: Sequence[Mol]) -> list[Row]:
        """A row for each molecule; what the function raises becomes a failure."""
        if not takes_molecules(self.function):
            return call_function(self.function, smiles)
        if len(mols) < len(smiles):
            return [Failure(NO_MOLECULES)] * len(smiles)
        return call_function(self.function, mols)


@dataclass(frozen=True)
class UserFile:
    """The rows of a function out of a file, which is loaded once in each process that calls it."""

    spec: str
    base: Path

    @cached_property
    def _loaded(self) -> UserFunction:
        return UserFunction(load_function(self.spec, self.base))

    def __call__(self, smiles: Sequence[str], mols: Sequence[Mol]) -> list[Row]:
        """A row for each molecule; raises `RewardError` if the function cannot be loaded."""
        return self._loaded(smiles, mols)

    def __reduce__(self) -> tuple[type[UserFile], tuple[str, Path]]:
        # The loaded function belongs to this process.
        return UserFile, (self.spec, self.base)


@dataclass(frozen=True)
class Predicted:
    """The rows of a predictor, which is loaded once in each process that calls it."""

    predictor: Predictor

    @cached_property
    def _loaded(self) -> Predict:
        return self.predictor.load()

    def __call__(self, smiles: Sequence[str], mols: Sequence[Mol]) -> list[Row]:
        """A row for each molecule; raises `FluvialError` if the predictor cannot be loaded."""
        found = self._loaded(mols)
        values = zip(found.values.tolist(), found.reasons, strict=True)
        return [Failure(reason) if reason else value for value, reason in values]

    def __reduce__(self) -> tuple[type[Predicted], tuple[Predictor]]:
        # The loaded predictor belongs to this process.
        return Predicted, (self.predictor,)


def _row(function: MoleculeFunction, mol: Mol) -> Value:
    try:
        return finite_value(function(mol))
    except Exception as error:
        return Failure(describe(error))
