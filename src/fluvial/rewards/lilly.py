"""Lilly's medicinal chemistry rules, an external program (Bruns and Watson 2012, doi:10.1021/jm301008n)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rdkit.Chem import Mol

from fluvial.chem.molecules import canonical_smiles
from fluvial.core.errors import ConfigError, RewardError
from fluvial.rewards.filters import Filter

PROGRAM = "Lilly_Medchem_Rules.rb"
SECONDS = 600.0
"""Longest time for one batch; arbitrary."""


def lilly_filter(program: str = PROGRAM) -> Filter:
    """Rejects molecules that collect more than 100 demerits. A batch is one call of the program.

    Args:
        program: name or path of `Lilly_Medchem_Rules.rb`.

    Raises:
        ConfigError: it is not here.
    """
    found = shutil.which(program)
    if found is None:
        raise ConfigError(
            f"{program}: there is no such program. Install Lilly's Medchem Rules "
            "(github.com/IanAWatson/Lilly-Medchem-Rules) and put them on the PATH, or name its file"
        )
    return Filter("lilly", partial(_one, found), partial(lilly_reasons, found))


def lilly_reasons(program: str, mols: Sequence[Mol]) -> list[str | None]:
    """Why each molecule is rejected, or None, [B].

    Raises:
        RewardError: the program fails, or does not say what became of a molecule.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "molecules.smi"
        names = [f"molecule{number}" for number in range(len(mols))]
        lines = [f"{canonical_smiles(mol)} {name}" for mol, name in zip(mols, names, strict=True)]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            done = subprocess.run(  # noqa: S603 - an argument list, no shell
                [program, str(file)], cwd=folder, capture_output=True, text=True, timeout=SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RewardError(f"{program}: {error}") from error
        if done.returncode != 0:
            raise RewardError(
                f"{program} ended with exit code {done.returncode}: {done.stderr.strip()[-200:]}"
            )
        # What passes is written to stdout, what does not to files bad0.smi to bad3.smi, each with the reason.
        passed = {words[1] for line in done.stdout.splitlines() if len(words := line.split()) > 1}
        rejected: dict[str, str] = {}
        for path in sorted(Path(folder).glob("bad*.smi")):
            for line in path.read_text(encoding="utf-8").splitlines():
                _, _, rest = line.partition(" ")
                name, _, reason = rest.partition(" ")
                rejected[name] = f"Lilly: {' '.join(reason.split()) or 'rejected'}"
    if unsaid := [name for name in names if name not in passed and name not in rejected]:
        raise RewardError(f"{program} does not say what became of {len(unsaid)} of {len(names)} molecules")
    return [rejected.get(name) for name in names]


def _one(program: str, mol: Mol) -> str | None:
    return lilly_reasons(program, [mol])[0]
