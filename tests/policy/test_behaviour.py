"""Departures from the policy, against probabilities by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.behaviour import Exploration, Mixture
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

MASK = torch.tensor([[True, True, False, True], [False, False, True, False]])
FIRST = torch.tensor([[0.25, 0.5, 0.0, 0.25], [0.0, 0.0, 1.0, 0.0]])
SECOND = torch.tensor([[0.5, 0.125, 0.0, 0.375], [0.0, 0.0, 1.0, 0.0]])


def given(probability: Tensor, mask: Tensor = MASK) -> MaskedCategorical:
    # A number far from any logarithm where masked: it must not be seen.
    return MaskedCategorical(torch.where(mask, probability.log(), 60.0), mask)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.75, 1.0])
def test_mixture_of_distributions_by_hand(share: float) -> None:
    mixed = given(FIRST).mix(given(SECOND), share)
    torch.testing.assert_close(mixed.log_probs.exp(), (1 - share) * FIRST + share * SECOND)
    assert bool(mixed.log_probs[~MASK].isneginf().all())


def test_mixture_keeps_probabilities_below_the_resolution_of_either_part() -> None:
    mask = torch.ones(1, 2, dtype=torch.bool)
    certain = MaskedCategorical(torch.tensor([[0.0, -200.0]]), mask)
    other = MaskedCategorical(torch.tensor([[-300.0, 0.0]]), mask)
    log_probs = certain.mix(certain, 0.5).log_probs
    torch.testing.assert_close(log_probs, torch.tensor([[0.0, -200.0]]))
    tiny = certain.mix(other, 1e-30).log_probs
    torch.testing.assert_close(tiny, torch.tensor([[0.0, math.log(1e-30)]]))


def test_mixture_of_different_masks_may_do_what_either_may() -> None:
    one = torch.tensor([[True, True, False, False]])
    two = torch.tensor([[False, True, True, False]])
    half = torch.tensor([[0.5, 0.5, 0.5, 0.0]])
    mixed = given(half, one).mix(given(half, two), 0.5)
    torch.testing.assert_close(mixed.log_probs.exp(), torch.tensor([[0.25, 0.5, 0.25, 0.0]]))


def test_mixture_has_finite_gradients() -> None:
    logits = torch.zeros(2, 4, requires_grad=True)
    mixed = MaskedCategorical(logits, MASK).mix(given(SECOND), 0.5)
    mixed.log_prob(torch.tensor([1, 2])).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[~MASK].eq(0).all()
    # d log m_1 / d logit_j = (1/2) p_1 (1[j = 1] - p_j) / m_1 with p = 1/3 and m_1 = (1/3 + 1/8) / 2.
    expected = (1 / 6) / (11 / 48) * torch.tensor([-1 / 3, 2 / 3, 0.0, -1 / 3])
    torch.testing.assert_close(logits.grad[0], expected)


class Fixed:
    """The same probabilities of stop, first and second axis everywhere; counts its calls."""

    def __init__(
        self, env: Hypergrid, probability: list[float], learns_backward: bool, log_flow: float
    ) -> None:
        self.env, self.learns_backward, self.log_flow = env, learns_backward, log_flow
        self.logits = torch.tensor(probability).log()
        self.n_calls = 0

    def __call__(self, states: Batch, condition: Condition) -> PolicyOutput:
        self.n_calls += 1
        n = len(states)
        return PolicyOutput(
            MaskedCategorical(self.logits.expand(n, -1), self.env.mask(states)),  # type: ignore[arg-type]
            lambda: MaskedCategorical(self.logits.expand(n, -1), self.env.back_mask(states)),  # type: ignore[arg-type]
            torch.full((n,), self.log_flow),
            torch.full((n,), 2 * self.log_flow),
        )


ENV = Hypergrid(2, 3)
STATES = Grid(torch.tensor([[0, 0], [1, 1]]), torch.tensor([False, False]))


def two(share: float) -> tuple[Fixed, Fixed, Mixture]:
    first, second = Fixed(ENV, [0.5, 0.25, 0.25], True, 1.5), Fixed(ENV, [0.25, 0.125, 0.625], False, 9.0)
    return first, second, Mixture(first, second, share)


def test_mixture_acts_by_both_and_is_otherwise_the_first() -> None:
    first, _, mixture = two(0.2)
    output = mixture(STATES, Conditions().fixed(2, 1.0))
    expected = torch.tensor([0.45, 0.225, 0.325]).expand(2, -1)
    torch.testing.assert_close(output.forward.log_probs.exp(), expected)
    alone = first(STATES, Conditions().fixed(2, 1.0))
    assert torch.equal(output.backward.log_probs[1], alone.backward.log_probs[1])
    assert output.log_flow.tolist() == [1.5, 1.5]
    assert output.log_n is not None
    assert output.log_n.tolist() == [3.0, 3.0]
    assert mixture.learns_backward
    assert not Mixture(two(0.0)[1], first, 0.5).learns_backward


def test_a_share_of_nothing_costs_nothing() -> None:
    _, second, mixture = two(0.0)
    output = mixture(STATES, Conditions().fixed(2, 1.0))
    assert second.n_calls == 0
    torch.testing.assert_close(output.forward.log_probs.exp()[0], torch.tensor([0.5, 0.25, 0.25]))


def test_a_share_of_everything_is_the_second() -> None:
    _, second, mixture = two(1.0)
    output = mixture(STATES, Conditions().fixed(2, 1.0))
    assert second.n_calls == 1
    torch.testing.assert_close(output.forward.log_probs.exp()[0], torch.tensor([0.25, 0.125, 0.625]))
    assert output.log_flow.tolist() == [1.5, 1.5]


def test_a_rollout_of_a_mixture_records_what_acted() -> None:
    mixture = Mixture(Fixed(ENV, [0.5, 0.25, 0.25], True, 0.0), UniformPolicy(ENV), 0.4)
    made = rollout(ENV, mixture, Conditions().fixed(20_000, 1.0), torch.Generator().manual_seed(0))
    expected = torch.tensor([0.6 * 0.5 + 0.4 / 3, 0.6 * 0.25 + 0.4 / 3, 0.6 * 0.25 + 0.4 / 3])
    torch.testing.assert_close(made.log_behaviour[0].exp(), expected[made.actions[0]])
    frequency = made.actions[0].bincount() / 20_000
    # Four standard deviations of a frequency near 0.43 are 4 sqrt(0.25 / 20000) = 0.014.
    torch.testing.assert_close(frequency, expected, atol=0.014, rtol=0.0)


def test_exploration_flattens_and_then_mixes() -> None:
    # Square roots of 1/4, 1/2, 1/4 add up to 1.7071.
    acting = Exploration(epsilon=0.3, temperature=2.0)(given(FIRST)).log_probs.exp()[0]
    flat = torch.tensor([0.5, math.sqrt(0.5), 0.0, 0.5]) / 1.7071068
    torch.testing.assert_close(acting, 0.7 * flat + torch.tensor([0.1, 0.1, 0.0, 0.1]))


def test_no_exploration_is_the_policy_itself() -> None:
    distribution = given(FIRST)
    assert Exploration()(distribution) is distribution
