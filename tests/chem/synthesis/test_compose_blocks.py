from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "compose_blocks.py"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("compose_blocks", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_packaged_table_is_what_the_script_composes(script: ModuleType) -> None:
    packaged = script.TARGET.read_bytes()
    assert script.table(script.composed()).encode() == packaged
    assert len(packaged) < 100_000


def test_a_large_set_begins_with_the_packaged_one_and_repeats_nothing(script: ModuleType) -> None:
    known = script.composed()
    found = list(itertools.islice(script.enumerated(), 1000))
    assert set(found[: len(known)]) == set(known)
    assert len(set(found)) == 1000


def test_rings_of_substituents_do_not_meet_the_core(script: ModuleType) -> None:
    assert script._renumbered("OC1CC1", 3) == "OC3CC3"
