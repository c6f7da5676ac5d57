"""Rows of the table of learning rules: which are meant, and that each can be trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluvial.algorithms.registry import ALGORITHMS, BACKWARD_RULES
from fluvial.bench.exactness import begin
from fluvial.bench.known import PROBLEMS, coloured_graphs, grid, with_preferences
from fluvial.bench.variants import HARDER, SETTINGS, VARIANTS, Variant, chosen_variants, recipe_for
from fluvial.config.backward import unfit_backward
from fluvial.core.errors import ConfigError
from fluvial.envs.hypergrid import Hypergrid


def test_every_rule_and_every_backward_policy_has_a_row() -> None:
    assert {variant.objective for variant in VARIANTS} == set(ALGORITHMS)
    assert {variant.backward for variant in VARIANTS} == set(BACKWARD_RULES)
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    assert all(unfit_backward(variant.objective, variant.backward) is None for variant in VARIANTS)


def test_settings_are_of_rows_and_problems_that_exist() -> None:
    names = {variant.name for variant in VARIANTS}
    assert set(SETTINGS) == set(PROBLEMS)
    assert all(problem in PROBLEMS and name in names for problem, name in HARDER)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
@pytest.mark.parametrize("problem", ["hypergrid", "graphs_constant"])
def test_every_row_can_be_trained(problem: str, variant: Variant) -> None:
    known = grid(Hypergrid(2, 3)) if problem == "hypergrid" else coloured_graphs("counts", max_nodes=2)
    recipe = replace(recipe_for(problem, variant), batch=4)
    if "n_replayed" in recipe.learning:
        recipe = replace(recipe, learning={**recipe.learning, "replay_start": 1})
    learner, step = begin(with_preferences(known) if variant.objective == "envelope_q" else known, recipe, 0)
    before = [parameter.clone() for parameter in learner.model.policy.parameters()]
    metrics = [step().metrics for _ in range(2)]
    assert all(numbers["gradient_norm"] > 0.0 for numbers in metrics)
    after = learner.model.policy.parameters()
    assert any(not old.equal(new) for old, new in zip(before, after, strict=True))


def test_rows_by_name() -> None:
    assert chosen_variants("all", "all") == list(VARIANTS)
    assert [variant.name for variant in chosen_variants("fm,a2c", "all")] == ["fm, uniform", "a2c, uniform"]
    pairs = chosen_variants("soft-q,tb,envelope_q", "uniform,none,learned")
    assert [variant.name for variant in pairs] == [
        "soft_q, uniform",
        "soft_q, none",
        "tb, uniform",
        "tb, learned",
        "envelope_q, uniform",
    ]


@pytest.mark.parametrize(
    ("objectives", "backward", "sentence"),
    [
        ("tbb", "all", "unknown objective 'tbb' - did you mean 'tb'?"),
        ("tb", "unifrom", "unknown backward policy 'unifrom' - did you mean 'uniform'?"),
        ("fm", "learned", "none of objectives = 'fm' goes with backward = 'learned'"),
    ],
)
def test_wrong_names(objectives: str, backward: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("?", r"\?")):
        chosen_variants(objectives, backward)
