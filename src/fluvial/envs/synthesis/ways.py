"""Which reactions end in a molecule, and whether it can be reached in so many reactions at all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from fluvial.chem.synthesis.retro import Disconnections
from fluvial.core.errors import DataError
from fluvial.envs.synthesis.molecules import Molecules
from fluvial.envs.synthesis.moves import Moves
from fluvial.envs.synthesis.state import Arrival

MOST_LISTED = 20_000
"""Molecules of a space that is listed as a whole; some minutes. Arbitrary."""


class Arrivals(Protocol):
    """Knows the reactions that end in a molecule."""

    def __call__(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth` >= 1 of a synthesis."""
        ...


class ListedArrivals:
    """Arrivals from a list of the whole space, made forward when first asked: right by construction.

    Args:
        molecules: the table of molecules.
        moves: what each may do next.
        starts: numbers of the blocks to start from.
        max_reactions: of a synthesis.
    """

    def __init__(
        self, molecules: Molecules, moves: Moves, starts: frozenset[int], max_reactions: int
    ) -> None:
        self._molecules, self._moves = molecules, moves
        self._starts, self._max_reactions = starts, max_reactions
        self._levels = lru_cache(maxsize=1)(self._listed)

    def __call__(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth`.

        Raises:
            DataError: there are too many molecules to list.
        """
        return self._levels()[depth - 1].get(molecule, ())

    def _listed(self) -> list[dict[int, tuple[Arrival, ...]]]:
        levels: list[dict[int, tuple[Arrival, ...]]] = []
        before: tuple[int, ...] = tuple(sorted(self._starts))
        for depth in range(self._max_reactions):
            found: defaultdict[int, list[Arrival]] = defaultdict(list)
            for molecule in before:
                for product, arrival in self._moves.all_from(molecule):
                    found[product].append(arrival)
                if len(found) > MOST_LISTED:
                    raise DataError(
                        f"more than {MOST_LISTED} molecules come of {depth + 1} reactions of"
                        f" {self._molecules.n_blocks} building blocks, too many to list; choose fewer"
                    )
            levels.append({number: in_order(self._molecules, ways) for number, ways in found.items()})
            before = tuple(found)
        return levels


def in_order(molecules: Molecules, ways: list[Arrival]) -> tuple[Arrival, ...]:
    """Arrivals in an order that does not depend on the numbers of molecules."""
    return tuple(
        sorted(ways, key=lambda way: (molecules.smiles(way.molecule), way.role, way.block, way.product))
    )


class SearchedArrivals:
    """Arrivals from templates turned round, each tried forward; what is found is remembered.

    Args:
        molecules: the table of molecules.
        moves: what each may do next.
        starts: numbers of the blocks to start from.
    """

    def __init__(self, molecules: Molecules, moves: Moves, starts: frozenset[int]) -> None:
        self._molecules, self._moves, self._starts = molecules, moves, starts
        self._disconnections = Disconnections(molecules.library)
        self._role = {(role.template, role.position): number for number, role in enumerate(molecules.roles)}
        self._all = lru_cache(maxsize=None)(self._searched)
        self._arrivals = lru_cache(maxsize=None)(self._reached)

    def __call__(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth`."""
        return self._arrivals(molecule, depth)

    def _reached(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """Those whose reactant can be reached in one reaction less."""
        return tuple(way for way in self._all(molecule) if self._is_reached(way.molecule, depth - 1))

    def _is_reached(self, molecule: int, depth: int) -> bool:
        if depth == 0:
            return molecule in self._starts
        return any(self._is_reached(way.molecule, depth - 1) for way in self._all(molecule))

    def _searched(self, molecule: int) -> tuple[Arrival, ...]:
        """All ways in which it can come of any molecule, whether that can be reached or not."""
        found: list[Arrival] = []
        for one in self._disconnections.of(self._molecules.smiles(molecule)):
            numbers = [self._molecules.number(text) for text in one.reactants]
            for position, reactant in enumerate(numbers):
                role = self._role[one.template, position]
                block = numbers[1 - position] if len(numbers) == 2 else 0
                if block <= self._molecules.n_blocks:
                    found += self._offered(molecule, reactant, role, block)
        return in_order(self._molecules, found)

    def _offered(self, product: int, reactant: int, role: int, block: int) -> list[Arrival]:
        """The way, if the forward masks offer it."""
        if not self._moves.roles(reactant)[role]:
            return []
        if block and block not in self._moves.partners(reactant, role):
            return []
        products = self._molecules.products(reactant, role, block)
        place = products.index(product) if product in products else None
        return [] if place is None else [Arrival(reactant, role, block, place, len(products))]


class Ways:
    """The ways back from molecules.

    Args:
        molecules: the table of molecules.
        moves: what each may do next.
        arrivals: makes what knows the reactions that end in a molecule, when first asked.
        starts: numbers of the blocks to start from.
        depths: fewest and most reactions of a synthesis.
    """

    def __init__(
        self,
        molecules: Molecules,
        moves: Moves,
        arrivals: Callable[[Molecules, Moves, frozenset[int], int], Arrivals],
        starts: frozenset[int],
        depths: tuple[int, int],
    ) -> None:
        self._molecules, self._moves, self._starts = molecules, moves, starts
        self._min_reactions, self._max_reactions = depths
        self._known = lru_cache(maxsize=1)(lambda: arrivals(molecules, moves, starts, depths[1]))
        self._gone: dict[tuple[int, int], tuple[Arrival, ...]] = {}
        self.n_ways = lru_cache(maxsize=None)(self._n_ways)
        self.depths = lru_cache(maxsize=None)(self._depths)

    def arrivals(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth`."""
        return self._known()(molecule, depth) + self._gone.get((molecule, depth), ())

    def place(self, molecule: int, depth: int, way: Arrival) -> int:
        """Place among the arrivals of a way that was gone.

        A search may miss a way, about one in a thousand; it is known from when it was gone.
        """
        known = self.arrivals(molecule, depth)
        if way in known:
            return known.index(way)
        self._gone[molecule, depth] = (*self._gone.get((molecule, depth), ()), way)
        return len(known)

    def is_reached(self, molecule: int, depth: int) -> bool:
        """Whether some synthesis of `depth` reactions ends in the molecule."""
        if depth == 0:
            return molecule in self._starts
        return depth <= self._max_reactions and len(self.arrivals(molecule, depth)) > 0

    def _n_ways(self, molecule: int, depth: int) -> int:
        """Syntheses of `depth` reactions that end in the molecule."""
        if depth == 0:
            return int(molecule in self._starts)
        return sum(self.n_ways(way.molecule, depth - 1) for way in self.arrivals(molecule, depth))

    def can_stop(self, molecule: int, depth: int) -> bool:
        """Whether a synthesis may end here: after enough reactions with all required parts, or where nothing
        else is legal."""
        if depth >= self._min_reactions and self._molecules.has_required(molecule):
            return True
        return depth >= self._max_reactions or not self._moves.roles(molecule).any()

    def _depths(self, molecule: int) -> tuple[int, ...]:
        """Numbers of reactions after which a synthesis can end in the molecule."""
        reached = (depth for depth in range(self._max_reactions + 1) if self.is_reached(molecule, depth))
        return tuple(depth for depth in reached if self.can_stop(molecule, depth))

    def log_n(self, molecule: int, depth: int) -> float:
        """Log of the number of syntheses of `depth` reactions that end in the molecule."""
        return math.log(max(1, self.n_ways(molecule, depth)))
