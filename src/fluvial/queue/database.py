"""A database by path or URL: transactions that are tried again where that helps, and errors as sentences."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from fluvial.core.errors import ConfigError, StorageError
from fluvial.queue.meta_statements import TIME
from fluvial.queue.sqlite_file import Mode, open_engine, refuse_network_filesystem, storage_error, sync_log

FILE_NAME = "queue.db"
"""Of the queue in the folder of a run."""
BUSY_TIMEOUT_SECONDS = 30.0
"""How long a statement waits for other writers of a SQLite file; arbitrary."""
PATIENCE_SECONDS = 60.0
"""How long what may pass (a server that restarts, a full disk) is waited for; arbitrary."""
LONGEST_PAUSE_SECONDS = 2.0
TURN = "-turn"
"""Ending of the file beside a SQLite file that its writers lock in turn; it stays empty."""
PASSING_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL")
PASSING_POSTGRES = ("08", "40", "53", "57P")
"""First characters of codes: connection lost, deadlock, no resources, server going down or coming up."""
SERVER = "PostgreSQL"
REMEDY = "Choose a folder on a local disk, or a PostgreSQL server by its URL if several machines take part."

T = TypeVar("T")


class Database:
    """Transactions on a SQLite file or a PostgreSQL server.

    Args:
        engine: of SQLAlchemy.
        name: how messages call it; free of passwords.
        clock: seconds since 1970; None for that of the database.
        patience_seconds: how long what may pass is tried again.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        clock: Callable[[], float] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.engine = engine
        self.name = name
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._clock = clock or (time.time if self.is_sqlite else None)
        self._patience = patience_seconds
        modes: tuple[Mode, ...] = ("read", "write", "durable")
        self._engines = {mode: engine.execution_options(mode=mode) for mode in modes}

    def run(self, work: Callable[[Connection], T], mode: Mode = "read") -> T:
        """What `work` returns, in one transaction: all of it happens, or nothing.

        `work` may be called several times, and may have taken effect when its connection is lost, so doing it
        twice must be harmless.

        Raises:
            StorageError: the database reports an error that does not pass.
        """
        started, pause = time.monotonic(), 0.02
        while True:
            try:
                with self._turn(mode), self._engines[mode].begin() as connection:
                    found = work(connection)
                if mode == "durable":
                    self.sync()
                return found
            except DBAPIError as error:
                if not may_pass(error) or time.monotonic() - started + pause > self._patience:
                    raise self._sentence(error) from error
                time.sleep(pause)
                pause = min(2.0 * pause, LONGEST_PAUSE_SECONDS)

    def sync(self) -> None:
        """Have everything that was committed on the disk; a server sees to that itself."""
        if self.is_sqlite:
            sync_log(Path(self.name))

    @contextmanager
    def _turn(self, mode: Mode) -> Iterator[None]:
        """Let the writers of a file take turns.

        SQLite makes those that wait sleep for up to 0.1 s at a time, so that with several of them the file is
        idle for most of the time, and the unlucky ones wait for seconds.
        """
        if mode == "read" or not self.is_sqlite or not Path(self.name).is_file():
            yield
            return
        with contextlib.ExitStack() as stack:
            # Where there can be no such file, or its holder hangs, SQLite's own locks have the last word.
            with contextlib.suppress(OSError):
                file = stack.enter_context(Path(f"{self.name}{TURN}").open("ab"))
                await_lock(file.fileno(), BUSY_TIMEOUT_SECONDS)
            yield

    def now(self, connection: Connection) -> float:
        """Seconds since 1970: of this machine for a file, of the server else."""
        if self._clock is not None:
            return self._clock()
        return float(connection.execute(TIME).scalar_one())

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _sentence(self, error: DBAPIError) -> StorageError:
        if self.is_sqlite:
            return storage_error(error, Path(self.name))
        said = " ".join(str(error.orig).split())
        remedy = "Check that the server runs and lets you in; nothing that was acknowledged is lost"
        return StorageError(f"{self.name}: {SERVER} says: {said}. {remedy}.")


def await_lock(descriptor: int, seconds: float) -> None:
    """Lock a file, or give up; the lock ends with the descriptor, and so with its process."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The system wakes one that waits at once, but cannot be told for how long to wait.
        waiting = threading.Thread(target=fcntl.flock, args=(descriptor, fcntl.LOCK_EX), daemon=True)
        waiting.start()
        waiting.join(seconds)


def may_pass(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed a moment later."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(PASSING_SQLITE)
    code = getattr(error.orig, "sqlstate", None)
    # A connection that broke, or was never made, has no code.
    return error.connection_invalidated or (code or "08").startswith(PASSING_POSTGRES)


def connect(
    place: str | Path, clock: Callable[[], float] | None = None, patience_seconds: float = PATIENCE_SECONDS
) -> Database:
    """The database at a path (of a file, or of a folder that holds `FILE_NAME`) or a URL.

    Raises:
        ConfigError: the URL cannot be read, or its driver is not installed.
        StorageError: the file would lie on a network file system.
    """
    if isinstance(place, Path) or "://" not in place:
        return _file(Path(place), clock, patience_seconds)
    url = parse_url(place)
    if url.get_backend_name() == "sqlite":
        return _file(Path(url.database or ""), clock, patience_seconds)
    return Database(
        _server_engine(url.set(drivername="postgresql+psycopg")),
        url.render_as_string(hide_password=True),
        clock,
        patience_seconds,
    )


def parse_url(place: str) -> URL:
    """A URL of SQLite or PostgreSQL.

    Raises:
        ConfigError: it is neither.
    """
    try:
        url = make_url(place.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError) as error:
        # The text itself may hold a password.
        raise ConfigError(
            "this database URL cannot be read; write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(
            f"a queue cannot be kept in '{url.get_backend_name()}': "
            "use postgresql://..., sqlite:///PATH, or a path"
        )
    return url


def shown(place: str) -> str:
    """A place without its password."""
    return parse_url(place).render_as_string(hide_password=True) if "://" in place else place


def path_of(place: str | Path) -> Path | None:
    """The file that `place` names; None for a server."""
    if isinstance(place, str) and "://" in place:
        url = parse_url(place)
        if url.get_backend_name() != "sqlite":
            return None
        place = url.database or ""
    path = Path(place)
    return path / FILE_NAME if path.is_dir() else path


def _file(place: Path, clock: Callable[[], float] | None, patience_seconds: float) -> Database:
    path = path_of(place)
    assert path is not None
    refuse_network_filesystem(path, remedy=REMEDY)
    return Database(open_engine(path, BUSY_TIMEOUT_SECONDS), str(path), clock, patience_seconds)


def _server_engine(url: URL) -> Engine:
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            max_overflow=-1,
            connect_args={"connect_timeout": 10, "application_name": "fluvial"},
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a queue on {SERVER} needs a driver that is not installed: pip install 'fluvial[postgres]'"
        ) from error

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A lease that a crash of the server forgets costs one evaluation, so it need not wait for the disk.
        if connection.get_execution_options().get("mode") == "write":
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

    return engine
