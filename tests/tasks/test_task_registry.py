from __future__ import annotations

from pathlib import Path

import pytest
from rdkit import Chem

from fluvial.assets.registry import ASSETS
from fluvial.config.file import parse_config
from fluvial.core.errors import AssetError, ConfigError
from fluvial.tasks.registry import TASKS, find_task, load_task


@pytest.mark.parametrize("name", TASKS)
def test_each_task_is_a_configuration_that_teaches(name: str) -> None:
    task = TASKS[name]
    whole, small = parse_config(task.toml, name), parse_config(task.toml, name, task.small)
    assert whole.name == name
    assert small.stop.steps < whole.stop.steps
    assert task.summary.endswith(".")
    assert sum(line.startswith("#") for line in task.toml.splitlines()) >= 5
    assert len(task.toml.splitlines()) < 100
    assert set(task.assets) <= set(ASSETS)


def test_overrides_go_before_the_small_size() -> None:
    loaded = load_task("toy-sequence", ["stop.steps=7", "algo.batch=4"], small=True)
    assert (loaded.config.stop.steps, loaded.config.algo.batch, loaded.config.env.max_length) == (7, 4, 6)


def test_given_molecules_are_found_wherever_one_works() -> None:
    loaded = load_task("qm9")
    texts = Path(loaded.config.data.file).read_text().split()
    assert len(set(texts)) == 500
    for text in texts:
        mol = Chem.MolFromSmiles(text)
        assert Chem.MolToSmiles(mol) == text
        assert mol.GetNumAtoms() <= 9
        assert {atom.GetSymbol() for atom in mol.GetAtoms()} <= {"C", "N", "O", "F"}


def test_an_unknown_task_is_told_its_nearest_name() -> None:
    with pytest.raises(ConfigError, match="unknown task 'small_graph' - did you mean 'small_graphs'"):
        find_task("small_graph")


def test_a_missing_file_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("FLUVIAL_ASSETS", str(tmp_path))
    monkeypatch.setattr("fluvial.assets.registry.cache_folder", lambda: tmp_path / "cache")

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("pooch.retrieve", offline)
    with pytest.raises(AssetError, match=r"'tfbind8' .*could not be downloaded .*fluvial data fetch tfbind8"):
        load_task("tfbind8")
