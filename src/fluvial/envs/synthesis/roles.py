"""Which part a molecule can play in which reaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Template(Protocol):
    """What is read of a reaction template."""

    @property
    def n_reactants(self) -> int:
        """1 or 2."""
        ...


class Reaction(Protocol):
    """A template that can be run on molecules."""

    @property
    def template(self) -> Template:
        """What it was made of."""
        ...

    def matches(self, molecule: Any, position: int) -> bool:
        """Whether the molecule can be reactant `position`."""
        ...

    def products(self, *reactants: Any) -> tuple[str, ...]:
        """Canonical SMILES of the products, sorted; none where the reaction does not run."""
        ...


class Library(Protocol):
    """Building blocks, the reactions they take part in, and as which reactant."""

    @property
    def smiles(self) -> Sequence[str]:
        """Canonical SMILES of the N blocks, all different."""
        ...

    @property
    def reactions(self) -> Sequence[Reaction]:
        """The compiled templates."""
        ...

    def blocks_for(self, template: int, position: int) -> NDArray[np.int64]:
        """Places of the blocks that can be reactant `position`, ascending."""
        ...


@dataclass(frozen=True)
class Role:
    """A template, and the reactant of it that the molecule at hand is."""

    template: int
    position: int
    n_reactants: int


def roles_of(reactions: Sequence[Reaction]) -> tuple[Role, ...]:
    """One role for each reactant of each template, in the order of the templates."""
    return tuple(
        Role(number, position, reaction.template.n_reactants)
        for number, reaction in enumerate(reactions)
        for position in range(reaction.template.n_reactants)
    )


class Partners:
    """Building blocks that can be the other reactant, from what the library says of each block alone."""

    def __init__(self, library: Library, roles: Sequence[Role]) -> None:
        self._library, self._roles = library, roles
        self.of = lru_cache(maxsize=None)(self._of)
        """Role to the numbers of its partners from 1, int64 [M]; none for a one-reactant template."""

    def _of(self, role: int) -> NDArray[np.int64]:
        entry = self._roles[role]
        if entry.n_reactants == 1:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(self._library.blocks_for(entry.template, 1 - entry.position)) + 1

    def exist(self) -> NDArray[np.bool_]:
        """Whether a molecule in this role finds all that it needs, bool [roles]."""
        return np.array(
            [entry.n_reactants == 1 or len(self.of(number)) > 0 for number, entry in enumerate(self._roles)],
            dtype=np.bool_,
        )
