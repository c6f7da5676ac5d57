"""Fit a forest on fingerprints to a file of molecules with a number each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns
from fluvial.data.labelled import labelled_molecules
from fluvial.data.tally import Tally, in_words
from fluvial.predictors.fingerprint_fit import ForestSettings, fit_forest
from fluvial.predictors.fingerprint_forest import forest_card, save_forest
from fluvial.train.proxy import ProxyExamples

AUTO = "auto"
TASKS = (AUTO, "regression", "classification")


def train_forest(examples: ProxyExamples, out: Path, task: str, how: ForestSettings) -> dict[str, Any]:
    """Fit a forest, write it to `out`, and return what is known of it.

    A molecule that is there several times counts once, with the mean of its numbers; for classes, the first
    label.

    Args:
        examples: which molecules and numbers.
        out: the file to write.
        task: one of `TASKS`; "auto" is classification where all numbers are 0 or 1.
        how: how to learn.

    Raises:
        ConfigError: scikit-learn is not installed.
        DataError: the file cannot be read, or holds too few molecules with a number.
        StorageError: the result cannot be written.
    """
    from fluvial.chem.molecules import canonical_smiles, parse_smiles

    tally = Tally()
    columns = Columns(examples.column, examples.target, remedy="Choose with --target and --column.")
    numbers: dict[str, list[float]] = {}
    for mol, value in labelled_molecules(examples.file, columns, tally):
        # Without the hydrogens and positions that an SD file may have: the same molecule, read from its text.
        numbers.setdefault(canonical_smiles(_bare(mol)), []).append(value)
        if examples.most is not None and len(numbers) >= examples.most:
            break
    if not numbers:
        raise DataError(f"{examples.file}: no molecule in it can be used; {in_words(tally.reasons())}.")
    is_binary = all(value in (0.0, 1.0) for values in numbers.values() for value in values)
    chosen = ("classification" if is_binary else "regression") if task == AUTO else task
    targets = [
        values[0] if chosen == "classification" else sum(values) / len(values) for values in numbers.values()
    ]
    fit = fit_forest([parse_smiles(text) for text in numbers], targets, chosen, how)
    source = {
        "file": examples.file.name,
        "n_molecules": len(numbers),
        "n_repeated": sum(len(values) - 1 for values in numbers.values()),
        "n_left_out": tally.n_bad,
        "left_out": in_words(tally.reasons()),
        "seed": how.seed,
    }
    card = forest_card(fit, how, examples.target, examples.unit, source)
    save_forest(out, fit.forest, card)
    return card


def _bare(mol: Any) -> Any:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return Chem.RemoveHs(mol)
