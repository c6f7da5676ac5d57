"""Design molecules from Python: `design`, `load`, `resume`, and `campaign` for results that people bring."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluvial.config.choices import (
    Choice,
    Function,
    PathLike,
    RewardChoice,
    configured,
    free_folder,
    reward_terms,
)

if TYPE_CHECKING:
    from fluvial.queue.records import Candidate, ScoredObject
    from fluvial.train.campaign import Campaign


@dataclass(frozen=True)
class Molecule:
    """One molecule and what is known of it."""

    smiles: str
    """Canonical SMILES."""
    reward: float | None
    """None where scoring failed; never 0 for a failure."""
    properties: Mapping[str, float | None]
    """Raw values of the reward's terms and of further properties, by name; None where missing."""
    status: str = "ok"
    """`ok`, `filtered`, `failed` or `invalid`."""
    reason: str = ""
    """Why it was filtered or failed."""
    asked: Mapping[str, float] = field(default_factory=dict)
    """What a drawn molecule was asked for, where the run can be asked for something."""


@dataclass(frozen=True)
class DesignRun:
    """A run in its folder, to draw molecules from."""

    path: Path
    functions: Mapping[str, Function] = field(default_factory=dict)
    """The terms of the reward that are Python objects, by name."""

    def best(self, n: int = 20) -> list[Molecule]:
        """The `n` molecules with the largest reward of all that the run has met, best first."""
        from fluvial.queue.store import Store
        from fluvial.train.run_directory import RunDirectory

        with Store.open(RunDirectory.open_existing(self.path).store) as store:
            return [_molecule(item) for item in store.candidates(n) if item.reward is not None]

    def front(self) -> list[Molecule]:
        """The molecules that no other one of the run beats in all reward terms, best reward first.

        With one term these are the best ones.

        Raises:
            StorageError: there is no run.
        """
        from fluvial.config.file import load_config
        from fluvial.queue.store import Store
        from fluvial.train.pareto import front_of
        from fluvial.train.run_directory import RunDirectory
        from fluvial.train.terms import terms_to_read

        directory = RunDirectory.open_existing(self.path)
        terms = terms_to_read(load_config(directory.config).config)
        with Store.open(directory.store) as store:
            objects = store.candidates()
        is_on = front_of(terms, objects).is_on
        return [_molecule(item) for item, is_best in zip(objects, is_on, strict=True) if is_best]

    def sample(
        self,
        n: int,
        seed: int = 0,
        *,
        beta: float | None = None,
        prefer: Mapping[str, float] | None = None,
        focus: Mapping[str, float] | None = None,
        target: Mapping[str, float] | None = None,
    ) -> list[Molecule]:
        """`n` new molecules drawn from the trained policy and scored, in order of drawing; repeats are kept.

        What is not asked for is drawn as in training.

        Args:
            n: how many.
            seed: the same seed gives the same molecules.
            beta: sharpness to ask for.
            prefer: weight of each reward term by name; 0 for those left out, brought to a sum of 1.
            focus: direction to aim for in the space of the reward terms; 0 for those left out.
            target: value of properties by name.

        Warns:
            UserWarning: something is outside of what the run learned.

        Raises:
            ConfigError: the run was not trained on what is asked for, a name is unknown, or a Python function
                of its reward is not given.
        """
        from fluvial.train.asking import Wish
        from fluvial.train.launch import trained

        with trained(self.path, self.functions) as run:
            drawn = run.draw(n, seed, Wish(beta, prefer, focus, target))
        for text in drawn.warnings:
            warnings.warn(text, stacklevel=2)
        return [
            replace(_molecule(item), asked={name: cells[row] for name, cells in drawn.asked.items()})
            for row, item in enumerate(drawn.objects)
        ]

    def evaluate(
        self,
        *,
        beta: float | None = None,
        prefer: Mapping[str, float] | None = None,
        focus: Mapping[str, float] | None = None,
        objects: PathLike | None = None,
        reference: PathLike | None = None,
        **choices: Any,
    ) -> dict[str, Any]:
        """How well the run samples in proportion to its reward, and what it found, as plain numbers.

        New objects are scored for it. `evaluation.json` in the run's folder keeps the result, with null for
        nan; nothing else changes.

        Args:
            beta: sharpness to ask for; the middle of what was learned by default.
            prefer: weight of each reward term by name.
            focus: direction to aim for in the space of the reward terms.
            objects: file of objects whose log probability is estimated, instead of drawn ones.
            reference: file of known objects, to say what is new.
            choices: fields of `fluvial.train.plan.EvaluationPlan`, such as `n_samples=5000, by="seh"`.

        Raises:
            ConfigError: a name or number is wrong, or the run was not trained on what is asked for.
            DataError: a file cannot be read.
        """
        from fluvial.core.files import write_text_atomic
        from fluvial.core.plain import json_page
        from fluvial.train.asking import Wish
        from fluvial.train.assess import Given, assess
        from fluvial.train.launch import trained
        from fluvial.train.plan import planned

        given = Given(*(None if path is None else Path(path) for path in (objects, reference)))
        with trained(self.path, self.functions) as run:
            found = assess(run, planned(choices), Wish(beta, prefer, focus), given)
            write_text_atomic(run.run.directory.evaluation, json_page(found))
        return found

    def report(self, n: int = 200) -> Path:
        """The path of the page about the run, `report.html`, written anew with the best `n` molecules."""
        from fluvial.report.run_page import write_run_page

        return write_run_page(self.path, n)


