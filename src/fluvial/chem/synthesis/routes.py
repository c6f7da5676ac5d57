"""Synthesis routes: what reacts with what, in order, out of which blocks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import Template, template_problem
from fluvial.core.errors import DataError

FORMAT = 1
"""Version of the JSON; a newer one is refused."""
ROW_COLUMNS = (
    *("product", "route", "price", "step", "template", "name"),
    *(f"{part}_{number}" for number in (1, 2) for part in ("reactant", "id", "supplier", "price")),
    "step_product",
)
"""Columns of routes as a table."""


@dataclass(frozen=True)
class RouteStep:
    """One reaction of a route."""

    template: Template
    reactants: tuple[str, ...]
    """Canonical SMILES in the order of the template."""
    blocks: tuple[Block | None, ...]
    """The block that each reactant is; None for the product of the step before."""
    product: str
    """Canonical SMILES."""


@dataclass(frozen=True)
class Route:
    """How a molecule is made: each step takes the product of the one before and, where two react, a block."""

    product: str
    """Canonical SMILES."""
    steps: tuple[RouteStep, ...]
    """In the order of the laboratory; none where the product is a block."""
    block: Block | None = None
    """The product as a block, where there are no steps."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks in the order of their use, each as often as it is used."""
        if self.block is not None:
            return (self.block,)
        return tuple(block for step in self.steps for block in step.blocks if block is not None)

    @property
    def price(self) -> float | None:
        """Sum of the prices of the blocks, one unit of each; None where one is not known."""
        prices = [block.price for block in self.blocks]
        return None if any(price is None for price in prices) else math.fsum(filter(None, prices))

    @property
    def rank(self) -> tuple[int, float, str]:
        """What routes of one molecule are sorted by: steps, then price, unknown ones last."""
        texts = " ".join(f"{step.template.identifier} {step.reactants}" for step in self.steps)
        return len(self.steps), math.inf if self.price is None else self.price, texts


def step_of(
    library: BlockLibrary, template: int, reactants: Sequence[str], product: str, earlier: str | None
) -> RouteStep:
    """One step with the records of its blocks.

    Args:
        library: where they are from.
        template: its number in the library.
        reactants: canonical SMILES in the order of the template.
        product: canonical SMILES.
        earlier: the reactant that the step before made; None in the first step.

    Raises:
        DataError: another reactant is no block of the library.
    """
    left = earlier
    blocks: list[Block | None] = []
    for reactant in reactants:
        if reactant == left:
            blocks.append(None)
            left = None
            continue
        number = library.find(reactant)
        if number is None:
            raise DataError(f"'{reactant}' is no block of the library and no product of an earlier step.")
        blocks.append(library.block(number))
    return RouteStep(library.templates[template], tuple(reactants), tuple(blocks), product)


def runs(route: Route) -> bool:
    """Whether each step, run again, gives its product out of that of the one before, up to the molecule."""
    current: str | None = None
    for step in route.steps:
        made = Reaction(step.template).products(*map(parse_smiles, step.reactants))
        free = [one for one, block in zip(step.reactants, step.blocks, strict=True) if block is None]
        if step.product not in made or free != ([] if current is None else [current]):
            return False
        current = step.product
    return current == route.product if route.steps else route.block is not None


def as_text(route: Route) -> str:
    """A route as lines for people."""
    price = "" if route.price is None else f", blocks {route.price:g}"
    lines = [f"{route.product}  ({len(route.steps)} reactions{price})"]
    if route.block is not None:
        lines.append(f"  block {_named(route.product, route.block)}")
    for number, step in enumerate(route.steps, 1):
        reactants = " + ".join(map(_named, step.reactants, step.blocks))
        lines.append(f"  {number}. {step.template.name or step.template.identifier}: {reactants}")
        lines.append(f"     -> {step.product}")
    return "\n".join(lines)


def _named(smiles: str, block: Block | None) -> str:
    if block is None:
        return smiles
    known = [block.identifier, block.supplier, None if block.price is None else f"{block.price:g}"]
    shown = ", ".join(word for word in known if word)
    return f"{smiles} [{shown}]" if shown else smiles


def as_rows(routes: Sequence[Route]) -> Iterator[dict[str, Any]]:
    """One row of plain values for each step of each route; a route without steps has one row."""
    for number, route in enumerate(routes, 1):
        start = {"product": route.product, "route": number, "price": route.price}
        for place, step in enumerate(route.steps, 1):
            row: dict[str, Any] = {
                **start,
                "step": place,
                "template": step.template.identifier,
                "name": step.template.name,
            }
            for position in range(2):
                has_one = position < len(step.reactants)
                block = step.blocks[position] if has_one else None
                row |= {
                    f"reactant_{position + 1}": step.reactants[position] if has_one else None,
                    f"id_{position + 1}": None if block is None else block.identifier,
                    f"supplier_{position + 1}": None if block is None else block.supplier,
                    f"price_{position + 1}": None if block is None else block.price,
                }
            yield {**row, "step_product": step.product}
        if route.block is not None:
            yield {**start, "step": 0, "id_1": route.block.identifier, "step_product": route.product}


def as_json(route: Route) -> str:
    """A route as one JSON object, which `from_json` reads."""
    return json.dumps({"format": FORMAT, "price": route.price, **asdict(route)}, ensure_ascii=False)


def from_json(text: str) -> Route:
    """The route that `as_json` wrote.

    Raises:
        DataError: the text is of another form or a newer format.
    """
    try:
        found = json.loads(text)
        if found["format"] > FORMAT:
            raise DataError(f"a route of format {found['format']} is newer than this version, {FORMAT}.")
        steps = tuple(_step(step) for step in found["steps"])
        route = Route(str(found["product"]), steps, _block(found["block"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no route as JSON ({type(error).__name__}: {error}).") from None
    for step in steps:
        if problem := template_problem(step.template.smarts):
            raise DataError(f"a route's template: {problem}.")
    return route


def _step(step: dict[str, Any]) -> RouteStep:
    template = Template(**step["template"])
    reactants, blocks = map(str, step["reactants"]), map(_block, step["blocks"])
    return RouteStep(template, tuple(reactants), tuple(blocks), str(step["product"]))


def _block(block: dict[str, Any] | None) -> Block | None:
    return None if block is None else Block(**block)
