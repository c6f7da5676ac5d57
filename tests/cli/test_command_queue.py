"""From a file of molecules to a table of answers, and what is seen on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fluvial.queue.jobs import Oracle
from fluvial.queue.opening import open_queue

REWARD = "def score(smiles):\n    return [None if 'N' in one else len(one) for one in smiles]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in.smi").write_text("OCC\nCCO again\nnonsense\nc1ccccc1\nCN\n")
    Path("reward.py").write_text(REWARD)
    return tmp_path


def ran(call: Any, *words: object) -> str:
    result = call(*words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return str(result.stdout)


def test_molecules_go_in_and_answers_come_out(call: Any, folder: Path) -> None:
    said = ran(call, "queue", "submit", "jobs.db", "--oracle", "length", "-i", "in.smi")
    assert said.splitlines()[0] == "3 new, 0 waiting already, 0 answered already"
    assert "line 3: 'nonsense' is no valid SMILES" in said
    assert "3 waiting already" in ran(
        call, "queue", "submit", "jobs.db", "--oracle", "length", "-i", "in.smi"
    )
    assert ran(call, "worker", "jobs.db", "--function", "reward.py:score", "--idle-exit", "0") == (
        "2 answered, 1 failed\n"
    )
    assert ran(call, "queue", "answers", "jobs.db") == "3 answers\nwritten to answers.csv\n"
    with open("answers.csv", newline="") as file:
        rows = {row["smiles"]: row for row in csv.DictReader(file)}
    assert (rows["CCO"]["value"], rows["CCO"]["status"]) == ("3.0", "done")
    assert (rows["CN"]["value"], rows["CN"]["status"]) == ("", "failed")
    assert rows["CN"]["reason"] == "returned None, not a number"
    assert "CN  (1 tries" in ran(call, "queue", "failures", "jobs.db")
    assert ran(call, "queue", "retry", "jobs.db") == "0 jobs are ready again\n"
    assert (
        ran(call, "queue", "retry", "jobs.db", "--refused", "--oracle", "length")
        == "1 jobs are ready again\n"
    )


def test_status_shows_what_there_is(call: Any, folder: Path) -> None:
    ran(call, "queue", "submit", ".", "--oracle", "length", "--parameter", "power=2", "-i", "in.smi")
    ran(call, "worker", ".", "--function", "reward.py:score", "--idle-exit", "0", "--json")
    found = json.loads(ran(call, "status", ".", "--json"))
    assert found["run"] is None
    assert found["queue"]["counts"] == {
        "submitted": 3, "ready": 0, "leased": 0, "done": 2, "failed": 1, "dead": 0
    }  # fmt: skip
    assert found["queue"]["add_up"] is True
    assert found["queue"]["reasons"] == [["returned None, not a number", 1]]
    text = ran(call, "status", folder)
    assert "3 submitted, 2 done, 1 failed" in text
    assert "0 alive" in text
    assert "oldest          nothing waits" in text
    assert "1 x returned None, not a number" in text
    assert "2 done" in ran(call, "watch", ".", "--times", "2", "--every", "0.1")


def test_status_of_a_run_shows_its_best_objects(call: Any, trained_run: Path) -> None:
    found = json.loads(ran(call, "status", trained_run, "--json"))
    assert found["queue"] is None
    assert found["run"]["last_step"] == 6
    assert len(found["run"]["best"]) == 5
    assert found["run"]["best"][0]["object"] in ran(call, "status", trained_run)


@pytest.mark.long
def test_status_tells_how_old_is_what_is_learned_from(call: Any, folder: Path, tmp_path: Path) -> None:
    Path("run.toml").write_text(
        '[env]\nkind = "fragments"\n[algo]\nbatch = 8\n[stop]\nsteps = 3\n[queue]\nmost_waiting = 16\nworkers = 1\n'
        '[[reward.term]]\nkind = "oracle"\noracle = "made-up"\nsimulate = "latency=0.01"\n'
    )
    ran(call, "train", "run.toml", "--out", "run", "--quiet")
    found = json.loads(ran(call, "status", "run", "--json"))
    old = found["run"]["staleness"]
    assert 0 < old["waiting"] <= 16
    assert 0.0 < old["policy_lag"] <= old["policy_lag_max"] <= 2.0
    text = ran(call, "status", "run")
    assert (
        f"{old['waiting']:g} trajectories wait; what came last was {old['policy_lag']:.3g} steps old" in text
    )
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if line["event"] == "step"][-1]["metrics"]
    assert 0.01 <= last["latency_seconds"] <= last["latency_seconds_max"]
    assert last["queue_age_seconds"] >= 0.0
    ran(call, "export", "run", "-o", "samples.csv", "--of", "samples")
    with open("samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= int(row["policy_version"]) < int(row["step"]) for row in rows)
    assert any(int(row["policy_version"]) < int(row["step"]) - 1 for row in rows)


def test_a_paused_queue_gives_out_nothing(call: Any, folder: Path) -> None:
    ran(call, "queue", "submit", "jobs.db", "--oracle", "length", "-i", "in.smi")
    assert ran(call, "queue", "pause", "jobs.db") == "paused; go on with: fluvial queue resume jobs.db\n"
    assert ran(call, "worker", "jobs.db", "--simulate", "", "--idle-exit", "0") == "0 answered, 0 failed\n"
    assert "switched" in ran(call, "status", "jobs.db")
    ran(call, "queue", "resume", "jobs.db")
    assert ran(call, "queue", "drain", "jobs.db").endswith("go on with: fluvial queue resume jobs.db\n")
    assert ran(call, "worker", "jobs.db", "--simulate", "") == "3 answered, 0 failed\n"
    Path("other.smi").write_text("CCCC\n")
    said = ran(call, "queue", "submit", "jobs.db", "--oracle", "length", "-i", "other.smi")
    assert "1 refused: the queue is draining; see `fluvial queue resume jobs.db`" in said


def test_other_parameters_are_another_oracle(call: Any, folder: Path) -> None:
    for target in ("1", "2"):
        parameter = f"target={target}"
        ran(call, "queue", "submit", "jobs.db", "--oracle", "dock", "--parameter", parameter, "-i", "in.smi")
    result = call("worker", "jobs.db", "--simulate", "", "--idle-exit", "0")
    assert result.exit_code == 2
    assert "the queue has several oracles: dock (" in result.stderr
    wanted = Oracle("dock", {"target": 2}).fingerprint[:8]
    assert ran(call, "worker", "jobs.db", "--simulate", "", "--idle-exit", "0", "--oracle", wanted) == (
        "3 answered, 0 failed\n"
    )


TARGET = """\
tool = "boltz"
name = "toy"
[[chain]]
id = "A"
sequence = "MKT"
msa = "empty"
[run]
command = "no-such-boltz"
"""


def test_a_target_answers_its_own_oracle_and_no_other(call: Any, folder: Path) -> None:
    Path("toy.toml").write_text(TARGET)
    ran(call, "queue", "submit", "jobs.db", "--oracle", "length", "-i", "in.smi")
    words = ["worker", "jobs.db", "--target", "toy.toml", "--idle-exit", "0"]
    result = call(*words)
    assert result.exit_code == 0
    assert "waiting until somebody asks toy.toml (" in result.stderr
    assert "the queue asks length (" in result.stderr
    assert "nothing that toy.toml answers was ever asked in jobs.db" in result.stdout
    refused = call(*words, "--oracle", "length")
    assert refused.exit_code == 2
    assert "--oracle length: toy.toml answers toy (" in refused.stderr
    # Beside the other oracle its own is found without a name, and is begun.
    ran(call, "queue", "submit", "jobs.db", "--target", "toy.toml", "-i", "in.smi")
    begun = call(*words)
    assert "no-such-boltz: there is no such program" in begun.stderr
    assert open_queue(folder / "jobs.db").counts().ready == 6


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["worker", "jobs.db"],
            2,
            "by one of --function, --exec, --once, --http, --target, --simulate; there are 0",
        ),
        (["worker", "jobs.db", "--simulate", "", "--exec", "x"], 2, "there are 2"),
        (
            ["worker", "jobs.db", "--exec", "no-such-program x"],
            2,
            "no-such-program: there is no such program",
        ),
        (["worker", "jobs.db", "--exec", "'"], 2, "No closing quotation"),
        (["worker", "jobs.db", "--function", "none.py:f"], 2, "none.py: no such file"),
        (["worker", "jobs.db", "--simulate", "latncy=1"], 2, "no 'latncy'"),
        (["worker", "jobs.db", "--simulate", "", "--timeout", "0"], 2, "--timeout 0: must be greater"),
        (["worker", "mysql://host/x", "--simulate", ""], 2, "cannot be kept in 'mysql'"),
        (["status", "nowhere"], 5, "no run and no queue at nowhere"),
        (["status", "postgresql://u:secret@127.0.0.1:1/x"], 5, "u:***@127.0.0.1:1/x: PostgreSQL says"),
        (["queue", "pause", "nowhere.db"], 5, "no queue at nowhere.db"),
        (["queue", "retry", "jobs.db", "--oracle", "dock"], 2, "no oracle 'dock' (found: length)"),
        (["queue", "answers", "jobs.db", "-o", "x.doc"], 2, "accepted are"),
        (["queue", "submit", "jobs.db", "--oracle", "x", "--parameter", "y", "-i", "in.smi"], 2, "KEY=VALUE"),
    ],
)
def test_what_cannot_be_meant_is_said(
    call: Any, folder: Path, words: list[str], code: int, sentence: str
) -> None:
    queue = open_queue(folder / "jobs.db")
    queue.submit(Oracle("length"), ["C"])
    queue.close()
    result = call(*words)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert "secret" not in result.output


def test_a_worker_gives_back_what_it_holds_at_sigterm(folder: Path) -> None:
    queue = open_queue(folder / "jobs.db")
    oracle = Oracle("slow")
    queue.submit(oracle, [f"C{n}" for n in range(10)])
    command = [
        sys.executable,
        "-m",
        "fluvial",
        "worker",
        "jobs.db",
        "--simulate",
        "latency=1000",
        "--batch",
        "4",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        deadline = time.monotonic() + 60.0
        while queue.counts().leased < 4:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "0 answered, 0 failed\n")
    assert (queue.counts().ready, queue.counts().leased) == (10, 0)
    assert queue.claim("x", oracle.fingerprint, 10, 1.0)[0].attempt == 1


def test_a_worker_starts_without_torch(folder: Path) -> None:
    program = (
        "import sys\nfrom fluvial.cli.main import app\n"
        "app(['worker', 'jobs.db', '--simulate', '', '--idle-exit', '0'], standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
