"""Queued reward terms answered in this process, where there is no run: for a check, or a table."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from fluvial.config.run_config import RunConfig
from fluvial.core.reward_batch import Outcome, RewardBatch
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.worker import WorkerSettings, work
from fluvial.rewards.queued import QueuedTerms
from fluvial.train.oracles import Answerer, answerers
from fluvial.train.scoring import LOOK_SECONDS, RewardFunction


@contextmanager
def answered_here(reward: RewardFunction, config: RunConfig, base: Path) -> Iterator[RewardFunction]:
    """The reward with answers to its queued terms, which are waited for; what people answer stays pending.

    Raises:
        FluvialError: what evaluates a term cannot be started, or gives up.
    """
    terms: QueuedTerms | None = getattr(reward, "queued", None)
    if terms is None:
        yield reward
        return
    queue, stop = MemoryQueue(), threading.Event()
    terms.connect(queue)
    found = answerers(config, base)
    errors: list[BaseException] = []

    def answer(one: Answerer) -> None:
        try:
            with closing(one.make()) as evaluator:
                settings = WorkerSettings(one.oracle.fingerprint, config.queue.batch)
                work(queue, evaluator, "here", settings, stop)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=answer, args=(one,)) for one in found]
    for thread in threads:
        thread.start()
    is_whole = {one.oracle.fingerprint for one in found} == set(terms.oracles)
    try:
        yield waiting(reward, terms, errors) if is_whole else reward
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def waiting(reward: RewardFunction, terms: QueuedTerms, errors: Sequence[BaseException]) -> RewardFunction:
    """The reward, called again until nothing is pending."""

    def settled(texts: Sequence[str], /) -> RewardBatch:
        batch = reward(texts)
        while (batch.outcome == Outcome.PENDING).any():
            terms.wait(LOOK_SECONDS)
            if errors:
                raise errors[0]
            # What was answered is told once, so all are asked for together.
            if not terms.still_open():
                batch = reward(texts)
        return batch

    return settled
