"""What Boltz has written for a ligand, or why there is nothing: its exit code does not say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any


class Missing(Enum):
    """Why a ligand has no numbers."""

    NOTHING = "Boltz wrote no result for it"
    """Nothing about it at all."""
    NO_AFFINITY = "Boltz wrote a structure, but no affinity"
    SKIPPED = "Boltz refused the input and went on without it"
    OUT_OF_MEMORY = "Boltz ran out of memory"
    CUT_OFF = "Boltz wrote a file that is no whole JSON"
    NOT_FINITE = "Boltz wrote a number that is not finite"
    NO_FIELD = "Boltz wrote no such field"
    AMBIGUOUS = "Boltz wrote several affinities"


FOR_GOOD = (Missing.SKIPPED, Missing.NOT_FINITE, Missing.NO_FIELD, Missing.AMBIGUOUS)
"""What the same ligand and seed would meet again; what else is missing is tried again."""


@dataclass(frozen=True)
class Measured:
    """The numbers of a ligand."""

    fields: dict[str, float]
    """All of the affinity file, and all of the confidence file of the best model, nested ones flattened."""
    folder: Path
    """Where its structures are."""


@dataclass(frozen=True)
class Lacking:
    """No numbers, and why."""

    why: Missing
    detail: str = ""

    @property
    def reason(self) -> str:
        """In words."""
        return f"{self.why.value}{f': {self.detail}' if self.detail else ''}"


def outcome(out: Path, stem: str, needed: Sequence[str], log: str) -> Measured | Lacking:
    """What there is of a ligand after Boltz has ended, however it did.

    Args:
        out: folder given as `--out_dir`.
        stem: name of the ligand's input file without its ending.
        needed: fields that must be there and finite.
        log: what Boltz has said.
    """
    folder = next(iter(sorted(out.glob(f"boltz_results_*/predictions/{stem}"))), None)
    if folder is None:
        return _nothing(stem, log)
    # boltz-community adds the chain where the ligand is there several times.
    affinities = sorted([*folder.glob(f"affinity_{stem}.json"), *folder.glob(f"affinity_{stem}_*.json")])
    if not affinities:
        lacking = _nothing(stem, log)
        return Lacking(Missing.NO_AFFINITY) if lacking.why is Missing.NOTHING else lacking
    if len(affinities) > 1:
        return Lacking(Missing.AMBIGUOUS, ", ".join(path.name for path in affinities))
    # Models are in order of confidence; the affinity is that of the best.
    confidences = sorted(folder.glob(f"confidence_{stem}_model_*.json"), key=_model_number)[:1]
    fields: dict[str, float] = {}
    for path in (*affinities, *confidences):
        found = _read(path)
        if isinstance(found, Lacking):
            return found
        fields |= found
    return _checked(fields, needed) or Measured(
        {name: value for name, value in fields.items() if math.isfinite(value)}, folder
    )


def _checked(fields: dict[str, float], needed: Sequence[str]) -> Lacking | None:
    for name in needed:
        if name not in fields:
            return Lacking(Missing.NO_FIELD, f"{name} (found: {', '.join(sorted(fields)) or 'none'})")
        if not math.isfinite(fields[name]):
            return Lacking(Missing.NOT_FINITE, f"{name} is {fields[name]}")
    return None


def _read(path: Path) -> dict[str, float] | Lacking:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Lacking(Missing.CUT_OFF, path.name)
    if not isinstance(record, dict):
        return Lacking(Missing.CUT_OFF, path.name)
    return dict(_flat(record, ""))


def _flat(record: dict[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers by name; those of inner tables as `pair_chains_iptm_0_1`."""
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}_")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
        elif value is None:
            yield name, math.nan


def _nothing(stem: str, log: str) -> Lacking:
    said = [line.strip() for line in log.splitlines() if stem in line]
    for line in said:
        if "skipping" in line.lower() or "failed to process" in line.lower():
            return Lacking(Missing.SKIPPED, line[-300:])
    if "out of memory" in log.lower():
        return Lacking(Missing.OUT_OF_MEMORY)
    return Lacking(Missing.NOTHING, said[-1][-300:] if said else "")


def _model_number(path: Path) -> int:
    digits = path.stem.rsplit("_", 1)[-1]
    return int(digits) if digits.isdigit() else 0
