"""Whole runs whose reward is answered through a queue, by workers in threads of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import torch
from word_runs import FUNCTION, INSTANT_TERM, WORDS

from fluvial.cli.status import look, picture
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError, FailedRunError
from fluvial.queue.jobs import Result
from fluvial.queue.opening import open_queue
from fluvial.queue.store import Store
from fluvial.queue.worker import ShouldStop, WorkerSettings, work
from fluvial.replay.journal import FILE_NAME
from fluvial.train.checkpoint import latest_intact
from fluvial.train.launch import resume, start, trained
from fluvial.train.oracles import answerers
from fluvial.train.plan import METRIC_PREFIX
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory
from fluvial.train.saved import place_of
from fluvial.train.step import StepResult

CONFIGURATION = f"{WORDS}[stop]\nsteps = 4\n{INSTANT_TERM}"
QUEUED = "reward.term.0.queued=true"


class Answering:
    """An evaluator that counts As, in this process, after a while, in some order."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._luck = torch.Generator().manual_seed(0)

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        for key in sorted(texts, key=lambda name: hash((name, texts[name]))):
            time.sleep(self._seconds * float(torch.rand((), generator=self._luck)))
            yield key, Result({"value": 1.0 + texts[key].count("A") ** 2})

    def close(self) -> None:
        pass


