from __future__ import annotations

from typing import Any

import pytest
import torch

from fluvial.core.batch import Batch
from fluvial.core.enumeration import enumerate_states
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition, Trajectories
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sequences.orders import ORDERS
from fluvial.envs.sequences.rewards import motif_reward
from fluvial.envs.sequences.state import Tokens
from fluvial.losses.residuals import trajectory_balance
from fluvial.metrics.exact import exact_log_probability, total_variation
from fluvial.nets.sequence_transformer import POSITIONS, SequenceTransformer
from fluvial.policy.log_z import LogZ
from fluvial.policy.sequence import SequencePolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.policy.vector import VectorPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import score

OTHERS = [name for name in ORDERS if name != "append"]


def random_policy(
    env: Sequences, positions: str = "rotary", condition_width: int = 0, count_paths: bool = False
) -> SequencePolicy:
    torch.manual_seed(0)
    net = SequenceTransformer(env.n_symbols, condition_width, 16, 2, 2, positions=positions)
    policy = SequencePolicy(env, net, learn_backward=True, count_paths=count_paths)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return policy.eval()


def random_condition(n: int, width: int, dtype: torch.dtype = torch.float64) -> Condition:
    generator = torch.Generator().manual_seed(2)
    nothing = torch.zeros(n, 0, dtype=dtype)
    encoding = torch.rand(n, width, dtype=dtype, generator=generator)
    return Condition(encoding, torch.ones(n, dtype=dtype), nothing, nothing)


def assert_same(mine: PolicyOutput, theirs: PolicyOutput, tolerance: float) -> None:
    """Equal masks, and equal probabilities and flows up to the tolerance."""
    for one, other in ((mine.forward, theirs.forward), (mine.backward, theirs.backward)):
        assert torch.equal(one.mask, other.mask)
        # Where nothing is legal the distribution is nan in both.
        assert torch.allclose(one.log_probs.exp(), other.log_probs.exp(), 0.0, tolerance, equal_nan=True)
        raw = (one.logits * one.mask, other.logits * other.mask)
        assert torch.allclose(*raw, rtol=0.0, atol=tolerance)
    assert torch.allclose(mine.log_flow, theirs.log_flow, rtol=0.0, atol=tolerance)
    assert (mine.log_n is None) == (theirs.log_n is None)
    if mine.log_n is not None and theirs.log_n is not None:
        assert torch.allclose(mine.log_n, theirs.log_n, rtol=0.0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("condition_width", [0, 3])
@pytest.mark.parametrize("positions", POSITIONS)
def test_one_evaluation_of_a_word_is_one_of_each_prefix(
    positions: str, condition_width: int, dtype: torch.dtype, tolerance: float
) -> None:
    env = Sequences("ACGT", 7, 2)
    policy = random_policy(env, positions, condition_width, count_paths=True).to(dtype)
    texts = ["ACGTACG", "GG", "TTTTT", "CAT"]
    token, length = env.words(env.encode(texts).states)
    condition = random_condition(4, condition_width, dtype)
    output = policy.of_prefixes(token, length, condition)
    assert output.forward.mask.shape == (8 * 4, 1 + 4)
    for time in range(8):
        for row, text in enumerate(texts):
            prefix = [" ACGT".index(symbol) for symbol in text[:time]]
            state = env.unfinished(
                torch.tensor([prefix + [0] * (7 - len(prefix))]), torch.tensor([len(prefix)])
            )
            alone = policy(state, condition[torch.tensor([row])])
            place = slice(time * 4 + row, time * 4 + row + 1)
            log_n = None if output.log_n is None else output.log_n[place]
            backward = type(output.backward)(output.backward.logits[place], output.backward.mask[place])
            together = PolicyOutput(
                type(output.forward)(output.forward.logits[place], output.forward.mask[place]),
                lambda backward=backward: backward,
                output.log_flow[place],
                log_n,
            )
            assert_same(together, alone, tolerance)


@pytest.mark.parametrize("order", ORDERS)
def test_along_trajectories_is_the_same_as_state_by_state(order: str) -> None:
    env = Sequences("abc", 5, 0, order)
    policy = random_policy(env, condition_width=2).double()
    condition = random_condition(20, 2)
    whole = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0))
    # Other trajectories begin at a word that was made before.
    begun = env.unfinished(*env.words(env.encode(["abca"]).states)).repeat(20)
    rest = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0), start=begun)
    for trajectories in (whole, rest):
        rows = trajectories.mask.flatten().nonzero().squeeze(1)
        states = trajectories.states[:-1].flatten()[rows]
        assert_same(policy.along(trajectories, rows), policy(states, condition[rows % 20]), 1e-10)


