from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fluvial.core import processes
from fluvial.core.errors import DataError, StorageError
from fluvial.core.processes import Missing, ProcessPool, Service

Answers = Callable[[list[str]], list[str]]


def loaded(setting: str) -> Answers:
    """Answers with the setting and the question; some questions end the process, or last."""
    if setting == "broken":
        raise DataError("nothing to load")

    def answer(questions: list[str]) -> list[str]:
        for question in questions:
            if question == "die":
                os._exit(9)
            if question.startswith("die once "):
                mark = Path(question.removeprefix("die once "))
                if not mark.exists():
                    mark.touch()
                    os._exit(9)
            if question == "refuse":
                raise StorageError("no room")
            if question == "bug":
                raise ValueError("not thought of")
            if question == "sleep":
                time.sleep(60)
            if question == "work":
                end = time.process_time() + 0.2
                while time.process_time() < end:
                    pass
        return [f"{setting} {question} {os.getpid()}" for question in questions]

    return answer


def service(setting: str = "a") -> Service[str, str]:
    return Service(loaded, setting, "the test", DataError)


def answers_of(pool: ProcessPool[str, str], *questions: str) -> list[str | Missing]:
    found = pool.ask(questions)
    return [one if isinstance(one, Missing) else one.rpartition(" ")[0] for one in found]


def process_of(pool: ProcessPool[str, str]) -> int:
    (answer,) = pool.ask(["who"])
    assert isinstance(answer, str)
    return int(answer.rpartition(" ")[2])


def is_gone(process: int) -> bool:
    """Whether a process ends within three seconds; one that nobody has waited for yet counts as ended."""
    for _ in range(60):
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool[str, str]]:
    pool = ProcessPool(service(), 2, 4)
    yield pool
    pool.close()


def test_answers_are_in_the_order_of_the_questions(pool: ProcessPool[str, str]) -> None:
    questions = [str(number) for number in range(50)]
    assert answers_of(pool, *questions) == [f"a {question}" for question in questions]
    assert pool.ask([]) == []


def test_only_the_guilty_question_has_no_answer(pool: ProcessPool[str, str]) -> None:
    assert answers_of(pool, "1", "2", "die", "3") == ["a 1", "a 2", Missing.DIED, "a 3"]
    assert answers_of(pool, "4") == ["a 4"]


def test_one_death_is_forgiven(pool: ProcessPool[str, str], tmp_path: Path) -> None:
    question = f"die once {tmp_path / 'mark'}"
    assert answers_of(pool, question) == [f"a {question}"]


def test_errors_of_ours_come_back_as_they_were(pool: ProcessPool[str, str]) -> None:
    with pytest.raises(StorageError, match="no room"):
        pool.ask(["1", "refuse", "2"])
    assert answers_of(pool, "3") == ["a 3"]


def test_the_time_that_processes_took_is_known(pool: ProcessPool[str, str]) -> None:
    before = pool.cpu_seconds
    pool.ask(["work", "work"])
    assert 0.4 <= pool.cpu_seconds - before < 1.0


def test_death_while_idle_and_ctrl_c() -> None:
    pool = ProcessPool(service(), 1, 1)
    first = process_of(pool)
    os.kill(first, signal.SIGINT)
    assert process_of(pool) == first
    os.kill(first, signal.SIGKILL)
    assert is_gone(first)
    second = process_of(pool)
    assert second != first
    pool.close()
    pool.close()
    assert is_gone(second)
    with pytest.raises(DataError, match="the test was closed and cannot be asked any more"):
        pool.ask(["1"])


def test_late_answers_are_given_up() -> None:
    pool = ProcessPool(service(), 2, 4, timeout_seconds=1.0)
    assert answers_of(pool, "1", "sleep") == ["a 1", Missing.LATE]
    pool.close()


def test_what_cannot_be_loaded_is_said() -> None:
    with pytest.raises(DataError, match="nothing to load"):
        ProcessPool(service("broken"), 1, 1)


SCRIPT = """
import os, sys, threading, time
sys.path.insert(0, {folder!r})
from test_processes import process_of, service
from fluvial.core.processes import ProcessPool
if __name__ == "__main__":
    pool = ProcessPool(service(), 2, 1)
    pids = {{process_of(pool)}}
    print(*pids, *(worker.process.pid for worker in pool._workers), flush=True)
    pool.ask(["sleep", "sleep"])
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_the_one_that_asks_however_that_ends(tmp_path: Path, end: signal.Signals) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent)))
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    workers = list(map(int, parent.stdout.readline().split()))
    assert len(set(workers)) == 2
    parent.send_signal(end)
    parent.wait(10)
    assert all(map(is_gone, workers))


def test_an_error_that_nobody_thought_of_is_told_with_its_trace(pool: ProcessPool[str, str]) -> None:
    with pytest.raises(DataError, match="not thought of") as caught:
        pool.ask(["bug"])
    assert "test_processes.py" in str(caught.value)
    assert answers_of(pool, "x") == ["a x"]


def test_processes_that_die_before_they_read_what_is_sent_hang_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heavy = service("a" * 1_000_000)
    pool = ProcessPool(heavy, 2, 4)
    for process in {process_of(pool) for _ in range(20)}:
        os.kill(process, signal.SIGKILL)
    with monkeypatch.context() as patched:
        patched.setattr(processes, "_serve", os._exit)
        for _ in range(3):
            with pytest.raises(DataError, match="died while it loaded the test"):
                pool.ask(["x"] * 40)
    (answer,) = answers_of(pool, "x")
    assert answer == "a" * 1_000_000 + " x"
    pool.close()
