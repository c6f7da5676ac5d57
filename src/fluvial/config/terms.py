"""What is measured of an object: the parts of the reward, [[reward.term]]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from fluvial.config.chemistry import OWN_KINDS, Smarts, Smiles, TermKind
from fluvial.config.section import KIND, Problem, Section, Text, filled, matching
from fluvial.config.transform import TransformConfig

FunctionPath = Annotated[
    str, AfterValidator(matching(r"[^\0]+\.py:[A-Za-z_]\w*", "must look like 'file.py:function'"))
]


class _TermConfig(Section):
    """One part of the reward."""

    name: Text = Field(
        description="Column of this term in all results. Where left out: its kind.",
        json_schema_extra=filled("its kind"),
    )
    weight: float = Field(
        default=1.0, gt=0, le=1000, description="Exponent in a product, share in a mean. 1 = all terms alike."
    )
    transform: TransformConfig | None = Field(
        default=None,
        description="How the raw value becomes a score of at least 0. "
        "Where left out: the usual one of the property, such as (10 - sa) / 9, or the raw value.",
        examples=[{"kind": "sigmoid", "low": 2.0, "high": 5.0}],
    )
    queued: bool = Field(
        default=False,
        description="Whether workers answer it through the queue, for what takes long; see [queue]. Else the "
        "training process waits for it.",
    )
    max_calls: int | None = Field(
        default=None,
        ge=1,
        description="Objects that may be asked about, those that the queue holds already included; see "
        "queue.when_spent. No limit where left out.",
        examples=[5000],
    )

    @model_validator(mode="before")
    @classmethod
    def _name_after_kind(cls, data: Any) -> Any:
        if isinstance(data, dict) and "name" not in data and isinstance(data.get("kind"), str):
            return {**data, "name": data["kind"]}
        return data


class PropertyTermConfig(_TermConfig):
    """A property that is computed here, such as qed or sa."""

    kind: TermKind = Field(description="Name of the property.", examples=["qed"])


class FunctionTermConfig(_TermConfig):
    """A function in a file of yours: a list of molecules in, a list of numbers out."""

    kind: Literal["function"] = Field(description=KIND)
    function: FunctionPath = Field(
        description="The function, as file.py:name. A relative path starts at this file's folder.",
        examples=["reward.py:score"],
    )
    output: Text | None = Field(
        default=None,
        description="Which of the function's outputs, where it returns several by name.",
        examples=["pIC50"],
    )
    version: Text | None = Field(
        default=None,
        description="Of what is measured, where it is queued; another version gets new answers. "
        "Where left out: the content of the file.",
        examples=["2"],
    )

    def contradictions(self) -> Iterator[Problem]:
        """Only queued answers outlive the run."""
        if self.version is not None and not self.queued:
            yield "version", "must be left out unless queued = true"


WAYS = ("exec", "once", "http", "target", "simulate")
"""Keys of an oracle that say how workers evaluate it."""


class OracleTermConfig(_TermConfig):
    """A program, a service or people that answer through the queue."""

    kind: Literal["oracle"] = Field(description=KIND)
    queued: Literal[True] = Field(default=True, description="It is always queued.")
    oracle: Text | None = Field(
        default=None, description="Name of what is asked. Left out beside target.", examples=["docking"]
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="What changes its answers; other options get new answers.",
        examples=[{"target": "7ABC"}],
    )
    version: Text | None = Field(
        default=None,
        description="Of the tool; another version gets new answers.",
        examples=["1.2.3"],
    )
    output: Text | None = Field(
        default=None,
        description="Which of its numbers, where it gives several by name.",
        examples=["affinity"],
    )
    exec: Text | None = Field(
        default=None,
        description="Program that a worker keeps running and that answers lines of JSON.",
        examples=["/opt/dock/bin/python dock.py"],
    )
    once: Text | None = Field(
        default=None,
        description="Program that a worker starts for each batch: SMILES in, JSON out, as REINVENT's.",
        examples=["reinvent-scorer --receptor 7abc.pdbqt"],
    )
    http: Text | None = Field(
        default=None,
        description="Service that a worker asks. A token goes into the variable FLUVIAL_HTTP_TOKEN.",
        examples=["http://127.0.0.1:8000/score"],
    )
    target: Text | None = Field(
        default=None,
        description="Target file of a tool, such as Boltz or Vina, which says all of what is asked.",
        examples=["tyk2.toml"],
    )
    simulate: str | None = Field(
        default=None,
        max_length=200,
        description="Made-up values for a rehearsal, as latency=1,failures=0.1.",
        examples=["latency=0.5"],
    )

    def contradictions(self) -> Iterator[Problem]:
        """One way to evaluate, or none where people answer."""
        given = [name for name in WAYS if getattr(self, name) is not None]
        if len(given) > 1:
            yield given[1], f"must be left out beside {given[0]}"
        if (self.oracle is None) == (self.target is None):
            yield "oracle", "must be given, or target in place of it"
        if self.target is not None and (self.options or self.version is not None):
            yield "target", "must be left out beside options and version, which it says itself"


class SimilarityTermConfig(_TermConfig):
    """The largest Tanimoto similarity to given molecules."""

    kind: Literal["similarity"] = Field(description=KIND)
    to: Annotated[tuple[Smiles, ...], Field(strict=False)] = Field(
        min_length=1,
        description="SMILES of the molecules to be similar to.",
        examples=[["CC(=O)Nc1ccc(O)cc1"]],
    )


class SubstructureTermConfig(_TermConfig):
    """The number of places where a pattern matches; without a transform 1 if there is any, else 0."""

    kind: Literal["substructure"] = Field(description=KIND)
    smarts: Smarts = Field(description="SMARTS of the pattern.", examples=["c1ccccc1"])


class SehTermConfig(_TermConfig):
    """Predicted binding to soluble epoxide hydrolase (published proxy); without a transform value / 8."""

    kind: Literal["seh"] = Field(description=KIND)


class GapTermConfig(_TermConfig):
    """HOMO-LUMO gap in eV; without a transform larger is better."""

    kind: Literal["gap"] = Field(description=KIND)
    method: Literal["extended_hueckel", "xtb"] = Field(
        default="extended_hueckel",
        description="How it is calculated: extended Hückel theory by RDKit, or GFN2-xTB, which needs tblite.",
    )


class ScScoreTermConfig(_TermConfig):
    """Synthetic complexity (SCScore), 1 easy to 5 hard; without a transform (5 - value) / 4."""

    kind: Literal["scscore"] = Field(description=KIND)


class RouteTermConfig(_TermConfig):
    """How easily a molecule is made out of a library; without a transform 1 - reactions / 4."""

    kind: Literal["route"] = Field(description=KIND)
    library: Text = Field(
        default="default",
        description="Building blocks and reactions: default, or a library file made by "
        "`fluvial data prepare`. A relative path starts at this file's folder.",
    )
    measure: Literal["reactions", "price"] = Field(
        default="reactions",
        description="reactions: the fewest that make it, one more than the limit if none do. price: the sum "
        "of the prices of the cheapest route's blocks, which needs a transform of its own.",
    )
    most_reactions: int = Field(default=3, ge=0, le=16, description="Longest routes that are searched.")
    seconds: float = Field(default=10.0, gt=0, description="Longest search for one molecule.")

    def contradictions(self) -> Iterator[Problem]:
        """Prices have no scale of their own."""
        if self.measure == "price" and self.transform is None:
            yield "transform", "must be given with measure = 'price', such as reverse_linear from 0 to 100"


class LearnedTermConfig(_TermConfig):
    """What a network of `fluvial proxy train` predicts, in the unit of its target."""

    kind: Literal["learned"] = Field(description=KIND)
    file: Text = Field(
        description="The network. A relative path starts at this file's folder.",
        examples=["gap.safetensors"],
    )
    pessimism: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Standard errors that are subtracted from each prediction of a forest, so that what is "
        "not known does not look good. 0 = none.",
    )


class OnnxTermConfig(_TermConfig):
    """What a model in the ONNX format, such as one of scikit-learn, says of a Morgan fingerprint."""

    kind: Literal["onnx"] = Field(description=KIND)
    file: Text = Field(
        description="The model. A relative path starts at this file's folder.", examples=["activity.onnx"]
    )
    fingerprint: Literal["counts", "bits"] = Field(
        default="counts",
        description="What it was trained on: how often each neighbourhood is there, or 1 where it is.",
    )
    radius: int = Field(default=2, ge=0, le=8, description="Of the neighbourhoods; 2 is that of ECFP4.")
    output: Text | None = Field(
        default=None,
        description="Which of the model's outputs. Where left out: the last one of numbers, which is the "
        "probabilities of a classifier of scikit-learn.",
        examples=["probabilities"],
    )
    column: int | None = Field(
        default=None,
        ge=0,
        le=100_000,
        description="Which number of the output, from 0. Where left out: the last one, the class 1 of two.",
    )


def _term_tag(term: Any) -> str | None:
    kind = term.get("kind") if isinstance(term, dict) else getattr(term, "kind", None)
    if not isinstance(kind, str):
        return None
    return kind if kind in OWN_KINDS else "property"


TermConfig = Annotated[
    Annotated[PropertyTermConfig, Tag("property")]
    | Annotated[FunctionTermConfig, Tag("function")]
    | Annotated[SimilarityTermConfig, Tag("similarity")]
    | Annotated[SubstructureTermConfig, Tag("substructure")]
    | Annotated[SehTermConfig, Tag("seh")]
    | Annotated[GapTermConfig, Tag("gap")]
    | Annotated[ScScoreTermConfig, Tag("scscore")]
    | Annotated[RouteTermConfig, Tag("route")]
    | Annotated[LearnedTermConfig, Tag("learned")]
    | Annotated[OnnxTermConfig, Tag("onnx")]
    | Annotated[OracleTermConfig, Tag("oracle")],
    Discriminator(_term_tag),
]
