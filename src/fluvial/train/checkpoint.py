"""Checkpoints that are either whole or not there, and are never read in part.

A checkpoint is the folder `step-000500` with the weights (`model.safetensors`, `ema.safetensors`), everything
else (`state.pt`) and `manifest.json`, which holds the size and SHA-256 of each. It is written under another
name, synced and renamed at the end, so a kill at any moment leaves the earlier checkpoints as they were.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from fluvial.core.errors import ResumeError, StorageError
from fluvial.core.files import storage_error, sync, write_synced

FORMAT = 1
"""Version of the layout; a checkpoint with a larger number is not read."""
FILES = ("model.safetensors", "ema.safetensors", "state.pt")
MANIFEST = "manifest.json"
NAME = re.compile(r"step-(\d{6}|[1-9]\d{6,})")
TEMPORARY_NAME = re.compile(r"\.tmp-step-\d{6,}-[0-9a-f]{8}")
REPLACED_NAME = re.compile(r"\.old-step-(\d{6,})-[0-9a-f]{8}")
"""A whole checkpoint that another one of the same step is about to replace."""
SCALARS = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to go on as if it had never stopped."""

    step: int
    """Number of the last finished training step, >= 0."""
    weights: Mapping[str, Tensor]
    """The model's parameters and buffers by name."""
    ema: Mapping[str, Tensor]
    """Their moving averages; may be empty."""
    state: Any
    """Nested dicts (keys text or int), lists and tuples of None, bool, int, float, text and tensors."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the libraries that wrote it."""


class _DamagedError(Exception):
    """A checkpoint cannot be used; the message completes 'it is skipped: ...'."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int = 3) -> Path:
    """Write `checkpoint` into `folder` and return its own folder, by then safe from kills and power cuts.

    Tensors are copied to the CPU without their gradients. Afterwards the newest `keep` checkpoints are left;
    those of later steps go too, as they belong to a course that this run has left. Folders that hold anything
    but a checkpoint's files are never touched.

    Raises:
        StorageError: the disk is full or the folder cannot be written; earlier checkpoints are untouched.
        TypeError: `state` holds something else than the plain types; the message names the place.
        ValueError: `keep` is below 1, or the step negative.
    """
    if keep < 1 or checkpoint.step < 0:
        raise ValueError(f"expected keep >= 1 and step >= 0, not keep = {keep} and step = {checkpoint.step}")
    contents = _contents(checkpoint)
    target = folder / f"step-{checkpoint.step:06d}"
    temporary = folder / f".tmp-{target.name}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder, TEMPORARY_NAME)
        try:
            temporary.mkdir()
            for name, content in contents.items():
                write_synced(temporary / name, content)
            write_synced(temporary / MANIFEST, _manifest(checkpoint, contents))
            sync(temporary)
            # Before the renaming: a kill must not leave a checkpoint of the left course as the newest.
            _retire(folder, (number for number, _ in _numbered(folder) if number > checkpoint.step))
            _make_room(target)
            temporary.rename(target)
            sync(folder)
        finally:
            if temporary.exists():
                _remove(temporary)
        ours = (number for number, place in _numbered(folder) if _is_ours(place))
        _retire(folder, sorted(ours, reverse=True)[keep:])
        _clear(folder, TEMPORARY_NAME, REPLACED_NAME)
    except OSError as error:
        raise storage_error(error, target) from error
    return target


def latest_intact(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest undamaged checkpoint in `folder`, and a sentence for each newer one that had to be skipped.

    Tensors come back on the CPU.

    Raises:
        ResumeError: there is no undamaged checkpoint; the message says what was found.
    """
    warnings: list[str] = []
    try:
        places = [*_numbered(folder, NAME), *_numbered(folder, REPLACED_NAME)]
    except OSError as error:
        raise storage_error(error, folder) from error
    for step, place in sorted(places, key=lambda found: found[0], reverse=True):
        try:
            return _read(place, step), warnings
        except _DamagedError as damage:
            warnings.append(f"Checkpoint {place} is skipped: {damage}.")
    found = " ".join(warnings) or "There is no checkpoint at all."
    raise ResumeError(
        f"No intact checkpoint in {folder}. {found} Restore the folder from a backup, or start a new run."
    )


def _contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    state = io.BytesIO()
    torch.save(_plain(checkpoint.state, "state"), state)
    weights, ema = (
        safetensors.torch.save({name: _copy(tensor) for name, tensor in tensors.items()})
        for tensors in (checkpoint.weights, checkpoint.ema)
    )
    return dict(zip(FILES, (weights, ema, state.getvalue()), strict=True))


