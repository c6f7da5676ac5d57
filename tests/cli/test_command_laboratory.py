"""A table for a laboratory, and the table back with answers; workers that know what a run asks."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fluvial.queue.jobs import Oracle
from fluvial.queue.opening import open_queue
from fluvial.rewards.queued import row_of
from fluvial.rewards.terms import function_term

ASSAY = Oracle("assay")
RUN = """
threads = 1
[env]
kind = "sequence"
alphabet = ["A", "C"]
max_length = 3
reward = "terms"
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 4
[stop]
steps = 2
[queue]
most_waiting = 4
patience_minutes = 0.005
[[reward.term]]
kind = "oracle"
oracle = "assay"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with closing(open_queue("jobs.db")) as queue:
        queue.submit(ASSAY, ["CCO", "CCN", "CCC"])
    return tmp_path


def rows(name: str) -> list[dict[str, str]]:
    with open(name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(name: str, table: list[dict[str, str]]) -> None:
    with open(name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def test_a_table_goes_out_and_comes_back(call: Any, folder: Path) -> None:
    assert call("queue", "ask", "jobs.db", "-n", 2, "-o", "plate.csv").stdout == (
        "2 molecules written to plate.csv\n"
    )
    assert call("queue", "ask", "jobs.db", "-o", "rest.csv").stdout == "1 molecules written to rest.csv\n"
    plate = rows("plate.csv")
    assert [row["smiles"] for row in plate] == ["CCO", "CCN"]
    plate[0]["value"] = "6.2"
    write("plate.csv", plate)
    said = "1 answers taken, 0 were there before or came from another table\n"
    assert call("queue", "tell", "jobs.db", "-i", "plate.csv").stdout == said
    plate[1]["error"] = "spilt"
    write("plate.csv", plate)
    assert call("queue", "tell", "jobs.db", "-i", "plate.csv").stdout.startswith("1 answers taken, 1 were")
    with closing(open_queue("jobs.db")) as queue:
        ends = queue.known(ASSAY.fingerprint, ["CCO", "CCN", "CCC"])
    assert (ends["CCO"].values, ends["CCN"].state, ends["CCN"].reason) == ({"value": 6.2}, "failed", "spilt")
    assert "CCC" not in ends


def test_numbers_are_kept_by_the_name_of_their_column(call: Any, folder: Path) -> None:
    call("queue", "ask", "jobs.db", "-n", 2, "-o", "plate.csv")
    write(
        "plate.csv",
        [{**row, "pIC50": cell} for row, cell in zip(rows("plate.csv"), ("6.2", ""), strict=True)],
    )
    said = "1 answers taken, 0 were there before or came from another table\n"
    assert call("queue", "tell", "jobs.db", "-i", "plate.csv", "--value", "pIC50").stdout == said
    with closing(open_queue("jobs.db")) as queue:
        answer = queue.known(ASSAY.fingerprint, ["CCO"])["CCO"]
    assert answer.values == {"pIC50": 6.2}
    term = function_term(len, label="affinity", output="pIC50")
    assert term.raw_value(row_of(answer)) == 6.2


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [("six", "plate.csv line 2: 'six' is not a number"), ("nan", "plate.csv line 2: nan is not a finite")],
)
def test_bad_cells_are_named_and_nothing_is_told(call: Any, folder: Path, cell: str, sentence: str) -> None:
    call("queue", "ask", "jobs.db", "-o", "plate.csv")
    plate = rows("plate.csv")
    plate[0]["value"], plate[1]["value"] = cell, "1.0"
    write("plate.csv", plate)
    result = call("queue", "tell", "jobs.db", "-i", "plate.csv")
    assert (result.exit_code, sentence in result.stderr) == (2, True), result.output
    with closing(open_queue("jobs.db")) as queue:
        assert queue.counts().done == 0


def test_a_table_of_another_kind_is_refused(call: Any, folder: Path) -> None:
    Path("other.csv").write_text("smiles,value\nCCO,1\n")
    result = call("queue", "tell", "jobs.db", "-i", "other.csv")
    assert "other.csv: there is no column 'job' (found: smiles, value)" in result.stderr
    assert call("queue", "ask", "jobs.db", "-o", "other.csv").exit_code == 2, "answers are not written over"


def test_a_run_waits_for_people_and_goes_on_with_their_answers(call: Any, folder: Path) -> None:
    Path("run.toml").write_text(RUN)
    result = call("train", "run.toml", "--out", "run", "--quiet")
    assert "no answer for 0.005 minutes: " in result.stderr
    assert "wait for assay in run/queue.db" in result.stderr
    assert "start workers with `fluvial worker run`" in " ".join(result.stderr.split())
    result = call("worker", "run")
    assert "run has no queued reward term that says how it is evaluated" in result.stderr
    assert "one of exec, once, http, target or simulate" in result.stderr
    for _ in range(2):
        call("queue", "ask", "run", "-o", "asked.csv")
        asked = rows("asked.csv")
        write("asked.csv", [{**row, "value": str(1.0 + row["smiles"].count("A"))} for row in asked])
        call("queue", "tell", "run", "-i", "asked.csv")
        Path("asked.csv").unlink()
        result = call("resume", "run", "--quiet")
        if result.exit_code == 0:
            break
    found = {row["object"]: float(row["reward"]) for row in rows("run/candidates.csv")}
    assert found
    assert all(reward == 1.0 + text.count("A") for text, reward in found.items())


def test_a_worker_of_a_run_needs_no_options(call: Any, folder: Path) -> None:
    Path("reward.py").write_text("def score(texts: list[str]):\n    return [1.0 for text in texts]\n")
    text = RUN.replace(
        'kind = "oracle"\noracle = "assay"', 'kind = "function"\nfunction = "reward.py:score"\nqueued = true'
    )
    Path("run.toml").write_text(text)
    call("train", "run.toml", "--out", "run", "--quiet")
    result = call("worker", "run", "--idle-exit", 0)
    assert (result.exit_code, result.stdout.endswith("answered, 0 failed\n")) == (0, True), result.output
    assert " done" in call("status", "run").stdout


def test_a_check_and_a_table_answer_queued_terms_here(call: Any, folder: Path) -> None:
    Path("reward.py").write_text("def score(smiles):\n    return [0.5 * len(one) for one in smiles]\n")
    Path("molecules.toml").write_text(
        '[env]\nkind = "fragments"\n[[reward.term]]\nkind = "function"\n'
        'function = "reward.py:score"\nqueued = true\n'
    )
    Path("in.smi").write_text("CCO\nCC\n")
    assert call("check", "molecules.toml").exit_code == 0
    assert call("score", "molecules.toml", "-i", "in.smi", "-o", "out.csv").exit_code == 0
    assert [row["reward"] for row in rows("out.csv")] == ["1.5", "1.0"]
    Path("run.toml").write_text(RUN)
    assert "is answered by people" in call("check", "run.toml").stdout
