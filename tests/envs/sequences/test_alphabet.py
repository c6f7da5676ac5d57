"""Every text has one reading, or the alphabet is refused."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.core.errors import ConfigError
from fluvial.envs.sequences.alphabet import Alphabet, two_readings


def test_reading_and_writing() -> None:
    alphabet = Alphabet(("C", "[Cl]", "=O"))
    assert alphabet.read("C[Cl]=OC") == [1, 2, 3, 1]
    assert alphabet.write([1, 2, 3, 1, 0, 0]) == "C[Cl]=OC"
    assert alphabet.read("") == []
    assert alphabet.write([]) == ""
    for text in ("X", "C[Cl", "=", "CC=", " C", "c"):
        assert alphabet.read(text) is None


def test_reading_finds_the_one_way_back() -> None:
    # "0" is the beginning of "01", and "0" + "11" begins like "01" + "1", but only one of them goes on.
    alphabet = Alphabet(("0", "01", "11"))
    assert alphabet.read("0111") == [2, 3]
    assert alphabet.read("01111") == [1, 3, 3]
    assert alphabet.read("011") == [1, 3]
    assert alphabet.read("01") == [2]
    assert alphabet.read("1") is None


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ((), "the alphabet has 0 symbols"),
        (("a", ""), "symbol '' is empty"),
        (("a", "b c"), "symbol 'b c' is empty or has a blank"),
        (("a\n",), r"symbol 'a\\n'"),
        (("a", "b", "a"), "symbol 'a' is given more than once"),
        (("a", "aa"), "ambiguous: 'aa' is aa as well as a \\+ a"),
        (("C", "Cl", "l"), "ambiguous: 'Cl' is Cl as well as C \\+ l"),
        (("ab", "a", "bb", "c", "bc"), "ambiguous: 'abc' is a \\+ bc as well as ab \\+ c"),
    ],
)
def test_bad_alphabets(symbols: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Alphabet(symbols)


def test_too_many_symbols() -> None:
    with pytest.raises(ConfigError, match="has 32768 symbols; give 1 to 32767"):
        Alphabet(tuple(f"[{number}]" for number in range(1 << 15)))


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4, unique=True))
def test_two_readings_are_two_and_none_means_none(symbols: list[str]) -> None:
    readings = two_readings(symbols)
    words = [word for size in range(5) for word in product(symbols, repeat=size)]
    if readings is not None:
        one, other = readings
        assert one != other
        assert "".join(one) == "".join(other)
        assert {*one, *other} <= set(symbols)
    else:
        assert len({"".join(word) for word in words}) == len(words)
        alphabet = Alphabet(tuple(symbols))
        for word in words:
            numbers = [1 + symbols.index(symbol) for symbol in word]
            assert alphabet.read("".join(word)) == numbers
