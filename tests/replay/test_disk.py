"""Replay on the disk does what the buffer in memory does, and outlives whatever ends its process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fluvial.core.errors import ConfigError, DataError, IllegalActionError, StorageError
from fluvial.core.types import Trajectories
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay import disk, known_keys
from fluvial.replay.buffer import ReplayBuffer
from fluvial.replay.columns import Layout, action_type
from fluvial.replay.disk import COPY, DATABASE, DiskReplay
from fluvial.replay.draws import DRAWS
from fluvial.replay.priority import Priority
from fluvial.replay.rescore import rescore
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

ENV = Hypergrid(2, 8)


def made(n: int, seed: int = 0, n_terms: int = 2) -> Trajectories[Grid]:
    condition = Conditions().fixed(n, 1.0)
    generator = torch.Generator().manual_seed(seed)
    trajectories = rollout(ENV, UniformPolicy(ENV), condition, generator, born=seed)
    return trajectories.replace(values=torch.rand((n, n_terms), generator=generator, dtype=torch.float64))


def replay(
    folder: Path, capacity: int = 10, kind: str = "uniform", n_terms: int = 2, environment: str = "grid"
) -> DiskReplay:
    layout = Layout(capacity, ENV.max_steps, n_terms, action_type(ENV.n_actions))
    return DiskReplay(folder, environment, layout, Priority(kind=kind))


def both(folder: Path, capacity: int, seeds: range, n: int = 13) -> tuple[DiskReplay, ReplayBuffer]:
    """The same trajectories in both, with repeated keys and rewards that failed."""
    ours = replay(folder, capacity)
    model = ReplayBuffer(capacity, ENV.max_steps, Priority(kind="uniform"), 2)
    add(ours, model, seeds, n)
    return ours, model


def add(ours: DiskReplay, model: ReplayBuffer, seeds: range, n: int = 13) -> None:
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        key = torch.randint(0, 40, (n,), generator=generator) * 2**57
        reward = torch.rand(n, generator=generator, dtype=torch.float64)
        reward[0] = torch.nan
        trajectories = made(n, seed)
        ours.add(trajectories, key, reward)
        model.add(trajectories, key, reward)


def assert_alike(ours: DiskReplay, model: ReplayBuffer) -> None:
    assert (len(ours), ours.n_offered) == (len(model), model.n_offered)
    slots = torch.arange(len(model))
    condition = Conditions().fixed(len(model), 1.0)
    assert torch.equal(ours.rewards(slots), model.rewards(slots))
    assert torch.equal(ours.values(slots), model.values(slots))
    found, wanted = (one.stored(ENV, slots, condition, "cpu") for one in (ours, model))
    for name in ("actions", "back_actions", "mask", "born", "values", "origin"):
        assert torch.equal(getattr(found, name), getattr(wanted, name)), name
    assert ENV.decode(ours.objects(ENV, slots, "cpu")[0]) == ENV.decode(model.objects(ENV, slots, "cpu")[0])
    for seed in range(3):
        drawn = [one.draw(20, torch.Generator().manual_seed(seed)) for one in (ours, model)]
        assert torch.equal(*drawn)


@pytest.mark.parametrize("capacity", [1, 10, 31, 500])
def test_it_is_the_buffer_in_memory(tmp_path: Path, capacity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "MOST_RECENT", 5)
    ours, model = both(tmp_path, capacity, range(8))
    assert_alike(ours, model)


@pytest.mark.parametrize("capacity", [10, 500])
@pytest.mark.parametrize("damage", ["none", "no copy", "no goodbye", "other copy", "short copy"])
def test_it_is_the_same_when_opened_again(tmp_path: Path, capacity: int, damage: str) -> None:
    ours, model = both(tmp_path, capacity, range(5))
    if damage != "no goodbye":
        ours.close()
    if damage == "no copy":
        (tmp_path / COPY).unlink()
    if damage == "other copy":
        (tmp_path / COPY).write_bytes(b"x" * (tmp_path / COPY).stat().st_size)
    if damage == "short copy":
        (tmp_path / COPY).write_bytes((tmp_path / COPY).read_bytes()[:5000])
    again = replay(tmp_path, capacity)
    assert len(again.draw(3, torch.Generator())) == 3
    again.n_offered = ours.n_offered
    assert_alike(again, model)
    add(again, model, range(5, 9))
    assert_alike(again, model)


@pytest.mark.parametrize("capacity", [10, 31, 500])
@pytest.mark.parametrize("is_killed", [False, True])
def test_it_goes_back_to_a_checkpoint(tmp_path: Path, capacity: int, is_killed: bool) -> None:
    ours, model = both(tmp_path, capacity, range(5))
    state = ours.state_dict()
    saved = {
        name: value.clone() if isinstance(value, torch.Tensor) else value
        for name, value in model.state_dict().items()
    }
    add(ours, model, range(5, 9))
    if is_killed:
        ours = replay(tmp_path, capacity)
    ours.load_state_dict(state)
    model = ReplayBuffer(capacity, ENV.max_steps, Priority(kind="uniform"), 2)
    model.load_state_dict(saved)
    assert_alike(ours, model)
    add(ours, model, range(20, 24))
    assert_alike(ours, model)
    assert set(state) == {"rows", "offered", "identity"}


def test_slots_that_were_written_late_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that lost its last rows, as after a power cut, and a copy that did not."""
    monkeypatch.setattr(disk, "SLACK", 3)
    ours, model = both(tmp_path, 10, range(4))
    ours.sync()
    count = ours.state_dict()["rows"]
    state = {name: torch.as_tensor(value).clone() for name, value in model.state_dict().items()}
    add(ours, model, range(4, 5))
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("DELETE FROM trajectories WHERE number >= ?", (count,))
    connection.close()
    again = replay(tmp_path, 10)
    again.open()
    model = ReplayBuffer(10, ENV.max_steps, Priority(kind="uniform"), 2)
    model.load_state_dict({name: value if value.ndim else int(value) for name, value in state.items()})
    again.n_offered = model.n_offered
    assert_alike(again, model)


