from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.algorithms.balance import Balance
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.errors import NonFiniteLossError
from fluvial.envs.fragments.environment import Fragments
from fluvial.losses.objectives import LOG_Z_ESTIMATES, OBJECTIVES
from fluvial.losses.residuals import trajectory_balance
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.temperature import Temperature
from fluvial.sample.rollout import rollout
from fluvial.sample.score import score
from fluvial.train.gather import replayed
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer
from fluvial.train.scoring import Scoring
from fluvial.train.step import learn, train_step


def a_learner(env: Fragments, conditions: Conditions, learn_backward: bool = False) -> Learner:
    torch.manual_seed(0)
    width = conditions.encoding_width
    policy = GraphPolicy(env, GraphTransformer(env.sizes, width, 16, 1, 2), learn_backward)
    model = Model(policy, LogZ(width))
    return Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=1e-3, log_z_lr=0.1)),
        lambda step: 1.0,
        ReplayBuffer(1000, env.max_steps, Priority()),
        torch.Generator().manual_seed(0),
    )


def scoring(reward: Callable[[str], float | None]) -> Scoring:
    def score_all(texts: Sequence[str]) -> list[ScoredObject]:
        values = [reward(text) for text in texts]
        return [
            ScoredObject(text, value, "ok" if value is not None else "failed")
            for text, value in zip(texts, values, strict=True)
        ]

    return score_all


