from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from fluvial.config.file import parse_config
from fluvial.queue.records import Candidate, ScoredObject
from fluvial.queue.store import Store
from fluvial.report.run_page import trade_off_curve
from fluvial.rewards.terms import Term, function_term
from fluvial.train.export import write_candidates
from fluvial.train.pareto import front_of, front_table
from fluvial.train.run_directory import RunDirectory
from fluvial.train.table import csv_text
from fluvial.train.terms import terms_to_read


def never(texts: list[str]) -> list[float]:
    raise AssertionError("a front asks for no reward")


def turned(value: float) -> float:
    return 10.0 - value


TERMS: tuple[Term, ...] = (
    function_term(never, label="first"),
    function_term(never, label="second", transform=turned),
)


def candidate(text: str, first: float | None, second: float | None, status: str = "ok") -> Candidate:
    reward = 1.0 if status in ("ok", "filtered") else None
    return Candidate(0, text, reward, status, "", {"first": first, "second": second}, 1, 3)


OBJECTS = [
    candidate("a", 1.0, 8.0),  # (1, 2)
    candidate("b", 3.0, 9.0),  # (3, 1)
    candidate("c", 2.0, 9.5),  # (2, 0.5): b is better in both
    candidate("d", 3.0, 9.0),  # as b
    candidate("e", None, 0.0, "failed"),
    candidate("f", 9.0, 0.0, "filtered"),
    candidate("g", None, 0.0),
    candidate("h", 5.0, 11.0),  # the transform gives -1, which is no value
]


def test_the_front_is_of_transformed_terms_and_leaves_out_what_has_none() -> None:
    front = front_of(TERMS, OBJECTS)
    assert front.names == ("first", "second")
    assert front.is_on.tolist() == [True, True, False, True, False, False, False, False]
    assert front.values[:4].tolist() == [[1.0, 2.0], [3.0, 1.0], [2.0, 0.5], [3.0, 1.0]]
    assert np.isnan(front.values[4:]).any(axis=1).all()
    assert front_of(TERMS, []).is_on.tolist() == []
    assert front_of(TERMS, OBJECTS[4:]).is_on.tolist() == [False] * 4


def test_the_table_of_the_front() -> None:
    table = front_table(OBJECTS, front_of(TERMS, OBJECTS), "object")
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert [row["object"] for row in rows] == ["b", "d", "a"]
    assert rows[2] == {
        "object": "a",
        "reward": "1.0",
        "score first": "1.0",
        "score second": "2.0",
        "raw first": "1.0",
        "raw second": "8.0",
        "first_step": "3",
    }


def test_a_run_keeps_its_front(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    with Store.create(run.store) as store:
        for step, (text, first, second) in enumerate([("x", 1.0, 9.0), ("y", 2.0, 8.0), ("z", 0.5, 1.0)]):
            item = ScoredObject(text, 1.0, properties={"first": first, "second": second})
            store.record_step(step, [item], [text], {})
            write_candidates(store, run, is_molecular=False, terms=TERMS)
        fronts = [row["object"] for row in csv.DictReader(run.pareto_csv.open())]
        table = {row["object"]: row["pareto"] for row in csv.DictReader(run.candidates_csv.open())}
        store.rollback_to(0)
        write_candidates(store, run, is_molecular=False, terms=TERMS)
        before = [row["object"] for row in csv.DictReader(run.pareto_csv.open())]
        run.pareto_csv.unlink()
        write_candidates(store, run, is_molecular=False, terms=TERMS[:1])
    assert fronts == ["y", "z"]
    assert table == {"x": "0", "y": "1", "z": "1"}
    assert before == ["x"]
    assert not run.pareto_csv.exists()
    assert "pareto" not in run.candidates_csv.read_text()
    assert "`pareto" not in run.columns.read_text()


def test_the_chart_joins_the_front_and_no_other_points() -> None:
    curve = trade_off_curve(TERMS, OBJECTS)
    assert curve.title == "second against first"
    assert sorted(map(tuple, curve.series["front"])) == [(1.0, 2.0), (3.0, 1.0), (3.0, 1.0)]
    assert curve.series["others"] == [(2.0, 0.5), (2.0, None)]


def test_terms_that_were_python_objects_can_still_be_read() -> None:
    config = parse_config(
        '[env]\nkind = "fragments"\n[[reward.term]]\nkind = "function"\nname = "mine"\n'
        'function = "<in memory>.py:function"\ntransform = {kind = "clip", low = 0.0, high = 2.0}\n'
        '[[reward.term]]\nkind = "sa"\n'
    )
    mine, sa = terms_to_read(config)
    assert mine.value(5.0) == pytest.approx(2.0)
    assert sa.value(1.0) == pytest.approx(1.0)
