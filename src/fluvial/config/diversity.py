"""What keeps a run from making the same again: reward.diversity."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import KIND, NamedSection, by_name


class _DiversityConfig(NamedSection):
    """What keeps a run from making more and more of the same. It changes the target: no longer R^beta."""

    least_reward: float = Field(
        default=0.4, ge=0, description="Molecules with a smaller reward are left alone. REINVENT's."
    )


class _BucketConfig(_DiversityConfig):
    """Buckets of molecules; what finds its bucket full gets the floor."""

    bucket_size: int = Field(
        default=25, ge=1, le=1_000_000, description="Different molecules in a bucket. REINVENT's."
    )


class _SimilarConfig(_BucketConfig):
    """Buckets of what is similar."""

    similarity: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="Tanimoto similarity from which on two share a bucket; Morgan fingerprints of radius 3. "
        "REINVENT's.",
    )


class MurckoConfig(_BucketConfig):
    """A bucket for each Bemis-Murcko scaffold."""

    kind: Literal["IdenticalMurckoScaffold"] = Field(description=KIND)


class TopologicalConfig(_BucketConfig):
    """A bucket for each scaffold with all atoms carbon and all bonds single."""

    kind: Literal["IdenticalTopologicalScaffold"] = Field(description=KIND)


class ScaffoldSimilarityConfig(_SimilarConfig):
    """A bucket for scaffolds that are similar to the first of it."""

    kind: Literal["ScaffoldSimilarity"] = Field(description=KIND)


class TanimotoConfig(_SimilarConfig):
    """A bucket for molecules that are similar to the first of it."""

    kind: Literal["Tanimoto"] = Field(description=KIND)


class SameSmilesConfig(_DiversityConfig):
    """Each time that a molecule comes again costs a factor."""

    kind: Literal["PenalizeSameSmiles"] = Field(description=KIND)
    factor: float = Field(
        default=0.5, ge=0, le=1, description="What each repetition leaves of the reward. REINVENT's."
    )


_Diversity = Annotated[
    MurckoConfig | TopologicalConfig | ScaffoldSimilarityConfig | TanimotoConfig | SameSmilesConfig,
    Field(discriminator="kind"),
]
DiversityConfig = Annotated[_Diversity | None, by_name(_Diversity, "IdenticalMurckoScaffold")]
