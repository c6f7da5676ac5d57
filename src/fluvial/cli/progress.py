"""How a run is going: measured once, shown by one or several views."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fluvial.cli.output import duration, percent, say, say_json
from fluvial.cli.run_log import RunLog, run_log
from fluvial.train.plan import METRIC_PREFIX

if TYPE_CHECKING:
    from fluvial.queue.records import ScoredObject
    from fluvial.train.run import Run
    from fluvial.train.step import StepResult

N_BEST = 3
"""Objects that are shown while a run is going."""
MEMORY = 0.9
"""Weight of the past in the running means of times; arbitrary."""
PARTS = ("sample", "reward", "learn")


@dataclass(frozen=True)
class Status:
    """A run after one of its steps."""

    name: str
    step: int
    """From 1 on."""
    steps: int
    """Steps at the end of the run."""
    device: str
    metrics: Mapping[str, float]
    """Of this step."""
    shares: Mapping[str, float]
    """Part of a step to its share of the time, lately."""
    steps_per_second: float
    """Lately."""
    seconds_left: float
    best: Sequence[tuple[float, str]]
    """Rewards and texts of the best objects so far, best first."""
    is_due: bool
    """Whether this step is one of those that are written down."""

    def line(self) -> str:
        """The status as one line of text."""
        shares = " ".join(f"{part} {100 * share:.0f}%" for part, share in self.shares.items())
        parts = [
            f"step {self.step}/{self.steps}",
            *metric_texts(self.metrics),
            f"{self.steps_per_second:.1f} steps/s ({shares})",
            f"{duration(self.seconds_left)} left",
        ]
        return "  ".join(parts)


def metric_texts(metrics: Mapping[str, float]) -> list[str]:
    """The metrics that tell most, those that are there."""
    shown = [
        ("loss {:.3g}", "loss"),
        ("log Z {:.2f}", "log_z"),
        ("reward median {:.3f}", "reward_median"),
        ("max {:.3f}", "reward_max"),
        ("TV {:.4f}", f"{METRIC_PREFIX}total_variation"),
        ("FCS {:.3f}", f"{METRIC_PREFIX}fcs"),
    ]
    texts = [form.format(metrics[name]) for form, name in shown if name in metrics]
    shares = [("unique", "unique_share"), ("failed", "failed_share")]
    return texts + [f"{label} {percent(metrics[name])}" for label, name in shares if name in metrics]


class View(Protocol):
    """Shows a run to somebody."""

    def begin(self, run: Run, step: int) -> None:
        """The run goes on after `step`, 0 for a new one."""
        ...

    def step(self, status: Status) -> None:
        """A step has ended."""
        ...

    def note(self, event: str, text: str) -> None:
        """Something happened: `resume`, `warning` or `checkpoint`, and a sentence about it."""
        ...

    def close(self) -> None:
        """Nothing will come any more, whether the run ended well or not."""
        ...


class Lines:
    """One plain line for each due step, as for a pipe or a batch job."""

    def begin(self, run: Run, step: int) -> None:
        """Nothing to say yet."""

    def step(self, status: Status) -> None:
        """Print the line of a due step."""
        if status.is_due:
            say(status.line())

    def note(self, event: str, text: str) -> None:
        """Print all but the many checkpoints."""
        if event != "checkpoint":
            say(text)

    def close(self) -> None:
        """Lines need no end."""


class JsonLines:
    """One JSON object for each event, as for a program.

    Args:
        write: takes each object; by default it is printed.
    """

    def __init__(self, write: Callable[[Mapping[str, Any]], None] = say_json) -> None:
        self._write = write

    def begin(self, run: Run, step: int) -> None:
        """Tell where the run is and how far it goes."""
        place = {"run": str(run.directory.path), "device": str(run.problem.device)}
        self._write({"event": "begin", **place, "step": step, "steps": run.config.stop.steps})

    def step(self, status: Status) -> None:
        """Tell all numbers of a due step."""
        if status.is_due:
            self._write(
                {
                    "event": "step",
                    "step": status.step,
                    "steps": status.steps,
                    "metrics": status.metrics,
                    "steps_per_second": status.steps_per_second,
                    "seconds_left": status.seconds_left,
                    "shares": status.shares,
                }
            )

    def note(self, event: str, text: str) -> None:
        """Tell the event."""
        self._write({"event": event, "text": text})

    def close(self) -> None:
        """Lines need no end."""


class RunProgress:
    """Follows a run, writes its log and tells the views."""

    def __init__(self, views: Sequence[View], log: RunLog) -> None:
        self.last_step = 0
        """The last step that the run has done."""
        self._views, self._log = views, log
        self._run: Run | None = None
        self._started = self._before = 0.0
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._interval = 0.0
        self._best: list[tuple[float, str]] = []

    def on_resume(self, run: Run, warnings: Sequence[str]) -> None:
        """Tell of the checkpoint that the run goes on from, and of damaged ones."""
        self._begin(run, run.learner.step)
        rewarded = [item for item in run.store.candidates(N_BEST) if item.reward is not None]
        self._best = [(item.reward, item.text) for item in rewarded if item.reward is not None]
        for warning in warnings:
            self._note("warning", f"warning: {warning}")
        step, steps = run.learner.step, run.config.stop.steps
        done = f"; that is all of its {steps} steps, ask for more with --steps" if step >= steps else ""
        self._note("resume", f"{run.directory.path} goes on after step {step}{done}")

    def on_step(self, run: Run, result: StepResult) -> None:
        """Tell how the step went."""
        if self._run is None:
            self._begin(run, 0)
            self._before = self._started = self._started - sum(result.seconds.values())
        status = self._status(run, result)
        if status.is_due:
            self._log.info(status.line())
        for view in self._views:
            view.step(status)

    def on_checkpoint(self, run: Run) -> None:
        """Tell that the run is safe up to here."""
        self._note("checkpoint", f"checkpoint after step {run.learner.step}")

    def on_spent(self, run: Run) -> None:
        """Say why the run ends."""
        text = (
            "the max_calls of a reward term are spent and answered: the run ends. A resume with"
            " a larger reward.term.N.max_calls goes on"
        )
        self._note("warning", text)

    def _begin(self, run: Run, step: int) -> None:
        self._run, self.last_step = run, step
        self._started = self._before = time.monotonic()
        self._log.attach(run.directory)
        for view in self._views:
            view.begin(run, step)

    def _note(self, event: str, text: str) -> None:
        (self._log.warning if event == "warning" else self._log.info)(text)
        for view in self._views:
            view.note(event, text)

    def _status(self, run: Run, result: StepResult) -> Status:
        now, stop, step = time.monotonic(), run.config.stop, run.learner.step
        past = MEMORY if self._interval else 0.0
        self._interval = past * self._interval + (1.0 - past) * (now - self._before)
        self._before = now
        for part in PARTS:
            self._seconds[part] = past * self._seconds[part] + (1.0 - past) * result.seconds[part]
        total = sum(self._seconds.values()) or 1.0
        left = (stop.steps - step) * self._interval
        if stop.minutes is not None:
            left = min(left, 60.0 * stop.minutes - (now - self._started))
        self._best = best_of(self._best, result.objects)
        self.last_step = step
        return Status(
            run.config.name,
            step,
            stop.steps,
            str(run.problem.device),
            {**result.metrics, **result.delays},
            {part: seconds / total for part, seconds in self._seconds.items()},
            1.0 / self._interval if self._interval else 0.0,
            max(0.0, left),
            self._best,
            step == 1
            or step == stop.steps
            or step % run.config.log.every == 0
            or any(name.startswith(METRIC_PREFIX) for name in result.metrics),
        )


def best_of(known: Sequence[tuple[float, str]], objects: Sequence[ScoredObject]) -> list[tuple[float, str]]:
    """The best `N_BEST` different objects of both, best first; of equal ones the first by text."""
    rewards = {text: reward for reward, text in known}
    rewards |= {item.text: item.reward for item in objects if item.reward is not None}
    ranked = sorted(rewards.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(reward, text) for text, reward in ranked[:N_BEST]]


@contextmanager
def following(folder: Path, views: Sequence[View]) -> Iterator[RunProgress]:
    """A progress for the run that is about to be started or continued in `folder`."""
    with run_log(folder) as log, ExitStack() as closing:
        for view in views:
            closing.callback(view.close)
        yield RunProgress(views, log)
