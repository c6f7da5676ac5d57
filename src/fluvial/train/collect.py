"""New trajectories whose outcome is known: made now, or made before and answered meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from fluvial.policy.behaviour import Exploration
from fluvial.queue.records import PENDING
from fluvial.sample.rollout import rollout
from fluvial.train.gather import Ledger, Made, acting_policy, asked_for, judged, revised, rewarded
from fluvial.train.learner import Learner, LearningSettings, Problem


def collected(
    problem: Problem, learner: Learner, settings: LearningSettings, ledger: Ledger
) -> tuple[list[Made], list[Made]]:
    """Trajectories that were answered late, and those answered at once: as many as a step makes, in all.

    What has no answer yet waits, at most `most_waiting` of them. Until as many as that wait, more are made in
    place of waiting for answers, so that those who answer have enough to do. Where training does not wait,
    fewer come, as long as there is something to learn from. Once nothing more may be asked, only what waits
    is waited for.
    """
    if problem.answers.is_spent():
        while len(learner.waiting) and not answered_rows(problem, learner):
            problem.answers.wait()
        return answered_only(problem, learner, settings, ledger)
    n_due = settings.batch * (1 + settings.search.rounds)
    at_once: list[Made] = []
    try:
        while True:
            answered = answered_rows(problem, learner)
            n_open = len(learner.waiting) - len(answered)
            if n_open == 0 or n_open + n_due <= settings.most_waiting:
                at_once += [part for part in explored(problem, learner, settings, ledger) if part.objects]
                answered = answered_rows(problem, learner)
            elif not is_enough(learner, settings, n_due, answered, at_once):
                problem.answers.wait()
                continue
            if is_enough(learner, settings, n_due, answered, at_once):
                break
    except BaseException:
        # The run may end here and be saved.
        for part in at_once:
            learner.waiting.add(part.trajectories, [item.text for item in part.objects])
        raise
    rows = answered[: max(0, n_due - count(at_once))]
    return ([taken(problem, learner, ledger, rows)] if rows else []), at_once


def answered_only(
    problem: Problem, learner: Learner, settings: LearningSettings, ledger: Ledger
) -> tuple[list[Made], list[Made]]:
    """Trajectories whose answer has come, at most a batch of them; nothing is made or waited for."""
    rows = answered_rows(problem, learner)[: settings.batch]
    return ([taken(problem, learner, ledger, rows)] if rows else []), []


Collect = Callable[[Problem, Learner, LearningSettings, Ledger], tuple[list[Made], list[Made]]]
"""Late and immediate trajectories of a step, see `collected`."""


def exploration(learner: Learner, settings: LearningSettings) -> Exploration:
    """How far the acting policy strays in this step."""
    return Exploration(settings.epsilon(learner.step), settings.temperature)


def explored(problem: Problem, learner: Learner, settings: LearningSettings, ledger: Ledger) -> list[Made]:
    """A batch of the acting policy and its revisions; what has no answer at once waits."""
    condition = asked_for(problem, learner, settings.batch, settings.repeats)
    explore = exploration(learner, settings)
    policy = acting_policy(learner, settings)
    fresh = rollout(problem.env, policy, condition, learner.generator, explore, born=learner.step)
    if settings.most_waiting:
        learner.waiting.announce(fresh, problem.env.decode(fresh.final_states))
    made = rewarded(problem, fresh, ledger)
    problem.conditions.met(condition, made.trajectories.values)
    again = revised(problem, learner, settings, explore, made, ledger)
    return [set_aside(learner, part) for part in (made, *again)]


def set_aside(learner: Learner, made: Made) -> Made:
    """What of it is known; the rest waits."""
    is_pending = [item.status == PENDING for item in made.objects]
    pending = made.select([row for row, is_open in enumerate(is_pending) if is_open])
    learner.waiting.add(pending.trajectories, [item.text for item in pending.objects])
    return made.select([row for row, is_open in enumerate(is_pending) if not is_open])


def answered_rows(problem: Problem, learner: Learner) -> list[int]:
    """The waiting trajectories whose answer has come, in the order in which they were made."""
    if len(learner.waiting) == 0:
        return []
    still_open = problem.answers.still_open()
    return [row for row, text in enumerate(learner.waiting.texts) if text not in still_open]


def taken(problem: Problem, learner: Learner, ledger: Ledger, rows: Sequence[int]) -> Made:
    """Trajectories that have waited, with what was answered."""
    trajectories, texts = learner.waiting.take(problem.env, rows, problem.device)
    found = set_aside(learner, judged(problem, trajectories, ledger(texts)))
    own = found.of_policy().trajectories
    problem.conditions.met(own.condition, own.values)
    return found


def is_enough(
    learner: Learner,
    settings: LearningSettings,
    n_due: int,
    answered: Sequence[int],
    at_once: Sequence[Made],
) -> bool:
    """Whether a step can go on with what there is."""
    n_known = len(answered) + count(at_once)
    if settings.waits_for_room:
        return n_known >= n_due
    return n_known > 0 or can_replay(learner, settings)


def can_replay(learner: Learner, settings: LearningSettings) -> bool:
    """Whether stored objects can be learned from."""
    replay = learner.replay
    return settings.n_replayed > 0 and len(replay) > 0 and replay.n_offered >= settings.replay_start


def staleness(late: Sequence[Made], learner: Learner) -> dict[str, float]:
    """How old is what was learned from, and what waits; nothing where every reward is known at once."""
    waiting = learner.waiting
    found = {"waiting": float(len(waiting))} if len(waiting) or late else {}
    if late:
        # The step has been counted by now.
        lag = torch.cat([learner.step - 1 - part.trajectories.born for part in late]).double()
        found |= {"policy_lag": lag.mean().item(), "policy_lag_max": lag.max().item()}
    return found


def count(parts: Sequence[Made]) -> int:
    """Trajectories in all."""
    return sum(len(part.objects) for part in parts)
