"""Runs with a filter that changes the target: what it knows survives, and it says what it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError
from fluvial.queue.records import ScoredObject
from fluvial.rewards.diversity import Diversity, Limits
from fluvial.train.checkpoint import latest_intact
from fluvial.train.gather import diminished
from fluvial.train.launch import resume, start
from fluvial.train.run import SilentProgress
from fluvial.train.run_directory import RunDirectory

CONFIGURATION = """
threads = 1
[env]
kind = "fragments"
max_fragments = 2
[policy]
kind = "graph-transformer"
width = 8
layers = 1
heads = 1
[algo]
batch = 8
epsilon = 0.1
[optimizer]
schedule = "constant"
[replay]
start = 8
[condition]
preference = "dirichlet"
[reward.diversity]
kind = "IdenticalMurckoScaffold"
bucket_size = 1
least_reward = 0.0
"""


def begin(folder: Path, overrides: Sequence[str]) -> RunDirectory:
    config = parse_config(CONFIGURATION, "run.toml", overrides)
    return start(LoadedConfig(config, folder.parent, "run.toml"), SilentProgress(), folder)


def test_the_filter_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", ["stop.steps=4"])
    parts = begin(tmp_path / "parts", ["stop.steps=2"])
    resume(parts.path, SilentProgress(), ["stop.steps=4"])
    one, other = latest_intact(whole.checkpoints)[0], latest_intact(parts.checkpoints)[0]
    memory = one.state["memories"]["diversity"]
    assert memory == other.state["memories"]["diversity"]
    assert "." in memory["buckets"]
    assert all(torch.equal(one.weights[key], other.weights[key]) for key in one.weights)
    # What found no room is replayed at the least reward, and the store keeps the reward itself.
    assert float(one.state["replay"]["reward"].min()) == pytest.approx(1e-4)
    rewards = [float(row.split(",")[3]) for row in whole.candidates_csv.read_text().splitlines()[1:]]
    assert min(rewards) > 1e-3


def test_rewards_and_terms_are_diminished_alike() -> None:
    texts = ["Cc1ccccc1", "CCc1ccccc1", "CCO"]
    objects = [ScoredObject(text, reward) for text, reward in zip(texts, (0.5, 0.8, 0.1), strict=True)]
    reward = torch.tensor([0.5, 0.8, 0.1], dtype=torch.float64)
    values = torch.tensor([[0.5, 1.0], [0.8, 1.0], [0.1, 1.0]], dtype=torch.float64)
    diversity = Diversity("IdenticalMurckoScaffold", Limits(bucket_size=1), floor=0.01)
    lessened, terms = diminished(diversity, objects, reward, values)
    assert lessened.tolist() == [0.5, 0.01, 0.1]
    assert terms.tolist() == [[0.5, 1.0], [0.0, 0.0], [0.1, 1.0]]


def test_what_does_not_go_with_it_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"reward.diversity.*must be left out beside algo.forward_looking"):
        parse_config(CONFIGURATION, "run.toml", ["algo.objective=db", "algo.forward_looking=true"])
    words = '[env]\nkind = "sequence"\nreward = "terms"\n[reward]\ndiversity = "Tanimoto"\n'
    term = '[[reward.term]]\nkind = "function"\nfunction = "a.py:b"\n'
    with pytest.raises(ConfigError, match=r"reward.diversity.*must be left out for env.kind = 'sequence'"):
        parse_config(words + term)
