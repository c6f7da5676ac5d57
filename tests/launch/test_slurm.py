"""Job files for SLURM are what they were, and a shell that has no cluster runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fluvial.cli.main import app
from fluvial.core.errors import ConfigError, FailedRunError
from fluvial.launch.plan import ClusterPlan, worker_words
from fluvial.launch.slurm import job_files, submit, write_job_files

PLACE = "postgresql://me@dbhost/fluvial"
PLAN = {
    "place": PLACE,
    "trainer": {"config": "run.toml", "out": "runs/my run", "gpus": 1, "setup": ["module load cuda"]},
    "workers": [
        {
            "name": "boltz",
            "count": 50,
            "target": "tyk2.toml",
            "partition": "gpu",
            "account": "chem",
            "gpus": 1,
            "cpus": 8,
            "memory": "32G",
            "most_at_once": 20,
            "setup": ["source /opt/fluvial/bin/activate"],
            "environment": {"BOLTZ_CACHE": "/scratch/a b"},
            "options": ["--constraint=h100"],
        }
    ],
}

WORKERS = """\
#!/bin/bash
#SBATCH --job-name=boltz
#SBATCH --partition=gpu
#SBATCH --account=chem
#SBATCH --time=24:00:00
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --gpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
#SBATCH --array=0-49%20
#SBATCH --output=/here/cluster/logs/%x-%A_%a.log
#SBATCH --constraint=h100

set -eu
source /opt/fluvial/bin/activate
export OMP_NUM_THREADS=8
export BOLTZ_CACHE='/scratch/a b'

cd /here
exec fluvial worker postgresql://me@dbhost/fluvial --target tyk2.toml --jobs 1 --batch 8 --lease 60 --idle-exit 1800
"""

TRAINER = """\
#!/bin/bash
#SBATCH --job-name=trainer
#SBATCH --time=24:00:00
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --gpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
#SBATCH --output=/here/cluster/logs/%x-%j.log

set -eu
module load cuda
export OMP_NUM_THREADS=4

cd /here
if [ -e 'runs/my run'/config.toml ]; then
  fluvial resume 'runs/my run' &
else
  fluvial train run.toml --out 'runs/my run' &
fi
child=$!
trap 'kill -TERM "$child"' TERM
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
# 75: saved before the end, to be continued.
if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""


def plan(**keys: object) -> ClusterPlan:
    return ClusterPlan.model_validate({**PLAN, **keys})


def test_the_files_are_what_they_were() -> None:
    files = job_files(plan(), Path("/here"))
    assert list(files) == ["trainer.sbatch", "boltz.sbatch"]
    assert files["boltz.sbatch"] == WORKERS
    assert files["trainer.sbatch"] == TRAINER


def test_workers_are_as_many_as_training_needs() -> None:
    needs = {
        "name": "dock",
        "function": "dock.py:score",
        "answers_per_second": 2.5,
        "seconds_per_answer": 20.0,
    }
    (group,) = plan(workers=[needs]).workers
    assert group.n_workers == 50
    (group,) = plan(workers=[{**needs, "jobs": 4}]).workers
    assert group.n_workers == 13
    words = worker_words(PLACE, group)
    assert words[:5] == ["fluvial", "worker", PLACE, "--function", "dock.py:score"]


def test_words_are_ones_that_the_worker_understands() -> None:
    everything = {
        "name": "all", "count": 1, "simulate": "latency=1", "oracle": "x", "timeout": 9.5, "idle_exit": 0.0,
    }  # fmt: skip
    (group,) = plan(workers=[everything]).workers
    done = CliRunner().invoke(app, [*worker_words("no/such/folder/jobs.db", group)[1:], "--help"])
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"place": "jobs.db"}, "meet in a PostgreSQL database"),
        ({"place": "postgresql://me:secret@host/db"}, "must not hold a password"),
        (
            {"workers": [{"name": "a", "count": 1, "exec": "x", "http": "y"}]},
            "must have one of target, function",
        ),
        ({"workers": [{"name": "a", "count": 1}]}, "workers 'a' have no way to evaluate"),
        ({"workers": [{"name": "a"}]}, "must be given, or answers_per_second and seconds_per_answer"),
        ({"workers": [{"name": "trainer", "count": 1}]}, "'trainer' is taken"),
        ({"workers": [{"name": "a b", "count": 1}]}, "name"),
        ({"workers": [{"name": "a", "count": 1, "options": ["x\n#SBATCH --uid=0"]}]}, "options"),
        (
            {"workers": [{"name": "a", "count": 1, "environment": {"A;B": "x"}}]},
            "must have names of variables",
        ),
        ({"workers": [{"name": "a", "count": 1, "setup": ["a\nb"]}]}, "setup"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, object], words: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=words):
        job_files(plan(**keys), Path("/here"))


