"""`fluvial score`: a reward for molecules of a file, without any model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.options import Rewards
from fluvial.cli.output import say
from fluvial.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from fluvial.cli.molecule_files import InputMolecule
    from fluvial.config.file import LoadedConfig
    from fluvial.core.reward_batch import RewardBatch
    from fluvial.train.table import Table

EXAMPLES = """\
Examples:

fluvial score --reward "qed*sa" -i molecules.smi -o scores.csv

fluvial score run.toml -i library.csv --column SMILES -o scores.parquet

fluvial score runs/design -i library.sdf -o scores.csv
"""


def score(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="FILE|RUN", help="Configuration file or run whose reward is meant."),
    ] = None,
    reward: Rewards = None,
    molecules: Annotated[
        Path | None,
        typer.Option("-i", "--input", metavar="FILE", help="A .smi, .csv, .tsv or .sdf file."),
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the SMILES in a table.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A .csv, .parquet, .sdf or .smi file.")
    ] = Path("scores.csv"),
) -> None:
    """Score the molecules of a file with the terms of a reward.

    One row for each molecule, in order: the reward, each term as measured and as it enters the reward, and
    where there is no reward the reason. A failure is an empty cell, never 0.
    """
    from fluvial.cli.molecule_files import read_molecules
    from fluvial.cli.tables import require_format, write_table

    if molecules is None:
        raise ConfigError(
            'name the molecules to score, as in: fluvial score --reward "qed*sa" -i molecules.smi'
        )
    require_format(output)
    loaded = reward_source(source, reward or [])
    found = read_molecules(molecules, column)
    table = scored_table(loaded, found)
    if all(status == "invalid" for status in table["status"]):
        raise DataError(f"{molecules}: none of {len(found)} molecules can be read; {table['reason'][0]}")
    write_table(output, table)
    say(f"{count_line(table)}\nwritten to {output}")


def reward_source(source: Path | None, rewards: Sequence[str]) -> LoadedConfig:
    """The configuration that holds the reward.

    Raises:
        ConfigError: there is no reward for molecules, or there are two.
    """
    from fluvial.config.choices import Choice, configured, reward_terms
    from fluvial.config.file import load_config
    from fluvial.train.run_directory import RunDirectory
    from fluvial.train.saved import saved_configuration

    if (source is None) == (not rewards):
        raise ConfigError(
            'name one source of the reward: a configuration file, a run, or --reward, as in --reward "qed*sa"'
        )
    if source is None:
        product = "*".join(rewards)
        return configured(None, [Choice("reward.term", reward_terms(product)[0], f"--reward {product}")])
    if source.is_dir():
        loaded = saved_configuration(RunDirectory.open_existing(source))
    else:
        loaded = load_config(source)
    if not loaded.config.is_molecular:
        raise ConfigError(
            f"{source}: its reward is for env.kind = '{loaded.config.env.kind}', not for molecules"
        )
    return loaded


def scored_table(loaded: LoadedConfig, molecules: Sequence[InputMolecule]) -> Table:
    """One row for each molecule, in order."""
    from fluvial.rewards.reward import Reward
    from fluvial.train.build import build_reward
    from fluvial.train.trial import answered_here

    reward = build_reward(loaded.config, loaded.base)
    if not isinstance(reward, Reward):
        raise ConfigError("this reward is not one for molecules")
    with reward, answered_here(reward, loaded.config, loaded.base) as ask:
        return as_table(molecules, ask([item.smiles for item in molecules]), reward.term_names)


def as_table(molecules: Sequence[InputMolecule], batch: RewardBatch, term_names: Sequence[str]) -> Table:
    """Names and SMILES as they came in, with everything that the reward says of them."""
    from fluvial.cli.tables import free_name
    from fluvial.core.reward_batch import Outcome
    from fluvial.train.scoring import STATUS_OF_OUTCOME

    statuses = [STATUS_OF_OUTCOME[Outcome(int(outcome))] for outcome in batch.outcome]
    reasons = [
        f"{item.place}: {reason}" if reason else ""
        for item, reason in zip(molecules, batch.info, strict=True)
    ]
    named = any(item.name for item in molecules)
    return {
        **({"name": [item.name for item in molecules]} if named else {}),
        "smiles": [item.smiles for item in molecules],
        "reward": numbers(batch.reward.tolist()),
        **{free_name(name): numbers(values.tolist()) for name, values in batch.raw.items()},
        **{
            f"{name} (score)": numbers(batch.values[:, index].tolist())
            for index, name in enumerate(term_names)
        },
        "status": statuses,
        "reason": reasons,
    }


def numbers(values: Sequence[float]) -> list[float | None]:
    """The values with None for what is missing."""
    return [value if math.isfinite(value) else None for value in values]


def count_line(table: Table) -> str:
    """How many molecules ended how."""
    statuses = list(table["status"])
    counts = [f"{statuses.count(status)} {status}" for status in dict.fromkeys(map(str, statuses))]
    return f"{len(statuses)} molecules: {', '.join(counts)}"
