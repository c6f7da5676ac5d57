from __future__ import annotations

from fluvial.data.tally import LONGEST_EXAMPLE, Reason, Tally, in_words, shortened


def test_counts_by_reason_with_the_first_examples() -> None:
    tally = Tally(n_examples=2)
    for number in range(3):
        tally.add("too long", f"line {number}")
    tally.add()
    tally.add("empty", "line 9")
    assert (tally.n_rows, tally.n_bad) == (5, 4)
    assert tally.reasons() == (
        Reason("too long", 3, ("line 0", "line 1")),
        Reason("empty", 1, ("line 9",)),
    )
    assert in_words(tally.reasons()) == "3 too long (such as line 0; line 1); 1 empty (such as line 9)"


def test_long_examples_are_cut() -> None:
    assert shortened("x" * LONGEST_EXAMPLE) == "x" * LONGEST_EXAMPLE
    assert shortened("x" * 1000) == "x" * LONGEST_EXAMPLE + "…"
