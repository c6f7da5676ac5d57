from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.symmetry import closed_points, point_classes
from fluvial.chem.vocabulary import (
    Fragment,
    Vocabulary,
    fragment_mol,
    hydrogens_after,
    load_vocabulary,
    read_action_list,
    read_vocabulary,
)
from fluvial.core.errors import DataError

HEADER = "smiles,attachment_atoms\n"


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problem(folder: Path, text: str | bytes) -> str:
    path = table(folder, text)
    with pytest.raises(DataError) as caught:
        read_vocabulary(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def bengio_table() -> Path:
    path = Path(os.environ.get("FLUVIAL_ASSETS", "")) / "fragments_bengio2021_72.csv"
    if not path.is_file():
        pytest.skip("needs fragments_bengio2021_72.csv in the folder named by FLUVIAL_ASSETS")
    return path


def test_a_table_becomes_fragments_in_its_order(tmp_path: Path) -> None:
    found = read_vocabulary(table(tmp_path, HEADER + "c1ccccc1,0 1 2\nS,0 0\n"))
    assert found == Vocabulary("table", (Fragment("c1ccccc1", (0, 1, 2)), Fragment("S", (0, 0))))
    assert [mol.GetNumAtoms() for mol in found.mols] == [6, 1]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfsmiles,attachment_atoms\r\nCO,0  1\r\n\r\n",
        b"\n\nsmiles , attachment_atoms\n\nCO,0 1\n,\n   \n",
        b"count,attachment_atoms,smiles,note\n7,0 1,CO,methanol\n",
        b'smiles,attachment_atoms\n"CO","0 1"',
    ],
)
def test_layout_does_not_matter(tmp_path: Path, text: bytes) -> None:
    assert read_vocabulary(table(tmp_path, text)).fragments == (Fragment("CO", (0, 1)),)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("C(C,0", "'C(C' is no valid SMILES"),
        ("CO,2", "'CO' lists atom 2, but its atoms are 0 to 1"),
        ("CO,-1", "lists '-1', which is no atom index"),
        ("CO,x", "lists 'x', which is no atom index"),
        ("CO,0 00", "lists '00', which is no atom index"),
        ("CO,1.0", "lists '1.0', which is no atom index"),
        ("FC(F)F,0", "lists atom 0 (F) 1 time(s), but it has no free valence for that: it has 0 hydrogen(s)"),
        (
            "c1ccccc1,0 0",
            "lists atom 0 (C) 2 time(s), but it has no free valence for that: it has 1 hydrogen(s)",
        ),
        ("c1cn[nH]c1,2", "lists atom 2 (N) 1 time(s)"),
        ("CCO.Cl,0", "has several components"),
        ("CO,", "has no attachment atom"),
        ("CO", "has no attachment atom"),
        (",0", "an empty text is no SMILES"),
        ("C[C@H](N)O,0", "has stereo marks, which are not supported"),
        ("C/C=C/C,0", "has stereo marks, which are not supported"),
        ("*c1ccccc1,1", "has dummy or mapped atoms"),
        ("[CH3:1]O,0", "has dummy or mapped atoms"),
        ("[H]c1ccccc1,1", "writes hydrogens as atoms"),
        ("C1CCCCC1,0 0 1 1 2 2 3 3 4 4 5 5 0", "has 13 attachment points; 12 are the most"),
    ],
)
def test_a_faulty_row_is_named_with_line_and_cause(tmp_path: Path, row: str, cause: str) -> None:
    message = problem(tmp_path, f"{HEADER}N,0\n\n{row}\n")
    assert "line 4: " in message
    assert cause in message


def test_duplicates_are_found_by_molecule(tmp_path: Path) -> None:
    message = problem(tmp_path, HEADER + "CO,0\nOC,0\n")
    assert "1 problem(s)" in message
    assert "line 3: 'OC' is the same molecule as the fragment of line 2" in message


