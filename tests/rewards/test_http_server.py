"""A reward behind HTTP: what `HttpService` asks, and what nobody else may ask."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fluvial.core.errors import ConfigError, RewardError
from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop, UnavailableError
from fluvial.rewards import http_server
from fluvial.rewards.http_server import RewardServer
from fluvial.rewards.http_service import HttpService


class Lengths:
    """An evaluator that counts letters, with a few special words."""

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        for key, text in texts.items():
            if text == "busy":
                raise UnavailableError("the licence server is away")
            if text == "never":
                raise RewardError("no licence")
            yield (
                key,
                Result(reason="no pose", may_pass=True) if text == "bad" else Result({"value": len(text)}),
            )

    def close(self) -> None:
        pass


@pytest.fixture
def server() -> Iterator[RewardServer]:
    with RewardServer("127.0.0.1", 0, "secret", [Lengths()]) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def asked(service: HttpService, texts: list[str]) -> dict[str, Result]:
    return dict(service.evaluate({str(n): text for n, text in enumerate(texts)}, lambda: False))


def request(
    server: RewardServer, method: str = "POST", path: str = "/score", body: bytes = b"{}", **headers: str
) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    sent = {
        "Authorization": "Bearer secret",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    found = response.status, json.loads(response.read())
    connection.close()
    return found


def test_the_service_gets_what_the_evaluator_says(server: RewardServer) -> None:
    found = asked(HttpService(server.address, "secret", 10.0), ["CCO", "bad", "C" * 9])
    assert found["0"].values == {"value": 3.0}
    assert found["2"].values == {"value": 9.0}
    assert (found["1"].reason, found["1"].may_pass) == ("no pose", True)


def test_without_the_token_nobody_gets_in(server: RewardServer) -> None:
    with pytest.raises(RewardError, match="HTTP status 401"):
        asked(HttpService(server.address, "guess"), ["CCO"])
    with pytest.raises(RewardError):
        asked(HttpService(server.address), ["CCO"])
    assert request(server, "GET", "/health", Authorization="") == (
        401,
        {"error": "show the token as Authorization: Bearer TOKEN"},
    )
    # A page of another name that leads here.
    assert request(server, Host="evil.example")[0] == 401
    assert request(server, "GET", "/health") == (200, {"ready": True})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"objects": ["CCO"]}', b'{"objects": {"1": 2}}', b"[" * 100_000]
)
def test_a_request_without_objects_is_refused(server: RewardServer, body: bytes) -> None:
    assert request(server, body=body) == (400, {"error": 'send {"objects": {"ID": "SMILES"}}'})


def test_other_refusals(server: RewardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert request(server, path="/other")[0] == 404
    assert request(server, Content_Length="99999999999")[0] == 413
    service = HttpService(server.address, "secret")
    with pytest.raises(UnavailableError, match="status 503"):
        asked(service, ["busy"])
    assert asked(service, ["CCO"])["0"].is_value
    monkeypatch.setattr(http_server, "PATIENCE_SECONDS", 0.01)
    evaluator = server.free.get()
    with pytest.raises(UnavailableError):
        asked(service, ["CCO"])
    server.free.put(evaluator)
    assert not server.stopped.is_set()
    assert request(server, body=b'{"objects": {"1": "never"}}') == (500, {"error": "no licence"})
    assert server.stopped.is_set()
    assert str(server.failure) == "no licence"


def test_it_listens_on_this_machine_only(server: RewardServer) -> None:
    with pytest.raises(ConfigError, match=r"--host 0\.0\.0\.0: rewards are served on this machine only"):
        RewardServer("0.0.0.0", 0, "secret", [])
    with pytest.raises(ConfigError, match="cannot be used"):
        RewardServer("127.0.0.1", server.server_address[1], "secret", [])


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "reward.py").write_text("def score(smiles):\n    return [len(one) for one in smiles]\n")
    words = [sys.executable, "-m", "fluvial", "reward", "serve", "reward.py:score", "--port", "0"]
    free = {name: value for name, value in os.environ.items() if name != "FLUVIAL_HTTP_TOKEN"}
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=free) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        token = process.stdout.readline().split()[-1]
        assert asked(HttpService(address, token), ["CCO"])["0"].values == {"value": 3.0}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
