"""What users get wrong: each case ends in its exit code with a sentence that names the place, and no trace."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fluvial.train.run_directory import RunDirectory

USAGE, FAILED, MISMATCH, STORAGE = 2, 1, 4, 5
GOOD = '[env]\nkind = "fragments"\nmax_fragments = 2\n'
GRID = '[env]\nkind = "hypergrid"\n'
OUT = ("--out", "out")


@dataclass(frozen=True)
class Case:
    """One mistake."""

    name: str
    arguments: Sequence[str]
    says: Sequence[str] | str
    """What the message must hold."""
    code: int = USAGE
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """What lies in the working directory; run.toml is a good configuration unless it is given."""


def train(config: str | bytes = GOOD, *overrides: str) -> tuple[Sequence[str], Mapping[str, str | bytes]]:
    return ["train", "run.toml", *overrides, *OUT], {"run.toml": config}


def configuration(name: str, config: str | bytes, says: Sequence[str] | str) -> Case:
    arguments, files = train(config)
    return Case(f"configuration: {name}", arguments, says, USAGE, files)


def override(text: str, says: Sequence[str] | str, code: int = USAGE) -> Case:
    return Case(f"override: {text}", train(GOOD, text)[0], says, code)


def design(name: str, arguments: Sequence[str], says: Sequence[str] | str, files: Any = None) -> Case:
    return Case(f"design: {name}", ["design", "--steps", "1", *arguments, *OUT], says, USAGE, files or {})


def vocabulary(name: str, content: str | bytes, says: Sequence[str] | str) -> Case:
    return design(f"vocabulary {name}", ["--vocabulary", "v.csv"], says, {"v.csv": content})


def reward(name: str, source: str | bytes, says: Sequence[str] | str) -> Case:
    return design(f"reward file {name}", ["--reward", "r.py:score"], says, {"r.py": source})


def score(name: str, content: str | bytes, says: Sequence[str] | str, file: str = "m.csv") -> Case:
    arguments = ["score", "--reward", "qed", "-i", file]
    return Case(f"score: {name}", arguments, says, USAGE, {file: content})


CONFIGURATIONS = [
    Case(
        "configuration: none",
        ["train", "none.toml"],
        "none.toml: there is no such file; `fluvial init` writes",
    ),
    Case("configuration: a folder", ["train", "."], ".: is a folder; name the configuration file in it"),
    Case("configuration: YAML", ["train", "run.yaml"], "run.yaml: YAML is not read here"),
    configuration("empty", "", "run.toml: [env] is missing"),
    configuration("syntax", "[env\n", "run.toml:1:"),
    configuration("key twice", GOOD + "max_fragments = 3\n", "run.toml:4:18: the key is set a second time"),
    configuration("not UTF-8", GOOD.encode() + b"# \xe9\n", "run.toml:4: byte 0xe9 is not UTF-8"),
    configuration("NUL", GOOD + 'vocabulary = "\\u0000"\n', "run.toml:4: env.vocabulary"),
    configuration("key", GOOD + "max_fragmnts = 3\n", ["run.toml:4", "did you mean 'max_fragments'?"]),
    configuration("section", GOOD + "[stopp]\nsteps = 1\n", ["run.toml:4", "'stopp' - did you mean 'stop'?"]),
    configuration("type", GOOD + "[stop]\nsteps = '9'\n", ['run.toml:5: stop.steps = "9": must be a whole']),
    configuration("range", GOOD + "[algo]\nbatch = 0\n", "run.toml:5: algo.batch = 0: must be at least 1"),
    configuration("kind", '[env]\nkind = "fragment"\n', "did you mean 'fragments'?"),
    configuration(
        "policy", GOOD + "[policy]\nkind = 'mlp'\n", "policy.kind = \"mlp\": must be 'graph-transformer'"
    ),
    configuration("grid reward", GRID + "[[reward.term]]\nkind = 'qed'\n", "must be left out for env.kind"),
    configuration("huge grid", GRID + "dimension = 16\nside = 1024\n", "2^61 cells"),
    configuration(
        "limits", GOOD + "min_fragments = 3\n", "env.min_fragments = 3: must be at most max_fragments"
    ),
    configuration("no term", GOOD + "[reward]\nterm = []\n", "run.toml:5: reward.term"),
    configuration("property", GOOD + "[[reward.term]]\nkind = 'qde'\n", "did you mean 'qed'?"),
    configuration("twice", GOOD + "[[reward.term]]\nkind = 'qed'\n" * 2, "must differ from the names"),
    configuration(
        "SMARTS", GOOD + "[[reward.filter]]\nkind = 'smarts'\nsmarts = 'C('\n", "'C(' is not a SMARTS pattern"
    ),
    configuration(
        "SMILES", GOOD + "[[reward.term]]\nkind = 'similarity'\nto = ['CC(']\n", "'CC(' is no valid SMILES"
    ),
    configuration(
        "time-out", GOOD + "[reward]\ntimeout_seconds = 1.0\n", "unless reward.workers is at least 1"
    ),
    configuration(
        "GPU", "device = 'cuda:99'\n" + GOOD, ["device = 'cuda:99'", "use device = 'cpu' or 'auto'"]
    ),
    configuration("device", "device = 'gpu'\n" + GOOD, "run.toml:1: device = \"gpu\": must be 'auto', 'cpu'"),
    configuration("infinity", GOOD + "[condition]\nbeta = inf\n", "run.toml:5: condition.beta"),
]
OVERRIDES = [
    override("algo.bach=3", "override 'algo.bach=3': unknown key 'algo.bach' - did you mean 'batch'?"),
    override("algo.batch", "override 'algo.batch': must look like key=value, as in algo.batch=32"),
    override("algo.batch=many", 'algo.batch = "many": must be a whole number'),
    override("reward.term.0.weight=2", "the file has no"),
    override("seed=-1", "override 'seed=-1': seed = -1: must be at least 0"),
    override("stop.steps=1e3", "stop.steps"),
    override("--steps=0", "Invalid value for '--steps'"),
    override("--device=tpu", "--device tpu: device = \"tpu\": must be 'auto'"),
    override("--stepz=3", "No such option: --stepz"),
]
DESIGNS = [
    design("property", ["--reward", "qde"], "unknown reward property 'qde' - did you mean 'qed'?"),
    design("empty factor", ["--reward", "qed*"], "reward 'qed*' has an empty factor; write it as qed*sa"),
    design("empty reward", ["--reward", ""], "reward '' has an empty factor"),
    design("no such file", ["--reward", "none.py:score"], "none.py: no such file"),
    design("no function name", ["--reward", "r.py"], "'r.py' does not name a reward function; write it as"),
    design("not Python", ["--reward", "r.txt:score"], "must look like 'file.py:function'"),
    design("alert set", ["--filter", "pians"], ["--filter pians", "did you mean 'PAINS'?"]),
    design("no alert set", ["--filter", ","], "--filter ,: reward.filter.0.sets"),
    design(
        "sharpness", ["--beta", "0"], "--beta 0.0: condition.beta = 0.0: must be a finite number more than 0"
    ),
    design("fragments", ["--max-fragments", "99"], "env.max_fragments = 99: must be at most 32"),
    design("grid", ["--config", "g.toml"], "makes molecules; train a hypergrid with", {"g.toml": GRID}),
    design("number", ["-n", "0"], "Invalid value for '-n'"),
]
VOCABULARIES = [
    design("vocabulary name", ["--vocabulary", "defualt"], "neither a file nor a named vocabulary (default,"),
    vocabulary("empty", "", "v.csv"),
    vocabulary("no rows", "smiles,attachment_atoms\n", "the table holds no fragment"),
    vocabulary("columns", "smiles,atoms\nC,0\n", "lacks the column(s) attachment_atoms in its first line"),
    vocabulary("binary", b"\x89PNG\r\n\x1a\n\xff\xfe", "is not UTF-8 text"),
    vocabulary(
        "rows",
        "smiles,attachment_atoms\nC1CC,0\nCC,5\nCC,\nC.C,0\nF,x\n",
        [
            "line 2: 'C1CC' is no valid SMILES",
            "line 3: 'CC' lists atom 5, but its atoms are 0 to 1",
            "line 6",
        ],
    ),
    vocabulary("valence", "smiles,attachment_atoms\nFC(F)(F)F,1\n", "has no free valence for that"),
]
REWARDS = [
    reward("syntax", "def score(:\n", "r.py cannot be imported: SyntaxError"),
    reward("import", "import nonexistent_package\n", "r.py cannot be imported: ModuleNotFoundError"),
    reward("exit", "import sys\nsys.exit(3)\n", "r.py cannot be imported: SystemExit: 3 (r.py line 2)"),
    reward("binary", b"\x00\xff", "r.py cannot be imported"),
    reward(
        "no function", "def scores(smiles):\n    return []\n", "r.py has no function 'score' (found: scores)"
    ),
    reward("no callable", "score = 3\n", "r.py: 'score' is of type int, not a function"),
    reward("signature", "def score(a, b):\n    return []\n", "cannot be called with one list of molecules"),
]
SCORES = [
    Case("score: no file", ["score", "--reward", "qed", "-i", "none.smi"], "none.smi: there is no such file"),
    Case("score: no input", ["score", "--reward", "qed"], "name the molecules to score, as in: fluvial"),
    Case("score: no reward", ["score", "-i", "m.smi"], "name one source of the reward", files={"m.smi": "C"}),
    Case(
        "score: two rewards",
        ["score", "run.toml", "--reward", "qed", "-i", "m.smi"],
        "name one source of the reward",
        files={"m.smi": "C"},
    ),
    Case(
        "score: grid",
        ["score", "g.toml", "-i", "m.smi"],
        "not for molecules",
        files={"g.toml": GRID, "m.smi": "C"},
    ),
    Case(
        "score: table",
        ["score", "--reward", "qed", "-i", "m.smi", "-o", "s.xls"],
        "s.xls: the ending '.xls' stands for no table; accepted are .csv",
        files={"m.smi": "C"},
    ),
    Case(
        "score: folder of the table",
        ["score", "--reward", "qed", "-i", "m.smi", "-o", "none/s.csv"],
        "none/s.csv: there is no folder none",
        STORAGE,
        {"m.smi": "C"},
    ),
    Case(
        "score: folder",
        ["score", "empty", "-i", "m.smi"],
        "empty is not a run of Fluvial",
        STORAGE,
        {"m.smi": "C"},
    ),
    score("ending", "C", "what ends in '.mol2' is not read here; accepted are .smi", "m.mol2"),
    score("empty", "", "m.smi: there is no molecule in it", "m.smi"),
    score("column", "id,mol\n1,C\n", "there is no column 'smiles'; it has 'id', 'mol'. Choose with --column"),
    score("not UTF-8", b"smiles\n\xff\n", "m.csv:2: is not UTF-8 text"),
    score(
        "no molecule",
        "smiles\nxx\n\nCC(\n",
        "m.csv: none of 2 molecules can be read; line 2: 'xx' is no valid",
    ),
    score("no SDF", "hello", "m.sdf: is no SDF", "m.sdf"),
]
FOLDERS = [
    Case(
        "out: a file", ["train", "run.toml", "--out", "run.toml"], "run.toml is a file, not a folder", STORAGE
    ),
    Case(
        "out: below a file", ["train", "run.toml", "--out", "run.toml/x"], "is a file, not a folder", STORAGE
    ),
    Case("out: not ours", ["train", "run.toml", "--out", "."], "not empty and not a run of Fluvial", STORAGE),
    Case(
        "out: a run",
        ["train", "run.toml", "--out", "run"],
        "run already holds a run. Resume it with",
        STORAGE,
    ),
    Case("out: unwritable", ["train", "run.toml", "--out", "/proc/fluvial"], "/proc/fluvial: ", STORAGE),
    Case(
        "resume: nothing",
        ["resume", "none"],
        "none is not a run of Fluvial: there is no fluvial-run",
        STORAGE,
    ),
    Case("resume: a file", ["resume", "run.toml"], "run.toml is not a run of Fluvial", STORAGE),
    Case("sample: no run", ["sample", "empty"], "empty is not a run of Fluvial", STORAGE),
    Case("report: no run", ["report", "empty"], "empty is not a run of Fluvial", STORAGE),
    Case(
        "report: folder",
        ["report", "run", "-o", "none/x.html"],
        "cannot write the report none/x.html",
        STORAGE,
    ),
    Case("sample: table", ["sample", "run", "-o", "x.txt"], "x.txt: the ending '.txt' stands for no table"),
    Case("sample: sharpness", ["sample", "run", "--beta", "3"], "is not what this run learned, which is 32"),
    Case("sample: negative", ["sample", "run", "--beta", "-3"], "beta = -3 must be greater than 0"),
    Case(
        "resume: other batch", ["resume", "run", "algo.batch=9"], "algo.batch is 9, but the run was", MISMATCH
    ),
    Case(
        "resume: other seed",
        ["resume", "run", "seed=9"],
        ["seed is 9", "start a new run for the rest"],
        MISMATCH,
    ),
    Case("resume: bad key", ["resume", "run", "stop.stpes=9"], "unknown key 'stop.stpes'"),
    Case("init: there", ["init", "."], "run.toml exists already and is left as it is", STORAGE),
    Case("init: below a file", ["init", "run.toml/x"], "is a file, not a folder", STORAGE),
]
OTHERS = [
    Case("init: environment", ["init", "x", "--env", "fragment"], "environment 'fragment': must be one of"),
    Case("init: term", ["init", "x", "--reward", "qde"], "unknown property 'qde' - did you mean 'qed'?"),
    Case("init: empty term", ["init", "x", "--reward", "qed*"], "reward.term.1"),
    Case("config: key", ["config", "explain", "algo.bach"], "There is no key 'algo.bach' - did you mean"),
    Case("data: name", ["data", "fetch", "bengio"], "'bengio' is no known asset. Did you mean 'bengio2021'?"),
    Case("bench: name", ["bench", "hypergird"], "unknown benchmark 'hypergird' - did you mean 'hypergrid'?"),
    Case("no such command", ["tran"], "No such command 'tran'"),
    Case("no argument", ["train"], "name a file, or a task as in"),
    Case("not a number", ["sample", "run", "-n", "many"], "Invalid value for '-n'"),
]
CASES = [
    *(CONFIGURATIONS + OVERRIDES + DESIGNS + VOCABULARIES + REWARDS),
    *(SCORES + FOLDERS + OTHERS),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_run: Path) -> Path:
    """A working directory with a good configuration, a trained run and an empty folder."""
    shutil.copytree(trained_run, tmp_path / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "run.toml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(call: Callable[..., Any], case: Case) -> str:
    """The message of a command that must fail as the case says."""
    result = call(*case.arguments)
    assert result.exit_code == case.code, result.output
    assert "Traceback" not in result.output
    assert result.stdout == ""
    for words in [case.says] if isinstance(case.says, str) else case.says:
        assert words in result.stderr
    return str(result.stderr)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_explained(call, place: Path, case: Case) -> None:
    for name, content in case.files.items():
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    refused(call, case)
    after = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    changed = {path.name for path in before.keys() ^ after.keys()} | {
        path.name for path in before.keys() & after.keys() if before[path] != after[path]
    }
    # SQLite's side files come and go; a refused command leaves everything else as it was.
    assert {
        name for name in changed if not name.startswith("store.db") and not name.endswith(".pyc")
    } == set()


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 100
    assert len({case.name for case in CASES}) == len(CASES)


def test_all_problems_are_told_at_once(call, place: Path) -> None:
    text = "[env]\nkind = 'fragments'\nmax_fragments = 99\n[algo]\nbatch = 0\nepsilon = 2\n"
    (place / "run.toml").write_text(text)
    message = refused(call, Case("", ["check", "run.toml"], ["run.toml:3:", "run.toml:5:", "run.toml:6:"]))
    assert message.count("\n") == 3


@pytest.fixture
def offline(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No public file on this machine, and no network."""

    def unreachable(*arguments: Any, **settings: Any) -> Any:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    monkeypatch.setattr("socket.socket.connect", unreachable)
    monkeypatch.setenv("FLUVIAL_ASSETS", str(place / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "fetch", "bengio2021"],
        ["design", "--vocabulary", "bengio2021", *OUT],
        ["check", "run.toml", "env.vocabulary=bengio2021"],
    ],
    ids=" ".join,
)
def test_without_network_the_way_out_is_told_at_once(call, offline: Path, arguments: list[str]) -> None:
    started = time.monotonic()
    says = ["'bengio2021' (blocks_PDB_105.json) is not in FLUVIAL_ASSETS", "fluvial data fetch bengio2021"]
    refused(call, Case("", arguments, says))
    assert time.monotonic() - started < 5
    assert not Path("out").exists()


