"""Derive the packaged fragment table from the 5,000 NCI molecules that RDKit's wheel carries.

    python scripts/derive_vocabulary.py

rewrites `src/fluvial/chem/data/fragments.csv`, byte for byte the same on each run with the same RDKit. The
molecules are standardised and cut into building pieces; the pieces that occur in several molecules, carry no
reactive group and are not themselves made of smaller pieces become the vocabulary, each with the attachment
atoms at which it was seen.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from fluvial.chem.assembly import FragmentTree, assemble
from fluvial.chem.cover import find_covers
from fluvial.chem.symmetry import atom_classes
from fluvial.chem.vocabulary import Fragment, Vocabulary

SOURCE = Path(os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi"))
TARGET = Path(__file__).parents[1] / "src" / "fluvial" / "chem" / "data" / "fragments.csv"

ELEMENTS = frozenset({"C", "N", "O", "S", "F", "Cl", "Br"})
"""P is left out because the source has it in phosphates and toxic esters only, I because it is rare there."""
MAX_ATOMS = 12
MAX_CHAIN_ATOMS = 4
"""Larger pieces without a ring are too particular to be building pieces."""
MAX_POINTS = 6
MIN_MOLECULES = 2
"""Fewest molecules that must show a piece; gives about a hundred pieces."""
MIN_SHARE = 0.05
"""Least share of a piece's seen attachments that makes a class of atoms worth listing."""
MIN_TWICE_SHARE = 0.1
"""Least share of a class's attached atoms with m bonds that makes them worth listing m times."""

CUTS = {
    "a bond of a ring atom": "[R]-!@*",
    "a saturated carbon to N, O or S": "[CX4]-!@[#7,#8,#16]",
    "a saturated carbon to the carbon of an amide, acid or nitrile": "[CX4]-!@[$(C(=O)[#7,#8]),$(C#N)]",
}
KEPT = {
    "amides and their like stay whole": "[$([#6X3]=[O,S,N])]-!@[#7,#8,#16]",
    "sulfonyl stays with both neighbours": "[$([#16]=O)]-!@*",
    "the carbonyl of a ketone stays with both neighbours": "[$([#6X3;!R](=O)([#6])[#6])]-!@*",
    "bonds between heteroatoms stay": "[!#6]-!@[!#6]",
    "trifluoromethyl and its like stay whole": "[CX4](-!@[F,Cl,Br])",
}
NEEDS_PARTNER = "[$([#6X3;!R]=[O,S]),$(C#N);!$(C(=[O,S])[#7])]"
"""Atoms that would be an aldehyde or a formate if free: each must be the only point of its piece."""

