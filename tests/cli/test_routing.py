from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.library_file import write_library
from fluvial.chem.synthesis.routes import from_json, runs
from fluvial.chem.synthesis.templates import Template
from fluvial.cli.main import app

AMIDE = Template("amide", "amide coupling", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)


@pytest.fixture
def library(tmp_path):
    blocks = [Block("CC(=O)O", "A", "Shop", 2.5), Block("CN", "B", None, 1.0)]
    write_library(make_library(blocks, [AMIDE]), tmp_path / "own.library", {})
    return tmp_path / "own.library"


def run(*arguments):
    return CliRunner().invoke(app, ["routes", *map(str, arguments)])


def test_routes_are_told(library):
    done = run("--smiles", "CNC(C)=O", "--smiles", "CCCC", "--library", library)
    assert done.exit_code == 0, done.output
    assert "1. amide coupling: CC(=O)O [A, Shop, 2.5] + CN [B, 1]" in done.output
    assert "CCCC  (no route found)" in done.output


def test_json_lines_are_routes(library):
    lines = run(
        "--smiles", "CNC(C)=O", "--smiles", "CCCC", "--library", library, "--json"
    ).output.splitlines()
    assert runs(from_json(lines[0]))
    assert json.loads(lines[1]) == {"product": "CCCC", "route": None, "is_complete": True}


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "txt", "svg", "html"])
def test_routes_are_written(library, tmp_path, ending):
    path = tmp_path / f"routes.{ending}"
    done = run("--smiles", "CNC(C)=O", "--library", library, "-o", path)
    assert done.exit_code == 0, done.output
    assert "1 routes of 1 of 1 molecules" in done.output
    assert path.stat().st_size > 100
    if ending == "csv":
        (row,) = csv.DictReader(path.open())
        assert (row["reactant_1"], row["id_2"], row["price"]) == ("CC(=O)O", "B", "3.5")
    if ending == "json":
        assert runs(from_json(json.dumps(json.loads(path.read_text())[0])))
    if ending == "html":
        assert "amide coupling" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a run, or a molecule"),
        (("--smiles", "CC"), "name a run, or a molecule"),
        (("--smiles", "C(", "--library", "default"), "is no valid SMILES"),
        (("--smiles", "CC", "--library", "nowhere"), "there is no such file"),
        (("--smiles", "CC", "--library", "default", "-o", "x.doc"), "routes are not written to 'x.doc'"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments, said):
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
