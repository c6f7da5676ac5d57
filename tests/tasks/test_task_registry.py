from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

from fluvial.assets.registry import ASSETS
from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import AssetError, ConfigError
from fluvial.rewards.defaults import DEFAULT_TRANSFORMS
from fluvial.rewards.transforms import Transform, make_transform
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


@pytest.mark.parametrize(
    ("term", "raw", "score"),
    [
        ("seh", 4.0, 0.5),
        ("seh", -1.0, 0.0),
        ("qed", 0.25, 0.25),
        ("sa", 1.0, 1.0),
        ("sa", 10.0, 0.0),
        ("sa", 5.5, 0.5),
        ("mw", 300.0, 1.0),
        ("mw", 650.0, 0.5),
        ("mw", 1000.0, 0.0),
        ("mw", 100.0, 1.0),
    ],
)
def test_the_published_transforms_of_four_objectives(term: str, raw: float, score: float) -> None:
    config = load_config_of("seh_moo")
    (found,) = [item for item in config.reward.term if item.name == term]
    transform = DEFAULT_TRANSFORMS[term] if found.transform is None else made(found.transform)
    assert transform(raw) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(("changes", "better"), [([], 1.0), (["reward.term.0.transform.kind=linear"], 13.0)])
def test_the_gap_is_small_or_large_as_asked(changes: list[str], better: float) -> None:
    config = load_config_of("qm9_moo", changes)
    assert made(config.reward.term[0].transform)(better) == 1.0
    assert made(config.reward.term[0].transform)(14.0 - better) == 0.0


def load_config_of(name: str, changes: list[str] | None = None) -> RunConfig:
    return parse_config(TASKS[name].toml, name, changes or [])


def made(transform: Any) -> Transform:
    return make_transform(transform.kind, **transform.parameters())


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
