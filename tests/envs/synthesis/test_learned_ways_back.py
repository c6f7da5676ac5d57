"""Each learned P_B over the ways that exist leaves the target where it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
import synthesis_toy as toy
import torch

from fluvial.chem.synthesis.library import make_library
from fluvial.config.file import parse_config
from fluvial.core.enumeration import StateGraph, enumerate_states, labelled_identity
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.prices import cheapness
from fluvial.envs.synthesis.state import Synthesis
from fluvial.metrics.exact import exact_log_probability, group_by_text, total_variation
from fluvial.policy.module import PolicyModule
from fluvial.queue.records import ScoredObject
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout
from fluvial.train.conditions import build_conditions
from fluvial.train.learner import Learner, Problem
from fluvial.train.rules import build_algorithm, build_learner, build_settings
from fluvial.train.step import train_step

CONFIG = """
env = {kind = "synthesis", parents = "searched"}
policy = {kind = "mlp", width = 64, layers = 2}
condition = {beta = 1.0}
replay = {fraction = 0.0}
device = "cpu"
optimizer = {lr = 0.01, log_z_lr = 0.1, schedule = "cosine"}
algo = {batch = 128, epsilon = 0.1}
"""


@pytest.fixture(scope="module")
def env() -> Syntheses:
    """The twelve blocks for 1 each, and for 100 an iodide that can take the place of their bromide."""
    library = toy.hartenfeller_button((*toy.BLOCKS, "CCI"))
    known = [library.block(number) for number in range(len(library))]
    blocks = [dataclasses.replace(one, price=100.0 if one.smiles == "CCI" else 1.0) for one in known]
    return Syntheses(make_library(blocks, library.templates), 2, parents="listed")


@pytest.fixture(scope="module")
def graph(env: Syntheses) -> StateGraph[Synthesis]:
    return enumerate_states(env, identity=labelled_identity)


def score(texts: Sequence[str]) -> list[ScoredObject]:
    return [ScoredObject(text, 1.0 + len(text) % 5) for text in texts]


def trained(env: Syntheses, backward: str, n_steps: int) -> Learner:
    config = parse_config(CONFIG, "here", [f"algo.backward={backward}", f"stop.steps={n_steps}"])
    torch.manual_seed(0)
    algorithm = build_algorithm(config, env, Path(), torch.device("cpu"))
    learner = build_learner(config, env, algorithm, torch.device("cpu"))
    problem, settings = Problem(env, score, build_conditions(config)), build_settings(config, algorithm)
    for _ in range(n_steps):
        train_step(problem, learner, settings)
    return learner


def distance(env: Syntheses, graph: StateGraph[Synthesis], policy: PolicyModule) -> float:
    """Total variation between what is drawn and the reward."""

    @torch.no_grad()
    def log_probs(states: Synthesis) -> torch.Tensor:
        return policy(states, Conditions().fixed(len(states), 1.0)).forward.log_probs  # type: ignore[no-any-return]

    p = exact_log_probability(graph, log_probs)[graph.is_terminal].exp()
    texts, probability = group_by_text(env.decode(graph.states[graph.is_terminal]), p)
    reward = torch.tensor([item.reward for item in score(texts)], dtype=torch.float64)
    return total_variation(probability, reward / reward.sum())


def mean_log_price(env: Syntheses, final: Synthesis, policy: PolicyModule | None) -> float:
    """Of ways drawn back from objects."""
    condition, generator = Conditions().fixed(len(final), 1.0), torch.Generator().manual_seed(0)
    ways = backward_rollout(env, policy, final, condition, generator)
    return -float(cheapness(env)(ways).mean())


@pytest.mark.long
@pytest.mark.parametrize(
    ("backward", "n_steps"),
    [
        ("learned", 180),
        ("maxent", 180),
        ("gsql", 220),
        ("tlm", 180),
        ('{kind="reinforce",reward="cheap",entropy_weight=1}', 180),
    ],
)
def test_training_ends_at_the_reward_whatever_p_b_learns(
    env: Syntheses, graph: StateGraph[Synthesis], backward: str, n_steps: int
) -> None:
    policy = trained(env, backward, n_steps).average.policy
    assert distance(env, graph, policy) < 0.05
    final = graph.states[graph.is_terminal].repeat(8)
    cheaper = mean_log_price(env, final, None) - mean_log_price(env, final, policy)
    assert "cheap" not in backward or cheaper > 0.2