def test_gradients_of_one_evaluation_are_those_of_each_state() -> None:
    env = Sequences("ab", 4)
    policy = random_policy(env).double()
    trajectories = rollout(env, UniformPolicy(env), random_condition(8, 0), torch.Generator().manual_seed(0))
    rows = trajectories.mask.flatten().nonzero().squeeze(1)
    states = trajectories.states[:-1].flatten()[rows]
    outputs = policy.along(trajectories, rows), policy(states, random_condition(len(rows), 0))
    gradients = []
    for output in outputs:
        policy.zero_grad()
        (output.forward.log_probs[:, 1:].exp().square().sum() + output.log_flow.square().sum()).backward()
        gradients.append([parameter.grad for parameter in policy.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("order", ORDERS)
def test_other_rows_change_nothing(order: str) -> None:
    env = Sequences("ab", 3, 1, order)
    policy, graph = random_policy(env).double(), enumerate_states(env)
    states = graph.states[~graph.is_terminal]
    together = policy(states, random_condition(len(states), 0)).forward.log_probs
    for row in range(len(states)):
        alone = policy(states[row : row + 1], random_condition(1, 0)).forward.log_probs
        assert torch.allclose(alone[0].exp(), together[row].exp(), atol=1e-12)


@pytest.mark.parametrize("order", OTHERS)
def test_all_words_are_told_apart(order: str) -> None:
    env = Sequences("ab", 4, 1, order)
    graph = enumerate_states(env)
    states = graph.states[~graph.is_terminal]
    flows = random_policy(env).double()(states, random_condition(len(states), 0)).log_flow
    assert len(set(flows.detach().round(decimals=9).tolist())) == len(states) == 31


def test_symbols_are_read_off_the_left_neighbour_and_removals_off_the_symbol() -> None:
    env = Sequences("ab", 4, 1, "insert")
    policy = random_policy(env).double()
    states = env.unfinished(torch.tensor([[2, 1, 1, 0]]), torch.tensor([3]))
    output = policy(states, random_condition(1, 0))
    token, length = env.words(states)
    features = policy.net(token, length, torch.zeros(1, 0, dtype=torch.float64), is_causal=False)[0]
    symbols = output.forward.logits[0, 1:].reshape(4, 2)
    torch.testing.assert_close(symbols, policy.symbol_head(features[:4]))
    assert policy.removal_head is not None
    torch.testing.assert_close(output.backward.logits[0, 1:], policy.removal_head(features[1:]).squeeze(1))
    # Both ends are the places before the first and behind the last symbol.
    ends = Sequences("ab", 4, 1, "both_ends")
    policy.env = ends
    output = policy(states, random_condition(1, 0))
    end, start = output.forward.logits[0, 1:].reshape(2, 2)
    torch.testing.assert_close(end, policy.symbol_head(features[3]))
    torch.testing.assert_close(start, policy.symbol_head(features[0]))
    expected = policy.removal_head(features[[3, 1]]).squeeze(1)
    torch.testing.assert_close(output.backward.logits[0, 1:], expected)


@pytest.mark.parametrize("learn_backward", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_gradient_reaches_every_head_that_is_learned(order: str, learn_backward: bool) -> None:
    env = Sequences("abc", 4, 1, order)
    torch.manual_seed(0)
    policy = SequencePolicy(env, SequenceTransformer(3, 2, 16, 1, 2), learn_backward)
    assert policy.learns_backward == (learn_backward and order != "append")
    graph = enumerate_states(env)
    states = graph.states[~graph.is_terminal]
    output = policy(states, random_condition(len(states), 2, torch.float32))
    assert output.log_n is None
    forward = output.forward.log_probs.masked_fill(~output.forward.mask, 0.0)
    backward = output.backward.log_probs.masked_fill(~output.backward.mask, 0.0)
    (forward.square().sum() + backward.square().sum() + output.log_flow.sum()).backward()
    silent = []
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        if not bool((parameter.grad.abs() > 1e-12).any()):
            silent.append(name)
    # A number that is added to all removals alike changes no probability.
    assert [name for name in silent if name != "removal_head.bias"] == []


@pytest.mark.parametrize("order", ORDERS)
def test_the_condition_changes_the_policy(order: str) -> None:
    env = Sequences("ab", 3, 0, order)
    output = random_policy(env, condition_width=2).double()(env.initial(2), random_condition(2, 2))
    assert not torch.allclose(output.forward.log_probs[0].exp(), output.forward.log_probs[1].exp())
    assert not torch.allclose(output.log_flow[0], output.log_flow[1])


@pytest.mark.parametrize("order", ORDERS)
def test_a_perceptron_takes_words_too(order: str) -> None:
    env = Sequences("ab", 3, 1, order)
    policy = VectorPolicy(env, 0, 16, 1, learn_backward=True)
    made: Trajectories[Any] = rollout(
        env, policy, random_condition(9, 0, torch.float32), torch.Generator().manual_seed(0)
    )
    assert bool(score(policy, made).log_pf.isfinite().all())
    assert env.encode(env.decode(made.final_states)).found.tolist() == [0] * 9


@pytest.mark.parametrize("order", ["append", "insert"])
def test_training_comes_close_to_the_target(order: str) -> None:
    env, reward = Sequences("ab", 3, 1, order), motif_reward(["ab", "aa"], 3, 0.1)
    torch.manual_seed(0)
    policy = SequencePolicy(env, SequenceTransformer(2, 0, 64, 1, 2), learn_backward=True)
    log_z = LogZ(0)
    optimizer = torch.optim.Adam(
        [{"params": policy.parameters(), "lr": 3e-3}, {"params": log_z.parameters(), "lr": 0.1}]
    )
    generator, condition = torch.Generator().manual_seed(0), random_condition(64, 0, torch.float32)
    for _ in range(120):
        made: Trajectories[Any] = rollout(env, policy, condition, generator)
        log_reward = torch.from_numpy(reward(env.decode(made.final_states)).reward).float().log()
        scores = score(policy, made)
        residual = trajectory_balance(scores.log_pf, scores.log_pb, log_reward, log_z(condition))
        optimizer.zero_grad()
        residual.square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    graph = enumerate_states(env)

    def log_probs(states: Batch) -> torch.Tensor:
        output: PolicyOutput = policy(states, random_condition(len(states), 0, torch.float32))
        return output.forward.log_probs

    final: Tokens = graph.states[graph.is_terminal]
    sampled = exact_log_probability(graph, log_probs)[graph.is_terminal].exp()
    target = torch.from_numpy(reward(env.decode(final)).reward)
    target = target / target.sum()
    untrained = torch.full_like(target, 1 / len(target))
    assert total_variation(untrained, target) > 0.3
    assert total_variation(sampled, target) < 0.1
