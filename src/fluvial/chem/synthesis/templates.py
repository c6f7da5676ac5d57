"""Reaction templates: reactions written as SMIRKS, with names, out of files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rdkit import rdBase
from rdkit.Chem import rdChemReactions

from fluvial.core.errors import DataError

MOST_PRODUCTS = 1000
"""Most ways of one reaction that are followed; arbitrary, far above what drug-like molecules have."""
HARTENFELLER_BUTTON = "hartenfeller-button"
NAMED = ("default", HARTENFELLER_BUTTON)
"""Sets of templates that need no path."""
_COLUMNS = ("smirks", "id", "name", "comment")
_MAX_PROBLEMS_SHOWN = 20
_PACKAGED = Path(__file__).parents[1] / "data" / "reactions.tsv"


@dataclass(frozen=True)
class Template:
    """One reaction, of one or two reactants and one product."""

    identifier: str
    """Unique in its set."""
    name: str
    """For people; may be empty."""
    smarts: str
    """As written: reactants > agents > product."""
    n_reactants: int
    """1 or 2."""
    comment: str = ""


@dataclass(frozen=True)
class _Row:
    place: str
    cells: dict[str, str]


def load_templates(name_or_path: str | Path) -> tuple[Template, ...]:
    """The templates called `default` (packaged) or `hartenfeller-button` (public file), or those of a file.

    Raises:
        DataError: there is no such file or name, or the file is faulty.
        AssetError: the public file cannot be had.
    """
    if name_or_path == "default":
        return embedded_templates()
    if name_or_path == HARTENFELLER_BUTTON:
        from fluvial.assets.registry import fetch  # the asset layer is needed for this one choice only

        return read_templates(fetch(HARTENFELLER_BUTTON))
    if not Path(name_or_path).exists():
        raise DataError(
            f"'{name_or_path}' is neither a file nor a named set of templates ({', '.join(NAMED)})."
        )
    return read_templates(name_or_path)


@lru_cache(maxsize=1)
def embedded_templates() -> tuple[Template, ...]:
    """The packaged reactions of medicinal chemistry, in the order of their file."""
    return read_templates(_PACKAGED)


def read_templates(path: str | Path) -> tuple[Template, ...]:
    """The templates of a file, in its order.

    A file has one template a line: the SMIRKS and optionally, separated by tabs, id, name and comment. Or its
    first line is a heading with a column `smirks` and optionally `id`, `name` and `comment`, separated by
    tabs or, in .csv, by commas; other columns are ignored. Blank lines and lines that begin with # are passed
    over. A template without an id is called by its number in the file, from 1.

    Raises:
        DataError: the file cannot be read, or templates are faulty; it lists the first 20 faults with their
            lines.
    """
    path = Path(path)
    templates: list[Template] = []
    lines: dict[str, str] = {}
    problems: list[str] = []
    for row in _rows(path):
        identifier = row.cells.get("id") or str(len(templates) + len(problems) + 1)
        problem = template_problem(row.cells["smirks"])
        if not problem and identifier in lines:
            problem = f"the id '{identifier}' is that of {lines[identifier]} already; give each its own"
        if problem:
            problems.append(f"{path}:{row.place}: {problem}.")
            continue
        lines[identifier] = f"line {row.place}"
        smarts = row.cells["smirks"]
        n_reactants = rdChemReactions.ReactionFromSmarts(smarts).GetNumReactantTemplates()
        name, comment = row.cells.get("name", ""), row.cells.get("comment", "")
        templates.append(Template(identifier, name, smarts, n_reactants, comment))
    if problems:
        left = len(problems) - _MAX_PROBLEMS_SHOWN
        more = [f"and {left} more."] if left > 0 else []
        raise DataError("\n".join([*problems[:_MAX_PROBLEMS_SHOWN], *more]))
    if not templates:
        raise DataError(f"{path}: holds no template; write one SMIRKS a line.")
    return tuple(templates)


def _rows(path: Path) -> Iterator[_Row]:
    """The lines that hold a template, by column."""
    columns: Sequence[str] | None = None
    is_csv = path.suffix.lower() == ".csv"
    for number, line in enumerate(_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in (next(csv.reader([line])) if is_csv else line.split("\t"))]
        if columns is None:
            names = [cell.lower() for cell in cells]
            if "smirks" in names:
                columns = names
                continue
            if is_csv:
                raise DataError(
                    f"{path}:{number}: the heading has no column 'smirks'; it has {line.strip()}."
                )
            columns = _COLUMNS
        yield _Row(str(number), {"smirks": "", **dict(zip(columns, cells, strict=False))})


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text; save the file as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def template_problem(smirks: str) -> str:
    """Why a SMIRKS is no template of one or two reactants and one product; empty if it is one."""
    if smirks.count(">") != 2:
        return f"'{smirks}' is no reaction; write reactants>>product, with agents between the signs if any"
    with rdBase.BlockLogs():
        try:
            reaction = rdChemReactions.ReactionFromSmarts(smirks)
            # A template that is read may still break a condition of its own inside RDKit here.
            _, n_errors = reaction.Validate(silent=True)
        except (ValueError, RuntimeError) as error:
            return f"RDKit cannot read '{smirks}': {_first_line(error)}"
    n_reactants, n_products = reaction.GetNumReactantTemplates(), reaction.GetNumProductTemplates()
    if n_reactants not in (1, 2):
        return f"it has {n_reactants} reactants; write it as steps of one or two"
    if n_products != 1:
        return f"it has {n_products} products; write the one that is kept and leave the others out"
    if n_errors:
        return f"RDKit finds '{smirks}' contradictory: a mapped atom occurs twice, or nothing is mapped"
    return _mapping_problem(reaction)


def _mapping_problem(reaction: rdChemReactions.ChemicalReaction) -> str:
    product = {atom.GetAtomMapNum() for atom in reaction.GetProductTemplate(0).GetAtoms()}
    for number, reactant in enumerate(reaction.GetReactants(), 1):
        if not {atom.GetAtomMapNum() for atom in reactant.GetAtoms()} & product - {0}:
            return f"reactant {number} gives no atom to the product; map those that stay, such as [C:1]"
    return ""


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    found = next((line.strip() for line in text if re.search(r"[a-z]", line)), type(error).__name__)
    return found.rstrip(".")
