from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from fluvial.core.errors import ResumeError, StorageError
from fluvial.train.checkpoint import Checkpoint, latest_intact, write_checkpoint


def example(step: int, size: int = 10) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    weights = {
        "layer.weight": torch.randn(size, generator=generator),
        "layer.bias": torch.tensor(float(step)),
    }
    state = {"generator": generator.get_state(), "step": step}
    return Checkpoint(step, weights, {"layer.weight": torch.zeros(size)}, state, {"torch": "2.13.0"})


def same(one: Any, other: Any) -> bool:
    """Whether two nested values agree in types, dtypes, shapes and every bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        equal_form = one.dtype == other.dtype and one.shape == other.shape
        return equal_form and one.reshape(-1).view(torch.uint8).equal(other.reshape(-1).view(torch.uint8))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    assert one.step == other.step
    for name in ("weights", "ema", "versions"):
        mine, theirs = dict(getattr(one, name)), dict(getattr(other, name))
        assert sorted(mine) == sorted(theirs)
        assert all(same(mine[key], theirs[key]) for key in mine)
    assert same(one.state, other.state)


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]


def test_every_dtype_comes_back_bit_by_bit(tmp_path: Path) -> None:
    raw = torch.randint(0, 2, (64,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    tensors = {
        str(dtype): (raw.bool() if dtype == torch.bool else raw.repeat(8).view(dtype)) for dtype in DTYPES
    }
    tensors |= {f"{dtype} scalar": torch.ones((), dtype=dtype) for dtype in DTYPES}
    tensors |= {f"{dtype} empty": torch.empty((0, 3), dtype=dtype) for dtype in DTYPES}
    tensors["special"] = torch.tensor([float("nan"), float("inf"), -0.0, 5e-324], dtype=torch.float64)
    written = Checkpoint(7, tensors, tensors, {"tensors": tensors, "list": list(tensors.values())})
    assert write_checkpoint(tmp_path, written) == tmp_path / "step-000007"
    read, warnings = latest_intact(tmp_path)
    assert warnings == []
    assert_same(read, written)


def test_tied_strided_and_learnt_tensors_come_back_as_plain_equal_ones(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    parameter = torch.nn.Parameter(base.clone())
    tensors = {"base": base, "tied": base, "view": base[1:, 2:], "turned": base.T, "learnt": parameter}
    tensors["expanded"] = torch.ones(1).expand(5)
    write_checkpoint(tmp_path, Checkpoint(0, tensors, {}, {"state": tensors}))
    read, _ = latest_intact(tmp_path)
    for found in (read.weights, read.state["state"]):
        assert all(same(found[name], tensor.detach().contiguous()) for name, tensor in tensors.items())
        assert not any(tensor.requires_grad for tensor in found.values())


def test_a_small_view_does_not_drag_its_base_along(tmp_path: Path) -> None:
    place = write_checkpoint(tmp_path, Checkpoint(0, {}, {}, {"view": torch.zeros(1_000_000)[:3]}))
    assert (place / "state.pt").stat().st_size < 10_000


def test_plain_values_keep_their_types(tmp_path: Path) -> None:
    state = {
        "none": None,
        "flags": [True, False, 1, 0, 1.0],
        "numbers": (2**80, -(2**63), 0.1, float("inf"), float("nan"), -0.0),
        "text": "Ångström\n\x00",
        "empty": [{}, [], (), ""],
        "keys": {3: "int", "3": "text"},
        "optimiser": [{"state": {0: {"step": torch.tensor(3.0)}}, "betas": (0.9, 0.999)}],
    }
    write_checkpoint(tmp_path, Checkpoint(1, {}, {}, state))
    assert same(latest_intact(tmp_path)[0].state, state)


def test_a_real_optimiser_and_generator_go_on_bit_by_bit(tmp_path: Path) -> None:
    def start() -> tuple[torch.nn.Linear, torch.optim.Adam, torch.Generator]:
        model = torch.nn.Linear(4, 2)
        return model, torch.optim.Adam(model.parameters(), lr=0.1), torch.Generator().manual_seed(3)

    def step(model: torch.nn.Linear, optimiser: torch.optim.Adam, generator: torch.Generator) -> None:
        optimiser.zero_grad()
        model(torch.randn(8, 4, generator=generator)).square().mean().backward()
        optimiser.step()

    model, optimiser, generator = start()
    step(model, optimiser, generator)
    state = {"optimiser": optimiser.state_dict(), "generator": generator.get_state()}
    write_checkpoint(tmp_path, Checkpoint(1, model.state_dict(), {}, state))
    step(model, optimiser, generator)

    other, other_optimiser, other_generator = start()
    read, _ = latest_intact(tmp_path)
    other.load_state_dict(dict(read.weights))
    other_optimiser.load_state_dict(read.state["optimiser"])
    other_generator.set_state(read.state["generator"])
    step(other, other_optimiser, other_generator)
    assert same(dict(other.state_dict()), dict(model.state_dict()))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
)
tensors = st.lists(st.floats(), max_size=4).map(lambda row: torch.tensor(row, dtype=torch.float64))
keys = st.integers(-9, 9) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
states = st.recursive(
    scalars | tensors,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=states)
def test_any_plain_state_comes_back(tmp_path: Path, state: object) -> None:
    write_checkpoint(tmp_path, Checkpoint(1, {}, {}, state))
    assert same(latest_intact(tmp_path)[0].state, state)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a": [1, np.float64(2.0)]}, r"state\['a'\]\[1\] is a float64"),
        ({"a": {(1, 2): 3}}, r"state\['a'\] has the key \(1, 2\)"),
        ({"a": {True: 3}}, r"state\['a'\] has the key True"),
        ([object()], r"state\[0\] is a object"),
        (b"bytes", r"state is a bytes"),
    ],
)
def test_a_state_that_could_not_be_read_back_is_refused(tmp_path: Path, state: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        write_checkpoint(tmp_path / "checkpoints", Checkpoint(1, {}, {}, state))
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(("step", "keep"), [(-1, 3), (1, 0)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, step: int, keep: int) -> None:
    with pytest.raises(ValueError, match=f"not keep = {keep} and step = {step}"):
        write_checkpoint(tmp_path, Checkpoint(step, {}, {}, {}), keep)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_manifest_names_sizes_hashes_and_versions(tmp_path: Path) -> None:
    place = write_checkpoint(tmp_path, example(500))
    manifest = json.loads((place / "manifest.json").read_text())
    assert (manifest["format"], manifest["step"], manifest["versions"]) == (1, 500, {"torch": "2.13.0"})
    assert names(place) == ["ema.safetensors", "manifest.json", "model.safetensors", "state.pt"]
    for name, facts in manifest["files"].items():
        content = (place / name).read_bytes()
        assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_the_last_ones_are_kept_and_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    stale = tmp_path / ".tmp-step-000001-0123abcd"
    stale.mkdir()
    (stale / "state.pt").write_text("half")
    for name in ("step-000000", ".tmp-step-000001-ffffffff", "notes", "step-abc", ".tmp-other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("years of work")
    archive = write_checkpoint(tmp_path / "archive", example(1))
    (tmp_path / "step-000001").symlink_to(archive)
    foreign = set(names(tmp_path)) - {stale.name}
    for step in (2, 1_000_000, 1_000_001, 1_000_002):
        write_checkpoint(tmp_path, example(step), keep=2)
    assert set(names(tmp_path)) == foreign | {"step-1000001", "step-1000002"}
    assert len(names(archive)) == 4
    assert (tmp_path / "step-000000" / "thesis.txt").read_text() == "years of work"
    assert latest_intact(tmp_path)[0].step == 1_000_002


def test_a_checkpoint_with_notes_of_the_user_is_kept(tmp_path: Path) -> None:
    (write_checkpoint(tmp_path, example(1)) / "notes.txt").write_text("the good one")
    for step in (2, 3, 4):
        write_checkpoint(tmp_path, example(step), keep=2)
    assert names(tmp_path) == ["step-000001", "step-000003", "step-000004"]


def test_a_later_checkpoint_with_notes_does_not_take_the_place_of_the_new_one(tmp_path: Path) -> None:
    (write_checkpoint(tmp_path, example(9)) / "notes.txt").write_text("damaged?")
    (tmp_path / "step-000009" / "state.pt").unlink()
    (tmp_path / "step-0000008").mkdir()
    write_checkpoint(tmp_path, example(4), keep=1)
    assert set(names(tmp_path)) == {"step-000004", "step-0000008", "step-000009"}
    assert latest_intact(tmp_path)[0].step == 4


def test_the_same_step_is_replaced(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, example(5))
    changed = Checkpoint(5, {"layer.weight": torch.ones(2)}, {}, {"finished": True})
    write_checkpoint(tmp_path, changed)
    assert names(tmp_path) == ["step-000005"]
    assert_same(latest_intact(tmp_path)[0], changed)


def test_a_kill_between_the_two_renamings_of_a_replacement_loses_nothing(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, example(5)).rename(tmp_path / ".old-step-000005-0123abcd")
    assert latest_intact(tmp_path)[0].step == 5
    write_checkpoint(tmp_path, example(6))
    assert names(tmp_path) == ["step-000006"]


def test_a_folder_of_the_user_under_the_name_of_the_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "step-000005").mkdir()
    (tmp_path / "step-000005" / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match="step-000005 holds other files than a checkpoint's"):
        write_checkpoint(tmp_path, example(5))
    assert names(tmp_path) == ["step-000005"]


def test_later_checkpoints_of_a_left_course_go(tmp_path: Path) -> None:
    for step in (4, 5, 6):
        write_checkpoint(tmp_path, example(step))
    for step in (5, 6):
        (tmp_path / f"step-00000{step}" / "state.pt").write_bytes(b"damaged")
    assert latest_intact(tmp_path)[0].step == 4
    write_checkpoint(tmp_path, Checkpoint(5, {}, {}, "new course"))
    assert names(tmp_path) == ["step-000004", "step-000005"]
    assert latest_intact(tmp_path)[0].state == "new course"


def flip(path: Path, place: int = -20) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def replace_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def swap_manifest_step(folder: Path) -> None:
    shutil.copy(folder.parent / "step-000001" / "manifest.json", folder / "manifest.json")


def rewrite_state(folder: Path) -> None:
    """A state whose hashes fit, and which is a pickle of more than plain values."""
    content = io.BytesIO()
    torch.save({"function": os.getcwd}, content)
    (folder / "state.pt").write_bytes(content.getvalue())
    resign(folder, {"sha256": hashlib.sha256(content.getvalue()).hexdigest(), "size": content.tell()})


def resign(folder: Path, state: dict[str, object] | None = None, **changes: object) -> None:
    body = json.loads((folder / "manifest.json").read_text())
    del body["sha256"]
    body.update(changes)
    if state:
        body["files"]["state.pt"] = state
    body["sha256"] = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(body))


def forget(folder: Path, key: str) -> None:
    body = json.loads((folder / "manifest.json").read_text())
    del body["sha256"], body[key]
    body["sha256"] = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(body))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "bit flip in the model": (
        lambda f: flip(f / "model.safetensors"),
        "model.safetensors does not have the record",
    ),
    "bit flip in the ema": (
        lambda f: flip(f / "ema.safetensors", 0),
        "ema.safetensors does not have the recorded",
    ),
    "bit flip in the state": (lambda f: flip(f / "state.pt"), "state.pt does not have the recorded SHA-256"),
    "bit flip in the manifest": (lambda f: flip(f / "manifest.json"), "manifest.json is damaged"),
    "truncated": (lambda f: os.truncate(f / "state.pt", 100), "state.pt has 100 bytes instead of "),
    "emptied": (
        lambda f: os.truncate(f / "model.safetensors", 0),
        "model.safetensors has 0 bytes instead of",
    ),
    "grown": (lambda f: os.truncate(f / "model.safetensors", 10**5), "has 100000 bytes instead of"),
    "missing model": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
    "missing state": (lambda f: (f / "state.pt").unlink(), "state.pt is missing"),
    "missing manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing"),
    "empty manifest": (lambda f: os.truncate(f / "manifest.json", 0), "manifest.json is damaged"),
    "half a manifest": (lambda f: os.truncate(f / "manifest.json", 90), "manifest.json is damaged"),
    "manifest is a list": (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json is damaged"),
    "no folder": (replace_by_file, "manifest.json cannot be read"),
    "of another step": (swap_manifest_step, "manifest.json is of step 1"),
    "newer format": (lambda f: resign(f, format=2), "format 2, and this Fluvial reads up to 1"),
    "no files listed": (lambda f: forget(f, "files"), "content cannot be read"),
    "no format": (lambda f: forget(f, "format"), "content cannot be read"),
    "hostile state": (rewrite_state, "content cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_skipped_with_the_reason(tmp_path: Path, damage: str) -> None:
    inflict, reason = DAMAGES[damage]
    write_checkpoint(tmp_path, example(1))
    inflict(write_checkpoint(tmp_path, example(2)))
    read, warnings = latest_intact(tmp_path)
    assert_same(read, example(1))
    assert len(warnings) == 1
    assert warnings[0].startswith(f"Checkpoint {tmp_path / 'step-000002'} is skipped: it")
    assert reason in warnings[0]
    assert warnings[0].endswith(".")
    assert "\n" not in warnings[0]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_is_ever_loaded(tmp_path: Path, data: st.DataObject) -> None:
    place = tmp_path / "step-000001"
    if not place.exists():
        write_checkpoint(tmp_path, example(1))
    path = place / data.draw(st.sampled_from(names(place)))
    intact = path.read_bytes()
    content = bytearray(intact)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        assert_same(latest_intact(tmp_path)[0], example(1))
        # Blanks between the manifest's entries are the only bits without a meaning.
        assert json.loads(content) == json.loads(intact)
    except ResumeError:
        pass
    finally:
        path.write_bytes(intact)


def test_without_an_intact_checkpoint_the_error_says_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(
        ResumeError, match=f"No intact checkpoint in {tmp_path}. There is no checkpoint at all"
    ):
        latest_intact(tmp_path)
    with pytest.raises(ResumeError, match="There is no checkpoint at all"):
        latest_intact(tmp_path / "missing")
    for step in (1, 2):
        (write_checkpoint(tmp_path, example(step)) / "state.pt").unlink()
    with pytest.raises(
        ResumeError, match=r"step-000002 is skipped: .*step-000001 is skipped: .*, or start a new run"
    ):
        latest_intact(tmp_path)


def test_a_failing_write_leaves_the_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, example(step))
    real = os.fsync
    for n_good in range(5):
        countdown = iter(range(n_good))

        def fail_later(descriptor: int, countdown: Iterator[int] = countdown) -> None:
            if next(countdown, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail_later)
            with pytest.raises(StorageError, match=r"step-000004: no room is left on its disk"):
                write_checkpoint(tmp_path, example(4))
        assert names(tmp_path) == ["step-000001", "step-000002", "step-000003"]
        assert latest_intact(tmp_path)[1] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own; needs the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_the_earlier_ones(small_disk: Path) -> None:
    write_checkpoint(small_disk, example(1, size=50_000))
    with pytest.raises(StorageError, match=r"step-000002: no room is left on its disk .* Free some space"):
        write_checkpoint(small_disk, example(2, size=100_000))
    assert names(small_disk) == ["step-000001"]
    assert_same(latest_intact(small_disk)[0], example(1, size=50_000))


def write_until_killed(folder: Path, pipe: int) -> None:
    torch.set_num_threads(1)
    for step in range(1, 1_000_000):
        write_checkpoint(folder, example(step // 2, size=20_000))
        os.write(pipe, step.to_bytes(4, "big"))


def test_a_kill_at_any_moment_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    moments = random.Random(0)
    for attempt in range(10):
        folder = tmp_path / str(attempt)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                write_until_killed(folder, writing)
            finally:
                os._exit(1)
        os.close(writing)
        acknowledged = os.read(reading, 4)
        time.sleep(moments.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as rest:
            acknowledged += rest.read()
        last = int.from_bytes(acknowledged[len(acknowledged) // 4 * 4 - 4 :][:4], "big")
        read, warnings = latest_intact(folder)
        assert warnings == []
        assert read.step in (last // 2, (last + 1) // 2)
        assert_same(read, example(read.step, size=20_000))
        write_checkpoint(folder, example(read.step + 1))
        assert not [name for name in names(folder) if name.startswith(".")]
