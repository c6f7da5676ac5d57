"""Compose the packaged building blocks of cores and reactive handles.

    python scripts/compose_blocks.py

rewrites `src/fluvial/chem/data/blocks.csv`, byte for byte the same on each run with the same RDKit. With
`--count N --to FILE` it enumerates a large set instead, for measuring: aromatic amines, acids and their like
whose rings carry one to three substituents, in a fixed order. None of these is said to be for sale.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from rdkit import Chem, rdBase

TARGET = Path(__file__).parents[1] / "src" / "fluvial" / "chem" / "data" / "blocks.csv"
PREFIX = "FB"

ARENES = (
    *("{}c1ccccc1", "{}c1ccc(F)cc1", "{}c1cccc(F)c1", "{}c1ccccc1F", "{}c1ccc(Cl)cc1", "{}c1cccc(Cl)c1"),
    *("{}c1ccc(C)cc1", "{}c1ccccc1C", "{}c1ccc(OC)cc1", "{}c1cccc(OC)c1", "{}c1ccccc1OC"),
    *("{}c1ccc(C(F)(F)F)cc1", "{}c1cccc(C(F)(F)F)c1", "{}c1ccc(C#N)cc1", "{}c1ccc(F)c(F)c1"),
    *("{}c1ccc2ccccc2c1", "{}c1ccc2OCOc2c1", "{}c1ccc(-c2ccccc2)cc1", "{}c1ccc(C(C)C)cc1"),
)
ON_ARENES = (
    *("Br", "OB(O)", "OC(=O)", "N", "O=C", "C#C", "N#C", "ClS(=O)(=O)", "O", "BrC", "NC", "O=C=N"),
    *("OC", "CC(=O)", "NNC(=O)", "NN"),
)
HETARENES = (
    *("{}c1cccnc1", "{}c1ccncc1", "{}c1cncnc1", "{}c1ccsc1", "{}c1cnn(C)c1", "{}c1c(C)noc1C"),
    *("{}c1ccc(C)nc1", "{}c1ccc2ncccc2c1", "{}c1ccc2c(c1)cnn2C", "{}c1ccc2[nH]ccc2c1", "{}c1ccc(OC)nc1"),
    *("{}c1ccc2ncsc2c1", "{}c1ccc(N2CCOCC2)nc1"),
)
ON_HETARENES = ("Br", "OB(O)", "OC(=O)", "N", "O=C", "NC", "OC", "C#C")
ALKYLS = (
    *("{}CC", "{}CCC", "{}CC(C)C", "{}CC1CC1", "{}CCOC", "{}CC1CCOCC1", "{}CCc1ccccc1", "{}CC(F)(F)F"),
    *("{}CC1CCCCC1", "{}CCC(C)C", "{}CC1CCCO1", "{}CC1CCN(C(=O)OC(C)(C)C)CC1"),
)
ON_ALKYLS = ("N", "OC(=O)", "O", "Br", "O=C", "C#C", "[N-]=[N+]=N", "O=C=N", "ClS(=O)(=O)")
RINGS = (
    *("{}C1CC1", "{}C1CCC1", "{}C1CCCC1", "{}C1CCCCC1", "{}C1CCOCC1", "{}C1COC1", "{}C1CCN(C)CC1"),
    *("{}C1CCN(C(=O)OC(C)(C)C)CC1", "{}C1CCCN(C(=O)OC(C)(C)C)C1", "{}C1CN(C(=O)OC(C)(C)C)C1"),
)
ON_RINGS = ("N", "OC(=O)", "O", "O=C", "NC", "Br")

SECONDARY_AMINES = """
C1CCNC1 C1CCNCC1 C1COCCN1 CN1CCNCC1 C1CSCCN1 C1CNC1 C1CCCNCC1 CC1CCNCC1 FC1CCNCC1 OC1CCNCC1 COC1CCNCC1
FC1(F)CCNCC1 c1ccc(C2CCNCC2)cc1 c1ccc(N2CCNCC2)cc1 CC(=O)N1CCNCC1 CS(=O)(=O)N1CCNCC1 CC(C)(C)OC(=O)N1CCNCC1
C1CC2CNCC2C1 C1CC2(C1)CNC2 c1ccc2CNCCc2c1 c1ccc2NCCc2c1 C1CNCCOC1 CNC CNCC CNCc1ccccc1 CNC1CCCCC1 CCNCC
CN1CCNCC1=O O=C1CNCCN1 FC1CNC1 COC1CNC1 CC1COCC(C)N1 C1COCC2(O1)CCNCC2 O=C1CCCNC1 OCC1CCNCC1 OC1CCNC1
FC(F)(F)C1CCNCC1 N#CC1CCNCC1 CN1CCC2(CC1)CNC2 c1cncc(N2CCNCC2)c1 Cc1ccccc1N1CCNCC1 C1CC(N2CCCC2)CCN1
"""
CARBONYLS = """
O=C1CCCC1 O=C1CCCCC1 O=C1CCOCC1 CN1CCC(=O)CC1 O=C1CCN(C(=O)OC(C)(C)C)CC1 O=C1CN(C(=O)OC(C)(C)C)C1 O=C1CCSCC1
CC(C)=O CCC(C)=O O=C1CCc2ccccc21 O=C1CCCc2ccccc21 CC(=O)CC(C)=O CC(=O)CC(=O)c1ccccc1 CC(=O)CCC(C)=O
COC(=O)CBr CCOC(=O)CBr CCOC(=O)c1ccccc1 COC(=O)c1cccnc1 CCOC(=O)C1CCNCC1 COC(=O)CN O=C(CBr)c1ccccc1
O=C(CBr)c1ccc(F)cc1 O=C(CBr)c1ccc(OC)cc1 CC(=O)CCl CC(C)(C)OC(=O)CBr COC(=O)c1ccc(Br)cc1
COC(=O)c1ccc(B(O)O)cc1 COC(=O)c1ccc(N)cc1 COC(=O)c1cccc(O)c1 CC(=O)Cl O=C(Cl)c1ccccc1 O=C(Cl)C1CC1 COC(=O)Cl
CC(C)COC(=O)Cl O=C(Cl)OCc1ccccc1 C=CC(=O)OC C=CC(=O)N1CCOCC1 C=CC#N C=CC(=O)N C=Cc1ccccc1 C=Cc1ccncc1
N#CCC#N N#CCC(=O)OCC O=C1CCC(=O)N1 O=C1NC(=O)c2ccccc21 O=C1CCCN1 O=C1CCCCN1 O=C1COCCN1 O=C1NCCO1 CC(N)=O
NC(=O)c1ccccc1 CNC(=O)c1ccccc1
"""
BIFUNCTIONAL = """
Nc1ccc(Br)cc1 Nc1cccc(Br)c1 Nc1ccccc1Br OC(=O)c1ccc(Br)cc1 OC(=O)c1cccc(Br)c1 OC(=O)c1ccc(Br)nc1
O=Cc1ccc(Br)cc1 O=Cc1cccc(Br)c1 O=Cc1cccc(B(O)O)c1 OC(=O)c1ccc(B(O)O)cc1 NCc1ccc(Br)cc1 Oc1ccc(Br)cc1
Oc1cccc(Br)c1 C#Cc1ccc(N)cc1 OC(=O)c1ccc(C=O)cc1 OC(=O)c1ccc(I)cc1 Fc1ccc(I)cc1 Ic1ccccc1 Ic1cccnc1
Ic1ccncc1 CC(C)(C)OC(=O)NCC(=O)O CC(C)(C)OC(=O)NCCC(=O)O CC(NC(=O)OC(C)(C)C)C(=O)O
CC(C)(C)OC(=O)N1CCCC1C(=O)O CC(C)(C)OC(=O)NCCN CC(C)(C)OC(=O)NCCCN CC(C)(C)OC(=O)NC1CCNCC1
CC(C)(C)OC(=O)NC1CCNC1 CC(C)(C)OC(=O)NC1CCCCC1N CC(C)(C)OC(=O)NCc1ccc(B(O)O)cc1
CC(C)(C)OC(=O)Nc1ccc(B(O)O)cc1 CC(C)(C)OC(=O)N1CC=C(B(O)O)CC1 CC(C)(C)OC(=O)N1CC=C(B2OC(C)(C)C(C)(C)O2)CC1
OB(O)C1=CCCCC1 OB(O)C1=CCOCC1 CC1(C)OB(c2cnn(C)c2)OC1(C)C CC1(C)OB(c2cn[nH]c2)OC1(C)C
CC1(C)OB(c2ccncc2)OC1(C)C O=C(OCc1ccccc1)N1CCC(C(=O)O)CC1 O=C(OCc1ccccc1)N1CCNCC1 OC(=O)c1ccc(O)cc1
OC(=O)c1cccc(O)c1 OC(=O)CCBr OCCBr OCCCBr C#CCN C#CCO C#CCBr C#CCCC(=O)O OC(=O)CN=[N+]=[N-]
[N-]=[N+]=NCc1ccccc1 [N-]=[N+]=NCc1ccc(F)cc1 [N-]=[N+]=Nc1ccccc1 [N-]=[N+]=NCCO OC(=O)CCC(=O)OC
Nc1ccc([N+](=O)[O-])cc1 Fc1ccc([N+](=O)[O-])cc1 Fc1ccccc1[N+](=O)[O-] N#Cc1ccc(F)cc1 N#Cc1ccccc1F
OC(=O)c1ccc([N+](=O)[O-])cc1 OC(=O)c1cccc([N+](=O)[O-])c1 Brc1ccc([N+](=O)[O-])cc1 Oc1ccc([N+](=O)[O-])cc1
OB(O)c1cccc([N+](=O)[O-])c1 Fc1cc(Br)ccc1[N+](=O)[O-] OC(=O)c1ccc(F)c([N+](=O)[O-])c1 N#Cc1cc(Br)ccc1F
Nc1ccc(N2CCOCC2)cc1 Nc1ccc(S(C)(=O)=O)cc1 Nc1cccc(C(N)=O)c1 NS(=O)(=O)c1ccc(N)cc1 Nc1ccc(OC(F)(F)F)cc1
"""
HETEROCYCLES = """
Clc1ncccn1 Clc1ccncn1 Clc1ccccn1 Clc1ccc(C(F)(F)F)cn1 Clc1ncc(Br)cn1 Clc1nccc(Cl)n1 Clc1ccnc2ccccc12
Clc1ncnc2ccccc12 Fc1ccccn1 Fc1ccc(Br)cn1 Clc1ccc(C(=O)O)cn1 Clc1ncnc2[nH]ccc12 Clc1ccc2nccn2n1 Clc1cnccn1
Clc1ccc(N)cn1 Brc1ccccn1 Brc1ncccn1 Brc1cncnc1 Brc1nccs1 Brc1cccs1 Brc1cnn(C)c1 Brc1ccc2[nH]ccc2c1
Brc1cn[nH]c1 Brc1ccc2ncccc2c1 c1cn[nH]c1 c1c[nH]cn1 c1nc[nH]n1 Cc1cc(C)[nH]n1 Cc1cn[nH]c1 FC(F)(F)c1cc[nH]n1
c1ccc2[nH]ccc2c1 c1ccc2[nH]cnc2c1 c1ccc2[nH]ncc2c1 c1cnc2[nH]ccc2c1 OC(=O)c1cc[nH]n1 OC(=O)c1cn(C)cn1
OC(=O)c1ccco1 OC(=O)c1cccs1 OC(=O)c1ccccn1 OC(=O)c1cnccn1 OC(=O)c1csc(C)n1 OC(=O)c1cnn(C)c1 OC(=O)c1ccon1
OC(=O)c1cc(C)on1 OC(=O)c1cc2ccccc2[nH]1 O=Cc1ccco1 O=Cc1cccs1 O=Cc1ccccn1 O=Cc1c[nH]c2ccccc12 O=Cc1cn(C)cn1
O=Cc1nccs1 Nc1ccccn1 Nc1ncccn1 Nc1nccs1 Nc1ccc(Br)cn1 Nc1cccc(C)n1 Nc1cnccn1 Nc1cc(C)on1 Nc1nc2ccccc2s1
Nc1cnn(C)c1 Nc1ccccc1N Nc1cc(F)ccc1N Nc1cc(C(F)(F)F)ccc1N Nc1ccc(C(=O)O)cc1N Nc1cccnc1N CNc1ccccc1N
CNc1ccc(Br)cc1N Nc1ccccc1O Nc1cc(Cl)ccc1O Nc1ccc(F)cc1O Nc1ccccc1S Nc1cc(Cl)ccc1S Nc1ccccc1C(=O)O
Nc1cc(F)ccc1C(=O)O Nc1ccc(Br)cc1C(=O)O Nc1ccccc1C=O Nc1ncccc1C=O NCCc1c[nH]c2ccccc12 NCCc1c[nH]c2ccc(OC)cc12
NC(=N)c1ccccc1 CC(N)=N NC(=N)C1CC1 NNc1ccc(F)cc1 NNc1ccccn1 CC(N)=S NC(=S)c1ccccc1 NC(=S)c1cccnc1 NC(N)=S
CNC(N)=S NNC(=S)NC NNC(=S)Nc1ccccc1 S=C=Nc1ccccc1 S=C=Nc1ccc(F)cc1 CN=C=S O=C=Nc1ccc(Cl)c(Cl)c1
O=C=NC1CCCCC1 C1OC1C C1OC1c1ccccc1 C1OC1COc1ccccc1 C1OC1C(F)(F)F C1OC11CCN(C(=O)OC(C)(C)C)CC1 Sc1ccccc1
Sc1ccc(F)cc1 SCC SCc1ccccc1 Sc1ccccn1 Oc1cccnc1 Oc1ccncc1 Oc1cccc2ncccc12 Oc1ccc2[nH]ccc2c1
Oc1ccc(N2CCOCC2)cc1 CSc1ccccc1 CSc1ccc(C(=O)O)cc1 CSc1ccc(B(O)O)cc1 CS(=O)(=O)Cl O=S(=O)(Cl)C1CC1
Cc1cc(S(=O)(=O)Cl)c(C)o1 O=S(=O)(Cl)c1cccs1
"""

SUBSTITUENTS = (
    *("F", "Cl", "C", "CC", "C(C)C", "OC", "OCC", "C(F)(F)F", "C#N", "OC(F)(F)F", "N(C)C", "SC", "C1CC1"),
    *("S(C)(=O)=O", "C(=O)N(C)C", "CO", "COC", "OCC(F)(F)F", "C(=O)OC", "N1CCOCC1", "n1cccn1", "OC1CCOCC1"),
    *("C(F)F", "CC(C)C", "OCC1CC1", "C(C)(C)C", "N1CCCC1", "c1ccccc1", "Oc1ccccc1", "CC#N", "OCCOC", "C=C"),
)
"""What the rings of a large set carry besides their handle."""
LARGE_HANDLES = (
    *("N", "OC(=O)", "Br", "OB(O)", "O=C", "NC", "O", "C#C", "N#C", "BrC", "ClS(=O)(=O)", "O=C=N", "OC"),
    *("CC(=O)", "NNC(=O)", "CNC", "OC(=O)C", "NCC", "[N-]=[N+]=NC", "OCC", "BrCC", "S", "I", "OC(=O)CC"),
    *("C1CNCCN1", "C1CCNC1", "OC(=O)COC", "NC(=O)", "CC1(C)OB(OC1(C)C)", "O=CC"),
)


def composed() -> list[str]:
    """Canonical SMILES of the packaged blocks, small ones first."""
    pairs = ((ARENES, ON_ARENES), (HETARENES, ON_HETARENES), (ALKYLS, ON_ALKYLS), (RINGS, ON_RINGS))
    texts = [core.format(handle) for cores, handles in pairs for core in cores for handle in handles]
    written = [*texts, *" ".join((SECONDARY_AMINES, CARBONYLS, BIFUNCTIONAL, HETEROCYCLES)).split()]
    return sorted({_canonical(text) for text in written}, key=lambda text: (_n_atoms(text), text))


def enumerated() -> Iterator[str]:
    """Canonical SMILES of ever more blocks, each once: a ring, a handle, and one to three substituents."""
    seen = set(composed())
    yield from sorted(seen)
    with rdBase.BlockLogs():
        for text in _written():
            mol = Chem.MolFromSmiles(text)
            smiles = "" if mol is None else Chem.MolToSmiles(mol)
            if smiles and smiles not in seen:
                seen.add(smiles)
                yield smiles


def _written() -> Iterator[str]:
    rings = (
        *("{0}c1ccc({1})cc1", "{0}c1cccc({1})c1", "{0}c1ccccc1{1}", "{0}c1ccc({1})nc1", "{0}c1cncc({1})c1"),
        *("{0}c1ccc({1})c({2})c1", "{0}c1cc({1})cc({2})c1", "{0}c1ccc({2})cc1{1}", "{0}c1cnc({1})c({2})c1"),
        *("{0}c1c({1})cccc1{2}", "{0}c1cc({1})nc({2})c1", "{0}c1cnc({1})nc1{2}"),
        *("{0}c1cc({1})c({2})cc1{3}", "{0}c1c({1})cc({2})cc1{3}", "{0}c1cc({1})c({2})c({3})c1"),
        *("{0}c1c({1})c({2})cnc1{3}", "{0}c1cc({1})c({2})nc1{3}"),
    )
    for ring in rings:
        n_open = ring.count("{") - 1
        for handle, *others in itertools.product(LARGE_HANDLES, *[SUBSTITUENTS] * n_open):
            # Substituents get ring numbers of their own, because the core's ring is still open there.
            yield ring.format(handle, *[_renumbered(text, 3 + place) for place, text in enumerate(others)])


def _renumbered(text: str, number: int) -> str:
    return "".join(str(number) if letter == "1" else letter for letter in text)


def _canonical(text: str) -> str:
    mol = Chem.MolFromSmiles(text)
    if mol is None:
        raise SystemExit(f"'{text}' is no molecule; correct it in this script.")
    Chem.RemoveStereochemistry(mol)
    return str(Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(mol))))


def _n_atoms(text: str) -> int:
    return int(Chem.MolFromSmiles(text).GetNumAtoms())


def table(smiles: Sequence[str]) -> str:
    """The table of the packaged blocks as text."""
    rows = [f"{text},{PREFIX}{number:04d}" for number, text in enumerate(smiles, 1)]
    return "\n".join(["smiles,id", *rows]) + "\n"


def main() -> None:
    """Write the packaged blocks, or as many as are asked for."""
    parser = argparse.ArgumentParser(description="Compose building blocks.")
    parser.add_argument("--count", type=int, default=0, help="how many to enumerate; 0 for the packaged set")
    parser.add_argument("--to", type=Path, default=TARGET, help="the file to write")
    asked = parser.parse_args()
    if not asked.count:
        asked.to.write_text(table(composed()), encoding="ascii", newline="\n")
        return
    with asked.to.open("w", encoding="ascii", newline="\n") as stream:
        stream.write("smiles,id\n")
        number = 0
        for number, smiles in enumerate(itertools.islice(enumerated(), asked.count), 1):
            stream.write(f"{smiles},E{number:07d}\n")
    if number < asked.count:
        raise SystemExit(f"there are only {number} different ones.")


if __name__ == "__main__":
    main()
