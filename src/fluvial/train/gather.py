"""What a step learns from: fresh trajectories, their revisions, and replayed ones, with rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience
from fluvial.core.enumeration import labelled_identity
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.policy.behaviour import Exploration, Mixture
from fluvial.queue.records import PENDING, ScoredObject
from fluvial.rewards.diversity import Diversity
from fluvial.sample.local_search import ACCEPTANCE, propose
from fluvial.sample.rollout import backward_rollout, renumbered
from fluvial.train.learner import Learner, LearningSettings, Picking, Problem
from fluvial.train.scoring import Scoring


class Ledger:
    """What was asked in one step, so that nothing is scored twice before the store knows of it.

    Args:
        score: from texts to what is known of each.
    """

    def __init__(self, score: Scoring) -> None:
        self._score = score
        self.known: dict[str, ScoredObject] = {}
        self.seconds = 0.0
        """Time that the answers took."""

    def __call__(self, texts: Sequence[str]) -> list[ScoredObject]:
        """What is known of each text, in order; what is pending is asked for again the next time."""
        started = perf_counter()
        unknown = [text for text in dict.fromkeys(texts) if text not in self.known]
        found = dict(zip(unknown, self._score(unknown), strict=True)) if unknown else {}
        self.known.update({text: item for text, item in found.items() if item.status != PENDING})
        self.seconds += perf_counter() - started
        return [self.known[text] if text in self.known else found[text] for text in texts]


@dataclass(frozen=True)
class Made:
    """Trajectories made forward in this step, and what was said of their objects."""

    trajectories: Trajectories[Any]
    """With log reward and terms."""
    reward: Tensor
    """float64 [B], nan where there is none; as the diversity filter leaves it, if there is one."""
    objects: list[ScoredObject]

    def of_policy(self) -> Made:
        """Those that the policy made on its own."""
        return self.select((self.trajectories.origin == Origin.POLICY).nonzero().squeeze(1).tolist())

    def select(self, rows: Sequence[int]) -> Made:
        """Those at `rows`; itself where these are all."""
        if len(rows) == len(self.objects):
            return self
        chosen = torch.tensor(rows, dtype=torch.int64, device=self.reward.device)
        return Made(
            self.trajectories.select(chosen), self.reward[chosen], [self.objects[row] for row in rows]
        )


def acting_policy(learner: Learner, settings: LearningSettings) -> Policy:
    """Who samples: the current weights, a lagged copy of them, or a mixture of both."""
    current: Policy = learner.model.policy
    if settings.lag == 0.0:
        return current
    return Mixture(current, learner.copies["lagged"].policy, settings.lag_share)


def asked_for(problem: Problem, learner: Learner, n: int, repeats: int) -> Condition:
    """Conditions of `n` trajectories, `repeats` neighbours alike."""
    drawn = problem.conditions.sample(n // repeats, learner.generator)
    return drawn.repeat(repeats).to(problem.device)


def rewarded(problem: Problem, trajectories: Trajectories[Any], ledger: Ledger) -> Made:
    """The trajectories with what the reward says of their objects."""
    texts = problem.env.decode(trajectories.final_states)
    objects = ledger(texts) if problem.screening is None else problem.screening(texts, ledger)
    return judged(problem, trajectories, objects)


def judged(problem: Problem, trajectories: Trajectories[Any], objects: list[ScoredObject]) -> Made:
    """The trajectories with what is known of their objects."""
    reward, values = as_tensors(problem, objects)
    if problem.diversity is not None:
        reward, values = diminished(problem.diversity, objects, reward, values)
    log_reward = problem.target(reward, values, trajectories.condition)
    return Made(trajectories.replace(log_reward=log_reward, values=values), reward, objects)


def diminished(
    diversity: Diversity, objects: Sequence[ScoredObject], reward: Tensor, values: Tensor
) -> tuple[Tensor, Tensor]:
    """Rewards float64 [B] and terms float64 [B, K] as the diversity filter leaves them."""
    factors = diversity.factors([item.text for item in objects], [item.reward for item in objects])
    factor = reward.new_tensor(factors)
    lessened = torch.where(factor < 1.0, (reward * factor).clamp_min(diversity.floor), reward)
    return lessened, values * factor[:, None]


def as_tensors(problem: Problem, objects: Sequence[ScoredObject]) -> tuple[Tensor, Tensor]:
    """Rewards float64 [B], nan where there is none, and terms float64 [B, K]."""
    numbers = [math.nan if item.reward is None else item.reward for item in objects]
    reward = torch.tensor(numbers, dtype=torch.float64, device=problem.device)
    if problem.terms is None:
        return reward, reward.new_zeros((len(objects), 0))
    return reward, problem.terms(objects).to(reward)


def revised(
    problem: Problem,
    learner: Learner,
    settings: LearningSettings,
    explore: Exploration,
    made: Made,
    ledger: Ledger,
) -> list[Made]:
    """What local search visits from the fresh trajectories, a batch for each round."""
    env, generator, search = problem.env, learner.generator, settings.search
    current, visited = made.trajectories, []
    for _ in range(search.rounds):
        proposal = propose(
            env,
            acting_policy(learner, settings),
            current.final_states,
            current.condition,
            search.back,
            generator,
            explore,
            born=learner.step,
        )
        found = rewarded(problem, renumbered(env, proposal.new), ledger)
        new = found.trajectories
        # Only a chain that is to sample counts equivalent ways; one that climbs is to climb the reward.
        corrected = search.accept == "metropolis"
        is_better = ACCEPTANCE[search.accept](
            current.log_reward + corrected * current.log_symmetry,
            new.log_reward + corrected * new.log_symmetry,
            proposal.log_ratio,
            proposal.is_reversible,
            generator,
        )
        rows = torch.arange(len(is_better), device=is_better.device)
        current = Trajectories.cat([current, new]).select(rows + len(rows) * is_better)
        visited.append(found)
    return visited


def replayed(
    problem: Problem, learner: Learner, settings: LearningSettings
) -> tuple[list[Trajectories[Any]], Tensor]:
    """Stored objects under new conditions, and the slots they come from; none while the buffer fills."""
    replay, generator = learner.replay, learner.generator
    if settings.n_replayed == 0 or len(replay) == 0 or replay.n_offered < settings.replay_start:
        return [], torch.zeros(0, dtype=torch.int64)
    condition = asked_for(problem, learner, settings.n_replayed, settings.repeats)
    slots = suited(problem, learner, settings.picking, condition)
    reward, values = replay.rewards(slots, problem.device), replay.values(slots, problem.device)
    if settings.hindsight:
        condition = problem.conditions.in_hindsight(
            condition, values, problem.target, settings.hindsight, generator
        )
    if settings.stored_paths:
        trajectories = replay.stored(problem.env, slots, condition, problem.device)
    else:
        final_states, _ = replay.objects(problem.env, slots, problem.device)
        trajectories = backward_rollout(problem.env, learner.model.policy, final_states, condition, generator)
    return [trajectories.replace(log_reward=problem.target(reward, values, condition), values=values)], slots


def suited(problem: Problem, learner: Learner, picking: Picking, condition: Condition) -> Tensor:
    """Slots of stored objects for `condition` [n], int64 [n] on the CPU.

    One that is excellent at a rare trade-off is nothing to the mean of all terms, so a choice by one fixed
    reward would not bring it back to those who ask for it.
    """
    replay, generator, n = learner.replay, learner.generator, len(condition)
    drawn = replay.draw(n * picking.of, generator)
    if picking.of == 1:
        return drawn
    reward, values = replay.rewards(drawn, problem.device), replay.values(drawn, problem.device)
    rows = torch.arange(n, device=problem.device).repeat_interleave(picking.of)
    best = problem.target(reward, values, condition[rows]).reshape(n, picking.of).argmax(dim=1).cpu()
    order = torch.randperm(n, generator=generator, device=generator.device).cpu()
    place = torch.where(order < round(n * picking.share), best, 0)
    return drawn.reshape(n, picking.of).gather(1, place[:, None]).squeeze(1)


def given(
    problem: Problem, learner: Learner, settings: LearningSettings, ledger: Ledger
) -> list[Trajectories[Any]]:
    """Ways back from given objects; the reward is asked for those whose reward the data do not hold."""
    if problem.data is None or settings.n_data == 0:
        return []
    slots = problem.data.draw(settings.n_data, learner.generator)
    condition = asked_for(problem, learner, settings.n_data, settings.repeats)
    drawn = problem.data.trajectories(
        problem.env, learner.model.policy, slots, condition, learner.generator, problem.target
    )
    is_unknown = drawn.log_reward.isnan()
    if not bool(is_unknown.any()):
        return [drawn]
    scored = rewarded(problem, drawn.select(is_unknown.nonzero().squeeze(1)), ledger).trajectories
    is_known = (~is_unknown).nonzero().squeeze(1)
    return [*([drawn.select(is_known)] if len(is_known) else []), scored]


def experience_of(
    problem: Problem, trajectories: Trajectories[Any], settings: LearningSettings, ledger: Ledger, step: int
) -> Experience:
    """What the algorithm learns from; all rewards are known."""
    group = torch.unique(labelled_identity(trajectories.condition), return_inverse=True)[1]
    partial = partial_targets(problem, trajectories, ledger) if settings.algorithm.needs_partial else None
    return Experience(trajectories, group, partial, step)


def partial_targets(problem: Problem, trajectories: Trajectories[Any], ledger: Ledger) -> Tensor:
    """Targets of the unfinished states that are objects, symmetry corrected, float [T + 1, B]; else nan."""
    n_times, n_rows = trajectories.mask.shape
    live = trajectories.mask.flatten().nonzero().squeeze(1)
    states = trajectories.states[:-1].flatten()[live]
    is_object = problem.env.mask(states)[:, 0].nonzero().squeeze(1)
    states, place = states[is_object], live[is_object]
    reward, values = as_tensors(problem, ledger(problem.env.decode(states)))
    target = problem.target(reward, values, trajectories.condition[place % n_rows])
    finished = problem.env.step(states, torch.zeros_like(place))
    target = target + problem.env.log_symmetry(finished).to(target)
    everywhere = target.new_full(((n_times + 1) * n_rows,), math.nan)
    return everywhere.index_copy(0, place, target).reshape(n_times + 1, n_rows)
