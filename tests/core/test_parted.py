from __future__ import annotations

import pytest
import torch

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.parted import Part, PartedCategorical

LOGITS = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]])
MASK = torch.tensor([[True, False, True], [True, True, True]])
FAR = torch.tensor([[3.0, 1.0]])
PLACE = torch.tensor([2, 0, 0, 1])


def parted() -> PartedCategorical:
    """Actions 0 to 2 for two kinds of rows, 3 and 4 for a third."""
    return PartedCategorical(
        [
            Part(0, MaskedCategorical(LOGITS, MASK), 3),
            Part(3, MaskedCategorical(FAR, torch.ones(1, 2, dtype=torch.bool)), 2),
        ],
        PLACE,
        5,
    )


def dense() -> MaskedCategorical:
    logits = torch.zeros(3, 5)
    mask = torch.zeros(3, 5, dtype=torch.bool)
    logits[:2, :3], mask[:2, :3] = LOGITS, MASK
    logits[2, 3:], mask[2, 3:] = FAR[0], True
    return MaskedCategorical(logits[PLACE], mask[PLACE])


def test_it_is_the_same_as_the_whole_table() -> None:
    mine, whole = parted(), dense()
    assert len(mine) == 4
    assert torch.equal(mine.mask, whole.mask)
    assert torch.allclose(mine.log_probs.exp(), whole.log_probs.exp())
    assert torch.allclose(mine.entropy(), whole.entropy())
    assert mine.argmax().tolist() == whole.argmax().tolist() == [3, 2, 2, 0]
    for action in range(5):
        actions = torch.full((4,), action)
        assert torch.allclose(mine.log_prob(actions).exp(), whole.log_prob(actions).exp())


@pytest.mark.parametrize("epsilon", [0.0, 0.25, 1.0])
def test_exploring_acts_on_each_slice(epsilon: float) -> None:
    mine, whole = parted(), dense()
    changed = mine.tempered(2.0).mix_uniform(epsilon)
    expected = whole.tempered(2.0).mix_uniform(epsilon)
    assert torch.allclose(changed.log_probs.exp(), expected.log_probs.exp(), atol=1e-6)
    both = mine.mix(changed, 0.5).log_probs.exp()
    assert torch.allclose(both, (whole.log_probs.exp() + expected.log_probs.exp()) / 2, atol=1e-6)


def test_draws_follow_the_probabilities() -> None:
    rows = torch.arange(4).repeat_interleave(20_000)
    drawn = parted().sample_at(rows, torch.Generator().manual_seed(0))
    counts = torch.zeros(4, 5).index_put((rows, drawn), torch.ones(len(rows)), accumulate=True) / 20_000
    assert torch.allclose(counts, dense().log_probs.exp(), atol=0.02)
    drawn = parted().sample(torch.Generator().manual_seed(0))
    assert bool(dense().mask.gather(1, drawn[:, None]).all())


def test_gradients_reach_each_slice_once() -> None:
    logits, far = LOGITS.clone().requires_grad_(), FAR.clone().requires_grad_()
    distribution = PartedCategorical(
        [
            Part(0, MaskedCategorical(logits, MASK), 3),
            Part(3, MaskedCategorical(far, torch.ones(1, 2, dtype=torch.bool)), 2),
        ],
        PLACE,
        5,
    )
    distribution.log_prob(torch.tensor([3, 0, 2, 1])).sum().backward()
    p = torch.tensor([0.0, 0.0, 2.0]).masked_fill(~MASK[0], -torch.inf).softmax(0)
    assert torch.allclose(logits.grad[0], torch.tensor([1.0, 0.0, 1.0]) - 2 * p)  # type: ignore[index]
    assert torch.allclose(far.grad[0], torch.tensor([1.0, 0.0]) - FAR[0].softmax(0))  # type: ignore[index]
