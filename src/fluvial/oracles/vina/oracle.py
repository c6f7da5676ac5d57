"""AutoDock Vina as a tool: molecules to docking scores, with their poses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fluvial.config.file import read_section
from fluvial.core.errors import ConfigError, DataError, RewardError
from fluvial.core.files import make_folder, write_bytes_atomic
from fluvial.oracles.ligands import Ligand, LigandRules, by_molecule
from fluvial.oracles.records import Records
from fluvial.oracles.replicates import combined
from fluvial.oracles.vina.box import Box, box_of
from fluvial.oracles.vina.poses import ligand_pdbqt, poses_sdf
from fluvial.oracles.vina.receptor import receptor_pdbqt
from fluvial.oracles.vina.target import VinaTarget
from fluvial.queue.jobs import Oracle, Result

SIZE_POWER = 0.3
"""Of the number of heavy atoms in the size-independent ligand efficiency (Nissink 2009,
doi:10.1021/ci900094m)."""


@dataclass(frozen=True)
class Docked:
    """Poses of a molecule, the best one first."""

    energies: tuple[float, ...]
    """kcal/mol."""
    pdbqt: str


class VinaOracle:
    """A `Tool` that docks each molecule into a receptor.

    Each docking starts from the seed of the target file, so a score depends on nothing but the molecule.

    Raises:
        ConfigError: the target file has problems, or names files that are not there.
    """

    def __init__(self, file: Path) -> None:
        self._target = read_section(file, VinaTarget)
        base = file.resolve().parent
        self._receptor = base / Path(self._target.receptor).expanduser()
        if not self._receptor.is_file():
            raise ConfigError(f"{self._receptor}: there is no such receptor")
        self._box = box_of(self._target.box, self._receptor, base)
        ligand = self._target.ligand
        self._rules = LigandRules(ligand.elements, ligand.most_heavy_atoms, ligand.neutralise)
        self._folder = base / Path(self._target.run.folder).expanduser()
        self._records = Records(self._folder / "records")

    @property
    def box(self) -> Box:
        """Where poses are looked for."""
        return self._box

    def oracle(self) -> Oracle:
        """See `Tool.oracle`.

        Raises:
            ConfigError: neither the target file nor this machine says which version docks.
        """
        run, box = self._target.run, self._box
        asked = {
            "receptor": blake2b(self._receptor.read_bytes(), digest_size=8).hexdigest(),
            "center": list(box.center),
            "size": list(box.size),
            "ligand": self._target.ligand.model_dump(mode="json"),
            **{name: getattr(run, name) for name in ("scoring", "exhaustiveness", "n_poses", "energy_range")},
        }
        if run.max_evaluations:  # answers of before there was this key stay what they are
            asked["max_evaluations"] = run.max_evaluations
        return Oracle(self._target.name, asked, self._version, f"{run.seed} x {run.replicates}")

    def check(self) -> None:
        """See `Tool.check`: the programs are there, of the version asked, and the receptor can be read."""
        try:
            import meeko  # noqa: F401
        except ImportError as error:
            raise RewardError(f"{error.name} is missing: pip install 'fluvial[dock]'") from None
        here = installed()
        if here is not None and here != self._version:
            raise RewardError(f"version = '{self._version}' is asked, and this machine has {here}")
        self._engine(self._target.run.seed)

    @property
    def _version(self) -> str:
        found = self._target.version or installed()
        if found is None:
            raise ConfigError(
                "version is missing in the target file: Vina and Meeko are not installed here, so give it as"
                ' the workers have it, for instance version = "vina 1.2.7, meeko 0.8.0"'
            )
        return found

    def evaluate(self, texts: Mapping[str, str]) -> Iterator[tuple[str, Result]]:
        """See `Tool.evaluate`."""
        groups, refused = by_molecule(texts, self._rules)
        for key, reason in refused.items():
            yield key, Result(reason=reason)
        for group in groups.values():
            result = self._scored(group[0][1])
            for key, _ in group:
                yield key, result

    def _scored(self, ligand: Ligand) -> Result:
        run = self._target.run
        seeds = [run.seed + replicate for replicate in range(run.replicates)]
        try:
            pdbqt = ligand_pdbqt(ligand.smiles)
        except DataError as error:
            result = Result(reason=str(error))
            self._records.add(ligand, [(seeds[0], result)])
            return result
        results = [self._replicate(ligand, pdbqt, seed) for seed in seeds]
        self._records.add(ligand, list(zip(seeds, results, strict=True)))
        return combined(results)

    def _replicate(self, ligand: Ligand, pdbqt: str, seed: int) -> Result:
        try:
            docked = self._dock(pdbqt, seed)
        except DataError as error:
            return Result(reason=str(error))
        if self._target.run.poses:
            self._keep(ligand, seed, docked)
        return Result(values_of(docked.energies, ligand.n_heavy_atoms))

    def _dock(self, pdbqt: str, seed: int) -> Docked:
        run, engine = self._target.run, self._engine(seed)
        try:
            engine.set_ligand_from_string(pdbqt)
            engine.dock(exhaustiveness=run.exhaustiveness, n_poses=run.n_poses, max_evals=run.max_evaluations)
            energies = engine.energies(n_poses=run.n_poses, energy_range=run.energy_range)
            poses = engine.poses(n_poses=run.n_poses, energy_range=run.energy_range)
        except (RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"Vina cannot dock it: {' '.join(str(error).split())}") from None
        if len(energies) == 0:
            raise DataError("Vina found no pose for it in the box")
        return Docked(tuple(float(row[0]) for row in energies), str(poses))

    def _engine(self, seed: int) -> Any:
        """Vina with its maps, which are made once for each seed."""
        if seed not in self._engines:
            self._engines[seed] = vina_engine(self._target, self._pdbqt_file, self._box, seed)
        return self._engines[seed]

    @cached_property
    def _engines(self) -> dict[int, Any]:
        return {}

    @cached_property
    def _pdbqt_file(self) -> Path:
        if self._receptor.suffix.lower() == ".pdbqt":
            return self._receptor
        text = receptor_pdbqt(self._receptor)
        name = blake2b(text.encode(), digest_size=8).hexdigest()
        path = self._folder / f"{self._receptor.stem}-{name}.pdbqt"
        if not path.is_file():
            make_folder(path.parent)
            write_bytes_atomic(path, text.encode())
        return path

    def _keep(self, ligand: Ligand, seed: int, docked: Docked) -> None:
        path = self._folder / "poses" / ligand.inchi_key / f"seed-{seed}.sdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(poses_sdf(docked.pdbqt, docked.energies), encoding="utf-8")


def installed() -> str | None:
    """Versions of what docks here, as "vina 1.2.7, meeko 0.8.0"; None where one is not installed."""
    try:
        return ", ".join(f"{name} {version(name)}" for name in ("vina", "meeko"))
    except PackageNotFoundError:
        return None


def vina_engine(target: VinaTarget, receptor: Path, box: Box, seed: int) -> Any:
    """AutoDock Vina (Eberhardt et al. 2021) with a receptor and the maps of a box.

    Raises:
        RewardError: it is not installed, or refuses the receptor or the box.
    """
    try:
        from vina import Vina
    except ImportError:
        raise RewardError("vina is missing: pip install 'fluvial[dock]', with Python 3.11 or 3.12") from None
    try:
        engine = Vina(sf_name=target.run.scoring, cpu=target.run.cpu, seed=seed, verbosity=0)
        engine.set_receptor(str(receptor))
        engine.compute_vina_maps(center=list(box.center), box_size=list(box.size))
    except (RuntimeError, TypeError, ValueError) as error:
        raise RewardError(f"Vina refuses {receptor} in {box}: {' '.join(str(error).split())}") from None
    return engine


def values_of(energies: Sequence[float], n_heavy_atoms: int) -> dict[str, float]:
    """Numbers of a docking by name, all in kcal/mol; lower is better for `affinity` and both efficiencies.

    Args:
        energies: of the poses, the best one first.
        n_heavy_atoms: of the molecule.
    """
    best = energies[0]
    return {
        "affinity": best,
        "efficiency": best / n_heavy_atoms,
        "size_penalised": best / n_heavy_atoms**SIZE_POWER,
        "strength": max(0.0, -best),
        "n_poses": float(len(energies)),
    }
