"""Inputs pass the parser and the preprocessing of Boltz itself, where an environment with it is named.

FLUVIAL_BOLTZ_PYTHON is the Python of that environment. No weights are needed.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from fluvial.core.errors import DataError
from fluvial.oracles.boltz.inputs import input_text
from fluvial.oracles.boltz.target import BoltzTarget
from fluvial.oracles.ligands import LigandRules, prepared

PYTHON = os.environ.get("FLUVIAL_BOLTZ_PYTHON", "")
SCRIPT = Path(__file__).with_name("parse_with_boltz.py")
SEQUENCE = "TVFHKRYLKKIRDLGEGHFGK"
PROTEIN = {"id": "A", "sequence": SEQUENCE, "msa": "empty"}
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
TEMPLATE = f"""\
version: 1
sequences:
  - protein:
      id: [A]
      sequence: {SEQUENCE}
      msa: empty
  - ligand:
      id: <LIGAND-ID>
      smiles: <LIGAND>
properties:
  - affinity:
      binder: <LIGAND-ID>
"""

TARGETS: dict[str, dict[str, object]] = {
    "alone": {},
    "a3m": {"chain": [{**PROTEIN, "msa": "a.a3m"}]},
    "csv": {"chain": [{**PROTEIN, "msa": "a.csv"}]},
    "homodimer": {"chain": [{**PROTEIN, "id": ["A", "B"]}]},
    "heterodimer": {"chain": [PROTEIN, {"id": "B", "sequence": "MKTAYIAK", "msa": "empty"}]},
    "pocket": {"pocket": {"contacts": [["A", 3], ["A", 7]]}},
    "forcedpocket": {"pocket": {"contacts": [["A", 3]], "max_distance": 5.0, "force": True}},
    "contact": {"contact": [{"token1": ["A", 1], "token2": ["A", 9], "max_distance": 8.0}]},
    "cyclic": {"chain": [{**PROTEIN, "cyclic": True}]},
    "modified": {"chain": [{**PROTEIN, "modification": [{"position": 2, "ccd": "SER"}]}]},
    "rna": {"chain": [PROTEIN, {"kind": "rna", "id": "R", "sequence": "ACGU"}]},
    "dna": {"chain": [PROTEIN, {"kind": "dna", "id": "D", "sequence": "ACGT"}]},
    "cofactor": {"cofactor": [{"id": "C", "smiles": "OCC(O)CO"}]},
    "ccd": {"cofactor": [{"id": "C", "ccd": "GLY"}]},
    "twocofactors": {"cofactor": [{"id": ["C", "E"], "ccd": "SER"}]},
    "bond": {
        "cofactor": [{"id": "C", "ccd": "GLY"}],
        "bond": [{"atom1": ["A", 1, "CB"], "atom2": ["C", 1, "CA"]}],
    },
    "input": {"chain": [], "input": "own.yaml"},
}
LIGANDS = {
    "stereo": "C/C=C\\[C@H](N)C(=O)O",
    "salt": "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]",
    "large": "C" * 60,
    "boron": "OB(O)c1ccccc1",
    "silane": "C[Si](C)(C)c1ccccc1",
}
REFUSED = ("C1CC", "[Na+].[Cl-]", "C[Hg]C", "C" * 130)


def test_bad_ligands_are_refused_before() -> None:
    for text in REFUSED:
        with pytest.raises(DataError):
            prepared(text, LigandRules())


@pytest.mark.long
@pytest.mark.skipif(not PYTHON, reason="FLUVIAL_BOLTZ_PYTHON names no environment with Boltz")
def test_inputs_pass_the_parser_of_boltz(tmp_path: Path) -> None:
    (tmp_path / "a.a3m").write_text(f">101\n{SEQUENCE}\n>x\n{SEQUENCE[:-1]}-\n")
    (tmp_path / "a.csv").write_text(f"key,sequence\n-1,{SEQUENCE}\n-1,{SEQUENCE[:-1]}-\n")
    (tmp_path / "own.yaml").write_text(TEMPLATE)
    folder = tmp_path / "inputs"
    folder.mkdir()
    wanted = {
        name: ({"tool": "boltz", "chain": [PROTEIN], **keys}, ASPIRIN) for name, keys in TARGETS.items()
    }
    wanted |= {name: ({"tool": "boltz", "chain": [PROTEIN]}, smiles) for name, smiles in LIGANDS.items()}
    for name, (keys, smiles) in wanted.items():
        target = BoltzTarget.model_validate(keys)
        text = input_text(target, prepared(smiles, LigandRules()).smiles, tmp_path, {})
        (folder / f"{name}.yaml").write_text(text)
    done = subprocess.run(
        [PYTHON, str(SCRIPT), str(folder), str(tmp_path / "out")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    passed = json.loads(done.stdout.splitlines()[-1])
    assert sorted(passed) == sorted(wanted), done.stdout[-3000:]
    assert len(wanted) == 22
