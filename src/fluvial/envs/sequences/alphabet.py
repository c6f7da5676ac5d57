"""Symbols of one or several characters, and the one reading of a text that is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fluvial.core.errors import ConfigError

MOST_SYMBOLS = (1 << 15) - 1  # numbers from 1 fit in int16


@dataclass(frozen=True)
class Alphabet:
    """The symbols of a sequence environment; every text has at most one reading.

    Where a text had two, two words would be one object, which would be sampled too often.

    Raises:
        ConfigError: no symbols or too many, an empty symbol or one with a blank, one given twice, or a text
            with two readings.
    """

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.symbols) <= MOST_SYMBOLS:
            raise ConfigError(f"the alphabet has {len(self.symbols)} symbols; give 1 to {MOST_SYMBOLS}")
        for symbol in self.symbols:
            if not symbol or " " in symbol or not symbol.isprintable():
                raise ConfigError(
                    f"alphabet symbol {symbol!r} is empty or has a blank or an unprintable character; "
                    "use visible characters"
                )
        if len(self._numbers) < len(self.symbols):
            twice = next(symbol for symbol in self.symbols if self.symbols.count(symbol) > 1)
            raise ConfigError(f"alphabet symbol '{twice}' is given more than once; keep one")
        readings = two_readings(self.symbols)
        if readings is not None:
            one, other = (" + ".join(reading) for reading in readings)
            raise ConfigError(
                f"the alphabet is ambiguous: '{''.join(readings[0])}' is {one} as well as {other}; "
                "write symbols so that each text has one reading, such as [Cl] for Cl"
            )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, start=1)}

    @cached_property
    def _sizes(self) -> list[int]:
        return sorted({len(symbol) for symbol in self.symbols})

    def read(self, text: str) -> list[int] | None:
        """Numbers of the symbols in a text, from 1; None where it is not made of symbols."""
        last = {0: 0}  # position to the symbol that ends there: one at most, as a text has one reading
        for start in range(len(text)):
            if start not in last:
                continue
            for size in self._sizes:
                number = self._numbers.get(text[start : start + size])
                if number is not None:
                    last[start + size] = number
        if len(text) not in last:
            return None
        numbers, end = [], len(text)
        while end > 0:
            numbers.append(last[end])
            end -= len(self.symbols[last[end] - 1])
        return numbers[::-1]

    def write(self, numbers: Sequence[int]) -> str:
        """The text of symbols given by number; 0 writes nothing."""
        return "".join(self.symbols[number - 1] for number in numbers if number)


Reading = tuple[str, ...]


def two_readings(symbols: Sequence[str]) -> tuple[Reading, Reading] | None:
    """Two different lists of distinct `symbols` that write the same text; None where there are none.

    A search over what the longer of two readings is ahead of the other, which is always the end of a symbol,
    so it ends (Sardinas and Patterson 1953).
    """
    waiting = list(_starts(symbols))
    seen = {ahead for ahead, _, _ in waiting}
    for ahead, longer, shorter in waiting:
        for symbol in symbols:
            reading = (*shorter, symbol)
            if symbol == ahead:
                return longer, reading
            if ahead.startswith(symbol):
                found = (ahead[len(symbol) :], longer, reading)
            elif symbol.startswith(ahead):
                found = (symbol[len(ahead) :], reading, longer)
            else:
                continue
            if found[0] not in seen:
                seen.add(found[0])
                waiting.append(found)
    return None


def _starts(symbols: Sequence[str]) -> Iterator[tuple[str, Reading, Reading]]:
    """What each symbol is ahead of each other one that it begins with, and the two."""
    known = set(symbols)
    for symbol in symbols:
        for size in range(1, len(symbol)):
            if symbol[:size] in known:
                yield symbol[size:], (symbol,), (symbol[:size],)
