"""Which reactions end in a molecule, and whether it can be reached in so many reactions at all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from fluvial.core.errors import DataError
from fluvial.envs.synthesis.ahead import Ahead
from fluvial.envs.synthesis.chemistry import MOLECULES_AT_ONCE, Searched, Way
from fluvial.envs.synthesis.memo import Memo
from fluvial.envs.synthesis.molecules import Molecules
from fluvial.envs.synthesis.moves import Moves
from fluvial.envs.synthesis.state import Arrival

MOST_LISTED = 20_000
"""Molecules of a space that is listed as a whole; some minutes. Arbitrary."""
LISTED_AT_ONCE = 256
"""Molecules whose reactions are asked for together; arbitrary."""


class Arrivals(Protocol):
    """Knows the reactions that end in a molecule."""

    def __call__(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth` >= 1 of a synthesis."""
        ...

    def is_reached(self, molecule: int, depth: int) -> bool:
        """Whether there is any."""
        ...

    def prepare(self, wanted: Iterable[tuple[int, int]], and_before: bool) -> None:
        """Find out at once what calls with these molecules and depths need; see `Ways.prepare`."""
        ...


class ListedArrivals:
    """Arrivals from a list of the whole space, made forward when first asked: right by construction.

    Args:
        ahead: asked for all molecules of a batch.
        molecules: the table of molecules.
        moves: what each may do next.
        starts: numbers of the blocks to start from.
        max_reactions: of a synthesis.
    """

    def __init__(
        self, ahead: Ahead, molecules: Molecules, moves: Moves, starts: frozenset[int], max_reactions: int
    ) -> None:
        self._ahead, self._molecules, self._moves = ahead, molecules, moves
        self._starts, self._max_reactions = starts, max_reactions
        self._levels = lru_cache(maxsize=1)(self._listed)

    def __call__(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth`.

        Raises:
            DataError: there are too many molecules to list.
        """
        return self._levels()[depth - 1].get(molecule, ())

    def is_reached(self, molecule: int, depth: int) -> bool:
        """Whether there is any."""
        return molecule in self._levels()[depth - 1]

    def prepare(self, wanted: Iterable[tuple[int, int]], and_before: bool) -> None:
        """Nothing: all are listed together."""

    def _listed(self) -> list[dict[int, tuple[Arrival, ...]]]:
        levels: list[dict[int, tuple[Arrival, ...]]] = []
        before: tuple[int, ...] = tuple(sorted(self._starts))
        for depth in range(self._max_reactions):
            found: defaultdict[int, list[Arrival]] = defaultdict(list)
            for molecule in self._in_parts(before):
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

    def _in_parts(self, molecules: Sequence[int]) -> Iterator[int]:
        """The molecules, their reactions asked for a part of them at a time."""
        for start in range(0, len(molecules), LISTED_AT_ONCE):
            some = molecules[start : start + LISTED_AT_ONCE]
            self._ahead.facts((molecule, frozenset({"roles"})) for molecule in some)
            # Asked for without processes too: molecules get their numbers in one order.
            offered = [one for molecule in some for one in self._moves.reactions_of(molecule)]
            self._ahead.reactions((reaction, False) for reaction in offered)
            yield from some


def in_order(molecules: Molecules, ways: list[Arrival]) -> tuple[Arrival, ...]:
    """Arrivals in an order that does not depend on the numbers of molecules."""
    return tuple(
        sorted(ways, key=lambda way: (molecules.smiles(way.molecule), way.role, way.block, way.product))
    )


class SearchedArrivals:
    """Arrivals from templates turned round, each tried forward; what is found is remembered.

    Args:
        ahead: asked for all molecules of a batch.
        molecules: the table of molecules.
        moves: what each may do next.
        starts: numbers of the blocks to start from.
        max_reactions: of a synthesis.
    """

    def __init__(
        self, ahead: Ahead, molecules: Molecules, moves: Moves, starts: frozenset[int], max_reactions: int
    ) -> None:
        self._ahead, self._molecules, self._starts = ahead, molecules, starts
        self._ways = Memo(molecules.chemistry.ways, MOLECULES_AT_ONCE)
        self._is_reached: dict[tuple[str, int], bool] = {}
        self._arrivals = Memo(self._found, MOLECULES_AT_ONCE)

    def __call__(self, molecule: int, depth: int) -> tuple[Arrival, ...]:
        """All ways in which a molecule is the product of reaction number `depth`."""
        return self._arrivals[molecule, depth]

    def is_reached(self, molecule: int, depth: int) -> bool:
        """Whether there is any."""
        ways = self._ways[_searched(self._molecules.smiles(molecule), depth)]
        return any(self._reaches(way, depth - 1, None) for way in ways)

    def prepare(self, wanted: Iterable[tuple[int, int]], and_before: bool) -> None:
        """Search at once for what is the same one by one: the next of each molecule's ways whose reactant is
        not known to be reached."""
        level = {(self._molecules.smiles(number), depth) for number, depth in wanted if number and depth}
        while level:
            while missing := self._next_searches(level):
                self._ahead.ways(missing, self._ways)
            if not and_before:
                return
            level = {
                (way.smiles, depth - 1)
                for smiles, depth in level
                if depth > 1
                for way in self._reached(smiles, depth)
            }

    def _found(self, key: tuple[int, int]) -> tuple[Arrival, ...]:
        """Those whose reactant can be reached in one reaction less."""
        molecule, depth = key
        return tuple(
            Arrival(self._molecules.number(way.smiles), way.role, way.block, way.place, way.n_products)
            for way in self._reached(self._molecules.smiles(molecule), depth)
        )

    def _reached(self, smiles: str, depth: int) -> list[Way]:
        return [way for way in self._ways[_searched(smiles, depth)] if self._reaches(way, depth - 1, None)]

    def _next_searches(self, wanted: Iterable[tuple[str, int]]) -> list[Searched]:
        """Molecules to search, so that more is known of those that are wanted; none when all is."""
        missing: dict[Searched, None] = {}
        for smiles, depth in sorted(wanted):
            asked = _searched(smiles, depth)
            if asked not in self._ways:
                missing[asked] = None
                continue
            for way in self._ways[asked]:
                self._reaches(way, depth - 1, missing)
        return list(missing)

    def _reaches(self, way: Way, depth: int, missing: dict[Searched, None] | None) -> bool | None:
        """Whether a way's reactant can be made in `depth` reactions.

        Args:
            way: it.
            depth: at least 0.
            missing: extended by the search that would have to be next, where None is the answer;
                with None it is made.
        """
        if depth == 0:
            return way.own in self._starts
        key = way.smiles, depth
        if key in self._is_reached:
            return self._is_reached[key]
        asked = _searched(way.smiles, depth)
        if missing is not None and asked not in self._ways:
            missing[asked] = None
            return None
        answer = False
        for before in self._ways[asked]:
            found = self._reaches(before, depth - 1, missing)
            if found is None:
                return None
            if found:
                answer = True
                break
        self._is_reached[key] = answer
        return answer


def _searched(smiles: str, depth: int) -> Searched:
    """Which ways can have been reaction number `depth`."""
    return Searched(smiles, depth == 1)


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

    def prepare(self, wanted: Iterable[tuple[int, int]], and_before: bool = False) -> None:
        """Ask worker processes for all that `arrivals` needs.

        Args:
            wanted: molecules and numbers of reactions, 0 included.
            and_before: whether the arrivals of their reactants and so on are needed too.
        """
        self._known().prepare(wanted, and_before)

    def place(self, molecule: int, depth: int, way: Arrival) -> int:
        """Place among the arrivals of a way that was gone.

        A search may miss a way; it is known from when it was gone, and what was counted before forgotten.
        """
        known = self.arrivals(molecule, depth)
        if way in known:
            return known.index(way)
        self._gone[molecule, depth] = (*self._gone.get((molecule, depth), ()), way)
        self.n_ways.cache_clear()
        self.depths.cache_clear()
        return len(known)

    def is_reached(self, molecule: int, depth: int) -> bool:
        """Whether some synthesis of `depth` reactions ends in the molecule."""
        if depth == 0:
            return molecule in self._starts
        if (molecule, depth) in self._gone:
            return True
        return depth <= self._max_reactions and self._known().is_reached(molecule, depth)

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
