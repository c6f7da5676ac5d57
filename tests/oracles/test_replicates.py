"""Replicates of a calculation become one result."""

from __future__ import annotations

import pytest

from fluvial.oracles.replicates import combined
from fluvial.queue.jobs import Result


def test_values_by_hand() -> None:
    found = combined([Result({"a": -8.0}), Result({"a": -9.0})])
    assert found.values == pytest.approx({"a": -8.5, "a_sd": 0.5**0.5, "n_replicates": 2.0})
    assert combined([Result({"a": -8.0})]).values == {"a": -8.0}


def test_the_mean_is_over_those_that_succeeded() -> None:
    found = combined([Result({"a": 1.0, "b": 5.0}), Result(reason="crash"), Result({"a": 2.0})])
    assert found.values == pytest.approx({"a": 1.5, "a_sd": 0.5**0.5, "n_replicates": 2.0})
    assert found.reason == "crash"
    alone = combined([Result(reason="crash"), Result({"a": 2.0})])
    assert alone.values == {"a": 2.0, "n_replicates": 1.0}


def test_without_a_value_there_is_none() -> None:
    found = combined([Result(reason="time", may_pass=True), Result(reason="no pose")])
    assert (dict(found.values), found.reason, found.may_pass) == ({}, "no pose", True)


def test_values_that_are_missing_are_left_out() -> None:
    found = combined([Result({"a": 1.0, "b": None}), Result({"a": 3.0, "b": None})])
    assert found.values == pytest.approx({"a": 2.0, "a_sd": 2**0.5, "n_replicates": 2.0})