UNWANTED = {
    "charge": "[!+0]",
    "aldehyde or formate": "[CX3;H1,H2;!$(C[#7])]=O",
    "acyl halide": "[CX3](=[O,S])[F,Cl,Br]",
    "sulfonic, sulfinic or sulfurous acid": "[#16](=O)[OX2]",
    "vinyl sulfone": "[C;!a]=[C;!a]-[#16]=O",
    "vinyl halide": "[C;!a]=[C;!a]-[F,Cl,Br]",
    "chain imide": "[#6X3;!R](=O)[#7;!R][#6X3;!R]=O",
    "acid inside a larger piece": "[#6]C(=O)[OX2H]",
    "S-H of a higher valence": "[SX3H,SX4H]",
    "anhydride": "[CX3](=O)[O,S][CX3]=O",
    "1,2-dicarbonyl": "[#6X3](=O)[#6X3]=O",
    "alkyl halide": "[CX4][Cl,Br]",
    "halogen on a heteroatom": "[F,Cl,Br]~[!#6]",
    "thiol": "[#6][SX2H]",
    "thiocarbonyl": "[#6]=[S]",
    "peroxide or N-O": "[OX2,NX3;!a]-[OX2;!a]",
    "disulfide": "[#16]~[#16]",
    "S-N": "[SX2;!a]-[#7]",
    "N-N chain": "[#7;!a]-,=[#7]",
    "cumulated N-H": "[nH][nH]",
    "imine or oxime": "[#6]=[NX2;!R]",
    "ring hydrazone": "[#6]=[NX2;R]-[#7]",
    "isocyanate or cumulene": "*=[#6,#7]=*",
    "nitroso": "[#7X2]=O",
    "cyanide on a heteroatom": "[#7,#8,#16]C#N",
    "enone or its like": "[C;!a]=[C;!a]-[#6]=[O,N,S]",
    "acceptor-substituted ethene": "C=CC#N",
    "acceptor-substituted alkyne": "C#C[#6]=O",
    "diene": "[C;!a]=[C;!a]-[C;!a]=[C;!a]",
    "allene-like or exocyclic methylene": "[R]=[CH2]",
    "quinone methide or its like": "[#6;R]=[#6;!R]",
    "enol, enamine or its like": "[C;!a]=[C;!a]-[NX3,OX2,SX2;!a]",
    "three-membered heterocycle": "[!#6;r3]",
    "lactone of four atoms": "[O;r4]",
    "acetal, aminal or its like": "[NX3,OX2,SX2;!$(*[#6X3]);!$(*a)][CX4][NX3,OX2,SX2;!$(*[#6X3]);!$(*a)]",
    "ring of more than seven atoms": "[r{8-}]",
    "carbonate": "[OX2]C(=O)[OX2]",
    "leaving group on an electron-poor ring": "[n]:c-[$(S(=O)=O),Cl,Br,F]",
    "chain of four nitrogens beside a bridge": "[n;R2][n][n][n]",
    "aminal of amides": "[#7][CX4][#7]",
    "long chain": "[CX4;!R][CX4;!R][CX4;!R][CX4;!R]",
}

SUPPLEMENT: dict[str, tuple[int, ...]] = {
    "CCC": (1,),
    "C1CNC1": (0, 2),
    "O=CN1CCCC1": (1,),
    "O=CN1CCNCC1": (1, 5),
    "O=c1cccc[nH]1": (2, 3, 4, 5, 6),
    "c1c[nH]cn1": (0, 1, 2, 3),
    "c1cnc2[nH]ccc2c1": (0, 1, 4, 5, 6),
    "c1cnoc1": (0, 1, 4),
    "c1cocn1": (0, 1, 3),
    "c1nc[nH]n1": (0, 2, 3),
    "c1nnco1": (0, 3),
}
"""Canonical SMILES and attachment atoms of pieces that are common in drugs and that the source, an old
collection, lacks or shows too rarely to tell where they are joined. Chosen by hand."""


