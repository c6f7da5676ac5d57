"""Catalogues of any size for measurements: the packaged building blocks with substituents on their rings."""

from __future__ import annotations

from collections.abc import Iterator

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.synthesis.blocks import Block, embedded_blocks
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import Template

SUBSTITUENTS = ("F", "C", "Cl", "OC", "C#N", "C(F)(F)F", "CC", "C1CC1", "OC(F)F", "C(C)C", "SC", "OCC")
"""What medicinal chemistry puts on aromatic rings, small ones first; none of them reacts as a handle does."""


def catalogue(n: int) -> list[Block]:
    """`n` different building blocks, always the same: the packaged ones, then those with one substituent more
    on an aromatic carbon, then those with two, and so on.

    Args:
        n: at least 1. A hundred thousand take about a minute.
    """
    found: dict[str, None] = {}
    for smiles in _grown():
        found.setdefault(smiles)
        if len(found) == n:
            break
    return [Block(smiles, f"C{number:07d}") for number, smiles in enumerate(found)]


def _grown() -> Iterator[str]:
    reactions = [Reaction(Template(text, "", f"[cH:1]>>[c:1]{text}", 1)) for text in SUBSTITUENTS]
    layer = [block.smiles for block in embedded_blocks()]
    while layer:
        yield from layer
        grown: dict[str, None] = {}
        for smiles in layer:
            mol = parse_smiles(smiles)
            for reaction in reactions:
                for product in reaction.products(mol):
                    grown.setdefault(product)
                    yield product
        layer = list(grown)
