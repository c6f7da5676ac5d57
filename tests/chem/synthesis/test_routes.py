from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.routes import (
    ROW_COLUMNS,
    Route,
    as_json,
    as_rows,
    as_text,
    from_json,
    runs,
    step_of,
)
from fluvial.chem.synthesis.templates import Template
from fluvial.core.errors import DataError

AMIDE = Template("amide", "amide coupling", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
CYANATION = Template("cn", "cyanation", "[c:1]Br>>[c:1]C#N", 1)
BROMIDE, ACID = "Nc1ccc(Br)cc1", "CC(=O)O"
BROMO_AMIDE, NITRILE = "CC(=O)Nc1ccc(Br)cc1", "CC(=O)Nc1ccc(C#N)cc1"


@pytest.fixture
def library():
    blocks = [Block(ACID, "A", "Shop", 2.5), Block(BROMIDE, "B", None, 4.0), Block("CCN")]
    return make_library(blocks, [AMIDE, CYANATION])


@pytest.fixture
def route(library):
    first = step_of(library, 0, (ACID, BROMIDE), BROMO_AMIDE, None)
    return Route(NITRILE, (first, step_of(library, 1, (BROMO_AMIDE,), NITRILE, BROMO_AMIDE)))


def test_a_route_knows_its_blocks_and_their_price(route, library):
    assert [block.identifier for block in route.blocks] == ["A", "B"]
    assert route.price == 6.5
    assert Route("CCN", (), library.block(2)).price is None
    assert route.rank[:2] == (2, 6.5)


def test_a_route_runs_again(route):
    assert runs(route)


def test_what_does_not_run_is_seen(route, library):
    first, second = route.steps
    assert not runs(replace(route, product=BROMO_AMIDE))
    assert not runs(replace(route, steps=(replace(first, product=NITRILE), second)))
    assert not runs(replace(route, steps=(second,)))
    assert not runs(replace(route, steps=(second, first)))
    assert not runs(Route(ACID, ()))
    assert runs(Route(ACID, (), library.block(0)))


def test_only_blocks_and_the_last_product_are_reactants(library):
    with pytest.raises(DataError, match="'CCCN' is no block"):
        step_of(library, 0, (ACID, "CCCN"), "CCCNC(C)=O", None)
    step = step_of(library, 0, (ACID, "CCCN"), "CCCNC(C)=O", "CCCN")
    assert step.blocks == (library.block(0), None)


def test_the_text_says_all(route):
    assert as_text(route).splitlines() == [
        f"{NITRILE}  (2 reactions, blocks 6.5)",
        f"  1. amide coupling: {ACID} [A, Shop, 2.5] + {BROMIDE} [B, 4]",
        f"     -> {BROMO_AMIDE}",
        f"  2. cyanation: {BROMO_AMIDE}",
        f"     -> {NITRILE}",
    ]


def test_the_table_has_a_row_for_each_step(route, library):
    rows = list(as_rows([route, Route("CCN", (), library.block(2))]))
    assert [(row["route"], row["step"]) for row in rows] == [(1, 1), (1, 2), (2, 0)]
    assert rows[0]["id_2"] == "B"
    assert rows[0]["price_1"] == 2.5
    assert rows[1]["reactant_1"] == BROMO_AMIDE
    assert rows[1]["id_1"] is rows[1]["reactant_2"] is None
    assert all(set(row) <= set(ROW_COLUMNS) for row in rows)


def test_json_and_back(route, library):
    assert from_json(as_json(route)) == route
    start = Route("CCN", (), library.block(2))
    assert from_json(as_json(start)) == start


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "newer than this version"),
        ({"steps": 3}, "no route as JSON"),
        ({"product": None, "steps": [{}]}, "no route as JSON"),
    ],
)
def test_json_that_is_no_route(route, change, said):
    with pytest.raises(DataError, match=said):
        from_json(json.dumps({**json.loads(as_json(route)), **change}))
    with pytest.raises(DataError, match="no route as JSON"):
        from_json("[")


def test_a_template_in_json_is_checked(route):
    found = json.loads(as_json(route))
    found["steps"][0]["template"]["smarts"] = "[C:1](>>[C:1]"
    with pytest.raises(DataError, match="a route's template"):
        from_json(json.dumps(found))
