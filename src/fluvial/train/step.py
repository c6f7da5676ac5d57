"""One training step, to be read in a minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fluvial.core.errors import NonFiniteLossError
from fluvial.core.types import Scores, Trajectories
from fluvial.losses.objectives import LOG_Z_ESTIMATES, weighted_mean
from fluvial.policy.average import update_average
from fluvial.policy.behaviour import Exploration
from fluvial.queue.records import ScoredObject
from fluvial.rewards.conditions import log_reward
from fluvial.sample.rollout import backward_rollout, rollout
from fluvial.sample.score import log_importance, score
from fluvial.train.learner import Learner, LearningSettings, Problem

REMEDIES = {"log R": "Bring the rewards into the range of float32 to the power of beta, or lower beta"}
"""What to do about a part that is not finite; for the others, smaller steps."""


@dataclass(frozen=True)
class StepResult:
    """What a step made and learned."""

    objects: list[ScoredObject]
    """Of the on-policy trajectories, in order."""
    metrics: dict[str, float]
    """Reproducible numbers."""
    seconds: dict[str, float]
    """Wall time of the parts: sample, reward, learn."""


def train_step(problem: Problem, learner: Learner, settings: LearningSettings) -> StepResult:
    """Sample, score, replay, and move the weights once."""
    env, model, generator = problem.env, learner.model, learner.generator
    started = perf_counter()
    condition = problem.conditions.sample(settings.batch, generator).to(problem.device)
    explore = Exploration(settings.epsilon(learner.step), settings.temperature)
    fresh = rollout(env, model.policy, condition, generator, explore, born=learner.step)
    texts = env.decode(fresh.final_states)

    sampled = perf_counter()
    objects = problem.score(texts)
    scored = perf_counter()

    known = [as_number(item.reward) for item in objects]
    raw_reward = torch.tensor(known, dtype=torch.float64, device=problem.device)
    fresh = fresh.replace(log_reward=log_reward(raw_reward, condition.beta))
    learner.replay.add(fresh, env.key(fresh.final_states), raw_reward)
    batch = with_known_reward(Trajectories.cat([fresh, *replayed(problem, learner, settings)]))
    learned = learn(batch, learner, settings) if len(batch.log_reward) else {}
    learner.advance()
    metrics = {**summarise(fresh, raw_reward, texts), **learned, "replay_size": float(len(learner.replay))}
    finished = perf_counter()
    seconds = {"sample": sampled - started, "reward": scored - sampled, "learn": finished - scored}
    return StepResult(objects, metrics, seconds)


def replayed(problem: Problem, learner: Learner, settings: LearningSettings) -> list[Trajectories[Any]]:
    """New backward trajectories of stored objects, under new conditions; none while the buffer fills."""
    if settings.n_replayed == 0 or len(learner.replay) < settings.replay_start:
        return []
    slots = learner.replay.draw(settings.n_replayed, learner.generator)
    final_states, raw_reward = learner.replay.objects(problem.env, slots, problem.device)
    condition = problem.conditions.sample(settings.n_replayed, learner.generator).to(problem.device)
    trajectories = backward_rollout(
        problem.env, learner.model.policy, final_states, condition, learner.generator
    )
    return [trajectories.replace(log_reward=log_reward(raw_reward, condition.beta))]


def with_known_reward(batch: Trajectories[Any]) -> Trajectories[Any]:
    """The trajectories whose reward is known: a failed reward is missing, never 0."""
    return batch.select((~batch.log_reward.isnan()).nonzero().squeeze(1))


def learn(batch: Trajectories[Any], learner: Learner, settings: LearningSettings) -> dict[str, float]:
    """One update of the weights on trajectories with known reward."""
    model = learner.model.train()
    scores = score(model.policy, batch)
    target = batch.log_reward + batch.log_symmetry
    if not model.log_z.is_started:
        model.log_z.start_from(batch.condition, target - log_importance(scores).detach())
    log_z = model.log_z(batch.condition)
    group = torch.unique(batch.condition.beta, return_inverse=True)[1]
    residual, weight = settings.objective(scores, target, log_z, group)
    loss = weighted_mean(residual, weight, settings.regression)
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm or torch.inf)
    require_finite({"loss": loss, "gradient": norm}, scores, target, log_z, batch)
    learner.optimizer.step()
    model.eval()
    update_average(learner.average, model, settings.ema_decay, learner.step)
    estimate = LOG_Z_ESTIMATES[settings.objective](scores, target, log_z)
    return {"loss": loss.item(), "log_z": estimate.mean().item(), "gradient_norm": norm.item()}


def require_finite(
    results: dict[str, Tensor], scores: Scores, target: Tensor, log_z: Tensor, batch: Trajectories[Any]
) -> None:
    """Stop with the cause before a bad number reaches the weights.

    Raises:
        NonFiniteLossError: the loss or the norm of its gradient is NaN or infinite; carries the batch.
    """
    if all(bool(torch.isfinite(value)) for value in results.values()):
        return
    parts = {
        "log R": target,
        "log Z": log_z,
        "log P_F": scores.log_pf.sum(dim=0),
        "log P_B": scores.log_pb.sum(dim=0),
    }
    record = {name: values.tolist() for name, values in parts.items()}
    record |= {"actions": batch.actions.T.tolist(), "n_steps": batch.n_steps.tolist()}
    summary = ", ".join(f"{name} is {value.item():g}" for name, value in results.items())
    for name, values in parts.items():
        bad = (~torch.isfinite(values)).nonzero().flatten().tolist()
        if bad:
            cause = f"{name} is {values[bad[0]].item():g} in trajectory {bad[0]} and {len(bad) - 1} others"
            remedy = REMEDIES.get(name, "Lower optimizer.lr or optimizer.clip_norm")
            raise NonFiniteLossError(f"{summary}: {cause}. {remedy}", record)
    raise NonFiniteLossError(f"{summary} although log R, log Z, log P_F and log P_B are finite", record)


def as_number(reward: float | None) -> float:
    """The reward, nan where there is none."""
    return math.nan if reward is None else reward


def summarise(fresh: Trajectories[Any], reward: Tensor, texts: list[str]) -> dict[str, float]:
    """Reproducible numbers about on-policy trajectories; `reward` float [B], nan where missing."""
    known = reward[~reward.isnan()].cpu().numpy()
    numbers = {
        "n_steps": fresh.n_steps.double().mean().item(),
        "behaviour_entropy": -fresh.log_behaviour.sum(dim=0).mean().item(),
        "unique_share": len(set(texts)) / len(texts),
        "failed_share": 1.0 - len(known) / len(texts),
    }
    if len(known):
        levels = np.quantile(known, [0.1, 0.5, 0.9])
        numbers |= dict(zip(("reward_q10", "reward_median", "reward_q90"), map(float, levels), strict=True))
        numbers |= {"reward_mean": float(known.mean()), "reward_max": float(known.max())}
    return numbers
