"""What a target file for Boltz says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from string import ascii_uppercase
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from fluvial.config.section import Problem, Section, Text
from fluvial.config.transform import TransformConfig
from fluvial.oracles.boltz.scores import PRESETS
from fluvial.oracles.ligands import ELEMENTS, MOST_HEAVY_ATOMS


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,5}$")]
"""Of a chain; five characters are what mmCIF tools read."""
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
Words = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple)]
Place = Annotated[tuple[str | int, ...], BeforeValidator(_as_tuple)]
"""Chain and residue, or chain and name of an atom, as in `["A", 903]`; of a bond chain, residue, atom."""
Listed = Field(strict=False)


class ModificationConfig(Section):
    """A residue that is not a standard one."""

    position: int = Field(ge=1)
    ccd: Text


class ChainConfig(Section):
    """A chain of the target; several names make as many copies."""

    kind: Literal["protein", "dna", "rna"] = "protein"
    id: Names
    sequence: Text
    msa: Text | None = None
    """A file (.a3m or .csv), "empty" or "server". Only of proteins, which need it."""
    cyclic: bool = False
    modification: Annotated[tuple[ModificationConfig, ...], Listed] = ()

    def contradictions(self) -> Iterator[Problem]:
        """An alignment belongs to a protein and to no other chain."""
        if self.kind == "protein" and self.msa is None:
            yield "msa", "must be given for a protein: a .a3m or .csv file, 'empty' or 'server'"
        if self.kind != "protein" and self.msa is not None:
            yield "msa", f"must be left out for {self.kind}"
        last = max((one.position for one in self.modification), default=0)
        if last > len(self.sequence):
            yield "modification", f"must have positions up to {len(self.sequence)}, the length of the chain"


class CofactorConfig(Section):
    """A molecule that is part of the target."""

    id: Names
    ccd: Text | None = None
    smiles: Text | None = None

    def contradictions(self) -> Iterator[Problem]:
        """It is named in one way."""
        if (self.ccd is None) == (self.smiles is None):
            yield "ccd", "must be given, or smiles, and not both"


class PocketConfig(Section):
    """Where the ligand is to lie."""

    contacts: Annotated[tuple[Place, ...], Listed] = Field(min_length=1)
    max_distance: float = Field(default=6.0, ge=4.0, le=20.0)  # Boltz's default, Å
    force: bool = False


class ContactConfig(Section):
    """Two places of the target that are near each other."""

    token1: Place
    token2: Place
    max_distance: float = Field(default=6.0, ge=4.0, le=20.0)
    force: bool = False


class BondConfig(Section):
    """A covalent bond between two atoms of the target."""

    atom1: Place
    atom2: Place


class TemplateConfig(Section):
    """A known structure of a chain."""

    file: Text
    """.cif or .pdb."""
    chain_id: Names | None = None
    template_id: Names | None = None
    force: bool = False
    threshold: float | None = Field(default=None, gt=0)

    def contradictions(self) -> Iterator[Problem]:
        """As Boltz has it."""
        if not self.file.lower().endswith((".cif", ".mmcif", ".pdb")):
            yield "file", "must end in .cif or .pdb"
        if self.force and self.threshold is None:
            yield "threshold", "must be given where force = true"


class LigandConfig(Section):
    """Which molecules are sent."""

    elements: Annotated[tuple[Text, ...], Listed] = ELEMENTS
    most_heavy_atoms: int = Field(default=MOST_HEAVY_ATOMS, ge=1, le=MOST_HEAVY_ATOMS)
    neutralise: bool = True


class FactorConfig(Section):
    """A field of Boltz's results, transformed."""

    field: Text
    transform: TransformConfig | None = None
    weight: float = Field(default=1.0, gt=0)


class ScoreConfig(Section):
    """A number of your own: the product of transformed fields, each to the power of its weight."""

    name: Text
    factor: Annotated[tuple[FactorConfig, ...], Listed] = Field(min_length=1)