@dataclass
class Tally:
    """What was seen of one piece."""

    n_molecules: int = 0
    bonds: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(atom of the piece's canonical SMILES, m) to how often that atom had m or more cut bonds."""


def read_molecules(path: Path) -> list[Chem.Mol]:
    """The distinct, standardised molecules of a SMILES file, in file order."""
    uncharger = rdMolStandardize.Uncharger()
    found: dict[str, Chem.Mol] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        mol = Chem.MolFromSmiles(line.split()[0]) if line.strip() else None
        if mol is None:
            continue
        parts = {Chem.MolToSmiles(part): part for part in Chem.GetMolFrags(mol, asMols=True)}
        largest = uncharger.uncharge(max(parts.items(), key=lambda part: (part[1].GetNumAtoms(), part[0]))[1])
        Chem.RemoveStereochemistry(largest)
        smiles = Chem.MolToSmiles(largest)
        mol = Chem.MolFromSmiles(smiles)
        if mol is not None and all(_is_usual(atom) for atom in mol.GetAtoms()):
            found.setdefault(smiles, mol)
    return list(found.values())


def cut_bonds(mol: Chem.Mol) -> set[tuple[int, int]]:
    """Atom pairs (lower index first) of the bonds to cut; no piece is left with an unnatural free point."""
    cuts = _matched_bonds(mol, CUTS.values()) - _matched_bonds(mol, KEPT.values())
    needy = _needy_atoms(mol)
    while True:
        piece = _piece_numbers(mol, cuts)
        n_cuts = Counter(piece[atom] for pair in cuts for atom in pair)
        wrong = {pair for pair in cuts if any(a in needy and n_cuts[piece[a]] > 1 for a in pair)}
        if not wrong:
            return cuts
        cuts -= wrong


def tally_pieces(mols: list[Chem.Mol]) -> dict[str, Tally]:
    """What was seen of each piece of at most 12 atoms, by canonical SMILES."""
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for mol in mols:
        seen = set()
        for smiles, n_bonds in _pieces(mol):
            seen.add(smiles)
            tallies[smiles].bonds.update(
                (atom, m) for atom, most in n_bonds.items() for m in range(1, most + 1)
            )
        for smiles in seen:
            tallies[smiles].n_molecules += 1
    return dict(tallies)


def choose_points(mol: Chem.Mol, tally: Tally) -> tuple[int, ...]:
    """Attachment atoms of a piece: whole symmetry classes, the most used first, up to six points."""
    classes = atom_classes(mol)
    used: Counter[tuple[int, int]] = Counter()
    for (atom, m), count in tally.bonds.items():
        used[classes[atom], m] += count
    total = sum(count for (_, m), count in used.items() if m == 1)
    needy = [atom for atom in sorted(_needy_atoms(mol)) if used[atom, 1]]
    if needy:
        # A hydrogen there is unnatural, so it is the only point, which every tree of several pieces uses.
        return (needy[0],) if classes.count(needy[0]) == 1 else ()
    points: list[int] = []
    for count, orbit in sorted((-used[orbit, 1], orbit) for orbit, m in used if m == 1):
        atoms = [atom for atom, label in enumerate(classes) if label == orbit]
        is_ring = mol.GetAtomWithIdx(orbit).IsInRing()
        most = max(
            m for m in (1, 2, 3) if m == 1 or (not is_ring and used[orbit, m] >= -count * MIN_TWICE_SHARE)
        )
        if -count >= MIN_SHARE * total and len(points) + most * len(atoms) <= MAX_POINTS:
            points += atoms * most
    return tuple(sorted(points))


def derive() -> str:
    """The fragment table as CSV text: smiles, attachment_atoms, molecules (of the source that show it)."""
    with rdBase.BlockLogs():
        tallies = tally_pieces(read_molecules(SOURCE))
        pieces = {
            smiles: SUPPLEMENT.get(smiles) or _seen_points(smiles, tallies[smiles]) for smiles in tallies
        }
        candidates = [Fragment(smiles, points) for smiles, points in (SUPPLEMENT | pieces).items() if points]
        chosen = irreducible([piece for piece in candidates if not unwanted_groups(piece)])
    counts = {piece: tallies[piece.smiles].n_molecules if piece.smiles in tallies else 0 for piece in chosen}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("smiles", "attachment_atoms", "molecules"))
    for piece in sorted(chosen, key=lambda piece: (-counts[piece], piece.smiles)):
        writer.writerow((piece.smiles, " ".join(map(str, piece.points)), counts[piece]))
    return text.getvalue()


def _seen_points(smiles: str, tally: Tally) -> tuple[int, ...]:
    """Attachment atoms of a piece, none for a rare or over-long one."""
    mol = Chem.MolFromSmiles(smiles)
    is_long = mol.GetRingInfo().NumRings() == 0 and mol.GetNumAtoms() > MAX_CHAIN_ATOMS
    return () if is_long or tally.n_molecules < MIN_MOLECULES else choose_points(mol, tally)


