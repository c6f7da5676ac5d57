"""Boltz as a tool: molecules to numbers by name, with replicates, records and structures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

from fluvial.config.file import read_section
from fluvial.core.errors import RewardError
from fluvial.oracles.boltz.inputs import check_files, named_files
from fluvial.oracles.boltz.results import Measured
from fluvial.oracles.boltz.running import BoltzRuns
from fluvial.oracles.boltz.scores import PRESETS, Factor, Preset, product
from fluvial.oracles.boltz.target import BoltzTarget, FactorConfig
from fluvial.oracles.ligands import Ligand, LigandRules, by_molecule
from fluvial.oracles.records import Records
from fluvial.oracles.replicates import combined
from fluvial.oracles.seeds import seed_of, short_key
from fluvial.queue.jobs import Oracle, Result
from fluvial.rewards.guard import guarded
from fluvial.rewards.transforms import identity, make_transform

STRUCTURES = (".cif", ".pdb")


class BoltzOracle:
    """A `Tool` that predicts the complex and the affinity of each molecule with a target.

    Raises:
        ConfigError: the target file has problems, or names files that are not there.
    """

    def __init__(self, file: Path) -> None:
        self._target = read_section(file, BoltzTarget)
        self._base = file.resolve().parent
        check_files(self._target, self._base)
        self._formulas = formulas(self._target)
        self._needed = tuple(dict.fromkeys(name for one in self._formulas.values() for name in one.fields))
        ligand = self._target.ligand
        self._rules = LigandRules(ligand.elements, ligand.most_heavy_atoms, ligand.neutralise)
        folder = self._base / Path(self._target.run.folder).expanduser()
        self._records = Records(folder / "records")
        self._structures = folder / "structures" if self._target.run.structures else None

    def oracle(self) -> Oracle:
        """See `Tool.oracle`. What only changes how Boltz is run is no part of it."""
        target = self._target
        asked = target.model_dump(
            mode="json", exclude={"run", "name", "version", "tool"}, exclude_defaults=True
        )
        asked["options"] = list(target.run.options)
        asked["files"] = {
            name: blake2b((self._base / Path(name).expanduser()).read_bytes(), digest_size=8).hexdigest()
            for name in named_files(target, self._base)
        }
        seeds = f"{target.run.seeding} {target.run.seed} x {target.run.replicates}"
        return Oracle(target.name, asked, f"boltz {target.version or ''}".strip(), seeds)

    def check(self) -> None:
        """See `Tool.check`."""
        program = self._target.run.command[0]
        if shutil.which(program) is None:
            raise RewardError(f"{program}: there is no such program. Name that of Boltz under run.command")

    def evaluate(self, texts: Mapping[str, str]) -> Iterator[tuple[str, Result]]:
        """See `Tool.evaluate`."""
        groups, refused = by_molecule(texts, self._rules)
        for key, reason in refused.items():
            yield key, Result(reason=reason)
        smiles = list(groups)
        parts = [smiles] if self._target.run.seeding == "batch" else [[one] for one in smiles]
        for part in parts:
            runs = self._replicates([groups[one][0][1] for one in part]) if part else {}
            for one in part:
                self._records.add(groups[one][0][1], runs[short_key(one)])
                result = combined([found for _, found in runs[short_key(one)]])
                for key, ligand in groups[one]:
                    changed = float(bool(ligand.changes))
                    yield key, _with(result, {"ligand_changed": changed} if result.is_value else {})

    def _replicates(self, ligands: Sequence[Ligand]) -> dict[str, list[tuple[int, Result]]]:
        """Seed and result of each replicate, by short key."""
        texts = {short_key(one.smiles): one.smiles for one in ligands}
        names = {short_key(one.smiles): one.inchi_key for one in ligands}
        found: dict[str, list[tuple[int, Result]]] = {key: [] for key in texts}
        for replicate in range(self._target.run.replicates):
            alone = "" if self._target.run.seeding == "batch" else ligands[0].smiles
            seed = seed_of(alone, self._target.run.seed, replicate)
            keep = partial(self._keep, names, seed)
            runs = BoltzRuns(self._target, self._base, self._needed, seed, keep)
            for key, result in guarded(runs, texts, lambda: False):
                found[key].append((seed, self._scored(result)))
        return found

    def _scored(self, result: Result) -> Result:
        """The fields of a run with the formulas' numbers."""
        if not result.is_value:
            return result
        fields = {name: value for name, value in result.values.items() if value is not None}
        try:
            scores = {name: formula.formula(fields) for name, formula in self._formulas.items()}
            return Result(fields | scores)
        except (ValueError, ArithmeticError) as error:
            return Result(reason=f"a score cannot be calculated: {error}")

    def _keep(self, names: Mapping[str, str], seed: int, key: str, measured: Measured) -> None:
        if self._structures is None:
            return
        folder = self._structures / names[key] / f"seed-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in measured.folder.iterdir():
            if path.suffix in (*STRUCTURES, ".json"):
                shutil.copyfile(path, folder / path.name)


def formulas(target: BoltzTarget) -> dict[str, Preset]:
    """The formulas of a target file by name."""
    own = {one.name: product(one.name, [_factor(factor) for factor in one.factor]) for one in target.score}
    return {name: PRESETS[name] for name in target.scores} | own


def _factor(config: FactorConfig) -> Factor:
    how = config.transform
    transform = identity if how is None else make_transform(how.kind, **how.parameters())
    return Factor(config.field, transform, config.weight)


def _with(result: Result, further: Mapping[str, float]) -> Result:
    return Result({**result.values, **further}, result.reason, result.may_pass, result.seconds)
