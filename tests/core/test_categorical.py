"""The masked categorical against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.core.categorical import MaskedCategorical

MASK = torch.tensor([[True, True, False, True], [False, False, True, False]])
LOGITS = torch.tensor([[0.0, math.log(2.0), 50.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
PROBABILITY = torch.tensor([[0.25, 0.5, 0.0, 0.25], [0.0, 0.0, 1.0, 0.0]])


def test_probabilities_by_hand():
    probability = MaskedCategorical(LOGITS, MASK).log_probs.exp()
    torch.testing.assert_close(probability, PROBABILITY)
    assert probability[~MASK].eq(0).all()


def test_log_prob_entropy_and_argmax_by_hand():
    distribution = MaskedCategorical(LOGITS, MASK)
    log_prob = distribution.log_prob(torch.tensor([1, 0]))
    assert log_prob[0].item() == pytest.approx(math.log(0.5))
    assert log_prob[1].item() == -math.inf
    torch.testing.assert_close(distribution.entropy(), torch.tensor([1.5 * math.log(2.0), 0.0]))
    assert distribution.argmax().tolist() == [1, 2]


def test_ties_go_to_the_lowest_number():
    assert MaskedCategorical.uniform(MASK).argmax().tolist() == [0, 2]


def test_uniform_is_equal_over_legal_actions():
    uniform = MaskedCategorical.uniform(MASK)
    torch.testing.assert_close(uniform.log_probs.exp()[0], torch.tensor([1.0, 1.0, 0.0, 1.0]) / 3)


def test_gradients_are_finite_and_zero_where_masked():
    logits = LOGITS.clone().requires_grad_()
    distribution = MaskedCategorical(logits, MASK)
    (distribution.entropy().sum() + distribution.log_prob(torch.tensor([0, 2])).sum()).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[~MASK].eq(0).all()
    assert logits.grad[0].abs().max() > 0.1


def test_what_was_first_asked_without_gradients_has_them_when_learning():
    logits = LOGITS.clone().requires_grad_()
    distribution = MaskedCategorical(logits, MASK)
    with torch.no_grad():
        assert not distribution.log_probs.requires_grad
    distribution.log_probs[0, 0].backward()
    assert logits.grad[0].abs().max() > 0.1
    with torch.no_grad():
        assert distribution.log_probs is distribution.log_probs


def test_mixture_has_finite_gradients():
    logits = LOGITS.clone().requires_grad_()
    MaskedCategorical(logits, MASK).mix_uniform(0.1).log_prob(torch.tensor([0, 2])).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_tempered_by_hand():
    # p^(1/0.5) is 1/16, 1/4, 1/16, that is 1/6, 4/6, 1/6.
    tempered = MaskedCategorical(LOGITS, MASK).tempered(0.5).log_probs.exp()
    torch.testing.assert_close(tempered[0], torch.tensor([1.0, 4.0, 0.0, 1.0]) / 6)
    torch.testing.assert_close(tempered[1], PROBABILITY[1])


def test_mix_uniform_by_hand():
    distribution = MaskedCategorical(LOGITS, MASK)
    mixed = distribution.mix_uniform(0.3).log_probs.exp()
    torch.testing.assert_close(mixed[0], torch.tensor([0.275, 0.45, 0.0, 0.275]))
    assert distribution.mix_uniform(0.0) is distribution


def test_sampling_frequencies():
    n = 40_000
    generator = torch.Generator().manual_seed(0)
    distribution = MaskedCategorical(LOGITS[:1].expand(n, -1), MASK[:1].expand(n, -1))
    frequency = distribution.sample(generator).bincount(minlength=4) / n
    # Four standard deviations of a frequency near 1/2 are 4 sqrt(1/4 / 40000) = 0.01.
    torch.testing.assert_close(frequency, PROBABILITY[0], atol=0.01, rtol=0.0)
    assert frequency[2] == 0


def test_sampling_depends_on_the_generator_alone():
    distribution = MaskedCategorical.uniform(torch.ones(64, 5, dtype=torch.bool))
    first = distribution.sample(torch.Generator().manual_seed(3))
    assert first.tolist() == distribution.sample(torch.Generator().manual_seed(3)).tolist()
    assert first.tolist() != distribution.sample(torch.Generator().manual_seed(4)).tolist()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.0, 300.0))
def test_samples_are_legal_and_probabilities_sum_to_one(seed, n_actions, spread):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(32, n_actions, generator=generator) < 0.4
    mask[torch.arange(32), torch.randint(n_actions, (32,), generator=generator)] = True
    distribution = MaskedCategorical(spread * torch.randn(32, n_actions, generator=generator), mask)
    assert mask.gather(1, distribution.sample(generator)[:, None]).all()
    assert mask.gather(1, distribution.argmax()[:, None]).all()
    torch.testing.assert_close(distribution.log_probs.exp().sum(dim=1), torch.ones(32))
    assert (distribution.entropy() >= -1e-6).all()


def test_many_actions_are_drawn_as_few_are() -> None:
    """Beyond a thousand actions blocks are drawn first; shares stay, and what is masked never comes."""
    logits = torch.full((4000, 1500), -3.0)
    mask = torch.zeros(4000, 1500, dtype=torch.bool)
    for action, share in ((3, 0.1), (70, 0.2), (71, 0.3), (1499, 0.4)):
        logits[:, action], mask[:, action] = math.log(share), True
    drawn = MaskedCategorical(logits, mask).sample(torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=1500)
    assert int(counts[mask[0]].sum()) == 4000
    # Four standard deviations.
    for action, share in ((3, 0.1), (70, 0.2), (71, 0.3), (1499, 0.4)):
        assert abs(int(counts[action]) - 4000 * share) < 4 * math.sqrt(4000 * share * (1 - share))


def test_actions_rarer_than_single_precision_are_drawn_among_many() -> None:
    logits = torch.full((1, 1500), -40.0).expand(2, -1)
    mask = torch.zeros(2, 1500, dtype=torch.bool)
    mask[0, 700], mask[1, 1498:] = True, True
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        first, second = MaskedCategorical(logits, mask).sample(generator).tolist()
        assert first == 700
        assert second in (1498, 1499)