def test_draws_by_age_and_by_reward(tmp_path: Path) -> None:
    trajectories, keys = made(24), torch.arange(24)
    for kind in ("newest", "reward"):
        ours = replay(tmp_path / kind, 10, kind)
        for rows in torch.split(keys, 7):
            ours.add(trajectories.select(rows), rows, rows.double())
        drawn = ours.rewards(ours.draw(9000, torch.Generator().manual_seed(0)))
        share = torch.bincount(drawn.long(), minlength=24)[14:] / 9000.0
        if kind == "newest":
            wanted = torch.tensor([0.5 / 9] * 9 + [0.5])
        else:
            wanted = torch.arange(14, 24) / torch.arange(14, 24).sum()
        assert torch.allclose(share, wanted, atol=0.02)


def test_rewards_that_left_weigh_nothing(tmp_path: Path) -> None:
    ours = replay(tmp_path, 100, "reward")
    trajectories, keys = made(24), torch.arange(24)
    ours.add(trajectories, keys, torch.ones(24))
    state = ours.state_dict()
    ours.add(trajectories, keys + 100, torch.full((24,), 1e6))
    ours.load_state_dict(state)
    assert ours.draw(500, torch.Generator().manual_seed(0)).max() < 24
    empty = replay(tmp_path / "zeros", 100, "reward")
    empty.add(trajectories, keys, torch.zeros(24))
    assert set(empty.draw(2000, torch.Generator().manual_seed(0)).tolist()) == set(range(24))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    ours = replay(tmp_path, 10)
    with pytest.raises(ValueError, match="empty replay"):
        ours.draw(1, torch.Generator())
    with pytest.raises(ValueError, match="3 reward terms and the replay stores 2"):
        ours.add(made(2, n_terms=3), torch.arange(2), torch.ones(2))
    ours.add(made(20), torch.arange(20), torch.ones(20))
    state = ours.state_dict()
    with pytest.raises(DataError, match="is not the file"):
        replay(tmp_path / "other").load_state_dict(state)
    with pytest.raises(DataError, match="has 10 trajectories"):
        ours.load_state_dict({**state, "rows": 11})
    with pytest.raises(DataError, match="none on the disk"):
        ours.load_state_dict(ReplayBuffer(10, 3, Priority()).state_dict())
    with pytest.raises(StorageError, match=r"another environment \(grid, and this one is other\)"):
        replay(tmp_path, environment="other").open()
    with pytest.raises(ConfigError, match=r"'top' sorts .* choose one of uniform, reward, newest"):
        replay(tmp_path, kind="top")
    small = Hypergrid(1, 3)
    with pytest.raises(IllegalActionError, match="not legal"):
        ours.stored(small, torch.arange(10), Conditions().fixed(10, 1.0), "cpu")


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    replay(tmp_path).open()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("UPDATE about SET version = 9")
    connection.close()
    with pytest.raises(StorageError, match=r"has version 9, .* Update Fluvial"):
        replay(tmp_path).open()


