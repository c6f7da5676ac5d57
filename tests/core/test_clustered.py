"""A choice in two steps against the table of all actions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.clustered import ClusteredCategorical, Members

CLUSTER = torch.tensor([1, 0, 2, 0, 1, 2, 0])
MEMBERS = [[1, 3, 6], [0, 4], [2, 5]]
MASK = torch.tensor([[1, 1, 0, 1, 1, 0, 0], [0, 1, 1, 0, 0, 1, 1], [0, 0, 1, 0, 0, 0, 0]]).bool()


def clustered(outer: Tensor, inner: Tensor) -> ClusteredCategorical:
    """Of logits of clusters [3, 3] and of actions [3, 7]."""
    sizes = torch.stack([MASK[:, members].sum(dim=1) for members in MEMBERS], dim=1)

    def within(rows: Tensor, clusters: Tensor) -> Members:
        padded = torch.tensor([[*members, 0][:3] for members in MEMBERS])[clusters]
        is_there = MASK[rows[:, None], padded] & (
            torch.arange(3) < sizes.new_tensor([3, 2, 2])[clusters, None]
        )
        assert bool(is_there.any(dim=1).all())
        return Members(padded, MaskedCategorical(inner[rows[:, None], padded], is_there))

    return ClusteredCategorical(outer, sizes, within, CLUSTER)


def table(outer: Tensor, inner: Tensor) -> Tensor:
    """Probabilities [3, 7], written out."""
    p = torch.zeros(3, 7, dtype=outer.dtype)
    for row in range(3):
        legal = [[action for action in members if MASK[row, action]] for members in MEMBERS]
        weight = torch.stack([outer[row, k].exp() * bool(legal[k]) for k in range(3)])
        for k, actions in enumerate(legal):
            within = inner[row, actions].exp()
            p[row, actions] = weight[k] / weight.sum() * within / within.sum()
    return p


@pytest.fixture(params=[torch.float32, torch.float64])
def logits(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(3, n, generator=generator, dtype=request.param) for n in (3, 7))  # type: ignore[return-value]


def test_the_legal_actions_share_all_probability(logits: tuple[Tensor, Tensor]) -> None:
    mine, p = clustered(*logits), table(*logits)
    assert len(mine) == 3
    assert torch.allclose(p.sum(dim=1), torch.ones(3, dtype=p.dtype))
    assert torch.equal(mine.mask, MASK)
    assert torch.allclose(mine.log_probs.exp(), p)
    assert torch.allclose(mine.logits[MASK].exp(), p[MASK])
    rows = torch.arange(3).repeat_interleave(7)
    assert torch.allclose(mine.log_prob_at(rows, torch.arange(7).repeat(3)).exp(), p.flatten())
    assert torch.allclose(
        mine.log_prob(torch.tensor([4, 1, 2])), p[torch.arange(3), torch.tensor([4, 1, 2])].log()
    )
    assert mine.argmax().tolist() == p.argmax(dim=1).tolist()
    assert torch.allclose(mine.entropy(), -(p * p.clamp_min(1e-30).log()).sum(dim=1), atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_a_uniform_share_is_exact(logits: tuple[Tensor, Tensor], epsilon: float) -> None:
    mixed = clustered(*logits).mix_uniform(epsilon)
    p = (1 - epsilon) * table(*logits) + epsilon * MASK / MASK.sum(dim=1, keepdim=True)
    assert torch.allclose(mixed.log_probs.exp(), p, atol=1e-6)
    again = mixed.mix_uniform(0.5).log_probs.exp()
    assert torch.allclose(again, 0.5 * p + 0.5 * MASK / MASK.sum(dim=1, keepdim=True), atol=1e-6)


def test_both_choices_are_tempered(logits: tuple[Tensor, Tensor]) -> None:
    tempered = clustered(*logits).tempered(2.0).log_probs.exp()
    assert torch.allclose(tempered, table(logits[0] / 2, logits[1] / 2), atol=1e-6)


def test_two_can_be_mixed(logits: tuple[Tensor, Tensor]) -> None:
    mine, other = clustered(*logits), clustered(-logits[0], -logits[1])
    assert mine.mix(other, 0.0) is mine
    expected = 0.75 * table(*logits) + 0.25 * table(-logits[0], -logits[1])
    assert torch.allclose(mine.mix(other, 0.25).log_probs.exp(), expected, atol=1e-6)


def test_draws_follow_the_probabilities(logits: tuple[Tensor, Tensor]) -> None:
    n, mine = 20_000, clustered(*logits).mix_uniform(0.2)
    drawn = mine.sample_at(torch.arange(3).repeat_interleave(n), torch.Generator().manual_seed(0))
    counts = torch.stack([torch.bincount(part, minlength=7) for part in drawn.split(n)])  # type: ignore[no-untyped-call]
    assert torch.allclose(counts / n, mine.log_probs.exp().float(), atol=0.02)
    assert bool(MASK.gather(1, mine.sample(torch.Generator().manual_seed(0))[:, None]).all())


def test_gradients_are_those_of_the_table(logits: tuple[Tensor, Tensor]) -> None:
    mine = tuple(one.clone().requires_grad_() for one in logits)
    theirs = tuple(one.clone().requires_grad_() for one in logits)
    actions = torch.tensor([3, 5, 2])
    clustered(*mine).log_prob(actions).sum().backward()  # type: ignore[arg-type]
    table(*theirs)[torch.arange(3), actions].log().sum().backward()  # type: ignore[arg-type]
    for one, other in zip(mine, theirs, strict=True):
        assert bool(one.grad.abs().sum() > 0)  # type: ignore[union-attr]
        assert torch.allclose(one.grad, other.grad.nan_to_num(), atol=1e-6)  # type: ignore[union-attr, arg-type]


def test_an_illegal_action_has_no_probability_and_no_gradient(logits: tuple[Tensor, Tensor]) -> None:
    outer = logits[0].clone().requires_grad_()
    found = clustered(outer, logits[1]).log_prob(torch.tensor([6, 3, 0]))
    assert found.tolist() == [-torch.inf] * 3
    outer_again = clustered(outer, logits[1]).log_prob(torch.tensor([1, 3, 2]))
    outer_again[[0, 2]].sum().backward()
    assert bool(outer.grad.isfinite().all())  # type: ignore[union-attr]


def test_what_was_drawn_without_gradient_is_computed_anew_with_one(logits: tuple[Tensor, Tensor]) -> None:
    asked: list[int] = []
    outer, inner = (one.requires_grad_() for one in logits)
    mine = clustered(outer, inner)
    within = mine.within

    def counted(rows: Tensor, clusters: Tensor) -> Members:
        asked.append(len(rows))
        return within(rows, clusters)

    mine = ClusteredCategorical(outer, mine.sizes, counted, CLUSTER)
    with torch.no_grad():
        actions = mine.sample(torch.Generator().manual_seed(0))
        mine.log_prob(actions)
    assert asked == [3]
    log_prob = mine.log_prob(actions)
    assert asked == [3, 3]
    assert bool(torch.autograd.grad(log_prob.sum(), inner)[0].any())
