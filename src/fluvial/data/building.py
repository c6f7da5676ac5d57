"""From rows of a table to a data set, with a report that leaves no row unexplained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fluvial.core.environment import Environment
from fluvial.core.errors import DataError
from fluvial.data.columns import Columns, Row, as_number
from fluvial.data.dataset import Dataset, actions_to, text_hashes
from fluvial.data.objects import EncodingReport, encoded, encoding_report, joined
from fluvial.data.tables import usable_blocks
from fluvial.data.tally import N_EXAMPLES, Reason, Tally, in_words
from fluvial.rewards.transforms import identity

NOT_POSITIVE = "with a reward that is not above 0"
NOT_TRANSFORMED = "with a number that the transform refuses"


@dataclass(frozen=True)
class RewardRule:
    """How a number in a table becomes a reward on the scale of those asked for in training."""

    transform: Callable[[float], float] = identity
    """From the cell to the reward, such as one of `fluvial.rewards.transforms`; a ValueError refuses it."""
    floor: float = 0.0
    """Lower rewards are raised to it; with 0, rows whose reward is not above 0 are left out."""
    terms: tuple[str, ...] = ()
    """Further columns that hold the reward terms, for preferences; taken as they are; what is no number is
    missing."""


@dataclass(frozen=True)
class DatasetReport:
    """What became of the rows."""

    n_rows: int
    reasons: tuple[Reason, ...]
    """Rows that were left out for what they hold."""
    encoding: EncodingReport
    """Of the others."""
    n_duplicates: int
    """Rows whose object was there already; the first known reward counts."""
    n_objects: int
    n_without_reward: int
    """Objects whose reward is to be asked for."""

    def lines(self) -> list[str]:
        """The report for people."""
        n_bad = sum(reason.count for reason in self.reasons)
        lines = [
            f"{self.n_objects} objects out of {self.n_rows} rows, {self.n_without_reward} without a reward"
        ]
        if n_bad:
            lines.append(f"{n_bad} rows left out: {in_words(self.reasons)}")
        lines += self.encoding.lines()
        if self.n_duplicates:
            lines.append(f"{self.n_duplicates} rows of objects that were there already")
        return lines


def read_dataset(
    env: Environment[Any],
    path: Path,
    columns: Columns | None = None,
    rule: RewardRule | None = None,
    seed: int = 0,
) -> tuple[Dataset, DatasetReport]:
    """The objects of a file that `env` can make, and what became of the other rows.

    Args:
        env: where the objects are to be made.
        path: any file that `fluvial.data.tables` reads.
        columns: which columns hold objects and rewards; the rule's terms are added to them.
        rule: from cells to rewards.
        seed: of the ways that are stored.

    Raises:
        DataError: the file cannot be read, or nothing in it can be used.
    """
    columns, rule, tally = columns or Columns(), rule or RewardRule(), Tally()
    wanted = tuple(dict.fromkeys((*columns.further, *rule.terms)))
    columns = replace(columns, further=wanted)
    try:
        dataset, report = build_dataset(env, usable_blocks(path, columns, tally), rule, seed)
    except NothingUsableError as error:
        raise DataError(f"{path}: {error}") from None
    reasons = (*tally.reasons(), *report.reasons)
    return dataset, replace(report, n_rows=tally.n_rows, reasons=reasons)


class NothingUsableError(DataError):
    """The environment can make none of the objects, or none has a reward that can be used."""


def build_dataset(
    env: Environment[Any], blocks: Iterable[Sequence[Row]], rule: RewardRule, seed: int = 0
) -> tuple[Dataset, DatasetReport]:
    """The objects of good rows that `env` can make, and what became of the others.

    Raises:
        NothingUsableError: there is no object left.
    """
    growing = _Growing(env, rule, torch.Generator().manual_seed(seed))
    for block in blocks:
        growing.add(block)
    dataset, report = growing.finished()
    if len(dataset) == 0:
        why = "; ".join([*report.encoding.lines(), *map(str, report.reasons)]) or "there are no rows"
        raise NothingUsableError(f"no row makes an object with a reward in this environment: {why}")
    return dataset, report


@dataclass
class _Growing:
    """A data set that is being built."""

    env: Environment[Any]
    rule: RewardRule
    generator: torch.Generator
    refused: Tally = field(default_factory=Tally)
    encoding: EncodingReport = field(default_factory=lambda: encoding_report([], [], 0))
    n_rows: int = 0
    n_duplicates: int = 0
    actions: list[Tensor] = field(default_factory=list)
    n_steps: list[Tensor] = field(default_factory=list)
    hashes: list[Tensor] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    slot: dict[int, int] = field(default_factory=dict)
    """Key to slot, in order of the slots."""

    def add(self, rows: Sequence[Row]) -> None:
        """Take in the good rows of a block."""
        self.n_rows += len(rows)
        rewards = [self._reward(row) for row in rows]
        kept = [place for place, reward in enumerate(rewards) if reward is not None]
        found = encoded(self.env, [rows[place].text for place in kept])
        self.encoding = joined([self.encoding, found.report], N_EXAMPLES)
        new = []
        keys = self.env.key(found.states).tolist()
        for place, (row, key) in enumerate(zip(found.rows.tolist(), keys, strict=True)):
            reward = rewards[kept[row]]
            if self._is_new(key, math.nan if reward is None else reward, rows[kept[row]]):
                new.append(place)
        self._store(found.states[torch.tensor(new, dtype=torch.int64)])

    def _reward(self, row: Row) -> float | None:
        """The reward, nan where it is not known; None where the row is of no use."""
        if row.reward is None:
            return math.nan
        shown = f"{row.place}: {row.text} {row.reward:g}"
        try:
            reward = max(self.rule.transform(row.reward), self.rule.floor)
        except ValueError as error:
            self.refused.add(NOT_TRANSFORMED, f"{shown}, {error}")
            return None
        is_usable = reward > 0.0 and math.isfinite(reward)
        self.refused.add("" if is_usable else NOT_POSITIVE, shown)
        return reward if is_usable else None

    def _is_new(self, key: int, reward: float, row: Row) -> bool:
        further = row.further or {}
        terms = [as_number(further.get(name)) for name in self.rule.terms]
        values = [math.nan if term is None else term for term in terms]
        if key in self.slot:
            self.n_duplicates += 1
            slot = self.slot[key]
            if math.isnan(self.reward[slot]) and not math.isnan(reward):
                self.reward[slot], self.values[slot] = reward, values
            return False
        self.slot[key] = len(self.slot)
        self.reward.append(reward)
        self.values.append(values)
        return True

    def _store(self, states: Any) -> None:
        if len(states) == 0:
            return
        self.hashes.append(text_hashes(self.env.decode(states)))
        for actions, n_steps in actions_to(self.env, states, self.generator):
            self.actions.append(actions)
            self.n_steps.append(n_steps)

    def finished(self) -> tuple[Dataset, DatasetReport]:
        """What there is now."""
        n_times = max((len(part) for part in self.actions), default=0)
        actions = torch.zeros((n_times, len(self.slot)), dtype=torch.int32)
        first = 0
        for part in self.actions:
            actions[: len(part), first : first + part.shape[1]] = part
            first += part.shape[1]
        nothing = torch.zeros(0, dtype=torch.int64)
        dataset = Dataset(
            actions,
            torch.cat([nothing, *self.n_steps]),
            torch.tensor(self.reward, dtype=torch.float64),
            torch.tensor(self.values, dtype=torch.float64).reshape(len(self.slot), len(self.rule.terms)),
            torch.tensor(list(self.slot), dtype=torch.int64),
            torch.cat([nothing, *self.hashes]),
        )
        n_unknown = int(dataset.reward.isnan().sum())
        report = DatasetReport(
            self.n_rows,
            self.refused.reasons(),
            self.encoding,
            self.n_duplicates,
            len(dataset),
            n_unknown,
        )
        return dataset, report
