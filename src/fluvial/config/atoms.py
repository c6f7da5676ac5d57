"""Molecules atom by atom: env.kind = 'atoms'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import KIND, Problem, Section, Text

Symbols = Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=100)]
Charges = Annotated[tuple[Annotated[int, Field(ge=-4, le=4)], ...], Field(strict=False, min_length=1)]
Counts = Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(strict=False, min_length=1)]
Orders = Annotated[tuple[Literal[1, 2, 3], ...], Field(strict=False, min_length=1)]
Patterns = Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)]

NO_RINGS = 0


class AtomsConfig(Section):
    """Molecules built atom by atom and bond by bond."""

    kind: Literal["atoms"] = Field(description=KIND)
    elements: Symbols = Field(
        default=("C", "N", "O", "F"),
        description="Symbols of the atoms that may be added; hydrogens follow from the bonds. "
        "The default is that of the molecules of QM9.",
    )
    max_atoms: int = Field(
        default=9,
        ge=1,
        le=100,
        description="Largest number of atoms, hydrogens left aside. The default is that of QM9; "
        "drugs have 20 to 40.",
    )
    min_atoms: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Smallest number of atoms before stopping is allowed. "
        "The default asks for no more than one.",
    )
    max_bonds: int | None = Field(
        default=None, ge=0, description="Largest number of bonds. No limit where left out.", examples=[10]
    )
    bond_orders: Orders = Field(
        default=(1, 2, 3),
        description="Orders of bonds: 1, 1 and 2, or all three. Aromatic bonds need no order of their own: "
        "they are found in what single and double bonds make. The default has them all.",
    )
    charges: Charges = Field(
        default=(0,),
        description="Formal charges that atoms may have, 0 among them. The default has none, which is "
        "simplest; 0, 1 and -1 make nitro groups and zwitterions too.",
    )
    explicit_h: Counts = Field(
        default=(0,),
        description="Numbers of hydrogens that may be written at an atom besides those that follow from "
        "its bonds, 0 among them, as for S with four hydrogens. The default has none.",
    )
    no_implicit: bool = Field(
        default=False,
        description="Let atoms be closed to hydrogens that follow from their bonds, as in radicals. "
        "Off, as few molecules need it.",
    )
    chirality: bool = Field(
        default=False,
        description="Let stereocentres be marked, and only those. Off, which has fewer choices.",
    )
    five_valent_nitrogen: bool = Field(
        default=False,
        description="Let nitrogen have five bonds, as in nitro groups written without charges. "
        "Off; charges do the same and more.",
    )
    max_ring_size: int | None = Field(
        default=None,
        ge=0,
        description="Most atoms of a ring, of a smallest set of rings; 0 for no rings. "
        "No limit where left out, which is fastest.",
        examples=[7],
    )
    min_ring_size: int = Field(
        default=3, ge=3, description="Fewest atoms of a ring. The default is the smallest there is."
    )
    scaffold: Text | None = Field(
        default=None,
        description="SMILES of a molecule that building starts from and that is kept; its atoms '*' become "
        "an atom of the elements. Building starts from nothing where left out.",
        examples=["c1ccccc1*"],
    )
    forbidden: Patterns = Field(
        default=(),
        description="SMARTS patterns that a finished molecule does not have, if it can still grow out of "
        "them. None by default; for certain, and for many patterns, use [[reward.filter]].",
    )
    required: Patterns = Field(
        default=(),
        description="SMARTS patterns that a finished molecule has, likewise. None by default.",
    )
    random_walk: int = Field(
        default=0,
        ge=0,
        le=32,
        description="Steps of random walks along bonds whose chances to come back the network sees. "
        "None by default: it sees distances and rings.",
    )
    correct_symmetry: bool = Field(
        default=True,
        description="Count each molecule once however many equivalent ways build it. "
        "Without it symmetric molecules are sampled too rarely, so the default is on.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Limits that leave a range; what needs chemistry is found when the environment is made."""
        if self.min_atoms > self.max_atoms:
            yield "min_atoms", f"must be at most max_atoms = {self.max_atoms}"
        if self.max_bonds is not None and self.max_bonds < self.min_atoms - 1:
            yield "max_bonds", f"must be at least {self.min_atoms - 1} to join min_atoms = {self.min_atoms}"
        if self.bond_orders not in ((1,), (1, 2), (1, 2, 3)):
            yield "bond_orders", "must be [1], [1, 2] or [1, 2, 3]"
        for name in ("charges", "explicit_h"):
            values = getattr(self, name)
            if 0 not in values or len(set(values)) < len(values):
                yield name, "must have 0 among its values, and each only once"
        if self.max_ring_size not in (None, NO_RINGS) and self.max_ring_size < self.min_ring_size:
            yield "max_ring_size", f"must be 0 for no rings, or at least min_ring_size = {self.min_ring_size}"
        if self.five_valent_nitrogen and len(self.charges) > 1:
            yield "charges", "must be [0] with five_valent_nitrogen: a nitro group would be two things"
