from __future__ import annotations

import math
import os

import pytest

from fluvial.bench.seh import judged, run, searched
from fluvial.queue.records import Candidate

needs_files = pytest.mark.skipif("FLUVIAL_ASSETS" not in os.environ, reason="needs public files")


def scored(number: int, text: str, proxy: float | None) -> Candidate:
    return Candidate(number, text, None, "failed", "", {"seh": proxy}, 1, 1)


def test_hits_are_those_above_seven_and_modes_those_that_differ() -> None:
    texts = {"CCCCCCCCCO": 7.5, "CCCCCCCCCCO": 7.25, "c1ccc2[nH]ccc2c1": 7.0, "CC": 6.9, "C": None}
    found = judged([scored(place, text, value) for place, (text, value) in enumerate(texts.items())])
    assert (found["calls"], found["hits"], found["modes_0.5"]) == (5, 3, 2)
    assert math.isnan(found["top_10"])


@pytest.mark.long
@needs_files
def test_the_budget_is_kept_and_the_random_policy_is_beside() -> None:
    found = run(calls=40, seeds=1)
    assert found["seeds"][0]["calls"] == found["random_policy"]["calls"] == 40
    assert found["mean"]["top_10"] > found["random_policy"]["top_10"] - 2


@pytest.mark.long
@needs_files
def test_the_same_seed_finds_the_same() -> None:
    first, again = searched(30, 1, ()), searched(30, 1, ())
    assert first["top_10"] == again["top_10"]
    assert searched(30, 2, ())["top_10"] != first["top_10"]
