"""`fluvial init` and `fluvial check`: a configuration file to start from, and a look before the run."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.environments import check_env
from fluvial.cli.options import ConfigFile, Out, Overrides
from fluvial.cli.output import aligned, say
from fluvial.core.errors import ConfigError, RewardError, StorageError

if TYPE_CHECKING:
    from fluvial.config.file import LoadedConfig
    from fluvial.config.run_config import RunConfig
    from fluvial.queue.records import ScoredObject
    from fluvial.train.build import Pieces
    from fluvial.train.scoring import RewardFunction

INIT_EXAMPLES = """\
Examples:

fluvial init screen --reward "qed*sa*function"

fluvial init grid --env hypergrid

fluvial init seh --task seh
"""

CHECK_EXAMPLES = """\
Examples:

fluvial check run.toml

fluvial check run.toml env.max_fragments=8 reward.workers=2

fluvial check my_environment.py:Roads towns=5
"""

N_CHECKED = 8
"""Objects that `check` scores: enough for a mean time, few enough for a slow reward."""

REWARD_FILE = '''\
"""A reward of your own. Name it in run.toml as function = "reward.py:score"."""

from rdkit import Chem


def score(mols: list[Chem.Mol]) -> list[float]:
    """One number of at least 0 for each molecule; larger is better.

    Raise an error for a molecule that cannot be scored: it is recorded as failed, and training goes on.
    Call the argument `smiles` instead of `mols` to get SMILES texts.
    """
    return [aromatic_share(mol) for mol in mols]


def aromatic_share(mol: Chem.Mol) -> float:
    """Share of the heavy atoms that are aromatic, 0 to 1."""
    return sum(atom.GetIsAromatic() for atom in mol.GetAtoms()) / mol.GetNumAtoms()
'''

READ_ME = """\
run.toml    what to build, how to judge it, how long to learn
reward.py   an example of a reward of your own; run.toml uses it where it says function = "reward.py:score"

In this folder:

