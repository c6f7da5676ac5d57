"""Fit a predictor to a file of molecules with a number each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns
from fluvial.data.labelled import labelled_molecules
from fluvial.data.qm9 import UNITS, qm9_table
from fluvial.data.tally import Tally, in_words
from fluvial.predictors.atom_graph import AtomGraph, graph_of
from fluvial.predictors.fitting import FitSettings, Progress, fit
from fluvial.predictors.geometry import Geometry, embed, given_geometry
from fluvial.predictors.learned import proxy_card, save_proxy
from fluvial.predictors.mxmnet import MxmnetSettings

QM9_ARCHIVES = (".tar.bz2", ".tar.gz", ".tar")


@dataclass(frozen=True)
class ProxyExamples:
    """Which molecules and numbers to learn from."""

    file: Path
    """A table, SMILES lines or an SD file; or the archive of QM9."""
    target: str
    """Column or data item of the numbers."""
    unit: str = ""
    """Of the numbers; that of QM9 is known."""
    column: str = "smiles"
    """Of the SMILES in a table."""
    most: int | None = None
    """Number of molecules after which reading stops."""


def train_proxy(
    examples: ProxyExamples,
    out: Path,
    shape: MxmnetSettings,
    how: FitSettings,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit a network, write it to `out`, and return what is known of it.

    The declared elements are those of the molecules. Molecules of an SD file with hydrogens and positions
    keep these; all others get an ETKDG conformer.

    Raises:
        DataError: the file cannot be read, or holds too few molecules with a number.
        StorageError: the result cannot be written.
    """
    is_qm9 = examples.file.name.endswith(QM9_ARCHIVES)
    if is_qm9:
        unit = UNITS.get(examples.target, examples.unit)
        examples = replace(examples, file=qm9_table(examples.file), unit=unit)
    tally = Tally()
    geometries, targets, kinds = _geometries(examples, tally)
    if not geometries:
        raise DataError(f"{examples.file}: no molecule in it can be used; {in_words(tally.reasons())}.")
    elements = sorted({element for geometry in geometries for element in geometry.elements.tolist()})
    shape = replace(shape, elements=tuple(elements))
    graphs = [_graph(geometry, shape) for geometry in geometries]
    found = fit(graphs, targets, shape, how, progress)
    source = {
        "file": examples.file.name,
        "n_molecules": len(graphs),
        "n_left_out": tally.n_bad,
        "left_out": in_words(tally.reasons()),
        "geometry": kinds,
        "seed": how.seed,
    }
    card = proxy_card(found, examples.target, examples.unit, source)
    save_proxy(out, found.model, card)
    return card


def _geometries(examples: ProxyExamples, tally: Tally) -> tuple[list[Geometry], list[float], dict[str, int]]:
    geometries: list[Geometry] = []
    targets: list[float] = []
    kinds = {"given": 0, "etkdg": 0}
    columns = Columns(examples.column, examples.target, remedy="Choose with --target and --column.")
    for mol, value in labelled_molecules(examples.file, columns, tally):
        given = given_geometry(mol)
        found = embed(mol) if given is None else given
        if isinstance(found, str):
            tally.add("without a geometry", found)
            continue
        kinds["etkdg" if given is None else "given"] += 1
        geometries.append(found)
        targets.append(value)
        if examples.most is not None and len(geometries) >= examples.most:
            break
    return geometries, targets, kinds


def _graph(geometry: Geometry, shape: MxmnetSettings) -> AtomGraph:
    graph = graph_of(geometry, shape.elements, shape.cutoff)
    if isinstance(graph, str):  # all elements are declared
        raise DataError(graph)
    return graph