def unwanted_groups(piece: Fragment) -> list[str]:
    """Names of unwanted groups in a piece whose points carry hydrogens, or a mark where that is unnatural."""
    mol = Chem.RWMol(Chem.MolFromSmiles(piece.smiles))
    for atom in set(piece.points) & _needy_atoms(mol):
        mol.AddBond(atom, mol.AddAtom(Chem.Atom("At")), Chem.BondType.SINGLE)
    Chem.SanitizeMol(mol)
    return [name for name, smarts in UNWANTED.items() if mol.HasSubstructMatch(_pattern(smarts))]


def irreducible(pieces: list[Fragment]) -> list[Fragment]:
    """The pieces that smaller ones replace neither when one point is used nor when all are.

    Without this rule propyl and three methylenes, anisole and benzene with O and C, ... would write most
    molecules in several ways.
    """
    kept: list[Fragment] = []
    for piece in sorted(
        pieces, key=lambda piece: (Chem.MolFromSmiles(piece.smiles).GetNumAtoms(), piece.smiles)
    ):
        vocabulary = Vocabulary("smaller pieces", (Fragment("[AtH]", (0,)), piece, *kept))
        points = range(len(piece.points))
        for used in [points, *([point] for point in points)]:
            caps = tuple((0, point, node, 0) for node, point in enumerate(used, start=1))
            mol = assemble(vocabulary, FragmentTree((1, *[0] * len(caps)), caps))
            # One cover is the piece itself with its caps.
            if len(find_covers(vocabulary, mol, mol.GetNumAtoms()).trees) > 1:
                break
        else:
            kept.append(piece)
    return kept


def _pieces(mol: Chem.Mol) -> Iterator[tuple[str, Counter[int]]]:
    """Canonical SMILES of each piece of at most 12 atoms, and the cut bonds of its atoms in that order."""
    cuts = cut_bonds(mol)
    n_bonds = Counter(atom for pair in cuts for atom in pair)
    editable = Chem.RWMol(mol)
    for i, j in cuts:
        editable.RemoveBond(i, j)
    for atom, count in n_bonds.items():
        editable.GetAtomWithIdx(atom).SetNumExplicitHs(
            editable.GetAtomWithIdx(atom).GetNumExplicitHs() + count
        )
    Chem.SanitizeMol(editable)
    origins: list[tuple[int, ...]] = []
    for part, origin in zip(
        Chem.GetMolFrags(editable, asMols=True, fragsMolAtomMapping=origins), origins, strict=True
    ):
        if part.GetNumAtoms() <= MAX_ATOMS:
            smiles = Chem.MolToSmiles(part)
            order = part.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"]
            yield (
                smiles,
                Counter({k: n_bonds[origin[atom]] for k, atom in enumerate(order) if n_bonds[origin[atom]]}),
            )


def _piece_numbers(mol: Chem.Mol, cuts: set[tuple[int, int]]) -> dict[int, int]:
    """Number of each atom's piece."""
    editable = Chem.RWMol(mol)
    for i, j in cuts:
        editable.RemoveBond(i, j)
    return {atom: number for number, atoms in enumerate(Chem.GetMolFrags(editable)) for atom in atoms}


def _matched_bonds(mol: Chem.Mol, smarts: Iterable[str]) -> set[tuple[int, int]]:
    """Sorted atom pairs of the matches of two-atom patterns."""
    matches = [match for text in smarts for match in mol.GetSubstructMatches(_pattern(text))]
    return {(min(match), max(match)) for match in matches}


def _needy_atoms(mol: Chem.Mol) -> set[int]:
    return {atom for (atom,) in mol.GetSubstructMatches(_pattern(NEEDS_PARTNER))}


def _is_usual(atom: Chem.Atom) -> bool:
    is_plain = not atom.GetIsotope() and not atom.GetNumRadicalElectrons()
    return is_plain and atom.GetSymbol() in ELEMENTS


@cache
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


if __name__ == "__main__":
    TARGET.write_text(derive(), encoding="utf-8", newline="\n")
    print(f"{TARGET}: {len(TARGET.read_text(encoding='utf-8').splitlines()) - 1} fragments")
