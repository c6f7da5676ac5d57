from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.config.lines import KeyPath, key_lines

TEXT = '''# [not.a.table]
a = 1
b.c = "x # = [" # comment
"q.r" = { s = 1, t = [1,
 {u = 2}, """
x = 3 \\""" """
]}

[env] # here
kind = 'a"'
x.y.z = 1.5
[[reward.term]]
name = 'x'
[reward.term.transform]
low = 1979-05-27 07:32:00
[[reward.term]]
name = \'\'\'
[z]
\'\'\'\'
  [[reward.term.sub]]
  q = [
    1, # one
    [2,
     3],
  ]
[f . "c d"]
"\\u0041" = 2'''

LINES: dict[KeyPath, int] = {
    ("a",): 2,
    ("b",): 3,
    ("b", "c"): 3,
    ("q.r",): 4,
    ("q.r", "s"): 4,
    ("q.r", "t"): 4,
    ("q.r", "t", 0): 4,
    ("q.r", "t", 1): 5,
    ("q.r", "t", 1, "u"): 5,
    ("q.r", "t", 2): 5,
    ("env",): 9,
    ("env", "kind"): 10,
    ("env", "x"): 11,
    ("env", "x", "y"): 11,
    ("env", "x", "y", "z"): 11,
    ("reward",): 12,
    ("reward", "term"): 12,
    ("reward", "term", 0): 12,
    ("reward", "term", 0, "name"): 13,
    ("reward", "term", 0, "transform"): 14,
    ("reward", "term", 0, "transform", "low"): 15,
    ("reward", "term", 1): 16,
    ("reward", "term", 1, "name"): 17,
    ("reward", "term", 1, "sub"): 20,
    ("reward", "term", 1, "sub", 0): 20,
    ("reward", "term", 1, "sub", 0, "q"): 21,
    ("reward", "term", 1, "sub", 0, "q", 0): 22,
    ("reward", "term", 1, "sub", 0, "q", 1): 23,
    ("reward", "term", 1, "sub", 0, "q", 1, 0): 23,
    ("reward", "term", 1, "sub", 0, "q", 1, 1): 24,
    ("f",): 26,
    ("f", "c d"): 26,
    ("f", "c d", "A"): 27,
}


def test_every_way_to_write_a_key_has_its_line() -> None:
    assert key_lines(TEXT) == LINES


def test_windows_line_ends_and_nothing_at_all() -> None:
    assert key_lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n") == {("a",): 1, ("b",): 3, ("b", "c"): 4}
    assert key_lines("") == {}


def paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    """Every key and list item of parsed data."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path, *(deep for key, item in inside for deep in paths(item, (*path, key)))}


GAPS = st.sampled_from([" ", "\t", "\n", " # ], } = \n", "\n\n "])
SCALARS = st.sampled_from(['"a # [b]"', "'{c = 1}'", "-1.5e3", "true", '"""x\n y"" = 1"""', "1979-05-27"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.tuples(st.lists(inner, max_size=3), GAPS).map(
            lambda pair: f"[{f',{pair[1]}'.join(pair[0])}{pair[1]}]"
        ),
        st.lists(inner, max_size=3).map(
            lambda items: f"{{{', '.join(f'k{number} = {item}' for number, item in enumerate(items))}}}"
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.lists(VALUES, max_size=3))
def test_the_scan_finds_exactly_the_keys_that_the_parser_finds(first: list[str], second: list[str]) -> None:
    lines = [f"a{number} = {value}" for number, value in enumerate(first)]
    for number, value in enumerate(second):
        lines += ["[[t.list]]", f'"b {number}".c = {value}']
    text = "\n".join(lines)
    found = key_lines(text)
    assert {(), *found} == paths(tomllib.loads(text))
    source = text.split("\n")
    assert all(f"a{number} = " in source[found[(f"a{number}",)] - 1] for number in range(len(first)))
