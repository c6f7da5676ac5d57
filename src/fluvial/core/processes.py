"""Worker processes that answer questions, and may die or hang without harm to the one that asks."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from fluvial.core.errors import ConfigError, FluvialError

Q = TypeVar("Q")
R = TypeVar("R")

LOAD_SECONDS = 600.0
"""Longest time in which a process must load what it needs; arbitrary, and long for large models."""


class Missing(Enum):
    """Why a question has no answer."""

    DIED = "its process died twice, the second time with nothing else in its hands"
    LATE = "it was not answered in time"


@dataclass(frozen=True)
class Service(Generic[Q, R]):
    """What each process of a pool does. All of it is sent to them, so it must be picklable."""

    load: Callable[[Any], Callable[[list[Q]], Sequence[R]]]
    """From the setting to the function that answers questions; a function of a module."""
    setting: Any
    noun: str
    """Whom they work for, such as "the reward"."""
    error: type[FluvialError]
    """Raised where the work as a whole cannot go on."""


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    connection: Connection


@dataclass(frozen=True)
class _Bug:
    """An error that is nobody's answer."""

    trace: str


@dataclass(frozen=True)
class _Chunk:
    rows: list[int]
    is_last_try: bool = False


class ProcessPool(Generic[Q, R]):
    """Processes that each hold a loaded service. Lost ones are replaced.

    They end with `close`, with the pool, and with the process that asks, however that ends.

    Args:
        service: what they do.
        workers: number of processes, at least 1.
        chunks_per_worker: parts into which questions are cut for each, at least 1: few for functions that
            are fastest on many, many for equal load.
        timeout_seconds: bound on the answer to one call; None for no bound.

    Raises:
        ConfigError: the service cannot be sent to another process.
        FluvialError: what loading raised there, or of the service's class where a process died of it.
    """

    def __init__(
        self,
        service: Service[Q, R],
        workers: int,
        chunks_per_worker: int,
        timeout_seconds: float | None = None,
    ) -> None:
        self._service, self._count, self._chunks = service, workers, chunks_per_worker
        self._timeout = timeout_seconds
        self.cpu_seconds = 0.0
        """Of all processes together, since each was loaded."""
        self._workers: list[_Worker] = []
        # At exit this must run before multiprocessing waits for its children, which wait for us.
        self._stop = weakref.finalize(self, _stop_all, self._workers)
        atexit.register(self._stop)
        self._refill()

    def close(self) -> None:
        """End the processes."""
        atexit.unregister(self._stop)
        self._stop()

    def ask(self, questions: Sequence[Q]) -> list[R | Missing]:
        """The answer to each question, or why it is missing.

        Raises:
            FluvialError: the pool was closed, a lost process cannot be replaced, or what a process raised; of
                the service's class, with its traceback, where it raised another error.
        """
        if not self._stop.alive:
            raise self._service.error(f"{self._service.noun} was closed and cannot be asked any more")
        size = max(1, -(-len(questions) // (self._count * self._chunks)))
        starts = range(0, len(questions), size)
        chunks = deque(_Chunk(list(range(start, min(start + size, len(questions))))) for start in starts)
        if questions:
            self._refill()  # before the clock runs: loading is no part of the answer
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        answers: dict[int, R | Missing] = {}
        busy: dict[Connection, _Chunk] = {}
        try:
            while chunks or busy:
                self._hand_out(questions, chunks, busy)
                if not busy:
                    continue
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = [source for source in wait(list(busy), left) if isinstance(source, Connection)]
                if not ready:
                    break
                for connection in ready:
                    self._collect(connection, busy.pop(connection), chunks, answers)
        finally:
            # A late answer must not be taken for that to the next call.
            self._discard(busy)
        return [answers.get(row, Missing.LATE) for row in range(len(questions))]

    def _hand_out(
        self, questions: Sequence[Q], chunks: deque[_Chunk], busy: dict[Connection, _Chunk]
    ) -> None:
        if chunks:
            self._refill()
        for worker in list(self._workers):
            if not chunks:
                return
            if worker.connection in busy:
                continue
            try:
                worker.connection.send([questions[row] for row in chunks[0].rows])
            except OSError:  # it died while it had nothing to do
                self._discard([worker.connection])
                continue
            busy[worker.connection] = chunks.popleft()

    def _collect(
        self,
        connection: Connection,
        chunk: _Chunk,
        chunks: deque[_Chunk],
        answers: dict[int, R | Missing],
    ) -> None:
        try:
            found, seconds = connection.recv()
        except (EOFError, OSError):
            self._discard([connection])
            if chunk.is_last_try:
                answers[chunk.rows[0]] = Missing.DIED
            else:
                chunks.extend(_Chunk([row], is_last_try=True) for row in chunk.rows)
            return
        self.cpu_seconds += seconds
        if isinstance(found, FluvialError):
            raise found
        if isinstance(found, _Bug):
            raise self._service.error(f"a worker process for {self._service.noun} failed:\n{found.trace}")
        answers.update(zip(chunk.rows, found, strict=True))

    def _refill(self) -> None:
        fresh: list[_Worker] = []
        try:
            for _ in range(self._count - len(self._workers)):
                fresh.append(_start(self._service))
            for worker in fresh:
                _hand_over(worker, self._service)
            for worker in fresh:
                _await_ready(worker, self._service)
        except BaseException:
            _stop_all(fresh, grace_seconds=0.0)
            raise
        self._workers.extend(fresh)

    def _discard(self, connections: Sequence[Connection] | dict[Connection, _Chunk]) -> None:
        for worker in [worker for worker in self._workers if worker.connection in connections]:
            self._workers.remove(worker)
            _stop_all([worker], grace_seconds=0.0)


def _start(service: Service[Q, R]) -> _Worker:
    # A fresh interpreter: a fork of a process with threads (torch, CUDA) may hang.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name="fluvial-worker")
    try:
        with _without_interrupts():
            process.start()
    except OSError as error:
        raise service.error(f"a worker process for {service.noun} cannot be started: {error}") from error
    theirs.close()
    return _Worker(process, ours)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold back Ctrl-C, which what is started here inherits until it has learned to ignore it."""
    resource_tracker.ensure_running()  # it would let Ctrl-C through again
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hand_over(worker: _Worker, service: Service[Q, R]) -> None:
    """Send the service; a process that has died by then is found out by `_await_ready`.

    Not among the arguments of the process: writing more than a pipe holds to one that dies blocks for ever.
    """
    try:
        worker.connection.send(service)
    except OSError:
        return
    except Exception as error:
        raise ConfigError(
            f"{service.noun} cannot be sent to worker processes ({error}): "
            "name its functions as file.py:function, or use workers = 0"
        ) from error


def _await_ready(worker: _Worker, service: Service[Q, R]) -> None:
    if not worker.connection.poll(LOAD_SECONDS):
        _kill(worker.process)
        raise service.error(f"a worker process did not load {service.noun} within {LOAD_SECONDS:g} s")
    try:
        problem = worker.connection.recv()
    except (EOFError, OSError):
        raise service.error(
            f"a worker process died while it loaded {service.noun}; the cause is above. "
            'A script that uses workers must keep its own actions under `if __name__ == "__main__":`'
        ) from None
    if problem is not None:
        raise problem


def _stop_all(workers: list[_Worker], grace_seconds: float = 1.0) -> None:
    for worker in workers:
        worker.connection.close()
    for worker in workers:
        worker.process.join(grace_seconds)
        if worker.process.is_alive():
            _kill(worker.process)
            worker.process.join()
    workers.clear()


def _kill(process: BaseProcess) -> None:
    """End a worker and, where the system has process groups, all programs that it started."""
    if process.pid is not None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _serve(connection: Connection) -> None:
    """Take over a service and answer lists of questions until the other side closes.

    The first message that it sends is None or the error of loading.
    """
    # Ctrl-C is for the one that asks, which decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # programs that are started here shall hear it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # Workers share the cores among them; read when torch is first imported, which is in `load`.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "setsid"):  # a group of its own, see `_kill`
        os.setsid()
    end_with_parent()
    try:
        service = connection.recv()
        answer = service.load(service.setting)
    except EOFError:
        return
    except FluvialError as error:
        connection.send(error)
        return
    connection.send(None)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            questions, started = connection.recv(), time.process_time()
            try:
                found: Sequence[Any] | FluvialError | _Bug = answer(questions)
            except FluvialError as error:
                found = error
            except Exception:
                found = _Bug(traceback.format_exc())
            connection.send((found, time.process_time() - started))


def end_with_parent() -> None:
    """Let this process end when the one that started it does, with all that it has started itself.

    Without that it goes on until it next reads or writes, which may be after an hour's work, or never.
    """
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
