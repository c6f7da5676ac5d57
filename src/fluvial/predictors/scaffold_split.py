"""Splits of molecules in which no scaffold is on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rdkit.Chem import Mol

from fluvial.chem.fingerprints import scaffold
from fluvial.core.errors import DataError
from fluvial.predictors.split import FEWEST, Split


def scaffold_split(mols: Sequence[Mol], share: float, seed: int) -> Split:
    """A split by Bemis-Murcko scaffolds: what is held out looks unlike what is learned from.

    Molecules without rings are each a scaffold of their own. Groups of more than half the size of a part are
    learned from; the others come in random order.

    Args:
        mols: molecules.
        share: of the molecules that is held out; as many are for choosing or calibrating.
        seed: of the order.

    Raises:
        DataError: there are too few molecules or scaffolds.
    """
    groups: dict[str, list[int]] = {}
    for row, mol in enumerate(mols):
        groups.setdefault(scaffold(mol) or f"without rings {row}", []).append(row)
    wanted = max(1, round(len(mols) * share))
    shuffled = [
        list(groups.values())[place] for place in np.random.default_rng(seed).permutation(len(groups))
    ]
    small = [group for group in shuffled if len(group) <= max(1, wanted // 2)]
    parts: tuple[list[int], list[int]] = ([], [])
    for group in small:
        part = next((part for part in parts if len(part) + len(group) <= wanted), None)
        if part is not None:
            part.extend(group)
    held_out, choose = parts
    taken = {*held_out, *choose}
    train = [row for row in range(len(mols)) if row not in taken]
    if len(mols) < FEWEST or not (train and choose and held_out):
        raise DataError(
            f"{len(mols)} molecules with {len(groups)} scaffolds are too few for a split by scaffolds; "
            "give more, or split at random"
        )
    return Split(tuple(train), tuple(choose), tuple(held_out))
