"""Substructures that molecules must not have, and such that they must have."""

from __future__ import annotations

from rdkit.Chem import Mol

from fluvial.chem.properties import parse_smarts
from fluvial.envs.synthesis.limits import Limits


class Parts:
    """What the forbidden and the required patterns say of molecules.

    Args:
        limits: with the patterns.

    Raises:
        ConfigError: a text that is no SMARTS pattern.
    """

    def __init__(self, limits: Limits) -> None:
        self._forbidden, self._required = (
            [parse_smarts(text) for text in texts] for texts in (limits.forbidden, limits.required)
        )
        self.forbids = bool(self._forbidden)
        self.limit_nothing = not self._forbidden and not self._required

    def allow(self, mol: Mol) -> bool:
        """Whether it has no forbidden pattern."""
        return not any(map(mol.HasSubstructMatch, self._forbidden))

    def complete(self, mol: Mol) -> bool:
        """Whether it has every required pattern and no forbidden one."""
        return self.allow(mol) and all(map(mol.HasSubstructMatch, self._required))
