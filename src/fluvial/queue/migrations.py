"""How a run store of an older version becomes one of this version.

The statements are spelled out: what a version was does not change when `schema.py` does.
"""

from __future__ import annotations

from sqlalchemy import Connection

from fluvial.queue import queries
from fluvial.queue.schema import VERSION

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

MIGRATIONS = {1: TO_VERSION_2}
"""Version of a store to the statements that make it the next version."""


def migrate(connection: Connection) -> None:
    """Bring a store to this version; one that another process brought there meanwhile is left as it is."""
    version = queries.meta_value(connection, "schema_version")
    while version is not None and version < VERSION:
        for statement in MIGRATIONS[version]:
            connection.exec_driver_sql(statement)
        version += 1
        queries.put_meta(connection, "schema_version", version)
