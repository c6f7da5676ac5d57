"""How a database of an older version becomes one of this version: a run store, or a queue.

The statements are spelled out: what a version was does not change when `schema.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

TO_VERSION_2 = (
    "CREATE TABLE steps (step INTEGER NOT NULL PRIMARY KEY, time DOUBLE NOT NULL) WITHOUT ROWID",
    "CREATE TABLE conditions (step INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " value DOUBLE, PRIMARY KEY (step, number, name)) WITHOUT ROWID",
    "DROP INDEX samples_by_object",
    "ALTER TABLE samples RENAME TO samples_of_version_1",
    "CREATE TABLE samples (step INTEGER NOT NULL, object_id INTEGER NOT NULL REFERENCES objects (id),"
    " condition INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (step, object_id, condition),"
    " CONSTRAINT count_is_positive CHECK (count > 0)) WITHOUT ROWID",
    "CREATE INDEX samples_by_object ON samples (object_id, count)",
    "INSERT INTO samples SELECT step, object_id, 0, count FROM samples_of_version_1",
    "DROP TABLE samples_of_version_1",
)
"""What was recorded before has neither a time nor a condition."""
TO_VERSION_3 = (
    "DROP INDEX samples_by_object",
    "ALTER TABLE samples RENAME TO samples_of_version_2",
    "CREATE TABLE samples (step INTEGER NOT NULL, object_id INTEGER NOT NULL REFERENCES objects (id),"
    " condition INTEGER NOT NULL, policy_version INTEGER NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (step, object_id, condition, policy_version),"
    " CONSTRAINT count_is_positive CHECK (count > 0)) WITHOUT ROWID",
    "CREATE INDEX samples_by_object ON samples (object_id, count)",
    "INSERT INTO samples SELECT step, object_id, condition, -1, count FROM samples_of_version_2",
    "DROP TABLE samples_of_version_2",
)
"""Which policy made what was recorded before is not known."""

Upgrade = Callable[[Connection], None]
Upgrades = Mapping[int, Upgrade]
"""Version to what makes the next one of it."""


def statements(texts: tuple[str, ...]) -> Upgrade:
    """The upgrade that executes these, one after the other."""

    def execute(connection: Connection) -> None:
        for text in texts:
            connection.exec_driver_sql(text)

    return execute


STORE_UPGRADES: Upgrades = {1: statements(TO_VERSION_2), 2: statements(TO_VERSION_3)}
QUEUE_UPGRADES: Upgrades = {}


def upgrade(connection: Connection, found: int, version: int, upgrades: Upgrades) -> bool:
    """Bring a database from version `found` to `version`, if it is older; whether it was."""
    for step in range(found, version):
        upgrades[step](connection)
    return found < version
