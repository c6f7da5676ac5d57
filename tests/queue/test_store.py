from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluvial.core.errors import StorageError
from fluvial.queue.records import Candidate, Sample, ScoredObject
from fluvial.queue.schema import VERSION
from fluvial.queue.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "store.db") as opened:
        yield opened


ETHANOL = ScoredObject("CCO", 0.5, properties={"qed": 0.4, "logp": -0.3})
BENZENE = ScoredObject("c1ccccc1", 0.9, properties={"qed": 0.44, "logp": None})
METHANE = ScoredObject("C", 0.0, "filtered", "too small", {"qed": 0.36})
BROKEN = ScoredObject("[Og]", None, "failed", "docking ended with exit code 1")
NONSENSE = ScoredObject("C(", None, "invalid", "no SMILES")


def record_example(store: Store) -> None:
    store.record_step(1, [ETHANOL, BROKEN], ["CCO", "[Og]", "CCO"], {"loss": 2.0})
    store.record_step(
        2, [BENZENE, METHANE, NONSENSE, ETHANOL], ["c1ccccc1", "CCO"], {"loss": 1.5, "log_z": 0.1}
    )


def test_candidates_are_ranked_by_reward_then_text_and_missing_rewards_come_last(store: Store) -> None:
    record_example(store)
    assert store.candidates() == [
        Candidate(3, "c1ccccc1", 0.9, "ok", "", {"logp": None, "qed": 0.44}, 1, 2),
        Candidate(1, "CCO", 0.5, "ok", "", {"logp": -0.3, "qed": 0.4}, 3, 1),
        Candidate(4, "C", 0.0, "filtered", "too small", {"qed": 0.36}, 0, 2),
        Candidate(5, "C(", None, "invalid", "no SMILES", {}, 0, 2),
        Candidate(2, "[Og]", None, "failed", "docking ended with exit code 1", {}, 1, 1),
    ]
    assert store.candidates(2) == store.candidates()[:2]
    assert store.candidates(0) == []


def test_equal_rewards_are_ordered_by_text(store: Store) -> None:
    store.record_step(0, [ScoredObject(text, 1.0) for text in ("b", "a", "B", "c")], [], {})
    assert [found.text for found in store.candidates()] == ["B", "a", "b", "c"]


def test_counts_and_names(store: Store) -> None:
    record_example(store)
    assert store.counts() == {
        "ok": 2,
        "filtered": 1,
        "failed": 1,
        "invalid": 1,
        "objects": 5,
        "samples": 5,
    }
    assert store.property_names() == ["logp", "qed"]
    assert store.metric_names() == ["log_z", "loss"]
    assert store.last_step == 2


def test_known_gives_back_what_was_recorded_in_the_order_asked(store: Store) -> None:
    record_example(store)
    found = store.known(["C(", "CCO", "CCC", "c1ccccc1", "CCO"])
    assert list(found.items()) == [("C(", NONSENSE), ("CCO", ETHANOL), ("c1ccccc1", BENZENE)]


def test_known_answers_for_more_texts_than_one_statement_takes(store: Store) -> None:
    scored = [ScoredObject(f"C{number}", float(number)) for number in range(2345)]
    store.record_step(0, scored, [], {})
    found = store.known([f"C{number}" for number in range(-5, 2345)])
    assert len(found) == 2345
    assert found["C1234"].reward == 1234.0


def test_an_object_is_kept_as_it_was_first_recorded(store: Store) -> None:
    store.record_step(1, [ScoredObject("CC", 1.0), ScoredObject("CC", 2.0)], [], {})
    store.record_step(2, [ScoredObject("CC", 3.0, properties={"qed": 1.0})], ["CC"], {})
    assert store.candidates() == [Candidate(1, "CC", 1.0, "ok", "", {}, 1, 1)]


def test_metric_series_in_order_of_steps_with_nan_for_missing(store: Store) -> None:
    for step, loss in enumerate([3.0, math.nan, math.inf]):
        store.record_step(step, [], [], {"loss": loss})
    series = store.metric_series(["loss", "unknown"])
    assert series["unknown"] == []
    assert [step for step, _ in series["loss"]] == [0, 1, 2]
    assert series["loss"][0][1] == 3.0
    assert math.isnan(series["loss"][1][1])
    assert series["loss"][2][1] == math.inf


