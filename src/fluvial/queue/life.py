"""The life of a job as pure functions: what each event makes of it, or None where it changes nothing.

    ready --claim--> leased --value--> done
      ^                |----refusal--> failed
      |                |--last failure or last expiry--> dead
      '--failure, expiry, release--'

A value is taken from anyone at any time, because it is as good late as early; the first one stays. Everything
else is taken from the holder of the lease only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fluvial.queue.jobs import DEAD, DONE, FAILED, LEASED, LONGEST_REASON, READY, Result, Retries


class Life(NamedTuple):
    """What changes of a job; a tuple, because a thousand a second are made."""

    state: str = READY
    attempts: int = 0
    """Leases so far that were not given back."""
    due: float | None = None
    """When a job that failed may be tried again; None for one that never did."""
    token: str | None = None
    """Of the present lease."""
    owner: str = ""
    """The worker that was asked last."""
    leased_at: float | None = None
    lease_until: float | None = None
    values: dict[str, float | None] | None = None
    reason: str = ""
    seconds: float | None = None
    finished_at: float | None = None
    answer: int | None = None
    """Number under which the end was told."""


def claimed(life: Life, token: str, owner: str, now: float, lease_seconds: float) -> Life:
    """A ready job in the hands of `owner`."""
    until = now + lease_seconds
    return life._replace(
        state=LEASED, attempts=life.attempts + 1, due=None, token=token, owner=owner,
        leased_at=now, lease_until=until,
    )  # fmt: skip


def is_expired(life: Life, now: float) -> bool:
    """Whether the lease ran out; one from the future too, which a clock that was set back leaves behind."""
    if life.state != LEASED or life.lease_until is None or life.leased_at is None:
        return False
    return life.lease_until <= now or life.leased_at > now


def reported(life: Life, token: str, result: Result, now: float, retries: Retries) -> Life | None:
    """The job after a worker with the lease `token` has told a result."""
    reason = result.reason[:LONGEST_REASON]
    if result.is_value:
        if life.state in (DONE, FAILED):
            return None
        return _ended(life, DONE, reason, now, values=dict(result.values), seconds=result.seconds)
    if life.state != LEASED or life.token != token:
        return None
    if not result.may_pass:
        return _ended(life, FAILED, reason, now, seconds=result.seconds)
    return _failed_for_now(life, reason, now, now + retries.backoff(life.attempts), retries)


def expired(life: Life, now: float, retries: Retries) -> Life | None:
    """The job after its lease ran out."""
    if not is_expired(life, now):
        return None
    reason = f"worker {life.owner} was given it and did not answer in time"
    return _failed_for_now(life, reason, now, now, retries)


def released(life: Life, token: str, now: float) -> Life | None:
    """The job after its holder gave it back untried; the attempt does not count."""
    if life.state != LEASED or life.token != token:
        return None
    return _free(life, state=READY, attempts=life.attempts - 1, due=now if life.attempts > 1 else None)


def revived(life: Life) -> Life | None:
    """A job that ended without a value, as if it had never been tried."""
    if life.state not in (FAILED, DEAD):
        return None
    return _free(life, state=READY, attempts=0, due=None, seconds=None, finished_at=None, answer=None)


def _failed_for_now(life: Life, reason: str, now: float, due: float, retries: Retries) -> Life:
    if life.attempts >= retries.max_attempts:
        return _ended(life, DEAD, reason, now)
    return _free(life, state=READY, due=due, reason=reason)


def _ended(life: Life, state: str, reason: str, now: float, **result: Any) -> Life:
    return _free(life, state=state, due=None, reason=reason, finished_at=now, answer=None, **result)


def _free(life: Life, **changes: Any) -> Life:
    return life._replace(token=None, leased_at=None, lease_until=None, **changes)
