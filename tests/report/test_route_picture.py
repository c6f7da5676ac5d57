from __future__ import annotations

from xml.etree import ElementTree

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.routes import Route, step_of
from fluvial.chem.synthesis.templates import Template
from fluvial.report.route_picture import route_picture, routes_picture

NAME = "amide <coupling> of a name that is far too long for one line, or for two lines, or for three of them"
AMIDE = Template("amide", NAME, "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
LIBRARY = make_library([Block("CC(=O)O", "<A>", "Shop", 2.5), Block("CN")], [AMIDE])
ROUTE = Route("CNC(C)=O", (step_of(LIBRARY, 0, ("CC(=O)O", "CN"), "CNC(C)=O", None),))


def texts(drawn):
    return [node.text for node in ElementTree.fromstring(str(drawn)).iter() if node.tag.endswith("text")]


def test_blocks_arrows_and_products_are_drawn():
    drawn = route_picture(ROUTE, "r")
    assert texts(drawn) == [
        "<A>, Shop, 2.5",
        "amide <coupling> of a",
        "name that is far too",
        "long for one line, or…",
    ]
    root = ElementTree.fromstring(str(drawn))
    assert [node.get("id") for node in root.iter() if node.get("id")] == ["rs", "rb0", "rp0"]


def test_a_block_alone_is_a_picture():
    drawn = route_picture(Route("CC(=O)O", (), LIBRARY.block(0)), "r")
    assert texts(drawn) == ["<A>, Shop, 2.5"]


def test_several_are_below_each_other():
    drawn = ElementTree.fromstring(str(routes_picture([ROUTE, ROUTE])))
    assert [child.get("y") for child in drawn] == ["0", "414"]
    assert len({node.get("id") for node in drawn.iter() if node.get("id")}) == 6
    assert routes_picture([]).startswith("<svg")