def test_log_z_starts_where_the_first_batch_puts_it(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions(Temperature("constant", (3.0,)))
    learner = a_learner(env, conditions)
    problem = Problem(env, scoring(lambda text: math.exp(10.0)), conditions)
    metrics = train_step(problem, learner, LearningSettings(batch=256, n_replayed=0)).metrics
    # R^beta = exp(30) for each of 9 molecules: log Z = 30 + log 9 = 32.2, and an untrained policy is near.
    assert metrics["log_z"] == pytest.approx(32.2, abs=1.0)


def test_log_z_starts_with_the_first_reward_that_is_known(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    learner = a_learner(env, conditions)
    settings = LearningSettings(batch=256, n_replayed=0)
    train_step(Problem(env, scoring(lambda text: None), conditions), learner, settings)
    assert not learner.model.log_z.is_started
    later = Problem(env, scoring(lambda text: math.exp(30.0)), conditions)
    assert train_step(later, learner, settings).metrics["log_z"] == pytest.approx(32.2, abs=1.0)


def test_log_z_follows_beta(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions(Temperature("uniform", (1.0, 10.0)))
    learner = a_learner(env, conditions)
    problem = Problem(env, scoring(lambda text: math.exp(2.0)), conditions)
    train_step(problem, learner, LearningSettings(batch=512, n_replayed=0))
    low, high = (float(learner.model.log_z(conditions.fixed(1, beta)).detach()) for beta in (1.0, 10.0))
    assert low == pytest.approx(2.0 + math.log(9), abs=1.5)
    assert high == pytest.approx(20.0 + math.log(9), abs=1.5)


def test_failed_rewards_are_missing_and_never_zero(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    learner = a_learner(env, conditions)
    problem = Problem(env, scoring(lambda text: None if "c" in text else 1.0), conditions)
    result = train_step(problem, learner, LearningSettings(batch=128, n_replayed=0))
    n_failed = sum("c" in item.text for item in result.objects)
    assert 0 < n_failed < 128
    assert result.metrics["failed_share"] == pytest.approx(n_failed / 128)
    assert result.metrics["reward_mean"] == 1.0
    assert math.isfinite(result.metrics["loss"])
    assert len(learner.replay) == len({item.text for item in result.objects if item.reward is not None})


def test_a_step_in_which_everything_failed_changes_no_weight(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    learner = a_learner(env, conditions)
    before = [parameter.clone() for parameter in learner.model.parameters()]
    result = train_step(
        Problem(env, scoring(lambda text: None), conditions), learner, LearningSettings(batch=8)
    )
    assert "loss" not in result.metrics
    assert learner.step == 1
    for mine, theirs in zip(before, learner.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_replayed_trajectories_end_in_stored_objects_under_new_conditions(
    three_fragments: Vocabulary,
) -> None:
    env, conditions = Fragments(three_fragments, 3), Conditions(Temperature("uniform", (1.0, 9.0)))
    learner = a_learner(env, conditions)
    problem = Problem(env, scoring(lambda text: float(len(text))), conditions)
    settings = LearningSettings(batch=64, n_replayed=32, replay_start=1)
    train_step(problem, learner, settings)
    (again,), slots = replayed(problem, learner, settings)
    assert len(slots) == 32
    texts = env.decode(again.final_states)
    expected = again.condition.beta * torch.tensor([float(len(text)) for text in texts]).log()
    assert torch.allclose(again.log_reward, expected)
    assert len(set(again.condition.beta.tolist())) == 32


@pytest.mark.parametrize("learn_backward", [True, False])
def test_score_equals_what_the_policy_says_step_by_step(
    three_fragments: Vocabulary, learn_backward: bool
) -> None:
    env = Fragments(three_fragments, 3)
    policy = a_learner(env, Conditions(), learn_backward).model.policy
    condition = Conditions().fixed(40, 1.0)
    made: Any = rollout(env, policy, condition, torch.Generator().manual_seed(1))
    scores = score(policy, made)
    assert torch.allclose(scores.log_pf, made.log_behaviour, atol=1e-5)
    for row in range(40):
        for time in range(int(made.n_steps[row])):
            after = made.states[time + 1][row : row + 1]
            if bool(env.is_terminal(after)):
                assert scores.log_pb[time, row].item() == 0.0
                continue
            backward = policy(after, condition[row : row + 1]).backward
            expected = backward.log_prob(made.back_actions[time, row : row + 1])
            found = scores.log_pb[time, row].item()
            assert found == pytest.approx(expected.item(), abs=1e-5)
    assert not bool(scores.log_pf[~made.mask].any())


def test_a_bad_number_stops_the_run_and_is_named(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    learner = a_learner(env, conditions)
    settings = LearningSettings(batch=8, n_replayed=0)
    made = rollout(env, learner.model.policy, conditions.fixed(8, 1.0), learner.generator)
    bad = made.replace(log_reward=torch.tensor([0.0, 0.0, math.inf, 0.0, 0.0, 0.0, 0.0, 0.0]))
    learner.model.log_z.start_from(made.condition, torch.zeros(8))
    before = [parameter.clone() for parameter in learner.model.parameters()]
    with pytest.raises(NonFiniteLossError, match="log R is inf in trajectory 2 and 0 others") as caught:
        learn(Experience(bad, torch.zeros(8, dtype=torch.int64)), learner, settings)
    assert len(caught.value.batch["actions"]) == 8
    for mine, theirs in zip(before, learner.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("value", [1e-60, 1e30])
def test_rewards_keep_their_precision(three_fragments: Vocabulary, value: float) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions(Temperature("constant", (0.1,)))
    learner = a_learner(env, conditions)
    result = train_step(
        Problem(env, scoring(lambda text: value), conditions),
        learner,
        LearningSettings(batch=16, n_replayed=0),
    )
    assert result.metrics["reward_max"] == value
    assert learner.replay.state_dict()["reward"].unique().tolist() == [value]  # type: ignore[union-attr]


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_every_objective_learns(three_fragments: Vocabulary, objective: str) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    learner = a_learner(env, conditions)
    problem = Problem(env, scoring(lambda text: float(len(text))), conditions)
    balance = Balance(OBJECTIVES[objective], LOG_Z_ESTIMATES[objective])
    settings = LearningSettings(batch=64, n_replayed=0, algorithm=balance)
    losses = [train_step(problem, learner, settings).metrics["loss"] for _ in range(40)]
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])


def test_the_learning_rate_follows_the_step_also_when_nothing_was_learned(
    three_fragments: Vocabulary,
) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    model = a_learner(env, conditions).model
    optimizer = build_optimizer(model, OptimizerSettings(lr=1.0, log_z_lr=2.0))
    replay, generator = ReplayBuffer(10, env.max_steps, Priority()), torch.Generator()
    learner = Learner(model, optimizer, lambda step: 1.0 / (1 + step), replay, generator)
    for _ in range(3):
        train_step(Problem(env, scoring(lambda text: None), conditions), learner, LearningSettings(batch=4))
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.5]


@dataclass(frozen=True)
class Watched:
    """Trajectory balance that keeps what it was given."""

    given: list[Experience] = field(default_factory=list)
    needs_partial: bool = False
    old_decay: float | None = None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        self.given.append(experience)
        return Balance()(models, experience, generator)


def test_unknown_rewards_are_left_out(three_fragments: Vocabulary) -> None:
    env, conditions = Fragments(three_fragments, 2), Conditions()
    watched = Watched()
    problem = Problem(env, scoring(lambda text: None if "c" in text else float(len(text))), conditions)
    settings = LearningSettings(batch=64, n_replayed=0, algorithm=watched)
    result = train_step(problem, a_learner(env, conditions), settings)
    known = [item.text for item in result.objects if item.reward is not None]
    (experience,) = watched.given
    assert 0 < len(known) < 64
    assert env.decode(experience.trajectories.final_states) == known
    assert experience.trajectories.log_reward.tolist() == pytest.approx(
        [math.log(len(text)) for text in known]
    )


def test_trajectory_balance_by_hand() -> None:
    log_pf = torch.tensor([[-1.0, -0.5], [-2.0, 0.0]])
    log_pb = torch.tensor([[-0.25, 0.0], [0.0, 0.0]])
    residual = trajectory_balance(log_pf, log_pb, torch.tensor([0.5, 2.0]), torch.tensor(3.0))
    # 3 + (-3) - 0.5 + 0.25 and 3 + (-0.5) - 2.
    assert residual.tolist() == [-0.25, 0.5]
