from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import enumerate_states, find_rows
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.metrics.exact import exact_flows, exact_log_probability, uniform_log_pb
from fluvial.metrics.likelihood import flow_bounds, log_likelihood, log_mean, log_weights
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.tabular import legal_or_all
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import rollout

N_CASES = 1000


def ask_nothing(n: int) -> Condition:
    nothing = torch.zeros(n, 0)
    return Condition(nothing, torch.ones(n), nothing, nothing)


def random_policy(env) -> GraphPolicy:
    """Untrained, but sharper than at its start."""
    torch.manual_seed(0)
    policy = GraphPolicy(env, GraphTransformer(env.sizes, 0, 16, 1, 2), learn_backward=False).eval()
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.dim() == 2:
                parameter.mul_(1.7)
    return policy


def exact(env, policy):
    """The objects of an environment, and their exact log probabilities."""
    graph = enumerate_states(env)
    log_p = exact_log_probability(
        graph, lambda states: policy(states, ask_nothing(len(states))).forward.log_probs
    )
    return graph.states[graph.is_terminal], log_p[graph.is_terminal]


class SolvedPolicy:
    """P_F = F(s') P_B / F(s) for any numbering of a state."""

    learns_backward = False

    def __init__(self, env, graph, log_flow):
        self.env, self.graph, self.log_flow = env, graph, log_flow

    def rows(self, states):
        return find_rows(*self.graph.identity.sort(), self.env.key(states))

    def __call__(self, states, condition):
        mask = self.env.mask(states)
        rows, actions = mask.nonzero(as_tuple=True)
        after = self.env.step(states[rows], actions)
        log_pb = -self.env.back_mask(after).sum(dim=1).double().log()
        logits = torch.zeros(mask.shape, dtype=torch.float64)
        logits[rows, actions] = self.log_flow[self.rows(after)] + log_pb
        return PolicyOutput(
            MaskedCategorical(logits, mask),
            lambda: MaskedCategorical.uniform(legal_or_all(self.env.back_mask(states))),
            self.log_flow[self.rows(states)],
        )


def test_means_equal_sums_of_plain_numbers():
    draw = np.random.default_rng(0)
    for _ in range(N_CASES):
        weights = draw.lognormal(sigma=draw.uniform(0.1, 2.0), size=(int(draw.integers(2, 9)), 3))
        found = log_mean(torch.from_numpy(weights).log())
        mean = weights.mean(axis=0)
        error = weights.std(axis=0, ddof=1) / math.sqrt(len(weights)) / mean
        effective = weights.sum(axis=0) ** 2 / (weights**2).sum(axis=0)
        assert found.value.tolist() == pytest.approx(np.log(mean).tolist())
        assert found.standard_error.tolist() == pytest.approx(error.tolist(), abs=1e-7)
        assert found.effective_sample_size.tolist() == pytest.approx(effective.tolist())


def test_one_draw_has_no_error_and_huge_weights_no_overflow():
    found = log_mean(torch.tensor([[1e4, -1e4]]))
    assert found.value.tolist() == [1e4, -1e4]
    assert found.standard_error.isnan().all()
    assert found.effective_sample_size.tolist() == [1.0, 1.0]


def test_bounds_equal_sums_of_plain_numbers():
    draw = np.random.default_rng(1)
    for _ in range(N_CASES):
        weights = draw.lognormal(sigma=0.8, size=int(draw.integers(2, 9)))
        found = flow_bounds(torch.from_numpy(weights).log())
        assert found.elbo == pytest.approx(np.log(weights).mean())
        assert found.log_z == pytest.approx(math.log(weights.mean()))
        assert found.eubo == pytest.approx((weights * np.log(weights)).sum() / weights.sum())
        assert found.elbo <= found.log_z + 1e-12 <= found.eubo + 2e-12


