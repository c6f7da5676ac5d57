"""Evaluators behind HTTP on this machine: the other side of `HttpService`."""

from __future__ import annotations

import hmac
import json
import queue
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from fluvial.core.errors import ConfigError, RewardError
from fluvial.queue.worker import Evaluator, UnavailableError
from fluvial.rewards.answers import record_of
from fluvial.rewards.http_service import MOST_BYTES, is_loopback

PATH = "/score"
HEALTH = "/health"
PATIENCE_SECONDS = 30.0
"""How long a request waits for an evaluator before it is told to come later; arbitrary."""
SILENCE_SECONDS = 60.0
"""Longest time without a byte of a request; arbitrary."""


class RewardServer(ThreadingHTTPServer):
    """Answers POST requests for scores, as many at a time as there are evaluators.

    It listens on this machine only. Others reach it through a tunnel, which keeps token and molecules secret.

    Args:
        host: a loopback address.
        port: 0 for any free one.
        token: that requests must show as `Authorization: Bearer TOKEN`.
        evaluators: each answers one request at a time; they stay the caller's to close.

    Raises:
        ConfigError: the address is not of this machine alone, or the port is taken.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, token: str, evaluators: Sequence[Evaluator]) -> None:
        if not is_loopback(host):
            raise ConfigError(
                f"--host {host}: rewards are served on this machine only, as 127.0.0.1; "
                "let others in through a tunnel, such as ssh -L"
            )
        self.token = token
        self.failure: RewardError | None = None
        """Why it can never answer; set once `stopped` is."""
        self.stopped = threading.Event()
        self.free: queue.SimpleQueue[Evaluator] = queue.SimpleQueue()
        for evaluator in evaluators:
            self.free.put(evaluator)
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ConfigError(f"port {port} of {host} cannot be used: {error.strerror}") from error

    @property
    def address(self) -> str:
        """Where requests go."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}{PATH}"

    def answers(self, texts: Mapping[str, str]) -> list[dict[str, object]]:
        """A record for each object.

        Raises:
            UnavailableError: all evaluators are busy, or what they call is.
            RewardError: it will never work.
        """
        try:
            evaluator = self.free.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise UnavailableError("all evaluators are busy") from None
        try:
            found = evaluator.evaluate(texts, self.stopped.is_set)
            return [record_of(key, result) for key, result in found]
        finally:
            self.free.put(evaluator)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: RewardServer
    timeout = SILENCE_SECONDS
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Whether it is alive."""
        if self._is_let_in() and self._path() == HEALTH:
            self._say(HTTPStatus.OK, {"ready": True})
        elif self._is_let_in():
            self._refuse(HTTPStatus.NOT_FOUND, f"there are {PATH} and {HEALTH}")

    def do_POST(self) -> None:
        """Scores of a batch."""
        if not self._is_let_in():
            return
        if self._path() != PATH:
            self._refuse(HTTPStatus.NOT_FOUND, f"there are {PATH} and {HEALTH}")
            return
        texts = self._texts()
        if texts is None:
            return
        try:
            self._say(HTTPStatus.OK, {"answers": self.server.answers(texts)})
        except UnavailableError as error:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except RewardError as error:
            self.server.failure = error
            self.server.stopped.set()
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: molecules of a user are not to be seen in logs."""

    def _is_let_in(self) -> bool:
        # A page in a browser can send requests here under another name, but not with this header.
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if is_loopback(host) and hmac.compare_digest(given.encode(), self.server.token.encode()):
            return True
        self._refuse(HTTPStatus.UNAUTHORIZED, "show the token as Authorization: Bearer TOKEN")
        return False

    def _texts(self) -> dict[str, str] | None:
        """The objects of the request; None after a refusal."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"say a Content-Length of at most {MOST_BYTES}")
            return None
        try:
            record = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            record = None
        objects = record.get("objects") if isinstance(record, dict) else None
        if not isinstance(objects, dict) or not all(isinstance(text, str) for text in objects.values()):
            self._refuse(HTTPStatus.BAD_REQUEST, 'send {"objects": {"ID": "SMILES"}}')
            return None
        return objects

    def _path(self) -> str:
        return urlsplit(self.path).path

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        # What is left of the request must not be taken for the next one.
        self.close_connection = True
        self._say(status, {"error": words})

    def _say(self, status: HTTPStatus, record: Mapping[str, object]) -> None:
        body = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
