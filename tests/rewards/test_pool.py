from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.reward_batch import Outcome, RewardBatch
from fluvial.rewards.filters import alert_filter, range_filter
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import Term, function_term, named_term, property_term, similarity_term

SOURCE = '''
import os
import subprocess
import sys
from pathlib import Path

def score(smiles):
    if any("I" in text for text in smiles):
        os._exit(9)
    if any("Br" in text for text in smiles):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(__file__).with_name("child").write_text(str(child.pid))
        child.wait()
    if any("F" in text for text in smiles):
        sys.exit(1)
    return {"length": [len(text) / 10 for text in smiles], "twice": [2.0 * len(text) for text in smiles]}

def once(smiles):
    """Dies in its first call only."""
    mark = Path(__file__).with_name("mark")
    if mark.exists():
        return [1.0] * len(smiles)
    mark.touch()
    os._exit(9)

def process(smiles):
    return [float(os.getpid())] * len(smiles)

def threads(smiles):
    return [float(os.environ["OMP_NUM_THREADS"])] * len(smiles)
'''

MIXED = ["CCO", "C1CC", "c1ccccc1C(=O)O", "CCF", "C", "CCCCCC", "Oc1ccccc1O", "CCO", "CCN"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reward]:
    folder = tmp_path_factory.mktemp("pool")
    (folder / "f.py").write_text(SOURCE)
    with Reward([function_term("f.py:score", folder, output="length")], workers=2) as reward:
        yield reward


def is_gone(process: int) -> bool:
    """Whether a process ends within two seconds; one that nobody has waited for yet counts as ended."""
    for _ in range(40):
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def same(first: RewardBatch, second: RewardBatch) -> None:
    assert_array_equal(first.reward, second.reward)
    assert_array_equal(first.values, second.values)
    assert_array_equal(first.outcome, second.outcome)
    assert first.info == second.info
    assert list(first.raw) == list(second.raw)
    for name, column in first.raw.items():
        assert_array_equal(column, second.raw[name])


def test_workers_change_nothing(folder: Path) -> None:
    terms = [
        property_term("qed"),
        similarity_term(["CCO"]),
        function_term("f.py:score", folder, output="length"),
    ]
    filters = [range_filter("mw", 20, None), alert_filter(["PAINS"], {"acid": "C(=O)[OH]"})]
    alone = Reward(terms, filters=filters, properties=["tpsa"])(MIXED)
    with Reward(terms, filters=filters, properties=["tpsa"], workers=2) as reward:
        same(reward(MIXED), alone)
        same(reward(MIXED[::-1]), Reward(terms, filters=filters, properties=["tpsa"])(MIXED[::-1]))
        assert len(reward([])) == 0
    assert Outcome.VALUE in alone.outcome
    assert Outcome.FAILED in alone.outcome
    assert Outcome.INVALID in alone.outcome
    assert Outcome.FILTERED in alone.outcome


def test_only_the_guilty_molecule_fails_when_a_process_dies(pool: Reward) -> None:
    smiles = ["C" * n for n in range(1, 8)] + ["CI"] + ["N" + "C" * n for n in range(1, 8)]
    batch = pool(smiles)
    assert [smiles[row] for row in range(15) if batch.outcome[row] != Outcome.VALUE] == ["CI"]
    assert batch.outcome[7] == Outcome.FAILED
    assert batch.info[7] == "worker process died"
    assert math.isnan(batch.reward[7])
    assert batch.reward[6] == 0.7
    assert_array_equal(pool(["CC"]).reward, [0.2])


def test_one_death_is_forgiven(folder: Path) -> None:
    with Reward([function_term("f.py:once", folder)], workers=1) as reward:
        assert_array_equal(reward(["C"]).reward, [1.0])


def test_death_between_batches_is_repaired(folder: Path) -> None:
    with Reward([function_term("f.py:process", folder)], workers=1) as reward:
        first = int(reward(["C"]).reward[0])
        assert first != os.getpid()
        os.kill(first, signal.SIGKILL)
        time.sleep(0.1)
        second = int(reward(["C"]).reward[0])
        assert second not in (first, os.getpid())


