"""Millions of trajectories: a database that keeps them, and a copy in columns to draw from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.errors import ConfigError, DataError, StorageError
from fluvial.core.types import Condition, Trajectories
from fluvial.queue.trajectories import TrajectoryTable
from fluvial.replay.columns import Columns, Layout
from fluvial.replay.draws import DRAWS, Draws
from fluvial.replay.known_keys import KnownKeys
from fluvial.replay.priority import Priority
from fluvial.replay.rows import Rows, put, rows_of
from fluvial.replay.stored import trajectories_of
from fluvial.sample.rollout import retrace

DATABASE, COPY = "trajectories.db", "trajectories.columns"
SLACK = 4096
"""Rows that may be written before the copy says so on the disk; as many are read again after a kill.
Arbitrary: 64 batches of 64."""


@dataclass(frozen=True)
class _Opened:
    table: TrajectoryTable
    columns: Columns


class DiskReplay:
    """What `ReplayBuffer` does, for millions of trajectories, with the newest `capacity` to draw from.

    Rows are first put into a database, which keeps all that ever came; the columns that are drawn from are a
    copy that is made again where it is missing or behind. A checkpoint holds a number of rows only. Files are
    made and opened when they are first needed.

    Args:
        folder: where the two files lie; made if it is not there.
        environment: what numbers of actions mean; a folder of another environment is refused.
        layout: sizes.
        priority: how trajectories are drawn; its kind is a key of `DRAWS`.

    Raises:
        ConfigError: the rule of drawing is not known here.
    """

    keeps_best = False

    def __init__(self, folder: Path, environment: str, layout: Layout, priority: Priority) -> None:
        if priority.kind not in DRAWS:
            raise ConfigError(
                f"replay priority {priority.kind!r} sorts what is stored, which takes too long on the disk; "
                f"choose one of {', '.join(DRAWS)}, or keep replay in memory"
            )
        self.folder, self.layout, self.priority = folder, layout, priority
        self.capacity, self.n_values = layout.capacity, layout.n_terms
        self._environment = environment
        self._opened: _Opened | None = None
        self._draws: Draws | None = None
        self._known: KnownKeys | None = None
        self._added = 0
        self.n_offered = 0
        """Trajectories with a known reward so far, those of objects that were there already too."""

    def __len__(self) -> int:
        self._open()
        return min(self._added, self.capacity)

    def open(self) -> None:
        """Make or open the files; without this call it happens when they are first needed.

        Raises:
            StorageError: a file is damaged, of something else, or cannot be written.
        """
        self._open()

    def close(self) -> None:
        """Close the files."""
        if self._opened is not None:
            self.sync()
            self._opened.table.close()
        self._opened = self._draws = self._known = None

    def sync(self) -> None:
        """Have everything that was added on the disk."""
        opened = self._open()
        opened.table.sync()
        opened.columns.mark(self._added, self._added)

    def add(self, trajectories: Trajectories[Any], key: Tensor, reward: Tensor) -> None:
        """Store trajectories of objects that are not among the newest `capacity`; see `ReplayBuffer.add`."""
        n_values = trajectories.values.shape[1]
        if n_values != self.n_values:
            raise ValueError(
                f"the trajectories have {n_values} reward terms and the replay stores {self.n_values};"
                " give as many in `values` as in the layout"
            )
        keys, rewards = key.cpu().numpy(), reward.cpu().double().numpy()
        is_known = ~np.isnan(rewards)
        self.n_offered += int(is_known.sum())
        first = np.sort(np.unique(keys, return_index=True)[1])
        rows = first[is_known[first]]
        rows = rows[self._slots_of(keys[rows]) < 0][-self.capacity :]
        n_steps = trajectories.n_steps.cpu().numpy()[rows]
        actions = np.zeros((len(rows), self.layout.max_steps), self.layout.action)
        given = trajectories.actions.cpu().numpy()[:, rows].T
        actions[:, : given.shape[1]] = given
        actions[np.arange(self.layout.max_steps) >= n_steps[:, None]] = 0
        self.extend(
            Rows(
                keys[rows],
                rewards[rows],
                trajectories.values.cpu().double().numpy()[rows],
                trajectories.born.cpu().numpy()[rows],
                actions,
                n_steps,
            )
        )

    def extend(self, rows: Rows) -> None:
        """Store trajectories as they are, also those of objects that are there."""
        opened, numbers = self._open(), self._added + np.arange(len(rows.key))
        opened.table.append(rows.as_table(self._added))
        if self._added + len(numbers) > opened.columns.reach:
            opened.columns.mark(opened.columns.synced, self._added + len(numbers) + SLACK)
        slots = numbers % self.capacity
        put(opened.columns, slots, rows)
        if self._known is not None:
            self._known.put(rows.key, slots)
        self._rule().changed(slots)
        self._added += len(numbers)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Slots of `n` trajectories by the rule of the priority, with replacement, int64 [n] on the CPU.

        Slots are of use until the next `add`.

        Raises:
            ValueError: there is nothing yet.
        """
        if len(self) == 0:
            raise ValueError("nothing can be drawn from an empty replay; add trajectories first")
        return self._rule().draw(n, self._added, generator)

    def record_loss(self, slots: Tensor, loss: Tensor) -> None:
        """Nothing: no rule of `DRAWS` asks for losses."""

    def objects(self, env: Environment[S], slots: Tensor, device: torch.device | str) -> tuple[S, Tensor]:
        """Terminal states and rewards float64 [n] of the objects at `slots`."""
        actions, n_steps = self.paths(slots, device)
        return retrace(env, actions, n_steps), self.rewards(slots, device)

    def stored(
        self, env: Environment[S], slots: Tensor, condition: Condition, device: torch.device | str
    ) -> Trajectories[S]:
        """The trajectories at `slots` as they were added; see `ReplayBuffer.stored`."""
        actions, n_steps = self.paths(slots, device)
        born = _tensor(self._columns.born[slots.numpy()].astype(np.int64), device)
        values = self.values(slots, device)
        return trajectories_of(env, actions, n_steps, condition.to(device), born, values)

    def rewards(self, slots: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Rewards of the objects at `slots`, float64 [n]."""
        return _tensor(self._columns.reward[slots.numpy()], device)

    def values(self, slots: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Reward terms of the objects at `slots`, float64 [n, K]."""
        return _tensor(self._columns.terms[slots.numpy()], device)

    def paths(self, slots: Tensor, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """Actions int64 [T, n], 0 at padding, and number of transitions int64 [n] of those at `slots`."""
        places = slots.numpy()
        n_steps = self._columns.n_steps[places].astype(np.int64)
        actions = self._columns.actions[places, : int(n_steps.max())].astype(np.int64)
        return _tensor(actions.T, device), _tensor(n_steps, device)

    def state_dict(self) -> dict[str, Tensor | int | str]:
        """What a checkpoint needs: how many rows there are, which are on the disk when this returns."""
        self.sync()
        return {"rows": self._added, "offered": self.n_offered, "identity": self._open().table.identity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; rows that came later are forgotten.

        Raises:
            DataError: these are not the files of the state, or rows are missing.
        """
        table = self._open().table
        if state.get("identity") != table.identity or state["rows"] > self._added:
            raise DataError(
                f"{table.path} has {self._added} trajectories and is not the file that the checkpoint was "
                f"written with, which had {state.get('rows', 'none on the disk')}. Restore it from a backup"
            )
        self.n_offered = int(state["offered"])
        if state["rows"] < self._added:
            table.truncate(int(state["rows"]))
            self.reload()

    def recorded(self, at_once: int = 4096) -> Iterator[tuple[int, Tensor, Tensor]]:
        """All that ever came, see `Replay.recorded`; the number is that of the row."""
        table, number = self._open().table, 0
        for start in range(0, self._added, at_once):
            for found in table.read(start, min(start + at_once, self._added)):
                rows = rows_of(found, self.layout)
                yield (
                    number,
                    torch.from_numpy(rows.actions.astype(np.int64).T),
                    torch.from_numpy(rows.n_steps),
                )
                number += len(found)

    def rewrite(self, start: int, reward: NDArray[np.float64], terms: NDArray[np.float64]) -> None:
        """Put other rewards float64 [n] and terms float64 [n, K] into the rows from number `start`."""
        opened = self._open()
        # Until it is read again, the copy counts as empty.
        opened.columns.mark(0, opened.columns.reach)
        opened.table.rewrite(
            [
                {"number": start + row, "reward": value, "terms": one.astype("<f8").tobytes()}
                for row, (value, one) in enumerate(zip(reward.tolist(), terms, strict=True))
            ]
        )

    def reload(self) -> None:
        """Make the copy again as far as it is behind."""
        self._load(self._open())

    @property
    def _columns(self) -> Columns:
        return self._open().columns

    def _slots_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slot of each key, -1 where it is not there."""
        if self._known is None or self._known.is_full:
            self._known = KnownKeys(self._columns.key[: len(self)])
        slots = self._known.find(keys)
        return np.where(self._columns.key[slots] == keys, slots, -1)

    def _rule(self) -> Draws:
        if self._draws is None:
            self._draws = DRAWS[self.priority.kind](self._columns.reward, self.priority)
        return self._draws

    def _open(self) -> _Opened:
        if self._opened is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"{self.folder} cannot be made ({error}). Change its permissions"
                ) from error
            table = TrajectoryTable(self.folder / DATABASE, self._environment)
            opened = _Opened(table, Columns(self.folder / COPY, self.layout, table.identity))
            self._load(opened)
            self._opened = opened
        return self._opened

    def _load(self, opened: _Opened) -> None:
        """Read what the copy lacks: rows that came later, and those in whose place later ones may stand."""
        count, columns = opened.table.count(), opened.columns
        oldest = max(0, count - self.capacity)
        missing = range(max(oldest, min(columns.synced, count)), count)
        displaced = range(oldest, min(missing.start, columns.reach - self.capacity))
        for part in (displaced, missing):
            number = part.start
            for found in opened.table.read(part.start, max(part.start, part.stop)):
                put(
                    columns,
                    np.arange(number, number + len(found)) % self.capacity,
                    rows_of(found, self.layout),
                )
                number += len(found)
        # What is beyond the rows must weigh nothing.
        columns.reward[count : max(count, columns.reach)] = 0.0
        columns.mark(count, count)
        self._added, self._draws, self._known = count, None, None


def _tensor(values: NDArray[Any], device: torch.device | str) -> Tensor:
    return torch.from_numpy(values).to(device)
