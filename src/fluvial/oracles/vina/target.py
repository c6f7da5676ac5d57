"""What a target file for docking says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fluvial.config.section import Problem, Section, Text
from fluvial.oracles.ligands import ELEMENTS

Listed = Field(strict=False)


def _as_numbers(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Point = Annotated[tuple[float, float, float], BeforeValidator(_as_numbers)]
"""x, y, z in Å."""


class BoxConfig(Section):
    """Where poses are looked for: by hand, around a known ligand, or around residues."""

    center: Point | None = None
    size: Point | None = None
    """Å along x, y and z."""
    ligand: Text | None = None
    """An .sdf, .mol2, .pdb or .pdbqt file with a molecule in the pocket."""
    residues: Annotated[tuple[Text, ...], Listed] = ()
    """As "A:335": chain, colon, number; without a chain where the receptor has no names of chains."""
    margin: float = Field(default=5.0, ge=0, le=30)
    """Å around the ligand or the residues on each side; arbitrary, half of a small molecule."""

    def contradictions(self) -> Iterator[Problem]:
        """The box is given in one way."""
        ways = [self.center is not None, self.ligand is not None, bool(self.residues)]
        if sum(ways) != 1:
            yield "center", "must be given with size, or else ligand, or else residues"
        if (self.center is None) != (self.size is None):
            yield "size", "must be given together with center"
        if self.size is not None and not all(4.0 <= side <= 100.0 for side in self.size):
            yield "size", "must have sides of 4 to 100 Å"


class DockedConfig(Section):
    """Which molecules are docked."""

    elements: Annotated[tuple[Text, ...], Listed] = tuple(one for one in ELEMENTS if one not in ("B", "Se"))
    most_heavy_atoms: int = Field(default=80, ge=1, le=128)
    """More have too many torsions for the search; arbitrary."""
    neutralise: bool = False
    """A charge is part of how a molecule is drawn; Vina's score does not see it."""


class DockingConfig(Section):
    """How poses are looked for."""

    scoring: Literal["vina", "vinardo"] = "vina"
    exhaustiveness: int = Field(default=8, ge=1, le=1024)
    """Independent searches. Vina's default."""
    max_evaluations: int = Field(default=0, ge=0)
    """Of one search; 0 = Vina's own rule, which grows with the molecule. Few are fast and find less."""
    n_poses: int = Field(default=9, ge=1, le=1000)
    energy_range: float = Field(default=3.0, gt=0)
    """Poses up to so many kcal/mol worse than the best are kept. Vina's default."""
    seed: int = Field(default=1, ge=1)
    replicates: int = Field(default=1, ge=1, le=100)
    cpu: int = Field(default=1, ge=1, le=1024)
    """Threads of one worker."""
    folder: Text = "docking"
    """Where poses and records are kept; a relative path starts at the target file."""
    poses: bool = True
    """Whether poses are kept, as SD files under the InChIKey of the molecule."""


class VinaTarget(Section):
    """A target file for docking with AutoDock Vina."""

    tool: Literal["vina"]
    name: Text = "vina"
    """Of the oracle, in queues."""
    version: Text | None = None
    """Of Vina and Meeko, as "vina 1.2.7, meeko 0.8.0", for machines that ask and have them not; workers with
    others refuse. Left out, it is what is installed."""
    receptor: Text
    """A .pdbqt file, or a .pdb file with all atoms but hydrogens."""
    box: BoxConfig
    ligand: DockedConfig = DockedConfig()
    run: DockingConfig = DockingConfig()

    def contradictions(self) -> Iterator[Problem]:
        """The receptor is of a kind that can be read."""
        if not self.receptor.lower().endswith((".pdbqt", ".pdb")):
            yield "receptor", "must end in .pdbqt or .pdb"
