"""Oracles behind a one-shot command and HTTP, and the simulated one."""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fluvial.core.errors import ConfigError, RewardError
from fluvial.queue.jobs import Result
from fluvial.queue.worker import UnavailableError
from fluvial.rewards.guard import BreakdownError
from fluvial.rewards.http_service import HttpService
from fluvial.rewards.one_shot import OneShotCommand
from fluvial.rewards.simulated import SimulatedOracle, parse_options


def never() -> bool:
    return False


def evaluated(evaluator: OneShotCommand | HttpService | SimulatedOracle, texts: list[str]) -> list[Result]:
    numbered = {str(index): text for index, text in enumerate(texts)}
    found = dict(evaluator.evaluate(numbered, never))
    assert found.keys() == numbered.keys()
    return [found[key] for key in numbered]


# One shot


def command(tmp_path: Path, body: str, timeout_seconds: float | None = 5.0) -> OneShotCommand:
    path = tmp_path / "tool.py"
    path.write_text(f"import json, os, sys, time\nsmiles = sys.stdin.read().splitlines()\n{body}\n")
    return OneShotCommand([sys.executable, str(path)], timeout_seconds, tmp_path)


SCORE = "print(json.dumps({'version': 1, 'payload': {'length': [len(text) for text in smiles]}}))"


def test_one_shot_values_are_in_the_order_of_lines(tmp_path: Path) -> None:
    results = evaluated(command(tmp_path, SCORE), ["C", "CCC", "$(rm -rf x)"])
    assert [result.values for result in results] == [{"length": 1.0}, {"length": 3.0}, {"length": 11.0}]


def test_one_shot_refuses_what_is_not_one_line(tmp_path: Path) -> None:
    results = evaluated(command(tmp_path, SCORE), ["C", "C\nC", " ", "C\u2028C"])
    assert [result.is_value for result in results] == [True, False, False, False]
    assert all("not one line" in result.reason for result in results[1:])


def test_one_shot_failures_are_halved_down_to_the_object(tmp_path: Path) -> None:
    tool = command(tmp_path, f"if 'bad' in smiles: print('no pose', file=sys.stderr); sys.exit(3)\n{SCORE}")
    results = evaluated(tool, ["a", "b", "bad", "c", "d"])
    assert [result.is_value for result in results] == [True, True, False, True, True]
    assert results[2] == Result(reason="ended with exit code 3: no pose", may_pass=True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('{}')", 'its output has no "payload"'),
        ("print('hello')", "its output is not JSON"),
        ("print(json.dumps({'payload': {'x': [1, 2]}}))", "'x': 2 values for 1 objects"),
        ("os.abort()", "ended with SIGABRT"),
    ],
)
def test_one_shot_reasons(tmp_path: Path, body: str, reason: str) -> None:
    (result,) = evaluated(command(tmp_path, body), ["C"])
    assert reason in result.reason
    assert result.may_pass


def test_one_shot_time_out_and_stop(tmp_path: Path) -> None:
    (result,) = evaluated(command(tmp_path, "time.sleep(60)", timeout_seconds=0.3), ["C"])
    assert result.reason == "no answer within 0.3 s"
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert dict(command(tmp_path, "time.sleep(60)").evaluate({"1": "C"}, stop.is_set)) == {}
    assert time.monotonic() - began < 5.0


def test_one_shot_without_its_program() -> None:
    with pytest.raises(RewardError, match="no-such-program cannot be started"):
        evaluated(OneShotCommand(["no-such-program"]), ["C"])


# HTTP


@pytest.fixture
def service() -> Iterator[tuple[str, dict[str, object]]]:
    """A service on loopback; its `answer` may be set, and what it was asked is kept."""
    state: dict[str, object] = {"asked": []}

    def values(objects: dict[str, str]) -> tuple[int, object]:
        answers = [{"id": key, "value": len(text)} for key, text in reversed(list(objects.items()))]
        return 200, {"answers": answers}

    state["answer"] = values

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = state["asked"]
            assert isinstance(asked, list)
            asked.append((self.path, self.headers.get("Authorization"), body))
            answer: Callable[[dict[str, str]], tuple[int, object]] = state["answer"]  # type: ignore[assignment]
            status, record = answer(body["objects"])
            data = record if isinstance(record, bytes) else json.dumps(record).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", state
    server.shutdown()
    thread.join()
    server.server_close()


def test_http_answers_go_by_id(service: tuple[str, dict[str, object]]) -> None:
    url, state = service
    results = evaluated(HttpService(f"{url}/score?model=2", "secret"), ["C", "CCC"])
    assert [result.values["value"] for result in results] == [1.0, 3.0]
    assert state["asked"] == [
        ("/score?model=2", "Bearer secret", {"objects": {"0": "C", "1": "CCC"}}),
    ]


