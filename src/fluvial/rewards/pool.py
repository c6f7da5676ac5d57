"""Worker processes that score molecules and may die or hang without harm to the run."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from fluvial.core.errors import ConfigError, FluvialError, RewardError
from fluvial.core.reward_batch import Outcome
from fluvial.rewards.scoring import Scored, Scorer, prepare, score_objects

CHUNKS_PER_WORKER = 2
"""Compromise between equal load and few calls of functions that are fastest on large batches; arbitrary."""


LOAD_SECONDS = 600.0
"""Longest time in which a worker must import the user's file; arbitrary, and long for large models."""


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    connection: Connection


@dataclass(frozen=True)
class _Chunk:
    rows: list[int]
    is_last_try: bool = False


class WorkerPool:
    """Processes that each hold the loaded terms.

    A molecule whose process dies twice, the second time with nothing else in its hands, is FAILED. What is
    not answered in time is FAILED_FOR_NOW and its process is killed. Lost processes are replaced.

    Args:
        scorer: must be picklable.
        workers: number of processes, >= 1.
        timeout_seconds: bound on the answer to one batch; None for no bound.

    Raises:
        ConfigError: the terms cannot be sent to another process.
        RewardError: the terms cannot be loaded there.
    """

    def __init__(self, scorer: Scorer, workers: int, timeout_seconds: float | None = None) -> None:
        self._scorer = scorer
        self._count = workers
        self._timeout = timeout_seconds
        self._workers: list[_Worker] = []
        # At exit this must run before multiprocessing waits for its children, which wait for us.
        self._stop = weakref.finalize(self, _stop_all, self._workers)
        atexit.register(self._stop)
        self._refill()

    def close(self) -> None:
        """End the processes."""
        atexit.unregister(self._stop)
        self._stop()

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """One record for each of `texts`, in their order.

        Raises:
            RewardError: the pool was closed, or a lost process cannot be replaced.
        """
        if not self._stop.alive:
            raise RewardError("this reward was closed and cannot be called any more")
        size = max(1, -(-len(texts) // (self._count * CHUNKS_PER_WORKER)))
        starts = range(0, len(texts), size)
        chunks = deque(_Chunk(list(range(start, min(start + size, len(texts))))) for start in starts)
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        answers: dict[int, Scored] = {}
        busy: dict[Connection, _Chunk] = {}
        try:
            while chunks or busy:
                self._hand_out(texts, chunks, busy)
                if not busy:
                    continue
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = [source for source in wait(list(busy), left) if isinstance(source, Connection)]
                if not ready:
                    break
                for connection in ready:
                    self._collect(connection, busy.pop(connection), chunks, answers)
        finally:
            # A late answer must not be taken for that to the next batch.
            self._discard(busy)
        late = Scored(Outcome.FAILED_FOR_NOW, f"no answer within {self._timeout or 0.0:g} s")
        return [answers.get(row, late) for row in range(len(texts))]

    def _hand_out(self, texts: Sequence[str], chunks: deque[_Chunk], busy: dict[Connection, _Chunk]) -> None:
        if chunks:
            self._refill()
        for worker in list(self._workers):
            if not chunks:
                return
            if worker.connection in busy:
                continue
            try:
                worker.connection.send([texts[row] for row in chunks[0].rows])
            except OSError:  # it died while it had nothing to do
                self._discard([worker.connection])
                continue
            busy[worker.connection] = chunks.popleft()

    def _collect(
        self, connection: Connection, chunk: _Chunk, chunks: deque[_Chunk], answers: dict[int, Scored]
    ) -> None:
        try:
            answers.update(zip(chunk.rows, connection.recv(), strict=True))
        except (EOFError, OSError):
            self._discard([connection])
            if chunk.is_last_try:
                answers[chunk.rows[0]] = Scored(Outcome.FAILED, "worker process died")
            else:
                chunks.extend(_Chunk([row], is_last_try=True) for row in chunk.rows)

    def _refill(self) -> None:
        fresh = [_start(self._scorer) for _ in range(self._count - len(self._workers))]
        self._workers.extend(fresh)
        for worker in fresh:
            _await_ready(worker)

    def _discard(self, connections: Sequence[Connection] | dict[Connection, _Chunk]) -> None:
        for worker in [worker for worker in self._workers if worker.connection in connections]:
            self._workers.remove(worker)
            _stop_all([worker], grace_seconds=0.0)


def _start(scorer: Scorer) -> _Worker:
    # A fresh interpreter: a fork of a process with threads (torch, CUDA) may hang.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, scorer), name="fluvial-reward")
    try:
        process.start()
    except OSError as error:
        raise RewardError(f"a worker process for the reward cannot be started: {error}") from error
    except Exception as error:
        raise ConfigError(
            f"the reward cannot be sent to worker processes ({error}): "
            "name its functions as file.py:function, or use workers = 0"
        ) from error
    theirs.close()
    return _Worker(process, ours)


def _await_ready(worker: _Worker) -> None:
    if not worker.connection.poll(LOAD_SECONDS):
        _kill(worker.process)
        raise RewardError(f"a worker process did not load the reward within {LOAD_SECONDS:g} s")
    try:
        problem = worker.connection.recv()
    except (EOFError, OSError):
        raise RewardError(
            "a worker process died while it loaded the reward; the cause is above. "
            'A script that uses workers must keep its own actions under `if __name__ == "__main__":`'
        ) from None
    if problem is not None:
        raise RewardError(problem)


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


def _serve(connection: Connection, scorer: Scorer) -> None:
    """Answer each list of SMILES until the other side closes; the first message is None or what is wrong."""
    # Ctrl-C is for the run, which decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Workers share the cores among them; read when torch is first imported, which is in `prepare`.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "setsid"):  # a group of its own, see `_kill`
        os.setsid()
    try:
        prepare(scorer)
    except FluvialError as error:
        connection.send(str(error))
        return
    connection.send(None)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(score_objects(scorer, connection.recv()))
