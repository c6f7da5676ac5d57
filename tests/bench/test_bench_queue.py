"""The benchmarks of the queue: few kills in each quick run, many in the long one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from fluvial.bench import crashes, faults, queue
from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Counts, Report, Result
from fluvial.queue.opening import open_queue


def check(found: dict[str, Any], kills: int, batch: int = 20) -> None:
    assert (found["lost"], found["doubled"], found["wrong"]) == (0, 0, 0)
    assert found["add_up"]
    assert found["submitted"] >= found["acknowledged"] > 0
    # At most the batch in flight of each process that was killed.
    assert found["repeated"] <= batch * kills


def test_a_few_kills() -> None:
    check(crashes.run(kills=3, workers=2, lease_seconds=1.0), 3)


def test_what_ends_while_it_is_counted_is_not_lost(tmp_path: Path) -> None:
    queue = open_queue(tmp_path)
    queue.submit(crashes.ORACLE, ["a", "b"])
    jobs = queue.claim("worker", crashes.ORACLE.fingerprint, 2, 60.0)
    trial = crashes.Trial(tmp_path, "", queue, 2, 1.0, random.Random(0))
    counts = queue.counts

    def counted() -> Counts:
        queue.report([Report(job, Result({"value": crashes.value_of(job.text)})) for job in jobs])
        return counts()

    queue.counts = counted
    trial._finish()
    assert trial.told == {"a": 1, "b": 1}
    queue.close()


@pytest.mark.long
def test_many_kills_on_sqlite() -> None:
    check(crashes.run(kills=200), 200)


@pytest.mark.long
def test_many_kills_on_postgres_and_of_its_server() -> None:
    check(crashes.run(kills=60, database="postgres", server_kills=4), 60)


def test_a_few_faults() -> None:
    found = faults.run(items=20, share=0.4, poison=1, among=20, batch=10, timeout=1.5)
    assert (found["wrong"], found["kinds"], found["items"]) == (0, 12, 20)
    assert (found["dead"], found["innocent_dead"], found["answered"]) == (1, 0, 19)
    assert found["faulty"] > 0


@pytest.mark.long
def test_many_faults() -> None:
    found = faults.run(items=1000, timeout=3.0)
    assert (found["wrong"], found["kinds"]) == (0, 12)
    assert (found["dead"], found["innocent_dead"], found["answered"]) == (20, 0, 4980)


def test_databases_that_are_not_there() -> None:
    for wrong in ({"database": "mysql"}, {"database": "sqlite", "server_kills": 1}):
        with pytest.raises(ConfigError, match="must be sqlite or postgres"):
            crashes.run(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must be sqlite or postgres"):
        queue.run("mysql")
    with pytest.raises(ConfigError, match="integers between commas"):
        queue.run("sqlite", processes="many")


def test_throughput_and_claims() -> None:
    found = queue.run("sqlite", "1", "5", seconds=0.1, rows="40,100")
    (row,) = found["throughput"]
    assert (row["database"], row["processes"], row["batch"], row["add_up"]) == ("sqlite", 1, 5, True)
    assert row["cycles_per_second"] > 0.0
    assert 0.0 < row["claim_p50_milliseconds"] <= row["claim_p99_milliseconds"]
    assert [claim["rows"] for claim in found["claims"]] == [40, 100]
    assert all(claim["milliseconds"] > 0.0 for claim in found["claims"])
