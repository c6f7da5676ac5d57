from __future__ import annotations

import base64
import hashlib
import math
import os
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fluvial.core.errors import StorageError
from fluvial.report.page import Curve, ReportData, ReportMolecule, render, write_report

NASTY = "</pre></script><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """All start tags with attributes, and the text inside each kind of tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags:
            self.texts.append((self.tags[-1][0], data))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def molecule(
    rank: int = 1, smiles: str = "CCO", reward: float | None = 0.5, **values: float | None
) -> ReportMolecule:
    return ReportMolecule(rank, smiles, reward, values, 3, 120, "ok" if reward is not None else "failed")


def report(molecules: Sequence[ReportMolecule], names: Sequence[str] = (), **changes: object) -> ReportData:
    fields = {"title": "run", "subtitle": "", "curves": [], "configuration": "", "facts": {}} | changes
    return ReportData(molecules=molecules, property_names=names, **fields)  # type: ignore[arg-type]


def table_cells(text: str) -> list[list[str]]:
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in body.split("</tr>")[:-1]]
    return [[re.sub(r"<.*?>", "", cell, flags=re.S) for cell in row] for row in rows]


def test_every_text_of_the_input_is_escaped() -> None:
    curve = Curve(NASTY, NASTY, NASTY, {NASTY: [(0, 1.0), (1, 2.0)]})
    nasty = ReportMolecule(1, NASTY, 0.1, {NASTY: 0.2}, 1, 1, NASTY)
    data = ReportData(NASTY, NASTY, [nasty], [NASTY], [curve], NASTY, {NASTY: NASTY})
    page = Elements(render(data))
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert page.count("pre") == 1
    allowed_on = [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert allowed_on == []
    assert ("title", NASTY) in page.texts
    assert ("h1", NASTY) in page.texts
    assert any(tag == "code" and text == NASTY for tag, text in page.texts)
    assert any(attributes.get("data-name") == NASTY for _, attributes in page.tags)


def test_the_page_refers_to_nothing_outside() -> None:
    text = render(report([molecule()], curves=[Curve("R", "", "step", {"a": [(0, 1.0), (1, 2.0)]})]))
    for _, attributes in Elements(text).tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert re.match(r"#|data:", attributes.get(name) or "#")
    assert "@import" not in text
    assert "url(" not in text


def test_the_policy_allows_exactly_the_page_s_own_style_and_script() -> None:
    text = render(report([molecule()]))
    (policy,) = [a["content"] for tag, a in Elements(text).tags if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_facts_curves_and_configuration_are_shown() -> None:
    curve = Curve("Reward", "", "step", {"a": [(0, 1.0), (1, 2.0)]})
    page = Elements(
        render(report([molecule()], facts={"Steps": "5,000"}, curves=[curve], configuration="a = 1\n"))
    )
    assert ("dt", "Steps") in page.texts
    assert ("dd", "5,000") in page.texts
    assert ("figcaption", "Reward") in page.texts
    assert ("code", "a = 1\n") in page.texts


def test_cells_hold_the_exact_number_and_show_a_short_one() -> None:
    text = render(
        report(
            [molecule(1, "CC", 1 / 3, mw=30.07, n=3.0), molecule(2, "C", 0.25, mw=116.04, n=2)], ["mw", "n"]
        )
    )
    assert [row[2:] for row in table_cells(text)] == [
        ["CC", "0.333", "30.1", "3", "3", "120", "ok"],
        ["C", "0.250", "116.0", "2", "3", "120", "ok"],
    ]
    assert 'data-v="0.3333333333333333"' in text
    assert 'data-v="30.07"' in text
    assert 'data-v="3"' in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1e-4, "1.00e-4"), (-2.5e7, "-2.50e7"), (0.0, "0.000"), (np.float64(0.5), "0.500"), (-0.25, "-0.250")],
)
def test_numbers_of_any_size_are_readable(value: float, shown: str) -> None:
    text = render(report([molecule(1, "CC", 0.5, x=value), molecule(2, "C", 0.5, x=0.125)], ["x"]))
    assert table_cells(text)[0][4] == shown.replace("-", "\N{MINUS SIGN}")
    assert f'data-v="{float(value)!r}"'.replace('.0"', '"') in text


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_a_missing_number_is_an_empty_cell(missing: float | None) -> None:
    text = render(report([molecule(1, "CC", missing, qed=missing), molecule(2, "C", 0.5)], ["qed"]))
    assert [row[3:5] for row in table_cells(text)] == [["", ""], ["0.500", ""]]
    assert text.count("no reward") == 1
    assert 'data-v="0"' not in text


def test_the_status_is_on_card_and_row() -> None:
    text = render(report([molecule(1, "CC", None)]))
    assert text.count('<span class="status" data-status="failed">failed</span>') == 2


def test_no_molecules_give_a_friendly_sentence() -> None:
    page = Elements(render(report([])))
    assert any("No molecules yet" in text for _, text in page.texts)
    assert page.count("table") == 0


def test_unparsable_molecules_show_their_text() -> None:
    text = render(report([molecule(1, "junk(")]))
    assert "<span>No picture</span>junk(" in text
    assert "<use" not in text


def test_a_thousand_molecules_stay_small_and_the_page_says_what_is_not_drawn() -> None:
    molecules = [molecule(i + 1, "C" * (i % 30 + 1) + "c1ccccc1", i / 1000, qed=0.5) for i in range(1000)]
    text = render(report(molecules, ["qed"]))
    page = Elements(text)
    assert page.count("use") == 200
    assert len(table_cells(text)) == 1000
    assert any("first 200 molecules only; the other 800 are in the table" in said for _, said in page.texts)
    assert len(text) < 1_500_000


def test_pictures_can_be_left_out() -> None:
    text = render(report([molecule()]), n_pictures=0)
    assert 'id="more"' not in text
    assert 'class="card"' not in text
    assert len(table_cells(text)) == 1


def test_the_example_filter_is_about_half_of_a_real_column() -> None:
    molecules = [molecule(i, "CC", 0.5, empty=None, mw=100.0 * i) for i in (1, 2, 3)]
    assert 'placeholder="Filter: mw &gt; 200"' in render(report(molecules, ["empty", "mw"]))
    assert 'placeholder="Filter: reward &gt; 0.5"' in render(report([molecule()]))


def test_the_same_data_give_the_same_page() -> None:
    data = report([molecule(1, "CC", 0.5, qed=0.1)], ["qed"], facts={"a": "b"})
    assert render(data) == render(data)


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    path = write_report(report([molecule()], title="Ünïcode \ud800"), tmp_path / "report.html")
    assert path == tmp_path / "report.html"
    assert "Ünïcode \\ud800" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_crash_while_writing_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match="No space left on device"):
        write_report(report([molecule()]), path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_an_impossible_path_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing" / "report.html", tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(StorageError, match="cannot write the report"):
            write_report(report([]), path)
    assert not list(tmp_path.parent.glob(".*.tmp"))