def test_a_wrong_folder_of_assets(call, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUVIAL_ASSETS", str(offline / "nowhere"))
    refused(call, Case("", ["data", "fetch", "bengio2021"], "which is no folder; correct or unset it"))


def test_a_damaged_asset(call, offline: Path) -> None:
    (offline / "empty" / "blocks_PDB_105.json").write_text("{}")
    refused(call, Case("", ["data", "fetch", "bengio2021"], ["is not the expected file", "0fcc09130c2e"]))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite_checkpoints(run: RunDirectory) -> None:
    for state in run.checkpoints.glob("*/state.pt"):
        cut(state)


def remove_checkpoints(run: RunDirectory) -> None:
    shutil.rmtree(run.checkpoints)


def damage_marker(run: RunDirectory) -> None:
    run.marker.write_text("{")


def later_format(run: RunDirectory) -> None:
    run.marker.write_text(json.dumps({"format": 99}))


def remove_environment(run: RunDirectory) -> None:
    run.environment.unlink()


def damage_store(run: RunDirectory) -> None:
    run.store.write_bytes(b"SQLite format 3\0" + bytes(5000))


def remove_store(run: RunDirectory) -> None:
    run.store.unlink()


def damage_config(run: RunDirectory) -> None:
    run.config.write_text("[env\n")


DAMAGES = [
    (
        overwrite_checkpoints,
        MISMATCH,
        ["No intact checkpoint in run/checkpoints", "state.pt", "bytes instead of"],
    ),
    (remove_checkpoints, MISMATCH, ["No intact checkpoint", "There is no checkpoint at all"]),
    (damage_marker, STORAGE, ["fluvial-run.json is damaged"]),
    (later_format, STORAGE, ["has run format 99", "Update Fluvial"]),
    (remove_environment, MISMATCH, ["environment.json is missing or damaged"]),
    (damage_store, STORAGE, ["store.db"]),
    (remove_store, STORAGE, ["There is no store at run/store.db"]),
    (damage_config, USAGE, ["config.toml:1:"]),
]


@pytest.mark.parametrize(
    "arguments", [["resume", "run", "--steps", "9"], ["sample", "run", "-n", "1"]], ids=" ".join
)
@pytest.mark.parametrize(
    ("damage", "code", "says"), DAMAGES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_damaged_run_is_refused(
    call,
    place: Path,
    damage: Callable[[RunDirectory], None],
    code: int,
    says: list[str],
    arguments: list[str],
) -> None:
    damage(RunDirectory(Path("run")))
    refused(call, Case("", arguments, says, code))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no program `mount` here")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_a_run_with_a_sentence(call, place: Path, small_disk: Path) -> None:
    says = ["no room is left on its disk", "Free some space"]
    refused(call, Case("", ["train", "run.toml", "--out", str(small_disk / "run"), "--quiet"], says, STORAGE))


def test_a_disk_that_fills_up_keeps_what_was_saved(call, place: Path, small_disk: Path) -> None:
    tiny = ["policy.width=8", "policy.layers=1", "policy.heads=1", "algo.batch=4", "log.checkpoint_every=1"]
    tiny += ["replay.capacity=4", "replay.start=4", "stop.steps=100000", "--quiet"]
    out = small_disk / "run"
    refused(call, Case("", ["train", "run.toml", *tiny, "--out", str(out)], "no room is left", STORAGE))
    (place / "moved").mkdir()
    shutil.copytree(out, place / "moved" / "run")
    step = max(int(path.name[5:]) for path in (place / "moved" / "run" / "checkpoints").glob("step-*"))
    result = call("resume", "moved/run", "--steps", step + 1, "--quiet")
    assert result.exit_code == 0, result.output


def test_a_full_disk_for_a_table(call, place: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1024 * 1024 - 4096))
    case = Case(
        "", ["sample", "run", "-n", "300", "-o", str(small_disk / "t.csv")], "no room is left", STORAGE
    )
    refused(call, case)
    assert not (small_disk / "t.csv").exists()
