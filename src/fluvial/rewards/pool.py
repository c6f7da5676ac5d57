"""Worker processes that score molecules and may die or hang without harm to the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from fluvial.core.errors import RewardError
from fluvial.core.processes import Missing, ProcessPool, Service
from fluvial.core.reward_batch import Outcome
from fluvial.rewards.scoring import Scored, Scorer, prepare, score_objects

CHUNKS_PER_WORKER = 2
"""Compromise between equal load and few calls of functions that are fastest on large batches; arbitrary."""


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
        service: Service[str, Scored] = Service(_loaded, scorer, "the reward", RewardError)
        self._pool = ProcessPool(service, workers, CHUNKS_PER_WORKER, timeout_seconds)
        late = f"no answer within {timeout_seconds or 0.0:g} s"
        self._instead = {
            Missing.DIED: Scored(Outcome.FAILED, "worker process died"),
            Missing.LATE: Scored(Outcome.FAILED_FOR_NOW, late),
        }

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """One record for each of `texts`, in their order.

        Raises:
            RewardError: the pool was closed, or a lost process cannot be replaced.
        """
        answers = self._pool.ask(texts)
        return [self._instead[one] if isinstance(one, Missing) else one for one in answers]


def _loaded(scorer: Scorer) -> Callable[[list[str]], list[Scored]]:
    prepare(scorer)
    return partial(score_objects, scorer)