def test_http_what_is_missing_is_asked_again_and_then_failed(service: tuple[str, dict[str, object]]) -> None:
    url, state = service
    state["answer"] = lambda objects: (
        200,
        {
            "answers": [{"id": key, "value": 1} for key, text in objects.items() if text != "x"]
            + [7, {"id": []}]
        },
    )
    results = evaluated(HttpService(url), ["a", "x", "b"])
    assert [result.is_value for result in results] == [True, False, True]
    assert results[1] == Result(reason="no answer came for it", may_pass=True)


def test_http_errors_of_a_batch_are_halved_down_to_the_object(service: tuple[str, dict[str, object]]) -> None:
    url, state = service
    state["answer"] = lambda objects: (
        (500, b"boom")
        if "x" in objects.values()
        else (200, {"answers": [{"id": key, "value": 1} for key in objects]})
    )
    results = evaluated(HttpService(url), ["a", "b", "x", "c"])
    assert [result.is_value for result in results] == [True, True, False, True]
    assert results[2] == Result(reason="HTTP status 500: boom", may_pass=True)


@pytest.mark.parametrize(
    ("status", "error"), [(503, UnavailableError), (429, UnavailableError), (401, RewardError)]
)
def test_http_states_of_the_service_blame_no_object(
    service: tuple[str, dict[str, object]], status: int, error: type[Exception]
) -> None:
    url, state = service
    state["answer"] = lambda objects: (status, b"")
    with pytest.raises(error, match=str(status)):
        evaluated(HttpService(url), ["a"])


def test_http_service_that_is_not_there() -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        evaluated(HttpService("http://127.0.0.1:9"), ["a"])


def test_http_time_out(service: tuple[str, dict[str, object]]) -> None:
    url, state = service

    def slow(objects: dict[str, str]) -> tuple[int, object]:
        time.sleep(0.6)
        return 200, {"answers": []}

    state["answer"] = slow
    with pytest.raises(BreakdownError, match="while waiting"):
        list(HttpService(url, timeout_seconds=0.2).ask({"1": "C"}, False, never))


@pytest.mark.parametrize(
    ("url", "token", "problem"),
    [
        ("ftp://host", "", "no address of a service"),
        ("host:80", "", "no address of a service"),
        ("http://example.org/score", "secret", "would be readable on the way"),
        ("http://127.0.0.1.example.org", "secret", "would be readable on the way"),
    ],
)
def test_http_addresses_that_are_refused(url: str, token: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        HttpService(url, token)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://example.org", "http://localhost:80", "http://[::1]:80"])
def test_http_addresses_that_may_have_a_token(url: str) -> None:
    HttpService(url, "secret")


# Simulated


def test_simulated_values_follow_from_the_text() -> None:
    texts = [f"C{n}" for n in range(400)]
    first = evaluated(SimulatedOracle(refusals=0.25, noise=0.1), texts)
    second = evaluated(SimulatedOracle(refusals=0.25, noise=0.1), texts[::-1])[::-1]
    assert first == second
    assert first != evaluated(SimulatedOracle(refusals=0.25, noise=0.1, seed=1), texts)
    assert 70 <= sum(not result.is_value for result in first) <= 130


def test_simulated_failures_pass() -> None:
    oracle = SimulatedOracle(failures=0.5)
    texts = [f"C{n}" for n in range(200)]
    failed = [text for text, result in zip(texts, evaluated(oracle, texts), strict=True) if result.may_pass]
    assert 70 <= len(failed) <= 130
    assert any(result.is_value for result in evaluated(oracle, failed))


def test_simulated_time_is_as_asked_and_can_be_stopped() -> None:
    results = evaluated(SimulatedOracle(latency=0.001), ["C"] * 200)
    assert 0.0005 < statistics.mean(result.seconds or 0.0 for result in results) < 0.002
    assert list(SimulatedOracle(latency=100.0).evaluate({"1": "C"}, lambda: True)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("latncy=1", "no 'latncy'; it has failures, latency"),
        ("latency=fast", "'fast' is not a number"),
        ("failures=2", "failures = 2.0: must be between 0 and 1"),
        ("latency=-1", "latency = -1.0: must be at least 0"),
        ("latency=nan", "latency = nan: must be at least 0"),
    ],
)
def test_simulated_options_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_options(text)


def test_simulated_options() -> None:
    assert parse_options("latency=0.5, noise=0.1,seed=3") == SimulatedOracle(latency=0.5, noise=0.1, seed=3)
    assert parse_options("") == SimulatedOracle()
