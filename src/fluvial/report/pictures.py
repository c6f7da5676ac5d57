"""One picture of several molecules, for tools that show images of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import Draw

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import DataError

if TYPE_CHECKING:
    from fluvial.queue.records import Candidate
    from fluvial.queue.store import Store

N_DRAWN = 12
"""Molecules on a picture: three rows of four, as many as can be taken in."""
PER_ROW = 4
SIZE = (240, 200)
"""Width and height of one drawing, in pixels."""


def best_picture(store: Store) -> NDArray[np.uint8] | None:
    """A picture of the best molecules of a run, uint8 [height, width, 3], or None while there is none."""
    return molecules_picture([item for item in store.candidates(N_DRAWN) if item.reward is not None])


def latest_picture(store: Store) -> NDArray[np.uint8] | None:
    """A picture of what the last step sampled, uint8 [height, width, 3], or None while there is nothing."""
    return molecules_picture(store.samples(store.last_step)[:N_DRAWN])


def molecules_picture(items: Sequence[Candidate | Any]) -> NDArray[np.uint8] | None:
    """A picture of molecules with their rewards, uint8 [height, width, 3]; texts that are none are left out.

    Args:
        items: records with `text` and `reward`.
    """
    molecules, legends = [], []
    for item in items:
        try:
            molecules.append(parse_smiles(item.text))
        except DataError:
            continue
        legends.append("" if item.reward is None else f"{item.reward:.4g}")
    if not molecules:
        return None
    drawn: Any = Draw
    picture = drawn.MolsToGridImage(molecules, PER_ROW, SIZE, legends=legends)
    return np.array(picture.convert("RGB"), dtype=np.uint8)
