"""What a reactant loses in a reaction: groups that its template spells out or that a molecule shows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rdkit import Chem

from fluvial.chem.smarts_atoms import AtomText, atom_text, bond_text

MOST_SPELLED_OUT = 16
"""Most groups that the text of one reactant is taken to spell out; arbitrary."""
_PERIODIC = Chem.GetPeriodicTable()
_COPIED = "~"
"""A bond that RDKit takes over from the product."""
_ORDERS = {"-": 1, "=": 2, "#": 3, ":": 12, "": 1, "-,:": 1, "~": 1}


@dataclass(frozen=True)
class Side:
    """One reactant of a template, as it must be written to be the product of the reversed reaction."""

    pattern: Chem.Mol
    """The reactant's query."""
    kept: dict[int, str]
    """Atoms of the query that the product keeps, each with its text in the reversed reaction."""
    bonds: tuple[tuple[int, int, str], ...]
    """Bonds between these, with their texts."""

    @property
    def lost(self) -> tuple[int, ...]:
        """Atoms of the query that the product has not."""
        return tuple(atom for atom in range(self.pattern.GetNumAtoms()) if atom not in self.kept)


def side_of(pattern: Chem.Mol, product: Chem.Mol) -> Side:
    """The reactant `pattern` of a template whose product is `product`."""
    in_product = {atom.GetAtomMapNum() for atom in product.GetAtoms()} - {0}
    number = {atom.GetIdx(): atom.GetAtomMapNum() for atom in pattern.GetAtoms()}
    texts = {atom.GetIdx(): atom_text(atom) for atom in pattern.GetAtoms()}
    for bond in pattern.GetBonds():
        if bond_text(bond) in ("=", "#"):
            for atom in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()):
                texts[atom] = replace(texts[atom], is_aromatic=False)
    kept = {atom: _kept_atom(texts[atom], mark) for atom, mark in number.items() if mark in in_product}
    joined = {
        frozenset((bond.GetBeginAtom().GetAtomMapNum(), bond.GetEndAtom().GetAtomMapNum()))
        for bond in product.GetBonds()
        if not _is_broken_up(bond)
    }
    bonds = []
    for bond in pattern.GetBonds():
        first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if first in kept and second in kept:
            is_joined = frozenset((number[first], number[second])) in joined
            bonds.append((first, second, _kept_bond(bond, texts[first], texts[second], is_joined)))
    return Side(pattern, kept, tuple(bonds))


def spelled_out(side: Side) -> Iterator[Chem.Mol]:
    """The reactant with each group that the template itself names; none where it leaves them open."""
    texts = {atom: atom_text(side.pattern.GetAtomWithIdx(atom)) for atom in side.lost}
    options = [sorted(texts[atom].elements or ()) for atom in side.lost]
    for elements in itertools.islice(itertools.product(*options), MOST_SPELLED_OUT):
        atoms = {
            atom: _lost_atom(element, bool(texts[atom].is_aromatic), texts[atom].charge or 0, 0)
            for atom, element in zip(side.lost, elements, strict=True)
        }
        bonds = [
            (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), _lost_bond(bond_text(bond)))
            for bond in side.pattern.GetBonds()
            if bond.GetBeginAtomIdx() in atoms or bond.GetEndAtomIdx() in atoms
        ]
        yield _assembled(side, atoms, bonds)


def shown_by(side: Side, molecules: Iterable[Chem.Mol]) -> list[Chem.Mol]:
    """The reactant with each group that some of the molecules would lose."""
    known: dict[str, Chem.Mol] = {}
    seen: set[tuple[object, ...]] = set()
    for mol in molecules:
        for match in mol.GetSubstructMatches(side.pattern):
            alone = _named_group(side, mol, match)
            if alone is None or alone not in seen:
                _add_group(side, mol, match, known)
                seen |= {alone} if alone is not None else set()
    return list(known.values())


def _named_group(side: Side, mol: Chem.Mol, match: Sequence[int]) -> tuple[object, ...] | None:
    """What tells the group apart where the template names all of its atoms; None where there are others."""
    number = {index: atom for atom, index in enumerate(match)}
    parts: list[object] = []
    for lost in side.lost:
        atom = mol.GetAtomWithIdx(match[lost])
        parts.append(_atom_of(atom))
        for bond in atom.GetBonds():
            other = number.get(bond.GetOtherAtomIdx(match[lost]))
            if other is None:
                return None
            parts.append((other, bond.GetBondType()))
    return tuple(parts)


