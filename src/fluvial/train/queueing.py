"""The queue of a run, open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from fluvial.config.file import LoadedConfig
from fluvial.queue.database import shown
from fluvial.queue.jobs import Retries
from fluvial.queue.opening import open_queue
from fluvial.rewards.queued import QueuedTerms
from fluvial.train.build import Pieces
from fluvial.train.local_workers import local_workers
from fluvial.train.run_directory import RunDirectory
from fluvial.train.saved import queue_place
from fluvial.train.scoring import Answers, AtOnce, QueueAnswers


@contextmanager
def answering(
    pieces: Pieces,
    loaded: LoadedConfig,
    directory: RunDirectory,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Answers]:
    """Where the answers to queued terms come from, with local workers if the configuration asks for them.

    Raises:
        StorageError: the queue cannot be opened.
    """
    terms: QueuedTerms | None = getattr(pieces.reward, "queued", None)
    if terms is None:
        yield AtOnce()
        return
    chosen, place = loaded.config.queue, queue_place(loaded, directory.path)
    with ExitStack() as stack:
        retries = Retries(max_attempts=chosen.attempts)
        terms.connect(stack.enter_context(closing(open_queue(place, retries=retries))))
        workers = stack.enter_context(local_workers(directory.path, chosen.workers))
        patience_seconds, folder = 60.0 * chosen.patience_minutes, str(directory.path)
        yield QueueAnswers(terms, patience_seconds, shown(place), folder, is_stopping, workers.tend)