@pytest.mark.parametrize("kind", ["molecules", "graphs"])
def test_error_bars_cover_the_exact_value_at_the_stated_rate(kind, three_fragments):
    env = Fragments(three_fragments, 3) if kind == "molecules" else Graphs(max_nodes=3, node_types=2)
    policy = random_policy(env)
    states, log_p = exact(env, policy)
    assert len(env.log_symmetry(states).unique()) > 1
    repeats = 500 // len(states)
    found = log_likelihood(
        env,
        policy,
        states[torch.arange(len(states)).repeat(repeats)],
        ask_nothing(repeats * len(states)),
        32,
        torch.Generator().manual_seed(1),
    )
    gap = (found.value - log_p.repeat(repeats)).abs()
    # Objects with one way, or with ways of equal weight, have no error and say nothing of the rate.
    counts = found.standard_error > 1e-4
    assert int(counts.sum()) > 200
    assert float((gap / found.standard_error)[counts].le(2.0).double().mean()) == pytest.approx(
        0.95, abs=0.03
    )
    assert gap[~counts].max() < 1e-3
    assert (found.effective_sample_size >= 1.0 - 1e-9).all()
    assert (found.effective_sample_size <= 32.0 + 1e-9).all()


@pytest.mark.parametrize("is_corrected", [True, False])
def test_without_the_symmetry_factor_the_probabilities_do_not_add_up(is_corrected, three_fragments):
    env = Fragments(three_fragments, 2, correct_symmetry=is_corrected)
    policy = UniformPolicy(env)
    graph = enumerate_states(env)
    states = graph.states[graph.is_terminal]
    found = log_likelihood(
        env, policy, states, ask_nothing(len(states)), 64, torch.Generator().manual_seed(0)
    )
    assert (abs(float(found.value.exp().sum()) - 1.0) < 0.05) == is_corrected


def test_at_the_solution_every_way_says_the_same():
    """No error, and the probability is R / Z."""
    env = Graphs(max_nodes=3, node_types=2)
    graph = enumerate_states(env)
    generator = torch.Generator().manual_seed(0)
    log_reward = torch.rand(len(graph), dtype=torch.float64, generator=generator)
    symmetry = env.log_symmetry(graph.states)
    flows = exact_flows(graph, log_reward + symmetry, uniform_log_pb(env, graph))
    policy = SolvedPolicy(env, graph, flows.log_flow)
    rows = graph.is_terminal.nonzero().squeeze(1)
    assert symmetry[rows].max() > 1.0
    found = log_likelihood(env, policy, graph.states[rows], ask_nothing(len(rows)), 8, generator)
    assert found.value.tolist() == pytest.approx((log_reward[rows] - flows.log_z).tolist(), abs=1e-6)
    assert found.standard_error.max() < 1e-6

    drawn = rollout(env, policy, ask_nothing(100), generator)
    place = policy.rows(drawn.final_states)
    bounds = flow_bounds(log_weights(policy, drawn.replace(log_reward=log_reward[place])))
    assert bounds.elbo == pytest.approx(flows.log_z, abs=1e-5)
    assert bounds.eubo == pytest.approx(flows.log_z, abs=1e-5)
    assert bounds.effective_sample_size == pytest.approx(100.0, rel=1e-4)


def test_the_mean_weight_of_a_constant_reward_counts_the_objects():
    env = Graphs(max_nodes=3, node_types=2)
    states, _ = exact(env, UniformPolicy(env))
    drawn = rollout(env, UniformPolicy(env), ask_nothing(2000), torch.Generator().manual_seed(0))
    found = flow_bounds(log_weights(UniformPolicy(env), drawn.replace(log_reward=torch.zeros(2000))))
    assert abs(found.log_z - math.log(len(states))) < 3 * found.log_z_error
    assert found.log_z_error < 0.05
    assert found.elbo < math.log(len(states)) < found.eubo


def test_no_objects_give_no_numbers(three_fragments):
    env = Fragments(three_fragments, 2)
    found = log_likelihood(
        env, UniformPolicy(env), env.initial(0), ask_nothing(0), 4, torch.Generator().manual_seed(0)
    )
    assert len(found.value) == 0
