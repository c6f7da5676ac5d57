"""Trajectories on their way between a database and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.replay.columns import Columns, Layout


@dataclass(frozen=True)
class Rows:
    """B trajectories."""

    key: NDArray[np.int64]
    """[B], canonical identity of each object."""
    reward: NDArray[np.float64]
    """[B]."""
    terms: NDArray[np.float64]
    """[B, K], reward terms."""
    born: NDArray[np.int64]
    """[B], training step."""
    actions: NDArray[Any]
    """[B, T], in the data type of the layout; 0 at padding."""
    n_steps: NDArray[np.int64]
    """[B], number of transitions."""

    def as_table(self, number: int) -> list[dict[str, Any]]:
        """Rows of the database, the first with `number`."""
        steps = self.n_steps.tolist()
        columns = (self.key.tolist(), self.born.tolist(), self.reward.tolist())
        return [
            {
                "number": number + row,
                "key": key,
                "born": born,
                "reward": reward,
                "terms": self.terms[row].astype("<f8").tobytes(),
                "actions": self.actions[row, : steps[row]].tobytes(),
            }
            for row, (key, born, reward) in enumerate(zip(*columns, strict=True))
        ]


def rows_of(found: Sequence[Any], layout: Layout) -> Rows:
    """Trajectories out of rows of the database: (key, born, reward, terms, actions)."""
    key, born, reward, terms, actions = zip(*found, strict=True)
    item = np.dtype(layout.action)
    n_steps = np.fromiter(map(len, actions), np.int64, len(found)) // item.itemsize
    padded = np.zeros((len(found), layout.max_steps), item)
    padded[np.arange(layout.max_steps) < n_steps[:, None]] = np.frombuffer(b"".join(actions), item)
    return Rows(
        np.array(key, np.int64),
        np.array(reward, np.float64),
        np.frombuffer(b"".join(terms), "<f8").reshape(len(found), layout.n_terms),
        np.array(born, np.int64),
        padded,
        n_steps,
    )


def put(columns: Columns, slots: NDArray[np.int64], rows: Rows) -> None:
    """Write trajectories into columns."""
    columns.key[slots], columns.reward[slots], columns.terms[slots] = rows.key, rows.reward, rows.terms
    columns.born[slots], columns.n_steps[slots] = rows.born, rows.n_steps
    columns.actions[slots] = rows.actions
