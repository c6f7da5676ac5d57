"""A space of reactions that can be listed."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import BlockLibrary, make_library
from fluvial.chem.synthesis.templates import Template, load_templates
from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.envs.synthesis.environment import Syntheses

BLOCKS = (
    "NCc1ccccc1",
    "O=C(O)c1ccc(Br)cc1",
    "OB(O)c1ccccc1",
    "O=Cc1ccccc1",
    "CC(=O)O",
    "O=C(O)CCN",
    "NN",
    "Nc1ccccc1",
    "Clc1ccncc1",
    "C#CCO",
    "CCBr",
    "O=C1CCNCC1",
)


def library_of(blocks: Sequence[str], templates: Sequence[Template]) -> BlockLibrary:
    return make_library([Block(text) for text in sorted(map(Chem.CanonSmiles, blocks))], templates)


def hartenfeller_button(blocks: Sequence[str] = BLOCKS) -> BlockLibrary:
    """With 105 published templates; tests that need them are skipped where the file is not there."""
    if "FLUVIAL_ASSETS" not in os.environ:
        pytest.skip("needs hartenfeller_button_templates.txt in the folder named by FLUVIAL_ASSETS")
    return library_of(blocks, load_templates("hartenfeller-button"))


def objects(env: Syntheses) -> list[str]:
    graph = enumerate_states(env, identity=labelled_identity)
    return env.decode(graph.states[graph.is_terminal])
