"""Small problems by name: all objects known, and networks that learn them within a minute."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from fluvial.bench.exactness import KnownProblem, distribution, known_problem
from fluvial.core.policy import Policy
from fluvial.core.types import Condition
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.module import PolicyModule
from fluvial.policy.vector import VectorPolicy
from fluvial.queue.records import ScoredObject
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.preferences import Preferences
from fluvial.train.build import graph_reward, grid_reward

GRID_WIDTH, GRID_LAYERS = 256, 2
GRAPH_WIDTH, GRAPH_LAYERS, GRAPH_HEADS = 32, 2, 4
"""Measured: enough for a total variation below 0.02."""

TRIED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights of the first of two terms at which preferences are looked at; arbitrary."""


def grid(env: Hypergrid, r0: float = 0.1) -> KnownProblem:
    """A grid with peaks near its corners (Bengio et al. 2021)."""

    def make(condition_width: int, learn_backward: bool, count_paths: bool) -> PolicyModule:
        return VectorPolicy(env, condition_width, GRID_WIDTH, GRID_LAYERS, learn_backward, count_paths)

    return known_problem(env, grid_reward(env.side, r0, 0.5, 2.0), make)


def coloured_graphs(reward: str, max_nodes: int = 4, correct_symmetry: bool = True) -> KnownProblem:
    """Connected graphs of two colours; 65 of at most 4 nodes.

    Args:
        reward: a name in `fluvial.envs.graphs.rewards.GRAPH_REWARDS`.
        max_nodes: most nodes.
        correct_symmetry: off only to show what it does.
    """
    env = Graphs(node_types=2, max_nodes=max_nodes, correct_symmetry=correct_symmetry)

    def make(condition_width: int, learn_backward: bool, count_paths: bool) -> PolicyModule:
        net = GraphTransformer(env.sizes, condition_width, GRAPH_WIDTH, GRAPH_LAYERS, GRAPH_HEADS)
        return GraphPolicy(env, net, learn_backward, count_paths)

    return known_problem(env, graph_reward(env, reward), make)


PROBLEMS: dict[str, Callable[[], KnownProblem]] = {
    "hypergrid": lambda: grid(Hypergrid(2, 8)),
    "graphs_constant": partial(coloured_graphs, "constant"),
    "graphs_cliques": partial(coloured_graphs, "cliques"),
}
"""Problems by name."""


def with_preferences(known: KnownProblem) -> KnownProblem:
    """The problem with two terms at odds: the reward over its maximum, and how few steps an object takes.

    The second is 1 for the objects of the shortest way and 0 for those of the longest, in equal steps.
    """
    level = known.graph.level[known.graph.is_terminal].double()
    shortness = (level.max() - level) / (level.max() - level.min())
    by_text = dict(zip(known.texts, shortness.tolist(), strict=True))
    highest = float(known.reward.max())

    def terms(objects: Sequence[ScoredObject]) -> Tensor:
        rows = [[(item.reward or 0.0) / highest, by_text[item.text]] for item in objects]
        return torch.tensor(rows, dtype=torch.float64)

    problem = dataclasses.replace(known.problem, conditions=Conditions(weights=Preferences(2)), terms=terms)
    return dataclasses.replace(known, problem=problem, n_terms=2)


def mean_worth(known: KnownProblem, policy: Policy) -> float:
    """Mean reward of what the policy draws, exactly; with two terms the mean over several preferences."""
    if not known.n_terms:
        return float(distribution(known, policy) @ known.reward)
    return statistics.mean(
        float(distribution(known, policy, condition) @ worth) for condition, worth in _preferred(known)
    )


def best_worth(known: KnownProblem) -> float:
    """The largest that `mean_worth` can be."""
    if not known.n_terms:
        return float(known.reward.max())
    return statistics.mean(float(worth.max()) for _, worth in _preferred(known))


def _preferred(known: KnownProblem) -> Iterator[tuple[Condition, Tensor]]:
    """A condition of one row for each preference tried, and what each object is worth under it, [X]."""
    conditions, terms = known.problem.conditions, known.problem.terms
    if not isinstance(conditions, Conditions) or terms is None:
        raise TypeError("only a problem with preferences has terms to weigh")
    values = terms(list(known.objects.values()))
    for first in TRIED:
        weights = torch.tensor([first, 1.0 - first], dtype=torch.float64)
        yield conditions.at(weights[None]), values @ weights