@contextmanager
def workers(place: str | Path, oracle: str, count: int = 1, seconds: float = 0.0) -> Iterator[None]:
    stop = threading.Event()
    with closing(open_queue(place)) as queue:
        settings = WorkerSettings(oracle, batch=3)
        threads = [
            threading.Thread(target=work, args=(queue, Answering(seconds), f"w{number}", settings, stop))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def loaded(folder: Path, *overrides: str) -> LoadedConfig:
    (folder / "reward.py").write_text(FUNCTION)
    return LoadedConfig(parse_config(CONFIGURATION, "run.toml", overrides), folder, "run.toml")


def begin(folder: Path, name: str, *overrides: str, count: int = 1, seconds: float = 0.0) -> RunDirectory:
    config = loaded(folder, QUEUED, f'queue.place="{folder / name}.db"', *overrides)
    oracle = answerers(config.config, config.base)[0].oracle.fingerprint
    with workers(folder / f"{name}.db", oracle, count, seconds):
        return start(config, SilentProgress(), folder / name)


def weights(directory: RunDirectory) -> Mapping[str, torch.Tensor]:
    return latest_intact(directory.checkpoints)[0].weights


def digest(directory: RunDirectory) -> str:
    with Store.open(directory.store) as store:
        return store.digest()


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_queue_without_delay_changes_nothing(tmp_path: Path) -> None:
    instant = start(loaded(tmp_path), SilentProgress(), tmp_path / "instant")
    queued = begin(tmp_path, "queued", "queue.most_waiting=0", count=2, seconds=0.002)
    assert digest(queued) == digest(instant)
    assert same(weights(queued), weights(instant))


def test_workers_in_any_order_give_the_same_rewards(tmp_path: Path) -> None:
    run = begin(tmp_path, "run", "queue.most_waiting=24", count=4, seconds=0.004)
    with Store.open(run.store) as store:
        found = store.candidates()
        lags = store.metric_series(["policy_lag", "waiting"])
        samples = store.samples()
    assert found
    assert all(one.reward == 1.0 + one.text.count("A") ** 2 for one in found)
    assert sum(one.times_sampled for one in found) == 4 * 8
    assert all(value <= 24 for _, value in lags["waiting"])
    # Steps are counted from 1, and policies from the one that no step has changed.
    late = {step: [one for one in samples if one.step == step] for step, _ in lags["policy_lag"]}
    for step, lag in lags["policy_lag"]:
        ages = [step - 1 - one.policy_version for one in late[step] for _ in range(one.count)]
        assert min(ages) >= 0
        assert sum(ages) <= lag * len(ages) + 1e-9
        assert (lag > 0.0) == any(ages)
    with closing(open_queue(tmp_path / "run.db")) as queue:
        counts = queue.counts()
        assert counts.add_up
        assert counts.dead == counts.failed == 0


def test_a_resumed_run_takes_what_was_answered_meanwhile(tmp_path: Path) -> None:
    class Killing(SilentProgress):
        def on_step(self, run: Run, result: StepResult) -> None:
            if run.learner.step == 3:
                raise MemoryError

    class Noting(SilentProgress):
        def on_resume(self, run: Run, warnings: Sequence[str]) -> None:
            notes.extend(warnings)

    notes: list[str] = []
    settings = ["queue.most_waiting=24", "log.checkpoint_every=2", f'queue.place="{tmp_path / "run.db"}"']
    config = loaded(tmp_path, QUEUED, *settings)
    oracle = answerers(config.config, config.base)[0].oracle.fingerprint
    with workers(tmp_path / "run.db", oracle, seconds=0.01), pytest.raises(MemoryError):
        start(config, Killing(), tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    with closing(open_queue(tmp_path / "run.db")) as queue:
        asked = {answer.text for answer in queue.ended()}
    waiting = latest_intact(directory.checkpoints)[0].state["waiting"]["texts"]
    assert waiting
    assert asked.difference(waiting), "the killed run asked after its checkpoint, too"
    journal = directory.path / FILE_NAME
    journal.write_text("damaged\n" + journal.read_text())
    with workers(tmp_path / "run.db", oracle):
        resume(directory.path, Noting())
    assert [note.partition(":")[0] for note in notes] == [f"{journal} line 1 is damaged"]
    with Store.open(directory.store) as store:
        known = store.known([*waiting, *asked])
        assert store.last_step == 4
    after = latest_intact(directory.checkpoints)[0].state["waiting"]["texts"]
    assert {*waiting, *asked} <= {*known, *after}
    with closing(open_queue(tmp_path / "run.db")) as queue:
        ended = {answer.text for answer in queue.ended()}
        n_open = queue.counts().submitted - len(ended)
    assert n_open == len(set(after) - ended), "each open question has a trajectory that waits for it"


def test_a_kept_wait_is_exact_also_over_a_resume(tmp_path: Path) -> None:
    whole = begin(tmp_path, "whole", "queue.most_waiting=0")
    half = begin(tmp_path, "half", "queue.most_waiting=0", "stop.steps=2")
    oracle = answerers(loaded(tmp_path, QUEUED).config, tmp_path)[0].oracle.fingerprint
    with workers(tmp_path / "half.db", oracle):
        resume(half.path, SilentProgress(), ["stop.steps=4"])
    assert digest(whole) == digest(half)
    assert same(weights(whole), weights(half))


@pytest.mark.parametrize("when_spent", ["end", "train_on"])
def test_a_budget_ends_what_is_asked_and_perhaps_the_run(tmp_path: Path, when_spent: str) -> None:
    class Noting(SilentProgress):
        def on_spent(self, run: Run) -> None:
            notes.append(run.learner.step)

    notes: list[int] = []
    settings = [QUEUED, "reward.term.0.max_calls=20", f"queue.when_spent={when_spent}", "stop.steps=12"]
    settings += ["queue.most_waiting=24", f'queue.place="{tmp_path / "run.db"}"']
    config = loaded(tmp_path, *settings)
    oracle = answerers(config.config, config.base)[0].oracle.fingerprint
    with workers(tmp_path / "run.db", oracle, seconds=0.002):
        directory = start(config, Noting(), tmp_path / "run")
    with closing(open_queue(tmp_path / "run.db")) as queue:
        assert (queue.counts().submitted, queue.counts().done) == (20, 20)
    with Store.open(directory.store) as store:
        assert store.counts()["ok"] == 20, "every call that was paid for is learned from"
        first = store.last_step
    checkpoint = latest_intact(directory.checkpoints)[0]
    assert checkpoint.state["waiting"]["texts"] == []
    assert (first < 12, notes) == ((True, [first]) if when_spent == "end" else (False, []))
    assert checkpoint.step == first
    more = ["reward.term.0.max_calls=26", f"stop.steps={first + 12}"]
    with workers(tmp_path / "run.db", oracle, seconds=0.002):
        resume(directory.path, SilentProgress(), more)
    with closing(open_queue(tmp_path / "run.db")) as queue:
        assert queue.counts().submitted == 26
    found = look(str(directory.path))
    assert found["queue"]["oracles"][0]["max_calls"] == 26
    assert "budget          score: 26 of 26 calls" in picture(found)


def test_without_workers_it_says_what_is_missing_and_is_saved(tmp_path: Path) -> None:
    config = loaded(tmp_path, QUEUED, "queue.most_waiting=16", "queue.patience_minutes=0.005")
    with pytest.raises(FailedRunError) as caught:
        start(config, SilentProgress(), tmp_path / "run")
    message = str(caught.value)
    assert "objects wait for score in" in message
    assert "0 workers are alive" in message
    assert "fluvial resume" in message
    checkpoint = latest_intact(RunDirectory(tmp_path / "run").checkpoints)[0]
    assert len(checkpoint.state["waiting"]["texts"]) == 16


def test_validation_and_samples_wait_for_their_rewards(tmp_path: Path) -> None:
    measured = ["evaluate.every=4", "evaluate.repeats=4", "evaluate.exact_states=0"]
    run = begin(tmp_path, "run", "queue.most_waiting=24", *measured, seconds=0.002)
    with Store.open(run.store) as store:
        assert any(name.startswith(METRIC_PREFIX) for name in store.metric_names())
    oracle = answerers(loaded(tmp_path, QUEUED).config, tmp_path)[0].oracle.fingerprint
    with workers(tmp_path / "run.db", oracle), trained(run.path) as found:
        objects = found.sample(20, seed=5)
    assert [item.reward for item in objects] == [1.0 + item.text.count("A") ** 2 for item in objects]


def test_the_place_of_a_run_is_that_of_its_configuration(tmp_path: Path) -> None:
    run = begin(tmp_path, "run", "queue.most_waiting=0", "stop.steps=1")
    assert place_of(str(run.path)) == f"{tmp_path / 'run'}.db"
    assert place_of("jobs.db") == "jobs.db"
    assert place_of("postgresql://me@host/jobs") == "postgresql://me@host/jobs"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["queue.workers=2"], "must be left out unless a reward.term has queued = true"),
        ([QUEUED, "algo.local_search.rounds=1"], "must be 0 beside algo.local_search"),
        (
            [QUEUED, "algo.objective=reinforce", "replay.fraction=0", "algo.epsilon=0"],
            "must be 0 beside algo.objective",
        ),
        ([QUEUED, "queue.when_full=train_on", "queue.most_waiting=4"], "must be at least algo.batch = 8"),
        ([QUEUED, "queue.when_full=train_on", "replay.fraction=0"], "must be 'wait' for replay.fraction = 0"),
        (['reward.term.0.version="2"'], "must be left out unless queued = true"),
        (["reward.term.0.max_calls=5"], "must be left out unless queued = true"),
    ],
)
def test_what_does_not_fit_a_queue_is_refused(
    tmp_path: Path, overrides: Sequence[str], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *overrides)
    assert sentence in str(caught.value)
