from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.bench.catalogue import catalogue
from fluvial.bench.synthesis import ROWS, Stopwatch, run
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.library_file import write_library
from fluvial.chem.synthesis.templates import embedded_templates


def test_a_catalogue_starts_with_the_packaged_blocks_and_grows_by_substituents() -> None:
    small, large = catalogue(860), catalogue(900)
    assert [block.smiles for block in large[:860]] == [block.smiles for block in small]
    assert len({block.smiles for block in large}) == 900
    assert len({block.identifier for block in large}) == 900


def test_a_stopwatch_charges_what_runs_within_to_itself_alone() -> None:
    ticks = iter([10.0, 11.0, 14.0, 19.0])
    watch = Stopwatch(clock=lambda: next(ticks))
    inner = watch.around("inner", lambda: None)
    watch.around("outer", inner)()
    assert watch.seconds == {"outer": 1.0 + 5.0, "inner": 3.0}


def test_a_library_of_a_file_is_measured_with_its_memory(tmp_path: Path) -> None:
    file = tmp_path / "few.library"
    write_library(make_library(catalogue(60), embedded_templates()), file, {})
    options = {"choice": "clusters", "policy": "fingerprints", "batch": 4, "steps": 1, "warmup": 0}
    measured = run(library=str(file), workers=1, **options)
    assert measured["workers_cpu_s_per_step"] > 0
    assert measured["wall_s_per_step"] > measured["cpu_s_per_step"]
    assert (measured["blocks"], measured["file_bytes"]) == (60, file.stat().st_size)
    assert measured["templates"] == f"80 of {file}"
    assert 10**8 < measured["peak_bytes"] < 10**11


@pytest.mark.long
def test_there_is_a_row_for_each_policy_and_the_default_one_is_last() -> None:
    measured = run(blocks=200, templates="default", batch=8, steps=2, warmup=1)
    assert [row["policy"] for row in measured["rows"]] == list(ROWS)
    assert measured["policy"] == "fingerprints"
    for row in measured["rows"]:
        parts = sum(row[f"{part}_cpu_s"] for part in ("masks", "reactions", "network", "reward"))
        assert 0 < parts < 1.5 * row["cpu_s_per_step"]
