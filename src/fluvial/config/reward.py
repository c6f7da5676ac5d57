"""What is worth making: the section [reward] with its terms and filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from fluvial.config.chemistry import OWN_KINDS, AlertSet, PropertyName, Smarts, Smiles, TermKind
from fluvial.config.section import (
    KIND,
    NamedSection,
    Problem,
    Section,
    Text,
    by_name,
    filled,
    matching,
    order,
)
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
    | Annotated[OracleTermConfig, Tag("oracle")],
    Discriminator(_term_tag),
]


class AlertsFilterConfig(Section):
    """Refuses molecules that contain a known structural alert."""

    kind: Literal["alerts"] = Field(description=KIND)
    sets: Annotated[tuple[AlertSet, ...], Field(strict=False)] = Field(
        default=("PAINS", "BRENK"),
        min_length=1,
        description="Names of RDKit's alert catalogues, as PAINS, BRENK, NIH, ZINC, CHEMBL. "
        "The default is the two that are best known.",
    )


class RangeFilterConfig(Section):
    """Refuses molecules with a property outside a range."""

    kind: Literal["range"] = Field(description=KIND)
    property: PropertyName = Field(description="Name of the property.", examples=["mw"])
    low: float | None = Field(
        default=None, description="Smallest allowed value, in the property's unit.", examples=[200.0]
    )
    high: float | None = Field(
        default=None, description="Largest allowed value, in the property's unit.", examples=[500.0]
    )

    def contradictions(self) -> Iterator[Problem]:
        """A range needs an end, and its ends must be in order."""
        if self.low is None and self.high is None:
            yield "low", "must be given, or high, or both"
        yield from order(self.low, self.high, equal=True)


class SmartsFilterConfig(Section):
    """Refuses molecules that contain a pattern."""

    kind: Literal["smarts"] = Field(description=KIND)
    smarts: Smarts = Field(description="SMARTS of the unwanted pattern.", examples=["[N+](=O)[O-]"])
    name: Text | None = Field(
        default=None,
        description="Reason shown for refused molecules. The SMARTS where it is left out.",
        examples=["nitro"],
    )


class RuleFilterConfig(Section):
    """Refuses molecules that break a rule of thumb, such as the rule of five."""

    kind: Literal["rule"] = Field(description=KIND)
    rule: Literal["lipinski", "veber", "egan", "ghose", "muegge", "lead_like", "rule_of_three"] = Field(
        default="lipinski", description="Name of the rule. The default is the rule of five."
    )
    violations: int | None = Field(
        default=None,
        ge=0,
        le=20,
        description="Limits of the rule that may be broken. Where left out: 1 for lipinski, else 0.",
        examples=[0],
    )


class LillyFilterConfig(Section):
    """Refuses molecules with more than 100 demerits of Lilly's medicinal chemistry rules."""

    kind: Literal["lilly"] = Field(description=KIND)
    program: Text = Field(
        default="Lilly_Medchem_Rules.rb",
        description="Name or path of the external program, which must be installed. Its authors' name.",
    )


FilterConfig = Annotated[
    AlertsFilterConfig | RangeFilterConfig | SmartsFilterConfig | RuleFilterConfig | LillyFilterConfig,
    Field(discriminator="kind"),
]


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


def _default_terms() -> tuple[PropertyTermConfig, ...]:
    return PropertyTermConfig(name="qed", kind="qed"), PropertyTermConfig(name="sa", kind="sa")


class RewardConfig(Section):
    """The reward: terms, each transformed to a score, combined to one number above 0."""

    combine: Literal["product", "geometric_mean", "arithmetic_mean", "weighted_sum", "chebyshev"] = Field(
        default="product",
        description="How the scores become one reward. A product is high only if every term is.",
    )
    floor: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description="Smallest reward, also that of refused molecules. As in recursion's sEH task; never 0, "
        "for the log of a reward is learned.",
    )
    workers: int = Field(
        default=0, ge=0, le=1024, description="Processes that compute rewards; 0 = in the training process."
    )
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Longest time for one batch, in seconds; needs workers. No limit where left out.",
        examples=[60.0],
    )
    term: Annotated[tuple[TermConfig, ...], Field(strict=False)] = Field(
        default_factory=_default_terms,
        min_length=1,
        description="The parts of the reward, one [[reward.term]] each. The default is drug-likeness and "
        "ease of synthesis.",
    )
    filter: Annotated[tuple[FilterConfig, ...], Field(strict=False)] = Field(
        default=(),
        description="Conditions, one [[reward.filter]] each. A molecule that fails one gets the floor "
        "and costs nothing.",
    )

    diversity: DiversityConfig = Field(
        default=None,
        description="Lowers the reward of molecules like many before. It changes the target: what is drawn "
        "is no longer in proportion to R^beta. None where left out.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Names of terms are columns of results, and a time limit needs a process that can be ended."""
        counts = Counter(term.name for term in self.term)
        for index, term in enumerate(self.term):
            if counts[term.name] > 1 and term.name in [earlier.name for earlier in self.term[:index]]:
                yield f"term.{index}.name", "must differ from the names of the terms before it"
        if self.timeout_seconds is not None and self.workers == 0:
            yield (
                "timeout_seconds",
                "must be left out unless reward.workers is at least 1; only processes can be ended",
            )
