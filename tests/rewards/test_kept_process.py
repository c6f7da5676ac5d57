"""Functions and programs behind lines of JSON: each fault is found, and costs no other object anything."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fluvial.bench import faulty as faulty_module
from fluvial.core.errors import RewardError
from fluvial.queue.jobs import Result
from fluvial.rewards.function_server import function_process
from fluvial.rewards.guard import BreakdownError, guarded
from fluvial.rewards.kept_process import KeptProcess


def never() -> bool:
    return False


def evaluated(evaluator: KeptProcess, texts: list[str]) -> list[Result]:
    numbered = {str(index): text for index, text in enumerate(texts)}
    found = dict(evaluator.evaluate(numbered, never))
    assert found.keys() == numbered.keys()
    return [found[key] for key in numbered]


@pytest.fixture(scope="module")
def faulty() -> Iterator[KeptProcess]:
    process = function_process("faulty.py:score", Path(faulty_module.__file__).parent, timeout_seconds=1.0)
    yield process
    process.close()


def test_each_fault_is_that_of_its_object(faulty: KeptProcess) -> None:
    cases = {
        "value:0.5": (0.5, "", False),
        "raise:x": (None, "ValueError: cannot dock x", False),
        "nan": (None, "returned nan, not a finite number", False),
        "infinite": (None, "returned -inf, not a finite number", False),
        "none": (None, "returned None, not a number", False),
        "text": (None, "returned '0.5', not a number", False),
        "bool": (None, "returned True, not a number", False),
        "list": (None, "returned [1.0], not a number", False),
        "leave": (None, "SystemExit", False),
        "recursion": (None, "RecursionError", False),
        "crash": (None, "ended with SIGSEGV", True),
        "nowhere": (None, "ended with SIGSEGV", True),
        "quit": (None, "ended with exit code 0", True),
        "hang": (None, "no answer within 1 s", True),
        "shout": (0.25, "", False),
        "value:-2": (-2.0, "", False),
    }
    for text, result in zip(cases, evaluated(faulty, list(cases)), strict=True):
        value, reason, may_pass = cases[text]
        assert result.values.get("value") == value, text
        assert reason in result.reason, text
        assert result.may_pass == may_pass, text


def test_it_works_again_after_a_crash(faulty: KeptProcess) -> None:
    assert not evaluated(faulty, ["crash"])[0].is_value
    assert evaluated(faulty, ["value:1", "value:2"])[1].values == {"value": 2.0}


def test_a_time_out_ends_all_that_was_started(faulty: KeptProcess, tmp_path: Path) -> None:
    (result,) = evaluated(faulty, [f"child:{tmp_path / 'number'}"])
    assert "no answer within 1 s" in result.reason
    assert wait_for_end(int((tmp_path / "number").read_text()))


def test_a_function_that_hangs_ends_with_its_worker(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "import os, pathlib, time\n"
        "def score(texts):\n"
        f"    pathlib.Path({str(tmp_path / 'number')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
    )
    worker = (
        "import sys, pathlib\n"
        "from fluvial.rewards.function_server import function_process\n"
        "process = function_process('endless.py:score', pathlib.Path(sys.argv[1]))\n"
        "list(process.evaluate({'1': 'C'}, lambda: False))\n"
    )
    with subprocess.Popen([sys.executable, "-c", worker, str(tmp_path)]) as process:
        deadline = time.monotonic() + 30.0
        while not (tmp_path / "number").is_file() or not (tmp_path / "number").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    number = int((tmp_path / "number").read_text())
    assert wait_for_end(number)


def wait_for_end(number: int) -> bool:
    for _ in range(100):
        status = Path(f"/proc/{number}/status")
        if not status.exists() or "(zombie)" in status.read_text():
            return True
        time.sleep(0.05)
    return False


def test_a_stop_is_obeyed_at_once(faulty: KeptProcess) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    numbered = {"0": "value:1", "1": "hang"}
    assert len(dict(faulty.evaluate(numbered, stop.is_set))) < 2
    assert time.monotonic() - began < 0.95


def test_a_function_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import does_not_exist\n")
    process = function_process("broken.py:score", tmp_path)
    with pytest.raises(RewardError, match=r"broken.py cannot be imported.*does_not_exist"):
        evaluated(process, ["C"])
    process.close()


def test_a_function_may_want_molecules(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text(
        "def score(mols):\n    return {'atoms': [mol.GetNumAtoms() for mol in mols], 'bad': [None] * len(mols)}\n"
    )
    process = function_process("heavy.py:score", tmp_path)
    ethanol, nonsense = evaluated(process, ["CCO", "C("])
    process.close()
    assert ethanol.values == {"atoms": 3.0, "bad": None}
    assert ethanol.reason == "'bad': returned None, not a number"
    assert not nonsense.is_value
    assert "C(" in nonsense.reason


# Programs of one's own


def program(tmp_path: Path, body: str, **options: float) -> KeptProcess:
    path = tmp_path / "program.py"
    head = "import json, os, sys, time\nfor line in sys.stdin:\n    objects = json.loads(line)['objects']\n"
    path.write_text(head + textwrap.indent(textwrap.dedent(body), "    "))
    return KeptProcess([sys.executable, str(path)], **{"timeout_seconds": 5.0, **options})  # type: ignore[arg-type]


def test_answers_may_come_in_any_order_twice_and_with_noise_between(tmp_path: Path) -> None:
    process = program(
        tmp_path,
        """
        print('Loading model...', flush=True)
        print(json.dumps({'id': 'unknown', 'value': 1}), flush=True)
        for key, text in reversed(list(objects.items())):
            print(json.dumps({'id': key, 'value': len(text)}), flush=True)
            print(json.dumps({'id': key, 'value': 999}), flush=True)
        """,
    )
    assert [result.values["value"] for result in evaluated(process, ["C", "CC", "CCC"])] == [1.0, 2.0, 3.0]
    # What is left over of the first batch must not be taken for the second.
    assert [result.values["value"] for result in evaluated(process, ["CCCC", "C"])] == [4.0, 1.0]
    process.close()


def test_text_of_objects_is_no_shell_and_no_json(tmp_path: Path) -> None:
    process = program(
        tmp_path,
        """
        for key, text in objects.items():
            print(json.dumps({'id': key, 'value': len(text)}), flush=True)
        """,
    )
    texts = ["$(touch /tmp/x)", '"}\n{', "a\nb", "ä" * 100_000]
    assert [result.values["value"] for result in evaluated(process, texts)] == [15, 4, 3, 100_000]
    process.close()


def test_a_batch_program_that_breaks_is_asked_in_halves(tmp_path: Path) -> None:
    process = program(
        tmp_path,
        """
        with open('log', 'a') as log:
            log.write(f'{len(objects)} ')
        if 'poison' in objects.values():
            os.abort()
        for key, text in objects.items():
            print(json.dumps({'id': key, 'values': {'a': 1.0}}), flush=True)
        """,
    )
    process.close()
    process = KeptProcess([sys.executable, str(tmp_path / "program.py")], 5.0, folder=tmp_path)
    results = evaluated(process, ["a", "b", "c", "poison", "d", "e", "f", "g"])
    process.close()
    assert [result.is_value for result in results] == [True] * 3 + [False] + [True] * 4
    assert results[3].reason == "ended with SIGABRT"
    assert (tmp_path / "log").read_text() == "8 4 2 2 1 1 4 "


def test_the_last_words_of_a_program_are_in_the_reason(tmp_path: Path) -> None:
    process = program(tmp_path, "print('CUDA out of memory', file=sys.stderr); sys.exit(7)")
    assert evaluated(process, ["C"])[0].reason == "ended with exit code 7: CUDA out of memory"
    process.close()


def test_a_program_that_answers_less_is_broken(tmp_path: Path) -> None:
    process = program(
        tmp_path,
        """
        for key in list(objects)[:-1]:
            print(json.dumps({'id': key, 'value': 1}), flush=True)
        sys.exit(0)
        """,
    )
    assert [result.is_value for result in evaluated(process, ["a", "b"])] == [True, False]
    process.close()


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    process = program(tmp_path, "while True:\n    sys.stdout.write('x' * 100000)")
    assert "wrote a line of more than" in evaluated(process, ["a"])[0].reason
    process.close()


def test_a_program_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(RewardError, match="no-such-program cannot be started: No such file"):
        KeptProcess(["no-such-program"])


# The guard


class Poisoned:
    """Breaks at objects that say so, and counts how often each was asked for."""

    def __init__(self, names_culprits: bool, is_batchwise: bool) -> None:
        self.names_culprits = names_culprits
        self.is_batchwise = is_batchwise
        self.asked: Counter[str] = Counter()
        self.broken = 0

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: object
    ) -> Iterator[tuple[str, Result]]:
        self.asked.update(texts.keys())
        bad = [key for key, text in texts.items() if text == "bad"]
        if bad and self.is_batchwise and not (one_by_one and self.names_culprits):
            self.broken += 1
            raise BreakdownError("broke")
        for key in texts:
            if key in bad:
                self.broken += 1
                raise BreakdownError("broke", key if one_by_one and self.names_culprits else None)
            yield key, Result({"value": 1.0})


@pytest.mark.parametrize("names_culprits", [False, True])
@pytest.mark.parametrize("is_batchwise", [False, True])
@pytest.mark.parametrize("bad", [[], [0], [63], [5, 6], list(range(0, 64, 9))])
def test_only_those_at_fault_fail(names_culprits: bool, is_batchwise: bool, bad: list[int]) -> None:
    asked = Poisoned(names_culprits, is_batchwise)
    texts = {str(index): "bad" if index in bad else "good" for index in range(64)}
    found = dict(guarded(asked, texts, never))
    assert [int(key) for key in texts if not found[key].is_value] == bad
    assert len(found) == 64
    if names_culprits:
        # The first break may say nothing; then each culprit costs one.
        assert asked.broken <= 1 + len(bad)
        assert max(asked.asked.values()) <= 2 + len(bad)


class Dead:
    """Breaks before it comes to any object."""

    names_culprits = True

    def __init__(self) -> None:
        self.broken = 0

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: object
    ) -> Iterator[tuple[str, Result]]:
        self.broken += 1
        raise BreakdownError("ended with exit code 3")
        yield


def test_what_breaks_before_the_first_object_comes_to_an_end() -> None:
    asked = Dead()
    found = dict(guarded(asked, {str(index): "C" for index in range(4)}, lambda: asked.broken > 100))
    assert [found[str(index)].may_pass for index in range(4)] == [True] * 4
    # All, all one by one, two halves, four single ones.
    assert asked.broken == 8
