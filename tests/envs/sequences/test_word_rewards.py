"""Rewards of words by hand, and the public table where it is at hand."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from math import exp, log

import numpy as np
import pytest
import torch

from fluvial.assets import registry
from fluvial.core.enumeration import enumerate_states
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.reward_batch import Outcome
from fluvial.envs.sequences import rewards
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sequences.rewards import (
    binding_reward,
    binding_table,
    motif_reward,
    nearest_mode_reward,
    planted_modes,
)
from fluvial.metrics.exact import exact_flows, uniform_log_pb

VALUE, INVALID = int(Outcome.VALUE), int(Outcome.INVALID)


def test_motifs() -> None:
    batch = motif_reward(["aa", "bb", "cc"], 10, 0.05)(["aabbcc", "aaaa", "aaa", "abcabc", "", "c" * 10])
    assert batch.reward == pytest.approx([3 / 5, 2 / 5, 1 / 5, 0.05, 0.05, 1.0])
    assert batch.raw["occurrences"].tolist() == [3, 2, 1, 0, 0, 5]
    assert batch.values.tolist() == batch.reward[:, None].tolist()
    assert batch.outcome.tolist() == [VALUE] * 6
    assert batch.info == [""] * 6


def test_no_texts() -> None:
    assert len(motif_reward(["aa"], 4)([])) == 0
    assert len(nearest_mode_reward(["01"])([])) == 0


def test_nearest_mode() -> None:
    batch = nearest_mode_reward(["0000", "0111"], 2.0)(["0000", "0001", "0011", "1111", "1000", "01", ""])
    distance = [0, 1, 1, 1, 1]
    assert batch.raw["distance"][:5].tolist() == distance
    assert batch.reward[:5] == pytest.approx([exp(-d / 2.0) for d in distance])
    assert np.isnan(batch.reward[5:]).all()
    assert batch.outcome.tolist() == [VALUE] * 5 + [INVALID] * 2
    assert batch.info == [""] * 5 + ["does not have 4 characters"] * 2


def test_planted_modes() -> None:
    modes = planted_modes(120, 60, 0)
    assert len(set(modes)) == 60
    parts = {mode[start : start + 8] for mode in modes for start in range(0, 120, 8)}
    assert {len(mode) for mode in modes} == {120}
    assert parts == {"00000000", "11111111", "11110000", "00001111", "00111100"}
    assert planted_modes(120, 60, 0) == modes
    assert planted_modes(120, 60, 1) != modes
    # The same in all versions of numpy, or published modes could not be made again.
    assert planted_modes(16, 3, 0) == ["0011110000000000", "0000111100001111", "0000111111111111"]
    assert sorted(planted_modes(8, 5, 3)) == sorted(parts)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: motif_reward([], 4), r"motifs are \[\]"),
        (lambda: motif_reward(["a", ""], 4), "none of them empty"),
        (lambda: motif_reward(["a"], 0), "max_length is 0"),
        (lambda: motif_reward(["a"], 4, 0.0), "floor is 0; it must be a positive number"),
        (lambda: planted_modes(12, 1, 0), "modes of 12 bits cannot be planted"),
        (lambda: planted_modes(0, 1, 0), "modes of 0 bits"),
        (lambda: planted_modes(8, 6, 0), "number of modes is 6; with 8 bits it must be from 1 to 5"),
        (lambda: planted_modes(8, 1, -1), "seed of the modes is -1"),
        (lambda: nearest_mode_reward([]), "modes must be one or more words"),
        (lambda: nearest_mode_reward(["0", "01"]), "modes must be one or more words of one length"),
        (lambda: nearest_mode_reward(["0"], float("nan")), "scale is nan"),
        (lambda: binding_reward(exponent=-1.0), "exponent is -1"),
    ],
)
def test_bad_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_rewards_start_without_torch() -> None:
    program = f"import sys, {rewards.__name__}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def write_table(folder: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.path.join(folder, "table.txt")
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)
    with open(path, "rb") as stream:
        digest = hashlib.sha256(stream.read()).hexdigest()
    asset = registry.Asset("table.txt", "owner/project", "c0ffee", "table.txt", digest, "MIT")
    monkeypatch.setitem(registry.ASSETS, "tfbind8", asset)
    monkeypatch.setenv("FLUVIAL_ASSETS", folder)


def test_binding_of_a_small_table(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "8-mer\t8-mer\tE-score\tMedian\nAC\tGT\t-0.5\t1\nAA\tTT\t0.3\t2\nAT\tAT\t0.5\t3\n"
    write_table(str(tmp_path), rows, monkeypatch)
    table = binding_table()
    assert table == pytest.approx({"AC": 0.0, "GT": 0.0, "AA": 0.8, "TT": 0.8, "AT": 1.0})
    batch = binding_reward()(["TT", "AT", "GT", "CC", "A"])
    assert batch.reward[:3] == pytest.approx([5.12, 10.0, 0.001])
    assert batch.raw["binding"][:3] == pytest.approx([0.8, 1.0, 0.0])
    assert np.isnan(batch.reward[3:]).all()
    assert batch.outcome.tolist() == [VALUE] * 3 + [INVALID] * 2
    assert batch.info[3] == "is no word of 8 letters out of ACGT"
    assert binding_reward(1.0, 2.0, 0.1)(["AA", "AC"]).reward == pytest.approx([1.6, 0.1])


def test_a_damaged_table_names_the_line(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(str(tmp_path), "8-mer\t8-mer\tE-score\nAC\tGT\t-0.5\nAA\tTT\n", monkeypatch)
    with pytest.raises(DataError, match=r"table\.txt, line 3: expected two words and a number"):
        binding_table()


needs_table = pytest.mark.skipif(
    not os.environ.get("FLUVIAL_ASSETS"),
    reason="needs the public files in the folder named by FLUVIAL_ASSETS",
)


@needs_table
def test_the_public_table() -> None:
    table = binding_table()
    assert len(table) == 65_536
    opposite = str.maketrans("ACGT", "TGCA")
    other_strand = {word: word[::-1].translate(opposite) for word in table}
    assert all(table[word] == table[other] for word, other in other_strand.items())
    assert sum(word == other for word, other in other_strand.items()) == 256
    assert sum(y > 0.9 for y in table.values()) == 934
    assert (min(table.values()), max(table.values())) == (0.0, 1.0)


@needs_table
def test_exact_flow_of_the_public_table() -> None:
    env = Sequences("ACGT", 8, 8)
    graph = enumerate_states(env)
    assert int((~graph.is_terminal).sum()) == 87_381
    texts = env.decode(graph.states[graph.is_terminal])
    assert len(set(texts)) == 65_536
    batch = binding_reward()(texts)
    assert batch.outcome.tolist() == [VALUE] * 65_536
    log_reward = torch.zeros(len(graph), dtype=torch.float64)
    log_reward[graph.is_terminal] = torch.from_numpy(np.log(batch.reward))
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    assert flows.log_z == pytest.approx(log(batch.reward.sum()), abs=1e-9)
