"""Objects that are known before training: the section [data]."""

from __future__ import annotations

from pydantic import Field

from fluvial.config.section import Section, Text
from fluvial.config.transform import TransformConfig


class DataConfig(Section):
    """Given objects that are learned from beside those that the policy makes."""

    file: Text = Field(
        description="Table of objects: SMILES, CSV, TSV, SDF or Parquet, gzipped or not. "
        "A relative path starts at this file's folder. 'qm9' is the public data set, 134 k small molecules.",
        examples=["actives.csv"],
    )
    column: Text = Field(
        default="smiles", description="Column of the objects. SMILES and SDF files need none; the usual name."
    )
    reward: Text | None = Field(
        default=None,
        description="Column of the reward. Where left out, the reward of this run is asked for each object.",
        examples=["activity"],
    )
    transform: TransformConfig | None = Field(
        default=None,
        description="From the number in the table to the reward, so that both are on one scale. "
        "Where left out the number is the reward.",
    )
    floor: float = Field(
        default=1e-4, gt=0, description="Lower rewards of the table are raised to it. As in [reward]."
    )
    per_step: int = Field(
        default=64,
        ge=1,
        le=65536,
        description="Trajectories of given objects in a step, beside algo.batch of the policy. "
        "As many as those by default; arbitrary.",
    )
