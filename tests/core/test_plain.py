from __future__ import annotations

import math

import pytest

from fluvial.core.plain import finite, masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("at postgresql+psycopg://me:a:b/c@h:5432/d, and", "at postgresql+psycopg://me:***@h:5432/d, and"),
        ('place = "postgresql://:pw@h/d" # x@y', 'place = "postgresql://:***@h/d" # x@y'),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("http://127.0.0.1:8000/score", "http://127.0.0.1:8000/score"),
        ("C[C@H](N)O from a:b@c", "C[C@H](N)O from a:b@c"),
        ("a://u:p@h and b://v:q@i", "a://u:***@h and b://v:***@i"),
    ],
)
def test_passwords_of_urls_are_left_out(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_what_json_does_not_have_is_null() -> None:
    assert finite({"a": (1.0, math.nan), "b": [math.inf]}) == {"a": [1.0, None], "b": [None]}
