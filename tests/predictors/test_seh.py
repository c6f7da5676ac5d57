from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch
from rdkit import Chem
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from fluvial.assets.registry import FOLDER_VARIABLE
from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import AssetError
from fluvial.predictors import seh
from fluvial.predictors.seh import SehProxy, load_seh_proxy, seh_weights
from fluvial.predictors.seh_features import PackedMolecules, pack, read
from fluvial.predictors.seh_network import LAYOUT, build_network

with_weights = pytest.mark.skipif(
    not os.environ.get(FOLDER_VARIABLE), reason="needs the public files in the folder named by FLUVIAL_ASSETS"
)
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
MOLECULES = [
    ASPIRIN,
    "c1ccccc1",
    "C",
    "OC#CC(F)(Cl)Br",
    "C[N+](C)(C)CC([O-])=O.[Na+]",
    "CP(=O)(O)OCC1CCSC1I",
    "O=c1nc2[nH]c3ccccc3nc-2c(=O)[nH]1",
    "FS(F)(F)(F)(F)F",
    "[2H]C#N",
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    return tmp_path / "cache"


def packed(*texts: str) -> PackedMolecules:
    found = [read(parse_smiles(text)) for text in texts]
    assert not any(isinstance(one, str) for one in found)
    return pack(found)  # type: ignore[arg-type]


def random_weights(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator) / shape[-1] ** 0.5
        for name, (_, shape) in LAYOUT.items()
    }


@torch.no_grad()
def slow_score(weights: dict[str, Tensor], text: str) -> float:
    """One molecule, one bond at a time, with torch's own recurrent units."""
    mol = parse_smiles(text)
    kinds = [Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC]
    hybrids = [Chem.HybridizationType.SP, Chem.HybridizationType.SP2, Chem.HybridizationType.SP3]
    features = torch.zeros(mol.GetNumAtoms(), 71)
    for row, atom in zip(features, mol.GetAtoms(), strict=True):
        row[["H", "C", "N", "O", "F"].index(atom.GetSymbol()) if atom.GetSymbol() in "HCNOF" else 5] = 1
        row[9], row[13], row[13 + atom.GetAtomicNum()] = atom.GetIsAromatic(), atom.GetTotalNumHs(True), 1
        if atom.GetHybridization() in hybrids:
            row[10 + hybrids.index(atom.GetHybridization())] = 1
    gates, reader = nn.GRUCell(64, 64), nn.LSTMCell(128, 64)
    for cell, name in ((gates, "gates"), (reader, "reader")):
        first = "message" if name == "gates" else "input"
        cell.weight_ih.data, cell.bias_ih.data = (
            weights[f"{name}.weight_{first}"],
            weights[f"{name}.bias_{first}"],
        )
        cell.weight_hh.data, cell.bias_hh.data = (
            weights[f"{name}.weight_hidden"],
            weights[f"{name}.bias_hidden"],
        )
    hidden = functional.leaky_relu(functional.linear(features, weights["atom.weight"], weights["atom.bias"]))
    for _ in range(12):
        received = []
        for atom in mol.GetAtoms():
            messages = []
            for bond in atom.GetBonds():
                kind = functional.one_hot(torch.tensor(kinds.index(bond.GetBondType())), 4).float()
                middle = functional.leaky_relu(weights["bond.0.weight"] @ kind + weights["bond.0.bias"])
                matrix = (weights["bond.1.weight"] @ middle + weights["bond.1.bias"]).view(64, 64)
                messages.append(hidden[bond.GetOtherAtomIdx(atom.GetIdx())] @ matrix)
            mean = torch.stack(messages).mean(0) if messages else torch.zeros(64)
            own = weights["own.weight"] @ hidden[atom.GetIdx()] + weights["own.bias"]
            received.append(functional.leaky_relu(mean + own))
        hidden = gates(torch.stack(received), hidden)
    summary, question, cell = torch.zeros(128), torch.zeros(64), torch.zeros(64)
    for _ in range(3):
        question, cell = reader(summary, (question, cell))
        summary = torch.cat([question, torch.softmax(hidden @ question, 0) @ hidden])
    return float(weights["score.weight"][0] @ summary + weights["score.bias"][0])


