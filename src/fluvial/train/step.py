"""One training step, to be read in a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.core.errors import NonFiniteLossError
from fluvial.core.types import Origin, Trajectories
from fluvial.losses.backward import negative_log_likelihood
from fluvial.queue.records import ScoredObject
from fluvial.train.asked import named_conditions
from fluvial.train.collect import Collect, collected, staleness
from fluvial.train.gather import Ledger, Made, experience_of, given, replayed
from fluvial.train.learner import Learner, LearningSettings, Problem

REMEDIES = {
    "log R": "Bring the rewards into the range of float32 to the power of beta, or lower beta",
    "R": "Bring the rewards into the range of float32 to the power of beta, or lower beta",
}
"""What to do about a part that is not finite; for the others, smaller steps."""


@dataclass(frozen=True)
class StepResult:
    """What a step made and learned."""

    objects: list[ScoredObject]
    """Of the trajectories whose outcome became known in this step: those made before, on-policy ones of
    this step, then those of local search."""
    metrics: dict[str, float]
    """Reproducible numbers."""
    seconds: dict[str, float]
    """Wall time of the parts: sample, reward, learn."""
    intermediate: list[ScoredObject] = field(default_factory=list)
    """Further objects that were scored on the way."""
    conditions: list[dict[str, float]] = field(default_factory=list)
    """What each of `objects` was asked for, by name."""
    born: list[int] = field(default_factory=list)
    """Step of the policy that made each of `objects`, from 0."""
    delays: dict[str, float] = field(default_factory=dict)
    """How long answers took and questions wait, in seconds; see `Answers.delays`."""


def train_step(
    problem: Problem, learner: Learner, settings: LearningSettings, collect: Collect = collected
) -> StepResult:
    """Sample and ask, take what is answered, replay, and move the weights once."""
    started, ledger = perf_counter(), Ledger(problem.score)
    late, at_once = collect(problem, learner, settings, ledger)
    made, asking = [*late, *at_once], ledger.seconds
    collecting = perf_counter() - started - asking

    for part in made:
        key = problem.env.key(part.trajectories.final_states)
        learner.replay.add(part.trajectories, key, part.reward)
    again, slots = replayed(problem, learner, settings)
    others = [*(part.trajectories for part in made), *given(problem, learner, settings, ledger)]
    batch = Trajectories.cat([*others, *again])
    slot = torch.cat([torch.full((len(batch.log_reward) - len(slots),), -1), slots])
    rows = (~batch.log_reward.isnan()).nonzero().squeeze(1)
    learned: dict[str, float] = {}
    if len(rows):
        experience = experience_of(problem, batch.select(rows), settings, ledger, learner.step)
        learned, loss = learn(experience, learner, settings)
        drawn_from = slot[rows.cpu()]
        is_stored = (drawn_from >= 0) & ~loss.cpu().isnan()
        learner.replay.record_loss(drawn_from[is_stored], loss.cpu()[is_stored])
    learner.advance()
    metrics = {**summarise(made), **learned, "replay_size": float(len(learner.replay))}
    metrics |= staleness(late, learner)
    learning = perf_counter() - started - collecting - asking
    seconds = {"sample": collecting, "reward": asking, "learn": learning}
    return result_of(problem, made, ledger, metrics, seconds)


def learn(
    experience: Experience, learner: Learner, settings: LearningSettings
) -> tuple[dict[str, float], Tensor]:
    """One update of the weights on trajectories with known reward: metrics, and losses float [B]."""
    model = learner.model.train()
    needs_old = settings.algorithm.old_decay is not None
    models = Models(model, learner.copies["old"] if needs_old else model)
    learned = settings.algorithm(models, experience, learner.generator)
    each = weighted(learned, experience.trajectories, settings)
    loss = each.mean()
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm or torch.inf)
    require_finite({"loss": loss, "gradient": norm}, learned.parts, experience.trajectories)
    learner.optimizer.step()
    model.eval()
    learner.average_weights(settings.ema_decay)
    metrics = {"loss": loss, "gradient_norm": norm, **learned.metrics}
    if learned.log_z is not None:
        metrics["log_z"] = learned.log_z.mean()
    own_loss = learned.loss if learned.own_loss is None else learned.own_loss
    return {name: value.item() for name, value in metrics.items()}, own_loss.detach()


def weighted(learned: Learned, trajectories: Trajectories[Any], settings: LearningSettings) -> Tensor:
    """The losses of the trajectories with their weights, float [B]."""
    loss, origin = learned.loss, trajectories.origin
    if settings.length_normalise:
        loss = loss / trajectories.n_steps
    if settings.likelihood_weight and learned.log_pf is not None:
        is_given = origin != Origin.POLICY
        surprise = negative_log_likelihood(learned.log_pf)
        loss = loss + settings.likelihood_weight * torch.where(is_given, surprise, 0.0)
    if settings.source_weights:
        weights = [settings.source_weights.get(source, 1.0) for source in Origin]
        loss = loss * loss.new_tensor(weights)[origin]
    return loss


def result_of(
    problem: Problem,
    made: Sequence[Made],
    ledger: Ledger,
    metrics: dict[str, float],
    seconds: dict[str, float],
) -> StepResult:
    """What is recorded of a step: the objects made, what was asked for, and what was scored on the way."""
    objects = [item for part in made for item in part.objects]
    sampled_texts = {item.text for item in objects}
    intermediate = [item for text, item in ledger.known.items() if text not in sampled_texts]
    asked = [row for part in made for row in named_conditions(part.trajectories.condition, problem.names)]
    born = [step for part in made for step in part.trajectories.born.tolist()]
    return StepResult(objects, metrics, seconds, intermediate, asked, born, problem.answers.delays())


def require_finite(
    results: Mapping[str, Tensor], parts: Mapping[str, Tensor], batch: Trajectories[Any]
) -> None:
    """Stop with the cause before a bad number reaches the weights.

    Raises:
        NonFiniteLossError: the loss or the norm of its gradient is NaN or infinite; carries the batch.
    """
    if all(bool(torch.isfinite(value)) for value in results.values()):
        return
    record = {name: values.tolist() for name, values in parts.items()}
    record |= {"actions": batch.actions.T.tolist(), "n_steps": batch.n_steps.tolist()}
    summary = ", ".join(f"{name} is {value.item():g}" for name, value in results.items())
    for name, values in parts.items():
        bad = (~torch.isfinite(values)).nonzero().flatten().tolist()
        if bad:
            cause = f"{name} is {values[bad[0]].item():g} in trajectory {bad[0]} and {len(bad) - 1} others"
            remedy = REMEDIES.get(name, "Lower optimizer.lr or optimizer.clip_norm")
            raise NonFiniteLossError(f"{summary}: {cause}. {remedy}", record)
    names = " and ".join(parts)
    raise NonFiniteLossError(f"{summary} although {names} are finite", record)


def summarise(made: Sequence[Made]) -> dict[str, float]:
    """Reproducible numbers about on-policy trajectories; none where there are none."""
    own = [part.of_policy() for part in made]
    objects = [item for part in own for item in part.objects]
    if not objects:
        return {}
    n_steps = torch.cat([part.trajectories.n_steps for part in own])
    log_behaviour = torch.cat([part.trajectories.log_behaviour.sum(dim=0) for part in own])
    texts = [item.text for item in objects]
    known = np.array([item.reward for item in objects if item.reward is not None], dtype=np.float64)
    numbers = {
        "n_steps": n_steps.double().mean().item(),
        "behaviour_entropy": -log_behaviour.mean().item(),
        "unique_share": len(set(texts)) / len(texts),
        "failed_share": 1.0 - len(known) / len(texts),
    }
    if len(known):
        levels = np.quantile(known, [0.1, 0.5, 0.9])
        numbers |= dict(zip(("reward_q10", "reward_median", "reward_q90"), map(float, levels), strict=True))
        numbers |= {"reward_mean": float(known.mean()), "reward_max": float(known.max())}
    return numbers
