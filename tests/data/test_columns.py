from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns, Row, as_number, layout, row_of

HEADING = ["ID", "Smiles", "pIC50", "note"]
FOUND = layout(Path("a.csv"), HEADING, Columns(reward="pic50", further=("note",)))


def test_positions_are_found_in_any_letter_case() -> None:
    assert (FOUND.text, FOUND.name, FOUND.reward, dict(FOUND.further)) == (1, 0, 2, {"note": 3})
    assert FOUND.positions == {0, 1, 2, 3}
    assert layout(Path("a.csv"), ["smiles", "SMILES"], Columns("SMILES")).text == 1


def test_rows() -> None:
    assert row_of(FOUND, "line 2", [" m1 ", " CCO", "5.5 ", "x"]) == Row(
        "line 2", "CCO", 5.5, {"note": "x"}, "m1"
    )
    assert row_of(FOUND, "line 3", ["m2", "CC"]) == Row("line 3", "CC", None, {"note": None}, "m2")


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", None, float("nan")])
def test_an_unknown_reward_is_no_problem(cell: object) -> None:
    row = row_of(FOUND, "line 2", ["m", "CC", cell, ""])  # type: ignore[list-item]
    assert (row.reward, row.problem) == (None, "")


@pytest.mark.parametrize(
    ("cells", "problem", "shown"),
    [
        (["m", "", "1"], "without an object in column 'smiles'", "an empty cell"),
        (["m", None, "1"], "without an object in column 'smiles'", "an empty cell"),
        (["m", "CC", "active"], "with no finite number in column 'pic50'", "'active'"),
        (["m", "CC", ">5"], "with no finite number in column 'pic50'", "'>5'"),
        (["m", "CC", "inf"], "with no finite number in column 'pic50'", "'inf'"),
        (["m", "CC", True], "with no finite number in column 'pic50'", "'True'"),
    ],
)
def test_bad_rows(cells: list[str], problem: str, shown: str) -> None:
    row = row_of(FOUND, "line 2", cells)
    assert (row.problem, row.shown) == (problem, shown)


def test_a_molecule_may_be_called_nan() -> None:
    assert row_of(FOUND, "line 2", ["m", "nan", "1"]).text == "nan"


def test_numbers() -> None:
    assert [as_number(cell) for cell in ["1e-3", 2, 2.5, "x", None, True, "1e999", "nan"]] == [
        0.001,
        2.0,
        2.5,
        None,
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("heading", "columns", "sentence"),
    [
        (["a", "b"], Columns(remedy="Think."), "there is no column 'smiles'; it has 'a', 'b'. Think."),
        ([], Columns(), "there is no column 'smiles'; it has none. Name the one that is meant."),
        (["smiles", "b"], Columns(reward="r"), "there is no column 'r'"),
        (["smiles", "b"], Columns(further=("b", "q")), "there is no column 'q'"),
        (["smiles", "SMILES"], Columns("Smiles"), "there are several column 'Smiles'"),
        (["smiles", "smiles"], Columns(), "there are several column 'smiles'"),
    ],
)
def test_columns_that_are_not_there(heading: list[str], columns: Columns, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        layout(Path("a.csv"), heading, columns)
    assert sentence in str(caught.value)