def test_the_features_of_ethanol_worked_out_by_hand() -> None:
    found = packed("CCO", "[Br-]")
    ones = [[int(place) for place in np.flatnonzero(row)] for row in found.kinds[found.kind]]
    assert ones == [[1, 12, 13, 19], [1, 12, 13, 19], [3, 12, 13, 21], [5, 12, 48]]
    assert found.kinds[found.kind][:, 13].tolist() == [3, 2, 1, 0]
    assert np.stack([found.source, found.target, found.bond]).tolist() == [
        [1, 0, 2, 1],
        [0, 1, 1, 2],
        [0] * 4,
    ]
    assert found.molecule.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("[U]", "element U is not known"), ("N->[Cu]", "type DATIVE"), ("*C", r"element \* is not known")],
)
def test_what_the_network_cannot_read_is_said(text: str, reason: str) -> None:
    proxy = SehProxy(build_network(random_weights()))
    found = proxy([parse_smiles("CC"), parse_smiles(text), Chem.Mol()])
    assert np.isfinite(found.values).tolist() == [True, False, False]
    assert found.reasons[0] == ""
    assert reason.replace("\\", "") in found.reasons[1]
    assert found.reasons[2] == "it has no atoms"


def test_many_at_once_equals_one_bond_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = random_weights()
    monkeypatch.setattr(seh, "MOLECULES_AT_ONCE", 4)
    found = SehProxy(build_network(weights))([parse_smiles(text) for text in MOLECULES])
    expected = [slow_score(weights, text) for text in MOLECULES]
    assert max(expected) - min(expected) > 0.05
    assert found.values == pytest.approx(expected, abs=2e-5)


def test_the_order_of_atoms_and_molecules_makes_no_difference() -> None:
    proxy = SehProxy(build_network(random_weights(1)))
    mols = [parse_smiles(text) for text in MOLECULES]
    turned = [
        Chem.RenumberAtoms(mol, np.random.default_rng(0).permutation(mol.GetNumAtoms()).tolist())
        for mol in mols
    ]
    assert proxy(turned[::-1]).values[::-1] == pytest.approx(proxy(mols).values, abs=2e-5)
    assert proxy([]).values.shape == (0,)


@with_weights
def test_published_weights_give_known_scores() -> None:
    proxy = load_seh_proxy()
    found = proxy([parse_smiles(text) for text in MOLECULES])
    assert found.values[:4] == pytest.approx([2.48992, 0.92876, 3.63733, 0.37810], abs=1e-4)
    assert found.values == pytest.approx([slow_score(seh_weights(), text) for text in MOLECULES], abs=1e-4)


@with_weights
def test_a_reference_molecule_scores_what_was_published() -> None:
    """Those of the proxy's users score 8.00 to 8.02; with a matrix of the network transposed it is 6.83."""
    text = "O=C(NCc1cc(CCc2cccc(N3CCC(c4cc(-c5ccc(-c6cncnc6)[nH]5)ccn4)CC3)c2)ccn1)c1cccc2ccccc12"
    (score,) = load_seh_proxy()([parse_smiles(text)]).values
    assert 8.00 < score < 8.02


@with_weights
def test_weights_are_converted_once_and_again_where_the_copy_is_damaged(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = seh_weights()
    (copy,) = cache.iterdir()
    whole = copy.read_bytes()
    copy.write_bytes(whole[:1000])
    assert torch.equal(seh_weights()["own.weight"], weights["own.weight"])
    assert copy.read_bytes() == whole
    save_file({"own.weight": torch.ones(2)}, copy)
    assert torch.equal(seh_weights()["own.weight"], weights["own.weight"])
    monkeypatch.setattr(seh, "fetch", None)
    assert torch.equal(seh_weights()["score.weight"], weights["score.weight"])


def test_without_weights_and_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_options: refuse)
    with pytest.raises(AssetError, match=r"'seh-proxy'.*run `fluvial data fetch seh-proxy`"):
        load_seh_proxy()
