"""What P_B learns from, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.algorithms.registry import (
    ALGORITHMS,
    BACKWARD_RULES,
    COUNTED_BACKWARD,
    LEARNED_BACKWARD,
    Ingredients,
)
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.types import Origin, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid
from fluvial.losses.backward import N_LOSSES
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.policy.trunks import SeparateTrunks
from fluvial.policy.uniform import UniformPolicy
from fluvial.policy.vector import VectorPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate

Options = dict[str, str]
SEPARATE: list[tuple[str, Options]] = [
    *(("maxent", {"n_loss": name}) for name in N_LOSSES),
    *(("gsql", {"n_loss": name}) for name in N_LOSSES),
    ("tlm", {}),
    ("pessimistic", {}),
    ("reinforce", {}),
]
"""Backward policies with a loss of their own, and options."""
RULES = ["-".join([rule, *options.values()]) for rule, options in SEPARATE]
PARTS = ("forward", "backward", "flow", "log_n")


def experience(env: Any, n: int) -> Experience:
    """Uniform trajectories with made-up rewards, also for the objects on the way."""
    generator = torch.Generator().manual_seed(0)
    drawn = rollout(env, UniformPolicy(env), Conditions().fixed(n, 1.0), generator)
    drawn = drawn.replace(log_reward=torch.randn(n, generator=generator))
    states = drawn.states.flatten()
    partial = torch.where(env.mask(states)[:, 0], 0.3, torch.nan).reshape(-1, n)
    return Experience(drawn, torch.zeros(n, dtype=torch.int64), partial)


def lateness(drawn: Trajectories[Any]) -> Tensor:
    """A reward of ways that differs between them: what is undone when."""
    return (drawn.back_actions * torch.arange(len(drawn.back_actions))[:, None]).sum(dim=0).float()


def learned(
    policy: PolicyModule, env: Any, name: str, rule: str, options: Options, given: Experience
) -> Learned:
    ingredients = Ingredients(env, path_reward=lateness)
    algorithm = ALGORITHMS[name](ingredients, BACKWARD_RULES[rule](ingredients, **options))
    model = Model(policy, LogZ(0))
    return algorithm(Models(model, model), given, torch.Generator().manual_seed(1))


def vector_policy(env: Hypergrid, rule: str) -> VectorPolicy:
    return VectorPolicy(env, 0, 16, 1, rule in LEARNED_BACKWARD, rule in COUNTED_BACKWARD)


def graph_policy(env: Any, rule: str) -> GraphPolicy:
    net = GraphTransformer(env.sizes, 0, 16, 2, 2)
    return GraphPolicy(env, net, rule in LEARNED_BACKWARD, rule in COUNTED_BACKWARD)


def descend(loss: Tensor) -> None:
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]


def gradients(policy: PolicyModule) -> dict[str, float]:
    """Sum of absolute gradients at the outputs for P_F, P_B, log F and log n."""
    if isinstance(policy, VectorPolicy):
        rows = policy.get_parameter("net.2.weight").grad
        assert rows is not None
        n_actions, n_back_actions = policy.env.n_actions, policy.env.n_back_actions
        ends = (n_actions, n_actions + n_back_actions, n_actions + n_back_actions + 1)
        parts = rows.tensor_split(ends)
        return {name: float(part.abs().sum()) for name, part in zip(PARTS, parts, strict=True)}
    found = dict.fromkeys(PARTS, 0.0)
    for name, parameter in policy.named_parameters():
        if parameter.grad is None:
            continue
        head, is_head, _ = name.partition("_heads.")
        outputs = [head] if is_head else PARTS[2:] if name == "flow_head.2.weight" else []
        slopes = [parameter.grad] if is_head else parameter.grad
        for part, slope in zip(outputs, slopes, strict=False):
            found[part] += float(slope.abs().sum())
    return found


Place = tuple[Any, Callable[[Any, str], PolicyModule]]


@pytest.fixture(params=["vector", "graph"])
def place(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> Place:
    """An environment and how a small network for it is built."""
    torch.manual_seed(0)
    if request.param == "vector":
        return Hypergrid(2, 4), vector_policy
    return Fragments(three_fragments, 3), graph_policy


@pytest.mark.parametrize("name", ["tb", "vargrad", "db", "subtb", "transition_db", "mdb"])
def test_a_free_backward_policy_learns_from_the_objective(place: Place, name: str) -> None:
    env, build = place
    policy = build(env, "learned")
    descend(learned(policy, env, name, "learned", {}, experience(env, 64)).loss.mean())
    found = gradients(policy)
    assert found["backward"] > 1e-4
    assert found["forward"] > 1e-4


OTHERS = ("tb", "vargrad", "db", "mdb", "soft_q", "munchausen")
NOTHING: Options = {}
TAUGHT = {
    **{f"subtb-{name}": ("subtb", *pair) for name, pair in zip(RULES, SEPARATE, strict=True)},
    **{f"{name}-maxent": (name, "maxent", NOTHING) for name in OTHERS},
    **{f"{name}-tlm": (name, "tlm", NOTHING) for name in OTHERS},
}


@pytest.mark.parametrize(("name", "rule", "options"), TAUGHT.values(), ids=TAUGHT)
def test_a_taught_backward_policy_learns_from_its_own_loss_only(
    place: Place, name: str, rule: str, options: Options
) -> None:
    env, build = place
    policy = build(env, rule)
    said = learned(policy, env, name, rule, options, experience(env, 64))
    assert "backward loss" in said.parts
    own = said.parts["backward loss"]
    descend((said.loss - own).mean())
    of_objective = gradients(policy)
    policy.zero_grad()
    descend(own.mean())
    of_own = gradients(policy)
    assert of_objective["forward"] > 1e-4
    assert of_own["backward"] > 1e-4
    assert of_objective["backward"] == of_own["forward"] == of_own["flow"] == 0.0
    if rule in COUNTED_BACKWARD:
        assert of_own["log_n"] > 1e-4
        assert of_objective["log_n"] == 0.0


@pytest.mark.parametrize(("rule", "options"), SEPARATE, ids=RULES)
def test_of_two_trunks_each_learns_from_one_loss(rule: str, options: Options) -> None:
    torch.manual_seed(0)
    env = Hypergrid(2, 4)
    policy = SeparateTrunks(vector_policy(env, "uniform"), vector_policy(env, rule))
    said = learned(policy, env, "subtb", rule, options, experience(env, 64))
    own = said.parts["backward loss"]
    descend((said.loss - own).mean())
    assert is_reached(policy.ahead)
    assert not is_reached(policy.back)
    policy.zero_grad()
    descend(own.mean())
    assert is_reached(policy.back)
    assert not is_reached(policy.ahead)


def test_of_two_trunks_both_learn_from_the_objective_where_nothing_else_teaches() -> None:
    torch.manual_seed(0)
    env = Hypergrid(2, 4)
    policy = SeparateTrunks(vector_policy(env, "uniform"), vector_policy(env, "learned"))
    descend(learned(policy, env, "subtb", "learned", {}, experience(env, 64)).loss.mean())
    assert is_reached(policy.ahead)
    assert is_reached(policy.back)


def is_reached(policy: PolicyModule) -> bool:
    return any(part.grad is not None and bool((part.grad != 0).any()) for part in policy.parameters())


@pytest.mark.parametrize(
    ("rule", "origins"), [("tlm", {Origin.POLICY}), ("pessimistic", {Origin.POLICY, Origin.REPLAY})]
)
def test_likelihood_is_that_of_ways_of_the_right_origin(rule: str, origins: set[Origin]) -> None:
    torch.manual_seed(0)
    env = Hypergrid(2, 4)
    policy, given = vector_policy(env, rule), experience(env, 64)
    drawn = given.trajectories.replace(origin=torch.arange(64) % len(Origin))
    said = learned(policy, env, "tb", rule, {}, replace(given, trajectories=drawn))
    likelihood = -evaluate(policy, drawn).log_pb().sum(dim=0)
    counts = torch.tensor([Origin(origin) in origins for origin in drawn.origin.tolist()])
    assert torch.allclose(said.parts["backward loss"], likelihood * counts)
    for origin in Origin:
        policy.zero_grad()
        descend(said.parts["backward loss"][drawn.origin == origin].sum())
        assert (gradients(policy)["backward"] > 0.0) == (origin in origins)
