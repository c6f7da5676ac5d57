from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch
from rdkit import Chem
from safetensors.torch import save_file
from typer.testing import CliRunner

from fluvial.cli.main import app
from fluvial.core.errors import DataError
from fluvial.predictors.atom_graph import AtomGraph, graph_of
from fluvial.predictors.card import read_card
from fluvial.predictors.fitting import FitSettings, fit, rate, split_of
from fluvial.predictors.geometry import Geometry, embed, given_geometry
from fluvial.predictors.learned import load_proxy
from fluvial.predictors.mxmnet import MxmnetSettings
from fluvial.predictors.registry import learned
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import predictor_term
from fluvial.train.proxy import ProxyExamples, train_proxy

TEXTS = [
    f"{'C' * left}{middle}{'C' * right}" for left in range(1, 4) for right in range(1, 4) for middle in "NO"
]
TINY = MxmnetSettings(width=8, layers=1)
SHORT = FitSettings(epochs=4, batch=4, lr=5e-3)


def n_heteroatoms(text: str) -> float:
    return 3.0 * text.count("N") - text.count("O")


@pytest.fixture(scope="module")
def proxy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proxy")
    rows = [f"{text},{n_heteroatoms(text)}" for text in TEXTS]
    (folder / "table.csv").write_text("\n".join(["smiles,amines", *rows, "C1CC,2", "CC,", "[Na+].[Cl-],1"]))
    train_proxy(ProxyExamples(folder / "table.csv", "amines", "eV"), folder / "p.safetensors", TINY, SHORT)
    return folder / "p.safetensors"


def test_the_card_says_what_it_is(proxy_file: Path) -> None:
    card = read_card(proxy_file)
    assert (card["target"], card["unit"], card["file"]) == ("amines", "eV", "table.csv")
    assert card["settings"]["elements"] == [1, 6, 7, 8]
    assert card["geometry"] == {"given": 0, "etkdg": 18}
    assert (card["n_train"], card["n_choose"], card["n_held_out"]) == (14, 2, 2)
    assert card["n_left_out"] == 3
    assert "without a geometry" in card["left_out"]
    assert set(card["errors"]) == {"mae", "rmse", "r2", "mae_of_mean"}


def test_predictions_are_in_the_unit_of_the_target(proxy_file: Path) -> None:
    proxy = load_proxy(proxy_file)
    mols = [Chem.MolFromSmiles(text) for text in [*TEXTS, "CBr", "[Na+].[Cl-]"]]
    found = proxy(mols)
    assert found.reasons[-2] == "element Br is not among those of the model"
    assert "separate parts" in found.reasons[-1]
    assert np.isfinite(found.values[:-2]).all()
    # What the fit says of its held-out rows follows from the file alone.
    rows = proxy.card["held_out_rows"]
    errors = [abs(found.values[row] - n_heteroatoms(TEXTS[row])) for row in rows]
    assert np.mean(errors) == pytest.approx(proxy.card["errors"]["mae"], abs=1e-5)


def test_a_missing_file_fails_when_it_is_loaded(tmp_path: Path) -> None:
    term = predictor_term(learned(tmp_path / "gone.safetensors"))
    with pytest.raises(DataError, match=r"gone\.safetensors cannot be read as a proxy: .*No such file"):
        Reward([term])


def test_as_a_term_of_a_reward(proxy_file: Path) -> None:
    predictor = learned(proxy_file)
    assert predictor.unit == "eV"
    assert "mxmnet of 14 molecules of table.csv, held-out mean absolute error" in predictor.method
    found = Reward([predictor_term(predictor, label="amines", transform=abs)])(["CCN", "CBr"])
    assert found.raw["amines"][0] == load_proxy(proxy_file)([Chem.MolFromSmiles("CCN")]).values[0]
    assert "element Br" in found.info[1]


def test_the_same_seed_gives_the_same_network() -> None:
    graphs = [graph_of(embed(Chem.MolFromSmiles(text)), (1, 6, 7, 8), 5.0) for text in TEXTS]  # type: ignore[arg-type]
    assert all(isinstance(one, AtomGraph) for one in graphs)
    targets = [n_heteroatoms(text) for text in TEXTS]
    shape = MxmnetSettings((1, 6, 7, 8), width=8, layers=1)
    told: list[int] = []
    first, second, other = (
        fit(graphs, targets, shape, FitSettings(epochs=2, seed=seed), lambda epoch, *_: told.append(epoch))  # type: ignore[arg-type]
        for seed in (1, 1, 2)
    )
    assert told == [1, 2] * 3
    weights = first.model.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in second.model.state_dict().items())
    assert any(not torch.equal(weights[name], weight) for name, weight in other.model.state_dict().items())
    with pytest.raises(DataError, match="the same value, 1"):
        fit(graphs, [1.0] * len(graphs), shape, SHORT)  # type: ignore[arg-type]


