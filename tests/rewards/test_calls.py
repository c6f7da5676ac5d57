from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch
from rdkit.Chem import Mol

from fluvial.chem.molecules import parse_smiles
from fluvial.rewards.calls import Failure, call_function, describe, finite_value

BATCH = ["C", "CC", "CCC"]


def raising_on_cc(smiles: list[str]) -> list[float]:
    if "CC" in smiles:
        raise ValueError("no pose\nfor this one")
    return [float(len(text)) for text in smiles]


def test_good_batch_is_called_once() -> None:
    calls: list[list[str]] = []

    def score(smiles: list[str]) -> list[float]:
        calls.append(smiles)
        return [0.5] * len(smiles)

    assert call_function(score, BATCH) == [0.5, 0.5, 0.5]
    assert calls == [BATCH]
    assert call_function(score, []) == []
    assert calls == [BATCH]


@pytest.mark.parametrize(
    "container",
    [
        tuple,
        np.array,
        lambda v: np.array(v, dtype=np.float32),
        torch.tensor,
        lambda v: [np.float64(x) for x in v],
    ],
)
def test_containers(container: Callable[[list[float]], Sequence[float]]) -> None:
    assert call_function(lambda smiles: container([0.25, 1.0, 2.0]), BATCH) == [0.25, 1.0, 2.0]


def test_one_raising_molecule_costs_no_other_its_value() -> None:
    first, failed, last = call_function(raising_on_cc, BATCH)
    assert (first, last) == (1.0, 3.0)
    assert isinstance(failed, Failure)
    assert failed.reason.startswith("ValueError: no pose for this one (test_calls.py line ")
    assert not failed.may_pass


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError(), MemoryError(), GeneratorExit("odd")])
def test_no_exception_ends_the_run(error: BaseException) -> None:
    def score(smiles: list[str]) -> list[float]:
        if "CC" in smiles:
            raise error
        return [1.0] * len(smiles)

    first, failed, last = call_function(score, BATCH)
    assert (first, last) == (1.0, 1.0)
    assert isinstance(failed, Failure)
    assert failed.reason.startswith(type(error).__name__)


def test_sys_exit_is_a_failure() -> None:
    rows = call_function(lambda smiles: sys.exit(1), ["C"])
    assert rows == [Failure(rows[0].reason)]  # type: ignore[union-attr]
    assert rows[0].reason.startswith("SystemExit: 1")  # type: ignore[union-attr]


def test_keyboard_interrupt_passes() -> None:
    def score(smiles: list[str]) -> list[float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_function(score, BATCH)


@pytest.mark.parametrize("error", [TimeoutError("late"), ConnectionRefusedError("closed")])
def test_lost_connections_may_pass(error: Exception) -> None:
    def score(smiles: list[str]) -> list[float]:
        raise error

    (row,) = call_function(score, ["C"])
    assert isinstance(row, Failure)
    assert row.may_pass


def test_wrong_length_of_a_batch_is_tried_alone() -> None:
    assert call_function(lambda smiles: [7.0], BATCH) == [7.0, 7.0, 7.0]
    wrong = Failure("returned 3 values for 1 molecule")
    assert call_function(lambda smiles: [1.0, 2.0, 3.0, 4.0][: max(3, len(smiles) + 1)], BATCH) == [wrong] * 3
    assert call_function(lambda smiles: [], ["C"]) == [Failure("returned 0 values for 1 molecule")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "returned nan, not a finite number"),
        (float("-inf"), "returned -inf, not a finite number"),
        (None, "returned None, not a number"),
        (True, "returned True, not a number"),
        (np.bool_(True), "returned True, not a number"),
        ("0.5", "returned '0.5', not a number"),
        ([0.5], "returned [0.5], not a number"),
        (1j, "returned 1j, not a number"),
        ("x" * 99, "returned a str, not a number"),
        (10**400, "returned a number that is too large"),
    ],
)
def test_values_that_are_no_numbers(value: object, reason: str) -> None:
    assert finite_value(value) == Failure(reason)
    assert call_function(lambda smiles: [1.0, value, 3], BATCH) == [1.0, Failure(reason), 3.0]


@pytest.mark.parametrize(
    "value", [2, 2.0, np.int8(2), np.float16(2), np.array(2), torch.tensor(2.0), Fraction(4, 2)]
)
def test_numbers_of_many_kinds(value: object) -> None:
    number = finite_value(value)
    assert type(number) is float
    assert number == 2.0


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "returned None, not a list of numbers"),
        (3.0, "returned 3.0, not a list of numbers"),
        ("abc", "returned 'abc', not a list of numbers"),
        ({}, "returned a dict without entries"),
        ({"dock": 1.0}, "'dock': returned 1.0, not a list of numbers"),
        ({"dock": [1.0, 2.0]}, "'dock': returned 2 values for 1 molecule"),
    ],
)
def test_answers_that_are_no_lists(returned: object, reason: str) -> None:
    assert call_function(lambda smiles: returned, ["C"]) == [Failure(reason)]


def test_dict_of_lists_becomes_named_rows_in_order() -> None:
    def score(smiles: list[str]) -> dict[str, list[float | None]]:
        if "CC" in smiles and len(smiles) > 1:
            raise ValueError("only alone")
        return {"z": [1.0] * len(smiles), "a": [None if text == "CC" else 2.0 for text in smiles]}

    rows = call_function(score, BATCH)
    assert rows == [
        {"z": 1.0, "a": 2.0},
        {"z": 1.0, "a": Failure("returned None, not a number")},
        {"z": 1.0, "a": 2.0},
    ]
    assert all(isinstance(row, dict) and list(row) == ["z", "a"] for row in rows)


def test_functions_get_copies() -> None:
    mol = parse_smiles("CCO")

    def spoil(mols: list[Mol]) -> list[float]:
        for each in mols:
            each.GetAtomWithIdx(0).SetAtomicNum(7)
        mols.clear()
        return [1.0]

    assert call_function(spoil, [mol]) == [1.0]
    assert mol.GetAtomWithIdx(0).GetAtomicNum() == 6


def test_describe_survives_a_broken_message() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe(OddError()) == "OddError: (its message cannot be shown)"
    assert describe(ValueError()) == "ValueError"
    assert len(describe(ValueError("x" * 10_000))) < 400
