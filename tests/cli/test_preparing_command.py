from __future__ import annotations

import json

from typer.testing import CliRunner

from fluvial.cli.main import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_prepare_then_inspect(tmp_path):
    (tmp_path / "own.csv").write_text("smiles,id,price\nCC(=O)O,a,2\nCN,b,\nC(,c,1\nNC,d,4\n")
    (tmp_path / "own.txt").write_text(
        "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]\tamide\tamide coupling\n"
    )
    library = tmp_path / "own.library"
    command = (
        *("data", "prepare", tmp_path / "own.csv", "-o", library, "--templates", tmp_path / "own.txt"),
        *("--price", "price", "--processes", 1),
    )
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert "2 blocks of 4 rows" in done.output
    assert "1 that RDKit cannot read" in done.output
    assert "it was up to date" in run(*command).output
    found = json.loads(run("data", "inspect", library, "--json").output)
    assert (found["n_blocks"], found["n_templates"], found["prices"]["known"]) == (2, 1, 2)
    assert found["reactions"] == [{"id": "amide", "name": "amide coupling", "blocks": [1, 1]}]
    said = run("data", "inspect", library).output
    assert "2 blocks, 1 reactions" in said
    assert "1 + 1" in said


def test_mistakes_are_told_in_a_sentence(tmp_path):
    (tmp_path / "own.csv").write_text("smiles\nCC\n")
    for arguments, said in (
        (("prepare", tmp_path / "none.csv", "-o", tmp_path / "x"), "there is no such file"),
        (("prepare", tmp_path / "own.csv", "-o", tmp_path / "x", "--templates", "mine"), "neither a file"),
        (("prepare", tmp_path / "own.csv", "-o", tmp_path / "x", "--stereo", "no"), "is no choice"),
        (("inspect", tmp_path / "own.csv"), "is no library"),
    ):
        done = run("data", *arguments)
        assert done.exit_code == 2
        assert said in " ".join(done.output.split())
