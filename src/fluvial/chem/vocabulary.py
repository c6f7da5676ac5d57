"""Fragment vocabularies: the building pieces of molecules and where they can be joined."""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from rdkit import Chem, rdBase

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.core.errors import DataError

MAX_POINTS = 12
"""Most attachment points of one fragment: the environment's action table is [nodes, points]; arbitrary."""
_MAX_PROBLEMS_SHOWN = 20
_COLUMNS = ("smiles", "attachment_atoms")
_DEFAULT_TABLE = Path(__file__).parent / "data" / "fragments.csv"


@dataclass(frozen=True)
class Fragment:
    """A molecule with numbered points at which single bonds to other fragments may replace hydrogens."""

    smiles: str
    points: tuple[int, ...]
    """Atom of each point, in the atom order of `smiles` as written; an atom may be listed several times."""


@dataclass(frozen=True)
class Vocabulary:
    """A named, ordered list of fragments; the order gives each fragment its number."""

    name: str
    fragments: tuple[Fragment, ...]

    @cached_property
    def mols(self) -> tuple[Chem.Mol, ...]:
        """The sanitised molecule of each fragment, shared: never change one."""
        return tuple(fragment_mol(fragment) for fragment in self.fragments)

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.fragments))

    def __hash__(self) -> int:
        # Caches keyed by the vocabulary are asked once per molecule, so its hash is computed only once.
        return self._hash


@dataclass(frozen=True)
class _Row:
    """One fragment as a file gives it."""

    place: str
    smiles: str
    atoms: tuple[str, ...]


@lru_cache(maxsize=4096)
def fragment_mol(fragment: Fragment) -> Chem.Mol:
    """The sanitised molecule of a fragment, shared between callers: never change it."""
    return parse_smiles(fragment.smiles)


def hydrogens_after(mol: Chem.Mol, atom_index: int, n_bonds: int) -> int | None:
    """Hydrogens left on an atom once `n_bonds` single bonds to carbons are added; None where it has no room.

    Each bond takes one hydrogen. A sulfur or phosphorus without hydrogens may instead rise to its next
    valence, where RDKit puts a hydrogen on it if one fits: published tables write the sulfonyl group `O=S=O`
    and mean this.
    """
    atom = mol.GetAtomWithIdx(atom_index)
    n_hydrogens = int(atom.GetTotalNumHs())
    if n_bonds <= n_hydrogens:
        return n_hydrogens - n_bonds
    if n_hydrogens or atom.GetNoImplicit() or atom.GetSymbol() not in ("S", "P"):
        return None
    editable = Chem.RWMol(mol)
    for _ in range(n_bonds):
        editable.AddBond(atom_index, editable.AddAtom(Chem.Atom("C")), Chem.BondType.SINGLE)
    with rdBase.BlockLogs():
        failed = Chem.SanitizeMol(editable, catchErrors=True)
    return None if failed else int(editable.GetAtomWithIdx(atom_index).GetTotalNumHs())


def load_vocabulary(name_or_path: str) -> Vocabulary:
    """The vocabulary named `default` (packaged) or `bengio2021` (public file), or the table at a path.

    Raises `DataError` for an unreadable or faulty table, `AssetError` where the public file cannot be had.
    """
    if name_or_path == "default":
        return Vocabulary("default", read_vocabulary(_DEFAULT_TABLE).fragments)
    if name_or_path == "bengio2021":
        from fluvial.assets.registry import fetch  # the asset layer is needed for this one choice only

        return read_action_list(fetch("bengio2021"), "bengio2021")
    if not Path(name_or_path).exists():
        nearest = difflib.get_close_matches(name_or_path, ("default", "bengio2021"), n=1)
        hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
        raise DataError(
            f"'{name_or_path}' is neither a file nor a named vocabulary (default, bengio2021).{hint}"
        )
    return read_vocabulary(Path(name_or_path))


def read_vocabulary(path: str | Path) -> Vocabulary:
    """The vocabulary of a CSV table with the columns `smiles` and `attachment_atoms`, named after the file.

    Attachment atoms are indices in the atom order of the SMILES as written, separated by blanks. Further
    columns, blank lines, a byte order mark and Windows line ends are ignored. Raises one `DataError` that
    lists the first 20 problems of the table, each with its line, and their number.
    """
    path = Path(path)
    rows, problems = _table_rows(path)
    return _vocabulary(path.stem, path, rows, problems)


