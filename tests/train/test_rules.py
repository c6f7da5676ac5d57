"""Every configuration of learning rules that is allowed can be built and trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fluvial.algorithms.backward import shortness
from fluvial.algorithms.registry import ALGORITHMS, BACKWARD_RULES, COUNTED_BACKWARD, LEARNED_BACKWARD
from fluvial.config.backward import unfit_backward
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError, ResumeError, RewardError, StorageError
from fluvial.envs.hypergrid import Hypergrid
from fluvial.losses.regression import REGRESSIONS
from fluvial.policy.trunks import SeparateTrunks
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.temperature import Temperature
from fluvial.sample.local_search import ACCEPTANCE
from fluvial.sample.rollout import rollout
from fluvial.train.build import built
from fluvial.train.launch import resume, start
from fluvial.train.learner import Problem
from fluvial.train.rules import build_learner, build_path_reward, build_policy, build_settings
from fluvial.train.run import SilentProgress
from fluvial.train.scoring import scored_objects
from fluvial.train.step import train_step

GRID = """
threads = 1
[env]
kind = "hypergrid"
side = 3
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 8
[replay]
start = 4
"""
NEED_MORE = {"envelope_q", "rtb"}
"""Objectives that the grid does not do for: they need preferences among rewards, or a finished run."""


def pairs() -> list[tuple[str, str]]:
    return [
        (objective, backward)
        for objective in ALGORITHMS
        for backward in BACKWARD_RULES
        if objective not in NEED_MORE and unfit_backward(objective, backward) is None
    ]


def overrides_for(objective: str, backward: str) -> list[str]:
    chosen = [f"algo.objective={objective}", f"algo.backward={backward}"]
    if objective in ("a2c", "reinforce"):
        chosen += ["replay.fraction=0", "algo.epsilon=0"]
    if backward == "pessimistic":
        chosen.append("replay.paths=stored")
    return chosen


@pytest.mark.parametrize(("objective", "backward"), pairs())
def test_three_steps_of_each_allowed_pair(tmp_path: Path, objective: str, backward: str) -> None:
    config = parse_config(GRID, "run.toml", overrides_for(objective, backward))
    torch.manual_seed(0)
    with built(config, tmp_path) as pieces:
        learner = build_learner(config, pieces.env, pieces.algorithm, pieces.device)
        settings = build_settings(config, pieces.algorithm)
        problem = Problem(
            pieces.env,
            lambda texts: scored_objects(pieces.reward, texts),
            Conditions(Temperature("constant", (1.0,))),
        )
        before = [parameter.clone() for parameter in learner.model.policy.parameters()]
        losses = [train_step(problem, learner, settings).metrics["loss"] for _ in range(3)]
    assert all(torch.isfinite(torch.tensor(losses)))
    assert any(
        not torch.equal(one, other)
        for one, other in zip(before, learner.model.policy.parameters(), strict=True)
    )
    policy = learner.model.policy
    assert policy.learns_backward == (backward in LEARNED_BACKWARD)
    condition = problem.conditions.fixed(1, 1.0)
    counts = policy(pieces.env.initial(1), condition).log_n is not None
    assert counts == (backward in COUNTED_BACKWARD)


def test_the_configuration_knows_every_name() -> None:
    schema = str(type(parse_config(GRID, "run.toml")).model_json_schema())
    for name in {*ALGORITHMS, *BACKWARD_RULES, *REGRESSIONS, *ACCEPTANCE}:
        assert f"'{name}'" in schema, name


def test_a_separate_trunk_shares_nothing() -> None:
    config = parse_config(GRID, "run.toml", ['algo.backward={kind="maxent",trunk="separate"}'])
    policy = build_policy(config, Hypergrid(2, 3))
    assert isinstance(policy, SeparateTrunks)
    ahead, back = ({id(weight) for weight in part.parameters()} for part in (policy.ahead, policy.back))
    assert ahead
    assert back
    assert not ahead & back


def test_a_reward_of_ways_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "ways.py").write_text(
        "def cheapness(trajectories):\n    return [-2.0 * n for n in trajectories.n_steps.tolist()]\n\n"
        "def too_few(trajectories):\n    return [1.0]\n"
    )
    env, condition = Hypergrid(2, 3), Conditions(Temperature("constant", (1.0,))).fixed(5, 1.0)
    config = parse_config(GRID, "run.toml")
    torch.manual_seed(0)
    policy = build_policy(config, env)
    trajectories = rollout(env, policy, condition, torch.Generator().manual_seed(0))
    earned = build_path_reward("ways.py:cheapness", tmp_path, env)(trajectories)
    assert torch.equal(earned, 2.0 * shortness(trajectories))
    with pytest.raises(RewardError, match=r"ways\.py:too_few gave numbers of shape \(1,\) for 5"):
        build_path_reward("ways.py:too_few", tmp_path, env)(trajectories)
    with pytest.raises(RewardError, match="no function 'absent'"):
        build_path_reward("ways.py:absent", tmp_path, env)


# A finished run as the prior of another


def begin(folder: Path, name: str, overrides: list[str]) -> Path:
    config = parse_config(GRID, "run.toml", ["stop.steps=4", *overrides])
    return start(LoadedConfig(config, folder, "run.toml"), SilentProgress(), folder / name).path


def test_a_run_on_top_of_another_stays_with_its_prior(tmp_path: Path) -> None:
    prior = begin(tmp_path, "prior", [])
    chosen = ['algo.objective={kind="rtb",prior="prior"}']
    run = begin(tmp_path, "run", chosen)
    resume(run, SilentProgress(), ["stop.steps=5"])
    resume(prior, SilentProgress(), ["stop.steps=6"])
    with pytest.raises(ResumeError, match=r"the prior, algo\.objective\.prior, was trained on"):
        resume(run, SilentProgress(), ["stop.steps=7"])
    with pytest.raises(ConfigError, match="does not fit this run"):
        begin(tmp_path, "other", [*chosen, "env.side=4"])
    with pytest.raises(StorageError, match="nowhere is not a run"):
        begin(tmp_path, "absent", ['algo.objective={kind="rtb",prior="nowhere"}'])
