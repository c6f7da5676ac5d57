"""Exact distributions and targets of known problems, against numbers by hand and another enumeration."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from fluvial.bench.exactness import (
    KnownProblem,
    Recipe,
    begin,
    distribution,
    exact_error,
    target_weight,
    train,
)
from fluvial.bench.known import best_worth, coloured_graphs, grid, mean_worth, with_preferences
from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.envs.hypergrid import Hypergrid
from fluvial.policy.uniform import UniformPolicy


def by_text(known: KnownProblem, values: torch.Tensor) -> dict[str, float]:
    return dict(zip(known.objects, values.tolist(), strict=True))


def test_uniform_policy_on_a_small_grid_by_hand() -> None:
    known = grid(Hypergrid(2, 2))
    p = by_text(known, distribution(known, UniformPolicy(known.problem.env)))
    # At the origin 1/3 each; from "1,0" the stop or the last step, 1/2 each; "1,1" can only stop.
    assert p == pytest.approx({"0,0": 1 / 3, "1,0": 1 / 6, "0,1": 1 / 6, "1,1": 1 / 3})


def test_targets_by_hand() -> None:
    known = grid(Hypergrid(2, 2), r0=1.0)  # every point is on the plateau of 0.5, none on a peak
    assert by_text(known, target_weight(known, Recipe())) == pytest.approx(dict.fromkeys(known.objects, 1.5))
    prior = by_text(known, target_weight(known, Recipe("rtb")))
    assert prior == pytest.approx({"0,0": 0.5, "1,0": 0.25, "0,1": 0.25, "1,1": 0.5})
    ways = by_text(known, target_weight(known, Recipe("soft_q", "none")))
    assert ways == pytest.approx({"0,0": 1.5, "1,0": 1.5, "0,1": 1.5, "1,1": 3.0})


def test_sixty_five_graphs_of_two_colours() -> None:
    known = coloured_graphs("constant")
    assert len(known.objects) == len(known.texts) == 65
    assert float(target_weight(known, Recipe()).sum()) == 65.0


def test_ways_to_a_graph_are_those_of_all_its_numberings_merged() -> None:
    known = coloured_graphs("constant", max_nodes=2)
    # One node: its colour. Two alike: 1 · 1 ways in one numbering, times |Aut| = 2; unlike: 2 ways to merge.
    expected = {"0": 1.0, "1": 1.0, "0 0 | 0-1": 2.0, "0 1 | 0-1": 2.0, "1 1 | 0-1": 2.0}
    assert by_text(known, target_weight(known, Recipe("soft_q", "none"))) == pytest.approx(expected)


def test_merged_states_tell_the_same_as_all_numberings_do() -> None:
    merged = coloured_graphs("cliques", max_nodes=3)
    env = merged.problem.env
    graph = enumerate_states(env, identity=labelled_identity)
    labelled = replace(merged, graph=graph, texts=env.decode(graph.states[graph.is_terminal]))
    learner, _ = begin(merged, Recipe(), 0)
    policy = learner.model.policy
    p = by_text(merged, distribution(merged, policy))
    texts = list(dict.fromkeys(labelled.texts))
    assert len(labelled.texts) > len(texts) == len(p)
    all_numberings = dict(zip(texts, distribution(labelled, policy).tolist(), strict=True))
    assert p == pytest.approx(all_numberings, abs=1e-6)
    assert sum(p.values()) == pytest.approx(1.0, abs=1e-6)


def test_training_comes_close_and_knows_log_z() -> None:
    known = grid(Hypergrid(2, 3), r0=0.5)  # the corners are worth 1, the other five points 1/2
    recipe = Recipe(steps=150)
    trained = train(known, recipe, 0)
    untrained, _ = begin(known, recipe, 0)
    assert exact_error(known, untrained.average.policy, recipe) > 0.2
    assert exact_error(known, trained.policy, recipe) < 0.05
    assert trained.log_z == pytest.approx(math.log(4 * 1.0 + 5 * 0.5), abs=0.05)


def test_a_recipe_gives_the_same_again() -> None:
    known, recipe = grid(Hypergrid(2, 3)), Recipe(steps=5)
    first, again, other = (train(known, recipe, seed).log_z for seed in (3, 3, 4))
    assert first == again != other


def test_what_a_policy_earns() -> None:
    known = grid(Hypergrid(2, 2), r0=1.0)
    policy = UniformPolicy(known.problem.env)
    assert mean_worth(known, policy) == pytest.approx(1.5)
    two = with_preferences(known)
    # First term: R / max R = 1 everywhere. Second: levels of the stops are 1, 2, 2, 3, so 1, 1/2, 1/2, 0.
    shortness = 1 / 3 + 0.5 * (1 / 6 + 1 / 6)
    assert mean_worth(two, policy) == pytest.approx(0.5 + 0.5 * shortness)
    assert best_worth(two) == pytest.approx(1.0)
