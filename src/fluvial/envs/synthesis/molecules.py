"""Molecules by number, with everything that is known of them and is slow to find out."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.molecules import parse_smiles
from fluvial.envs.synthesis.roles import Library, Partners, roles_of

PARSED_AT_ONCE = 50_000
"""Molecules kept as objects of RDKit, some kB each; arbitrary."""
REACTIONS_AT_ONCE = 500_000
"""Reactions whose products are remembered, about 200 bytes each; arbitrary."""


class Molecules:
    """A growing table: one number for each canonical SMILES. Blocks are 1 to N, and 0 is no molecule.

    A number never changes its meaning, so all that depends on numbers is a pure function, although the
    numbers of molecules other than blocks depend on the order in which they are met.

    Args:
        library: blocks and reactions.
        most_products: products of one reaction that are told apart; later ones in the order of their SMILES
            are never made.
    """

    def __init__(self, library: Library, most_products: int) -> None:
        self.reactions = tuple(library.reactions)
        self.roles = roles_of(self.reactions)
        self.partners = Partners(library, self.roles)
        self.n_blocks, self.most_products = len(library.smiles), most_products
        self.smiles: list[str] = ["", *library.smiles]
        self._number = {text: number for number, text in enumerate(self.smiles)}
        self._hash: NDArray[np.int64] = np.array([_hashed(text) for text in self.smiles], dtype=np.int64)
        self._can_react = self.partners.exist()
        self._block_roles = _roles_of_blocks(library, self)
        self.parsed = lru_cache(maxsize=PARSED_AT_ONCE)(self._parsed)
        self.products = lru_cache(maxsize=REACTIONS_AT_ONCE)(self._products)
        self.roles_of = lru_cache(maxsize=REACTIONS_AT_ONCE)(self._roles_of)

    def number(self, smiles: str) -> int:
        """The number of a canonical SMILES; a new one for a new molecule."""
        number = self._number.setdefault(smiles, len(self.smiles))
        if number == len(self.smiles):
            if number >= len(self._hash):
                self._hash = np.concatenate([self._hash, np.zeros_like(self._hash)])
            self._hash[number] = _hashed(smiles)
            self.smiles.append(smiles)
        return number

    def find(self, smiles: str) -> int | None:
        """The number of a canonical SMILES; None for a molecule that was never met."""
        return self._number.get(smiles)

    def hashes(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """64 bits of each molecule that do not depend on the numbering, int64 [...]."""
        return self._hash[numbers]

    def _parsed(self, molecule: int) -> Any:
        """The molecule as RDKit has it."""
        return parse_smiles(self.smiles[molecule])

    def _products(self, molecule: int, role: int, block: int) -> tuple[int, ...]:
        """Numbers of the products of a molecule in a role with a block (0: alone), in the order of their
        SMILES; none where the reaction does not run."""
        entry = self.roles[role]
        reactants = [self.parsed(molecule)]
        if entry.n_reactants == 2:
            reactants.insert(1 - entry.position, self.parsed(block))
        texts = self.reactions[entry.template].products(*reactants)
        return tuple(self.number(text) for text in texts[: self.most_products])

    def _roles_of(self, molecule: int) -> NDArray[np.bool_]:
        """The roles that a molecule can play by its substructures and that have partners, bool [roles]."""
        if 1 <= molecule <= self.n_blocks:
            row: NDArray[np.bool_] = self._block_roles[molecule - 1]
            return row
        parsed = self.parsed(molecule)
        found = np.zeros(len(self.roles), dtype=np.bool_)
        for place in np.flatnonzero(self._can_react):
            role = self.roles[place]
            found[place] = self.reactions[role.template].matches(parsed, role.position)
        return found


def _hashed(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _roles_of_blocks(library: Library, molecules: Molecules) -> NDArray[np.bool_]:
    """The roles of each block that have partners, bool [N, roles]."""
    table = np.zeros((molecules.n_blocks, len(molecules.roles)), dtype=np.bool_)
    for number, role in enumerate(molecules.roles):
        if molecules.partners.exist()[number]:
            table[library.blocks_for(role.template, role.position), number] = True
    return table