def test_properties_that_are_not_finite_are_missing(store: Store) -> None:
    store.record_step(
        0, [ScoredObject("C", 1.0, properties={"a": math.nan, "b": math.inf, "c": 2.0})], [], {}
    )
    assert store.known(["C"])["C"].properties == {"a": None, "b": None, "c": 2.0}


def test_numbers_of_numpy_and_broken_characters_are_taken(store: Store) -> None:
    numbers: list[Any] = [np.float32(number) for number in (0.5, 0.25, 2.0)]
    half, quarter, two = numbers
    store.record_step(
        0, [ScoredObject("C", half, "filtered", "exit \udcff", {"a": quarter})], [], {"loss": two}
    )
    assert store.known(["C"]) == {"C": ScoredObject("C", 0.5, "filtered", "exit ?", {"a": 0.25})}
    assert store.metric_series(["loss"]) == {"loss": [(0, 2.0)]}


def test_new_property_names_may_come_later(store: Store) -> None:
    store.record_step(0, [ScoredObject("C", 1.0, properties={"a": 1.0})], [], {})
    store.record_step(1, [ScoredObject("CC", 2.0, properties={"b": 2.0})], [], {})
    assert [found.properties for found in store.candidates()] == [{"b": 2.0}, {"a": 1.0}]


def test_samples_with_what_each_was_asked_for(store: Store) -> None:
    sharp, flat = {"beta": 64.0, "weight qed": 0.25}, {"beta": 1.0, "weight qed": 0.75}
    store.record_step(1, [ETHANOL, BROKEN], ["CCO", "[Og]", "CCO", "CCO"], {}, [sharp, flat, flat, sharp])
    store.record_step(2, [], ["CCO"], {})
    first = [
        Sample(1, "CCO", 0.5, "ok", sharp, 2),
        Sample(1, "CCO", 0.5, "ok", flat, 1),
        Sample(1, "[Og]", None, "failed", flat, 1),
    ]
    last = Sample(2, "CCO", 0.5, "ok", {}, 1)
    assert store.samples() == [*first, last]
    assert store.samples(since=2) == [last]
    assert store.candidates()[0].times_sampled == 4
    store.rollback_to(1)
    assert store.samples() == first


def test_as_many_conditions_as_samples(store: Store) -> None:
    with pytest.raises(ValueError, match="zip"):
        store.record_step(1, [ETHANOL], ["CCO", "CCO"], {}, [{"beta": 1.0}])
    assert store.last_step == -1


def test_each_step_has_a_time(store: Store) -> None:
    before = time.time()
    record_example(store)
    times = store.times()
    assert list(times) == [1, 2]
    assert before <= times[1] <= times[2] <= time.time()
    store.rollback_to(1)
    assert list(store.times()) == [1]


@pytest.mark.parametrize("step", [0, 2, 3])
def test_steps_are_recorded_once_and_in_order(store: Store, step: int) -> None:
    store.record_step(3, [ETHANOL], [], {})
    before = store.digest()
    with pytest.raises(
        StorageError, match=f"step {step} is not after the last recorded step 3. Roll .* {step - 1}"
    ):
        store.record_step(step, [BENZENE], [], {})
    assert store.digest() == before


def test_a_step_with_an_unknown_sample_is_refused_as_a_whole(store: Store) -> None:
    before = store.digest()
    with pytest.raises(ValueError, match=r"'CCCC' was sampled but never scored"):
        store.record_step(0, [ETHANOL], ["CCO", "CCCC"], {"loss": 1.0})
    assert store.digest() == before


