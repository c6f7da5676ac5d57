"""The store of one run: objects with their rewards, samples and metrics, in one SQLite file.

One training step is one transaction, so a killed process leaves whole steps only. Steps are recorded in
order, and row ids follow that order, so that `rollback_to` restores exactly what was there after a step.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from fluvial.core.errors import StorageError
from fluvial.queue import queries
from fluvial.queue.migrations import STORE_UPGRADES, upgrade
from fluvial.queue.records import STATUSES, Candidate, Sample, ScoredObject
from fluvial.queue.schema import VERSION, metadata
from fluvial.queue.sqlite_file import open_engine, refuse_network_filesystem, require_intact, transaction

BUSY_TIMEOUT_SECONDS = 30.0
"""How long a statement waits for another process (generous: recording a step takes milliseconds)."""

RESCORED_AT_ONCE = 5000
"""Objects that are held in memory meanwhile; arbitrary."""
UNKNOWN = -1
"""Version of a policy that was not recorded."""


class Store:
    """An open store; make one with `Store.create` or `Store.open`.

    All methods raise StorageError if the disk is full, the file is locked, read-only or damaged; then the
    transaction as a whole did not happen.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine

    @classmethod
    def create(cls, path: Path, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Store:
        """A new empty store at `path`.

        Raises:
            StorageError: something exists there already, or the place cannot hold a database.
        """
        if path.exists():
            raise StorageError(f"{path} exists already. Open it instead, or choose another folder.")
        refuse_network_filesystem(path)
        store = cls(path, open_engine(path, busy_timeout_seconds))
        with transaction(store._engine, path, "durable") as connection:
            metadata.create_all(connection)
            queries.put_meta(connection, "schema_version", VERSION)
            queries.put_meta(connection, "last_step", -1)
        return store

    @classmethod
    def open(cls, path: Path, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Store:
        """The existing store at `path`, after a check of its integrity and version.

        One of an older version is brought to this one, as a whole or not at all.

        Raises:
            StorageError: there is no store, it is damaged, or a newer version of Fluvial wrote it.
        """
        if not path.is_file():
            raise StorageError(f"There is no store at {path}. Check the path of the run.")
        refuse_network_filesystem(path)
        store = cls(path, open_engine(path, busy_timeout_seconds))
        try:
            with transaction(store._engine, path) as connection:
                version = _checked_version(connection, path)
            if version < VERSION:
                with transaction(store._engine, path, "durable") as connection:
                    # Another process may have done it meanwhile.
                    found = queries.meta_value(connection, "schema_version") or VERSION
                    if upgrade(connection, found, VERSION, STORE_UPGRADES):
                        queries.put_meta(connection, "schema_version", VERSION)
        except StorageError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close the file; SQLite then folds its side files (`-wal`, `-shm`) into it."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last_step(self) -> int:
        """The last recorded step, -1 before the first."""
        with transaction(self._engine, self.path) as connection:
            return queries.last_step(connection)

    def record_step(
        self,
        step: int,
        objects: Sequence[ScoredObject],
        samples: Sequence[str],
        metrics: Mapping[str, float],
        conditions: Sequence[Mapping[str, float]] = (),
        policy_versions: Sequence[int] = (),
    ) -> None:
        """Keep all that one step made, in one transaction, with the time.

        Args:
            step: number of the step, larger than that of the last recorded one.
            objects: what was scored; those that the store has already are left as they are.
            samples: texts, each as often as it was sampled; each recorded now or before.
            metrics: value of each metric; nan marks a missing one.
            conditions: what each sample was asked for, by name (`beta`, ...); none = nothing is known of it.
            policy_versions: updates that the policy which made each sample had seen; none = likewise.

        Raises:
            StorageError: the step is not later than the last recorded one.
            ValueError: a sampled text was never recorded.
        """
        with transaction(self._engine, self.path, "write") as connection:
            last = queries.last_step(connection)
            if step <= last:
                raise StorageError(
                    f"{self.path}: step {step} is not after the last recorded step {last}. "
                    f"Roll the store back to step {step - 1} first."
                )
            ids = _add_objects(connection, step, objects, samples)
            asked = [tuple(sorted(named.items())) for named in conditions or [{}] * len(samples)]
            numbers = {named: number for number, named in enumerate(dict.fromkeys(asked))}
            versions = policy_versions or [UNKNOWN] * len(samples)
            counts = Counter(
                (_id(ids, text), numbers[named], version)
                for text, named, version in zip(samples, asked, versions, strict=True)
            )
            queries.insert_conditions(connection, step, [dict(named) for named in numbers])
            queries.insert_samples(connection, step, counts)
            queries.insert_metrics(connection, step, metrics)
            queries.insert_time(connection, step, time.time())
            queries.put_meta(connection, "last_step", step)

    def known(self, texts: Sequence[str]) -> dict[str, ScoredObject]:
        """What was recorded of those of `texts` that are in the store, in the order of `texts`."""
        with transaction(self._engine, self.path) as connection:
            rows = queries.object_rows(connection, list(dict.fromkeys(texts)))
            values = queries.properties_of(connection, [row.id for row in rows.values()])
        return {
            text: ScoredObject(text, row.reward, row.status, row.reason, values.get(row.id, {}))
            for text in dict.fromkeys(texts)
            if (row := rows.get(text)) is not None
        }

    @property
    def formula(self) -> int | None:
        """What the rewards are made by, as told to `rescore`; None if they are as they were recorded."""
        with transaction(self._engine, self.path) as connection:
            return queries.meta_value(connection, "formula")

    def rescore(self, score: Callable[[Sequence[ScoredObject]], Sequence[ScoredObject]], formula: int) -> int:
        """How many objects there are, now as `score` gives them back, in one transaction.

        Args:
            score: from some objects to the same ones with other rewards, statuses and reasons, in order.
            formula: number of at most 63 bits that says what the rewards are made by.
        """
        count, last = 0, 0
        with transaction(self._engine, self.path, "durable") as connection:
            while rows := queries.objects_after(connection, last, RESCORED_AT_ONCE):
                values = queries.properties_of(connection, [row.id for row in rows])
                before = [
                    ScoredObject(row.text, row.reward, row.status, row.reason, values.get(row.id, {}))
                    for row in rows
                ]
                queries.update_rewards(
                    connection,
                    [
                        {"id": row.id, "reward": item.reward, "status": item.status, "reason": item.reason}
                        for row, item in zip(rows, score(before), strict=True)
                    ],
                )
                count, last = count + len(rows), rows[-1].id
            queries.put_meta(connection, "formula", formula)
        return count

    def rollback_to(self, step: int) -> None:
        """Forget every step after `step`; what is recorded next gets the same row ids as the first time."""
        with transaction(self._engine, self.path, "durable") as connection:
            queries.delete_after(connection, step)
            queries.limit_last_step(connection, step)

    def flush(self) -> None:
        """Make all recorded steps survive a power cut; call it before a checkpoint that refers to them."""
        with transaction(self._engine, self.path, "durable") as connection:
            # Any write will do: its commit syncs all that was written before.
            queries.put_meta(connection, "schema_version", VERSION)

    def first_rewarded(self, n: int) -> list[tuple[str, float]]:
        """Text and reward of the first `n` objects whose reward no filter gave, in order of recording."""
        with transaction(self._engine, self.path) as connection:
            return [(row.text, row.reward) for row in queries.first_rewarded(connection, n)]

    def candidates(self, limit: int | None = None) -> list[Candidate]:
        """The best `limit` objects (all if None): reward descending, then text; those without reward last."""
        with transaction(self._engine, self.path) as connection:
            rows = queries.ranked_objects(connection, limit)
            values = queries.ranked_properties(connection, limit)
            counts = queries.ranked_sample_counts(connection, limit)
        return [
            Candidate(key, text, reward, status, reason, values.get(key, {}), counts.get(key, 0), first_step)
            for key, text, first_step, status, reward, reason in rows
        ]

    def samples(self, since: int = 0) -> list[Sample]:
        """What each step from `since` on sampled under which condition, in order of steps."""
        named: dict[tuple[int, int], dict[str, float | None]] = {}
        with transaction(self._engine, self.path) as connection:
            for step, number, name, value in queries.condition_rows(connection, since):
                named.setdefault((step, number), {})[name] = value
            return [
                Sample(
                    row.step,
                    row.text,
                    row.reward,
                    row.status,
                    named.get(row[:2], {}),
                    row.count,
                    None if row.policy_version == UNKNOWN else row.policy_version,
                )
                for row in queries.sample_rows(connection, since)
            ]

    def times(self) -> dict[int, float]:
        """When each step was recorded, in seconds since 1970; steps of stores of version 1 have no time."""
        with transaction(self._engine, self.path) as connection:
            return queries.times(connection)

    def property_names(self) -> list[str]:
        """All names of properties, sorted."""
        with transaction(self._engine, self.path) as connection:
            return queries.property_names(connection)

    def metric_names(self) -> list[str]:
        """All names of metrics, sorted."""
        with transaction(self._engine, self.path) as connection:
            return queries.metric_names(connection)

    def metric_series(self, names: Sequence[str]) -> dict[str, list[tuple[int, float]]]:
        """Steps and values of each named metric, in order of steps; empty for an unknown name."""
        series: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
        with transaction(self._engine, self.path) as connection:
            for name, step, value in queries.metric_rows(connection, list(series)):
                series[name].append((step, value))
        return series

    def counts(self) -> dict[str, int]:
        """Number of objects of each status, of all `objects`, and of `samples` (repeats included)."""
        with transaction(self._engine, self.path) as connection:
            found = queries.status_counts(connection)
            sampled = queries.total_samples(connection)
        counts = {status: found.get(status, 0) for status in STATUSES}
        return {**counts, "objects": sum(counts.values()), "samples": sampled}

    def digest(self) -> str:
        """Hexadecimal SHA-256 of the content, times left out; equal exactly for equal content and row ids."""
        content = hashlib.sha256()
        with transaction(self._engine, self.path) as connection:
            for table, row in queries.all_rows(connection):
                content.update(repr((table, row)).encode())
        return content.hexdigest()


def _checked_version(connection: Connection, path: Path) -> int:
    require_intact(connection, path)
    version = queries.meta_value(connection, "schema_version") if queries.has_meta(connection) else None
    if version is None:
        raise StorageError(f"{path} is a database, but not one of Fluvial's. Check the path of the run.")
    if version > VERSION:
        raise StorageError(
            f"{path} has schema version {version}, and this Fluvial reads up to {VERSION}. Update Fluvial."
        )
    return version


def _add_objects(
    connection: Connection, step: int, objects: Sequence[ScoredObject], samples: Sequence[str]
) -> dict[str, int]:
    """Insert those of `objects` that are new; row id of every text of `objects` and `samples`."""
    first = {item.text: item for item in reversed(objects)}
    texts = list(dict.fromkeys([*(item.text for item in objects), *samples]))
    ids = queries.ids_of(connection, texts)
    new = [first[text] for text in texts if text in first and text not in ids]
    numbered = list(enumerate(new, queries.last_object_id(connection) + 1))
    queries.insert_objects(
        connection,
        [
            {
                "id": key,
                "text": item.text,
                "first_step": step,
                "status": item.status,
                "reward": None if item.reward is None else float(item.reward),
                # What a tool wrote may hold halves of characters, which no database takes.
                "reason": item.reason.encode("utf-8", "replace").decode(),
            }
            for key, item in numbered
        ],
    )
    queries.insert_properties(connection, [(key, item.properties) for key, item in numbered])
    return ids | {item.text: key for key, item in numbered}


def _id(ids: Mapping[str, int], text: str) -> int:
    if text not in ids:
        raise ValueError(f"{text!r} was sampled but never scored; record it among the scored objects")
    return ids[text]
