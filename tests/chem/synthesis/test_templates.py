from __future__ import annotations

import pytest

from fluvial.assets.registry import FOLDER_VARIABLE
from fluvial.chem.synthesis.templates import embedded_templates, load_templates, read_templates
from fluvial.core.errors import DataError

AMIDE = "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]"


def written(tmp_path, text, name="own.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_with_and_without_names(tmp_path):
    path = written(tmp_path, f"# mine\n\n{AMIDE}\n[c:1]Br>>[c:1]C#N\tcyan\tcyanation\twith zinc\n")
    first, second = read_templates(path)
    assert (first.identifier, first.name, first.smarts, first.n_reactants) == ("1", "", AMIDE, 2)
    assert (second.identifier, second.name, second.comment, second.n_reactants) == (
        "cyan",
        "cyanation",
        "with zinc",
        1,
    )


def test_tables_with_a_heading(tmp_path):
    tabs = written(tmp_path, f"id\tsmirks\tyear\na\t{AMIDE}\t1955\n")
    commas = written(tmp_path, f'\ufeffid,name,smirks\r\na,"amide, any","{AMIDE}"\r\n', "own.csv")
    assert [(t.identifier, t.name, t.smarts) for t in read_templates(tabs)] == [("a", "", AMIDE)]
    assert [(t.identifier, t.name, t.smarts) for t in read_templates(commas)] == [("a", "amide, any", AMIDE)]


def test_agents_are_accepted(tmp_path):
    (template,) = read_templates(written(tmp_path, "[c:1]Br>[Pd]>[c:1]C#N\n"))
    assert template.n_reactants == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("CCO", "is no reaction"),
        ("[C:1]>>[C:1>", "is no reaction"),
        ("[C:1](>>[C:1]", "RDKit cannot read"),
        ("[c;r6;$(c:n),$(c:c:c=O):2]>>[c:1][S:1]", "RDKit cannot read"),
        ("[C:1].[C:2].[C:3]>>[C:1][C:2][C:3]", "3 reactants"),
        (">>[C:1]", "0 reactants"),
        ("[C:1][O:2]>>[C:1].[O:2]", "2 products"),
        ("[C:1][O:2]>>", "0 products"),
        ("[C:1].[C:1]>>[C:1]", "contradictory"),
        ("[C:1].[O]>>[C:1]O", "reactant 2 gives no atom"),
        (f"{AMIDE}\tfirst", "is that of line 1"),
    ],
)
def test_faults_name_file_line_and_reason(tmp_path, line, said):
    path = written(tmp_path, f"{AMIDE}\tfirst\n\n{line}\n")
    with pytest.raises(DataError, match=said) as caught:
        read_templates(path)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_many_faults_are_listed_together(tmp_path):
    path = written(tmp_path, "CCO\n" * 30)
    with pytest.raises(DataError) as caught:
        read_templates(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith(f"{path}:1:")
    assert lines[-1] == "and 10 more."


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match="neither a file nor a named set"):
        load_templates(tmp_path / "nowhere.txt")
    with pytest.raises(DataError, match="cannot be read"):
        read_templates(tmp_path)
    with pytest.raises(DataError, match="holds no template"):
        read_templates(written(tmp_path, "# nothing\n"))
    with pytest.raises(DataError, match="no column 'smirks'"):
        read_templates(written(tmp_path, "name,reaction\na,b\n", "own.csv"))
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(DataError, match="not UTF-8"):
        read_templates(tmp_path / "latin.txt")


def test_the_packaged_set_has_names_and_few_words():
    templates = embedded_templates()
    assert 40 <= len(templates) <= 80
    assert {template.n_reactants for template in templates} == {1, 2}
    assert all(template.name and template.identifier for template in templates)
    assert load_templates("default") is templates


def test_the_public_set_comes_through_the_asset_layer(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("fluvial.assets.registry.fetch", lambda name: written(tmp_path, f"{AMIDE}\n"))
    assert [template.smarts for template in load_templates("hartenfeller-button")] == [AMIDE]