@pytest.mark.parametrize(
    ("reward", "status", "words"),
    [
        (math.nan, "ok", "needs a finite reward, not nan"),
        (math.inf, "ok", "needs a finite reward, not inf"),
        (None, "filtered", "needs a finite reward, not None"),
        (0.0, "failed", "must not have reward 0.0"),
        (1.0, "lost", "status of 'CC' is 'lost', expected one of ok, filtered, failed, invalid"),
    ],
)
def test_a_reward_that_does_not_fit_its_status_is_refused(
    reward: float | None, status: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ScoredObject("CC", reward, status)


@pytest.mark.parametrize(
    ("status", "reward"),
    [("ok", None), ("ok", math.nan), ("ok", math.inf), ("ok", "high"), ("failed", 0.0), ("gone", None)],
)
def test_the_database_refuses_what_the_record_would_refuse(store: Store, status: str, reward: object) -> None:
    connection = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        connection.execute("INSERT INTO objects VALUES (1, 'C', 0, ?, ?, '')", (status, reward))
    connection.close()


def test_rollback_lets_the_run_continue_as_if_nothing_had_happened(tmp_path: Path) -> None:
    straight, resumed = Store.create(tmp_path / "a.db"), Store.create(tmp_path / "b.db")
    for step in range(1, 7):
        record_numbered(straight, step, "x")
    for step in range(1, 5):
        record_numbered(resumed, step, "x")
    at_checkpoint = resumed.digest()
    for step in (5, 6):
        record_numbered(resumed, step, "y")
    assert resumed.digest() != straight.digest()
    resumed.rollback_to(4)
    assert resumed.last_step == 4
    assert resumed.digest() == at_checkpoint
    for step in (5, 6):
        record_numbered(resumed, step, "x")
    assert resumed.digest() == straight.digest()
    assert resumed.candidates() == straight.candidates()
    straight.close()
    resumed.close()


def record_numbered(store: Store, step: int, course: str) -> None:
    """Three new objects (one of them shared by all courses) and one old one."""
    texts = [f"{course}{step}a", f"{course}{step}b", f"shared{step}"]
    scored = [
        ScoredObject(text, step + number / 7, properties={"p": step / 3}) for number, text in enumerate(texts)
    ]
    store.record_step(
        step, scored, [*texts, texts[0], *(["shared1"] if step > 1 else [])], {"loss": 1 / step}
    )


def test_rollback_beyond_the_end_changes_nothing_and_to_minus_one_everything(
    store: Store, tmp_path: Path
) -> None:
    with Store.create(tmp_path / "empty.db") as empty:
        record_example(store)
        before = store.digest()
        store.rollback_to(7)
        assert (store.digest(), store.last_step) == (before, 2)
        store.rollback_to(-1)
        assert (store.digest(), store.last_step) == (empty.digest(), -1)


steps = st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=steps, other=steps, rest=steps)
def test_rollback_equals_never_having_gone_on(
    tmp_path: Path, first: list[list[int]], other: list[list[int]], rest: list[list[int]]
) -> None:
    def record(store: Store, start: int, batches: list[list[int]]) -> None:
        for step, batch in enumerate(batches, start):
            texts = [f"C{number}" for number in batch]
            store.record_step(
                step, [ScoredObject(text, float(len(text))) for text in texts], texts, {"n": step}
            )

    digests = []
    for number, detour in enumerate([[], other]):
        path = tmp_path / f"{number}.db"
        path.unlink(missing_ok=True)
        with Store.create(path) as store:
            record(store, 0, first)
            record(store, len(first), detour)
            store.rollback_to(len(first) - 1)
            record(store, len(first), rest)
            digests.append(store.digest())
    assert digests[0] == digests[1]


def test_the_digest_sees_every_table(store: Store) -> None:
    record_example(store)
    seen = {store.digest()}
    changes = [
        "UPDATE objects SET reward = 0.51 WHERE id = 1",
        "UPDATE objects SET reason = 'x' WHERE id = 1",
        "UPDATE properties SET value = 0.41 WHERE object_id = 1 AND name = 'qed'",
        "UPDATE samples SET count = 4 WHERE object_id = 1 AND step = 1",
        "UPDATE metrics SET value = 3 WHERE step = 1",
        "UPDATE meta SET value = 9 WHERE name = 'last_step'",
        "INSERT INTO conditions VALUES (1, 0, 'beta', 2.0)",
    ]
    connection = sqlite3.connect(store.path, isolation_level=None)
    for change in changes:
        connection.execute(change)
        seen.add(store.digest())
    connection.close()
    assert len(seen) == 1 + len(changes)


def test_a_closed_store_opens_with_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.create(path) as store:
        record_example(store)
        before = store.digest()
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.db"]
    with Store.open(path) as store:
        assert store.digest() == before
        store.record_step(3, [ScoredObject("CCC", 1.0)], [], {})
        assert store.known(["CCC"])["CCC"].reward == 1.0


def test_create_refuses_an_existing_file_and_open_a_missing_one(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="exists already"):
        Store.create(store.path)
    with pytest.raises(StorageError, match=f"no store at {tmp_path / 'other.db'}"):
        Store.open(tmp_path / "other.db")
    with pytest.raises(StorageError, match="cannot be opened"):
        Store.create(tmp_path / "no" / "folder" / "store.db")


