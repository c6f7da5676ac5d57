"""Where each key of a TOML text stands, which the standard parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]
"""Keys from the root down; whole numbers are positions in a list."""

TOKEN = re.compile(
    r"""
    (?P<newline>\n)
  | (?P<space>[ \t\r]+|\#[^\n]*)
  | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5}(?!\") | '{3}.*?'{3,5}(?!') | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
  | (?P<mark>[\[\]{},=.])
  | (?P<word>[^\s\[\]{},=.\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass
class _Scan:
    tokens: list[_Token]
    position: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    tables: dict[KeyPath, int] = field(default_factory=dict)
    """Array of tables, without positions of its own, to the number of tables seen in it."""


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each key, table and list item of a TOML text that the standard parser accepts."""
    scan = _Scan(list(_tokens(text)))
    table: KeyPath = ()
    while scan.position < len(scan.tokens):
        token = scan.tokens[scan.position]
        if token.kind == "newline":
            scan.position += 1
        elif token.text == "[":
            table = _header(scan)
        else:
            _pair(scan, table)
    return scan.lines


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "space":
            yield _Token(kind, match.group(), line)
        line += match.group().count("\n")


def _key(scan: _Scan) -> list[_Token]:
    """The parts of a dotted key; the position moves behind it."""
    parts = []
    while (token := scan.tokens[scan.position]).text not in ("=", "]"):
        scan.position += 1
        if token.kind != "mark":
            parts.append(token)
    return parts


def _name(token: _Token) -> str:
    return next(iter(tomllib.loads(f"{token.text} = 0"))) if token.kind == "text" else token.text


def _note(scan: _Scan, table: KeyPath, parts: list[_Token]) -> KeyPath:
    """Note the lines of a dotted key and of what it passes through; the path of the key."""
    path = table
    for part in parts:
        path = (*path, _name(part))
        scan.lines.setdefault(path, part.line)
        if path in scan.tables and part is not parts[-1]:
            path = (*path, scan.tables[path] - 1)
    return path


def _header(scan: _Scan) -> KeyPath:
    scan.position += 1
    is_array = scan.tokens[scan.position].text == "["
    scan.position += is_array
    parts = _key(scan)
    scan.position += 1 + is_array
    path = _note(scan, (), parts)
    if is_array:
        count = scan.tables.get(path, 0)
        scan.tables[path] = count + 1
        path = (*path, count)
    scan.lines[path] = parts[-1].line
    return path


def _pair(scan: _Scan, table: KeyPath) -> None:
    path = _note(scan, table, _key(scan))
    scan.position += 1
    _value(scan, path)


def _value(scan: _Scan, path: KeyPath) -> None:
    """Move behind a value and note the lines of what is inside."""
    token = scan.tokens[scan.position]
    scan.lines.setdefault(path, token.line)
    if token.text in ("[", "{"):
        _container(scan, path, "]" if token.text == "[" else "}")
        return
    while scan.position < len(scan.tokens) and not _ends_value(scan.tokens[scan.position]):
        scan.position += 1


def _ends_value(token: _Token) -> bool:
    return token.kind == "newline" or token.text in (",", "]", "}")


def _container(scan: _Scan, path: KeyPath, end: str) -> None:
    scan.position += 1
    count = 0
    while (token := scan.tokens[scan.position]).text != end:
        if token.kind == "newline" or token.text == ",":
            scan.position += 1
        elif end == "}":
            _pair(scan, path)
        else:
            _value(scan, (*path, count))
            count += 1
    scan.position += 1
