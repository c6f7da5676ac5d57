"""Molecules by number, with everything that is known of them and is slow to find out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Sequence

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.atom_categories import ATOM_SIZES, PAIR_SIZES
from fluvial.envs.synthesis.chemistry import MOLECULES_AT_ONCE, Atoms, Chemistry
from fluvial.envs.synthesis.memo import Memo
from fluvial.envs.synthesis.questions import Facts, Products

REACTIONS_AT_ONCE = 500_000
"""Reactions whose products are remembered, about 200 bytes each; arbitrary."""
GRAPHS_AT_ONCE = 20_000
"""Molecules whose categories are remembered, about 4 kB each; arbitrary."""

Reaction = tuple[int, int, int]
"""Number of a molecule, the role in which it reacts, and number of the block that it reacts with, or 0."""


class Molecules:
    """A growing table: one number for each canonical SMILES. Blocks are 1 to N, and 0 is no molecule.

    A number never changes its meaning, so all that depends on numbers is a pure function, although the
    numbers of molecules other than blocks depend on the order in which they are met. What is told of
    molecules in advance gives none a number.

    Args:
        chemistry: finds out what is not known.
    """

    def __init__(self, chemistry: Chemistry) -> None:
        self.chemistry, self.library = chemistry, chemistry.library
        self.roles, self.partners = chemistry.roles, chemistry.partners
        self.n_blocks, self.most_products = len(self.library), chemistry.rules.most_products
        self._further: list[str] = []
        self._number: dict[str, int] = {}
        self._further_hash: NDArray[np.int64] = np.zeros(1024, dtype=np.int64)
        self._block_hash = np.array([_hashed(text) for text in ("", *self.library.smiles)], dtype=np.int64)
        self._products = Memo(self._numbered, REACTIONS_AT_ONCE)
        self._told: Memo[Reaction, Products] = Memo(self._found, REACTIONS_AT_ONCE)
        self._roles = Memo(self._roles_of, MOLECULES_AT_ONCE)
        self._complete = Memo(self._is_complete, MOLECULES_AT_ONCE)
        self._fingerprints = Memo(self._fingerprint_of, MOLECULES_AT_ONCE)
        self._atoms = Memo(self._atoms_of, GRAPHS_AT_ONCE)

    def smiles(self, number: int) -> str:
        """The canonical SMILES of a number; empty for 0."""
        if number > self.n_blocks:
            return self._further[number - self.n_blocks - 1]
        return self.chemistry.smiles_of(number) if number else ""

    def number(self, smiles: str) -> int:
        """The number of a canonical SMILES; a new one for a new molecule."""
        known = self._number.get(smiles)
        if known is None:
            known = self.chemistry.block_of(smiles) or self._added(smiles)
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
        rows = [self._fingerprints[number] for number in numbers]
        return np.stack(rows) if rows else np.zeros((0, width), dtype=np.uint8)

    def atoms(self, number: int) -> Atoms:
        """Categories of atoms, uint8 [atoms, 7], and of their pairs, uint8 [atoms, atoms, 2]."""
        return self._atoms[number]

    def products(self, molecule: int, role: int, block: int) -> tuple[int, ...]:
        """Numbers of the products of a molecule in a role with a block (0: alone), in the order of their
        SMILES; none where the reaction does not run."""
        return self._products[molecule, role, block]

    def has_required(self, molecule: int) -> bool:
        """Whether a molecule has the required parts and no forbidden one."""
        return self._complete[molecule]

    def roles_of(self, molecule: int) -> NDArray[np.bool_]:
        """The roles that a molecule can play by its substructures and that have partners, bool [roles]."""
        return self._roles[molecule]

    def are_products_known(self, reaction: Reaction) -> bool:
        """Whether it takes no RDKit to say what a reaction gives."""
        return reaction in self._products or reaction in self._told

    def unknown(self, molecule: int, kinds: Collection[str]) -> frozenset[str]:
        """The kinds of facts that it takes RDKit to say of a molecule other than none."""
        known: dict[str, Container[int]] = {
            "roles": self._roles,
            "is_complete": self._complete,
            "fingerprint": self._fingerprints,
            "atoms": self._atoms,
        }
        in_library = {"fingerprint"} if molecule <= self.n_blocks else frozenset[str]()
        return frozenset(kind for kind in kinds if molecule not in known[kind]) - in_library

    def tell_products(self, reaction: Reaction, products: Products) -> None:
        """What a reaction gives, before it is asked for."""
        self._told.put(reaction, products)

    def tell(self, molecule: int, facts: Facts) -> None:
        """Facts of a molecule, before they are asked for."""
        if facts.roles is not None:
            self._roles.put(molecule, facts.roles)
        if facts.is_complete is not None:
            self._complete.put(molecule, facts.is_complete)
        if facts.fingerprint is not None:
            self._fingerprints.put(molecule, facts.fingerprint)
        if facts.atoms is not None:
            self._atoms.put(molecule, facts.atoms)
        for role, block, texts in facts.tried:
            if not self.are_products_known((molecule, role, block)):
                self._told.put((molecule, role, block), (texts, None))

    def _numbered(self, reaction: Reaction) -> tuple[int, ...]:
        is_told = reaction in self._told
        texts, facts = self._told.pop(reaction) if is_told else self._found(reaction)
        numbers = tuple(map(self.number, texts))
        if facts is not None:
            self.tell(numbers[0], facts)
        return numbers

    def _found(self, reaction: Reaction) -> Products:
        molecule, role, block = reaction
        return self.chemistry.products(self.smiles(molecule), role, block), None

    def _roles_of(self, molecule: int) -> NDArray[np.bool_]:
        return self.chemistry.roles_of(self.smiles(molecule), self.block(molecule))

    def block(self, molecule: int) -> int:
        """The number again where it is that of a block, else 0."""
        return molecule if molecule <= self.n_blocks else 0

    def _is_complete(self, molecule: int) -> bool:
        return self.chemistry.is_complete(self.smiles(molecule))

    def _fingerprint_of(self, molecule: int) -> NDArray[np.uint8]:
        if molecule == 0:
            return np.zeros(self.library.fingerprints.shape[1], dtype=np.uint8)
        if molecule <= self.n_blocks:
            return np.asarray(self.library.fingerprints[molecule - 1])
        return self.chemistry.fingerprint(self.smiles(molecule))

    def _atoms_of(self, molecule: int) -> Atoms:
        if molecule == 0:
            return np.zeros((0, len(ATOM_SIZES)), np.uint8), np.zeros((0, 0, len(PAIR_SIZES)), np.uint8)
        return self.chemistry.atoms(self.smiles(molecule))


def _hashed(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
