"""Start, continue and use runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import torch

from fluvial.chem.synthesis.routes import Route
from fluvial.config.file import LoadedConfig, load_config
from fluvial.config.objectives import RtbConfig
from fluvial.config.resume import allowed, resume_difference
from fluvial.config.run_config import RunConfig
from fluvial.config.terms import FunctionTermConfig, LearnedTermConfig
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ResumeError
from fluvial.core.files import write_text_atomic
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.routes import routes_of
from fluvial.queue.records import ScoredObject
from fluvial.queue.store import Store
from fluvial.sample.rollout import rollout
from fluvial.train.asking import NO_WISH, Wish, asked_of, described
from fluvial.train.build import Pieces, built, seed_everything
from fluvial.train.checkpoint import latest_intact
from fluvial.train.conditions import build_conditions
from fluvial.train.exchange import with_library
from fluvial.train.prior import prior_hash, vocabulary_hash
from fluvial.train.queueing import answering
from fluvial.train.rescoring import is_of_another_formula, rescore_replay, rescore_store
from fluvial.train.run import Progress, Run, assemble, load_average, restore, train
from fluvial.train.run_directory import RunDirectory, environment_facts, package_versions
from fluvial.train.saved import saved_configuration
from fluvial.train.signals import StopSignals
from fluvial.train.terms import Functions

SAMPLING_BATCH = 256
"""Trajectories that `sample` draws at once; arbitrary."""


def start(
    loaded: LoadedConfig, progress: Progress, folder: Path | None = None, functions: Functions | None = None
) -> RunDirectory:
    """Train a new run in `folder` (by default the one that the configuration names).

    Everything that the configuration names is loaded before anything is written. `functions` are the reward
    terms that are Python objects.
    """
    signals = StopSignals()
    with begun(loaded, folder, functions, signals) as run:
        train(run, progress, signals)
    return run.directory


@contextmanager
def begun(
    loaded: LoadedConfig,
    folder: Path | None = None,
    functions: Functions | None = None,
    signals: StopSignals | None = None,
) -> Iterator[Run]:
    """A new run at its beginning, locked; `signals` that end a wait are caught in the block."""
    config, base = loaded.config, loaded.base
    with built(config, base, functions) as pieces:
        directory = RunDirectory.create(folder or base / config.run_folder)
        facts = environment_facts() | {
            "configuration_folder": str(base.resolve()),
            "device": str(pieces.device),
            "inputs": input_hashes(loaded),
            "vocabulary": vocabulary_hash(pieces.env),
            "prior": hash_of_prior(loaded),
            "reward_terms": getattr(pieces.reward, "sources", {}),
        }
        write_text_atomic(directory.environment, json.dumps(facts, indent=2) + "\n")
        write_text_atomic(directory.config, resolved_toml(config, facts["versions"]))
        with (
            directory.lock(),
            signals or nullcontext(),
            Store.create(directory.store) as store,
            answering(pieces, loaded, directory, _is_stopping(signals)) as answers,
        ):
            seed_everything(config.seed)
            yield assemble(pieces, directory, store, answers)


def _is_stopping(signals: StopSignals | None) -> Callable[[], bool]:
    return lambda: signals is not None and signals.received is not None


def resume(
    path: Path, progress: Progress, overrides: Sequence[str] = (), functions: Functions | None = None
) -> RunDirectory:
    """Continue the run in `path` from its newest intact checkpoint, bit for bit on a CPU.

    Raises:
        ResumeError: the overrides change what must stay, or no checkpoint is intact.
    """
    signals = StopSignals()
    with continued(path, progress.on_resume, overrides, functions, signals) as run:
        train(run, progress, signals)
    return run.directory


@contextmanager
def continued(
    path: Path,
    on_resume: Callable[[Run, Sequence[str]], None],
    overrides: Sequence[str] = (),
    functions: Functions | None = None,
    signals: StopSignals | None = None,
) -> Iterator[Run]:
    """The run in `path` at its newest intact checkpoint, locked; `on_resume` is told what to warn about.

    Raises:
        ResumeError: see `resume`.
    """
    directory = RunDirectory.open_existing(path)
    before = saved_configuration(directory)
    after = load_config(directory.config, overrides).config
    changes = resume_difference(before.config, after)
    if changes:
        raise ResumeError(
            f"{path}: a run is continued as it was begun, but {'; '.join(changes)}."
            f" {allowed(after)}; start a new run for the rest"
        )
    with built(after, before.base, functions) as pieces, directory.lock(), signals or nullcontext():
        require_same_vocabulary(pieces, directory)
        require_same_prior(before, directory)
        checkpoint, warnings = latest_intact(directory.checkpoints)
        with Store.open(directory.store) as store:
            is_another = is_of_another_formula(before.config, after, checkpoint, store)
            if is_another:
                n_objects = rescore_store(pieces, store)
                warnings.append(
                    f"{n_objects} objects have the rewards of another formula now; nobody was asked."
                )
            if after != before.config:
                # Local workers read it too.
                write_text_atomic(directory.config, resolved_toml(after, package_versions()))
            loaded = LoadedConfig(after, before.base, before.origin)
            with answering(pieces, loaded, directory, _is_stopping(signals)) as answers:
                run = assemble(pieces, directory, store, answers)
                warnings += restore(run, checkpoint) + changed_inputs(before, directory)
                if is_another:
                    rescore_replay(run)
                on_resume(run, warnings)
                yield run


def input_hashes(loaded: LoadedConfig) -> dict[str, str]:
    """SHA-256 of each of the user's files, of rewards and of data, by the path in the configuration."""
    reward = loaded.config.reward
    terms = reward.term if reward is not None else ()
    names = [term.function.rpartition(":")[0] for term in terms if isinstance(term, FunctionTermConfig)]
    names += [term.file for term in terms if isinstance(term, LearnedTermConfig)]
    names += [] if loaded.config.data is None else [loaded.config.data.file]
    names += [loaded.config.algo.backward.parameters().get("reward", "").rpartition(":")[0]]
    files = {name: loaded.base / name for name in names}
    return {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items() if path.is_file()}


