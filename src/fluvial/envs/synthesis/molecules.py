"""Molecules by number, with everything that is known of them and is slow to find out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.synthesis.library import BlockLibrary, packed_fingerprints
from fluvial.chem.synthesis.patterns import Patterns
from fluvial.chem.synthesis.reactions import reactions_of
from fluvial.envs.synthesis.limits import NO_LIMITS, Limits
from fluvial.envs.synthesis.parts import Parts
from fluvial.envs.synthesis.roles import Partners, roles_of

PARSED_AT_ONCE = 50_000
"""Molecules kept as objects of RDKit, some kB each; arbitrary."""
REACTIONS_AT_ONCE = 500_000
"""Reactions whose products are remembered, about 200 bytes each; arbitrary."""
MOLECULES_AT_ONCE = 200_000
"""Molecules whose roles and fingerprints are remembered, about 400 bytes each; arbitrary."""


class Molecules:
    """A growing table: one number for each canonical SMILES. Blocks are 1 to N, and 0 is no molecule.

    A number never changes its meaning, so all that depends on numbers is a pure function, although the
    numbers of molecules other than blocks depend on the order in which they are met.

    Args:
        library: blocks and reactions.
        most_products: products of one reaction that are told apart; later ones in the order of their SMILES
            are never made.
        limits: what of the library may be used.
    """

    def __init__(self, library: BlockLibrary, most_products: int, limits: Limits = NO_LIMITS) -> None:
        self.library, self.reactions = library, reactions_of(library.templates)
        self.roles = roles_of(library.templates)
        self.partners = Partners(library, self.roles, limits)
        self.n_blocks, self.most_products = len(library), most_products
        self._further: list[str] = []
        self._number: dict[str, int] = {}
        self._further_hash: NDArray[np.int64] = np.zeros(1024, dtype=np.int64)
        self._block_hash = np.array([_hashed(text) for text in ("", *library.smiles)], dtype=np.int64)
        self._can_react = self.partners.exist()
        self._patterns, self._parts = Patterns(self.reactions), Parts(limits)
        self._reactant = tuple(
            np.array([(role.position, role.template) for role in self.roles], dtype=np.int64).T
        )
        self.parsed = lru_cache(maxsize=PARSED_AT_ONCE)(self._parsed)
        self.products = lru_cache(maxsize=REACTIONS_AT_ONCE)(self._products)
        self.roles_of = lru_cache(maxsize=MOLECULES_AT_ONCE)(self._roles_of)
        self.has_required = lru_cache(maxsize=MOLECULES_AT_ONCE)(self._has_required)
        """Whether a molecule has the required parts and no forbidden one, bool."""
        self._fingerprint = lru_cache(maxsize=MOLECULES_AT_ONCE)(self._fingerprint_of)

    def smiles(self, number: int) -> str:
        """The canonical SMILES of a number; empty for 0."""
        if number > self.n_blocks:
            return self._further[number - self.n_blocks - 1]
        return str(self.library.smiles[number - 1]) if number else ""

    def number(self, smiles: str) -> int:
        """The number of a canonical SMILES; a new one for a new molecule."""
        known = self._number.get(smiles)
        if known is None:
            block = self.library.find(smiles)
            known = self._added(smiles) if block is None else block + 1
            self._number[smiles] = known
        return known

    def _added(self, smiles: str) -> int:
        place = len(self._further)
        if place == len(self._further_hash):
            self._further_hash = np.concatenate([self._further_hash, np.zeros_like(self._further_hash)])
        self._further_hash[place] = _hashed(smiles)
        self._further.append(smiles)
        return self.n_blocks + 1 + place

    def hashes(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """64 bits of each molecule that do not depend on the numbering, int64 [...]."""
        is_block = numbers <= self.n_blocks
        block = self._block_hash[np.where(is_block, numbers, 0)]
        further = self._further_hash[np.where(is_block, 0, numbers - self.n_blocks - 1)]
        found: NDArray[np.int64] = np.where(is_block, block, further)
        return found

    def fingerprints(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """Packed Morgan fingerprints, those of blocks and zeros for no molecule, uint8 [M, bits / 8]."""
        width = self.library.fingerprints.shape[1]
        rows = [self._fingerprint(number) for number in numbers]
        return np.stack(rows) if rows else np.zeros((0, width), dtype=np.uint8)

    def _fingerprint_of(self, molecule: int) -> NDArray[np.uint8]:
        if molecule == 0:
            return np.zeros(self.library.fingerprints.shape[1], dtype=np.uint8)
        if molecule <= self.n_blocks:
            return np.asarray(self.library.fingerprints[molecule - 1])
        row: NDArray[np.uint8] = packed_fingerprints([self.parsed(molecule)])[0]
        return row

    def _parsed(self, molecule: int) -> Any:
        """The molecule as RDKit has it."""
        return parse_smiles(self.smiles(molecule))

    def _products(self, molecule: int, role: int, block: int) -> tuple[int, ...]:
        """Numbers of the products of a molecule in a role with a block (0: alone), in the order of their
        SMILES; none where the reaction does not run."""
        entry = self.roles[role]
        reactants = [self.parsed(molecule)]
        if entry.n_reactants == 2:
            reactants.insert(1 - entry.position, self.parsed(block))
        texts = self.reactions[entry.template].products(*reactants)
        if self._parts.forbids:
            texts = tuple(text for text in texts if self._parts.allow(self.parsed(self.number(text))))
        return tuple(self.number(text) for text in texts[: self.most_products])

    def _has_required(self, molecule: int) -> bool:
        return self._parts.limit_nothing or self._parts.complete(self.parsed(molecule))

    def _roles_of(self, molecule: int) -> NDArray[np.bool_]:
        """The roles that a molecule can play by its substructures and that have partners, bool [roles]."""
        if 1 <= molecule <= self.n_blocks:
            place, bit = divmod(molecule - 1, 8)
            found = (self.library.compatible[:, :, place] >> bit & 1).astype(np.bool_)
        else:
            found = self._patterns.of_reactants(self._patterns.matches(self.parsed(molecule)))
        fits: NDArray[np.bool_] = found[self._reactant] & self._can_react
        return fits


def _hashed(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