def test_all_problems_are_counted_and_twenty_shown(tmp_path: Path) -> None:
    message = problem(tmp_path, HEADER + "".join(f"{'C' * n}(,0\n" for n in range(1, 26)))
    assert "25 problem(s)" in message
    assert message.count("line ") == 20
    assert message.endswith("and 5 more")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("smiles,atoms\nCO,0\n", "lacks the column(s) attachment_atoms"),
        ("smiles,attachment_atoms\n", "holds no fragment"),
        ("", "holds no fragment"),
        ("smiles,attachment_atoms\nC\0O,0\n", "line 2: "),
        ("smiles,attachment_atoms\nCO,0\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_faulty_file_is_named_with_the_cause(tmp_path: Path, text: str | bytes, cause: str) -> None:
    assert cause in problem(tmp_path, text)


def test_a_missing_file_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_vocabulary(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"neither a file nor a named vocabulary.*Did you mean 'default'"):
        load_vocabulary("defualt")


def test_load_reads_a_path(tmp_path: Path) -> None:
    assert load_vocabulary(str(table(tmp_path, HEADER + "CO,0\n"))).fragments == (Fragment("CO", (0,)),)


def test_hydrogens_after_bonds() -> None:
    def after(smiles: str, atom: int) -> list[int | None]:
        return [hydrogens_after(fragment_mol(Fragment(smiles, ())), atom, n) for n in range(4)]

    assert after("N", 0) == [3, 2, 1, 0]
    assert after("c1cn[nH]c1", 3) == [1, 0, None, None]
    assert after("O=S=O", 1) == [0, 1, 0, None]
    assert after("FC(F)F", 0) == [0, None, None, None]


def test_the_default_vocabulary() -> None:
    found = load_vocabulary("default")
    assert found.name == "default"
    assert 70 <= len(found.fragments) <= 110
    by_smiles = {fragment.smiles: fragment.points for fragment in found.fragments}
    assert by_smiles["c1ccccc1"] == (0, 1, 2, 3, 4, 5)
    assert by_smiles["C1COCCN1"] == (5,)
    assert by_smiles["NC=O"] == (0, 0, 1)
    for fragment in found.fragments:
        assert 1 <= len(fragment.points) <= 6
        assert closed_points(fragment) == fragment.points


def test_equal_vocabularies_hash_alike() -> None:
    first, second = (Vocabulary("v", (Fragment("CO", (0,)),)) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)


def test_an_action_list_is_merged_by_fragment(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    names, smiles, atoms = {"0": "CO_0", "1": "CO_1", "2": "N_0"}, {"0": "CO", "1": "CO", "2": "N"}, {}
    atoms = {"0": [0, 1], "1": [1, 0, 0], "2": [0]}
    path.write_text(json.dumps({"block_name": names, "block_smi": smiles, "block_r": atoms}))
    found = read_action_list(path, "small")
    assert found == Vocabulary("small", (Fragment("CO", (0, 1)), Fragment("N", (0,))))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[1]", "not a fragment action list"),
        ("{", "not a fragment action list"),
        ('{"block_smi": {"0": "CO"}, "block_r": {}}', "not a fragment action list"),
        ('{"block_smi": {"0": "CO"}, "block_r": {"0": [9]}}', "fragment 'CO': 'CO' lists atom 9"),
    ],
)
def test_a_faulty_action_list(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(DataError, match=cause):
        read_action_list(path, "small")


def test_the_published_action_list_is_the_published_table() -> None:
    def identities(vocabulary: Vocabulary) -> set[tuple[str, tuple[int, ...]]]:
        return {
            (canonical_smiles(fragment_mol(f)), tuple(sorted(closed_points(f)))) for f in vocabulary.fragments
        }

    as_table, as_list = read_vocabulary(bengio_table()), load_vocabulary("bengio2021")
    assert as_list.name == "bengio2021"
    for vocabulary in (as_table, as_list):
        fragments = vocabulary.fragments
        assert len(fragments) == 72
        assert sum(len(fragment.points) for fragment in fragments) == 127
        assert sum(len(set(point_classes(fragment))) for fragment in fragments) == 105
    assert identities(as_list) == identities(as_table)