class RunningConfig(Section):
    """How Boltz is run."""

    command: Words = ("boltz",)
    """Program and arguments before `predict`; its environment needs nothing else."""
    options: Words = ()
    """Further arguments of `boltz predict`."""
    cache: Text = "~/.boltz"
    """Of weights; one worker at a time fills it."""
    folder: Text = "boltz"
    """Where batches, alignments and records are kept; a relative path starts at the target file."""
    structures: bool = False
    """Whether predicted structures are kept, under the InChIKey of the molecule."""
    seeding: Literal["molecule", "batch"] = "molecule"
    """A run for each molecule, whose score is then its own; or for a batch, which loads weights once."""
    seed: int = Field(default=0, ge=0)
    replicates: int = Field(default=1, ge=1, le=100)
    timeout_seconds: float = Field(default=600.0, gt=0)
    """For each molecule of a run; thirty times the usual on an H100."""
    start_seconds: float = Field(default=600.0, ge=0)
    """To load weights."""
    download_seconds: float = Field(default=7200.0, ge=0)
    """More for the run that fills the cache."""
    msa_server_url: Text | None = None


class BoltzTarget(Section):
    """A target file for Boltz."""

    tool: Literal["boltz"]
    name: Text = "boltz"
    """Of the oracle, in queues."""
    version: Text | None = None
    """Of Boltz, where answers of different versions are to be kept apart."""
    chain: Annotated[tuple[ChainConfig, ...], Listed] = ()
    cofactor: Annotated[tuple[CofactorConfig, ...], Listed] = ()
    pocket: PocketConfig | None = None
    contact: Annotated[tuple[ContactConfig, ...], Listed] = ()
    bond: Annotated[tuple[BondConfig, ...], Listed] = ()
    template: Annotated[tuple[TemplateConfig, ...], Listed] = ()
    input: Text | None = None
    """A YAML file of Boltz with <LIGAND> in place of the SMILES, instead of the tables above."""
    ligand: LigandConfig = LigandConfig()
    scores: Annotated[tuple[Literal["published", "ensemble", "pic50", "kcal_per_mol"], ...], Listed] = (
        "published",
    )
    score: Annotated[tuple[ScoreConfig, ...], Listed] = ()
    run: RunningConfig = RunningConfig()

    def contradictions(self) -> Iterator[Problem]:
        """One target, with names that are there and unique."""
        parts = (self.chain, self.cofactor, self.contact, self.bond, self.template)
        if self.input is not None and (any(parts) or self.pocket is not None):
            yield "input", "must be left out where the target is described by chains"
        if self.input is None and not self.chain:
            yield "chain", "must be given, one [[chain]] for each sequence, or input, a YAML file of Boltz"
        counts = Counter(self.names())
        for name in (name for name, count in counts.items() if count > 1):
            yield "chain", f"must have different ids; '{name}' is there {counts[name]} times"
        used = {str(place[0]) for place in self._places()}
        for name in sorted(used - set(counts)):
            yield "chain", f"must have an id '{name}', which a constraint names"
        ways = {"server" if one.msa == "server" else "given" for one in self.chain if one.msa is not None}
        if len(ways) > 1:
            yield "chain", "must take all alignments from the server, or none: Boltz does not mix them"
        own = [one.name for one in self.score]
        for name in sorted({name for name in own if own.count(name) > 1 or name in PRESETS}):
            yield "score", f"must have names of its own; '{name}' is taken"

    def names(self) -> list[str]:
        """Of all chains and cofactors."""
        found = [one.id for one in self.chain] + [one.id for one in self.cofactor]
        return [name for names in found for name in names]

    @property
    def ligand_id(self) -> str:
        """The first letter that names nothing else."""
        taken = self.names()
        return next((letter for letter in ascii_uppercase if letter not in taken), "LIG")

    def _places(self) -> Iterator[Place]:
        if self.pocket is not None:
            yield from self.pocket.contacts
        for contact in self.contact:
            yield from (contact.token1, contact.token2)
        for bond in self.bond:
            yield from (bond.atom1, bond.atom2)
