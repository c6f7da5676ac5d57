"""What a step learns from, and how much each part of it counts."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm, Experience, Learned, Models
from fluvial.algorithms.balance import Balance
from fluvial.algorithms.registry import ALGORITHMS, BACKWARD_RULES, Ingredients
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Environment
from fluvial.core.types import Origin, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid
from fluvial.policy.behaviour import Exploration
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.replay.priority import PRIORITIES
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.preferences import Preferences
from fluvial.rewards.temperature import Temperature
from fluvial.sample.rollout import backward_rollout, rollout
from fluvial.sample.score import evaluate
from fluvial.testing.courses import Courses
from fluvial.train.gather import (
    Ledger,
    acting_policy,
    as_tensors,
    asked_for,
    partial_targets,
    replayed,
    revised,
    rewarded,
    suited,
)
from fluvial.train.learner import ConditionSource, Learner, LearningSettings, LocalSearch, Picking, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer
from fluvial.train.step import train_step, weighted


def worth(text: str) -> float | None:
    """1 + the sum of the coordinates."""
    return 1.0 + sum(map(int, text.split(",")))


@dataclass(frozen=True)
class Scorer:
    """A reward that keeps what it was asked."""

    reward: Callable[[str], float | None] = worth
    asked: list[str] = field(default_factory=list)

    def __call__(self, texts: Sequence[str]) -> list[ScoredObject]:
        self.asked.extend(texts)
        values = [self.reward(text) for text in texts]
        return [
            ScoredObject(text, value, "failed" if value is None else "ok")
            for text, value in zip(texts, values, strict=True)
        ]


@dataclass(frozen=True)
class Watched:
    """A learning rule that keeps what it was given, and the weights before it learned."""

    rule: Algorithm = field(default_factory=Balance)
    given: list[Experience] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    old: list[Model] = field(default_factory=list)

    @property
    def needs_partial(self) -> bool:
        return self.rule.needs_partial

    @property
    def old_decay(self) -> float | None:
        return self.rule.old_decay

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        self.given.append(experience)
        self.models.append(copy.deepcopy(models.current))
        self.old.append(models.old)
        return self.rule(models, experience, generator)

    def origins(self) -> Counter[int]:
        """Trajectories of the last step by origin."""
        return Counter(self.given[-1].trajectories.origin.tolist())


GRID = Hypergrid(2, 4)


def a_learner(
    env: Environment[Any],
    conditions: ConditionSource | None = None,
    priority: Priority | None = None,
    copies: tuple[str, ...] = ("lagged",),
) -> Learner:
    width = 0 if conditions is None else conditions.encoding_width
    n_terms = width if getattr(conditions, "weights", None) is not None else 0
    model = Model(TabularPolicy(env, enumerate_states(env), learn_backward=False), LogZ(width))
    return Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=0.1, log_z_lr=0.1)),
        lambda step: 1.0,
        ReplayBuffer(1000, env.max_steps, priority or Priority(), n_terms),
        torch.Generator().manual_seed(0),
        dict.fromkeys(copies, 0.5),
    )


def a_problem(scorer: Scorer | None = None, env: Environment[Any] = GRID) -> Problem:
    return Problem(env, scorer or Scorer(), Conditions())


def of_origin(trajectories: Trajectories[Any], origin: Origin) -> Trajectories[Any]:
    return trajectories.select((trajectories.origin == origin).nonzero().squeeze(1))


def log_pf(model: Model, trajectories: Trajectories[Any]) -> Tensor:
    """log P_F of whole trajectories, float [B]."""
    return evaluate(model.policy, trajectories).log_pf().sum(dim=0).detach()


def losses(watched: Watched) -> Tensor:
    """Of the trajectories of the last step, as they were, float [B]."""
    model = watched.models[-1]
    learned = watched.rule(Models(model, model), watched.given[-1], torch.Generator())
    return learned.loss


# What is asked of the reward


def test_the_ledger_asks_about_each_text_once() -> None:
    scorer = Scorer()
    ledger = Ledger(scorer)
    assert [item.text for item in ledger(["0,1", "2,2", "0,1"])] == ["0,1", "2,2", "0,1"]
    assert [item.reward for item in ledger(["2,2", "1,1"])] == [5.0, 3.0]
    assert ledger([]) == []
    assert scorer.asked == ["0,1", "2,2", "1,1"]


def test_missing_rewards_are_nan_and_terms_only_where_there_are_some() -> None:
    objects = [ScoredObject("0,1", 2.0), ScoredObject("1,1", None, "failed")]
    reward, values = as_tensors(a_problem(), objects)
    assert reward.dtype == values.dtype == torch.float64
    torch.testing.assert_close(reward, torch.tensor([2.0, math.nan]).double(), equal_nan=True)
    assert values.shape == (2, 0)


@pytest.mark.parametrize("name", ["tb", "mdb"])
def test_nothing_is_scored_twice_in_a_step(name: str) -> None:
    scorer, ingredients = Scorer(), Ingredients(GRID)
    algorithm = ALGORITHMS[name](ingredients, BACKWARD_RULES["uniform"](ingredients))
    learner = a_learner(GRID)
    settings = LearningSettings(
        batch=32, n_replayed=8, replay_start=1, search=LocalSearch(3, 2), algorithm=algorithm
    )
    for _ in range(3):
        scorer.asked.clear()
        result = train_step(a_problem(scorer), learner, settings)
        assert len(set(scorer.asked)) == len(scorer.asked)
        reported = {item.text for item in [*result.objects, *result.intermediate]}
        assert reported == set(scorer.asked)


# Repeats


def test_repeats_are_neighbours_of_equal_condition() -> None:
    problem = Problem(GRID, Scorer(), Conditions(Temperature("uniform", (1.0, 9.0))))
    condition = asked_for(problem, a_learner(GRID), 12, 3)
    betas = condition.beta.reshape(4, 3)
    assert bool((betas == betas[:, :1]).all())
    assert len(set(condition.beta.tolist())) == 4


def test_repeats_make_groups_of_fresh_and_of_replayed_trajectories() -> None:
    watched = Watched()
    problem = Problem(GRID, Scorer(), Conditions(Temperature("uniform", (1.0, 9.0))))
    settings = LearningSettings(batch=12, n_replayed=6, replay_start=1, repeats=3, algorithm=watched)
    train_step(problem, a_learner(GRID, problem.conditions), settings)
    (experience,) = watched.given
    group, beta = experience.group.reshape(6, 3), experience.trajectories.condition.beta.reshape(6, 3)
    assert sorted(group[:, 0].tolist()) == [0, 1, 2, 3, 4, 5]
    assert bool((group == group[:, :1]).all())
    assert bool((beta == beta[:, :1]).all())
    assert watched.origins() == {Origin.POLICY: 12, Origin.REPLAY: 6}


def test_one_condition_is_one_group() -> None:
    watched = Watched()
    train_step(a_problem(), a_learner(GRID), LearningSettings(batch=6, n_replayed=0, algorithm=watched))
    assert watched.given[0].group.tolist() == [0] * 6
    assert watched.given[0].step == 0


# Who acts


def stopping(learner: Learner, name: str) -> None:
    """Make a copy of the weights stop at once."""
    policy = learner.copies[name].policy
    assert isinstance(policy, TabularPolicy)
    with torch.no_grad():
        policy.forward_logits[:, 0] = 100.0


def test_without_lag_the_weights_act() -> None:
    learner = a_learner(GRID)
    assert acting_policy(learner, LearningSettings(lag=0.0)) is learner.model.policy


def test_the_lagged_weights_act_by_their_share() -> None:
    learner = a_learner(GRID)
    stopping(learner, "lagged")
    condition = Conditions().fixed(1, 1.0)
    for share in (0.0, 0.25, 1.0):
        policy = acting_policy(learner, LearningSettings(lag=0.5, lag_share=share))
        found = policy(GRID.initial(1), condition).forward.log_probs.exp()[0]
        # A third for each of stop and two steps, or always the stop.
        rest = (1.0 - share) / 3
        assert found.tolist() == pytest.approx([rest + share, rest, rest], abs=1e-6)


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 1.0, 1.0), (0.5, 0.55, 0.8), (0.0, 0.2, 0.45)])
def test_a_step_samples_from_the_mixture(share: float, low: float, high: float) -> None:
    learner = a_learner(GRID)
    stopping(learner, "lagged")
    settings = LearningSettings(batch=256, n_replayed=0, epsilon=lambda step: 0.0, lag=0.5, lag_share=share)
    objects = train_step(a_problem(), learner, settings).objects
    # It stops at once with probability share + (1 - share) / 3.
    assert low <= sum(item.text == "0,0" for item in objects) / 256 <= high


def test_the_lagged_weights_follow_with_their_memory() -> None:
    learner = a_learner(GRID)
    settings = LearningSettings(batch=16, n_replayed=0, lag=0.5)
    for _ in range(30):
        train_step(a_problem(), learner, settings)
    before = copy.deepcopy(learner.copies["lagged"])
    train_step(a_problem(), learner, settings)
    now = zip(before.parameters(), learner.model.parameters(), strict=True)
    for kept, (old, new) in zip(learner.copies["lagged"].parameters(), now, strict=True):
        torch.testing.assert_close(kept, 0.5 * old + 0.5 * new.detach())


def test_the_rule_sees_the_old_weights_if_it_asks_for_some() -> None:
    for decay in (None, 0.9):
        watched, learner = Watched(Balance(old_decay=decay)), a_learner(GRID, copies=("lagged", "old"))
        train_step(a_problem(), learner, LearningSettings(batch=4, n_replayed=0, algorithm=watched))
        assert watched.old[0] is (learner.model if decay is None else learner.copies["old"])


# Local search


def test_objects_of_local_search_are_scored_stored_learned_from_and_reported() -> None:
    scorer, watched, learner = Scorer(), Watched(), a_learner(GRID)
    settings = LearningSettings(batch=8, n_replayed=0, search=LocalSearch(2, 2), algorithm=watched)
    result = train_step(a_problem(scorer), learner, settings)
    assert len(result.objects) == 24
    assert watched.origins() == {Origin.POLICY: 8, Origin.LOCAL_SEARCH: 16}
    trajectories = watched.given[0].trajectories
    assert [item.text for item in result.objects] == GRID.decode(trajectories.final_states)
    assert trajectories.log_reward.exp().tolist() == pytest.approx([item.reward for item in result.objects])
    assert len(learner.replay) == len(scorer.asked) == len({item.text for item in result.objects})
    made_by_search = {item.text for item in result.objects[8:]} - {item.text for item in result.objects[:8]}
    stored, reward = learner.replay.objects(GRID, torch.arange(len(learner.replay)), "cpu")
    assert made_by_search
    assert made_by_search <= set(GRID.decode(stored))
    assert reward.tolist() == [worth(text) for text in GRID.decode(stored)]


@pytest.mark.parametrize(("accept", "climbs"), [("deterministic", True), ("always", False)])
def test_each_revision_starts_from_what_was_kept(accept: str, climbs: bool) -> None:
    env = Hypergrid(1, 60)
    learner, problem = a_learner(env), a_problem(env=env)
    settings = LearningSettings(search=LocalSearch(8, 1, accept))
    ledger, explore = Ledger(problem.score), Exploration()
    fresh = rollout(env, learner.model.policy, Conditions().fixed(64, 1.0), learner.generator)
    first = rewarded(problem, fresh, ledger)
    visited = revised(problem, learner, settings, explore, first, ledger)
    points = torch.stack([made.trajectories.final_states.coordinate[:, 0] for made in [first, *visited]])
    # One step is taken back, so nothing falls by more than 1 below what it starts from.
    kept = points.cummax(dim=0).values if climbs else points
    assert len(points) == 9
    assert bool((points[1:] >= kept[:-1] - 1).all())
    assert bool((points[1:] >= points.cummax(dim=0).values[:-1] - 1).all()) == climbs


def test_revisions_without_a_reward_are_left_out() -> None:
    scorer = Scorer(lambda text: None if "2" in text else worth(text))
    watched, learner = Watched(), a_learner(GRID)
    settings = LearningSettings(batch=16, n_replayed=0, search=LocalSearch(2, 2), algorithm=watched)
    result = train_step(a_problem(scorer), learner, settings)
    known = [item.text for item in result.objects if item.reward is not None]
    assert len(known) < len(result.objects) == 48
    assert GRID.decode(watched.given[0].trajectories.final_states) == known


# Replay


def test_stored_paths_are_those_that_were_made() -> None:
    watched, learner = Watched(), a_learner(GRID)
    train_step(a_problem(), learner, LearningSettings(batch=64, n_replayed=0, algorithm=watched))
    made = watched.given[0].trajectories
    first: dict[str, list[int]] = {}
    for row, text in enumerate(GRID.decode(made.final_states)):
        first.setdefault(text, made.actions[: int(made.n_steps[row]), row].tolist())
    agree = {}
    for stored_paths in (True, False):
        settings = LearningSettings(n_replayed=64, replay_start=1, stored_paths=stored_paths)
        (again,), _ = replayed(a_problem(), learner, settings)
        texts = GRID.decode(again.final_states)
        paths = [again.actions[: int(again.n_steps[row]), row].tolist() for row in range(64)]
        agree[stored_paths] = sum(first[text] == path for text, path in zip(texts, paths, strict=True))
        assert again.log_reward.exp().tolist() == pytest.approx([worth(text) for text in texts])
        assert set(again.origin.tolist()) == {Origin.REPLAY}
    assert agree[True] == 64
    assert agree[False] < 60


def test_replayed_objects_are_weighed_by_new_preferences() -> None:
    def terms(objects: Sequence[ScoredObject]) -> Tensor:
        points = [tuple(map(float, item.text.split(","))) for item in objects]
        return torch.tensor(points, dtype=torch.float64) + 1.0

    conditions = Conditions(Temperature("constant", (2.0,)), Preferences(2))
    learner, watched = a_learner(GRID, conditions), Watched()
    problem = Problem(GRID, Scorer(), conditions, terms=terms)
    settings = LearningSettings(batch=16, n_replayed=16, replay_start=1, algorithm=watched)
    train_step(problem, learner, settings)
    for origin in (Origin.POLICY, Origin.REPLAY):
        part = of_origin(watched.given[0].trajectories, origin)
        values = part.final_states.coordinate + 1.0
        assert torch.equal(part.values, values.double())
        assert len(set(part.condition.weights[:, 0].tolist())) == 16
        expected = 2.0 * (part.condition.weights * values).sum(dim=1).log()
        torch.testing.assert_close(part.log_reward, expected)


POINTS = ["0,0", "0,1", "1,0", "1,1", "3,3"]
PREFERRED = {"top": {"3,3"}, "newest": {"3,3"}, "reward": {"3,3"}, "loss": {"0,1"}, "uniform": set(POINTS)}


@pytest.mark.parametrize("kind", list(PRIORITIES))
def test_every_priority_in_a_step(kind: str) -> None:
    """The best object is stored last, and the second one has the largest loss."""
    scorer = Scorer(lambda text: 1e12 if text == "3,3" else 1.0)
    watched = Watched()
    learner = a_learner(GRID, priority=Priority(top_fraction=0.2, top_share=1.0, kind=kind))
    problem = a_problem(scorer)
    states, condition = GRID.encode(POINTS).states, Conditions().fixed(5, 1.0)
    made = backward_rollout(GRID, None, states, condition, learner.generator)
    reward = torch.tensor([item.reward for item in scorer(POINTS)]).double()
    learner.replay.add(made, GRID.key(states), reward)
    learner.replay.record_loss(torch.arange(5), torch.tensor([0.0, 1e9, 0.0, 0.0, 0.0]))
    stopping(learner, "lagged")
    settings = LearningSettings(
        batch=1, n_replayed=32, replay_start=1, algorithm=watched, lag=0.5, epsilon=lambda step: 0.0
    )
    train_step(problem, learner, settings)
    replays = of_origin(watched.given[0].trajectories, Origin.REPLAY)
    found = Counter(GRID.decode(replays.final_states))
    assert set(found) >= PREFERRED[kind]
    # A hundredth of a mean weight is left for each of the others.
    assert sum(found[text] for text in PREFERRED[kind]) >= 30


def test_every_priority_has_a_preference() -> None:
    assert set(PREFERRED) == set(PRIORITIES)


@pytest.mark.parametrize(("share", "fewest"), [(1.0, 40), (0.5, 20), (0.0, 0)])
def test_what_suits_a_trade_off_is_drawn_for_those_who_ask_for_it(share: float, fewest: int) -> None:
    """The object that is best on average is best for nobody who asks for one term alone."""
    conditions = Conditions(Temperature("constant", (2.0,)), Preferences(2, choices=((1.0, 0.0), (0.0, 1.0))))
    learner = a_learner(GRID, conditions, Priority(kind="uniform"))
    states = GRID.encode(["0,0", "1,0", "0,1"]).states
    made = backward_rollout(GRID, None, states, conditions.sample(3, learner.generator), learner.generator)
    values = torch.tensor([[0.8, 0.8], [1.0, 0.1], [0.1, 1.0]], dtype=torch.float64)
    learner.replay.add(made.replace(values=values), GRID.key(states), values.mean(dim=1))
    picking, asked = Picking(of=64, share=share), conditions.sample(40, learner.generator)
    slots = suited(Problem(GRID, Scorer(), conditions), learner, picking, asked)
    suits = (slots == 1 + asked.weights.argmax(dim=1)).sum()
    assert suits == 40 if share == 1.0 else fewest < suits < 40
    assert (slots == 0).any() == (share < 1.0)


def test_losses_of_replayed_objects_are_remembered() -> None:
    watched, learner = Watched(), a_learner(GRID)
    settings = LearningSettings(batch=32, n_replayed=32, replay_start=1, algorithm=watched)
    train_step(a_problem(), learner, settings)
    loss, trajectories = losses(watched).detach().double(), watched.given[0].trajectories
    replays = of_origin(trajectories, Origin.REPLAY)
    keys = GRID.key(replays.final_states).tolist()
    expected = {key: loss[32:][torch.tensor(keys) == key].mean().item() for key in keys}
    state: Any = learner.replay.state_dict()
    found = dict(zip(state["key"][state["trained"]].tolist(), state["loss"].tolist(), strict=True))
    assert found == pytest.approx(expected)


# Weights


def test_weights_of_losses_by_hand() -> None:
    learner = a_learner(GRID)
    given = rollout(GRID, learner.model.policy, Conditions().fixed(4, 1.0), learner.generator)
    mask = torch.tensor([[True] * 4, [False, True, True, True], [False, False, True, True]])
    given = given.replace(mask=mask, origin=torch.tensor(list(Origin)))
    log_prob = torch.tensor([[-1.0, -2.0, -3.0, -4.0], [0.0, -1.0, -1.0, -1.0], [0.0, 0.0, -1.0, -2.0]])
    learned = Learned(torch.tensor([6.0, 6.0, 6.0, 9.0]), log_prob, {})

    def result(**changes: Any) -> list[float]:
        return weighted(learned, given, LearningSettings(**changes)).tolist()

    assert result() == [6.0, 6.0, 6.0, 9.0]
    # 1, 2, 3 and 3 transitions.
    assert result(length_normalise=True) == [6.0, 3.0, 2.0, 3.0]
    # The policy's own are not made likelier; the others have -log P_F of 3, 5 and 7.
    assert result(likelihood_weight=0.5) == [6.0, 7.5, 8.5, 12.5]
    by_origin = {Origin.POLICY: 0.0, Origin.LOCAL_SEARCH: 2.0}
    assert result(source_weights=by_origin) == [0.0, 6.0, 6.0, 18.0]
    everything = {"length_normalise": True, "likelihood_weight": 1.0, "source_weights": {Origin.REPLAY: 2.0}}
    assert result(**everything) == [6.0, 2.0 * (3.0 + 3.0), 2.0 + 5.0, 3.0 + 7.0]
    nothing = Learned(learned.loss, None, {})
    assert weighted(nothing, given, LearningSettings(likelihood_weight=1.0)).tolist() == [6.0, 6.0, 6.0, 9.0]


@pytest.mark.parametrize("silent", [Origin.POLICY, Origin.REPLAY, Origin.LOCAL_SEARCH])
def test_a_source_of_weight_zero_gives_no_gradient(silent: Origin) -> None:
    watched, learner = Watched(), a_learner(GRID)
    settings = LearningSettings(
        batch=8,
        n_replayed=8,
        replay_start=1,
        search=LocalSearch(1, 2),
        source_weights={silent: 0.0},
        clip_norm=0.0,
        algorithm=watched,
    )
    train_step(a_problem(), learner, settings)
    model, origin = watched.models[-1], watched.given[-1].trajectories.origin
    assert watched.origins() == {Origin.POLICY: 8, Origin.REPLAY: 8, Origin.LOCAL_SEARCH: 8}
    loss = losses(watched)
    (loss[origin != silent].sum() / 24).backward()  # type: ignore[no-untyped-call]
    for mine, theirs in zip(learner.model.parameters(), model.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None and theirs.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad)
    assert float(loss[origin == silent].detach().sum()) > 0.0


def test_length_normalised_and_likelihood_weighted_steps() -> None:
    metrics, kept = {}, {}
    cases: dict[str, dict[str, Any]] = {
        "plain": {},
        "normalised": {"length_normalise": True},
        "likelihood": {"likelihood_weight": 3.0},
    }
    for name, changes in cases.items():
        watched = Watched()
        options: dict[str, Any] = {"batch": 16, "n_replayed": 16, "replay_start": 1, **changes}
        result = train_step(a_problem(), a_learner(GRID), LearningSettings(algorithm=watched, **options))
        metrics[name], kept[name] = result.metrics["loss"], watched
    plain = kept["plain"]
    loss, trajectories = losses(plain).detach(), plain.given[0].trajectories
    assert metrics["plain"] == pytest.approx(loss.mean().item())
    assert metrics["normalised"] == pytest.approx((loss / trajectories.n_steps).mean().item())
    surprise = -log_pf(plain.models[0], trajectories)
    of_replay = surprise[trajectories.origin == Origin.REPLAY]
    assert len(of_replay) == 16
    added = 3.0 * float(of_replay.sum()) / 32
    assert metrics["likelihood"] == pytest.approx(metrics["plain"] + added, rel=1e-5)


# Intermediate objects


def test_partial_targets_are_of_unfinished_objects_only() -> None:
    env = Courses(2, 2, 2)
    scorer = Scorer(lambda text: None if text == "0:0" else 1.0 + len(text))
    problem, learner = Problem(env, scorer, Conditions()), a_learner(env)
    condition = Conditions(Temperature("uniform", (1.0, 3.0))).sample(40, learner.generator)
    made = rollout(env, learner.model.policy, condition, learner.generator)
    targets = partial_targets(problem, made, Ledger(scorer))
    assert targets.shape == (made.mask.shape[0] + 1, 40)
    n_seen = 0
    for row in range(40):
        for time in range(len(targets)):
            state: Any = made.states[torch.tensor([time]), torch.tensor([row])]
            is_live = time < int(made.n_steps[row])
            if not is_live or not bool(env.mask(state)[0, 0]) or env.decode(state) == ["0:0"]:
                assert math.isnan(targets[time, row])
                continue
            n_seen += 1
            # One course or two are worth 1 + 3 or 1 + 7.
            expected = float(condition.beta[row]) * math.log(1.0 + len(env.decode(state)[0]))
            assert float(targets[time, row]) == pytest.approx(expected, rel=1e-5)
    assert n_seen > 40


def test_partial_targets_carry_the_symmetry_correction(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    problem = Problem(env, Scorer(lambda text: float(len(text))), Conditions())
    generator = torch.Generator().manual_seed(0)
    made = rollout(env, UniformPolicy(env), Conditions().fixed(64, 1.0), generator)
    targets = partial_targets(problem, made, Ledger(problem.score))
    last = made.n_steps - 1
    rows = torch.arange(64)
    before_stop = targets[last, rows]
    expected = torch.tensor([math.log(len(text)) for text in env.decode(made.final_states)])
    # Whatever is about to be stopped is the object itself.
    torch.testing.assert_close(before_stop, expected + made.log_symmetry)
    assert len(set(made.log_symmetry.tolist())) > 1


@pytest.mark.parametrize(
    ("name", "is_forward_looking", "is_partial"),
    [("tb", False, False), ("mdb", False, True), ("db", True, True), ("subtb", True, True)],
)
def test_intermediate_objects_are_scored_and_reported(
    name: str, is_forward_looking: bool, is_partial: bool
) -> None:
    scorer, ingredients = Scorer(), Ingredients(GRID, is_forward_looking=is_forward_looking)
    watched = Watched(ALGORITHMS[name](ingredients, BACKWARD_RULES["uniform"](ingredients)))
    settings = LearningSettings(batch=8, n_replayed=0, algorithm=watched)
    result = train_step(a_problem(scorer), a_learner(GRID), settings)
    experience = watched.given[0]
    texts, sampled = {item.text for item in result.intermediate}, {item.text for item in result.objects}
    if not is_partial:
        assert experience.log_partial is None
        assert result.intermediate == []
        return
    assert experience.log_partial is not None
    trajectories = experience.trajectories
    live = trajectories.mask.flatten().nonzero().squeeze(1)
    passed = GRID.decode(trajectories.states[:-1].flatten()[live])
    assert texts == set(passed) - sampled
    assert texts
    assert all(item.reward == worth(item.text) for item in result.intermediate)
    found = experience.log_partial.flatten()[live].exp().tolist()
    assert found == pytest.approx([worth(text) for text in passed])
    assert bool(experience.log_partial.flatten()[trajectories.mask.numel() :].isnan().all())
