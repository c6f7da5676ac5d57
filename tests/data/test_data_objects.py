from __future__ import annotations

import pytest
import torch

from fluvial.chem.vocabulary import Fragment, Vocabulary
from fluvial.core.environment import Found
from fluvial.data.objects import encoded, encoding_report, joined
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid

TEXTS = ["0,1", "9,9", "x", "2,2", "8,0", "?", "0,0"]


@pytest.mark.parametrize("texts_at_once", [1, 2, 3, 100])
def test_states_and_report_do_not_depend_on_the_batches(texts_at_once: int) -> None:
    found = encoded(Hypergrid(2, 3), TEXTS, n_examples=1, texts_at_once=texts_at_once)
    assert found.rows.tolist() == [0, 3, 6]
    assert found.states.coordinate.tolist() == [[0, 1], [2, 2], [0, 0]]
    assert found.states.is_done.all()
    report = found.report
    assert dict(report.counts) == {
        Found.ONE: 3,
        Found.SEVERAL: 0,
        Found.NONE: 2,
        Found.GAVE_UP: 0,
        Found.INVALID: 2,
    }
    assert (report.n_texts, report.n_usable) == (7, 3)
    assert report.examples[Found.NONE] == ("9,9",)
    assert report.lines() == [
        "3 of 7 texts made in one way",
        "2 of 7 texts cannot be made in this environment, such as 9,9",
        "2 of 7 texts cannot be read as objects, such as x",
    ]


def test_no_texts() -> None:
    found = encoded(Hypergrid(2, 3), [])
    assert (len(found.states), len(found.rows), found.report.lines()) == (0, 0, [])


def test_molecules_made_in_several_ways_are_usable() -> None:
    # Propane is three methyl-like carbons in a chain, or one carbon and an ethane.
    vocabulary = Vocabulary("two", (Fragment("C", (0, 0)), Fragment("CC", (0, 1))))
    found = encoded(Fragments(vocabulary, 3), ["CCC", "C", "CCCCCCCC", "CO", "c1"])
    assert found.rows.tolist() == [0, 1]
    counts = found.report.counts
    assert (counts[Found.SEVERAL], counts[Found.ONE], counts[Found.NONE], counts[Found.INVALID]) == (
        1,
        1,
        2,
        1,
    )
    assert found.report.n_usable == 2


def test_reports_are_joined() -> None:
    one = encoding_report(["a", "b"], [Found.NONE, Found.NONE], 3)
    two = encoding_report(["c", "d"], [Found.NONE, Found.ONE], 3)
    both = joined([one, two], n_examples=3)
    assert both.counts[Found.NONE] == 3
    assert both.examples[Found.NONE] == ("a", "b", "c")
    assert both.examples[Found.ONE] == ("d",)


def test_long_texts_are_cut_in_reports() -> None:
    report = encoding_report(["C" * 300], [Found.INVALID], 3)
    assert len(report.examples[Found.INVALID][0]) < 100


def test_states_are_on_the_cpu() -> None:
    assert encoded(Hypergrid(2, 3), TEXTS).states.device == torch.device("cpu")