def test_ctrl_c_does_not_reach_the_workers(folder: Path) -> None:
    with Reward([function_term("f.py:process", folder)], workers=1) as reward:
        worker = int(reward(["C"]).reward[0])
        os.kill(worker, signal.SIGINT)
        assert reward(["C"]).reward[0] == worker


def test_no_answer_in_time(folder: Path) -> None:
    term = function_term("f.py:score", folder, output="length")
    with Reward([term], workers=2, timeout_seconds=1.5) as reward:
        begin = time.monotonic()
        batch = reward(["C", "CBr", "CC"])
        assert time.monotonic() - begin < 10.0
        assert_array_equal(batch.reward, [0.1, math.nan, 0.2])
        assert batch.outcome[1] == Outcome.FAILED_FOR_NOW
        assert batch.info[1] == "no answer within 1.5 s"
        assert is_gone(int((folder / "child").read_text()))
        assert_array_equal(reward(["CC"]).reward, [0.2])


def test_processes_end_with_close(folder: Path) -> None:
    reward = Reward([function_term("f.py:process", folder)], workers=1)
    worker = int(reward(["C"]).reward[0])
    reward.close()
    reward.close()
    assert is_gone(worker)
    with pytest.raises(RewardError, match="the reward was closed"):
        reward(["C"])


def test_file_errors_come_back_from_the_workers(folder: Path) -> None:
    with pytest.raises(
        RewardError, match=r"f.py has no function 'scores' \(found: score, once, process, threads\)"
    ):
        Reward([function_term("f.py:scores", folder)], workers=2)
    (folder / "dies.py").write_text("import os\nos._exit(3)\n")
    with pytest.raises(RewardError, match="a worker process died while it loaded the reward"):
        Reward([function_term("dies.py:score", folder)], workers=1)


def test_functions_that_cannot_travel_are_refused() -> None:
    term: Term = function_term(lambda smiles: [1.0] * len(smiles), label="own")
    with pytest.raises(ConfigError, match=r"name its functions as file\.py:function, or use workers = 0"):
        Reward([term], workers=1)


def test_a_script_ends_although_its_workers_were_never_closed(folder: Path) -> None:
    script = folder / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from fluvial.rewards.reward import Reward\n"
        "from fluvial.rewards.terms import function_term\n"
        'if __name__ == "__main__":\n'
        '    reward = Reward([function_term("f.py:process", Path(__file__).parent)], workers=1)\n'
        '    print(int(reward(["C"]).reward[0]))\n'
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert is_gone(int(done.stdout))


def test_a_script_without_guard_is_told_so(folder: Path) -> None:
    script = folder / "script.py"
    script.write_text(
        "from fluvial.rewards.flags import parse_reward_flag\n"
        "from fluvial.rewards.reward import Reward\n"
        'Reward(parse_reward_flag("qed"), workers=1)\n'
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "must keep its own actions under `if __name__ ==" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("given", "used"), [(None, 1.0), ("3", 3.0)])
def test_workers_use_one_core_each_unless_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, used: float
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    with Reward([function_term("f.py:threads", folder)], workers=1) as reward:
        assert reward(["C"]).reward.tolist() == [used]


@pytest.mark.skipif(not os.environ.get("FLUVIAL_ASSETS"), reason="needs the public files")
def test_a_predictor_is_loaded_in_each_worker() -> None:
    texts = ["CCO", "[U]", "c1ccccc1"]
    with Reward([named_term("seh")], workers=1) as reward:
        found = reward(texts)
    alone = Reward([named_term("seh")])(texts)
    assert found.reward == pytest.approx(alone.reward, abs=1e-6, nan_ok=True)
    assert found.raw["seh"][2] == pytest.approx(0.92876, abs=1e-4)
    assert found.reward[2] == pytest.approx(0.92876 / 8, abs=1e-5)
    assert found.outcome.tolist() == [Outcome.VALUE, Outcome.FAILED, Outcome.VALUE]
    assert "element U" in found.info[1]
