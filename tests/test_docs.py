"""What the pages say is true: their code runs, their commands, keys, links and files exist."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fluvial.bench.registry import BENCHMARKS
from fluvial.cli.main import app
from fluvial.config.run_config import RunConfig
from fluvial.config.section import Section
from fluvial.config.walk import entries
from fluvial.launch.plan import ClusterPlan
from fluvial.oracles.boltz.target import BoltzTarget
from fluvial.oracles.vina.target import VinaTarget

ROOT = Path(__file__).parents[1]
MANUAL = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [*MANUAL, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_EXAMPLE_LINES = {"own_environment.py": 149}
"""Of the examples that cannot be as short as the others."""
MOST_PATH_LINES = 460
SLACK = 3
"""Lines by which the newcomer's page may be behind the code before it has to be counted again."""
NOT_RUN = re.compile(r"<!-- not run\b.*-->")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TARGETS: dict[str, type[Section]] = {"boltz": BoltzTarget, "vina": VinaTarget}
CONFIG_KEYS = {name for name, _, _ in entries(RunConfig)}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    """Of its first line of content."""
    is_run: bool


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(match[1], match[2], line, NOT_RUN.fullmatch(before.strip()) is None))
    return found


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pages_with(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(block.language in languages for block in blocks(page))]


def test_blocks_are_found_with_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "One\n\n```python\n1 / 0\n```\n<!-- not run: slow -->\n```sh\nls\n```\n\n<!-- x -->\n```toml\n```\n"
    )
    assert blocks(page) == [
        Block("python", "1 / 0\n", 4, True),
        Block("sh", "ls\n", 8, False),
        Block("toml", "", 13, True),
    ]


# Code


@pytest.mark.parametrize("page", [page for page in pages_with("python") if page in MANUAL], ids=page_name)
def test_python_blocks_run_and_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    printed = ""
    for block in blocks(page):
        if block.language == "python" and block.is_run:
            # Blank lines in front keep the line numbers of the page in traces.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec"), module.__dict__)
            printed = capsys.readouterr().out
        elif block.language == "text" and printed:
            assert block.text in printed
        else:
            printed = ""


