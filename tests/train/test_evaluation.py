from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from fluvial.core.enumeration import enumerate_states
from fluvial.core.types import Condition
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.metrics.exact import exact_flows, uniform_log_pb
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.queue.records import ScoredObject
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.temperature import Temperature
from fluvial.train.evaluation import (
    Subject,
    bound_findings,
    drawn,
    exact_findings,
    likelihood_findings,
    various_states,
    weights_of,
)
from fluvial.train.gather import Ledger
from fluvial.train.learner import Problem
from fluvial.train.plan import EvaluationPlan

REWARDS = {"0,0": 1.0, "0,1": 2.0, "1,0": 3.0, "1,1": 4.0}


def subject_of(env: Any, policy: Any, reward: Any, beta: float = 1.0) -> Subject:
    def score(texts):
        return [
            ScoredObject(text, None, "failed") if reward(text) is None else ScoredObject(text, reward(text))
            for text in texts
        ]

    nothing = torch.zeros(1, 0)
    problem = Problem(env, score, Conditions(Temperature("constant", (beta,))))
    condition = Condition(nothing, torch.tensor([beta]), nothing, nothing)
    return Subject(problem, Model(policy, LogZ(0)).eval(), condition, Ledger(score))


def test_exact_distances_of_a_policy_by_hand():
    """The uniform policy on 2 x 2 cells: 1/3, 1/6, 1/6, and what is left for the corner."""
    env = Hypergrid(2, 2)
    found = exact_findings(
        subject_of(env, UniformPolicy(env), REWARDS.get), enumerate_states(env), n_samples=100
    )
    p, q = [1 / 3, 1 / 6, 1 / 6, 1 / 3], [0.1, 0.2, 0.3, 0.4]
    assert found["objects"] == 4
    assert found["total_variation"] == pytest.approx(sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2)
    assert found["l1"] == pytest.approx(2 * found["total_variation"])
    assert found["kl_policy_target"] == pytest.approx(
        sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-6
    )
    assert found["accuracy"] == pytest.approx((1 / 3 + 2 / 6 + 3 / 6 + 4 / 3) / (0.1 + 0.4 + 0.9 + 1.6))
    assert found["log_z"] == pytest.approx(math.log(10))
    assert math.isnan(found["log_z_learned"])


def test_objects_without_a_reward_have_no_share_of_the_target():
    env = Hypergrid(2, 2)
    subject = subject_of(env, UniformPolicy(env), lambda text: None if text == "0,0" else 1.0)
    found = exact_findings(subject, enumerate_states(env), n_samples=0)
    assert found["total_variation"] == pytest.approx(1 / 3)
    assert found["kl_policy_target"] == math.inf
    assert found["log_z"] == pytest.approx(math.log(3))


def solved(env: Any, beta: float) -> Subject:
    graph = enumerate_states(env)
    texts = env.decode(graph.states)
    log_reward = torch.tensor([beta * math.log(REWARDS[text]) for text in texts], dtype=torch.float64)
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    policy = TabularPolicy(env, graph, learn_backward=False)
    with torch.no_grad():
        policy.forward_logits[graph.source, graph.action] = flows.log_pf.float()
    return subject_of(env, policy, REWARDS.get, beta)


def test_a_right_policy_is_found_right():
    env = Hypergrid(2, 2)
    subject, generator = solved(env, beta=3.0), torch.Generator().manual_seed(0)
    log_z = math.log(1 + 8 + 27 + 64)
    exact = exact_findings(subject, enumerate_states(env), n_samples=0)
    assert exact["total_variation"] == pytest.approx(0.0, abs=1e-6)
    assert exact["accuracy"] == pytest.approx(1.0)
    bounds = bound_findings(weights_of(subject, list(drawn(subject, 300, generator))))
    assert [bounds[name] for name in ("elbo", "log_z", "eubo")] == pytest.approx([log_z] * 3, abs=1e-5)
    states, texts = various_states(subject, 200, generator)
    assert sorted(texts) == sorted(REWARDS)
    plan = EvaluationPlan(n_paths=8)
    found = likelihood_findings(subject, states, plan, generator)
    assert found["objects"] == 4
    assert found["fcs"] == pytest.approx(0.0, abs=1e-5)
    assert found["pearson"] == pytest.approx(1.0)
    assert found["mean_effective_sample_size"] == pytest.approx(8.0, abs=1e-3)


def test_a_policy_that_is_wrong_is_found_wrong():
    env = Hypergrid(2, 2)
    subject, generator = (
        subject_of(env, UniformPolicy(env), REWARDS.get, 3.0),
        torch.Generator().manual_seed(0),
    )
    bounds = bound_findings(weights_of(subject, list(drawn(subject, 3000, generator))))
    assert bounds["elbo"] + 0.5 < math.log(100) < bounds["eubo"] - 0.1
    assert abs(bounds["log_z"] - math.log(100)) < 3 * bounds["log_z_error"]
    states, _ = various_states(subject, 200, generator)
    assert likelihood_findings(subject, states, EvaluationPlan(), generator)["fcs"] > 0.2


def test_a_constant_reward_counts_the_objects():
    """R = 1: log Z is the logarithm of their number, symmetric ones counted once."""
    env = Graphs(max_nodes=3, node_types=2)
    subject = subject_of(env, UniformPolicy(env), lambda text: 1.0)
    graph = enumerate_states(env)
    n_objects = len(set(env.decode(graph.states[graph.is_terminal])))
    assert exact_findings(subject, graph, 0)["log_z"] == pytest.approx(math.log(n_objects))
    made = list(drawn(subject, 3000, torch.Generator().manual_seed(0)))
    found = bound_findings(weights_of(subject, made))
    assert abs(found["log_z"] - math.log(n_objects)) < 3 * found["log_z_error"]
    assert found["log_z_error"] < 0.03


def test_objects_that_failed_are_left_out():
    env = Hypergrid(2, 2)
    subject = subject_of(env, UniformPolicy(env), lambda text: None)
    generator = torch.Generator().manual_seed(0)
    assert bound_findings(weights_of(subject, list(drawn(subject, 10, generator)))) == {"trajectories": 0.0}
    states, _ = various_states(subject, 20, generator)
    found = likelihood_findings(subject, states, EvaluationPlan(), generator)
    assert found["objects"] == 0
    assert math.isnan(found["fcs"])
