"""What is built: the section [env]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.atoms import AtomsConfig
from fluvial.config.section import KIND, Problem, Section, Text
from fluvial.config.sets import SetsConfig
from fluvial.config.synthesis import SynthesisConfig
from fluvial.config.words import SequencesConfig


class FragmentsConfig(Section):
    """Molecules put together from a vocabulary of fragments."""

    kind: Literal["fragments"] = Field(description=KIND)
    vocabulary: Text = Field(
        default="default",
        description="Fragments to build with: a built-in vocabulary (default, bengio2021) or a CSV file. "
        "A relative path starts at this file's folder. "
        "The default needs no download.",
    )
    max_fragments: int = Field(
        default=5,
        ge=1,
        le=32,
        description="Largest number of fragments in a molecule. "
        "The default suits a first run on a CPU; Bengio et al. 2021 use 8.",
    )
    min_fragments: int = Field(
        default=1,
        ge=1,
        le=32,
        description="Smallest number of fragments before stopping is allowed. "
        "The default asks for no more than one.",
    )
    merge_symmetric: bool = Field(
        default=True,
        description="Treat attachment points that a symmetry of the fragment exchanges as one action. "
        "The default makes fewer actions and changes no molecule.",
    )
    correct_symmetry: bool = Field(
        default=True,
        description="Count each molecule once however many equivalent ways build it. "
        "Without it symmetric molecules are sampled too rarely, so the default is on.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """The limits on the number of fragments must leave a range."""
        if self.min_fragments > self.max_fragments:
            yield "min_fragments", f"must be at most max_fragments = {self.max_fragments}"


class HypergridConfig(Section):
    """Cells of a grid with a known reward, for checking a method against the exact distribution."""

    kind: Literal["hypergrid"] = Field(description=KIND)
    dimension: int = Field(
        default=2, ge=1, le=16, description="Number of axes. The default is the smallest usual test."
    )
    side: int = Field(
        default=8,
        ge=2,
        le=1024,
        description="Number of cells along each axis. The default is that of Bengio et al. 2021.",
    )
    r0: float = Field(
        default=0.1,
        gt=0,
        description="Reward of the plains; a small one makes modes hard to find. From Bengio et al. 2021.",
    )
    r1: float = Field(default=0.5, ge=0, description="Reward added in the corners. From Bengio et al. 2021.")
    r2: float = Field(default=2.0, ge=0, description="Reward added in the modes. From Bengio et al. 2021.")

    @property
    def n_points(self) -> int:
        """Number of cells."""
        return int(self.side**self.dimension)

    def contradictions(self) -> Iterator[Problem]:
        """Each cell needs a number of its own."""
        if self.n_points > MOST_POINTS:
            yield "side", f"must be smaller for dimension = {self.dimension}: 2^61 cells can be numbered"


MOST_POINTS = 2**61
"""Points beyond which the grid cannot number its states in 64 bits."""


class GraphsConfig(Section):
    """Small graphs with typed nodes and edges and a known reward, for checking a method exactly."""

    kind: Literal["graph"] = Field(description=KIND)
    node_types: int = Field(
        default=2, ge=1, le=100, description="Kinds of nodes. Two are the fewest that differ."
    )
    edge_types: int = Field(default=1, ge=1, le=100, description="Kinds of edges. One is the simplest.")
    max_nodes: int = Field(
        default=7,
        ge=1,
        le=100,
        description="Largest number of nodes. "
        "The default leaves 72,296 connected graphs of two kinds of nodes, few enough to list.",
    )
    min_nodes: int = Field(
        default=1,
        ge=1,
        le=100,
        description="Smallest number of nodes before stopping is allowed. "
        "The default asks for no more than one.",
    )
    max_edges: int | None = Field(
        default=None, ge=1, description="Largest number of edges. No limit where left out.", examples=[12]
    )
    max_degree: int | None = Field(
        default=None,
        ge=1,
        description="Largest number of edges at a node. No limit where left out.",
        examples=[4],
    )
    connected: bool = Field(default=True, description="Keep graphs in one piece. On, as molecules are.")
    directed: bool = Field(
        default=False, description="Give each edge a direction. Off, as molecules have none."
    )
    allow_cycles: bool = Field(
        default=True, description="Allow edges that close a cycle. On, as molecules have rings."
    )
    reward: Literal["constant", "cliques", "even_neighbours", "counts"] = Field(
        default="constant",
        description="What is worth making. The default is the strictest test: every graph must come out "
        "equally often, however symmetric it is.",
    )
    correct_symmetry: bool = Field(
        default=True,
        description="Count each graph once however many equivalent ways build it. "
        "Without it symmetric graphs are sampled too rarely, so the default is on.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """The limits must leave a graph of the smallest size."""
        if self.min_nodes > self.max_nodes:
            yield "min_nodes", f"must be at most max_nodes = {self.max_nodes}"
        if self.connected and self.max_edges is not None and self.max_edges < self.min_nodes - 1:
            least = self.min_nodes - 1
            yield "max_edges", f"must be at least {least} to connect min_nodes = {self.min_nodes}"
        if self.connected and self.max_degree == 1 and self.min_nodes > 2:
            yield "max_degree", f"must be at least 2 to connect min_nodes = {self.min_nodes}"


EnvConfig = Annotated[
    FragmentsConfig
    | AtomsConfig
    | SynthesisConfig
    | HypergridConfig
    | GraphsConfig
    | SequencesConfig
    | SetsConfig,
    Field(discriminator="kind"),
]
