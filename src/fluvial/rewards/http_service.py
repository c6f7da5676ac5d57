"""A service that answers batches over HTTP."""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.plain import masked
from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop, UnavailableError
from fluvial.rewards.answers import one_line, result_of_record
from fluvial.rewards.guard import BreakdownError, guarded

MOST_BYTES = 64_000_000
"""Of one response; arbitrary, far beyond any answer."""
READ_BYTES = 65_536
CONNECT_SECONDS = 30.0
"""Longest time without a byte from the service while there is no `timeout_seconds`; arbitrary."""
BUSY = (429, 502, 503, 504)
DENIED = (401, 403, 404, 405)


class HttpService:
    """An `Evaluator` that sends each batch to a URL.

    The body of the POST is `{"objects": {"7": "CCO"}}`, that of the response `{"answers": [{"id": "7",
    "value": 0.5}]}`, with answers as in `answers.parse_line`. Redirects are not followed. Status 429, 502,
    503 and 504, and a connection that is refused, mean: later.

    Args:
        url: of http or https.
        token: sent as `Authorization: Bearer TOKEN`; only over https, or to this machine.
        timeout_seconds: for one batch; None for no bound.

    Raises:
        ConfigError: the URL is none of these, or the token would be readable on the way.
    """

    names_culprits = False

    def __init__(self, url: str, token: str = "", timeout_seconds: float | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"'{masked(url)}' is no address of a service; write it as http://HOST:PORT/PATH"
            )
        if token and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ConfigError(
                f"a token for {parts.hostname} would be readable on the way: "
                "use https, or a tunnel to this machine"
            )
        self._parts = parts
        self._token = token
        self._timeout = timeout_seconds
        self.name = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """See `Evaluator.evaluate`; a request on its way is not broken off by `should_stop`."""
        return guarded(self, texts, should_stop)

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: ShouldStop
    ) -> Iterator[tuple[str, Result]]:
        """See `Asked.ask`.

        Raises:
            UnavailableError: it is not there, or busy.
            RewardError: it does not let us in.
        """
        status, body = self._post(json.dumps({"objects": dict(texts)}).encode())
        if status in BUSY:
            raise UnavailableError(f"{self.name} is busy (HTTP status {status})")
        if status in DENIED:
            raise RewardError(
                f"{self.name} refuses requests (HTTP status {status}). Check its address and the token"
            )
        if status != http.client.OK:
            raise BreakdownError(one_line(f"HTTP status {status}: {body[:200].decode('utf-8', 'replace')}"))
        yield from results_of_body(body)

    def close(self) -> None:
        """Nothing: each batch has its own connection."""

    def _post(self, body: bytes) -> tuple[int, bytes]:
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = self._connection()
        try:
            try:
                connection.connect()
            except OSError as error:
                raise UnavailableError(f"{self.name} cannot be reached: {error}") from error
            try:
                connection.request("POST", path, body, headers)
                response = connection.getresponse()
                return response.status, self._read(response)
            except (OSError, http.client.HTTPException) as error:
                raise BreakdownError(one_line(f"{type(error).__name__} while waiting: {error}")) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        patience = self._timeout or CONNECT_SECONDS
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=patience, context=context)
        return http.client.HTTPConnection(host, port, timeout=patience)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """The whole body, which may neither drip nor flow for ever."""
        deadline = float("inf") if self._timeout is None else time.monotonic() + self._timeout
        body = b""
        while part := response.read1(READ_BYTES):
            body += part
            if len(body) > MOST_BYTES:
                raise BreakdownError(f"its response has more than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise BreakdownError(f"no whole answer within {self._timeout:g} s")
        return body


def results_of_body(body: bytes) -> Iterator[tuple[str, Result]]:
    """Results by id in the body of a response; what is no result is left out.

    Raises:
        BreakdownError: it has no list of answers.
    """
    try:
        record = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BreakdownError("its response is not JSON") from error
    answers = record.get("answers") if isinstance(record, dict) else None
    if not isinstance(answers, list):
        raise BreakdownError('its response has no list of "answers"')
    for answer in answers:
        if isinstance(answer, dict) and isinstance(answer.get("id"), str | int):
            result = result_of_record(answer)
            if result is not None:
                yield str(answer["id"]), result


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for sure."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
