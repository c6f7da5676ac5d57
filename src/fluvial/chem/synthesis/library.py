"""The library of a synthesis space: blocks, templates, and which block can be which reactant."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.synthesis.blocks import Block, embedded_blocks
from fluvial.chem.synthesis.patterns import Patterns
from fluvial.chem.synthesis.reactions import Reaction, reactions_of
from fluvial.chem.synthesis.templates import Template, embedded_templates
from fluvial.chem.synthesis.texts import Texts
from fluvial.core.errors import DataError

N_BITS = 1024
"""Length of the blocks' fingerprints, as in SynFlowNet (Cretu et al. 2025, arXiv:2405.01155)."""
RADIUS = 2


@dataclass(frozen=True)
class BlockLibrary:
    """N blocks, R templates, and which block can be which reactant of which template."""

    smiles: Texts
    """N canonical SMILES, no two equal."""
    identifiers: Texts
    """N names; empty where there is none."""
    suppliers: Texts
    """N suppliers; empty where none is known."""
    prices: NDArray[np.float64]
    """float64 [N], nan where unknown."""
    templates: tuple[Template, ...]
    """R."""
    compatible: NDArray[np.uint8]
    """uint8 [2, R, ceil(N / 8)]; bit n of [p, r], lowest first: block n can be reactant p of template r."""
    fingerprints: NDArray[np.uint8]
    """uint8 [N, bits / 8], Morgan fingerprints of radius 2, the lowest bit first."""
    path: Path | None = None
    """The file that its arrays lie in; None where they are in memory."""

    def __len__(self) -> int:
        return len(self.smiles)

    def block(self, number: int) -> Block:
        """The record of one block."""
        price = float(self.prices[number])
        return Block(
            self.smiles[number],
            self.identifiers[number],
            self.suppliers[number] or None,
            None if math.isnan(price) else price,
        )

    @cached_property
    def reactions(self) -> tuple[Reaction, ...]:
        """The R templates made ready."""
        return reactions_of(self.templates)

    def blocks_for(self, template: int, position: int) -> NDArray[np.int64]:
        """int64 [M], ascending numbers of the blocks that can be reactant 0 or 1 of a template."""
        bits = np.unpackbits(self.compatible[position, template], count=len(self), bitorder="little")
        return np.flatnonzero(bits)

    def find(self, smiles: str) -> int | None:
        """The number of the block with this canonical SMILES; None where there is none."""
        order, keys = self._by_key
        key = _key(smiles)
        place = int(np.searchsorted(keys, np.uint64(key)))
        while place < len(keys) and keys[place] == key:
            if self.smiles[number := int(order[place])] == smiles:
                return number
            place += 1
        return None

    @cached_property
    def _by_key(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Numbers of the blocks in the order of their keys, and the keys: 16 bytes a block, no texts."""
        keys = np.fromiter((_key(text) for text in self.smiles), np.uint64, len(self))
        order = np.argsort(keys, kind="stable")
        return order, keys[order]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal digits, of all that the library holds."""
        return content_hash(self.arrays(), self.templates)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the templates as arrays, by name."""
        texts = {"smiles": self.smiles, "identifiers": self.identifiers, "suppliers": self.suppliers}
        parts = {f"{name}.{part}": getattr(one, part) for name, one in texts.items() for part in _TEXT_PARTS}
        return {
            **parts,
            "prices": self.prices,
            "compatible": self.compatible,
            "fingerprints": self.fingerprints,
        }


_TEXT_PARTS = ("content", "ends")


def library_of_arrays(
    arrays: dict[str, NDArray[Any]], templates: Sequence[Template], path: Path | None = None
) -> BlockLibrary:
    """The library that `BlockLibrary.arrays` took apart; `path` is the file of the arrays."""
    smiles, identifiers, suppliers = (
        Texts(*(arrays[f"{name}.{part}"] for part in _TEXT_PARTS))
        for name in ("smiles", "identifiers", "suppliers")
    )
    return BlockLibrary(
        smiles,
        identifiers,
        suppliers,
        arrays["prices"],
        tuple(templates),
        arrays["compatible"],
        arrays["fingerprints"],
        path,
    )


def make_library(blocks: Sequence[Block], templates: Sequence[Template]) -> BlockLibrary:
    """A library in memory of a few thousand blocks; `fluvial data prepare` makes those of large catalogues.

    Args:
        blocks: N with canonical SMILES.
        templates: R.

    Raises:
        DataError: no block, no template, a block that is no molecule or not canonical, or one twice.
    """
    if not blocks or not templates:
        raise DataError("a library needs at least one block and one template.")
    mols = [_molecule(block, place) for place, block in enumerate(blocks)]
    seen: dict[str, int] = {}
    for place, block in enumerate(blocks):
        if block.smiles in seen:
            raise DataError(
                f"blocks {seen[block.smiles]} and {place} are both '{block.smiles}'; leave one out."
            )
        seen[block.smiles] = place
    patterns = Patterns(reactions_of(templates))
    matches = np.packbits(patterns.matches_of_many(mols), axis=1)
    return BlockLibrary(
        Texts.of([block.smiles for block in blocks]),
        Texts.of([block.identifier for block in blocks]),
        Texts.of([block.supplier or "" for block in blocks]),
        np.array([math.nan if block.price is None else block.price for block in blocks], np.float64),
        tuple(templates),
        packed_compatibility(matches, patterns),
        packed_fingerprints(mols),
    )


@lru_cache(maxsize=1)
def embedded_library() -> BlockLibrary:
    """The packaged blocks with the packaged templates."""
    return make_library(embedded_blocks(), embedded_templates())


def packed_compatibility(matches: NDArray[np.uint8], patterns: Patterns) -> NDArray[np.uint8]:
    """uint8 [2, R, ceil(N / 8)], the bits of `BlockLibrary.compatible`, a column at a time to spare memory.

    Args:
        matches: uint8 [N, ceil(P / 8)], which of the P queries each block has, the highest bit first.
        patterns: the queries.
    """
    n_blocks = len(matches)
    found = np.zeros((*patterns.of_reactant.shape, -(-n_blocks // 8)), np.uint8)
    for place, column in np.ndenumerate(patterns.of_reactant):
        if column >= 0:
            has = matches[:, column // 8] >> (7 - column % 8) & 1
            found[place] = np.packbits(has, bitorder="little")
    return found


def packed_fingerprints(mols: Sequence[Chem.Mol]) -> NDArray[np.uint8]:
    """uint8 [N, 128], Morgan fingerprints of radius 2 and 1024 bits, the lowest bit first."""
    with rdBase.BlockLogs():
        generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=N_BITS)
        rows = [DataStructs.BitVectToBinaryText(generator.GetFingerprint(mol)) for mol in mols]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, N_BITS // 8)


def content_hash(arrays: dict[str, NDArray[Any]], templates: Sequence[Template]) -> str:
    """SHA-256 of arrays with their names, and of templates."""
    digest = hashlib.sha256(json.dumps([asdict(template) for template in templates]).encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _key(smiles: str) -> int:
    return int.from_bytes(hashlib.blake2b(smiles.encode(), digest_size=8).digest(), "little")


def _molecule(block: Block, place: int) -> Chem.Mol:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(block.smiles)
    if mol is None or not mol.GetNumAtoms():
        raise DataError(f"block {place}, '{block.smiles}', is no molecule; correct it or leave it out.")
    if canonical_smiles(mol) != block.smiles:
        raise DataError(
            f"block {place}, '{block.smiles}', is not canonical; write '{canonical_smiles(mol)}'."
        )
    return mol
