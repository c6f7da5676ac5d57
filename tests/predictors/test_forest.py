"""Forests on fingerprints: the same numbers as scikit-learn, honest splits, uncertainties that fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, RDConfig
from safetensors.numpy import save_file
from typer.testing import CliRunner

from fluvial.chem.fingerprints import scaffold
from fluvial.chem.properties import PROPERTIES
from fluvial.cli.main import app
from fluvial.core.errors import ConfigError, DataError
from fluvial.predictors import calibration
from fluvial.predictors.card import read_card
from fluvial.predictors.fingerprint_fit import ForestSettings, fit_forest
from fluvial.predictors.fingerprint_forest import FingerprintSettings, counts_of, load_forest
from fluvial.predictors.forest import Forest, forest_of_arrays, forest_of_trees
from fluvial.predictors.registry import learned
from fluvial.predictors.scaffold_split import scaffold_split
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import predictor_term
from fluvial.train.fingerprint_proxy import train_forest
from fluvial.train.proxy import ProxyExamples

sklearn = pytest.importorskip("sklearn.ensemble")


@pytest.fixture(scope="module")
def bundled() -> list[Chem.Mol]:
    """Molecules that come with RDKit."""
    path = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"
    lines = path.read_text().splitlines()
    mols = (Chem.MolFromSmiles(line.split()[0]) for line in lines[:700])
    return [mol for mol in mols if mol is not None and mol.GetNumHeavyAtoms() > 3][:500]


@pytest.fixture(scope="module")
def table(bundled: list[Chem.Mol], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "measured.csv"
    rows = [f"{Chem.MolToSmiles(mol)},{PROPERTIES['logp'].function(mol)}" for mol in bundled]
    actives = [f"{row},{int(float(row.rsplit(',', 1)[1]) > 2.0)}" for row in rows]
    path.write_text("\n".join(["smiles,logp,active", *actives, "C1CC,1,1", "CCCCC,,"]))
    return path


SMALL = ForestSettings(trees=40)


def test_a_forest_by_hand() -> None:
    forest = Forest(
        roots=np.array([0, 3]),
        feature=np.array([1, 0, 0, 0], dtype=np.int32),
        threshold=np.array([0.5, 0.0, 0.0, 0.0]),
        left=np.array([1, -1, -1, -1], dtype=np.int32),
        right=np.array([2, -1, -1, -1], dtype=np.int32),
        value=np.array([9.0, 1.0, 2.0, 7.0]),
    )
    found = forest(np.array([[5.0, 0.0], [5.0, 0.5], [5.0, 1.0]], dtype=np.float32))
    assert found.tolist() == [[1.0, 7.0], [1.0, 7.0], [2.0, 7.0]]


def test_arrays_say_what_scikit_learn_says(bundled: list[Chem.Mol]) -> None:
    x = counts_of(bundled[:150], FingerprintSettings(n_bits=256))
    y = np.array([mol.GetNumHeavyAtoms() for mol in bundled[:150]], dtype=float)
    model = sklearn.RandomForestRegressor(n_estimators=15, random_state=0).fit(x[:100], y[:100])
    trees = [one.tree_ for one in model.estimators_]
    forest = forest_of_trees(trees, [tree.value[:, 0, 0] for tree in trees])
    np.testing.assert_allclose(forest(x).mean(axis=1), model.predict(x), rtol=1e-12)


def test_no_scaffold_is_on_both_sides(bundled: list[Chem.Mol]) -> None:
    split = scaffold_split(bundled, 0.1, 0)
    parts = [split.train, split.choose, split.held_out]
    assert sorted(row for part in parts for row in part) == list(range(len(bundled)))
    scaffolds = [{scaffold(bundled[row]) for row in part} - {""} for part in parts]
    assert not scaffolds[0] & (scaffolds[1] | scaffolds[2])
    assert not scaffolds[1] & scaffolds[2]
    assert len(split.held_out) == len(split.choose) == 50
    assert scaffold_split(bundled, 0.1, 1) != split


def test_spread_is_recovered() -> None:
    generator = np.random.default_rng(0)
    spread = generator.uniform(0.1, 2.0, 4000)
    error = generator.standard_normal(4000) * np.sqrt(2.0 * spread**2 + 0.25)
    slope, rest = calibration.fitted_spread(error, spread)
    assert slope == pytest.approx(2.0, rel=0.15)
    assert rest == pytest.approx(0.25, rel=0.3)
    found = calibration.coverage(error, calibration.standard_errors(spread, slope, rest))
    assert all(abs(share - float(level)) < 0.03 for level, share in found.items())


def test_probabilities_are_recovered() -> None:
    generator = np.random.default_rng(0)
    true = generator.uniform(0.02, 0.98, 6000)
    label = (generator.random(6000) < true).astype(float)
    # A forest that is too careful: half the logit.
    raw = 1.0 / (1.0 + np.exp(-0.5 * calibration.logit(true)))
    slope, shift = calibration.fitted_logistic(raw, label)
    assert slope == pytest.approx(2.0, abs=0.15)
    assert shift == pytest.approx(0.0, abs=0.1)
    table = calibration.reliability(calibration.logistic(raw, slope, shift), label)
    assert sum(count for _, _, count in table) == 6000
    assert all(abs(mean - ones) < 0.06 for mean, ones, _ in table)


def test_area_under_the_curve_by_hand() -> None:
    score = np.array([0.1, 0.4, 0.35, 0.8])
    assert calibration.area_under_curve(score, np.array([0.0, 0.0, 1.0, 1.0])) == 0.75
    assert calibration.area_under_curve(np.ones(2), np.array([0.0, 1.0])) == 0.5
    assert np.isnan(calibration.area_under_curve(score, np.ones(4)))


def test_numbers_of_a_table(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "logp.safetensors"
    card = train_forest(ProxyExamples(table, "logp"), out, "auto", SMALL)
    assert card["task"] == "regression"
    assert card["errors"]["r2"] > 0.3
    assert card["errors"]["mae"] < 0.8 * card["errors"]["mae_of_mean"]
    assert abs(card["coverage"]["0.8"] - 0.8) < 0.15
    assert card["n_left_out"] == 2
    assert card == read_card(out)
    careful = Reward([predictor_term(learned(out, pessimism=1.0), transform=lambda x: x + 99.0)])
    plain = Reward([predictor_term(learned(out), transform=lambda x: x + 99.0)])
    molecules = ["CCCCCCO", "OCC(O)CO"]
    lower, value = careful(molecules).reward, plain(molecules).reward
    _, error = load_forest(out).with_errors([Chem.MolFromSmiles(text) for text in molecules])
    np.testing.assert_allclose(value - lower, error)
    assert value[0] > value[1]


def test_classes_of_a_table(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "active.safetensors"
    card = train_forest(ProxyExamples(table, "active"), out, "auto", SMALL)
    assert card["task"] == "classification"
    assert card["errors"]["roc_auc"] > 0.75
    assert card["errors"]["brier"] < card["errors"]["brier_of_mean"]
    found = load_forest(out)([Chem.MolFromSmiles("c1ccccc1CCCCC"), Chem.MolFromSmiles("OCC(O)CO")])
    assert 1.0 > found.values[0] > 0.5 > found.values[1] > 0.0
    assert learned(out).method.endswith(f"held-out ROC AUC {card['errors']['roc_auc']:.3f}")
    with pytest.raises(ConfigError, match="a probability has no standard error"):
        learned(out, pessimism=1.0).load()


def test_from_the_command_line(table: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "a.safetensors", tmp_path / "a.html"
    words = [
        "proxy",
        "train",
        str(table),
        "--model",
        "forest",
        "--target",
        "logp",
        "-o",
        str(out),
        "--trees",
        "20",
    ]
    done = CliRunner().invoke(app, [*words, "--unit", "log"])
    assert done.exit_code == 0, done.output
    assert "regression by 20 trees" in done.output
    assert "inside intervals" in done.output
    shown = CliRunner().invoke(app, ["proxy", "show", str(out), "--html", str(page)])
    assert "predicts                logp in log" in shown.output
    text = page.read_text()
    assert "Errors inside the interval" in text
    assert "share that should be inside" in text


def test_what_cannot_be_learned_is_said(bundled: list[Chem.Mol]) -> None:
    few = bundled[:60]
    with pytest.raises(DataError, match="classes must be 0 and 1; there is 2"):
        fit_forest(few, [float(n % 3) for n in range(60)], "classification", SMALL)
    with pytest.raises(DataError, match="the same value, 1"):
        fit_forest(few, [1.0] * 60, "regression", SMALL)
    with pytest.raises(DataError, match="too few for a split by scaffolds"):
        fit_forest(few[:5], [1.0, 2.0, 3.0, 4.0, 5.0], "regression", SMALL)


def test_a_damaged_file_is_refused(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    train_forest(ProxyExamples(table, "logp", most=100), out, "auto", ForestSettings(trees=10))
    proxy = load_forest(out)
    arrays = proxy.forest.arrays()
    for name, value in {"left": 0, "feature": 99999}.items():
        broken = {key: array.copy() for key, array in arrays.items()}
        broken[name][0] = value
        save_file(broken, out, {"fluvial_proxy": json.dumps(dict(proxy.card))})
        with pytest.raises(DataError, match="its arrays do not fit"):
            load_forest(out)
    with pytest.raises(DataError, match="no array 'value'"):
        forest_of_arrays({key: array for key, array in arrays.items() if key != "value"})
