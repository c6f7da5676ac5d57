"""With worker processes everything is as without them, numbers of molecules included."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import dying_worker
import pytest
import synthesis_toy as toy
import torch

import fluvial.envs.synthesis.ahead as ahead_module
from fluvial.chem.synthesis.library import BlockLibrary, embedded_library, make_library
from fluvial.chem.synthesis.library_file import read_library, write_library
from fluvial.chem.synthesis.templates import embedded_templates
from fluvial.core.errors import DataError, WorkerError
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.limits import Limits
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout, rollout

LIMITS = Limits(forbidden=("[N+](=O)[O-]",), required=("[nH0]",))


def embedded(n_blocks: int) -> BlockLibrary:
    whole = embedded_library()
    return make_library([whole.block(number) for number in range(n_blocks)], whole.templates)


def all_of(env: Syntheses) -> list[object]:
    """Everything that two walks show: states, views of molecules, and numbers in the order of their making."""
    found: list[object] = []
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        made = rollout(env, UniformPolicy(env), Conditions().fixed(12, 1.0), generator)
        molecules = made.states.molecule.unique()
        found += [made.actions.tolist(), made.back_actions.tolist(), made.log_symmetry.tolist()]
        found += [env.fingerprints(molecules).tolist(), env.graphs(molecules).node.tolist()]
        found += [env.observe(made.states[1]).choices.tolist(), env.decode(made.final_states)]
    texts = sorted({*env.decode(made.final_states), "CCO", "no molecule"})
    given = env.encode(texts)
    found += [given.found.tolist(), env.log_n(given.states).tolist()]
    if not env.records_parents:
        ends = given.states[given.found == 0]
        condition = Conditions().fixed(len(ends), 1.0)
        found.append(backward_rollout(env, None, ends, condition, generator).actions.tolist())
    return [*found, env.molecules.smiles(env.n_blocks + 1), env.molecules.number("CCOCCOCCOCCO")]


CASES: dict[str, Callable[[int], Syntheses]] = {
    "recorded": lambda workers: Syntheses(embedded(60), 2, parents="recorded", workers=workers),
    "searched": lambda workers: Syntheses(embedded(30), 2, tries_all=False, workers=workers),
    "limited": lambda workers: Syntheses(embedded(60), 2, parents="recorded", limits=LIMITS, workers=workers),
    "tries all": lambda workers: Syntheses(embedded(8), 2, workers=workers),
    "listed": lambda workers: Syntheses(embedded(8), 2, parents="listed", workers=workers),
    "listed, not tried": lambda workers: Syntheses(
        embedded(8), 2, parents="listed", tries_all=False, workers=workers
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_workers_change_nothing(case: str) -> None:
    alone, together = CASES[case](0), CASES[case](2)
    expected = all_of(alone)
    assert all_of(together) == expected
    assert together.ahead.cpu_seconds > 0
    together.close()
    assert all_of(together) == all_of(alone)


def test_what_comes_along_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Syntheses(embedded(60), 2, parents="recorded", workers=1)
    env.fingerprints(torch.tensor([1]))
    for name in ("_matching", "_products"):
        monkeypatch.setattr(type(env.molecules.chemistry), name, None)
    monkeypatch.setattr(type(env.molecules.chemistry), "fingerprint", None)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        made = rollout(env, UniformPolicy(env), Conditions().fixed(20, 1.0), generator)
        env.fingerprints(made.states.molecule.unique())
        assert len(set(env.decode(made.final_states))) > 10
    env.close()


def processes(env: Syntheses) -> list[int]:
    pool = env.ahead._pool
    assert pool is not None
    return [worker.process.pid or 0 for worker in pool._workers]


def is_gone(process: int) -> bool:
    for _ in range(60):
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_processes_start_when_needed_and_end_with_the_environment() -> None:
    env = Syntheses(embedded(60), 1, parents="recorded", workers=2)
    assert env.ahead._pool is None
    env.observe(env.step(env.initial(1), torch.tensor([env.first_block])))
    started = processes(env)
    assert len(set(started)) == 2
    del env
    gc.collect()
    assert all(map(is_gone, started))


def test_a_library_file_is_opened_by_each_process_and_must_not_change(tmp_path: Path) -> None:
    path = tmp_path / "few.library"
    write_library(embedded(60), path, {})
    env = Syntheses(read_library(path), 1, parents="recorded", workers=1)
    states = env.step(env.initial(1), torch.tensor([env.first_block]))
    expected = Syntheses(embedded(60), 1, parents="recorded").observe(states).choices.tolist()
    assert env.observe(states).choices.tolist() == expected
    env.close()
    other = Syntheses(read_library(path), 1, parents="recorded", workers=1)
    write_library(embedded(61), path, {})
    with pytest.raises(DataError, match=r"few\.library was changed since it was opened; start again"):
        other.observe(states)
    other.close()


def test_a_process_that_dies_is_told_with_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_module, "ready_to_answer", dying_worker.dying)
    library = toy.library_of(["BrCc1ccccc1", "NCc1ccccc1", "CC(=O)O"], embedded_templates())
    env = Syntheses(library, 1, tries_all=False, parents="recorded", workers=2)
    blocks = [text for text in library.smiles if "Br" not in text]
    first = [env.first_block + library.smiles.index(text) for text in blocks]
    env.observe(env.step(env.initial(2), torch.tensor(first)))
    started = processes(env)
    bromide = env.step(env.initial(1), torch.tensor([env.first_block + library.smiles.index("BrCc1ccccc1")]))
    with pytest.raises(WorkerError, match=r"the parts of BrCc1ccccc1 ended a worker process twice, the seco"):
        env.observe(bromide)
    started += processes(env)
    env.close()
    assert all(map(is_gone, started))
    assert env.observe(bromide).choices.any()
