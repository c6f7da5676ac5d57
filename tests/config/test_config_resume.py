from __future__ import annotations

import pytest

from fluvial.config.file import parse_config
from fluvial.config.resume import FORMULA_BITS, formula_of, resume_difference
from fluvial.config.run_config import RunConfig

BASE = 'env.kind = "fragments"\n'


def changed(*overrides: str) -> RunConfig:
    return parse_config(BASE, overrides=overrides)


FREE = [
    "name=other",
    "out=elsewhere",
    "device=cpu",
    "threads=2",
    "stop.steps=5",
    "stop.minutes=1",
    "log.every=1",
    "log.keep=9",
    "reward.workers=3",
    "reward.combine=arithmetic_mean",
    "reward.floor=0.01",
    'reward.term=[{kind="qed",weight=2.0},{kind="sa",transform={kind="identity"}}]',
]
FIXED = [
    "seed=1",
    "algo.batch=32",
    "env.max_fragments=4",
    'reward.term=[{kind="qed"},{kind="mw",name="sa"}]',
    "condition.beta=8",
]


@pytest.mark.parametrize("override", FREE)
def test_what_a_resumed_run_may_change(override: str) -> None:
    assert resume_difference(changed(), changed(override)) == []


def test_a_resumed_run_may_have_other_worker_processes() -> None:
    run, more = (parse_config('env.kind = "synthesis"\n', overrides=[f"env.workers={n}"]) for n in (0, 3))
    assert resume_difference(run, more) == []


@pytest.mark.parametrize("override", FIXED)
def test_what_it_may_not(override: str) -> None:
    assert len(resume_difference(changed(), changed(override))) == 1


def test_differences_are_sentences() -> None:
    new = changed("algo.batch=32", "policy.width=128", "stop.steps=9", 'reward.term=[{kind="qed"}]')
    assert resume_difference(changed(), new) == [
        "policy.width is 128, but the run was started with 64",
        "algo.batch is 32, but the run was started with 64",
        'reward.term.1.name is nothing, but the run was started with "sa"',
        "reward.term.1.queued is nothing, but the run was started with false",
        'reward.term.1.kind is nothing, but the run was started with "sa"',
    ]


def test_what_is_written_out_is_the_same_as_the_default() -> None:
    explicit = parse_config(BASE + "[algo]\nbatch = 64\n[condition]\nbeta = 32\n")
    assert resume_difference(explicit, changed()) == []


@pytest.mark.parametrize(
    "memory", ['reward.diversity={kind="PenalizeSameSmiles"}', 'condition.focus={kind="learned"}']
)
def test_what_remembers_rewards_keeps_its_formula(memory: str) -> None:
    override = "reward.combine=arithmetic_mean" if "diversity" in memory else "reward.floor=0.01"
    assert resume_difference(changed(memory), changed(memory, override)) != []


def test_a_formula_has_a_number_of_its_own() -> None:
    numbers = [formula_of(changed(*some)) for some in ([], FREE[-3:-2], FREE[-2:-1], FREE[-1:])]
    assert len(set(numbers)) == 4
    assert all(number is not None and 0 <= number < 2**FORMULA_BITS for number in numbers)
    assert formula_of(changed()) == formula_of(changed("stop.steps=5", "reward.workers=3"))
    assert formula_of(parse_config('env.kind = "hypergrid"')) is None
