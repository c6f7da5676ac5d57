"""Which molecules may be built of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fluvial.chem.properties import parse_smarts
from fluvial.chem.valence import check_element, most_bonds
from fluvial.core.errors import ConfigError
from fluvial.envs.graphs.rules import GraphRules

WILDCARD = "*"
"""Symbol of an atom still to be chosen."""
NO_RINGS = 0
"""As `max_ring_size`: only molecules without rings."""
HYDROGEN_SLOTS = ("hydrogens", "no_implicit")
"""Attributes of atoms that may say nothing new."""
_SMALLEST_RING, _MOST_ORDER = 3, 3
_STRAIGHT_ORDERS = tuple(tuple(range(1, most + 1)) for most in range(1, _MOST_ORDER + 1))


@dataclass(frozen=True, kw_only=True)
class AtomRules:
    """The choices and limits of an environment of atoms; what they mean is said by `Atoms`.

    Raises:
        ConfigError: a value out of range, or no molecule within the limits.
    """

    elements: tuple[str, ...]
    max_atoms: int
    min_atoms: int
    max_bonds: int | None
    bond_orders: tuple[int, ...]
    charges: tuple[int, ...]
    explicit_h: tuple[int, ...]
    no_implicit: bool
    chirality: bool
    five_valent_nitrogen: bool
    max_ring_size: int | None
    min_ring_size: int
    scaffold: str | None
    forbidden: tuple[str, ...]
    required: tuple[str, ...]
    random_walk: int

    def __post_init__(self) -> None:
        self._check_elements()
        self._check_values()
        self._check_sizes()
        patterns = (*self.forbidden, *self.required)
        for pattern in patterns:
            parse_smarts(pattern)
        if patterns and (self.no_implicit or len(self.explicit_h) > 1):
            raise ConfigError(
                "forbidden and required patterns need explicit_h = (0,) and no_implicit = False: else some"
                " ways to write a molecule could go on, and others not"
            )

    def _check_elements(self) -> None:
        if not self.elements or len(set(self.elements)) < len(self.elements):
            raise ConfigError(f"elements = {self.elements}: give one symbol or more, each once")
        for symbol in self.elements:
            check_element(symbol)
        if self.five_valent_nitrogen and "N" not in self.elements:
            raise ConfigError("five_valent_nitrogen = True needs 'N' among the elements")
        if self.five_valent_nitrogen and len(self.charges) > 1:
            raise ConfigError(
                f"five_valent_nitrogen = True and charges = {self.charges}: a nitro group would be two"
                " things; choose charges = (0,), or write it with charges"
            )

    def _check_values(self) -> None:
        if self.bond_orders not in _STRAIGHT_ORDERS:
            raise ConfigError(f"bond_orders = {self.bond_orders}; it must be (1,), (1, 2) or (1, 2, 3)")
        for name in ("charges", "explicit_h"):
            values = getattr(self, name)
            if 0 not in values or len(set(values)) < len(values):
                raise ConfigError(f"{name} = {values}: 0 must be among them, and each only once")
        if min(self.explicit_h) < 0:
            raise ConfigError(f"explicit_h = {self.explicit_h}: no number may be below 0")
        for charge in self.charges:
            if all(most_bonds(symbol, charge) is None for symbol in self.elements):
                raise ConfigError(
                    f"charges = {self.charges}: no element of {self.elements} can have {charge:+d}"
                )

    def _check_sizes(self) -> None:
        if not 1 <= self.min_atoms <= self.max_atoms:
            raise ConfigError(
                f"min_atoms = {self.min_atoms}, max_atoms = {self.max_atoms}: need 1 <= min <= max"
            )
        if self.max_bonds is not None and self.max_bonds < self.min_atoms - 1:
            raise ConfigError(
                f"max_bonds = {self.max_bonds}: a molecule of min_atoms = {self.min_atoms} atoms has"
                f" {self.min_atoms - 1} bonds or more"
            )
        if self.min_atoms > 2 and max(self.neutral_bonds) < 2:
            raise ConfigError(
                f"min_atoms = {self.min_atoms}: no element of {self.elements} has two bonds; use 1 or 2"
            )
        if self.min_ring_size < _SMALLEST_RING:
            raise ConfigError(f"min_ring_size = {self.min_ring_size}; the smallest ring has 3 atoms")
        if self.max_ring_size not in (None, NO_RINGS) and self.max_ring_size < self.min_ring_size:
            raise ConfigError(
                f"min_ring_size = {self.min_ring_size}, max_ring_size = {self.max_ring_size}: need min <="
                " max, or max_ring_size = 0 for no rings at all"
            )
        if self.random_walk < 0:
            raise ConfigError(f"random_walk = {self.random_walk}; it must be at least 0")

    @property
    def wildcard(self) -> bool:
        """Whether the scaffold has atoms that are still to be chosen."""
        return WILDCARD in (self.scaffold or "")

    @property
    def neutral_bonds(self) -> tuple[int, ...]:
        """Most bonds of each element without a charge."""
        return tuple(most_bonds(symbol, 0) or 0 for symbol in self.elements)

    @property
    def grows_surely(self) -> bool:
        """Whether each state smaller than `min_atoms` keeps room to grow.

        A scaffold cannot be taken apart, and nitrogen can jump from three bonds to five; either lets room be
        found only in some orders, so there a molecule that cannot grow may stop.
        """
        return self.scaffold is None and not self.five_valent_nitrogen

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of hydrogens that can be written, 0 first."""
        return (0, *(count for count in self.explicit_h if count))

    @cached_property
    def slots(self) -> dict[str, tuple[int, ...]]:
        """Name and values, besides the default, of each attribute of atoms, in order of their columns."""
        optional = {
            "charge": tuple(charge for charge in self.charges if charge),
            "hydrogens": self.counts[1:],
            "no_implicit": (1,) * self.no_implicit,
            "turn": (1, 2) * self.chirality,
            "fill": tuple(range(1, len(self.elements) + 1)) * self.wildcard,
        }
        return {name: values for name, values in optional.items() if values}

    def column(self, name: str) -> int | None:
        """Which attribute of atoms has this name; None where there is none."""
        names = list(self.slots)
        return names.index(name) if name in names else None

    def graph_rules(self, symbols: Sequence[str]) -> GraphRules:
        """The rules of graphs that number the actions and bound the trajectories, for atoms of `symbols`."""
        known = [symbol for symbol in symbols if symbol != WILDCARD]
        most = [most_bonds(symbol, charge) or 0 for symbol in known for charge in self.charges]
        return GraphRules(
            node_types=len(self.elements),
            edge_types=len(self.bond_orders),
            max_nodes=self.max_atoms,
            min_nodes=1,
            max_edges=self.max_bonds,
            max_degree=max(most),
            connected=True,
            directed=False,
            node_attributes=tuple(map(len, self.slots.values())),
            edge_attributes=(),
            allow_cycles=self.max_ring_size != NO_RINGS and self.max_atoms >= self.min_ring_size,
        )