def test_splits_share_nothing_and_too_few_are_refused() -> None:
    split = split_of(50, 0.1, 3)
    assert (len(split.train), len(split.choose), len(split.held_out)) == (40, 5, 5)
    assert sorted(split.train + split.choose + split.held_out) == list(range(50))
    with pytest.raises(DataError, match="9 molecules with a value are too few"):
        split_of(9, 0.1, 0)


def test_the_rate_rises_and_falls() -> None:
    assert rate(0.05) == 1.0
    assert rate(0.525) == pytest.approx(0.5)
    assert rate(1.0) == rate(2.0) == 0.0
    assert 0.0 < rate(0.0) < 0.05


def test_geometries_of_an_sd_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for number, text in enumerate(TEXTS):
            mol = embed(Chem.MolFromSmiles(text)).mol  # type: ignore[union-attr]
            assert isinstance(given_geometry(mol), Geometry)
            assert given_geometry(Chem.RemoveHs(mol)) is None
            mol.SetDoubleProp("y", float(number))
            writer.write(mol)
    card = train_proxy(ProxyExamples(path, "y"), tmp_path / "p.safetensors", TINY, FitSettings(epochs=1))
    assert card["geometry"] == {"given": 18, "etkdg": 0}


def test_the_archive_of_qm9_brings_its_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    with tarfile.open(tmp_path / "qm9.tar.bz2", "w:bz2") as tar:
        for number, text in enumerate(TEXTS):
            numbers = "\t".join(f"{number + column / 100}" for column in range(15))
            content = (
                f"1\ngdb {number}\t{numbers}\nC 0 0 0 0\n1.0\n{text}\t{text}\nInChI=a\tInChI=b\n".encode()
            )
            entry = tarfile.TarInfo(f"{number}.xyz")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    examples = ProxyExamples(tmp_path / "qm9.tar.bz2", "gap", most=12)
    card = train_proxy(examples, tmp_path / "p.safetensors", TINY, FitSettings(epochs=1))
    assert (card["target"], card["unit"], card["n_molecules"]) == ("gap", "Hartree", 12)


def test_files_that_are_no_proxies_are_refused(tmp_path: Path, proxy_file: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.safetensors cannot be read as a proxy"):
        load_proxy(tmp_path / "nowhere.safetensors")
    plain = tmp_path / "plain.safetensors"
    save_file({"a": torch.ones(1)}, plain)
    with pytest.raises(DataError, match="no proxy of `fluvial proxy train`"):
        load_proxy(plain)
    save_file({"a": torch.ones(1)}, plain, {"fluvial_proxy": json.dumps(read_card(proxy_file))})
    with pytest.raises(DataError, match="weights do not fit"):
        load_proxy(plain)
    for card in ("{", "[1]"):
        save_file({"a": torch.ones(1)}, plain, {"fluvial_proxy": card})
        with pytest.raises(DataError, match=r"plain\.safetensors cannot be read as a proxy"):
            load_proxy(plain)
    save_file({"a": torch.ones(1)}, plain, {"fluvial_proxy": json.dumps({"format": 9, "network": "mxmnet"})})
    with pytest.raises(DataError, match="mxmnet, format 9"):
        load_proxy(plain)


def test_the_commands(tmp_path: Path, proxy_file: Path) -> None:
    table, out = proxy_file.with_name("table.csv"), tmp_path / "q.safetensors"
    options = [
        "--target",
        "amines",
        "-o",
        str(out),
        "--epochs",
        "1",
        "--width",
        "8",
        "--layers",
        "1",
        "--json",
    ]
    done = CliRunner().invoke(app, ["proxy", "train", str(table), *options])
    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in done.output.splitlines()]
    assert [event["event"] for event in events] == ["epoch", "done"]
    shown = CliRunner().invoke(app, ["proxy", "show", str(proxy_file)])
    assert "amines in eV" in shown.output
    assert "H C N O" in shown.output
