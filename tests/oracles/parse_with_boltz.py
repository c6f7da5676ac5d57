"""Runs Boltz's own parser and preprocessing over a folder of inputs, without weights, in Boltz's environment.

The dictionary of chemical components comes with the weights; here that of residues is made by RDKit.
"""

import json
import pickle
import sys
from pathlib import Path

# Before Boltz: it uses a name that exists only after this import.
import rdkit.Chem.Descriptors  # noqa: F401
from rdkit import Chem
from rdkit.Chem import AllChem

Chem.SetDefaultPickleProperties(Chem.PropertyPickleOptions.AllProps)


def component(mol):
    mol = Chem.AddHs(mol, addResidueInfo=False)
    AllChem.EmbedMolecule(mol, randomSeed=1)
    names = {}
    for atom in mol.GetAtoms():
        info = atom.GetPDBResidueInfo()
        symbol = atom.GetSymbol().upper()
        names[symbol] = names.get(symbol, 0) + 1
        atom.SetProp("name", info.GetName().strip() if info else f"{symbol}X{names[symbol]}")
        atom.SetProp("leaving_atom", "0")
    mol.GetConformer().SetProp("name", "Computed")
    return mol


def components():
    for letter in "ACDEFGHIKLMNPQRSTVWY":
        mol = Chem.MolFromSequence(letter)
        yield mol.GetAtomWithIdx(0).GetPDBResidueInfo().GetResidueName().strip(), component(mol)
    yield "UNK", component(Chem.MolFromSequence("A"))
    for letters, flavor, prefix in (("ACGU", 3, ""), ("ACGT", 7, "D")):
        for letter in letters:
            yield f"{prefix}{letter}", component(Chem.MolFromSequence(letter, flavor=flavor))
    yield "N", component(Chem.MolFromSequence("A", flavor=3))
    yield "DN", component(Chem.MolFromSequence("A", flavor=7))


def main():
    inputs, out = Path(sys.argv[1]), Path(sys.argv[2])
    mols = out / "mols"
    mols.mkdir(parents=True)
    for name, mol in components():
        (mols / f"{name}.pkl").write_bytes(pickle.dumps(mol))
    from boltz.main import check_inputs, process_inputs

    manifest = process_inputs(
        data=check_inputs(inputs),
        out_dir=out,
        ccd_path=out / "none.pkl",
        mol_dir=mols,
        msa_server_url="",
        msa_pairing_strategy="greedy",
        boltz2=True,
        preprocessing_threads=1,
    )
    manifest = manifest or json.loads((out / "processed" / "manifest.json").read_text())
    records = (
        manifest["records"] if isinstance(manifest, dict) else [{"id": one.id} for one in manifest.records]
    )
    print(json.dumps([record["id"] for record in records]))


if __name__ == "__main__":
    main()
