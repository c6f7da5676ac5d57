from __future__ import annotations

import math
import re

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.rewards.conditions import Asked, Conditions
from fluvial.rewards.focus import Focus, Sphere
from fluvial.rewards.preferences import Preferences
from fluvial.rewards.property_targets import AskedLogZ, PropertyTarget, PropertyTargets
from fluvial.rewards.target import Target
from fluvial.rewards.temperature import Temperature

EVERYTHING = Conditions(
    Temperature("uniform", (1.0, 3.0), 4),
    Preferences(2),
    Focus(2, Sphere(2), n_bins=3),
    PropertyTargets((PropertyTarget("mw", 200.0, 400.0, 20.0, 5), PropertyTarget("logp", 0.0, 5.0, 1.0, 0))),
    AskedLogZ(-1.0, 9.0, 0),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n", [1, 5])
def test_every_piece_fills_its_field_and_its_columns(n: int) -> None:
    condition = EVERYTHING.sample(n, generator())
    assert EVERYTHING.encoding_width == condition.encoding.shape[1] == 4 + 2 + 6 + 5 + 1 + 1
    assert condition.beta.shape == (n,)
    assert condition.weights.shape == condition.focus.shape == condition.target.shape == (n, 2)
    assert condition.log_z.shape == (n, 1)
    assert {tensor.dtype for tensor in condition.tensors()} == {torch.float32}
    torch.testing.assert_close(condition.encoding[:, :4].sum(dim=1), (condition.beta - 1.0) * 2.0)
    torch.testing.assert_close(condition.encoding[:, 4:6], condition.weights)
    torch.testing.assert_close(condition.encoding[:, 6:9].sum(dim=1), condition.focus[:, 0] * 3)
    torch.testing.assert_close(condition.encoding[:, 12:17].sum(dim=1), (condition.target[:, 0] - 200) / 40)
    torch.testing.assert_close(condition.encoding[:, 17], condition.target[:, 1] / 5)
    torch.testing.assert_close(condition.encoding[:, 18], (condition.log_z[:, 0] + 1.0) / 10.0)
    again = EVERYTHING.sample(n, generator())
    assert all(map(torch.equal, again.tensors(), condition.tensors()))


def test_the_default_is_the_plain_reward() -> None:
    condition = Conditions().sample(3, generator())
    assert condition.beta.tolist() == [1.0] * 3
    assert [tensor.shape[1] for tensor in condition.tensors() if tensor.dim() == 2] == [0] * 5


def test_what_is_asked_for_is_not_drawn_and_the_rest_is() -> None:
    drawn = EVERYTHING.sample(4, generator())
    wish = Asked(beta=2.0, weights=(1.0, 0.0), focus=(0.6, 0.8), target=(None, 2.5), log_z=3.0)
    asked = EVERYTHING.sample(4, generator(), wish)
    assert asked.beta.tolist() == [2.0] * 4
    assert asked.weights.tolist() == [[1.0, 0.0]] * 4
    torch.testing.assert_close(asked.focus, torch.tensor([[0.6, 0.8]] * 4))
    assert asked.target[:, 1].tolist() == [2.5] * 4
    assert asked.log_z.tolist() == [[3.0]] * 4
    torch.testing.assert_close(asked.target[:, 0], drawn.target[:, 0])
    only_beta = EVERYTHING.sample(4, generator(), Asked(beta=2.0))
    assert torch.equal(only_beta.weights, drawn.weights)
    torch.testing.assert_close(only_beta.encoding[:, 4:], drawn.encoding[:, 4:])


def test_what_no_piece_stands_for_cannot_be_asked_for() -> None:
    plain = Conditions(Temperature("uniform", (1.0, 2.0)))
    for wish, words in (
        (Asked(weights=(0.5, 0.5)), "a preference cannot be asked for.*condition.preference"),
        (Asked(focus=(1.0, 0.0)), "a focus cannot be asked for.*condition.focus"),
        (Asked(target=(1.0,)), "a target cannot be asked for.*condition.target"),
        (Asked(log_z=1.0), "a log Z cannot be asked for.*condition.log_z"),
    ):
        with pytest.raises(ConfigError, match=words):
            plain.sample(1, generator(), wish)
    with pytest.raises(ConfigError, match="beta = -1 must be greater than 0"):
        plain.sample(1, generator(), Asked(beta=-1.0))
    with pytest.raises(ConfigError, match=re.escape("shape [1, 3] were given; give [n, 2]")):
        EVERYTHING.sample(1, generator(), Asked(weights=(0.2, 0.3, 0.5)))


def test_fixed_is_the_middle_of_everything_but_beta() -> None:
    condition = EVERYTHING.fixed(2, 3.0)
    assert condition.beta.tolist() == [3.0, 3.0]
    assert condition.weights.tolist() == [[0.5, 0.5]] * 2
    torch.testing.assert_close(condition.focus, torch.full((2, 2), 0.5**0.5))
    assert condition.target.tolist() == [[300.0, 2.5]] * 2
    assert condition.log_z.tolist() == [[4.0]] * 2
    assert condition.encoding[:, :4].tolist() == [[1.0] * 4] * 2
    with pytest.raises(ConfigError, match="beta = nan must be greater than 0"):
        EVERYTHING.fixed(1, float("nan"))


def test_what_is_asked_for_beside_the_middle_of_the_rest() -> None:
    condition = EVERYTHING.middle(Asked(weights=(1.0, 0.0), target=(None, 1.0), log_z=9.0))
    assert condition.beta.tolist() == [2.0]
    assert condition.weights.tolist() == [[1.0, 0.0]]
    assert condition.target.tolist() == [[300.0, 1.0]]
    assert condition.log_z.tolist() == [[9.0]]
    torch.testing.assert_close(condition.focus, torch.full((1, 2), 0.5**0.5))
    torch.testing.assert_close(condition.encoding[0, 17:], torch.tensor([0.2, 1.0]))
    with pytest.raises(ConfigError, match="a target cannot be asked for"):
        Conditions().middle(Asked(target=(1.0,)))


def test_at_takes_a_row_of_weights_for_each_trajectory() -> None:
    conditions = Conditions(Temperature("constant", (4.0,)), Preferences(2))
    given = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    condition = conditions.at(given)
    assert torch.equal(condition.weights, given)
    assert torch.equal(condition.encoding, given)
    assert condition.beta.tolist() == [4.0, 4.0]
    with pytest.raises(ConfigError, match=re.escape("shape [1, 3] were given; give [n, 2]")):
        conditions.at(torch.ones(1, 3) / 3)
    for bad in ([0.5, 0.6], [1.5, -0.5], [float("nan"), 1.0]):
        with pytest.raises(ConfigError, match="must be at least 0 each and sum to 1"):
            conditions.at(torch.tensor([[0.5, 0.5], bad]))


def test_others_start_with_the_own_weights_and_keep_the_rest() -> None:
    conditions = Conditions(Temperature("uniform", (1.0, 9.0), 2), Preferences(2))
    own = conditions.sample(2, generator(3))
    others = conditions.others(own, 3, generator())
    assert len(others) == 6
    assert torch.equal(others.weights[::3], own.weights)
    assert torch.equal(others.encoding[:, 2:], others.weights)
    assert torch.equal(others.beta, own.beta.repeat_interleave(3))
    assert len(set(others.weights[:, 0].tolist())) == 6
    torch.testing.assert_close(others.weights.sum(dim=1), torch.ones(6))
    assert torch.equal(conditions.others(own, 1, generator()).weights, own.weights)
    assert torch.equal(conditions.others(own, 3, generator()).weights, others.weights)
    with pytest.raises(ConfigError, match="n_samples = 0 must be at least 1"):
        conditions.others(own, 0, generator())


def test_others_are_distributed_as_samples_are() -> None:
    conditions = Conditions(weights=Preferences(2, concentration=0.5))
    others = conditions.others(conditions.fixed(10_000, 1.0), 4, generator()).weights.reshape(-1, 4, 2)
    assert bool((others[:, 0] == 0.5).all())
    fresh = others[:, 1:, 0]
    assert float((fresh < 0.25).double().mean()) == pytest.approx(1 / 3, abs=0.015)
    # Neighbours of a row are drawn apart.
    assert float(fresh.T.corrcoef().triu(1).abs().max()) < 0.05


def test_relabelling_changes_the_chosen_rows_only_and_shows_them_anew() -> None:
    before = EVERYTHING.sample(3, generator())
    copy = [tensor.clone() for tensor in before.tensors()]
    new = torch.tensor([[1.0, 0.0]] * 3)
    after = EVERYTHING.relabelled(before, torch.tensor([False, True, False]), focus=new)
    assert all(map(torch.equal, before.tensors(), copy))
    assert after.focus[1].tolist() == [1.0, 0.0]
    assert after.encoding[1, 6:12].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    torch.testing.assert_close(after.encoding[1, :6], before.encoding[1, :6])
    for row in (0, 2):
        assert all(
            torch.equal(*pair) for pair in zip(after[row].tensors(), before[row].tensors(), strict=True)
        )


def test_hindsight_asks_for_what_was_met_where_it_was_missed() -> None:
    conditions = Conditions(
        focus=Focus(2, Sphere(2)),
        weights=Preferences(2),
        target=PropertyTargets((PropertyTarget("mw", 0.0, 10.0, 1.0),)),
    )
    before = conditions.sample(5, generator(), Asked(focus=(1.0, 0.0), target=(2.0,)))
    nan = math.nan
    values = torch.tensor(
        [[1.0, 0.0, 2.5], [0.6, 0.8, 2.0], [0.0, 0.0, 9.0], [nan, nan, nan], [1.0, 0.01, 11.0]],
        dtype=torch.float64,
    )
    target = Target(floor=1e-4, widths=(1.0,))
    after = conditions.in_hindsight(before, values, target, 1.0, generator())
    torch.testing.assert_close(
        after.focus, torch.tensor([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    )
    # 2.5 is near enough, 9 is not; what is missing or out of the range stays as it was asked for.
    assert after.target.flatten().tolist() == [2.0, 2.0, 9.0, 2.0, 2.0]
    assert torch.equal(after.encoding[0], before.encoding[0])
    torch.testing.assert_close(after.encoding[1, 2:4], torch.tensor([0.6, 0.8]))
    told, missed = (target(torch.ones(5), values, condition)[1] for condition in (after, before))
    assert float(told) > float(missed) == -75.0
    assert torch.equal(conditions.in_hindsight(before, values, target, 0.0, generator()).focus, before.focus)


def test_hindsight_is_for_a_share_of_the_rows() -> None:
    conditions = Conditions(focus=Focus(2, Sphere(2)), weights=Preferences(2))
    before = conditions.sample(4000, generator(), Asked(focus=(1.0, 0.0)))
    values = torch.tensor([[0.0, 3.0]], dtype=torch.float64).expand(4000, 2)
    after = conditions.in_hindsight(before, values, Target(), 0.3, generator(1))
    changed = (after.focus[:, 1] == 1.0).double().mean()
    assert float(changed) == pytest.approx(0.3, abs=0.03)
    assert bool((before.focus[:, 1] == 0.0).all())
