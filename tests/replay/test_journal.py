from __future__ import annotations

from pathlib import Path

import torch

from fluvial.envs.hypergrid import Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay.journal import Journal
from fluvial.replay.waiting import WaitingRoom
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

ENV = Hypergrid(2, 8)


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
