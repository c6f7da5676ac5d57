from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CODE = """\
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.envs.sets import Sets
from neighbour import SIDE

square = Hypergrid(2, SIDE)
number = 3


class Square(Hypergrid):
    def __init__(self, side=3, dimension=2):
        if side == 13:
            raise RuntimeError("no luck")
        super().__init__(dimension, side)


def of_items(items, most=2):
    return Sets(items, max_size=most)


class MovesWhenDone(Square):
    def step(self, states, actions):
        after = super().step(states, actions)
        return Grid(after.coordinate + states.is_done[:, None], after.is_done)


class Raises(Square):
    def undo(self, states, actions, next_states):
        return actions[99_999]


class Bare:
    n_actions = 1
    max_steps = 1

    def initial(self, n, device="cpu"):
        return None
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of an environment and of its neighbour in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "neighbour.py").write_text("SIDE = 4\n")
    (tmp_path / "own.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "notes.txt").write_text("Env\n")
    return tmp_path


def rows_of(text: str) -> dict[str, str]:
    return {line[:14].strip(): line[14:].strip() for line in text.splitlines()}


def test_a_class_without_arguments(call, folder: Path) -> None:
    result = call("check-env", "own.py:Square")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = rows_of(result.stdout)
    assert rows["checked"] == "own.py:Square: 3 actions, 3 backward, max_steps 5"
    # 9 points and 9 finished ones; 9 stops and 2 * 3 * 2 moves.
    assert rows["states"].startswith("18, 9 of them finished: all of them")
    assert (rows["objects"], rows["transitions"]) == ("9", "21")
    assert rows["longest walk"] == "5 transitions"
    assert rows["policies"] == "tabular, mlp (VectorPolicy)"
    assert rows["result"] == "the environment keeps its contract"


def test_arguments_are_read_as_toml(call, folder: Path) -> None:
    result = call("check-env", "own.py:of_items", "--arg", "items=['a', 'b', 'c']", "--arg", "most=1")
    assert result.exit_code == 0, result.output
    assert rows_of(result.stdout)["objects"] == "3"
    assert rows_of(call("check-env", "own.py:Square", "--arg", "side=5").stdout)["objects"] == "25"


def test_an_instance(call, folder: Path) -> None:
    result = call("check-env", folder / "own.py:square")
    assert result.exit_code == 0, result.output
    assert rows_of(result.stdout)["objects"] == "16"


def test_a_large_one_is_sampled(call, folder: Path) -> None:
    result = call("check-env", "own.py:Square", "--limit", "4", "--trajectories", "7", "--seed", "3")
    rows = rows_of(result.stdout)
    assert "a sample, as there are more than --limit 4; clause 3 (symmetry) was not checked" in rows["states"]
    assert "objects" not in rows


def test_a_broken_environment(call, folder: Path) -> None:
    result = call("check-env", "own.py:MovesWhenDone")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "error: own.py:MovesWhenDone breaks clause 1: a terminal state is no fixed point" in result.stderr
    assert "first: state coordinate=[0, 0], is_done=True; action 0" in result.stderr
    assert "clause 1 asks: Action 0 is stop. A finished state stays as it is" in result.stderr


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("own.py", [], "'own.py' does not name an environment; write it as file.py:Name"),
        ("gone.py:Env", [], "gone.py: no such file"),
        ("notes.txt:Env", [], "notes.txt is not a Python file (its name must end in .py)"),
        (
            "broken.py:Env",
            [],
            "broken.py cannot be imported: ZeroDivisionError: division by zero (broken.py line 2)",
        ),
        ("leaves.py:Env", [], "leaves.py cannot be imported: SystemExit"),
        ("own.py:Env", [], "own.py has no 'Env' (found: Square, of_items, MovesWhenDone, Raises, Bare)"),
        ("own.py:of_items", [], "takes (items, most=2): missing a required argument: 'items'; give"),
        ("own.py:Square", ["--arg", "sid=3"], "got an unexpected keyword argument 'sid'"),
        ("own.py:Square", ["--arg", "side"], "--arg: override 'side': must look like key=value"),
        ("own.py:Square", ["--arg", "side=1"], "hypergrid side is 1; it must be at least 2"),
        (
            "own.py:Square",
            ["--arg", "side=13"],
            "cannot be made: RuntimeError: no luck (own.py line 12 in __init__)",
        ),
        (
            "own.py:square",
            ["--arg", "side=2"],
            "own.py:square is an environment already, so it takes no --arg",
        ),
        ("own.py:number", [], "own.py:number is no environment yet (int): it lacks n_actions"),
        ("own.py:Bare", [], "is no environment yet (Bare): it lacks n_back_actions, mask, step, back_mask"),
        ("own.py:Raises", [], "fails while it is checked: IndexError: index 99999 is out of bounds"),
    ],
)
def test_mistakes(call, folder: Path, name: str, options: list[str], sentence: str) -> None:
    result = call("check-env", name, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_where_a_method_failed(call, folder: Path) -> None:
    assert "(own.py line 28 in undo)" in call("check-env", "own.py:Raises").stderr


def test_the_example_keeps_the_contract(call) -> None:
    example = os.path.relpath(ROOT / "examples" / "own_environment.py")
    result = call("check-env", f"{example}:Roads")
    assert result.exit_code == 0, result.output
    assert rows_of(result.stdout)["objects"] == "38"


def test_help_shows_an_example(call) -> None:
    assert "fluvial check-env roads.py:Roads" in call("check-env", "--help").stdout


def test_check_takes_an_environment_too(call, folder: Path) -> None:
    short, whole = (call(command, "own.py:Square") for command in ("check", "check-env"))
    assert short.exit_code == whole.exit_code == 0
    assert short.stdout.splitlines()[:3] == whole.stdout.splitlines()[:3]
    assert call("check", "own.py:Absent").exit_code == 2
    wide = call("check", "own.py:Square", "side=5")
    assert rows_of(wide.stdout)["objects"] == "25"
    assert call("check", "own.py:Square", "sise=5").exit_code == 2


def test_words_fit_a_transformer(call, folder: Path) -> None:
    (folder / "words.py").write_text(
        "from fluvial.envs.sequences.environment import Sequences\nwords = Sequences('ab', 2)\n"
    )
    fits = rows_of(call("check", "words.py:words").stdout)["policies"]
    assert fits == "tabular, mlp (VectorPolicy), sequence-transformer (SequencePolicy)"
