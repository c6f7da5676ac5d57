"""An oracle that costs time, fails and is noisy as asked: for demonstrations and tests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b

import numpy as np

from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop

NAP_SECONDS = 0.05


@dataclass(frozen=True)
class SimulatedOracle:
    """An `Evaluator` with a made-up value between 0 and 1 for each text.

    Values and refusals follow from the text and the seed; times and failures are drawn anew at each try.

    Raises:
        ConfigError: a number is out of range.
    """

    latency: float = 0.0
    """Mean seconds for each object, exponentially distributed."""
    failures: float = 0.0
    """Share of objects, each time they are tried, that fail for now."""
    refusals: float = 0.0
    """Share of objects that fail for good."""
    noise: float = 0.0
    """Standard deviation that is added to values."""
    seed: int = 0
    _luck: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shares = {"failures": self.failures, "refusals": self.refusals}
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise ConfigError(f"{name} = {share}: must be between 0 and 1")
        for name, value in {"latency": self.latency, "noise": self.noise, "seed": self.seed}.items():
            if not value >= 0:
                raise ConfigError(f"{name} = {value}: must be at least 0")
        object.__setattr__(self, "_luck", np.random.default_rng(self.seed))

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """See `Evaluator.evaluate`."""
        for key, text in texts.items():
            generator = np.random.default_rng([self.seed, _number(text)])
            seconds = float(self._luck.exponential(self.latency)) if self.latency else 0.0
            if not _sleep(seconds, should_stop):
                return
            yield key, self._result(generator, seconds)

    def close(self) -> None:
        """Nothing."""

    def _result(self, generator: np.random.Generator, seconds: float) -> Result:
        value, refusal = generator.random(2)
        if self._luck.random() < self.failures:
            return Result(reason="simulated: failed for now", may_pass=True, seconds=seconds)
        if refusal < self.refusals:
            return Result(reason="simulated: refused", seconds=seconds)
        return Result({"value": float(value + self.noise * generator.standard_normal())}, seconds=seconds)


def parse_options(text: str) -> SimulatedOracle:
    """The oracle that "latency=0.5,failures=0.1" describes; empty text for the defaults.

    Raises:
        ConfigError: there is no such option, or its value is no number.
    """
    known = {one.name for one in fields(SimulatedOracle) if one.init}
    chosen: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name.strip() not in known:
            raise ConfigError(
                f"a simulated oracle has no '{name.strip()}'; it has {', '.join(sorted(known))}"
            )
        try:
            chosen[name.strip()] = float(value)
        except ValueError as error:
            raise ConfigError(f"{part}: '{value}' is not a number") from error
    seed = int(chosen.pop("seed", 0.0))
    return SimulatedOracle(**chosen, seed=seed)


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _sleep(seconds: float, should_stop: ShouldStop) -> bool:
    """Whether the time was slept to its end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.0:
        if should_stop():
            return False
        time.sleep(min(left, NAP_SECONDS))
    return not should_stop()