def test_a_damaged_database_is_a_sentence(tmp_path: Path) -> None:
    ours, _ = both(tmp_path, 500, range(30))
    ours.close()
    (tmp_path / COPY).unlink()
    path = tmp_path / DATABASE
    content = bytearray(path.read_bytes())
    content[2 * 4096 :] = b"\xff" * (len(content) - 2 * 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"trajectories\.db is damaged .*restore a backup"):
        replay(tmp_path, 500).open()


def test_new_rewards_without_asking_anyone(tmp_path: Path) -> None:
    ours, _ = both(tmp_path, 31, range(6))
    slots = torch.arange(len(ours))
    texts = ENV.decode(ours.objects(ENV, slots, "cpu")[0])
    known = {text: float(len(texts) + row) for row, text in enumerate(texts)}

    def score(asked: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        reward = torch.tensor([known.get(text, 1.0) for text in asked], dtype=torch.float64)
        return reward, torch.stack([reward, -reward], dim=1)

    rescore(ours, ENV, score, batch=7)
    wanted = torch.tensor([known[text] for text in texts], dtype=torch.float64)
    for one in (ours, replay(tmp_path, 31)):
        one.open()
        assert torch.equal(one.rewards(slots), wanted)
        assert torch.equal(one.values(slots), torch.stack([wanted, -wanted], dim=1))
    with pytest.raises(DataError, match="has no reward now"):
        rescore(ours, ENV, lambda asked: (torch.full((len(asked),), torch.nan), torch.zeros((len(asked), 2))))


def keep_adding(folder: Path) -> None:
    ours = replay(folder, 40)
    ours.open()
    start = len(ours)
    for seed in range(1_000_000):
        keys = torch.randint(0, 2**60, (8,), generator=torch.Generator().manual_seed(seed + start))
        ours.add(made(8, seed), keys, keys.double())
        with (folder / "acknowledged").open("a") as file:
            file.write("".join(f"{key}\n" for key in keys.tolist()))


def test_kills_lose_nothing_that_was_stored(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for kill in range(6):
        child = context.Process(target=keep_adding, args=(tmp_path,))
        child.start()
        before = size_of(tmp_path / "acknowledged")
        deadline = time.monotonic() + 30.0
        while size_of(tmp_path / "acknowledged") == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.003 * kill)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    ours = replay(tmp_path, 40)
    ours.open()
    found = [row[0] for rows in ours._open().table.read(0, ours._open().table.count()) for row in rows]
    acknowledged = {int(line) for line in (tmp_path / "acknowledged").read_text().split()}
    assert acknowledged <= set(found)
    newest = [(len(found) - 40 + place) % 40 for place in range(40)]
    assert ours._columns.key[np.array(newest)].tolist() == found[-40:]
    assert ours.rewards(torch.tensor(newest)).tolist() == [float(key) for key in found[-40:]]


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_every_rule_is_one_of_the_buffer() -> None:
    assert all(Priority(kind=kind).kind == kind for kind in DRAWS)