def _add_group(side: Side, mol: Chem.Mol, match: Sequence[int], known: dict[str, Chem.Mol]) -> None:
    """Add to `known` the reactant with the group that `mol` would lose, by the text of the group."""
    lost = _lost_atoms(side, mol, match)
    if lost is None:
        return
    place = {match[atom]: atom for atom in side.kept}
    symbols = ["" for _ in range(mol.GetNumAtoms())]
    for index in lost:
        symbols[index] = _atom_of(mol.GetAtomWithIdx(index))
    for index, atom in place.items():
        symbols[index] = f"[*:{side.pattern.GetAtomWithIdx(atom).GetAtomMapNum()}]"
    key = Chem.MolFragmentToSmiles(mol, [*lost, *place], atomSymbols=symbols)
    if key in known:
        return
    start = side.pattern.GetNumAtoms()
    new = {index: start + number for number, index in enumerate(lost)}
    bonds = [
        (ends[0], ends[1], bond_text(bond) or ("-", ":")[bond.GetIsAromatic()])
        for bond in mol.GetBonds()
        if (bond.GetBeginAtomIdx() in new or bond.GetEndAtomIdx() in new)
        for ends in [[{**new, **place}[i] for i in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())]]
    ]
    known[key] = _assembled(side, {new[index]: symbols[index] for index in lost}, bonds)


def _lost_atoms(side: Side, mol: Chem.Mol, match: Sequence[int]) -> list[int] | None:
    """The atoms that go with the group; None where a ring ties them to what stays, which would be cut."""
    kept = {match[atom] for atom in side.kept}
    lost = {match[atom] for atom in side.lost}
    front = list(lost)
    while front:
        atom = mol.GetAtomWithIdx(front.pop())
        for neighbour in atom.GetNeighbors():
            index = neighbour.GetIdx()
            if index not in lost and index not in kept:
                lost.add(index)
                front.append(index)
    matched = set(match)
    tied = any(
        neighbour.GetIdx() in kept
        for index in lost - matched
        for neighbour in mol.GetAtomWithIdx(index).GetNeighbors()
    )
    return None if tied else sorted(lost)


def _assembled(side: Side, atoms: dict[int, str], bonds: Sequence[tuple[int, int, str]]) -> Chem.Mol:
    """The reactant with the atoms of a group, whose numbers follow on or are those of the query."""
    mol = Chem.RWMol()
    place = {old: mol.AddAtom(Chem.AtomFromSmarts(text)) for old, text in {**side.kept, **atoms}.items()}
    for first, second, text in (*side.bonds, *bonds):
        mol.AddBond(place[first], place[second], Chem.BondType.SINGLE)
        mol.ReplaceBond(mol.GetNumBonds() - 1, Chem.BondFromSmarts(text))
    return mol.GetMol()


def _kept_atom(text: AtomText, number: int) -> str:
    """An atom that the product keeps: copied but for what the reactant fixes."""
    symbol, hydrogens = "*", ""
    if text.elements and len(text.elements) == 1 and text.is_aromatic is not None:
        symbol = _PERIODIC.GetElementSymbol(min(text.elements))
        symbol = symbol.lower() if text.is_aromatic else symbol
    if text.elements == frozenset([7]) and text.is_aromatic is not False and text.n_hydrogens:
        hydrogens = "H"
    charge = "" if text.charge is None else f"{text.charge:+d}"
    return f"[{symbol}{hydrogens}{charge}:{number}]"


def _kept_bond(bond: Chem.Bond, first: AtomText, second: AtomText, is_joined: bool) -> str:
    text = bond_text(bond)
    if text in ("-", "=", "#", ":"):
        return str(text)
    if first.is_aromatic is False or second.is_aromatic is False:
        return "-"
    if is_joined:
        return _COPIED
    return ":" if first.is_aromatic and second.is_aromatic else "-"


def _is_broken_up(bond: Chem.Bond) -> bool:
    """Whether the product writes an aliphatic atom, so that an aromatic bond of a reactant is not in it."""
    return any(atom_text(atom).is_aromatic is False for atom in (bond.GetBeginAtom(), bond.GetEndAtom()))


def _lost_bond(text: str) -> str:
    return text if text in ("-", "=", "#", ":") else "-"


def _lost_atom(element: int, is_aromatic: bool, charge: int, n_hydrogens: int) -> str:
    symbol = _PERIODIC.GetElementSymbol(element)
    hydrogens = f"H{n_hydrogens}" if n_hydrogens else ""
    return f"[{symbol.lower() if is_aromatic else symbol}{hydrogens}{f'{charge:+d}' if charge else ''}]"


def _atom_of(atom: Chem.Atom) -> str:
    is_aromatic = atom.GetIsAromatic()
    hydrogens = atom.GetTotalNumHs() if is_aromatic and atom.GetAtomicNum() != 6 else 0
    return _lost_atom(atom.GetAtomicNum(), is_aromatic, atom.GetFormalCharge(), hydrogens)