FAKE_SBATCH = """\
#!/bin/sh
for last; do :; done
bash -n "$last" || exit 3
case "$last" in *refused*) echo "sbatch: error: invalid partition" >&2; exit 1;; esac
echo "$last" >> "$(dirname "$0")/submitted"
wc -l < "$(dirname "$0")/submitted" | tr -d ' ' | sed 's/$/;cluster/'
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    write_program(folder / "sbatch", FAKE_SBATCH)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_sbatch_gets_each_file(tmp_path: Path, programs: Path) -> None:
    files = write_job_files(plan(), tmp_path)
    assert submit(files) == ["1", "2"]
    assert (programs / "submitted").read_text().split() == [str(file) for file in files]
    assert (tmp_path / "cluster/logs").is_dir()


def test_a_refusal_says_what_was_submitted(tmp_path: Path, programs: Path) -> None:
    workers = [{"name": name, "count": 1, "simulate": ""} for name in ("good", "refused")]
    files = write_job_files(plan(trainer=None, workers=workers), tmp_path)
    with pytest.raises(
        FailedRunError, match=r"refused\.sbatch: sbatch: error: invalid partition; submitted before: 1"
    ):
        submit(files)


def test_without_sbatch_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no sbatch on this machine"):
        submit([tmp_path / "x.sbatch"])


def test_from_the_command_line(tmp_path: Path, programs: Path) -> None:
    (tmp_path / "cluster.toml").write_text(
        f'place = "{PLACE}"\n[[workers]]\nname = "w"\ncount = 3\nsimulate = ""\n'
    )
    done = CliRunner().invoke(app, ["cluster", "slurm", str(tmp_path / "cluster.toml"), "--submit"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("job 1: ")
    assert "--array=0-2\n" in (tmp_path / "cluster/w.sbatch").read_text()


def test_a_missing_cluster_file_is_said(tmp_path: Path) -> None:
    for how in ("slurm", "local"):
        done = CliRunner().invoke(app, ["cluster", how, str(tmp_path / "nope.toml")])
        assert done.exit_code == 2
        assert "nope.toml: there is no such file; 'Run on a cluster'" in done.stderr


FAKE_TRAINER = """\
import json, signal, sys, time
with open("calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "resume":
    sys.exit(0)
def stop(number, frame):
    import pathlib
    time.sleep(0.3)
    pathlib.Path(sys.argv[4]).mkdir(parents=True)
    pathlib.Path(sys.argv[4], "config.toml").touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
open("ready", "w").close()
time.sleep(60)
"""


def test_a_trainer_that_is_pre_empted_saves_and_goes_on(tmp_path: Path, programs: Path) -> None:
    write_program(programs / "scontrol", f'#!/bin/sh\necho "$@" >> {tmp_path / "requeued"}\n')
    (tmp_path / "trainer.py").write_text(FAKE_TRAINER)
    trainer = {"config": "run.toml", "out": "runs/my run", "command": [sys.executable, "-S", "trainer.py"]}
    file = write_job_files(plan(trainer=trainer), tmp_path)[0]
    environment = {**os.environ, "SLURM_JOB_ID": "42"}
    with subprocess.Popen(["bash", str(file)], env=environment) as process:
        while not (tmp_path / "ready").exists():
            assert process.poll() is None
        process.terminate()
        assert process.wait(20) == 75
    assert (tmp_path / "requeued").read_text() == "requeue 42\n"
    assert subprocess.run(["bash", str(file)], env=environment, check=False).returncode == 0
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert calls == [["train", "run.toml", "--out", "runs/my run"], ["resume", "runs/my run"]]
