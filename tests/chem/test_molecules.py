from __future__ import annotations

import pytest

from fluvial.chem.molecules import canonical_smiles, inchi_key, parse_smiles
from fluvial.core.errors import DataError


def test_parse_and_write_canonical_smiles() -> None:
    assert canonical_smiles(parse_smiles(" C1=CC=CC=C1O\n")) == "Oc1ccccc1"


def test_stereo_marks_are_kept() -> None:
    assert canonical_smiles(parse_smiles("C[C@H](N)C(=O)O")) == "C[C@H](N)C(=O)O"


def test_inchi_key_of_aspirin() -> None:
    assert inchi_key(parse_smiles("CC(=O)Oc1ccccc1C(=O)O")) == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"


def test_inchi_key_of_an_unwritable_molecule() -> None:
    with pytest.raises(DataError, match="InChI cannot write"):
        inchi_key(parse_smiles("*"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty text"),
        ("   ", "empty text"),
        ("C(C", "grammar is broken"),
        ("c1ccccc", "grammar is broken"),
        ("Q", "grammar is broken"),
        ("CCO ethanol", "blanks"),
        ("C(C)(C)(C)(C)C", "Explicit valence for atom # 0 C, 5, is greater than permitted"),
        ("c1cccc1", "Can't kekulize mol"),
        ("[13CH453]C", "RDKit cannot sanitise it"),
    ],
)
def test_a_refused_text_is_named_with_the_reason(
    text: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError) as caught:
        parse_smiles(text)
    assert reason in str(caught.value)
    assert text.strip() in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_long_refused_text_is_shortened() -> None:
    with pytest.raises(DataError) as caught:
        parse_smiles("C" * 5000 + "(")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("C" * 2001, r"'C{200}…' has 2001 characters; a SMILES may have 2000\."),
        ("CC\u00e9", r"'CC\\xe9' is no valid SMILES: it holds characters that are not ASCII\."),
        ("CC\ud800", r"'CC\\ud800' is no valid SMILES: it holds characters that are not ASCII\."),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_before_it_is_tried(text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parse_smiles(text)
