"""Every family of learning rules ends where its theory says, measured by exact dynamic programming."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluvial.bench.exactness import begin, distribution, exact_error, train
from fluvial.bench.known import PROBLEMS, coloured_graphs, mean_worth, with_preferences
from fluvial.bench.variants import Variant, recipe_for
from fluvial.metrics.exact import total_variation

pytestmark = pytest.mark.long

CLOSE = 0.03
"""Total variation that each rule must get below; untrained networks are at 0.3 to 0.8."""


def error_after_training(problem: str, variant: Variant) -> float:
    known, recipe = PROBLEMS[problem](), recipe_for(problem, variant)
    return exact_error(known, train(known, recipe, 0).policy, recipe)


@pytest.mark.parametrize(
    "variant",
    [
        Variant("db"),
        Variant("subtb"),
        Variant("vargrad"),
        Variant("fm"),
        Variant("soft_q"),
        Variant("munchausen"),
        Variant("transition_db"),
        Variant("mdb"),
        Variant("tb", "maxent"),
        Variant("tb", "tlm"),
        Variant("rtb"),
    ],
    ids=lambda variant: variant.name,
)
def test_grid_of_sixty_four_points(variant: Variant) -> None:
    assert error_after_training("hypergrid", variant) < CLOSE


@pytest.mark.parametrize(
    ("problem", "variant"),
    [
        ("graphs_constant", Variant("tb")),
        ("graphs_cliques", Variant("subtb")),
    ],
    ids=lambda part: getattr(part, "name", part),
)
def test_sixty_five_graphs(problem: str, variant: Variant) -> None:
    assert error_after_training(problem, variant) < CLOSE


def test_without_the_correction_unsymmetric_graphs_take_over() -> None:
    known, recipe = (
        coloured_graphs("constant", correct_symmetry=False),
        recipe_for("graphs_constant", Variant()),
    )
    policy = train(known, replace(recipe, steps=500), 0).policy
    final = known.graph.states[known.graph.is_terminal]
    # Of the n! numberings of a graph only n! / |Aut| are different, and each earns the same.
    wrong = (-coloured_graphs("constant").problem.env.log_symmetry(final)).softmax(dim=0)
    assert exact_error(known, policy, recipe) > 0.15
    assert total_variation(distribution(known, policy), wrong) < 0.08


@pytest.mark.parametrize(("objective", "least"), [("a2c", 4.0), ("reinforce", 4.0), ("envelope_q", 1.4)])
def test_rules_for_high_rewards_earn_them(objective: str, least: float) -> None:
    """The best possible is 4.49 times the reward of the untrained network, under preferences 1.55 times."""
    known, recipe = PROBLEMS["hypergrid"](), recipe_for("hypergrid", Variant(objective))
    known = with_preferences(known) if objective == "envelope_q" else known
    untrained, _ = begin(known, recipe, 0)
    before = mean_worth(known, untrained.average.policy)
    assert mean_worth(known, train(known, recipe, 0).policy) > least * before
