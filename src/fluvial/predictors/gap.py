"""The gap between the highest occupied and the lowest empty orbital, calculated for each molecule, in eV."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase
from rdkit.Chem import GetPeriodicTable, Mol

from fluvial.core.errors import RewardError
from fluvial.predictors.geometry import Geometry, embed
from fluvial.predictors.predictions import Predictions, in_batches

HARTREE_IN_EV = 27.211386245988
"""CODATA 2018."""
_BOHR_IN_ANGSTROM = 0.529177210903

EXTENDED_HUECKEL_ELEMENTS = frozenset(
    (1, *range(5, 10), *range(14, 18), *range(32, 36), *range(50, 54))  # H, B-F, Si-Cl, Ge-Br, Sn-I
)
"""Main-group elements for which RDKit has orbitals; it ends the process where it has none."""


@dataclass(frozen=True)
class GapCalculator:
    """Gaps of molecules in the conformer that `embed` gives them."""

    of_geometry: Callable[[Geometry], float | str]
    """The gap in eV, or why there is none."""

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """A gap for each molecule; one that cannot be calculated has a reason and no value."""
        return in_batches([self._of(mol) for mol in mols], list, 1)

    def _of(self, mol: Mol) -> float | str:
        geometry = embed(mol)
        return geometry if isinstance(geometry, str) else self.of_geometry(geometry)


def extended_hueckel_gap(geometry: Geometry) -> float | str:
    """The gap by extended Hückel theory (Hoffmann 1963) as RDKit computes it, in eV, or why there is none."""
    from rdkit.Chem import rdEHTTools

    odd = sorted(set(geometry.elements.tolist()) - EXTENDED_HUECKEL_ELEMENTS)
    if odd:
        return f"element {_symbol(odd[0])} has no orbitals in extended Hückel theory here"
    with rdBase.BlockLogs(), _quiet():
        is_done, result = rdEHTTools.RunMol(geometry.mol)
    if not is_done:
        return "extended Hückel theory found no orbitals"
    return gap_of(np.asarray(result.GetOrbitalEnergies()), result.numElectrons)


def gap_of(energies: NDArray[np.float64], n_electrons: int) -> float | str:
    """Gap between orbital energies in ascending order, two electrons in each, or why there is none."""
    if n_electrons % 2:
        return f"it has an odd number of electrons, {n_electrons}"
    n_filled = n_electrons // 2
    if not 0 < n_filled < len(energies):
        return f"there is no empty orbital: {n_electrons} electrons in {len(energies)} orbitals"
    return float(energies[n_filled] - energies[n_filled - 1])


def xtb_gap(geometry: Geometry) -> float | str:
    """The gap by GFN2-xTB (Bannwarth et al. 2019) as tblite computes it, in eV, or why there is none."""
    from tblite.exceptions import TBLiteRuntimeError, TBLiteValueError
    from tblite.interface import Calculator

    try:
        calculator = Calculator(
            "GFN2-xTB", geometry.elements, geometry.positions / _BOHR_IN_ANGSTROM, charge=geometry.charge
        )
        calculator.set("verbosity", 0)
        result = calculator.singlepoint()
    except (TBLiteRuntimeError, TBLiteValueError) as error:
        return f"GFN2-xTB gave up: {' '.join(str(error).split())}"
    n_electrons = round(float(np.sum(result.get("orbital-occupations"))))
    gap = gap_of(np.asarray(result.get("orbital-energies")), n_electrons)
    return gap if isinstance(gap, str) else gap * HARTREE_IN_EV


def load_extended_hueckel() -> GapCalculator:
    """Gaps by extended Hückel theory, which need no download."""
    return GapCalculator(extended_hueckel_gap)


def load_xtb() -> GapCalculator:
    """Gaps by GFN2-xTB.

    Raises:
        RewardError: tblite is not installed.
    """
    try:
        import tblite.interface  # noqa: F401
    except ImportError as error:
        raise RewardError(
            f"the gap by xTB needs tblite ({error}): pip install 'fluvial[xtb]', or choose"
            " method = 'extended_hueckel'"
        ) from error
    return GapCalculator(xtb_gap)


def _symbol(element: int) -> str:
    return str(GetPeriodicTable().GetElementSymbol(element))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what a C library writes to standard error away from the user's terminal."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