Look before the run:     fluvial check run.toml
Train:                   fluvial train run.toml
Stop with Ctrl-C, then:  fluvial resume runs/design
Draw molecules:          fluvial sample runs/design -n 1000 -o new.csv
A page about the run:    fluvial report runs/design
What a key means:        fluvial config explain algo.batch
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files; made if needed.")],
    env: Annotated[
        str,
        typer.Option(metavar="KIND", help="What to build: fragments, atoms, sequence, ..."),
    ] = "fragments",
    reward: Annotated[
        str | None,
        typer.Option(
            metavar="TERMS",
            help="Kinds of reward terms joined by *: properties, function, similarity, substructure.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Write the configuration of a ready task: see fluvial task list."),
    ] = None,
) -> None:
    """Write run.toml, an example of a reward function and a page of next steps into a folder.

    Existing files are never replaced.
    """
    from fluvial.config.kinds import MOLECULAR
    from fluvial.config.starter import starter_toml
    from fluvial.core.files import storage_error, write_synced
    from fluvial.tasks.registry import find_task

    kinds = [] if reward is None else [kind.strip() for kind in reward.split("*")]
    if task is not None and reward is not None:
        raise ConfigError("--task has its own reward; leave out --reward, and change run.toml")
    contents = {"run.toml": starter_toml(env, kinds)} if task is None else find_task(task).contents
    if task is None and env in MOLECULAR:
        contents |= {"reward.py": REWARD_FILE, "README.txt": READ_ME}
    there = [str(folder / name) for name in contents if (folder / name).exists()]
    if there:
        raise StorageError(f"{', '.join(there)} exists already and is left as it is; choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            write_synced(folder / name, text.encode())
    except OSError as error:
        raise storage_error(error, folder) from error
    say(aligned([("written", ", ".join(str(folder / name) for name in contents))]))
    say(aligned([("next   ", f"fluvial check {folder / 'run.toml'}")]))


def check(config: ConfigFile, overrides: Overrides = None, out: Out = None) -> None:
    """Check a configuration, load what it names, and score a few random objects. Nothing is written.

    Given FILE.py:NAME instead, it checks an environment of your own, as check-env does; KEY=VALUE are then
    the arguments that the environment is made with.
    """
    if re.fullmatch(r".+\.py:\w+", str(config)):
        check_env(str(config), overrides)
        return
    from fluvial.cli.views import optional_views
    from fluvial.config.choices import configured
    from fluvial.train.build import built
    from fluvial.train.trial import answered_here

    loaded = configured(config, (), overrides or [])
    optional_views(loaded.config)
    with built(loaded.config, loaded.base) as pieces:
        rows = [("configuration", loaded.origin), *problem_rows(pieces), ("device", str(pieces.device))]
        with answered_here(pieces.reward, loaded.config, loaded.base) as reward:
            trial = scored_trial(pieces, reward)
    rows += [*trial_rows(trial, most_scored(loaded.config)), *folder_rows(loaded, out)]
    say(aligned(rows))


def problem_rows(pieces: Pieces) -> list[tuple[str, str]]:
    """What is built, and by how large a network."""
    from fluvial.train.rules import build_learner

    env, config = pieces.env, pieces.config
    parameters = build_learner(config, env, pieces.algorithm, pieces.device).model.parameters()
    n_weights = sum(parameter.numel() for parameter in parameters)
    return [
        ("builds", f"{config.env.kind}: {env.n_actions} actions, at most {env.max_steps} steps"),
        ("policy", f"{config.policy.kind}, {n_weights:,} weights"),
        *change_of_target(config),
        *(("data" if number == 0 else "", line) for number, line in enumerate(pieces.data_report)),
    ]


def change_of_target(config: RunConfig) -> list[tuple[str, str]]:
    """What makes the run draw something else than in proportion to R^beta."""
    diversity = None if config.reward is None else config.reward.diversity
    if diversity is None:
        return []
    words = "changes the target: what is drawn is no longer in proportion to R^beta"
    return [("diversity", f"{diversity.kind} {words}")]


@dataclass(frozen=True)
class Trial:
    """A few random objects and the time that their reward took."""

    objects: list[ScoredObject]
    seconds_first: float
    """Of the first object, with all that has to be loaded."""
    seconds_each: float
    """Of the others."""


def scored_trial(pieces: Pieces, reward: RewardFunction) -> Trial:
    """Objects of the uniform policy with their rewards.

    Raises:
        RewardError: none of them got a reward.
    """
    import torch

    from fluvial.policy.uniform import UniformPolicy
    from fluvial.queue.records import PENDING
    from fluvial.sample.rollout import rollout
    from fluvial.train.conditions import build_conditions
    from fluvial.train.scoring import scored_objects

    generator = torch.Generator().manual_seed(pieces.config.seed)
    condition = build_conditions(pieces.config).sample(N_CHECKED, generator)
    env = pieces.env
    trajectories = rollout(env, UniformPolicy(env), condition, generator)
    texts = env.decode(trajectories.final_states)
    started = time.perf_counter()
    first = scored_objects(reward, texts[:1])
    loaded = time.perf_counter()
    objects = first + scored_objects(reward, texts[1:])
    finished = time.perf_counter()
    if all(item.reward is None and item.status != PENDING for item in objects):
        raise RewardError(
            f"none of {len(objects)} random objects got a reward; {objects[0].text}: {objects[0].reason}"
        )
    return Trial(objects, loaded - started, (finished - loaded) / (len(texts) - 1))


def most_scored(config: RunConfig) -> int:
    """New objects that a step may score, those on the way to others aside."""
    data = config.data
    given = data.per_step if data is not None and data.reward is None else 0
    return config.algo.batch * (1 + config.algo.local_search.rounds) + given


def trial_rows(trial: Trial, batch: int) -> list[tuple[str, str]]:
    """The objects, and what their reward costs."""
    each = trial.seconds_each
    rows = [
        ("reward", f"{1000 * each:.2f} ms each, {trial.seconds_first:.2f} s for the first one"),
        ("a step", f"scores at most {batch} new objects: about {batch * each:.2f} s"),
    ]
    for number, item in enumerate(trial.objects):
        words = item.reason or "is answered by people" if item.reward is None else f"{item.reward:.4f}"
        rows.append(("random objects" if number == 0 else "", f"{words}  {item.text}"))
    return rows


def folder_rows(loaded: LoadedConfig, out: Path | None) -> list[tuple[str, str]]:
    """Where a run would go and what it would write."""
    folder = out or loaded.base / loaded.config.run_folder
    files = ["config.toml", "store.db", "checkpoints/", "log.txt", "candidates.csv", "candidates.parquet"]
    if loaded.config.is_molecular:
        files.append("top.sdf")
    rows = [("would write", f"{folder}: {', '.join(files)}")]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        rows.append(("warning", f"{folder} is not empty; train would refuse it. Choose another with --out"))
    return rows
