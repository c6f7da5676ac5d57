"""Runs whose loop is a notebook's: ask, tell, train."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from word_runs import FUNCTION, INSTANT_TERM, WORDS

import fluvial
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError, DataError, StoppedError, StorageError
from fluvial.queue.opening import open_queue
from fluvial.queue.people import tell
from fluvial.queue.store import Store
from fluvial.train.campaign import HELD, Campaign, held_jobs, people_oracle
from fluvial.train.checkpoint import latest_intact
from fluvial.train.launch import begun, start
from fluvial.train.run import SilentProgress, one_step
from fluvial.train.run_directory import RunDirectory

STEPS = "[stop]\nsteps = 6\n"
INSTANT = f"{WORDS}{STEPS}{INSTANT_TERM}"
BY_HAND = f'{WORDS}{STEPS}[[reward.term]]\nkind = "oracle"\noracle = "assay"\n'


def measured(texts: Sequence[str]) -> dict[str, float]:
    return {text: 1.0 + text.count("A") ** 2 for text in texts}


def opened(folder: Path, *overrides: str, text: str = BY_HAND) -> Campaign:
    loaded = LoadedConfig(parse_config(text, "run.toml", overrides), folder, "run.toml")
    return Campaign(begun(loaded, folder / "run"), folder)


def weights(path: Path) -> Mapping[str, torch.Tensor]:
    return latest_intact(RunDirectory(path).checkpoints)[0].weights


def test_telling_at_once_is_the_same_run_as_an_instant_reward_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "reward.py").write_text(FUNCTION)
    instant = start(
        LoadedConfig(parse_config(INSTANT, "run.toml"), tmp_path, "run.toml"),
        SilentProgress(),
        tmp_path / "instant",
    )
    with opened(tmp_path) as campaign:
        for step in range(3):
            campaign.tell(measured(campaign.ask()))
            assert "loss" in campaign.train(1)
            assert campaign.step == step + 1
    with fluvial.resume_campaign(tmp_path / "run") as campaign:
        while campaign.step < 6:
            campaign.tell(measured(campaign.ask()))
            campaign.train(1)
    one, other = weights(instant.path), weights(tmp_path / "run")
    assert all(torch.equal(one[name], other[name]) for name in one)
    with Store.open(instant.store) as first, Store.open(tmp_path / "run" / "store.db") as second:
        assert [(item.text, item.reward) for item in first.candidates()] == [
            (item.text, item.reward) for item in second.candidates()
        ]
        assert len(first.samples()) == len(second.samples())


def test_what_was_asked_is_asked_again_until_it_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as campaign:
        first = campaign.ask(12)
        assert len(set(first)) == 12
        assert campaign.ask(5) == first[:5]
        assert campaign.ask() == first
        assert campaign.tell(measured(first[:4])) == 4
        assert campaign.asked == first[4:]
        with pytest.raises(StorageError, match="is in use by"):
            fluvial.resume_campaign(tmp_path / "run")
    with fluvial.resume_campaign(tmp_path / "run") as campaign:
        assert campaign.asked == first[4:]
        assert campaign.tell(dict.fromkeys(first[4:6]) | {first[6]: "it did not dissolve"}) == 3
        assert campaign.tell({first[4]: 3.0}) == 0, "a failure was told first"
        more = campaign.ask(10)
        assert more[:5] == first[7:]
        assert not set(more[5:]) & set(first)
        campaign.train(2)
        with Store.open(campaign.run.directory.store) as store:
            known = store.known(first)
    assert {text: known[text].reward for text in first[:4]} == measured(first[:4])
    assert [known[text].status for text in first[4:7]] == ["failed"] * 3
    assert "it did not dissolve" in known[first[6]].reason
    assert not set(first[7:]) & set(known)


def test_what_others_tell_counts_too(tmp_path: Path) -> None:
    with opened(tmp_path) as campaign:
        first = campaign.ask(6)
        queue = open_queue(str(tmp_path / "run" / "queue.db"))
        assert tell(queue, held_jobs(tmp_path / "run" / HELD), measured(first)) == 6
        queue.close()
        assert campaign.asked == []
        assert "loss" in campaign.train(1)


def test_nothing_to_learn_from_is_a_sentence(tmp_path: Path) -> None:
    with opened(tmp_path) as campaign:
        asked = campaign.ask(8)
        with pytest.raises(
            DataError, match=r"8 objects were asked about and not told, and replay begins at 8"
        ):
            campaign.train(1)
        with pytest.raises(ConfigError, match="is not among the 8 objects"):
            campaign.tell({"TTTT": 1.0})
        campaign.tell(measured(asked))
        assert len(campaign.train(30)) > 1, "replay goes on without new answers"


def test_numbers_out_of_range_and_numbers_as_texts_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as campaign:
        with pytest.raises(DataError, match="Ask for some and tell them"):
            campaign.train(1)
        one, other = campaign.ask(2)
        for call, sentence in (
            (lambda: campaign.ask(0), "n = 0 must be at least 1"),
            (lambda: campaign.ask(2, days=0.0), "days = 0.0 must be more than 0"),
            (lambda: campaign.train(0), "steps = 0 must be at least 1"),
            (lambda: campaign.tell({one: 1.0, other: "6.2"}), f"'6.2' of '{other}' is a text; give a number"),
            (lambda: campaign.tell({one: [1.0]}), "must be a number, None, or a text"),  # type: ignore[dict-item]
            (lambda: campaign.tell({one: {"value": "1"}}), "must be a number"),  # type: ignore[dict-item]
        ):
            with pytest.raises(ConfigError, match=sentence):
                call()
        assert campaign.asked == [one, other], "a refused call tells nothing"
        assert campaign.tell({one: 1.0, other: "it did not dissolve"}) == 2


def test_the_first_result_of_an_object_stays(tmp_path: Path) -> None:
    with opened(tmp_path) as campaign:
        (one,) = campaign.ask(1)
        assert campaign.tell({one: 1.0}) == 1
        (other,) = campaign.ask(1)
        assert campaign.tell({one: 2.0, other: 3.0}) == 1


def test_an_interrupt_lets_the_step_end_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return one_step(*arguments)

    with opened(tmp_path) as campaign:
        campaign.tell(measured(campaign.ask()))
        with monkeypatch.context() as patch, pytest.raises(StoppedError, match="SIGINT after step 1"):
            patch.setattr("fluvial.train.campaign.one_step", interrupted)
            campaign.train(5)
        assert campaign.step == 1
        campaign.train(1)
    assert latest_intact(RunDirectory(tmp_path / "run").checkpoints)[0].step == 2


def test_a_kill_before_the_checkpoint_loses_nothing_that_was_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(run: object) -> None:
        raise MemoryError

    with opened(tmp_path) as campaign:
        first = campaign.ask(3)
        with monkeypatch.context() as patch, pytest.raises(MemoryError):
            patch.setattr("fluvial.train.campaign.save", killed)
            campaign.ask(20)
    with fluvial.resume_campaign(tmp_path / "run") as campaign:
        given_out = campaign.asked
        assert given_out[:3] == first
        assert len(given_out) == 20
        assert set(given_out) <= set(campaign.run.learner.waiting.texts)
        campaign.tell(measured(given_out))
        campaign.train(8)
        with Store.open(campaign.run.directory.store) as store:
            assert {text: item.reward for text, item in store.known(given_out).items()} == measured(given_out)


def test_a_small_space_is_asked_about_to_its_end(tmp_path: Path) -> None:
    with opened(tmp_path, "env.max_length=1", "algo.epsilon=1") as campaign:
        found = campaign.ask(10)
        assert {"A", "C", "G"} <= set(found)
        assert len(found) < 10
        campaign.tell(measured(found))
        assert campaign.ask(10) == []


@pytest.mark.parametrize(
    ("text", "overrides", "sentence"),
    [
        (INSTANT, (), "there are 0"),
        (BY_HAND, ('reward.term.0.simulate="latency=0"',), "there are 0"),
        (BY_HAND, ("queue.most_waiting=0",), "queue.most_waiting: a campaign cannot wait"),
        (BY_HAND, ("evaluate.every=2",), "evaluate.every: a campaign cannot wait"),
    ],
)
def test_what_is_no_campaign(tmp_path: Path, text: str, overrides: Sequence[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        people_oracle(parse_config(text, "run.toml", overrides), tmp_path)


def test_molecules_from_python(tmp_path: Path) -> None:
    settings = {"env.max_fragments": 2, "policy.width": 16, "policy.layers": 1, "algo.batch": 8}
    sigmoid = {"kind": "sigmoid", "low": 5.0, "high": 9.0}
    with fluvial.campaign(
        "pIC50", transform=sigmoid, reward="qed", out=tmp_path / "run", settings=settings
    ) as campaign:
        smiles = campaign.ask(4)
        campaign.tell(dict.fromkeys(smiles, 7.0))
        campaign.train(2)
    best = fluvial.load(tmp_path / "run").best(4)
    assert {one.smiles for one in best} == set(smiles)
    for one in best:
        assert one.properties["pIC50"] == 7.0
        assert one.reward == pytest.approx(0.5 * (one.properties["qed"] or 0.0))
    with pytest.raises(ConfigError, match="give the name of what you measure"):
        fluvial.campaign(reward="qed", out=tmp_path / "other")
    with pytest.raises(ConfigError, match="transform = 'sigmoid' must be a table"):
        fluvial.campaign("pIC50", transform="sigmoid", out=tmp_path / "other")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


def test_an_ordinary_run_is_no_campaign(tmp_path: Path) -> None:
    (tmp_path / "reward.py").write_text(FUNCTION)
    loaded = LoadedConfig(parse_config(INSTANT, "run.toml", ["stop.steps=1"]), tmp_path, "run.toml")
    start(loaded, SilentProgress(), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"run is not a campaign, use fluvial\.resume"):
        fluvial.resume_campaign(tmp_path / "run")
