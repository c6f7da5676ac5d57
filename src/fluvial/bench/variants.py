"""The learning rules that are compared, and what each problem is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fluvial.algorithms.balance import LogZSource
from fluvial.algorithms.registry import ALGORITHMS, BACKWARD_RULES
from fluvial.bench.exactness import Recipe
from fluvial.chem.choices import choose_name
from fluvial.config.backward import unfit_backward
from fluvial.core.errors import ConfigError
from fluvial.losses.regression import huber
from fluvial.train.learner import LocalSearch


@dataclass(frozen=True)
class Variant:
    """A learning rule, a backward policy, and what else is different from the plain pair of them."""

    objective: str = "tb"
    backward: str = "uniform"
    difference: str = ""
    """In words."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the recipe."""

    @property
    def name(self) -> str:
        """Such as "tb, uniform, huber"."""
        return ", ".join(filter(None, (self.objective, self.backward, self.difference)))


REPLAY = {"n_replayed": 16, "replay_start": 32}
FORWARD_LOOKING = {"ingredients": {"is_forward_looking": True}}

ELSEWHERE = ("uniform", "pessimistic", "none")
"""Backward policies with rows of their own; without replay `pessimistic` is `tlm`."""

VARIANTS: tuple[Variant, ...] = (
    *(Variant(objective) for objective in ALGORITHMS),
    *(Variant("tb", backward) for backward in BACKWARD_RULES if backward not in ELSEWHERE),
    Variant("tb", "pessimistic", "replay", {"learning": REPLAY | {"stored_paths": True}}),
    Variant("tb", "learned", "two trunks", {"has_two_trunks": True}),
    Variant("tb", "gsql", "two trunks", {"has_two_trunks": True}),
    Variant("db", "learned"),
    Variant("db", "maxent_exact"),
    Variant("subtb", "learned"),
    Variant("subtb", "maxent_exact"),
    Variant("soft_q", "none"),
    Variant("tb", "uniform", "huber", {"ingredients": {"regression": huber}}),
    Variant("tb", "uniform", "smoothing -10", {"options": {"smoothing": -10.0}}),
    Variant("tb", "uniform", "implicit log Z", {"ingredients": {"log_z": LogZSource(is_implicit=True)}}),
    Variant("tb", "uniform", "replay", {"learning": REPLAY}),
    Variant("tb", "uniform", "local search", {"learning": {"search": LocalSearch(rounds=1, back=2)}}),
    Variant("tb", "uniform", "lag 0.9", {"learning": {"lag": 0.9}}),
    Variant("subtb", "uniform", "decay 1", {"options": {"decay": 1.0}}),
    Variant("db", "uniform", "forward-looking", FORWARD_LOOKING),
    Variant("subtb", "uniform", "forward-looking", FORWARD_LOOKING),
)
"""Rows of the table."""

GRID = {"steps": 1000, "batch": 16, "lr": 2e-3}
GRAPHS = {"steps": 1000, "batch": 32, "lr": 5e-3}
SETTINGS: dict[str, Mapping[str, Any]] = {
    "hypergrid": GRID,
    "graphs_constant": GRAPHS,
    "graphs_cliques": GRAPHS,
}
"""What a problem is trained with: measured, so that plain trajectory balance ends below 0.02."""

HARDER: dict[tuple[str, str], Mapping[str, Any]] = {
    ("hypergrid", "tb, gsql"): {"steps": 2000},
    **{
        (problem, rule): {"steps": 3000}
        for problem in ("graphs_constant", "graphs_cliques")
        for rule in (
            "db, uniform",
            "db, learned",
            "transition_db, uniform",
            "munchausen, uniform",
        )
    },
    ("graphs_constant", "subtb, uniform"): {"steps": 3000},
    **{(problem, "soft_q, uniform"): {"steps": 8000} for problem in ("graphs_constant", "graphs_cliques")},
    **{(problem, "envelope_q, uniform"): {"epsilon": 0.3} for problem in SETTINGS},
}
"""Other settings for a row of a problem, where the problem's own do not do: measured."""


def recipe_for(problem: str, variant: Variant) -> Recipe:
    """The settings with which the variant is trained on the problem."""
    changes = {**SETTINGS[problem], **variant.changes, **HARDER.get((problem, variant.name), {})}
    return replace(Recipe(variant.objective, variant.backward), **changes)


def chosen_variants(objectives: str, backward: str) -> list[Variant]:
    """The rows meant by lists of names, or "all".

    With backward policies by name it is every pair that goes together, else those of the table.

    Raises:
        ConfigError: a name that is not known, or no pair goes together.
    """
    rules = _names("objective", objectives, ALGORITHMS)
    if backward == "all":
        return [variant for variant in VARIANTS if variant.objective in rules]
    pairs = [(rule, name) for rule in rules for name in _names("backward policy", backward, BACKWARD_RULES)]
    fitting = [Variant(*pair) for pair in pairs if _goes_together(*pair)]
    if not fitting:
        raise ConfigError(f"none of objectives = '{objectives}' goes with backward = '{backward}'")
    return fitting


def _goes_together(objective: str, backward: str) -> bool:
    if objective == "envelope_q":
        return backward == "uniform"
    return unfit_backward(objective, backward) is None


def _names(what: str, given: str, known: Mapping[str, Any]) -> list[str]:
    if given == "all":
        return list(known)
    return list(dict.fromkeys(choose_name(what, name, known) for name in given.split(",")))