@pytest.mark.parametrize("page", pages_with("toml"), ids=page_name)
def test_configurations_are_accepted(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            if tool := tomllib.loads(block.text).get("tool"):
                TARGETS[tool].model_validate(tomllib.loads(block.text))
                continue
            if "place" in tomllib.loads(block.text):
                ClusterPlan.model_validate(tomllib.loads(block.text))
                continue
            data = {"env": {"kind": "fragments"}, **tomllib.loads(block.text)}
            reward = data.get("reward", {})
            if "filter" in reward and "term" not in reward:
                data["reward"] = {**reward, "term": [{"kind": "qed"}]}
            RunConfig.model_validate(data)


# Commands


def shell_lines(page: Path) -> Iterator[str]:
    """Single commands of the page's shell blocks and of `fluvial ...` in its text."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.language in ("sh", "console", "bash"):
            joined = block.text.replace("\\\n", " ")
            lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
            yield from (line for line in lines if line and not line.startswith("#"))
    yield from re.findall(r"(?<!`)`(fluvial [^`\n]+)`(?!`)", FENCE.sub("", text))


def commands(page: Path) -> Iterator[list[str]]:
    """Words of each call of `fluvial`, up to whatever the shell does with its output."""
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        while "fluvial" in words:
            words = words[words.index("fluvial") + 1 :]
            end = next((i for i, word in enumerate(words) if re.fullmatch(r"[|<>&;]+.*|…", word)), len(words))
            yield words[:end]
            words = words[end:]


def parameter_with(command: Any, option: str) -> Any:
    return next((one for one in command.params if option in (*one.opts, *one.secondary_opts)), None)


def complaints(words: list[str]) -> list[str]:
    """What is wrong with a call; placeholders in capitals stand for anything."""
    command: Any = typer.main.get_command(app)
    path, found, positional = ["fluvial"], [], []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and len(word) > 1:
            parameter = parameter_with(command, word.split("=")[0])
            if parameter is None:
                found.append(f"{' '.join(path)} has no option {word}")
            elif not getattr(parameter, "is_flag", False) and "=" not in word and rest:
                rest.pop(0)
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return [*found, f"{' '.join(path)} has no command {word}"]
            command = command.commands[word]
            path.append(word)
        else:
            positional.append(word)
    return found + wrong_arguments(path[1:], positional)


def wrong_arguments(path: list[str], positional: list[str]) -> list[str]:
    """Overrides, keys and benchmarks that do not exist."""
    found = []
    names = [word for word in positional if "=" not in word]
    keys = [word.split("=")[0] for word in positional if "=" in word]
    if path == ["bench"]:
        benchmark = BENCHMARKS.get(names[0]) if names else None
        if names and benchmark is None and not names[0].isupper():
            found.append(f"there is no benchmark {names[0]}")
        accepted = inspect.signature(benchmark).parameters if benchmark else {}
        found += [f"benchmark {names[0]} has no option {key}" for key in keys if key not in accepted]
        return found
    if path == ["config", "explain"]:
        keys += [name for name in names if not name.isupper()]
    plain = [".".join(part for part in key.split(".") if not part.isdigit()) for key in keys]
    return [f"there is no key {key}" for key in plain if key not in CONFIG_KEYS and key != "KEY"]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_and_options_exist(page: Path) -> None:
    assert {" ".join(words): wrong for words in commands(page) if (wrong := complaints(words))} == {}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("design --reward qed*sa --steps 3", None),
        ("--debug train run.toml algo.batch=3", None),
        ("--debug", None),
        ("desing", "fluvial has no command desing"),
        ("design --stesp 3", "fluvial design has no option --stesp"),
        ("train run.toml algo.bach=3", "there is no key algo.bach"),
        ("train run.toml reward.term.0.weight=2", None),
        ("config explain algo.bach", "there is no key algo.bach"),
        ("bench fragments baths=3", "benchmark fragments has no option baths"),
        ("bench frogs", "there is no benchmark frogs"),
    ],
)
def test_the_check_of_commands_itself(line: str, complaint: str | None) -> None:
    assert complaints(line.split()) == ([complaint] if complaint else [])


def test_the_pages_show_commands() -> None:
    shown = {words[0] for page in MANUAL for words in commands(page) if words}
    assert {"design", "init", "check", "train", "resume", "sample", "score", "report", "bench"} <= shown


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_scripts_that_are_called_exist(page: Path) -> None:
    called = [
        word
        for line in shell_lines(page)
        if "python" in line
        for word in line.split()
        if word.endswith(".py")
    ]
    assert [script for script in called if not (ROOT / script).is_file()] == []


# Links


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def broken_links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = (page.parent / path).resolve() if path else page
        has_anchor = not anchor or (linked.suffix == ".md" and anchor in anchors(linked))
        if not linked.exists() or not has_anchor:
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n[a](missing.md) [b](#one-two) [c](#three) [d](https://example.org)\n")
    assert broken_links(page) == ["missing.md", "#three"]


def test_each_page_is_in_the_navigation() -> None:
    shown = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert shown == {str(page.relative_to(ROOT / "docs")) for page in MANUAL[1:]}


def test_referenced_modules_exist() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    names = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    missing = [
        name for name in names if not (ROOT / "src" / name.replace(".", "/")).with_suffix(".py").is_file()
    ]
    assert len(names) > 30
    assert missing == []


# The path for newcomers, the rooms, the tests that are named


def definition_lines(path: Path, name: str) -> int:
    """Lines of a function or class, decorators included; `Class.method` for one inside."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    node: Any = None
    for part in name.split("."):
        node = next(item for item in body if getattr(item, "name", None) == part)
        body = node.body
    first: int = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last: int = node.end_lineno
    return last - first + 1


def newcomer_rows() -> list[tuple[Path, list[str], int]]:
    page = ROOT / "docs" / "explain" / "newcomer.md"
    rows = re.findall(
        r"^\| \[[^\]]+\]\(([^)]+)\) \| (.+?) \| (\d+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [
        ((page.parent / path).resolve(), re.findall(r"`([^`]+)`", names), int(count))
        for path, names, count in rows
    ]


def test_the_path_for_newcomers_is_short() -> None:
    total, late = 0, []
    for path, names, stated in newcomer_rows():
        counted = [definition_lines(path, name) for name in names]
        actual = sum(counted) if names else len(path.read_text(encoding="utf-8").splitlines())
        total += actual
        if abs(actual - stated) > SLACK:
            late.append(f"{path.name}: newcomer.md says {stated} lines, there are {actual}")
    assert late == []
    assert 300 < total <= MOST_PATH_LINES


def test_the_path_for_newcomers_ends_in_the_training_step() -> None:
    assert [path.name for path, _, _ in newcomer_rows()][-1] == "step.py"


def test_each_room_is_on_the_architecture_page() -> None:
    text = (ROOT / "docs" / "explain" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    folders = (ROOT / "src" / "fluvial").iterdir()
    rooms = {folder.name for folder in folders if folder.is_dir() and len(list(folder.glob("*.py"))) > 1}
    assert rooms <= named


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_files_named_in_the_text_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = re.findall(r"`((?:tests|examples|scripts|src|constraints)/[\w./-]+\.\w+)`", text)
    modules = re.findall(
        r"`((?:core|losses|envs|nets|policy|sample|rewards|train|metrics)/[\w./]+\.py)`", text
    )
    missing = [name for name in named if not (ROOT / name).is_file()]
    missing += [name for name in modules if not (ROOT / "src" / "fluvial" / name).is_file()]
    assert missing == []


# Examples


def run_example(name: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_EXAMPLE_LINES.get(path.name, 99)


def total_variations(printed: str) -> list[float]:
    return [float(number) for number in re.findall(r"exact total variation ([\d.]+)", printed)]


def test_hypergrid_example_reaches_the_target(tmp_path: Path) -> None:
    printed = run_example("hypergrid_exact.py", "--steps", "500", folder=tmp_path)
    errors = total_variations(printed)
    assert "64 objects, exact log Z = 3.1091" in printed
    assert len(errors) == 5
    assert errors[-1] < 0.05 < errors[0]


def test_symmetry_example_gives_the_numbers_of_the_theory(tmp_path: Path) -> None:
    printed = run_example("fragments_symmetry.py", folder=tmp_path)
    assert "without the correction: Z = 43.50" in printed
    assert "with it: Z = 9.00" in printed
    rows = re.findall(r"^(\S+) +(0\.\d+) +(0\.\d+) +0\.1111$", printed, re.MULTILINE)
    naive = {molecule: float(p) for molecule, p, _ in rows}
    corrected = {molecule: float(p) for molecule, _, p in rows}
    assert len(rows) == 9
    assert naive["c1ccc(-c2ccccc2)cc1"] == pytest.approx(18 / 43.5, abs=2e-3)
    assert naive["FF"] == pytest.approx(0.5 / 43.5, abs=2e-3)
    assert list(corrected.values()) == pytest.approx([1 / 9] * 9, abs=2e-3)


def test_network_example_learns_the_exact_distribution(tmp_path: Path) -> None:
    printed = run_example("network_design.py", "--nodes", "4", "--steps", "60", folder=tmp_path)
    assert "65 designs" in printed
    assert total_variations(printed)[0] < 0.25  # 0.65 before training
    assert "0 0 0 0 | " in printed.splitlines()[1]


def test_own_environment_example_learns_the_exact_distribution(tmp_path: Path) -> None:
    printed = run_example("own_environment.py", folder=tmp_path)
    assert "38 networks" in printed  # connected graphs of 4 labelled nodes
    assert total_variations(printed)[0] < 0.04
    assert printed.count("Alm-Bach") >= 3


def test_own_reward_example(tmp_path: Path) -> None:
    printed = run_example("own_reward.py", "--steps", "3", "--out", "run", folder=tmp_path)
    assert (tmp_path / "run" / "report.html").is_file()
    assert printed.count("\n  ") == 15