def _copy(tensor: Tensor) -> Tensor:
    # One copy for each name: safetensors refuses tied tensors, and a view would drag its whole base along.
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, Tensor):
        return _copy(value)
    if isinstance(value, Mapping):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"{place} has the key {key!r}; keys must be text or int")
        return {key: _plain(item, f"{place}[{key!r}]") for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item, f"{place}[{index}]") for index, item in enumerate(value))
    # Exact types: subclasses such as numpy.float64 could be written, but not read back safely.
    if type(value) in SCALARS:
        return value
    raise TypeError(f"{place} is a {type(value).__name__}; a checkpoint holds plain values and tensors only")


def _manifest(checkpoint: Checkpoint, contents: Mapping[str, bytes]) -> bytes:
    body = {
        "format": FORMAT,
        "step": checkpoint.step,
        "versions": dict(checkpoint.versions),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in contents.items()
        },
    }
    return json.dumps({**body, "sha256": _body_hash(body)}, indent=2).encode()


def _body_hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _read(place: Path, step: int) -> Checkpoint:
    try:
        body = _read_manifest(place, step)
        model, ema, state = (_verified(place / name, body["files"][name]) for name in FILES)
        return Checkpoint(
            step,
            safetensors.torch.load(model),
            safetensors.torch.load(ema),
            torch.load(io.BytesIO(state), map_location="cpu", weights_only=True),
            body["versions"],
        )
    except _DamagedError:
        raise
    except Exception as error:
        # The hashes fit, so another version or a hostile hand wrote it; then the readers may fail in any way.
        raise _DamagedError(f"its content cannot be read ({_first_line(error)})") from error


def _read_manifest(place: Path, step: int) -> dict[str, Any]:
    try:
        body = json.loads(_bytes(place / MANIFEST))
    except ValueError:
        raise _DamagedError(f"its {MANIFEST} is damaged") from None
    if not isinstance(body, dict) or body.pop("sha256", None) != _body_hash(body):
        raise _DamagedError(f"its {MANIFEST} is damaged")
    if body["format"] > FORMAT:
        raise _DamagedError(f"it has format {body['format']}, and this Fluvial reads up to {FORMAT}")
    if body["step"] != step:
        raise _DamagedError(f"its {MANIFEST} is of step {body['step']}")
    return body


def _verified(path: Path, expected: Mapping[str, Any]) -> bytes:
    content = _bytes(path)
    if len(content) != expected["size"]:
        raise _DamagedError(f"its {path.name} has {len(content)} bytes instead of {expected['size']}")
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise _DamagedError(f"its {path.name} does not have the recorded SHA-256")
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _DamagedError(f"its {path.name} is missing") from None
    except OSError as error:
        raise _DamagedError(f"its {path.name} cannot be read ({error.strerror})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _numbered(folder: Path, pattern: re.Pattern[str] = NAME) -> list[tuple[int, Path]]:
    places = folder.iterdir() if folder.is_dir() else ()
    return [(int(match[1]), place) for place in places if (match := pattern.fullmatch(place.name))]


def _retire(folder: Path, steps: Iterable[int]) -> None:
    """Take checkpoints out of sight, each in one moment; `_clear` removes them later."""
    for place in [folder / f"step-{step:06d}" for step in steps]:
        if _is_ours(place):
            place.rename(folder / f".tmp-{place.name}-{secrets.token_hex(4)}")


def _make_room(target: Path) -> None:
    """Move an earlier checkpoint of the same step aside, where `latest_intact` still finds it."""
    if not target.exists():
        return
    if not _is_ours(target):
        raise StorageError(f"{target} holds other files than a checkpoint's. Move it to another place.")
    target.rename(target.with_name(f".old-{target.name}-{secrets.token_hex(4)}"))


def _clear(folder: Path, *patterns: re.Pattern[str]) -> None:
    for place in folder.iterdir():
        if any(pattern.fullmatch(place.name) for pattern in patterns) and _is_ours(place):
            _remove(place)


def _is_ours(place: Path) -> bool:
    if place.is_symlink() or not place.is_dir():
        return False
    return all(entry.name in (*FILES, MANIFEST) for entry in place.iterdir())


def _remove(place: Path) -> None:
    for name in (*FILES, MANIFEST):
        (place / name).unlink(missing_ok=True)
    place.rmdir()
