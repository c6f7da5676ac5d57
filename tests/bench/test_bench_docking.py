from __future__ import annotations

import os

import pytest

from fluvial.assets.registry import FOLDER_VARIABLE
from fluvial.bench.docking import run

pytest.importorskip("vina")


@pytest.mark.long
@pytest.mark.skipif(
    not os.environ.get(FOLDER_VARIABLE), reason="needs the public files in the folder named by FLUVIAL_ASSETS"
)
def test_docking_with_a_worker_killed_gives_the_numbers_of_direct_calls() -> None:
    found = run(molecules=8, evaluations=1000, sample=3)
    assert found["add_up"]
    jobs = found["jobs"]
    assert jobs["done"] >= 8
    assert jobs["dead"] == 0
    assert (found["docked_again"], found["other_than_direct"]) == (3, 0)
    assert found["poses_with_the_score"] == jobs["done"]
    assert found["best_shown_with_the_score"] == found["best_shown"]