def test_a_newer_version_is_refused_with_both_numbers(store: Store) -> None:
    store.close()
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute("UPDATE meta SET value = 99 WHERE name = 'schema_version'")
    connection.close()
    with pytest.raises(StorageError, match=f"schema version 99, and this Fluvial reads up to {VERSION}"):
        Store.open(store.path)


def test_another_database_is_not_taken_for_a_store(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StorageError, match="not one of Fluvial's"):
        Store.open(tmp_path / "other.db")


def test_a_file_of_another_kind_is_refused_with_the_recovery_command(tmp_path: Path) -> None:
    path = tmp_path / "my store.db"
    path.write_text("this is no database at all, but long enough to look at\n" * 100)
    with pytest.raises(StorageError, match=r"is damaged .*sqlite3 '.*my store.db' .recover \| sqlite3 "):
        Store.open(path)
    assert path.read_text().startswith("this is no database")


def test_a_broken_page_is_found_on_opening(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.create(path) as store:
        for step in range(20):
            store.record_step(step, [ScoredObject(f"C{step}N{n}", 1.0) for n in range(50)], [], {})
    content = bytearray(path.read_bytes())
    half = len(content) // 2 // 4096 * 4096
    content[half : half + 4096] = bytes([0xA5]) * 4096
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged .*\.recover"):
        Store.open(path)
    assert path.read_bytes() == content


def test_a_locked_store_says_so_and_works_afterwards(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", busy_timeout_seconds=0.05) as store:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another process keeps it locked"):
            record_example(store)
        assert store.counts()["objects"] == 0
        other.execute("ROLLBACK")
        other.close()
        record_example(store)
        assert store.counts()["objects"] == 5


def test_flush_leaves_the_content_alone(store: Store) -> None:
    record_example(store)
    before = store.digest()
    store.flush()
    assert store.digest() == before


def record_until_it_fails(store: Store) -> int:
    """Number of steps that were recorded before the disk was full."""

    def record_many() -> None:
        for step in range(10_000):
            store.record_step(step, [ScoredObject(f"C{step}N{n}" * 10, 1.0) for n in range(20)], [], {})

    with pytest.raises(StorageError, match=f"{store.path}: no room is left on its disk. Free some space"):
        record_many()
    return store.last_step + 1


def test_a_database_that_cannot_grow_keeps_what_was_recorded(store: Store) -> None:
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=30")
    recorded = record_until_it_fails(store)
    assert recorded > 0
    assert store.counts()["objects"] == 20 * recorded


def test_a_full_disk_keeps_what_was_recorded(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    with Store.create(small_disk / "store.db") as store:
        recorded = record_until_it_fails(store)
        assert recorded > 0
        assert store.counts()["objects"] == 20 * recorded
        ballast.unlink()
        store.record_step(recorded, [ScoredObject("CCO", 1.0)], [], {})
    with Store.open(small_disk / "store.db") as store:
        assert (store.last_step, store.counts()["objects"]) == (recorded, 20 * recorded + 1)


def test_a_read_only_disk_is_named(small_disk: Path) -> None:
    with Store.create(small_disk / "store.db") as store:
        record_example(store)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match=r"store.db: (it or its folder is read-only|it cannot be opened)"):
        Store.open(small_disk / "store.db")


CRASHING = """
import sys
from pathlib import Path
from fluvial.queue.records import ScoredObject
from fluvial.queue.store import Store
assert "torch" not in sys.modules
store = Store.create(Path(sys.argv[1]))
for step in range(100_000):
    texts = [f"C{step}N{n}" for n in range(8)]
    scored = [ScoredObject(text, 1.0, properties={"p": 0.5}) for text in texts]
    store.record_step(step, scored, texts, {"loss": 1.0})
    print(step, flush=True)
"""


def test_a_killed_process_leaves_whole_steps(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASHING, str(tmp_path / "store.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged = int(process.stdout.read().split()[-1])
    with Store.open(tmp_path / "store.db") as store:
        n_steps = store.last_step + 1
        assert n_steps in (acknowledged + 1, acknowledged + 2)
        assert store.counts()["objects"] == store.counts()["samples"] == 8 * n_steps
        assert all(found.properties == {"p": 0.5} for found in store.candidates())
        assert len(store.metric_series(["loss"])["loss"]) == n_steps
