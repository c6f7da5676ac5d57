"""By which network: the section [policy]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import KIND, Problem, Section


class _OfBlocksConfig(Section):
    """A network that may have to choose among building blocks."""

    blocks: Literal["all", "clusters"] | None = Field(
        default=None,
        description="How a building block is chosen: among all of them (all), or first a cluster of alike "
        "ones and then one of it (clusters), which is as exact and suits very many. Left out: clusters "
        "above 5,000 blocks. Only for env.kind = 'synthesis'.",
    )


class _TransformerConfig(Section):
    """A transformer over tokens: the nodes of a graph, the symbols of a word."""

    width: int = Field(
        default=64,
        ge=8,
        le=4096,
        description="Features per token. A multiple of heads; the default is sized for a CPU.",
    )
    layers: int = Field(
        default=3, ge=1, le=64, description="Number of attention layers. The default is sized for a CPU."
    )
    heads: int = Field(
        default=4, ge=1, le=64, description="Attention heads per layer. The default gives 16 features each."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of features dropped in training. 0 keeps log probabilities exact.",
    )


class GraphTransformerConfig(_TransformerConfig, _OfBlocksConfig):
    """A transformer over the nodes of a graph."""

    kind: Literal["graph-transformer"] = Field(description=KIND)

    def contradictions(self) -> Iterator[Problem]:
        """Each head needs the same number of features."""
        if self.width % self.heads:
            yield "width", f"must be a multiple of heads = {self.heads}"


class SequenceTransformerConfig(_TransformerConfig):
    """A transformer over the symbols of a word."""

    kind: Literal["sequence-transformer"] = Field(description=KIND)
    positions: Literal["rotary", "sinusoidal"] = Field(
        default="rotary",
        description="How symbols know where they stand: by turning queries and keys (rotary), or by waves "
        "added to the symbols. Su et al. 2021 (arXiv:2104.09864).",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Each head needs the same even number of features."""
        if self.width % (2 * self.heads):
            yield "width", f"must be a multiple of {2 * self.heads}, twice the heads"


class MlpConfig(_OfBlocksConfig):
    """Fully connected layers over a fixed-size vector."""

    kind: Literal["mlp"] = Field(description=KIND)
    width: int = Field(
        default=256,
        ge=1,
        le=16384,
        description="Features per hidden layer. The default is that of Malkin 2022.",
    )
    layers: int = Field(
        default=2, ge=1, le=64, description="Number of hidden layers. The default is that of Malkin 2022."
    )


class TabularConfig(Section):
    """One free number per state and action."""

    kind: Literal["tabular"] = Field(description=KIND)


class UniformConfig(Section):
    """Every legal action alike; nothing is learned but log Z."""

    kind: Literal["uniform"] = Field(description=KIND)


PolicyConfig = Annotated[
    GraphTransformerConfig | SequenceTransformerConfig | MlpConfig | TabularConfig | UniformConfig,
    Field(discriminator="kind"),
]
