"""A run whose loop is somebody else's: objects to measure out, results in, training in between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from fluvial.config.run_config import RunConfig
from fluvial.config.terms import WAYS
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.files import write_text_atomic
from fluvial.queue import people
from fluvial.queue.jobs import Job
from fluvial.queue.records import UNANSWERED
from fluvial.sample.rollout import rollout
from fluvial.train.collect import answered_only, answered_rows, can_replay, exploration
from fluvial.train.gather import Ledger, acting_policy, asked_for, rewarded
from fluvial.train.oracles import oracle_of
from fluvial.train.run import Run, keep_journal, one_step, save
from fluvial.train.scoring import QueueAnswers
from fluvial.train.signals import StopSignals

MOST_FRUITLESS = 20
"""Batches in a row without a new object after which no more are made; arbitrary."""
HELD = "held.json"
"""File in the folder of a run: the objects that were given out and their leases."""


class Campaign:
    """Gives out objects to measure, takes results, and trains on what is there; each call is saved.

    Use it as a context, or close it: no other process can train the run meanwhile.

    Args:
        opening: the run and its lock, with a configuration that `people_oracle` accepts.
        base: folder that relative paths of the configuration start from.
    """

    def __init__(self, opening: AbstractContextManager[Run], base: Path) -> None:
        with ExitStack() as stack:
            run = stack.enter_context(opening)
            answers = run.problem.answers
            assert isinstance(answers, QueueAnswers)
            self.run, self._queue = run, answers.terms.queue
            self._oracle = people_oracle(run.config, base)
            self._path = run.directory.path / HELD
            self._held = held_jobs(self._path)
            keep_journal(run)
            save(run)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Let go of the run, so that it can be opened again."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self.run.directory.path

    @property
    def step(self) -> int:
        """Training steps so far."""
        return self.run.learner.step

    @property
    def asked(self) -> list[str]:
        """Objects that were given out and not told yet."""
        ended = self._queue.known(self._oracle, list(self._held))
        return [text for text in self._held if text not in ended]

    def ask(self, n: int | None = None, days: float = 7.0) -> list[str]:
        """At most `n` objects to measure, those first that were given out before and not told yet.

        As many new ones are made as are missing. Fewer come where the policy makes nothing new any more.

        Args:
            n: at least 1; None for what is left of the last batch, or else what is new in one new batch.
            days: after which they go to whoever else answers this queue; more than 0.

        Raises:
            ConfigError: `n` or `days` is out of range.
        """
        if days <= 0:
            raise ConfigError(f"days = {days} must be more than 0")
        if n is not None:
            _require_some("n", n)
        self._hold(self.asked, days)
        if n is None and not self._held:
            self._explore()
            self._claim(len(self.run.learner.waiting), days)
        fruitless = 0
        while n is not None and len(self._held) < n and fruitless < MOST_FRUITLESS:
            before = len(self._held)
            self._claim(n - before, days)
            if len(self._held) < n:
                self._explore()
                self._claim(n - len(self._held), days)
            fruitless = 0 if len(self._held) > before else fruitless + 1
        # Leases first: the journal has the trajectories already, and nothing else knows what was given out.
        write_text_atomic(self._path, json.dumps([asdict(job) for job in self._held.values()]))
        save(self.run)
        return list(self._held)[:n]

    def tell(self, found: Mapping[str, people.Found]) -> int:
        """How many results were new; the first one of an object stays.

        Args:
            found: object to its number, to several by name, or to None or a text where there is none.

        Raises:
            ConfigError: an object was not asked about, or what was found is no number and no reason.
        """
        told = self._queue.known(self._oracle, [text for text in found if text not in self._held])
        new = {text: value for text, value in found.items() if text not in told}
        return people.tell(self._queue, self._held, new)

    def train(self, steps: int) -> dict[str, float]:
        """Metrics of the last of so many steps on what was told and what is stored; nothing new is made.

        An interrupt lets the current step end, and everything is saved.

        Raises:
            ConfigError: `steps` is less than 1.
            DataError: there is nothing to learn from.
            StoppedError: it was interrupted.
        """
        _require_some("steps", steps)
        metrics: dict[str, float] = {}
        with StopSignals() as signals:
            for _ in range(steps):
                if signals.received:
                    break
                self._require_experience()
                metrics = one_step(self.run, answered_only).metrics
            save(self.run)
            signals.raise_if_received(self.path, self.step)
        return metrics

    def _require_experience(self) -> None:
        run = self.run
        if answered_rows(run.problem, run.learner) or can_replay(run.learner, run.settings):
            return
        n_asked = len(self.asked)
        remedy = "Tell some" if n_asked else "Ask for some and tell them"
        raise DataError(
            f"{run.directory.path}: nothing to learn from: {n_asked} objects were asked about and not told,"
            f" and replay begins at {run.settings.replay_start} results. {remedy}, or lower replay.start"
        )

    def _explore(self) -> None:
        """Make a batch and ask about what is new in it; all of it waits for the next training step."""
        problem, learner, settings = self.run.problem, self.run.learner, self.run.settings
        condition = asked_for(problem, learner, settings.batch, settings.repeats)
        made = rollout(
            problem.env,
            acting_policy(learner, settings),
            condition,
            learner.generator,
            exploration(learner, settings),
            born=learner.step,
        )
        learner.waiting.announce(made, problem.env.decode(made.final_states))
        found = rewarded(problem, made, Ledger(problem.score))
        kept = found.select([row for row, item in enumerate(found.objects) if item.status != UNANSWERED])
        learner.waiting.add(kept.trajectories, [item.text for item in kept.objects])

    def _hold(self, texts: list[str], days: float) -> None:
        """Keep those of `texts` whose lease is still ours."""
        jobs = [self._held[text] for text in texts]
        mine = self._queue.extend(jobs, days * people.DAY_SECONDS) if jobs else set()
        self._held = {job.text: job for job in jobs if job.id in mine}

    def _claim(self, n: int, days: float) -> None:
        if n > 0 and self._oracle in self._queue.oracles():
            self._held |= people.ask(self._queue, n, days, self._oracle)


def _require_some(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name} = {value} must be at least 1")


def held_jobs(path: Path) -> dict[str, Job]:
    """What was given out, by text; nothing where there is no file.

    Raises:
        DataError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        jobs = [Job(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({error}). Delete it: what was given out is given out again after its days"
        ) from None
    return {job.text: job for job in jobs}


def people_oracle(config: RunConfig, base: Path) -> str:
    """Fingerprint of the oracle that people answer.

    Raises:
        ConfigError: there is none, there are several, or the run would wait for people where a campaign must
            not.
    """
    terms = [term for term in config.queued_terms if term.kind == "oracle"]
    found = {
        oracle_of(term, base).fingerprint for term in terms if all(getattr(term, way) is None for way in WAYS)
    }
    if len(found) != 1:
        raise ConfigError(
            f"a campaign needs one reward term of kind 'oracle' without {', '.join(WAYS)}, which people"
            f" answer; there are {len(found)}. Several numbers of one object are outputs of one oracle"
        )
    waits = {"queue.most_waiting": config.queue.most_waiting == 0, "evaluate.every": config.evaluate.every}
    for key in [key for key, is_so in waits.items() if is_so]:
        raise ConfigError(f"{key}: a campaign cannot wait for people in the midst of a step; leave it out")
    return found.pop()
