"""A run: the pieces that a configuration names, the folder they are kept in, and the loop."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from fluvial.chem.properties import PROPERTIES
from fluvial.config.resume import formula_of
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import FailedRunError, NonFiniteLossError, ResumeError
from fluvial.core.files import write_text_atomic
from fluvial.core.memory import give_back_memory
from fluvial.predictors.registry import PREDICTORS
from fluvial.queue.records import UNANSWERED, ScoredObject
from fluvial.queue.store import Store
from fluvial.replay.journal import FILE_NAME, Journal
from fluvial.rewards.conditions import Memory
from fluvial.rewards.terms import Term
from fluvial.train.build import Pieces
from fluvial.train.checkpoint import Checkpoint, write_checkpoint
from fluvial.train.collect import Collect, can_replay, collected
from fluvial.train.conditions import build_conditions, build_diversity, build_target, names_of
from fluvial.train.export import write_candidates
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.rules import build_learner, build_settings
from fluvial.train.run_directory import RunDirectory, package_versions
from fluvial.train.scoring import Answers, AtOnce, StopWaitingError, forbearing, patient, remembering
from fluvial.train.screening import build_screening
from fluvial.train.signals import StopSignals
from fluvial.train.step import StepResult, train_step
from fluvial.train.validation import Validation, settled

MOST_STEPS_WITHOUT_REWARD = 5
"""Steps in a row in which every object failed, after which a run stops; arbitrary."""
STEPS_BETWEEN_TRIMS = 50
"""Steps after which freed memory is given back: at most half a percent of their time; arbitrary."""


class Progress(Protocol):
    """Who is told how a run goes."""

    def on_resume(self, run: Run, warnings: Sequence[str]) -> None:
        """The run was put back to a checkpoint; damaged ones were skipped with a warning."""
        ...

    def on_step(self, run: Run, result: StepResult) -> None:
        """A step has ended."""
        ...

    def on_checkpoint(self, run: Run) -> None:
        """A checkpoint and the tables were written."""
        ...

    def on_spent(self, run: Run) -> None:
        """The run ends before its last step, as no term may be asked any more."""
        ...


class SilentProgress:
    """Tells nobody."""

    def on_resume(self, run: Run, warnings: Sequence[str]) -> None:
        """Nothing."""

    def on_step(self, run: Run, result: StepResult) -> None:
        """Nothing."""

    def on_checkpoint(self, run: Run) -> None:
        """Nothing."""

    def on_spent(self, run: Run) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Run:
    """Everything that a training process holds."""

    config: RunConfig
    directory: RunDirectory
    store: Store
    problem: Problem
    learner: Learner
    settings: LearningSettings
    terms: tuple[Term, ...] = ()
    """Of the reward; none where the environment has its own."""
    validation: Validation | None = None
    """What is measured on the way; None where nothing is."""


def assemble(
    pieces: Pieces,
    directory: RunDirectory,
    store: Store,
    answers: Answers | None = None,
    is_patient: bool = False,
) -> Run:
    """A run at its beginning.

    Args:
        pieces: what it is made of.
        directory: its folder.
        store: where it records.
        answers: of queued reward terms; None where there are none.
        is_patient: whether everything that is scored is waited for, and left without a reward if none comes.
    """
    config, score = pieces.config, remembering(pieces.reward, store)
    answers = answers or AtOnce()
    if is_patient or not config.queue.most_waiting:
        score = patient(score, answers)
    problem = Problem(
        pieces.env,
        forbearing(score) if is_patient else score,
        build_conditions(config),
        pieces.device,
        pieces.data,
        pieces.values,
        build_target(config),
        build_diversity(config),
        names_of(config),
        answers,
        None if is_patient else build_screening(config, store),
    )
    return Run(
        config,
        directory,
        store,
        problem,
        build_learner(config, pieces.env, pieces.algorithm, pieces.device, directory.replay),
        build_settings(config, pieces.algorithm),
        pieces.terms,
        build_validation(config, problem),
    )


def build_validation(config: RunConfig, problem: Problem) -> Validation | None:
    """What is measured on the way, under conditions that are drawn once; None where nothing is to be."""
    chosen, conditions = config.evaluate, build_conditions(config)
    if not chosen.every:
        return None
    generator = torch.Generator(problem.device).manual_seed(config.seed)
    middle = conditions.fixed(1, conditions.beta.middle(), problem.device)
    return Validation(
        settled(problem),
        chosen.every,
        middle if chosen.conditions == 1 else conditions.sample(chosen.conditions, generator),
        chosen.repeats,
        chosen.objects,
        chosen.paths,
        chosen.exact_states,
        config.seed,
    )


def train(run: Run, progress: Progress, signals: StopSignals) -> None:
    """Train until a limit is met or a signal arrives, and save.

    Raises:
        StoppedError: a signal asked to stop; the run is saved.
        FailedRunError: no object had a reward for several steps, or no answer came for long; the run is
            saved.
        NonFiniteLossError: the loss is NaN or infinite; the batch is saved, the run is as at its last
            checkpoint.
    """
    started, stop = time.monotonic(), run.config.stop
    learner = run.learner
    keep_journal(run)
    if learner.step == 0:
        save(run)
    saved = learner.step
    while learner.step < stop.steps and not signals.received:
        if is_over(run):
            progress.on_spent(run)
            break
        try:
            progress.on_step(run, one_step(run))
        except StopWaitingError:
            # What waits is saved with the run.
            saved = -1
            break
        except FailedRunError:
            save(run)
            raise
        if learner.step % STEPS_BETWEEN_TRIMS == 0:
            give_back_memory()
        if learner.step % run.config.log.checkpoint_every == 0:
            saved = save(run)
            progress.on_checkpoint(run)
        if stop.minutes is not None and time.monotonic() - started > 60.0 * stop.minutes:
            break
    if saved != learner.step:
        save(run)
        progress.on_checkpoint(run)
    signals.raise_if_received(run.directory.path, learner.step)


def is_over(run: Run) -> bool:
    """Whether all calls are spent and answered, and nothing more is to be learned from."""
    if not run.problem.answers.is_spent() or len(run.learner.waiting):
        return False
    return run.config.queue.when_spent == "end" or not can_replay(run.learner, run.settings)


def one_step(run: Run, collect: Collect = collected) -> StepResult:
    """One training step, recorded in the store."""
    learner = run.learner
    before = learner.generator.get_state()
    try:
        result = train_step(run.problem, learner, run.settings, collect)
    except (StopWaitingError, FailedRunError):
        if len(learner.waiting) == 0:
            # Nothing of the step is left, and a resumed run makes it again as it was.
            learner.generator.set_state(before)
        raise
    except NonFiniteLossError as error:
        path = run.directory.path / f"failed-batch-{learner.step:06d}.json"
        write_text_atomic(path, json.dumps(error.batch))
        raise NonFiniteLossError(
            f"step {learner.step}: {error}. The batch is in {path}", error.batch
        ) from None
    try:
        result = validated(run, result)
    except StopWaitingError:
        pass
    finally:
        record(run, result)
    require_rewards(learner, result.objects)
    return result


def validated(run: Run, result: StepResult) -> StepResult:
    """The result of a step, with what is measured after it where that is due."""
    validation, step = run.validation, run.learner.step
    if validation is None or not validation.is_due(step, run.config.stop.steps):
        return result
    return replace(result, metrics=result.metrics | validation(run.learner.average))


def record(run: Run, result: StepResult) -> None:
    """Keep what a step made; objects without an answer are left for another time.

    Where every object failed, that says more of the tool than of the objects: they are left too.
    """
    works = any(item.reward is not None for item in result.objects)
    answered = [row for row, item in enumerate(result.objects) if works and item.status != UNANSWERED]
    sampled = [result.objects[row] for row in answered]
    on_the_way = [item for item in result.intermediate if works and item.status != UNANSWERED]
    run.store.record_step(
        run.learner.step,
        sampled + on_the_way,
        [item.text for item in sampled],
        result.metrics,
        [result.conditions[row] for row in answered] if result.conditions else (),
        [result.born[row] for row in answered] if result.born else (),
    )


def require_rewards(learner: Learner, objects: list[ScoredObject]) -> None:
    """Stop a run whose reward never answers.

    Raises:
        FailedRunError: every object of several steps in a row failed.
    """
    if not objects:
        return
    learner.steps_without_reward = (
        0 if any(item.reward is not None for item in objects) else learner.steps_without_reward + 1
    )
    if learner.steps_without_reward >= MOST_STEPS_WITHOUT_REWARD:
        learner.steps_without_reward = 0
        raise FailedRunError(
            f"no object of the last {MOST_STEPS_WITHOUT_REWARD} steps got a reward; the last reason is:"
            f" {objects[-1].reason}. Mend the reward, then continue with `fluvial resume`"
        )


def save(run: Run) -> int:
    """Write a checkpoint and refresh the tables; the step that was saved."""
    learner = run.learner
    run.store.flush()
    memories = {name: memory.state_dict() for name, memory in _memories(run).items()}
    write_checkpoint(
        run.directory.checkpoints,
        Checkpoint(
            step=learner.step,
            weights=learner.model.state_dict(),
            ema=learner.average.state_dict(),
            state=learner.state_dict() | {"memories": memories, "formula": formula_of(run.config)},
            versions=package_versions(),
        ),
        keep=run.config.log.keep,
    )
    journal_of(run).clear()
    is_molecular = run.config.is_molecular
    write_candidates(
        run.store,
        run.directory,
        is_molecular=is_molecular,
        descriptions=property_meanings(),
        terms=run.terms,
    )
    return learner.step


def journal_of(run: Run) -> Journal:
    """What began to wait for a reward since the last checkpoint."""
    return Journal(run.directory.path / FILE_NAME)


def keep_journal(run: Run) -> None:
    """Have everything that begins to wait written down from now on."""
    journal = journal_of(run)
    run.learner.waiting.note = lambda state, is_added: journal.write(run.learner.step, state, is_added)


def _memories(run: Run) -> dict[str, Memory]:
    """What changes in a run besides what its learner holds, by name."""
    diversity = run.problem.diversity
    return {**run.problem.conditions.memories, **({} if diversity is None else {"diversity": diversity})}


def property_meanings() -> dict[str, str]:
    """What each built-in property and predictor is, with its unit."""
    known = PROPERTIES | {name: default() for name, default in PREDICTORS.items()}
    return {
        name: f"{found.description[:1].upper()}{found.description[1:]}{f', {found.unit}' * bool(found.unit)}."
        for name, found in known.items()
    }


def restore(run: Run, checkpoint: Checkpoint) -> list[str]:
    """Put a run back to a checkpoint; what the store recorded later is forgotten and will be made again.

    Returns what the user should know.

    Raises:
        ResumeError: the checkpoint's content does not fit this version.
    """
    try:
        run.learner.model.load_state_dict(dict(checkpoint.weights))
        run.learner.average.load_state_dict(dict(checkpoint.ema))
        run.learner.load_state_dict(checkpoint.state)
        for name, memory in _memories(run).items():
            memory.load_state_dict(checkpoint.state["memories"][name])
    except (RuntimeError, KeyError, ValueError) as error:
        raise unfit(checkpoint, error) from None
    run.store.rollback_to(checkpoint.step)
    journal = journal_of(run)
    notes = journal.damage()
    for state in journal.read(checkpoint.step):
        run.learner.waiting.join(state)
    journal.confirm()
    if len(run.learner.waiting):
        # Asking twice is harmless, and a new process does not know what was asked.
        run.problem.score(run.learner.waiting.texts)
    device, before = run.problem.device.type, checkpoint.state["generator_device"]
    if device == before:
        return notes
    return [
        *notes,
        f"The run was on {before} and goes on on {device}, with other random numbers from here on.",
    ]


def load_average(run: Run, checkpoint: Checkpoint) -> None:
    """Put the averaged weights of a checkpoint into a run that is used, not trained.

    Raises:
        ResumeError: the checkpoint's content does not fit this version.
    """
    try:
        run.learner.average.load_state_dict(dict(checkpoint.ema))
    except RuntimeError as error:
        raise unfit(checkpoint, error) from None


def unfit(checkpoint: Checkpoint, error: Exception) -> ResumeError:
    """A checkpoint of another version of the library."""
    reason = str(error).strip().splitlines()
    return ResumeError(
        f"the checkpoint of step {checkpoint.step} was written by"
        f" fluvial {checkpoint.versions.get('fluvial', '(unknown)')} and does not fit this version"
        f" ({package_versions().get('fluvial')}): {reason[-1].strip() if reason else type(error).__name__}."
        " Use the version that wrote it"
    )
