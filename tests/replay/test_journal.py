from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from fluvial.core.errors import StorageError
from fluvial.core.types import Trajectories
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay.journal import Journal
from fluvial.replay.waiting import WaitingRoom
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

ENV = Hypergrid(2, 8)


def room_that_tells(journal: Journal) -> WaitingRoom:
    return WaitingRoom(lambda state, is_added: journal.write(1, state, is_added))


def made(n: int) -> Trajectories[Grid]:
    return rollout(ENV, UniformPolicy(ENV), Conditions().fixed(n, 1.0), torch.Generator().manual_seed(0))


def texts_in(journal: Journal) -> list[list[str]]:
    return [state["texts"] for state in journal.read(0)]


def test_what_was_written_waits_again_bit_for_bit(tmp_path: Path) -> None:
    journal, room = Journal(tmp_path / "waiting.jsonl"), WaitingRoom()
    steps = iter((3, 4, 4))
    room.note = lambda state, is_added: journal.write(next(steps), state, is_added)
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        part = rollout(ENV, UniformPolicy(ENV), Conditions().fixed(2 + number, 1.0), generator, born=number)
        texts = [f"{number}.{row}" for row in range(2 + number)]
        room.add(part, texts)
    again = WaitingRoom()
    for state in journal.read(since=4):
        again.join(state)
    assert again.texts == ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3"]
    room.take(ENV, [0, 1], "cpu")
    mine, theirs = again.state_dict(), room.state_dict()
    length = len(mine["actions"])
    assert torch.equal(mine["actions"], theirs["actions"][:length])
    assert torch.equal(mine["log_behaviour"], theirs["log_behaviour"][:length])
    assert torch.equal(mine["numbers"], theirs["numbers"])
    assert all(torch.equal(mine["condition"][name], theirs["condition"][name]) for name in mine["condition"])


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "waiting.jsonl"
    journal, room = Journal(path), WaitingRoom()
    assert journal.read(0) == []
    room.note = lambda state, is_added: journal.write(1, state, is_added)
    part = rollout(ENV, UniformPolicy(ENV), Conditions().fixed(2, 1.0), torch.Generator().manual_seed(0))
    room.add(part, ["a", "b"])
    whole = path.read_text()
    path.write_text(whole + whole[: len(whole) // 2])
    assert [state["texts"] for state in journal.read(0)] == [["a", "b"]]
    journal.clear()
    journal.clear()
    assert journal.read(0) == []


def test_what_was_only_announced_counts_if_nothing_came_after_it(tmp_path: Path) -> None:
    journal, room = Journal(tmp_path / "waiting.jsonl"), WaitingRoom()
    room.note = lambda state, is_added: journal.write(1, state, is_added)
    part = rollout(ENV, UniformPolicy(ENV), Conditions().fixed(2, 1.0), torch.Generator().manual_seed(0))
    room.announce(part, ["a", "b"])
    assert [state["texts"] for state in journal.read(0)] == [["a", "b"]]
    room.add(part.select(torch.tensor([1])), ["b"])
    assert [state["texts"] for state in journal.read(0)] == [["b"]]
    room.announce(part, ["c", "d"])
    assert [state["texts"] for state in journal.read(0)] == [["b"], ["c", "d"]]
    assert len(room) == 1


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_what_is_written_after_a_cut_is_kept(tmp_path: Path, share: float) -> None:
    path = tmp_path / "waiting.jsonl"
    journal = Journal(path)
    room = room_that_tells(journal)
    room.add(made(2), ["a", "b"])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: int(share * len(whole))])
    room.add(made(1), ["c"])
    assert texts_in(journal) == [["a", "b"], ["c"]]
    assert journal.damage() == []


def test_a_line_that_lacks_its_end_only_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "waiting.jsonl"
    journal = Journal(path)
    room = room_that_tells(journal)
    room.add(made(2), ["a", "b"])
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    room.add(made(1), ["c"])
    assert texts_in(journal) == [["a", "b"], ["c"]]


def test_damage_before_the_last_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "waiting.jsonl"
    journal = Journal(path)
    room = room_that_tells(journal)
    assert journal.damage() == []
    for text in "abc":
        room.add(made(1), [text])
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second.replace(b"int32", b"\xff\x00t32") + third)
    assert texts_in(journal) == [["a"], ["c"]]
    assert [sentence.partition(":")[0] for sentence in journal.damage()] == [f"{path} line 2 is damaged"]
    path.write_bytes(first + second + third[:30])
    assert texts_in(journal) == [["a"], ["b"]]
    assert journal.damage() == [], "the last line may be what a kill cut off"


def test_what_was_announced_before_a_kill_outlives_the_next_kill(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "waiting.jsonl")
    room = room_that_tells(journal)
    room.announce(made(2), ["a", "b"])
    journal.confirm()
    room.announce(made(1), ["c"])
    room.add(made(1), ["c"])
    assert texts_in(journal) == [["a", "b"], ["c"]]
    journal.confirm()
    assert texts_in(journal) == [["a", "b"], ["c"]]


def test_a_line_is_on_the_disk_when_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "waiting.jsonl"
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(path.stat().st_size))
    room_that_tells(Journal(path)).add(made(1), ["a"])
    assert synced == [path.stat().st_size]


def test_a_full_disk_is_told_and_earlier_lines_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "waiting.jsonl")
    journal.write(1, {"texts": ["a"]})

    def disk_full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(StorageError, match=r"waiting\.jsonl: no room is left on its disk"):
        journal.write(2, {"texts": ["b"]})
    assert texts_in(journal)[0] == ["a"]
