from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import Mol

from fluvial.core.errors import RewardError
from fluvial.rewards.function import load_function, takes_molecules


def written(folder: Path, text: str, name: str = "activity.py") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_loads_relative_and_absolute_paths(tmp_path: Path) -> None:
    path = written(tmp_path, "def score(smiles):\n    return [1.0] * len(smiles)\n")
    assert load_function("activity.py:score", tmp_path)(["C"]) == [1.0]
    assert load_function(f"{path}:score", Path("/nowhere"))(["C", "C"]) == [1.0, 1.0]


def test_file_runs_once_and_again_only_when_changed(tmp_path: Path) -> None:
    path = written(tmp_path, "def one(smiles): return [1]\ndef two(smiles): return [2]\n")
    one, two = load_function("activity.py:one", tmp_path), load_function("activity.py:two", tmp_path)
    assert one.__globals__ is two.__globals__
    path.write_text("def one(smiles): return [111]\n")
    os.utime(path, (1e9, 1e9))
    assert load_function("activity.py:one", tmp_path)([]) == [111]


def test_file_may_use_dataclasses_and_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    written(tmp_path, "OFFSET = 41\n", "fluvial_test_neighbour.py")
    text = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "import fluvial_test_neighbour\n"
        "@dataclass\n"
        "class Model:\n"
        "    offset: int = fluvial_test_neighbour.OFFSET\n"
        "def score(smiles):\n"
        "    return [Model().offset + len(text) for text in smiles]\n"
    )
    written(tmp_path, text)
    assert load_function("activity.py:score", tmp_path)(["C"]) == [42]


@pytest.mark.parametrize(
    "spec", ["activity.py", ":score", "activity.py:", "activity.py:a b", "C:\\x\\activity.py"]
)
def test_spec_without_function(spec: str, tmp_path: Path) -> None:
    with pytest.raises(RewardError, match=r"write it as file\.py:function"):
        load_function(spec, tmp_path)


def test_missing_file_and_function_are_named(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match=r"rewards/activity.py: no such file \(looked for .*activity.py\)"):
        load_function("rewards/activity.py:score", tmp_path)
    text = "from os.path import join\nLIMIT = 3\ndef score(smiles): return []\ndef _own(): ...\n"
    written(tmp_path, text, "rewards/activity.py")
    with pytest.raises(RewardError) as caught:
        load_function("rewards/activity.py:scores", tmp_path)
    assert str(caught.value) == "rewards/activity.py has no function 'scores' (found: score)"
    with pytest.raises(RewardError, match="'LIMIT' is of type int, not a function"):
        load_function("rewards/activity.py:LIMIT", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import json\nimport no_such_package\n", "No module named 'no_such_package' (activity.py line 2)"),
        ("x = 1\n\nraise KeyError('gone')\n", "KeyError: 'gone' (activity.py line 3)"),
        ("def score(:\n", "SyntaxError: invalid syntax (activity.py, line 1)"),
        ("import sys\nsys.exit(2)\n", "SystemExit: 2 (activity.py line 2)"),
    ],
)
def test_failing_import_names_exception_and_line(text: str, message: str, tmp_path: Path) -> None:
    written(tmp_path, text)
    with pytest.raises(RewardError) as caught:
        load_function("activity.py:score", tmp_path)
    assert str(caught.value).startswith("activity.py cannot be imported: ")
    assert str(caught.value).endswith(message)


def test_not_a_python_file(tmp_path: Path) -> None:
    written(tmp_path, "def score(smiles): ...", "activity.txt")
    with pytest.raises(RewardError, match=r"must end in \.py"):
        load_function("activity.txt:score", tmp_path)


def test_function_must_take_one_list(tmp_path: Path) -> None:
    written(tmp_path, "def none(): ...\ndef two(a, b): ...\ndef ok(a, b=1, *c, d=2): return []\n")
    with pytest.raises(RewardError, match=r"activity.py:none\(\) cannot be called with one list"):
        load_function("activity.py:none", tmp_path)
    with pytest.raises(
        RewardError, match=r"activity.py:two\(a, b\) cannot .* missing a required argument: 'b'"
    ):
        load_function("activity.py:two", tmp_path)
    assert load_function("activity.py:ok", tmp_path)([]) == []


def by_annotation(x: list[Mol]) -> list[float]:
    raise NotImplementedError


def by_qualified_annotation(x: list[Chem.Mol]) -> list[float]:
    raise NotImplementedError


def by_name(mols):  # type: ignore[no-untyped-def]
    raise NotImplementedError


def texts(molecules: list[str]) -> list[float]:
    raise NotImplementedError


def plain(smiles):  # type: ignore[no-untyped-def]
    raise NotImplementedError


def test_which_functions_take_molecules(tmp_path: Path) -> None:
    assert takes_molecules(by_annotation)
    assert takes_molecules(by_qualified_annotation)
    assert takes_molecules(by_name)
    assert not takes_molecules(texts)
    assert not takes_molecules(plain)
    assert not takes_molecules(dict)
    written(tmp_path, "from rdkit import Chem\ndef score(batch: list[Chem.Mol]): return []\n")
    assert takes_molecules(load_function("activity.py:score", tmp_path))
