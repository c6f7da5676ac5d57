from __future__ import annotations

import subprocess
import sys

import pytest

from fluvial import __version__
from fluvial.cli import doctor
from fluvial.cli.failures import explanation
from fluvial.core.errors import ResumeError

COMMANDS = [
    ["design"],
    ["score"],
    ["init"],
    ["check"],
    ["check-env"],
    ["train"],
    ["resume"],
    ["sample"],
    ["report"],
    ["doctor"],
    ["bench"],
    ["config", "explain"],
    ["config", "schema"],
    ["data", "list"],
    ["data", "fetch"],
]
HEAVY = ("torch", "rdkit", "sqlalchemy", "pyarrow", "numpy")


def run_and_list_modules(arguments: list[str]) -> set[str]:
    """Heavy modules that a command has imported when it ends."""
    program = (
        "import sys\n"
        "from fluvial.cli.main import app\n"
        "try:\n"
        "    app()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"print('MODULES', *[name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["design", "--help"], ["train", "-h"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert run_and_list_modules(arguments) == set()


def test_explaining_a_key_needs_no_torch() -> None:
    assert "torch" not in run_and_list_modules(["config", "explain", "algo.batch"])


def test_the_help_lists_all_commands_and_the_exit_codes(call) -> None:
    text = call("--help").stdout
    for command in {names[0] for names in COMMANDS}:
        assert f" {command} " in text
    for words in ("0 done", "75 pre-empted", "130 interrupted"):
        assert words in text


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_each_help_has_an_example(call, names: list[str]) -> None:
    result = call(*names, "--help")
    assert result.exit_code == 0
    assert f"fluvial {' '.join(names)}" in result.stdout.split("Example", 1)[1]


def test_the_version(call) -> None:
    assert call("--version").stdout == f"{__version__}\n"


def test_python_m_fluvial() -> None:
    done = subprocess.run([sys.executable, "-m", "fluvial", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_an_error_has_a_trace_only_with_debug(call) -> None:
    plain = call("config", "explain", "algo.bach")
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert plain.stderr == "error: There is no key 'algo.bach' - did you mean 'algo.batch'?\n"
    traced = call("--debug", "config", "explain", "algo.bach")
    assert traced.exit_code == 2
    assert "Traceback" in traced.stderr
    assert "error: There is no key" in traced.stderr


def test_what_nobody_thought_of_is_one_sentence(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluvial.config.explain.explain", lambda key: 1 / 0)
    result = call("config", "explain")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: unexpected ZeroDivisionError: division by zero."
        " Run the same with `fluvial --debug ...` to see where.\n"
    )


def test_ctrl_c_outside_of_training(call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fluvial.config.explain.json_schema", interrupted)
    assert call("config", "schema").exit_code == 130


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ResumeError("no way"), ("no way", 4)),
        (KeyboardInterrupt(), ("interrupted", 130)),
        (MemoryError(), ("the memory is not enough; lower algo.batch, policy.width or replay.capacity", 1)),
    ],
)
def test_explanations(error: BaseException, expected: tuple[str, int]) -> None:
    assert explanation(error) == expected


def test_a_note_says_where_the_trace_is() -> None:
    error = ValueError("odd.")
    error.add_note("The trace is in runs/x/log.txt.")
    assert explanation(error) == ("unexpected ValueError: odd. The trace is in runs/x/log.txt.", 1)


def test_a_reader_who_leaves_early_is_no_error() -> None:
    lines = f"{sys.executable} -m fluvial config schema | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", lines], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("{\n", "", 0)


def test_config_explain_and_schema(call) -> None:
    assert "algo.batch" in call("config", "explain", "algo.batch").stdout
    assert call("config", "schema").stdout.startswith('{\n  "$schema"')


def test_the_doctor_finds_this_installation_well(call) -> None:
    result = call("doctor")
    assert result.exit_code == 0
    for label in ("python", "torch", "rdkit", "gpu", "threads", "cache", "disk"):
        assert f"\n{label} " in f"\n{result.stdout}"
    assert "QED of aspirin 0.550" in result.stdout


def test_the_doctor_survives_a_broken_package(call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Rows:
        raise ImportError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(doctor, "arithmetic", broken)
    result = call("doctor")
    assert result.exit_code == 1
    assert "PROBLEM" in result.stdout
    assert "libtorch.so" in result.stdout


def test_the_public_files_are_listed(call, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("FLUVIAL_ASSETS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "blocks_PDB_105.json").write_text("{}")
    lines = {line.split()[0]: line for line in call("data", "list").stdout.splitlines()}
    assert " here " in lines["bengio2021"]
    assert " to fetch " in lines["seh-proxy"]
