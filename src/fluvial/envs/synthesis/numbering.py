"""Numbers of the ways by which a molecule can have come, for backward actions."""

from __future__ import annotations

from typing import Protocol

from fluvial.core.errors import DataError
from fluvial.envs.synthesis.molecules import Molecules
from fluvial.envs.synthesis.state import Arrival
from fluvial.envs.synthesis.ways import Ways

MOST_ARRIVALS = 256
"""Reactions that may end in one molecule; toy spaces have at most a dozen. Arbitrary."""


class Numbering(Protocol):
    """Arrivals by number, from 0."""

    size: int
    """Numbers in all."""

    def number(self, product: int, depth: int, way: Arrival) -> int:
        """The number of a way to a molecule."""
        ...

    def ways(self, product: int, depth: int) -> tuple[Arrival, ...]:
        """All ways to a molecule, by number."""
        ...

    def depths(self, product: int) -> tuple[int, ...]:
        """Numbers of reactions after which a synthesis can end in the molecule."""
        ...


class Listed:
    """Each molecule numbers the ways to itself: they are known exactly, which takes a search."""

    size = MOST_ARRIVALS

    def __init__(self, molecules: Molecules, ways: Ways) -> None:
        self._molecules, self._ways = molecules, ways

    def number(self, product: int, depth: int, way: Arrival) -> int:
        """The place of the way in the list."""
        return self._ways.place(product, depth, way)

    def ways(self, product: int, depth: int) -> tuple[Arrival, ...]:
        """The list.

        Raises:
            DataError: it is too long.
        """
        found = self._ways.arrivals(product, depth)
        if len(found) > MOST_ARRIVALS:
            raise DataError(
                f"{len(found)} reactions end in {self._molecules.smiles(product)}, more than the"
                f" {MOST_ARRIVALS} that can be numbered; take fewer templates"
            )
        return found

    def depths(self, product: int) -> tuple[int, ...]:
        """Numbers of reactions after which a synthesis can end in the molecule."""
        return self._ways.depths(product)


class Recorded:
    """The role and the block are the number, so a way that was gone has one without a search for the others.

    What else can have led to a molecule is not known. Two reactants that the same role and block turn into
    one product share a number, and a molecule of several numbers of reactions is several objects.
    """

    def __init__(self, molecules: Molecules) -> None:
        self.n_blocks = molecules.n_blocks
        self.size = len(molecules.roles) * (1 + molecules.n_blocks)

    def number(self, product: int, depth: int, way: Arrival) -> int:
        """Role and block."""
        return way.role * (1 + self.n_blocks) + way.block

    def ways(self, product: int, depth: int) -> tuple[Arrival, ...]:
        """Nothing.

        Raises:
            DataError: always.
        """
        raise DataError("ways back are recorded here, not searched; use parents = 'searched' to go back")

    def depths(self, product: int) -> tuple[int, ...]:
        """One, whichever it is."""
        return (0,)
