from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from fluvial.core.errors import StorageError
from fluvial.queue.records import Candidate, Sample, ScoredObject
from fluvial.queue.schema import VERSION
from fluvial.queue.store import Store

VERSION_1 = """
CREATE TABLE meta (name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (name)) WITHOUT ROWID;
CREATE TABLE objects (
    id INTEGER NOT NULL, text TEXT NOT NULL, first_step INTEGER NOT NULL, status TEXT NOT NULL, reward DOUBLE,
    reason TEXT NOT NULL, PRIMARY KEY (id),
    CONSTRAINT status_is_known CHECK (status IN ('ok', 'filtered', 'failed', 'invalid')),
    CONSTRAINT reward_fits_status CHECK ((status IN ('ok', 'filtered')) = (reward IS NOT NULL)),
    CONSTRAINT reward_is_finite CHECK (
        reward IS NULL OR (typeof(reward) = 'real' AND abs(reward) <= 1.7976931348623157e308)),
    UNIQUE (text));
CREATE TABLE metrics (
    step INTEGER NOT NULL, name TEXT NOT NULL, value DOUBLE, PRIMARY KEY (step, name)) WITHOUT ROWID;
CREATE TABLE properties (
    object_id INTEGER NOT NULL, name TEXT NOT NULL, value DOUBLE, PRIMARY KEY (object_id, name),
    FOREIGN KEY(object_id) REFERENCES objects (id)) WITHOUT ROWID;
CREATE TABLE samples (
    step INTEGER NOT NULL, object_id INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (step, object_id),
    CONSTRAINT count_is_positive CHECK (count > 0), FOREIGN KEY(object_id) REFERENCES objects (id)
) WITHOUT ROWID;
CREATE INDEX samples_by_object ON samples (object_id, count);
INSERT INTO meta VALUES ('schema_version', 1), ('last_step', 2);
INSERT INTO objects VALUES (1, 'CCO', 1, 'ok', 0.5, ''), (2, '[Og]', 2, 'failed', NULL, 'no parameters');
INSERT INTO properties VALUES (1, 'qed', 0.4);
INSERT INTO samples VALUES (1, 1, 3), (2, 1, 1), (2, 2, 2);
INSERT INTO metrics VALUES (1, 'loss', 2.0);
"""


VERSION_2 = """
CREATE TABLE steps (step INTEGER NOT NULL PRIMARY KEY, time DOUBLE NOT NULL) WITHOUT ROWID;
CREATE TABLE conditions (step INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,
    value DOUBLE, PRIMARY KEY (step, number, name)) WITHOUT ROWID;
DROP TABLE samples;
CREATE TABLE samples (step INTEGER NOT NULL, object_id INTEGER NOT NULL REFERENCES objects (id),
    condition INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (step, object_id, condition),
    CONSTRAINT count_is_positive CHECK (count > 0)) WITHOUT ROWID;
CREATE INDEX samples_by_object ON samples (object_id, count);
UPDATE meta SET value = 2 WHERE name = 'schema_version';
INSERT INTO steps VALUES (1, 1.7e9), (2, 1.8e9);
INSERT INTO conditions VALUES (1, 0, 'beta', 8.0), (2, 0, 'beta', 16.0), (2, 1, 'beta', 32.0);
INSERT INTO samples VALUES (1, 1, 0, 3), (2, 1, 0, 1), (2, 2, 1, 2);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as version 1 wrote it."""
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()
    return path


def layout(path: Path) -> dict[str, set[str]]:
    """The columns and constraints of each table, whatever their spelling."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    columns = {
        name: {
            f"{row[1]} {row[2]} {row[3]} {row[5]}" for row in connection.execute(f"PRAGMA table_info({name})")
        }
        for name, _ in rows
    }
    checks = {
        name: set(re.findall(r"CONSTRAINT \w+|FOREIGN KEY|WITHOUT ROWID|REFERENCES", sql))
        for name, sql in rows
    }
    connection.close()
    return {name: columns[name] | (checks[name] - {"FOREIGN KEY"}) for name in columns}


def test_a_store_of_version_1_keeps_its_content_and_goes_on(old: Path) -> None:
    with Store.open(old) as store:
        assert store.last_step == 2
        assert store.candidates() == [
            Candidate(1, "CCO", 0.5, "ok", "", {"qed": 0.4}, 4, 1),
            Candidate(2, "[Og]", None, "failed", "no parameters", {}, 2, 2),
        ]
        assert store.metric_series(["loss"]) == {"loss": [(1, 2.0)]}
        assert store.samples(2) == [
            Sample(2, "CCO", 0.5, "ok", {}, 1),
            Sample(2, "[Og]", None, "failed", {}, 2),
        ]
        assert store.times() == {}
        store.record_step(3, [ScoredObject("C", 1.0)], ["C"], {}, [{"beta": 2.0}])
        before = store.digest()
    with Store.open(old) as store:
        assert store.digest() == before
        assert store.samples(3) == [Sample(3, "C", 1.0, "ok", {"beta": 2.0}, 1)]
        assert list(store.times()) == [3]


def test_samples_of_version_2_come_from_a_policy_that_is_not_known(old: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(old)
    connection.executescript(VERSION_2)
    connection.close()
    Store.create(tmp_path / "new.db").close()
    with Store.open(old) as store:
        assert store.samples() == [
            Sample(1, "CCO", 0.5, "ok", {"beta": 8.0}, 3, None),
            Sample(2, "CCO", 0.5, "ok", {"beta": 16.0}, 1, None),
            Sample(2, "[Og]", None, "failed", {"beta": 32.0}, 2, None),
        ]
        assert store.times() == {1: 1.7e9, 2: 1.8e9}
        store.record_step(3, [], ["CCO", "CCO", "CCO"], {}, (), [2, 0, 2])
        assert store.samples(3) == [
            Sample(3, "CCO", 0.5, "ok", {}, 1, 0),
            Sample(3, "CCO", 0.5, "ok", {}, 2, 2),
        ]
        assert store.counts()["samples"] == 9
    assert layout(old) == layout(tmp_path / "new.db")


def test_a_migrated_store_has_the_layout_of_a_new_one(old: Path, tmp_path: Path) -> None:
    Store.open(old).close()
    Store.create(tmp_path / "new.db").close()
    assert layout(old) == layout(tmp_path / "new.db")
    connection = sqlite3.connect(old)
    version = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
    connection.close()
    assert version == (VERSION,)


def test_a_migration_that_fails_leaves_the_old_store(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fluvial.queue import migrations

    broken = migrations.statements((*migrations.TO_VERSION_2[:-1], "INSERT INTO nowhere VALUES (1)"))
    monkeypatch.setattr("fluvial.queue.store.STORE_UPGRADES", {1: broken})
    before = layout(old)
    with pytest.raises(StorageError, match="refused an operation"):
        Store.open(old)
    assert layout(old) == before
    monkeypatch.undo()
    with Store.open(old) as store:
        assert store.counts()["samples"] == 6
