"""Runs that go on with another formula of the reward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from fluvial.config.file import LoadedConfig, load_config, parse_config
from fluvial.core.errors import DataError, ResumeError
from fluvial.queue.records import ScoredObject
from fluvial.queue.store import Store
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import function_term
from fluvial.sample.rollout import retrace
from fluvial.train import launch
from fluvial.train.launch import resume, start
from fluvial.train.rescoring import with_new_rewards
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory

FUNCTION = """
from pathlib import Path

def score(texts: list[str]) -> dict[str, list[float]]:
    with (Path(__file__).parent / "calls.txt").open("a") as file:
        file.writelines(f"{text}\\n" for text in texts)
    if any(text == "GGG" for text in texts):
        raise RuntimeError("never GGG")
    return {"a": [float(text.count("A")) for text in texts], "c": [float(text.count("C")) for text in texts]}
"""
CONFIGURATION = """
threads = 1
[env]
kind = "sequence"
alphabet = ["A", "C", "G"]
max_length = 3
reward = "terms"
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 8
[optimizer]
schedule = "constant"
[replay]
start = 8
[stop]
steps = 6
[reward]
combine = "arithmetic_mean"
[[reward.term]]
kind = "function"
name = "a"
output = "a"
function = "reward.py:score"
transform = {kind = "linear", low = -1.0, high = 9.0}
[[reward.term]]
kind = "function"
name = "c"
output = "c"
function = "reward.py:score"
transform = {kind = "linear", low = -1.0, high = 9.0}
"""
NEW = ["reward.combine=product", "reward.term.0.transform.high=4.0", "reward.term.1.weight=2.0"]


class Watching(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.rewards: dict[str, float] = {}

    def on_resume(self, run: Run, warnings: Sequence[str]) -> None:
        self.notes += warnings
        for first, actions, n_steps in run.learner.replay.recorded(4):
            texts = run.problem.env.decode(retrace(run.problem.env, actions, n_steps))
            slots = torch.arange(first, first + len(texts))
            self.rewards |= dict(zip(texts, run.learner.replay.rewards(slots).tolist(), strict=True))


def begin(folder: Path, *overrides: str) -> RunDirectory:
    (folder / "reward.py").write_text(FUNCTION)
    config = parse_config(CONFIGURATION, "run.toml", overrides)
    return start(LoadedConfig(config, folder, "run.toml"), SilentProgress(), folder / "run")


def by_hand(text: str) -> float:
    """The new formula: a over -1 to 4, and the square of c over -1 to 9."""
    return max(1e-4, (text.count("A") + 1) / 5 * ((text.count("C") + 1) / 10) ** 2)


def before(text: str) -> float:
    return max(1e-4, ((text.count("A") + 1) / 10 + (text.count("C") + 1) / 10) / 2)


def rewards(directory: RunDirectory) -> dict[str, float | None]:
    with Store.open(directory.store) as store:
        return {item.text: item.reward for item in store.candidates()}


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_all_that_is_stored_has_its_new_reward_and_nothing_is_computed_again(
    tmp_path: Path, where: str
) -> None:
    place = [f"replay.where={where}", *(["replay.priority=reward"] if where == "disk" else [])]
    directory = begin(tmp_path, *place)
    old = rewards(directory)
    assert {text: reward for text, reward in old.items() if reward is not None} == pytest.approx(
        {text: before(text) for text in old if text != "GGG"}
    )
    n_calls, watching = len((tmp_path / "calls.txt").read_text().split()), Watching()
    resume(directory.path, watching, [*NEW, "stop.steps=8"])
    assert any("have the rewards of another formula now" in note for note in watching.notes)
    now = rewards(directory)
    assert set(old) <= set(now)
    assert {text: reward for text, reward in now.items() if reward is not None} == pytest.approx(
        {text: by_hand(text) for text in now if text != "GGG"}
    )
    assert watching.rewards == pytest.approx({text: by_hand(text) for text in watching.rewards})
    assert len(watching.rewards) > 5
    calls = (tmp_path / "calls.txt").read_text().split()[n_calls:]
    assert calls, "new objects are computed as ever"
    assert not set(calls) & set(old), "what was known is not computed again"
    again = Watching()
    resume(directory.path, again, ["stop.steps=9"])
    assert again.notes == []
    assert load_config(directory.config).config.reward.combine == "product"


def test_a_kill_between_the_store_and_the_checkpoint_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = begin(tmp_path)
    old = rewards(directory)

    def killed(run: Run) -> None:
        raise MemoryError

    for overrides, formula in (([*NEW, "stop.steps=8"], by_hand), ([], by_hand)):
        with monkeypatch.context() as patch:
            patch.setattr(launch, "rescore_replay", killed)
            with pytest.raises(MemoryError):
                resume(directory.path, SilentProgress(), overrides)
        assert rewards(directory)["AC"] == pytest.approx(formula("AC")) if "AC" in old else True
    watching = Watching()
    resume(directory.path, watching)
    assert watching.rewards == pytest.approx({text: by_hand(text) for text in watching.rewards})
    back = Watching()
    resume(
        directory.path,
        back,
        ["reward.combine=arithmetic_mean", "reward.term.0.transform.high=9.0", "reward.term.1.weight=1.0"],
    )
    assert back.rewards == pytest.approx({text: before(text) for text in back.rewards})
    assert {text: reward for text, reward in rewards(directory).items() if text in old} == pytest.approx(old)


def test_a_formula_that_takes_a_reward_away_changes_nothing(tmp_path: Path) -> None:
    directory = begin(tmp_path)
    old, text = rewards(directory), directory.config.read_text()
    with pytest.raises(DataError, match=r"had a reward and has none by the new formula: term 'a'"):
        resume(
            directory.path,
            SilentProgress(),
            ['reward.term.0.transform={kind="value_mapping",mapping={"0"=1.0,"1"=0.5}}'],
        )
    assert rewards(directory) == old
    assert directory.config.read_text() == text
    watching = Watching()
    resume(directory.path, watching, ["stop.steps=7"])
    assert watching.notes == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('reward.term.0.function="other.py:score"', "reward.term.0.function is"),
        ('reward.term.0.output="c"', "reward.term.0.output is"),
    ],
)
def test_what_is_measured_may_not_change(tmp_path: Path, change: str, sentence: str) -> None:
    directory = begin(tmp_path)
    with pytest.raises(ResumeError, match=sentence):
        resume(directory.path, SilentProgress(), [change])


def test_what_each_kind_of_object_becomes() -> None:
    a = function_term(lambda texts: [0.0] * len(texts), label="a")
    reward = Reward([a], floor=0.01, reads_molecules=False)
    before = [
        ScoredObject("x", 5.0, "ok", "", {"a": 2.0, "other": None}),
        ScoredObject("y", 0.5, "filtered", "too large", {}),
        ScoredObject("z", None, "invalid", "no molecule"),
        ScoredObject("v", None, "failed", "the program says no", {"a": None}),
        ScoredObject("w", None, "failed", "an old transform refused it", {"a": 0.0}),
        ScoredObject("u", None, "failed", "an old transform refused it", {"a": -1.0}),
    ]
    after = with_new_rewards(reward, before)
    assert [item.reward for item in after] == [2.0, 0.01, None, None, 0.01, None]
    assert [item.status for item in after] == ["ok", "filtered", "invalid", "failed", "ok", "failed"]
    assert [item.reason for item in after[1:4]] == [item.reason for item in before[1:4]]
    assert "term 'a': the value -1 is negative" in after[5].reason
    assert [item.properties for item in after] == [item.properties for item in before]
