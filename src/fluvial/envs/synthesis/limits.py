"""Which blocks and reactions of a library may be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.choices import choose_name
from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.core.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What is left of a library; by default all of it."""

    reactions: tuple[str, ...] = ()
    """Identifiers of the templates that may be used; none for all."""
    start: tuple[str, ...] = ()
    """SMILES of the blocks that a synthesis may start from; none for all. They may be partners too."""
    max_price: float | None = None
    """Of a block, in the unit of the library; blocks without a price are left out then."""
    forbidden: tuple[str, ...] = ()
    """SMARTS patterns; a product that has one is never made. Blocks may have them, and lose them."""
    required: tuple[str, ...] = ()
    """SMARTS patterns; a synthesis stops at a molecule that has all, or where nothing else is legal."""


NO_LIMITS = Limits()


def allowed_templates(library: BlockLibrary, limits: Limits) -> NDArray[np.bool_]:
    """Whether each template may be used, bool [R].

    Raises:
        ConfigError: an identifier that no template has.
    """
    known = [template.identifier for template in library.templates]
    chosen = {choose_name("reaction", name, known) for name in limits.reactions}
    return np.array([not chosen or name in chosen for name in known], dtype=np.bool_)


def usable_blocks(library: BlockLibrary, limits: Limits) -> NDArray[np.bool_]:
    """Whether each block may be used, bool [N].

    Raises:
        ConfigError: no block has a price within the limit.
    """
    if limits.max_price is None:
        return np.ones(len(library), dtype=np.bool_)
    usable: NDArray[np.bool_] = np.asarray(library.prices) <= limits.max_price
    if not usable.any():
        raise ConfigError(
            f"max_price = {limits.max_price:g}: none of the {len(library)} blocks is known to cost as"
            " little; raise it, or give the library prices"
        )
    return usable


def start_blocks(library: BlockLibrary, limits: Limits) -> NDArray[np.bool_]:
    """Whether a synthesis may start from each block, bool [N], other limits aside.

    Raises:
        ConfigError: a molecule that is not among the blocks.
        DataError: a text that is no molecule.
    """
    if not limits.start:
        return np.ones(len(library), dtype=np.bool_)
    mask = np.zeros(len(library), dtype=np.bool_)
    for text in limits.start:
        place = library.find(canonical_smiles(parse_smiles(text)))
        if place is None:
            raise ConfigError(
                f"start: '{text}' is not among the {len(library)} building blocks; add it to them with"
                " `fluvial data prepare`"
            )
        mask[place] = True
    return mask
