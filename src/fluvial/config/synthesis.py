"""Molecules by their synthesis: the section [env] with kind = "synthesis"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from fluvial.config.chemistry import Smarts, Smiles
from fluvial.config.section import KIND, Problem, Section, Text


class SynthesisConfig(Section):
    """Molecules with a synthesis: building blocks and reactions."""

    kind: Literal["synthesis"] = Field(description=KIND)
    library: Text = Field(
        default="default",
        description="Building blocks and reactions: default, which needs no download, or a library file made "
        "by `fluvial data prepare`. A relative path starts at this file's folder.",
    )
    max_reactions: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Largest number of reactions. The default suits a first run; SynFlowNet uses 3.",
    )
    min_reactions: int = Field(
        default=1,
        ge=0,
        le=16,
        description="Smallest number of reactions before stopping is allowed, unless nothing can react any "
        "more. The default leaves out bare building blocks.",
    )
    most_products: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Products of one reaction that are told apart; 1 keeps the first. Few reactions have "
        "more than the default.",
    )
    parents: Literal["searched", "recorded"] = Field(
        default="recorded",
        description="How the ways back from a molecule are known: only those that were gone (recorded), with "
        "a learned algo.backward, or all of them, by templates turned round (searched), which is exact and "
        "slow. Measured with 10,000 blocks: the default takes a tenth of the time.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Processes that run reactions and searches; 0 = in the training process. The run is the "
        "same with any number, bit for bit.",
    )

    reactions: list[Text] = Field(
        default=[],
        description="Identifiers of the reactions that may be used. All where left out.",
        examples=[["amide", "suzuki"]],
    )
    start: list[Smiles] = Field(
        default=[],
        description="SMILES of the building blocks to start from, to grow from a lead. All where left out.",
        examples=[["NCc1ccccc1"]],
    )
    max_price: float | None = Field(
        default=None,
        gt=0,
        description="Highest price of a building block; those without a price are left out. No limit where "
        "left out.",
        examples=[100.0],
    )

    forbidden: list[Smarts] = Field(
        default=[],
        description="SMARTS patterns; a product that has one is never made. Building blocks may have "
        "them and lose them. None by default.",
        examples=[["[N+](=O)[O-]"]],
    )
    required: list[Smarts] = Field(
        default=[],
        description="SMARTS patterns; synthesis stops at a molecule that has all of them, or where nothing "
        "else is possible. None by default; to be certain, use [[reward.filter]].",
        examples=[["c1ccncc1"]],
    )

    def contradictions(self) -> Iterator[Problem]:
        """The limits on the number of reactions must leave a range."""
        if self.min_reactions > self.max_reactions:
            yield "min_reactions", f"must be at most max_reactions = {self.max_reactions}"
