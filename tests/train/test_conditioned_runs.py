"""Every kind of condition through whole runs, and what a trained run can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError
from fluvial.queue.store import Store
from fluvial.train.asking import Wish
from fluvial.train.checkpoint import latest_intact
from fluvial.train.launch import resume, start, trained
from fluvial.train.run import SilentProgress
from fluvial.train.run_directory import RunDirectory

WORDS = """
threads = 1
[env]
kind = "sequence"
alphabet = ["a", "b"]
max_length = 4
reward = "terms"
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 6
epsilon = 0.1
[optimizer]
schedule = "constant"
[replay]
start = 6
capacity = 20
[stop]
steps = 3
[[reward.term]]
name = "first"
kind = "function"
function = "words.py:first"
[[reward.term]]
name = "second"
kind = "function"
function = "words.py:second"
[condition]
"""

REWARDS = """
def first(texts):
    return [(text.count("a") + 0.1) / 4.1 for text in texts]


def second(texts):
    return [(text.count("b") + 0.1) / 4.1 for text in texts]
"""

KINDS = {
    "constant": "beta = 4.0",
    "uniform": 'beta = {distribution = "uniform", a = 1.0, b = 8.0}',
    "loguniform": 'beta = {distribution = "loguniform", a = 1.0, b = 8.0, ends = 0.0}',
    "gamma": 'beta = {distribution = "gamma", a = 2.0, b = 2.0}',
    "beta": 'beta = {distribution = "beta", a = 2.0, b = 2.0}',
    "raw beta": 'beta = {distribution = "uniform", a = 1.0, b = 8.0, bins = 0}',
    "none": 'preference = "none"',
    "dirichlet": 'preference = "dirichlet"',
    "thermometer": 'preference = {bins = 4, concentration = 0.5, scalarisation = "chebyshev"}',
    "dirichlet_exponential": 'preference = "dirichlet_exponential"',
    "product": 'preference = {scalarisation = "weighted_product"}',
    "fixed": 'preference = {kind = "fixed", weights = {first = 3.0, second = 1.0}}',
    "seeded": 'preference = {kind = "seeded", seed = 3}',
    "seeded many": 'preference = {kind = "seeded", n = 4}',
    "centered": 'focus = "centered"',
    "partitioned": 'focus = {kind = "partitioned", n = 3, cosine = 0.9}',
    "dirichlet focus": 'focus = {kind = "dirichlet", bins = 4}',
    "hyperspherical": 'focus = "hyperspherical"',
    "listed": 'focus = {kind = "listed", directions = [{first = 0.6, second = 0.8}, {second = 1.0}]}',
    "learned": 'focus = {kind = "learned", resolution = 5, first = 0.3}',
    "target": 'target = [{property = "first", low = 0.0, high = 1.0, width = 0.2}]',
    "log Z": "log_z = {low = -2.0, high = 4.0}",
    "everything": 'beta = {distribution = "uniform", a = 1.0, b = 8.0}\npreference = "dirichlet"\n'
    'focus = {kind = "learned", resolution = 5, first = 0.0, last = 1.0}\nlog_z = {low = -2.0, high = 4.0}\n'
    'target = [{property = "first", low = 0.0, high = 1.0, width = 0.2}]',
}


def begin(folder: Path, condition: str, overrides: Sequence[str] = ()) -> RunDirectory:
    folder.mkdir(exist_ok=True)
    (folder / "words.py").write_text(REWARDS)
    config = parse_config(WORDS + condition, "run.toml", overrides)
    return start(LoadedConfig(config, folder, "run.toml"), SilentProgress(), folder / "run")


@pytest.mark.parametrize("name", KINDS)
def test_every_condition_trains_and_samples_also_one_at_a_time(name: str, tmp_path: Path) -> None:
    run = begin(tmp_path / "one", KINDS[name], ["algo.batch=1", "replay.start=1", "stop.steps=2"])
    assert latest_intact(run.checkpoints)[0].step == 2
    with trained(run.path) as used:
        assert len(used.sample(1)) == 1
        assert [item.text for item in used.sample(5, 1)] == [item.text for item in used.sample(5, 1)]


def test_conditions_of_every_kind_resume_exactly(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", KINDS["everything"])
    parts = begin(tmp_path / "parts", KINDS["everything"], ["stop.steps=2"])
    resume(parts.path, SilentProgress(), ["stop.steps=3"])
    one, other = latest_intact(whole.checkpoints)[0], latest_intact(parts.checkpoints)[0]
    assert all(torch.equal(one.weights[key], other.weights[key]) for key in one.weights)
    assert all(
        torch.equal(one.state["replay"][key], other.state["replay"][key]) for key in ("values", "actions")
    )
    assert torch.equal(*(part.state["memories"]["focus"]["met"] for part in (one, other)))
    with Store.open(whole.store) as first, Store.open(parts.store) as second:
        assert first.digest() == second.digest()


def test_envelope_q_learning_has_a_network_for_each_term_and_resumes_exactly(tmp_path: Path) -> None:
    envelope = ["algo.objective=envelope_q"]
    whole = begin(tmp_path / "whole", KINDS["dirichlet"], envelope)
    parts = begin(tmp_path / "parts", KINDS["dirichlet"], [*envelope, "stop.steps=2"])
    resume(parts.path, SilentProgress(), ["stop.steps=3"])
    one, other = latest_intact(whole.checkpoints)[0], latest_intact(parts.checkpoints)[0]
    assert {name.split(".")[2] for name in one.weights if ".nets." in name} == {"0", "1"}
    assert all(torch.equal(one.weights[key], other.weights[key]) for key in one.weights)
    with trained(whole.path) as used:
        assert len(used.draw(3, wish=Wish(prefer={"first": 1.0})).objects) == 3
    with pytest.raises(ConfigError, match=r"must be drawn or seeded for algo\.objective = 'envelope_q'"):
        begin(tmp_path / "one", KINDS["fixed"], envelope)


def test_what_a_learned_focus_knows_survives(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", KINDS["learned"])
    state = latest_intact(whole.checkpoints)[0].state["memories"]["focus"]
    assert state["n_steps"] == 3
    assert int(state["asked"].sum()) > 0
    resume(whole.path, SilentProgress(), ["stop.steps=4"])
    after = latest_intact(whole.checkpoints)[0].state["memories"]["focus"]
    assert after["n_steps"] == 4
    assert int(after["asked"].sum()) >= int(state["asked"].sum())


def test_hindsight_and_the_best_in_replay_resume_exactly(tmp_path: Path) -> None:
    more = ["replay.hindsight=0.5", "replay.keep=best", "replay.capacity=5"]
    whole = begin(tmp_path / "whole", KINDS["everything"], more)
    parts = begin(tmp_path / "parts", KINDS["everything"], [*more, "stop.steps=2"])
    resume(parts.path, SilentProgress(), ["stop.steps=3"])
    one, other = latest_intact(whole.checkpoints)[0], latest_intact(parts.checkpoints)[0]
    assert all(torch.equal(one.weights[key], other.weights[key]) for key in one.weights)
    with pytest.raises(
        ConfigError, match=r"replay.hindsight = 0.5: must be 0 unless there is a condition.focus"
    ):
        begin(tmp_path / "refused", KINDS["uniform"], more)


def test_replay_reweighs_old_objects_without_new_reward_calls(tmp_path: Path) -> None:
    folder = tmp_path / "counted"
    folder.mkdir()
    (folder / "words.py").write_text(
        REWARDS
        + '\n\n_first = first\n\n\ndef first(texts):\n    with open("calls.txt", "a") as file:\n'
        '        file.write("".join(f"{text}\\n" for text in texts))\n    return _first(texts)\n'.replace(
            '"calls.txt"', repr(str(folder / "calls.txt"))
        )
    )
    overrides = ["stop.steps=30", "replay.fraction=0.8"]
    config = parse_config(WORDS + KINDS["dirichlet"], "run.toml", overrides)
    start(LoadedConfig(config, folder, "run.toml"), SilentProgress(), folder / "run")
    calls = (folder / "calls.txt").read_text().split()
    assert len(calls) == len(set(calls)) <= 30


def test_a_run_answers_what_it_was_trained_on(tmp_path: Path) -> None:
    folder = begin(tmp_path / "asked", KINDS["everything"])
    with trained(folder.path) as run:
        wish = Wish(2.0, {"first": 3.0, "second": 1.0}, {"second": 2.0}, {"first": 0.5}, 1.0)
        drawn = run.draw(3, 1, wish)
        assert drawn.warnings == []
        assert drawn.asked["beta"] == [2.0] * 3
        assert drawn.asked["weight first"] == [0.75] * 3
        assert drawn.asked["focus first"] == [0.0] * 3
        assert drawn.asked["focus second"] == [1.0] * 3
        assert drawn.asked["target first"] == [0.5] * 3
        assert drawn.asked["log Z"] == [1.0] * 3
        outside = run.draw(1, 1, Wish(9.0, target={"first": 1.5}, log_z=9.0))
        assert outside.warnings == [
            "beta = 9 is outside of what the run learned, 1 to 8",
            "log Z = 9 is outside of what the run learned, -2 to 4",
            "first = 1.5 is outside of what the run learned, 0 to 1",
        ]
        for bad, words in (
            (Wish(prefer={"frist": 1.0}), "--prefer: unknown name 'frist' - did you mean 'first'"),
            (Wish(focus={"third": 1.0}), "--focus: unknown name 'third'"),
            (Wish(target={"second": 1.0}), "--target: unknown name 'second'"),
            (Wish(prefer={"first": 0.0}), "the weights 0, 0 must be at least 0, and one of them more"),
            (Wish(focus={"first": -1.0}), "the direction -1, 0 must be at least 0 everywhere"),
            (Wish(beta=-1.0), "beta = -1 must be greater than 0"),
        ):
            with pytest.raises(ConfigError, match=words):
                run.draw(1, 1, bad)


def test_a_run_refuses_what_it_was_not_trained_on(tmp_path: Path) -> None:
    with trained(begin(tmp_path / "plain", KINDS["constant"]).path) as run:
        for wish, words in (
            (Wish(prefer={"first": 1.0, "second": 0.0}), "a preference cannot be asked for"),
            (Wish(focus={"first": 1.0}), "a focus cannot be asked for"),
            (Wish(target={"first": 1.0}), "a target cannot be asked for"),
            (Wish(log_z=1.0), "a log Z cannot be asked for"),
            (Wish(beta=5.0), "beta = 5 is not what this run learned, which is 4"),
        ):
            with pytest.raises(ConfigError, match=words):
                run.draw(1, 1, wish)
        assert run.draw(1, 1, Wish(beta=4.0)).asked == {}


def test_one_preference_or_focus_can_only_be_asked_for_as_it_is(tmp_path: Path) -> None:
    with trained(begin(tmp_path / "fixed", KINDS["fixed"]).path) as run:
        assert len(run.draw(1, 1, Wish(prefer={"first": 6.0, "second": 2.0})).objects) == 1
        with pytest.raises(
            ConfigError, match=r"the preference 1, 0 is not what this run learned.*0.75, 0.25"
        ):
            run.draw(1, 1, Wish(prefer={"first": 1.0}))
    with (
        trained(begin(tmp_path / "centered", KINDS["centered"]).path) as run,
        pytest.raises(ConfigError, match="the focus 1, 0 is not what this run learned"),
    ):
        run.draw(1, 1, Wish(focus={"first": 1.0}))
    with trained(begin(tmp_path / "listed", KINDS["listed"]).path) as run:
        drawn = run.draw(1, 1, Wish(focus={"first": 1.0}))
        assert drawn.warnings == ["the focus 1, 0 is none of the 2 that it learned"]
        assert run.draw(1, 1, Wish(focus={"first": 3.0, "second": 4.0})).warnings == []


def test_a_log_z_that_is_told_stands_in_the_balance(tmp_path: Path) -> None:
    run = begin(tmp_path / "told", KINDS["log Z"])
    checkpoint = latest_intact(run.checkpoints)[0]
    assert not any(name.startswith("log_z.") for name in checkpoint.weights)
    with Store.open(run.store) as store:
        told = [value for _, value in store.metric_series(["log_z"])["log_z"]]
    assert len(told) == 3
    assert all(-2.0 < value < 4.0 for value in told)
