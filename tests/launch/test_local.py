"""A plan on one machine: processes start, come back after crashes, and end together."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from fluvial.core.errors import ConfigError
from fluvial.launch import local
from fluvial.launch.local import local_cluster
from fluvial.launch.plan import ClusterPlan
from fluvial.queue.jobs import Oracle
from fluvial.queue.opening import open_queue


def plan(tmp_path: Path, program: str, **keys: object) -> ClusterPlan:
    """A worker that is this program; `{folder}` in it is the folder of the test."""
    (tmp_path / "program.py").write_text(program)
    group = {
        "name": "w",
        "simulate": "latency=0",
        "count": 2,
        "command": [sys.executable, "-S", "program.py"],
        "cpus": 1,
        **keys,
    }
    return ClusterPlan.model_validate({"place": "jobs.db", "workers": [group]})


NOTE = "import os, sys, time\nopen(f'{os.getpid()}.note', 'w').write(os.environ.get('CUDA_VISIBLE_DEVICES', 'none'))\n"


def test_workers_get_gpus_in_turn(tmp_path: Path) -> None:
    codes = local_cluster(plan(tmp_path, NOTE, count=4, gpus=1), tmp_path, ["0", "1", "2"]).run(
        threading.Event()
    )
    assert codes == {f"w-{n}": 0 for n in range(4)}
    assert sorted(path.read_text() for path in tmp_path.glob("*.note")) == ["0", "0", "1", "2"]


def test_without_gpus_nothing_is_said_about_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    local_cluster(plan(tmp_path, NOTE), tmp_path).run(threading.Event())
    assert [path.read_text() for path in tmp_path.glob("*.note")] == ["none", "none"]


def test_a_worker_that_crashes_comes_back_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "REST_SECONDS", 0.01)
    monkeypatch.setattr(local, "MOST_RESTARTS", 2)
    cluster = local_cluster(plan(tmp_path, NOTE + "print('no licence'); sys.exit(3)\n", count=1), tmp_path)
    assert cluster.run(threading.Event()) == {"w-0": 3}
    assert len(list(tmp_path.glob("*.note"))) == 3
    assert (tmp_path / "cluster/logs/w-0.log").read_text() == "no licence\n" * 3


def test_a_stop_asks_first_and_then_kills(tmp_path: Path) -> None:
    deaf = (
        NOTE
        + "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('deaf', 'w')\ntime.sleep(60)\n"
    )
    stop = threading.Event()
    cluster = local_cluster(plan(tmp_path, deaf, count=1, grace_seconds=1), tmp_path)

    def end() -> None:
        while not (tmp_path / "deaf").exists():
            time.sleep(0.02)
        stop.set()

    threading.Thread(target=end).start()
    assert cluster.run(stop) == {"w-0": -9}


def test_workers_end_when_the_trainer_has(tmp_path: Path) -> None:
    (tmp_path / "trainer.py").write_text("import json, sys\njson.dump(sys.argv[1:], open('trained', 'w'))\n")
    trainer = {"config": "run.toml", "out": "run", "command": [sys.executable, "-S", "trainer.py"]}
    both = plan(tmp_path, NOTE + "time.sleep(60)\n").model_dump(exclude_none=True) | {"trainer": trainer}
    codes = local_cluster(ClusterPlan.model_validate(both), tmp_path).run(threading.Event())
    assert codes == {"trainer": 0, "w-0": -15, "w-1": -15}
    assert json.loads((tmp_path / "trained").read_text()) == ["train", "run.toml", "--out", "run"]


def test_four_workers_answer_a_queue(tmp_path: Path) -> None:
    texts = ["C" * n for n in range(1, 61)]
    place = str(tmp_path / "jobs.db")
    with closing(open_queue(place)) as queue:
        queue.submit(Oracle("toy"), texts)
        group = {
            "name": "toy", "count": 4, "simulate": "latency=0.02", "batch": 2, "idle_exit": 0.0, "cpus": 1,
            "command": [sys.executable, "-m", "fluvial"],
        }  # fmt: skip
        chosen = ClusterPlan.model_validate({"place": place, "workers": [group]})
        codes = local_cluster(chosen, tmp_path).run(threading.Event())
        answers = queue.answers()
    assert codes == {f"toy-{n}": 0 for n in range(4)}
    assert sorted(answer.text for answer in answers) == sorted(texts)
    assert all(answer.state == "done" for answer in answers)


def test_workers_that_nothing_tells_how_to_evaluate_are_refused(tmp_path: Path) -> None:
    alone = ClusterPlan.model_validate({"place": "jobs.db", "workers": [{"name": "docking", "count": 1}]})
    with pytest.raises(ConfigError, match="workers 'docking' have no way to evaluate, and would end at once"):
        local_cluster(alone, tmp_path)
    (tmp_path / "jobs.db").mkdir()
    (tmp_path / "jobs.db" / "config.toml").touch()
    assert len(local_cluster(alone, tmp_path).members) == 1
