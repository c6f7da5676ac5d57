from __future__ import annotations

import random
from pathlib import Path

import pytest

from fluvial.bench import fuzz, fuzzed
from fluvial.bench.mutations import CORPORA, MUTATIONS, mutated
from fluvial.rewards.function_server import function_process


def check(found: dict) -> None:
    told = [one["faults"] for one in found.values() if isinstance(one, dict) and one["faults"]]
    assert (found["crashes"], found["hangs"], found["traces"]) == (0, 0, 0), told
    for kind in CORPORA:
        one = found[kind]
        assert one["read"] + one["refused"] == one["inputs"]
        assert one["read"] > 0
        assert one["refused"] > 0


def test_some_nonsense() -> None:
    check(fuzz.run(smiles=400, templates=100, configurations=200, messages=400, timeout=20.0))


@pytest.mark.long
def test_much_nonsense() -> None:
    check(
        fuzz.run(smiles=10_000, templates=2_000, configurations=1_000, messages=10_000, timeout=20.0, seed=1)
    )


def test_seeds_are_read() -> None:
    for kind in ("smiles", "template", "message"):
        assert {fuzzed.one(f"{kind}:{text}") for text in CORPORA[kind]().seeds} == {1.0}


def test_faults_are_found_and_told(tmp_path: Path) -> None:
    file = tmp_path / "reader.py"
    file.write_text(
        "import os, time\n"
        "def score(texts):\n    return [one(text) for text in texts]\n"
        "def one(text):\n"
        "    n = sum(map(ord, text)) % 5\n"
        "    if n == 0: raise ValueError('trace')\n"
        "    if n == 1 and len(text) % 7 == 0: os.abort()\n"
        "    if n == 2 and len(text) % 11 == 0: time.sleep(60)\n"
        "    return float(n > 3)\n"
    )
    process = function_process("reader.py:score", tmp_path, 0.3)
    inputs = mutated(CORPORA["message"](), random.Random(0))
    texts = [f"message:{next(inputs)}" for _ in range(30)]
    codes = [(sum(map(ord, text)) % 5, len(text)) for text in texts]
    found = fuzz.tried(process, "message", 30, 10, random.Random(0))
    process.close()
    assert found["traces"] == sum(n == 0 for n, _ in codes) > 0
    assert found["crashes"] == sum(n == 1 and size % 7 == 0 for n, size in codes)
    assert found["hangs"] == sum(n == 2 and size % 11 == 0 for n, size in codes)
    assert len(found["faults"]) == found["traces"] + found["crashes"] + found["hangs"]
    assert any("ValueError: trace" in fault["reason"] for fault in found["faults"])


def test_each_mutation_changes_something_and_is_repeatable() -> None:
    corpus = CORPORA["smiles"]()
    for mutation in MUTATIONS:
        made = [mutation("CC(=O)Oc1ccccc1", corpus, random.Random(seed)) for seed in range(40)]
        assert made == [mutation("CC(=O)Oc1ccccc1", corpus, random.Random(seed)) for seed in range(40)]
        assert len(set(made)) > 5
