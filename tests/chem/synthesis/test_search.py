from __future__ import annotations

import itertools

import pytest

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.retro import Disconnections
from fluvial.chem.synthesis.routes import runs
from fluvial.chem.synthesis.search import RouteSearch
from fluvial.chem.synthesis.templates import Template
from fluvial.core.errors import DataError

AMIDE = Template("amide", "", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
CYANATION = Template("cn", "", "[c:1][Br]>>[c:1]C#N", 1)
BLOCKS = [
    Block("CC(=O)O", price=1.0),
    Block("Nc1ccc(Br)cc1", price=2.0),
    Block("N#Cc1ccc(N)cc1", price=9.0),
    Block("CN"),
]
NITRILE = "CC(=O)Nc1ccc(C#N)cc1"


def search(most_reactions=3, clock=None, blocks=BLOCKS):
    disconnections = Disconnections(make_library(blocks, [AMIDE, CYANATION]))
    return RouteSearch(disconnections, most_reactions, **({} if clock is None else {"clock": clock}))


def test_all_routes_of_a_molecule_shorter_and_cheaper_first():
    found = search().routes(NITRILE)
    assert found.is_complete
    assert found.n_reactions == 1
    assert [(len(route.steps), route.price) for route in found.routes] == [(1, 10.0), (2, 3.0), (2, 3.0)]
    assert {tuple(step.template.identifier for step in route.steps) for route in found.routes} == {
        ("amide",),
        ("amide", "cn"),
        ("cn", "amide"),
    }
    assert all(runs(route) for route in found.routes)


def test_a_block_has_a_route_without_steps():
    found = search().routes("OC(C)=O")
    assert found.n_reactions == 0
    assert found.routes[0].product == "CC(=O)O"
    assert found.routes[0].price == 1.0
    # the nitrile is a block and can be made as well
    assert [len(route.steps) for route in search().routes("N#Cc1ccc(N)cc1").routes] == [0, 1]


def test_what_cannot_be_made_has_none():
    found = search().routes("CCCC(=O)Nc1ccccc1")
    assert found.routes == ()
    assert found.is_complete
    assert found.n_reactions is None


def test_the_limit_of_reactions_holds():
    assert [len(route.steps) for route in search(1).routes(NITRILE).routes] == [1]
    assert search(0).routes(NITRILE).routes == ()


def test_the_limit_of_routes_says_that_there_are_more():
    found = search().routes(NITRILE, most=2)
    assert len(found.routes) == 2
    assert not found.is_complete
    assert search().routes(NITRILE, most=3).is_complete


def test_when_time_is_up_the_answer_is_what_was_found():
    ticks = itertools.count()
    found = search(clock=lambda: float(next(ticks))).routes(NITRILE, seconds=4.0)
    assert not found.is_complete
    assert [len(route.steps) for route in found.routes] == [1]


def test_two_blocks_make_one_route():
    assert len(search(1).routes("CNC(C)=O").routes) == 1


def test_text_that_is_no_molecule():
    with pytest.raises(DataError, match="no valid SMILES"):
        search().routes("C(")


def test_can_be_made_counts_exactly():
    searched = search()
    assert [searched.can_be_made(NITRILE, n) for n in range(4)] == [False, True, True, False]
