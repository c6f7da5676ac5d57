"""Routes to a given molecule out of a library: the shortest first, until all are found or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.synthesis.retro import Disconnection, Disconnections
from fluvial.chem.synthesis.routes import Route, step_of

MOST_ROUTES = 100
"""Routes of one molecule that are kept by default; arbitrary."""
Parent = tuple[str, Disconnection]


@dataclass(frozen=True)
class FoundRoutes:
    """What a search found."""

    routes: tuple[Route, ...]
    """By steps, then price; none where the molecule is not in the space, as far as it was searched."""
    is_complete: bool
    """Whether all routes within the limits are there; False when time or the number of routes was up."""

    @property
    def n_reactions(self) -> int | None:
        """Fewest reactions; None where there is no route."""
        return len(self.routes[0].steps) if self.routes else None


class RouteSearch:
    """Routes of molecules in the space of one library; remembers what can be made. Not for several threads.

    Args:
        disconnections: of the library.
        most_reactions: length of the longest routes, at least 0.
        clock: seconds, ascending.
    """

    def __init__(
        self,
        disconnections: Disconnections,
        most_reactions: int = 3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.library = disconnections.library
        self.most_reactions = most_reactions
        self._disconnections = disconnections
        self._clock = clock
        self._can_be_made: dict[tuple[str, int], bool] = {}
        self._deadline = float("inf")

    def routes(self, smiles: str, most: int = MOST_ROUTES, seconds: float = 10.0) -> FoundRoutes:
        """Routes of a molecule, shorter ones first; none goes through the same molecule twice.

        Args:
            smiles: any way of writing it.
            most: routes to find, at least 1.
            seconds: time after which what is found so far is the answer.

        Raises:
            DataError: the text is no molecule.
        """
        target = canonical_smiles(parse_smiles(smiles))
        self._deadline = self._clock() + seconds
        found: list[Route] = []
        is_complete = True
        try:
            for n_reactions in range(self.most_reactions + 1):
                for route in self._of_length(target, n_reactions):
                    if len(found) >= most:
                        is_complete = False
                        break
                    found.append(route)
        except _TimeUpError:
            is_complete = False
        return FoundRoutes(tuple(sorted(found, key=lambda route: route.rank)), is_complete)

    def can_be_made(self, smiles: str, n_reactions: int) -> bool:
        """Whether exactly so many reactions can make a molecule, given by its canonical SMILES."""
        key = smiles, n_reactions
        if key not in self._can_be_made:
            if n_reactions == 0:
                self._can_be_made[key] = self.library.find(smiles) is not None
            else:
                parents = self._parents(smiles, n_reactions)
                self._can_be_made[key] = any(
                    self.can_be_made(parent, n_reactions - 1) for parent, _ in parents
                )
        return self._can_be_made[key]

    def _of_length(self, target: str, n_reactions: int) -> Iterator[Route]:
        if n_reactions == 0:
            number = self.library.find(target)
            if number is not None:
                yield Route(target, (), self.library.block(number))
            return
        for chain in self._chains(target, n_reactions, (target,)):
            products = [*(parent for parent, _ in chain[1:]), target]
            steps = tuple(
                step_of(
                    self.library,
                    taken.template,
                    taken.reactants,
                    product,
                    parent if number else None,
                )
                for number, ((parent, taken), product) in enumerate(zip(chain, products, strict=True))
            )
            yield Route(target, steps)

    def _chains(self, smiles: str, n_reactions: int, passed: tuple[str, ...]) -> Iterator[list[Parent]]:
        """Reactions in the order of the laboratory, each with the molecule that it starts from."""
        seen: set[Disconnection] = set()
        for parent, taken in self._parents(smiles, n_reactions):
            if parent in passed or not self.can_be_made(parent, n_reactions - 1):
                continue
            if n_reactions == 1:
                if taken not in seen:  # two blocks: whichever comes first, it is one reaction
                    seen.add(taken)
                    yield [(parent, taken)]
                continue
            for chain in self._chains(parent, n_reactions - 1, (*passed, parent)):
                yield [*chain, (parent, taken)]

    def _parents(self, smiles: str, n_reactions: int) -> Iterator[Parent]:
        """The molecules that the last of so many reactions turns into this one, with blocks beside them.

        Before a first reaction there are only blocks.
        """
        if self._clock() > self._deadline:
            raise _TimeUpError
        find = self._disconnections.into_blocks if n_reactions == 1 else self._disconnections.of
        for taken in find(smiles):
            if len(taken.reactants) == 1:
                yield taken.reactants[0], taken
                continue
            for parent, other in dict.fromkeys((taken.reactants, taken.reactants[::-1])):
                if self.library.find(other) is not None:
                    yield parent, taken


class _TimeUpError(Exception):
    """Ends a search from within."""
