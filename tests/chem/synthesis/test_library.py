from __future__ import annotations

import math

import numpy as np
import pytest
from rdkit import Chem

from fluvial.chem.fingerprints import morgan_fingerprints
from fluvial.chem.synthesis.blocks import Block, embedded_blocks
from fluvial.chem.synthesis.library import embedded_library, library_of_arrays, make_library
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import Template
from fluvial.chem.synthesis.texts import Texts
from fluvial.core.errors import DataError

AMIDE = Template("amide", "", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
NITRILE = Template("nitrile", "", "[c:1]Br>>[c:1]C#N", 1)
BLOCKS = [
    Block("CC(=O)O", "acid", "Shop", 2.5),
    Block("CN", "amine"),
    Block("NCC(=O)O", "both"),
    Block("Nc1ccc(Br)cc1"),
]


def test_bits_say_which_block_can_be_which_reactant():
    library = make_library(BLOCKS, [AMIDE, NITRILE])
    assert library.compatible.shape == (2, 2, 1)
    # lowest bit first: acids are blocks 0 and 2, amines 1, 2 and 3, the bromide 3
    assert library.compatible[:, :, 0].tolist() == [[0b0101, 0b1000], [0b1110, 0]]
    assert library.blocks_for(0, 0).tolist() == [0, 2]
    assert library.blocks_for(0, 1).tolist() == [1, 2, 3]
    assert library.blocks_for(1, 1).tolist() == []


def test_blocks_come_back_as_given():
    library = make_library(BLOCKS, [AMIDE])
    assert [library.block(number) for number in range(4)] == BLOCKS
    assert math.isnan(library.prices[1])
    assert [library.find(block.smiles) for block in BLOCKS] == [0, 1, 2, 3]
    assert library.find("CCCC") is None


def test_fingerprints_are_morgans():
    library = make_library(BLOCKS, [AMIDE])
    expected = [
        list(one) for one in morgan_fingerprints([Chem.MolFromSmiles(b.smiles) for b in BLOCKS], 2, 1024)
    ]
    assert np.unpackbits(library.fingerprints, axis=1, bitorder="little").tolist() == expected


def test_the_hash_tells_contents_apart():
    library = make_library(BLOCKS, [AMIDE])
    again = library_of_arrays(library.arrays(), library.templates)
    assert again.fingerprint == library.fingerprint == make_library(BLOCKS, [AMIDE]).fingerprint
    others = [
        make_library(BLOCKS[:3], [AMIDE]),
        make_library(BLOCKS, [NITRILE]),
        make_library([*BLOCKS[:3], Block("Nc1ccc(Br)cc1", price=1.0)], [AMIDE]),
        make_library([Block("CC(=O)O", "aci", "Shop", 2.5), *BLOCKS[1:]], [AMIDE]),
    ]
    assert len({library.fingerprint, *(other.fingerprint for other in others)}) == 5


@pytest.mark.parametrize(
    ("blocks", "templates", "said"),
    [
        ([], [AMIDE], "at least one block"),
        (BLOCKS, [], "one template"),
        ([Block("CN"), Block("C(")], [AMIDE], "block 1, 'C\\(', is no molecule"),
        ([Block("")], [AMIDE], "is no molecule"),
        ([Block("OC(C)=O")], [AMIDE], "not canonical; write 'CC\\(=O\\)O'"),
        ([Block("CN"), Block("CO"), Block("CN")], [AMIDE], "blocks 0 and 2 are both 'CN'"),
    ],
)
def test_what_makes_no_library(blocks, templates, said):
    with pytest.raises(DataError, match=said):
        make_library(blocks, templates)


def test_texts_are_a_sequence():
    texts = Texts.of(["a", "", "äß", "b"])
    assert list(texts) == ["a", "", "äß", "b"]
    assert (texts[-1], texts[np.int64(2)], texts[1:3], len(texts)) == ("b", "äß", ["", "äß"], 4)
    assert "äß" in texts
    with pytest.raises(IndexError):
        texts[4]
    assert list(Texts.of([])) == []


def test_the_packaged_library_uses_every_template():
    library = embedded_library()
    assert 300 <= len(library) <= 1000
    assert [block.smiles for block in embedded_blocks()] == list(library.smiles)
    for number, template in enumerate(library.templates):
        for position in range(template.n_reactants):
            partners = library.blocks_for(number, position)
            assert len(partners), template.identifier
            first = Chem.MolFromSmiles(library.smiles[partners[0]])
            assert Reaction(template).matches(first, position)
