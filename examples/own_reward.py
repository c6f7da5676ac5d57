"""Design molecules for a reward of your own, from Python.

    python examples/own_reward.py --steps 200 --out runs/own-reward

trains a sampler, prints the best molecules it met and ten new ones, and writes a page about the run.
"""

from __future__ import annotations

import argparse
import math

from rdkit import Chem
from rdkit.Chem import Crippen

import fluvial


def soluble(mols: list[Chem.Mol]) -> list[float | None]:
    """Near 1 for molecules with log P about 1 and one to three rings; None where there is no answer."""
    return [_one(mol) for mol in mols]


def _one(mol: Chem.Mol) -> float | None:
    n_rings = mol.GetRingInfo().NumRings()
    if n_rings > 6:
        return None  # no answer: the molecule gets no reward, it is not learned from, and it is never 0
    log_p = float(Crippen.MolLogP(mol))  # type: ignore[attr-defined]
    closeness = math.exp(-((log_p - 1.0) ** 2))
    return closeness * (1.0 if 1 <= n_rings <= 3 else 0.2)


def main() -> None:
    """Train, then show what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200, help="training steps (default 200)")
    parser.add_argument("--out", default=None, help="folder of the run (default: a new one in runs/)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    run = fluvial.design(
        {"soluble": soluble, "drug_like": "qed"},
        steps=chosen.steps,
        out=chosen.out,
        settings={"seed": chosen.seed, "env.max_fragments": 4},
    )
    print(f"\nBest of all molecules that the run met ({run.path}):")
    for molecule in run.best(5):
        print(f"  {molecule.reward:.3f}  {molecule.smiles}")
    print("Ten new ones from the trained sampler:")
    for molecule in run.sample(10, seed=1):
        shown = "no reward" if molecule.reward is None else f"{molecule.reward:.3f}"
        print(f"  {shown}  {molecule.smiles}")
    print(f"Page: {run.report()}")


if __name__ == "__main__":
    main()