def design(
    reward: RewardChoice | None = None,
    *,
    steps: int | None = None,
    out: PathLike | None = None,
    config: PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> DesignRun:
    """A new run, trained to draw molecules in proportion to a power of the reward.

    Ctrl-C (or SIGTERM) saves the run and raises `StoppedError`; go on with `fluvial.resume`.

    Args:
        reward: names of properties and functions in files as "qed*sa*reward.py:score"; or a function that
            takes a list of SMILES (of RDKit molecules if its parameter is called `mols`) and returns a list
            of numbers; or a dict: name to one of these. Several are multiplied; default: as configured.
            A run with a Python function needs it again to be resumed or sampled from later:
            `fluvial.resume(path, reward=function)`, `fluvial.load(path, reward=function)`.
        steps: training steps.
        out: new or empty folder of the run; by default one in `runs/` that is named after the time.
        config: configuration file to start from; by default molecules of built-in fragments.
        settings: dotted keys of the configuration to values, as {"env.max_fragments": 8, "seed": 2}.
        quiet: print nothing.

    Raises:
        FluvialError: the error's class says what is wrong, its message where and what to do.
    """
    from fluvial.cli.progress import following
    from fluvial.cli.views import views_for
    from fluvial.train.launch import start

    terms, functions = reward_terms(reward)
    choices = [Choice("reward.term", terms, "reward")] if terms else []
    if steps is not None:
        choices.append(Choice("stop.steps", steps, f"steps = {steps!r}"))
    choices += [Choice(key, value, f"settings['{key}']") for key, value in (settings or {}).items()]
    loaded = configured(config, choices)
    folder = Path(out) if out is not None else free_folder(Path("runs"))
    with following(folder, views_for(loaded.config, quiet)) as progress:
        start(loaded, progress, folder, functions)
    return DesignRun(folder, functions)


def load(path: PathLike, reward: RewardChoice | None = None) -> DesignRun:
    """The run in the folder `path`; `reward` is needed where it was made with a Python function.

    Raises:
        StorageError: there is no run.
    """
    from fluvial.train.run_directory import RunDirectory

    directory = RunDirectory.open_existing(Path(path))
    return DesignRun(directory.path, reward_terms(reward)[1])


def resume(
    path: PathLike, steps: int | None = None, reward: RewardChoice | None = None, quiet: bool = False
) -> DesignRun:
    """The run in `path`, trained on from its newest intact checkpoint.

    Args:
        path: folder of the run.
        steps: training steps in all, those done before included; by default as the run was started.
        reward: the same Python function or dict as before, where the run was made with one.
        quiet: print nothing.

    Raises:
        ResumeError: no checkpoint is intact.
        ConfigError: a reward term was a Python function, which is not given.
    """
    from fluvial.cli.progress import following
    from fluvial.cli.views import views_for
    from fluvial.config.file import load_config
    from fluvial.train.launch import resume as go_on
    from fluvial.train.run_directory import RunDirectory

    run = load(path, reward)
    overrides = [] if steps is None else [f"stop.steps={steps}"]
    config = load_config(RunDirectory(run.path).config, overrides).config
    with following(run.path, views_for(config, quiet)) as progress:
        go_on(run.path, progress, overrides, run.functions)
    return run


def campaign(
    measured: str | None = None,
    *,
    transform: Mapping[str, Any] | None = None,
    reward: RewardChoice | None = None,
    out: PathLike | None = None,
    config: PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Campaign:
    """A new run whose loop is yours: `ask` for molecules to measure, `tell` what came out, `train`, again.

    Args:
        measured: name of what you measure; None where `config` has an oracle that nothing answers.
        transform: how a measured number becomes a score of at least 0, as in the configuration:
            `{"kind": "sigmoid", "low": 5.0, "high": 9.0}`; by default it is the score.
        reward: further factors that are computed here, as for `design`.
        out: new or empty folder of the run; by default one in `runs/` that is named after the time.
        config: configuration file to start from; by default molecules of built-in fragments, a constant rate
            of learning, and replay from the first result on.
        settings: dotted keys of the configuration to values.

    Raises:
        ConfigError: nothing is measured by you, or more than one thing; `transform` is no table.
    """
    from fluvial.core.errors import ConfigError
    from fluvial.train.campaign import Campaign, people_oracle
    from fluvial.train.launch import begun

    terms, functions = reward_terms(reward)
    if measured is None and config is None:
        raise ConfigError("measured = None: give the name of what you measure, such as 'pIC50', or a config")
    if transform is not None and (measured is None or not isinstance(transform, Mapping)):
        raise ConfigError(f"transform = {transform!r} must be a table with a kind, and goes with measured")
    if measured is not None:
        terms.append({"kind": "oracle", "name": measured, "oracle": measured})
        if transform is not None:
            terms[-1]["transform"] = dict(transform)
    defaults = {} if config is not None else {"optimizer.schedule": "constant", "replay.start": 1}
    choices = [Choice(key, value, key) for key, value in defaults.items()]
    choices += [Choice("reward.term", terms, "measured")] if terms else []
    choices += [Choice(key, value, f"settings['{key}']") for key, value in (settings or {}).items()]
    loaded = configured(config, choices)
    people_oracle(loaded.config, loaded.base)
    folder = Path(out) if out is not None else free_folder(Path("runs"), "campaign")
    return Campaign(begun(loaded, folder, functions), loaded.base)


def resume_campaign(path: PathLike, reward: RewardChoice | None = None) -> Campaign:
    """The campaign in the folder `path` as it was left; `reward` is needed where it has a Python function.

    Raises:
        StorageError: there is no run, or another process has it open.
        ConfigError: it is not a campaign.
    """
    from fluvial.core.errors import ConfigError
    from fluvial.train.campaign import Campaign, people_oracle
    from fluvial.train.launch import continued
    from fluvial.train.run_directory import RunDirectory
    from fluvial.train.saved import saved_configuration

    run = load(path, reward)
    saved = saved_configuration(RunDirectory(run.path))
    try:
        people_oracle(saved.config, saved.base)
    except ConfigError as error:
        raise ConfigError(f"{run.path} is not a campaign, use fluvial.resume: {error}") from None
    return Campaign(continued(run.path, _warn, functions=run.functions), saved.base)


def _warn(run: object, notes: Sequence[str]) -> None:
    for note in notes:
        warnings.warn(note, stacklevel=2)


def _molecule(item: Candidate | ScoredObject) -> Molecule:
    properties = {
        name: value if value is not None and math.isfinite(value) else None
        for name, value in item.properties.items()
    }
    return Molecule(item.text, item.reward, properties, item.status, item.reason)
