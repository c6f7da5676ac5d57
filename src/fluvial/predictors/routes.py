"""How easily molecules are made in a library: the fewest reactions, or the cheapest blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdkit.Chem import Mol

from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.synthesis.library_file import load_library
from fluvial.chem.synthesis.retro import Disconnections
from fluvial.chem.synthesis.search import FoundRoutes, RouteSearch
from fluvial.predictors.predictions import Predictions, assembled

NO_ROUTE = "no route was found"
NO_PRICE = "no route has a known price"


@dataclass(frozen=True)
class RouteMeasure:
    """A number for each molecule out of the routes to it."""

    search: RouteSearch
    number: Callable[[FoundRoutes, int], float | str]
    seconds: float

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """Numbers; a molecule that has none gets the reason."""
        values: dict[int, float] = {}
        reasons: dict[int, str] = {}
        for row, mol in enumerate(mols):
            found = self.search.routes(canonical_smiles(mol), seconds=self.seconds)
            number = self.number(found, self.search.most_reactions)
            if isinstance(number, str):
                reasons[row] = number
            else:
                values[row] = number
        return assembled(values, reasons, len(mols))


def fewest_reactions(found: FoundRoutes, most_reactions: int) -> float:
    """Reactions of the shortest route, 0 for a block; one more than the limit where there is no route."""
    return float(most_reactions + 1 if found.n_reactions is None else found.n_reactions)


def lowest_price(found: FoundRoutes, most_reactions: int) -> float | str:
    """The sum of the prices of the blocks of the cheapest route, or why there is none."""
    prices = [route.price for route in found.routes if route.price is not None]
    return min(prices) if prices else (NO_PRICE if found.routes else NO_ROUTE)


MEASURES: dict[str, Callable[[FoundRoutes, int], float | str]] = {
    "reactions": fewest_reactions,
    "price": lowest_price,
}
"""Name of each measure to what it takes from the routes."""


def load_route_measure(library: str, measure: str, most_reactions: int, seconds: float) -> RouteMeasure:
    """A measure of routes in a library.

    Raises:
        DataError: the library cannot be used.
    """
    search = RouteSearch(Disconnections(load_library(library)), most_reactions)
    return RouteMeasure(search, MEASURES[measure], seconds)