def changed_inputs(loaded: LoadedConfig, directory: RunDirectory) -> list[str]:
    """A warning for each reward or data file that is not as it was when the run began."""
    before = json.loads(directory.environment.read_text(encoding="utf-8")).get("inputs", {})
    now = input_hashes(loaded)
    return [
        f"{name} has changed since the run began: what it said before stays in the store and in replay."
        " Start a new run if it means something else now."
        for name, digest in before.items()
        if now.get(name) != digest
    ]


def require_same_vocabulary(pieces: Pieces, directory: RunDirectory) -> None:
    """Refuse to read a run with other fragments than it was made with.

    Raises:
        ResumeError: the vocabulary has changed since the run began.
    """
    facts = json.loads(directory.environment.read_text(encoding="utf-8"))
    if facts.get("vocabulary", vocabulary_hash(pieces.env)) != vocabulary_hash(pieces.env):
        what = "library" if pieces.config.env.kind == "synthesis" else "vocabulary"
        raise ResumeError(
            f"{directory.path}: the {what} has changed since the run began, which needs the old one."
            " Restore it (a file, or the version of Fluvial that brought it), or start a new run"
        )


def hash_of_prior(loaded: LoadedConfig) -> str | None:
    """SHA-256 of the weights of the prior; None where the objective has none."""
    objective = loaded.config.algo.objective
    return prior_hash(loaded.base / objective.prior) if isinstance(objective, RtbConfig) else None


def require_same_prior(loaded: LoadedConfig, directory: RunDirectory) -> None:
    """Refuse to train on against another prior than before, which would be another target.

    Raises:
        ResumeError: the prior has changed since the run began.
    """
    before = json.loads(directory.environment.read_text(encoding="utf-8")).get("prior")
    if before != hash_of_prior(loaded):
        raise ResumeError(
            f"{directory.path}: the prior, algo.objective.prior, was trained on since the run began."
            " Restore it as it was, or start a new run"
        )


@dataclass(frozen=True)
class Drawn:
    """Objects in order of drawing; repeats are kept."""

    objects: list[ScoredObject]
    asked: dict[str, list[float]]
    """What each was asked for, where that could be something else: name of a column to its cells."""
    warnings: list[str]
    """What the run did not learn and was asked for nevertheless."""
    routes: list[Route | None] = field(default_factory=list)
    """How each was made, None where nothing came out; empty unless molecules are made by synthesis."""


@dataclass(frozen=True)
class TrainedRun:
    """A run that is used, not trained."""

    run: Run
    config: RunConfig
    step: int
    """Of the checkpoint."""

    def sample(self, n: int, seed: int = 0) -> list[ScoredObject]:
        """`n` objects under conditions as in training; see `draw`."""
        return self.draw(n, seed).objects

    def draw(self, n: int, seed: int = 0, wish: Wish = NO_WISH) -> Drawn:
        """`n` objects drawn with the averaged weights and scored.

        Args:
            n: how many.
            seed: the same seed gives the same objects.
            wish: what to ask for; the rest is drawn as in training.

        Raises:
            ConfigError: an unknown name, or something that the run was not trained on.
        """
        run, problem = self.run, self.run.problem
        conditions = build_conditions(self.config)
        asked, warnings = asked_of(self.config, conditions, wish)
        generator = torch.Generator(problem.device).manual_seed(seed)
        policy = run.learner.average.policy.eval()
        objects: list[ScoredObject] = []
        columns: dict[str, list[float]] = {}
        routes: list[Route | None] = []
        while len(objects) < n:
            condition = conditions.sample(min(SAMPLING_BATCH, n - len(objects)), generator, asked)
            trajectories = rollout(problem.env, policy, condition.to(problem.device), generator)
            objects += problem.score(problem.env.decode(trajectories.final_states))
            if isinstance(problem.env, Syntheses):
                routes += routes_of(problem.env, trajectories)
            for name, cells in described(self.config, conditions, condition).items():
                columns.setdefault(name, []).extend(cells)
        return Drawn(objects, columns, warnings, routes)


@contextmanager
def trained(
    path: Path, functions: Functions | None = None, library: str | None = None
) -> Iterator[TrainedRun]:
    """The run in `path` at its newest intact checkpoint; nothing of it is changed.

    Args:
        path: its folder.
        functions: the reward terms that are Python objects.
        library: other building blocks than those of the run, with the same reactions; see `with_library`.
    """
    directory = RunDirectory.open_existing(path)
    saved = saved_configuration(directory)
    saved = saved if library is None else with_library(saved, library)
    with (
        built(saved.config, saved.base, functions, learns=False) as pieces,
        Store.open(directory.store) as store,
        answering(pieces, saved, directory) as answers,
    ):
        if library is None:
            require_same_vocabulary(pieces, directory)
        checkpoint, _ = latest_intact(directory.checkpoints)
        with torch.random.fork_rng(devices=[]):
            run = assemble(pieces, directory, store, answers, is_patient=True)
        load_average(run, checkpoint)
        yield TrainedRun(run, saved.config, checkpoint.step)