def read_action_list(path: str | Path, name: str) -> Vocabulary:
    """The vocabulary of a JSON list of (fragment, first attachment atom) actions (Bengio et al. 2021).

    Each entry's `block_r` lists its own attachment atom, then those that stay free; a fragment's attachment
    atoms are the union over its entries. Raises `DataError` for another layout or a faulty fragment.
    """
    path = Path(path)
    try:
        content = json.loads(_text(path))
        smiles, atoms = content["block_smi"], content["block_r"]
        merged: dict[str, set[int]] = {}
        for key in smiles:
            merged.setdefault(smiles[key], set()).update(int(atom) for atom in atoms[key])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is not a fragment action list: it needs the JSON objects 'block_smi' and 'block_r', "
            "with equal keys."
        ) from error
    rows = [_Row(f"fragment '{text}'", text, tuple(map(str, sorted(merged[text])))) for text in merged]
    return _vocabulary(name, path, rows, [])


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _table_rows(path: Path) -> tuple[list[_Row], list[str]]:
    """Rows of a CSV table, and the problems of its lines."""
    reader = csv.reader(_text(path).splitlines())
    rows: list[_Row] = []
    columns: list[int] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _column_numbers(path, [cell.strip() for cell in cells])
                continue
            smiles, atoms = (cells[i].strip() if i < len(cells) else "" for i in columns)
            rows.append(_Row(f"line {reader.line_num}", smiles, tuple(atoms.split())))
    except csv.Error as error:
        return rows, [f"line {reader.line_num}: {error}"]
    return rows, [] if rows else ["the table holds no fragment"]


def _column_numbers(path: Path, header: list[str]) -> list[int]:
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        found = ", ".join(header)
        raise DataError(
            f"{path} lacks the column(s) {', '.join(missing)} in its first line, which has: {found}."
        )
    return [header.index(column) for column in _COLUMNS]


def _vocabulary(name: str, path: Path, rows: Sequence[_Row], problems: Iterable[str]) -> Vocabulary:
    """The vocabulary of all rows; one `DataError` for the problems of all of them."""
    problems = list(problems)
    fragments: list[Fragment] = []
    places: dict[str, str] = {}
    for row in rows:
        try:
            mol = parse_smiles(row.smiles)
        except DataError as error:
            problems.append(f"{row.place}: {str(error).rstrip('.')}")
            continue
        problems += [f"{row.place}: '{row.smiles}' {problem}" for problem in _row_problems(mol, row)]
        canonical = canonical_smiles(mol)
        if canonical in places:
            problems.append(
                f"{row.place}: '{row.smiles}' is the same molecule as the fragment of {places[canonical]}"
            )
        places.setdefault(canonical, row.place)
        fragments.append(Fragment(row.smiles, tuple(int(atom) for atom in row.atoms if atom.isdecimal())))
    if problems:
        raise DataError(_problem_list(path, problems))
    return Vocabulary(name, tuple(fragments))


def _row_problems(mol: Chem.Mol, row: _Row) -> list[str]:
    """What is wrong with a parsed row, each as the end of a sentence that starts with its SMILES."""
    problems = _molecule_problems(mol, row.smiles)
    if not row.atoms:
        problems.append("has no attachment atom")
    if len(row.atoms) > MAX_POINTS:
        problems.append(f"has {len(row.atoms)} attachment points; {MAX_POINTS} are the most")
    for atom, count in Counter(row.atoms).items():
        if not re.fullmatch("0|[1-9][0-9]{0,3}", atom):
            problems.append(f"lists '{atom}', which is no atom index (0, 1, 2, ...)")
        elif int(atom) >= mol.GetNumAtoms():
            problems.append(f"lists atom {atom}, but its atoms are 0 to {mol.GetNumAtoms() - 1}")
        elif hydrogens_after(mol, int(atom), count) is None:
            found = mol.GetAtomWithIdx(int(atom))
            problems.append(
                f"lists atom {atom} ({found.GetSymbol()}) {count} time(s), but it has no free valence for "
                f"that: it has {found.GetTotalNumHs()} hydrogen(s)"
            )
    return problems


def _molecule_problems(mol: Chem.Mol, smiles: str) -> list[str]:
    problems = []
    if len(Chem.GetMolFrags(mol)) > 1:
        problems.append("has several components; a fragment is one connected molecule")
    if re.search(r"[@/\\]", smiles):
        problems.append("has stereo marks, which are not supported in fragments")
    if any(atom.GetAtomicNum() == 0 or atom.GetAtomMapNum() for atom in mol.GetAtoms()):
        problems.append(
            "has dummy or mapped atoms; give attachment atoms by index in the column attachment_atoms"
        )
    if Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms() != mol.GetNumAtoms():
        problems.append("writes hydrogens as atoms, which shifts the atom indices; leave them out")
    return problems


def _problem_list(path: Path, problems: list[str]) -> str:
    shown = [f"  {problem}" for problem in problems[:_MAX_PROBLEMS_SHOWN]]
    if len(problems) > len(shown):
        shown.append(f"  and {len(problems) - len(shown)} more")
    return "\n".join([f"{path} is not a usable fragment table; {len(problems)} problem(s):", *shown])
