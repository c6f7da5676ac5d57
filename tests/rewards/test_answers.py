"""Lines that oracles write."""

from __future__ import annotations

import contextlib
import json
import random

import pytest

from fluvial.queue.jobs import Result
from fluvial.rewards.answers import Answered, Fatal, Noise, Ready, Started, parse_line
from fluvial.rewards.guard import BreakdownError
from fluvial.rewards.http_service import results_of_body
from fluvial.rewards.one_shot import results_of_payload


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ('{"id": "7", "value": 0.5}', Answered("7", Result({"value": 0.5}))),
        ('{"id": 7, "value": 1, "seconds": 2.5}', Answered("7", Result({"value": 1.0}, seconds=2.5))),
        ('{"id": "7", "values": {"a": 1, "b": 2.0}}', Answered("7", Result({"a": 1.0, "b": 2.0}))),
        (
            '{"id": "7", "values": {"a": 1, "b": null}}',
            Answered("7", Result({"a": 1.0, "b": None}, "'b': returned None, not a number")),
        ),
        ('{"id": "7", "error": "no\\n pose"}', Answered("7", Result(reason="no pose"))),
        ('{"id": "7", "error": "x", "retry": true}', Answered("7", Result(reason="x", may_pass=True))),
        ('{"id": "7", "error": "", "value": 0}', Answered("7", Result(reason="failed without a reason"))),
        ('{"id": "7", "value": NaN}', Answered("7", Result(reason="returned nan, not a finite number"))),
        ('{"id": "7", "value": 1e999}', Answered("7", Result(reason="returned inf, not a finite number"))),
        ('{"id": "7", "value": "0.5"}', Answered("7", Result(reason="returned '0.5', not a number"))),
        ('{"id": "7", "value": true}', Answered("7", Result(reason="returned True, not a number"))),
        (
            '{"id": "7", "values": []}',
            Answered("7", Result(reason="returned [] as values, not numbers by name")),
        ),
        ('{"id": "7", "started": true}', Started("7")),
        ('{"ready": true}', Ready()),
        ('{"fatal": "no licence"}', Fatal("no licence")),
        ('{"id": "7"}', Noise('{"id": "7"}')),
        ('{"id": null, "value": 1}', Noise('{"id": null, "value": 1}')),
        ('{"value": 1}', Noise('{"value": 1}')),
        ("[1, 2]", Noise("[1, 2]")),
        ("Loading model", Noise("Loading model")),
        ("[" * 100_000, Noise("[" * 200)),
    ],
)
def test_meaning_of_a_line(line: str, meaning: object) -> None:
    assert parse_line(line.encode()) == meaning


def test_no_message_raises_or_becomes_a_number_that_is_none() -> None:
    generator = random.Random(0)
    seeds = [
        b'{"id": "7", "value": 0.5, "seconds": 1.5}',
        b'{"id": 12, "values": {"a": 1e3, "b": null, "c": -0.0}}',
        b'{"id": "x", "error": "failed", "retry": true}',
        b'{"answers": [{"id": "1", "value": 3}], "payload": {"score": [1, 2]}, "version": 1}',
    ]
    tokens = [
        b"NaN",
        b"Infinity",
        b"null",
        b"{}",
        b"[]",
        b"true",
        b'"',
        b"\xff",
        b"\\ud800",
        b"1e999",
        b"-",
        b"9" * 400,
    ]
    for _ in range(20_000):
        line = bytearray(generator.choice(seeds))
        for _ in range(generator.randint(1, 4)):
            at = generator.randrange(len(line) + 1)
            cut = generator.choice([0, 0, 1, 2, 5])
            line[at : at + cut] = generator.choice([*tokens, bytes([generator.randrange(256)])])
        found = parse_line(bytes(line))
        if isinstance(found, Answered):
            assert found.result.is_value or found.result.reason
            json.dumps(dict(found.result.values), allow_nan=False)
        for read in (lambda data: list(results_of_body(data)), lambda data: results_of_payload(data, 2)):
            with contextlib.suppress(BreakdownError):
                read(bytes(line))


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (b"", "not JSON"),
        (b"done\n{}", "not JSON"),
        (b"{}", 'no "payload"'),
        (b'{"payload": {}}', 'no "payload"'),
        (b'{"payload": {"score": [1]}}', "'score': 1 values for 2 objects"),
        (b'{"payload": {"score": [1, 2], "other": 3}}', "'other': no list of values for 2 objects"),
    ],
)
def test_a_payload_that_does_not_fit_breaks_the_batch(output: bytes, problem: str) -> None:
    with pytest.raises(BreakdownError, match=problem):
        results_of_payload(output, 2)


def test_a_payload_is_read_by_position() -> None:
    output = b'{"version": 1, "payload": {"score": [1, null], "pose": [2, NaN]}}'
    first, second = results_of_payload(output, 2)
    assert first == Result({"score": 1.0, "pose": 2.0})
    assert not second.is_value
