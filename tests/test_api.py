from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fluvial
from fluvial.core.errors import ConfigError, StorageError

SMALL = {
    "env.max_fragments": 2,
    "policy.width": 16,
    "policy.layers": 1,
    "algo.batch": 8,
    "replay.start": 8,
    "seed": 5,
}


def no_nitrogen(smiles: list[str]) -> list[float]:
    """The length of the text, an error for aromatic nitrogen."""
    if any("n" in text for text in smiles):
        raise ValueError("aromatic nitrogen")
    return [len(text) / 100 for text in smiles]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> fluvial.DesignRun:
    out = tmp_path_factory.mktemp("api") / "demo"
    return fluvial.design(reward="qed*sa", steps=4, out=out, settings=SMALL, quiet=True)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory) -> fluvial.DesignRun:
    out = tmp_path_factory.mktemp("api") / "own"
    return fluvial.design(reward=no_nitrogen, steps=4, out=out, settings=SMALL, quiet=True)


def test_the_package_is_imported_without_torch_and_rdkit() -> None:
    program = (
        "import sys, fluvial\n"
        "assert fluvial.design.__module__ == 'fluvial.api'\n"
        "assert 'design' in dir(fluvial)\n"
        "sys.exit(', '.join({'torch', 'rdkit', 'numpy', 'sqlalchemy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'fluvial' has no attribute 'desing'"):
        fluvial.desing  # noqa: B018


def test_every_public_name_is_there() -> None:
    assert [name for name in fluvial.__all__ if not hasattr(fluvial, name)] == []


def test_design_prints_nothing_when_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fluvial.design(steps=1, out=tmp_path / "a", settings=SMALL, quiet=True)
    assert capsys.readouterr().out == ""
    fluvial.design(steps=1, out=tmp_path / "b", settings=SMALL)
    assert "step 1/1" in capsys.readouterr().out


def test_the_best_are_in_order(run: fluvial.DesignRun) -> None:
    best = run.best(5)
    assert len(best) == 5
    rewards = [molecule.reward or 0.0 for molecule in best]
    assert rewards == sorted(rewards, reverse=True)
    sa, qed = best[0].properties["sa"], best[0].properties["qed"]
    assert sa is not None
    assert qed is not None
    assert best[0].reward == pytest.approx(qed * (10 - sa) / 9)


def test_samples_are_new_and_repeatable(run: fluvial.DesignRun) -> None:
    first, second = run.sample(12, seed=1), run.sample(12, seed=1)
    assert first == second
    assert len(first) == 12
    assert first != run.sample(12, seed=2)
    with pytest.raises(ConfigError, match="beta = 3 is not what this run learned"):
        run.sample(1, beta=3.0)


def test_the_report(run: fluvial.DesignRun) -> None:
    path = run.report()
    assert path == run.path / "report.html"
    assert run.best(1)[0].smiles in path.read_text()


def test_a_run_is_loaded_and_resumed(run: fluvial.DesignRun) -> None:
    loaded = fluvial.load(str(run.path))
    assert loaded == run
    resumed = fluvial.resume(run.path, steps=6, quiet=True)
    assert resumed == run
    assert (run.path / "checkpoints" / "step-000006").is_dir()
    with pytest.raises(StorageError, match="is not a run of Fluvial"):
        fluvial.load(run.path.parent)


def test_a_function_that_fails_on_some_molecules(own_run: fluvial.DesignRun) -> None:
    best = own_run.best(1000)
    assert best
    assert all("n" not in molecule.smiles for molecule in best)
    assert all(molecule.reward == pytest.approx(len(molecule.smiles) / 100) for molecule in best)
    failed = [molecule for molecule in own_run.sample(40) if "n" in molecule.smiles]
    assert failed
    assert all((molecule.status, molecule.reward) == ("failed", None) for molecule in failed)
    assert "aromatic nitrogen" in failed[0].reason


def test_a_function_is_needed_again(own_run: fluvial.DesignRun) -> None:
    loaded = fluvial.load(own_run.path)
    assert loaded.best(1) == own_run.best(1)
    sentence = "reward term 'no_nitrogen' was given as a Python function, which no file holds; give it again"
    with pytest.raises(ConfigError, match=sentence):
        loaded.sample(1)
    with pytest.raises(ConfigError, match=sentence):
        fluvial.resume(own_run.path, steps=5, quiet=True)
    assert fluvial.load(own_run.path, reward=no_nitrogen).sample(3) == own_run.sample(3)
    assert fluvial.resume(own_run.path, steps=5, reward=no_nitrogen, quiet=True) == own_run
    assert (own_run.path / "checkpoints" / "step-000005").is_dir()


def test_a_dict_of_factors(tmp_path: Path) -> None:
    reward = {"carbons": lambda smiles: [text.upper().count("C") for text in smiles], "druglike": "qed"}
    run = fluvial.design(reward=reward, steps=1, out=tmp_path / "a", settings=SMALL, quiet=True)
    best = run.best(1)[0]
    carbons, druglike = best.properties["carbons"], best.properties["druglike"]
    assert carbons == best.smiles.upper().count("C")
    assert druglike is not None
    assert best.reward == pytest.approx(carbons * druglike)


def test_a_function_of_molecules(tmp_path: Path) -> None:
    def heavy(mols):
        return [mol.GetNumHeavyAtoms() / 50 for mol in mols]

    run = fluvial.design(reward=heavy, steps=1, out=tmp_path / "a", settings=SMALL, quiet=True)
    assert all(molecule.reward for molecule in run.best(3))


def test_a_configuration_to_start_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text('[env]\nkind = "fragments"\nmax_fragments = 3\n[stop]\nsteps = 900\n')
    settings = {key: value for key, value in SMALL.items() if key != "env.max_fragments"}
    run = fluvial.design(config="run.toml", steps=1, settings=settings, quiet=True)
    assert run.path.parent == Path("runs")
    text = (run.path / "config.toml").read_text()
    assert "max_fragments = 3" in text
    assert "steps = 1\n" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"settings": {"algo.bach": 3}},
            "settings['algo.bach']: unknown key 'algo.bach' - did you mean 'batch'?",
        ),
        ({"settings": {"algo.batch": 0}}, "settings['algo.batch']: algo.batch = 0: must be at least 1"),
        ({"steps": 0}, "steps = 0: stop.steps = 0: must be at least 1"),
        ({"reward": "qde"}, "unknown reward property 'qde' - did you mean 'qed'?"),
        ({"reward": {}}, "reward: "),
        ({"config": "none.toml"}, "none.toml: there is no such file"),
    ],
)
def test_mistakes(tmp_path: Path, arguments, sentence: str) -> None:
    with pytest.raises(fluvial.FluvialError) as caught:
        fluvial.design(out=tmp_path / "a", quiet=True, **arguments)
    assert sentence in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_a_run_is_evaluated(run: fluvial.DesignRun) -> None:
    found = run.evaluate(n_samples=20, n_objects=8, n_paths=4, exact_states=0, thresholds=[0.1])
    assert found["samples"]["drawn"] == 20
    assert [hits["from"] for hits in found["samples"]["hits"]] == [0.1]
    assert (run.path / "evaluation.json").is_file()
    with pytest.raises(ConfigError, match="no choice 'samples'"):
        run.evaluate(samples=20)
