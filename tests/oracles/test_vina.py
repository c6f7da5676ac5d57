"""Docking with AutoDock Vina: boxes, receptors, poses, and the same numbers as a direct call."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from fluvial.core.errors import ConfigError, DataError, RewardError
from fluvial.oracles.tool import open_tool
from fluvial.oracles.vina.box import Box, box_of
from fluvial.oracles.vina.oracle import VinaOracle, values_of
from fluvial.oracles.vina.poses import ligand_pdbqt
from fluvial.oracles.vina.receptor import receptor_pdbqt
from fluvial.oracles.vina.target import BoxConfig
from fluvial.queue.jobs import Result

pytest.importorskip("vina")

# Phenylalanine and lysine in ideal places: a pocket of two residues, enough for a score.
PDB = """\
ATOM      1  N   PHE A   1      -1.300   3.600   0.000  1.00  0.00           N
ATOM      2  CA  PHE A   1      -0.100   2.800   0.200  1.00  0.00           C
ATOM      3  C   PHE A   1       1.200   3.500  -0.200  1.00  0.00           C
ATOM      4  O   PHE A   1       1.400   4.700  -0.100  1.00  0.00           O
ATOM      5  CB  PHE A   1      -0.200   1.480  -0.580  1.00  0.00           C
ATOM      6  CG  PHE A   1      -0.100   0.200   0.240  1.00  0.00           C
ATOM      7  CD1 PHE A   1       1.140  -0.380   0.500  1.00  0.00           C
ATOM      8  CD2 PHE A   1      -1.250  -0.410   0.740  1.00  0.00           C
ATOM      9  CE1 PHE A   1       1.230  -1.550   1.250  1.00  0.00           C
ATOM     10  CE2 PHE A   1      -1.160  -1.580   1.490  1.00  0.00           C
ATOM     11  CZ  PHE A   1       0.080  -2.150   1.740  1.00  0.00           C
ATOM     12  N   SER A   2       2.100   2.700  -0.700  1.00  0.00           N
ATOM     13  CA  SER A   2       3.400   3.200  -1.200  1.00  0.00           C
ATOM     14  C   SER A   2       4.300   2.100  -1.700  1.00  0.00           C
ATOM     15  O   SER A   2       4.000   0.900  -1.600  1.00  0.00           O
ATOM     16  CB  SER A   2       3.200   4.200  -2.300  1.00  0.00           C
ATOM     17  OG  SER A   2       4.400   4.700  -2.800  1.00  0.00           O
TER
HETATM   18  O   HOH A   3       9.000   9.000   9.000  1.00  0.00           O
"""


def target_file(folder: Path, box: str = 'residues = ["A:1"]\nmargin = 4.0', run: str = "") -> Path:
    (folder / "pocket.pdb").write_text(PDB)
    path = folder / "pocket.toml"
    path.write_text(
        f'tool = "vina"\nreceptor = "pocket.pdb"\n[box]\n{box}\n[run]\nexhaustiveness = 1\nn_poses = 3\n{run}\n'
    )
    return path


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Result]]:
    folder = tmp_path_factory.mktemp("pocket")
    tool = VinaOracle(target_file(folder))
    tool.check()
    texts = {"0": "CCO", "1": "C1CC", "2": "c1ccccc1O", "3": "OCC", "4": "[Na+].[Cl-]"}
    return folder, dict(tool.evaluate(texts))


def test_scores_are_those_of_a_direct_call(docked: tuple[Path, dict[str, Result]]) -> None:
    from vina import Vina

    folder, results = docked
    engine = Vina(sf_name="vina", cpu=1, seed=1, verbosity=0)
    (receptor,) = (folder / "docking").glob("pocket-*.pdbqt")
    engine.set_receptor(str(receptor))
    box = VinaOracle(folder / "pocket.toml").box
    engine.compute_vina_maps(center=list(box.center), box_size=list(box.size))
    engine.set_ligand_from_string(ligand_pdbqt("Oc1ccccc1"))
    engine.dock(exhaustiveness=1, n_poses=3)
    assert results["2"].values["affinity"] == float(engine.energies(n_poses=3)[0][0])
    assert results["2"].values["affinity"] < -0.5
    # Ethanol was docked first, and has what it has alone.
    assert results["0"].values == results["3"].values


def test_what_cannot_be_docked_has_a_reason(docked: tuple[Path, dict[str, Result]]) -> None:
    results = docked[1]
    assert "no valid SMILES" in results["1"].reason
    assert "holds no carbon" in results["4"].reason
    assert not results["1"].may_pass


def test_poses_and_records_are_kept(docked: tuple[Path, dict[str, Result]]) -> None:
    folder, results = docked
    path = folder / "docking/poses/ISWSIDIOOBJBQZ-UHFFFAOYSA-N/seed-1.sdf"
    poses = list(Chem.SDMolSupplier(str(path)))
    assert Chem.MolToSmiles(Chem.RemoveHs(poses[0])) == "Oc1ccccc1"
    assert poses[0].GetDoubleProp("affinity") == results["2"].values["affinity"]
    assert len(poses) == results["2"].values["n_poses"]
    box = VinaOracle(folder / "pocket.toml").box
    distance = poses[0].GetConformer().GetPositions().mean(axis=0) - np.array(box.center)
    assert (np.abs(distance) < np.array(box.size) / 2).all()
    lines = [json.loads(line) for one in (folder / "docking/records").iterdir() for line in one.open()]
    assert [line["scored"] for line in lines] == ["CCO", "Oc1ccccc1"]


def test_values_by_hand() -> None:
    found = values_of((-9.0, -8.0), 27)
    assert found["efficiency"] == pytest.approx(-1 / 3)
    assert found["size_penalised"] == pytest.approx(-9.0 / 2.687875)  # 27 ** 0.3
    assert (found["strength"], found["n_poses"]) == (9.0, 2.0)
    assert values_of((0.5,), 3)["strength"] == 0.0


def test_a_replicate_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = VinaOracle(target_file(tmp_path, run="replicates = 2\nposes = false"))
    alone = tool._dock

    def dock(pdbqt: str, seed: int) -> object:
        if seed == 2:
            raise DataError("no pose")
        return alone(pdbqt, seed)

    monkeypatch.setattr(tool, "_dock", dock)
    ((_, found),) = tool.evaluate({"0": "CCO"})
    assert found.values["n_replicates"] == 1.0
    assert found.values["affinity"] is not None
    assert found.reason == "no pose"


def test_the_oracle_is_of_the_version_that_docks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = f"vina {version('vina')}, meeko {version('meeko')}"
    path = target_file(tmp_path)
    first = open_tool(path).oracle()
    assert first.version == here
    path.write_text(path.read_text().replace("[box]", f"version = '{here}'\n[box]"))
    assert open_tool(path).oracle() == first
    monkeypatch.setattr("fluvial.oracles.vina.oracle.installed", lambda: None)
    assert open_tool(path).oracle() == first
    with pytest.raises(ConfigError, match="version is missing in the target file"):
        open_tool(target_file(tmp_path)).oracle()
    monkeypatch.setattr("fluvial.oracles.vina.oracle.installed", lambda: "vina 1.2.5, meeko 0.6.0")
    path.write_text(path.read_text().replace("[box]", f"version = '{here}'\n[box]"))
    with pytest.raises(RewardError, match=r"is asked, and this machine has vina 1\.2\.5, meeko 0\.6\.0"):
        open_tool(path).check()


def test_a_prepared_receptor_that_is_there_is_kept(docked: tuple[Path, dict[str, Result]]) -> None:
    folder = docked[0]
    (receptor,) = (folder / "docking").glob("*.pdbqt*")
    before = receptor.stat().st_mtime_ns
    assert VinaOracle(folder / "pocket.toml")._pdbqt_file == receptor
    assert receptor.stat().st_mtime_ns == before


def test_a_box_in_three_ways(tmp_path: Path) -> None:
    target_file(tmp_path)
    by_hand = BoxConfig(center=(1.0, 2.0, 3.0), size=(20.0, 20.0, 20.0))
    assert box_of(by_hand, Path(), tmp_path) == Box((1.0, 2.0, 3.0), (20.0, 20.0, 20.0))
    receptor = tmp_path / "pocket.pdb"
    around = box_of(BoxConfig(residues=("A:2",), margin=2.0), receptor, tmp_path)
    assert around == Box((3.25, 2.8, -1.75), (6.3, 7.8, 6.1))
    assert box_of(BoxConfig(residues=("2",), margin=2.0), receptor, tmp_path) == around
    block = "\n     RDKit\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    1.0000    2.0000    3.0000 C   0  0\nM  END\n$$$$\n"
    (tmp_path / "known.sdf").write_text(block)
    assert box_of(BoxConfig(ligand="known.sdf", margin=5.0), receptor, tmp_path) == Box(
        (1, 2, 3), (10, 10, 10)
    )


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ('residues = ["A:9"]', "has no residue A:9; write it as CHAIN:NUMBER"),
        ("margin = 3.0", "box.center: must be given with size, or else ligand, or else residues"),
        ("center = [1.0, 2.0, 3.0]", "box.size: must be given together with center"),
        ("center = [1.0, 2.0, 3.0]\nsize = [1.0, 9.0, 9.0]", "must have sides of 4 to 100"),
        ('ligand = "no.sdf"', "no.sdf: there is no such file of a reference ligand"),
        ("centre = [1.0, 2.0, 3.0]", "unknown key 'box.centre' - did you mean 'center'?"),
    ],
)
def test_a_bad_box_is_refused(tmp_path: Path, box: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_tool(target_file(tmp_path, box))
    assert words in str(caught.value)


def test_a_receptor_gets_polar_hydrogens_and_types(tmp_path: Path) -> None:
    target_file(tmp_path)
    lines = receptor_pdbqt(tmp_path / "pocket.pdb").splitlines()
    kinds = [line.split()[-1] for line in lines]
    # The ring; two carbonyls and a hydroxyl; the hydrogens of an amine, an amide and the hydroxyl.
    assert kinds.count("A") == 6
    assert kinds.count("OA") == 3
    assert kinds.count("HD") == 4
    assert "HOH" not in "".join(lines)
    assert lines[0] == "ATOM      1  N   PHE A   1      -1.300   3.600   0.000  1.00  0.00     0.000 N "
    (tmp_path / "drug.pdb").write_text(
        PDB + "HETATM   19  C1  LIG A   4       0.000   0.000   5.000  1.00  0.00           C\n"
    )
    with pytest.raises(ConfigError, match=r"drug\.pdb holds LIG beside the protein"):
        receptor_pdbqt(tmp_path / "drug.pdb")


def test_types_of_a_whole_receptor_are_those_of_its_authors(tmp_path: Path) -> None:
    path = Path(os.environ.get("FLUVIAL_ASSETS", "none")) / "rgfn_sEH_receptor.pdbqt"
    if not path.is_file():
        pytest.skip("the receptor is not here")
    heavy = [
        line for line in path.read_text().splitlines() if line.startswith("ATOM") and line.split()[-1] != "HD"
    ]
    # Without hydrogens, charges and types: the PDB file that it was made of.
    bare = tmp_path / "bare.pdb"
    bare.write_text("\n".join(line[:66] for line in heavy))
    # Their second places of an atom, and what they made of its neighbours, are left out.
    double = {int(line[22:26]) for line in heavy if line[16] != " "}
    near = {number + step for number in double for step in (-1, 0, 1)}
    wanted = {line[12:27]: line.split()[-1] for line in heavy if int(line[22:26]) not in near}
    made = receptor_pdbqt(bare).splitlines()
    found = {line[12:27]: line.split()[-1] for line in made}
    assert len(wanted) > 2000
    # Which nitrogen of a histidine has the hydrogen is a choice.
    other = {name for name in wanted if found.get(name) != wanted[name] and name[5:8] != "HIS"}
    assert not other


def test_a_receptor_that_vina_refuses_stops_the_worker(tmp_path: Path) -> None:
    path = target_file(tmp_path)
    (tmp_path / "pocket.pdbqt").write_text("nonsense\n")
    path.write_text(
        path.read_text()
        .replace("pocket.pdb", "pocket.pdbqt")
        .replace('residues = ["A:1"]', "center = [0.0, 0.0, 0.0]\nsize = [10.0, 10.0, 10.0]")
    )
    with pytest.raises(RewardError, match="Vina refuses"):
        VinaOracle(path).check()
