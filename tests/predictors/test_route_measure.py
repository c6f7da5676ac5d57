from __future__ import annotations

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.library_file import write_library
from fluvial.chem.synthesis.templates import Template
from fluvial.config.file import load_config
from fluvial.core.errors import ConfigError
from fluvial.predictors.registry import ROUTE_MEASURES, route
from fluvial.predictors.routes import MEASURES
from fluvial.train.terms import terms_to_read

AMIDE = Template("amide", "", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
SMILES = ("CN", "CNC(C)=O", "CCCC", "CCNC(C)=O")


@pytest.fixture
def library(tmp_path):
    blocks = [Block("CC(=O)O", price=2.5), Block("CN", price=1.0), Block("CCN")]
    write_library(make_library(blocks, [AMIDE]), tmp_path / "own.library", {})
    return tmp_path / "own.library"


def measured(library, **options):
    return route(str(library), **options).load()([Chem.MolFromSmiles(text) for text in SMILES])


def test_the_fewest_reactions(library):
    assert measured(library, most_reactions=2).values.tolist() == [0.0, 1.0, 3.0, 1.0]


def test_the_price_of_the_cheapest_route(library):
    found = measured(library, measure="price")
    assert found.values.tolist()[:2] == [1.0, 3.5]
    assert found.reasons == ("", "", "no route was found", "no route has a known price")


def test_measures_have_descriptions():
    assert set(MEASURES) == set(ROUTE_MEASURES)
    with pytest.raises(ConfigError, match="unknown measure of routes 'cost'"):
        route(measure="cost")


def test_a_term_of_a_configuration_names_its_library(library):
    path = library.parent / "run.toml"
    path.write_text(
        '[env]\nkind = "fragments"\n[[reward.term]]\nkind = "route"\nlibrary = "own.library"\nmost_reactions = 2\n'
    )
    (term,) = terms_to_read(load_config(path).config)
    assert term.kind == "route"
    assert "at most 2 reactions in the library own.library" in term.source


def test_prices_need_a_transform(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[env]\nkind = "fragments"\n[[reward.term]]\nkind = "route"\nmeasure = "price"\n')
    with pytest.raises(ConfigError, match="must be given with measure = 'price'"):
        load_config(path)
