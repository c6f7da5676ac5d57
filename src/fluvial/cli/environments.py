"""`fluvial check-env`: whether an environment of one's own keeps its contract."""

from __future__ import annotations

import inspect
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fluvial.cli.output import aligned, say
from fluvial.core.errors import ConfigError, DataError, FluvialError, RewardError

if TYPE_CHECKING:
    from fluvial.testing.check_env import EnvReport

EXAMPLES = """\
Examples:

fluvial check-env roads.py:Roads

fluvial check-env grid.py:Grid --arg side=8 --arg "names=['a', 'b']" --limit 100000
"""

CLAUSES = {
    1: "Action 0 is stop. A finished state stays as it is, and every other state has a legal action.",
    2: "step_back(step(s, a), undo(s, a)) is s, and redo gives the action that leads forward again. Forward"
    " and backward actions link the same states.",
    3: "With backward actions drawn uniformly, the ways to each object weigh exp(-log_symmetry) in all. Where"
    " an object or a state is made by several equivalent actions, log_symmetry must make up for it.",
    4: "encode(decode(x)) has the key of x, texts that are no objects are INVALID, and states of equal key"
    " are the same object.",
    5: "Every way ends within max_steps transitions, in an object, and before the last one stop is legal.",
    6: "Each method gives the same for the same rows, alone or in a batch, changes nothing in place, and does"
    " not loop over rows (decode and encode may).",
}
"""What each clause of the contract asks for."""


def check_env(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FILE.py:NAME", help="A class or function that makes the environment, or an environment."
        ),
    ],
    arg: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Argument for it, with a value as in TOML; may be repeated."),
    ] = None,
    trajectories: Annotated[int, typer.Option(min=1, max=100_000, help="Random walks.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of the random walks.")] = 0,
    limit: Annotated[
        int, typer.Option(min=1, help="Up to so many states, all of them are checked; else a sample.")
    ] = 20_000,
) -> None:
    """Check that an environment of your own keeps the contract that sampling and training rely on.

    It walks at random, lists all states where there are not too many, and looks at stop, masks, steps forward
    and back, symmetry, texts, keys, and loops over rows. A broken environment ends in the clause that it
    breaks and the first state and action that show it, with exit code 2. The file is run for this, so check
    only what you trust.
    """
    path, attribute = located(name)
    env = made(path, attribute, arg or [], name)
    require_members(env, name)
    started = time.perf_counter()
    report, n_objects = checked(env, name, path, trajectories, seed, limit)
    say(aligned(report_rows(env, name, report, n_objects, time.perf_counter() - started, limit)))


def located(name: str) -> tuple[Path, str]:
    """The file and the name in it.

    Raises:
        ConfigError: the text is not of the form FILE.py:NAME, or there is no such file.
    """
    file, _, attribute = name.rpartition(":")
    if not file or not attribute.isidentifier():
        raise ConfigError(f"'{name}' does not name an environment; write it as file.py:Name")
    path = Path(file).resolve()
    if not path.is_file():
        raise ConfigError(f"{file}: no such file (looked for {path})")
    return path, attribute


def made(path: Path, attribute: str, arguments: list[str], name: str) -> Any:
    """The environment that a name in a file stands for, made with the arguments KEY=VALUE.

    Raises:
        ConfigError: the file cannot be run, has no such name, or what it names cannot be called so.
    """
    module = imported(path)
    if not hasattr(module, attribute):
        own = [
            key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
        ]
        raise ConfigError(
            f"{path.name} has no '{attribute}' (found: {', '.join(own) or 'nothing of its own'})"
        )
    maker = getattr(module, attribute)
    chosen = keywords(arguments)
    if not (inspect.isclass(maker) or inspect.isroutine(maker)):
        if chosen:
            raise ConfigError(f"{name} is an environment already, so it takes no --arg")
        return maker
    try:
        inspect.signature(maker).bind(**chosen)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{name} takes ({wanted_arguments(maker)}): {error}; give arguments as --arg key=value"
        ) from None
    try:
        return maker(**chosen)
    except FluvialError:
        raise
    except Exception as error:
        raise ConfigError(f"{name} cannot be made: {told(error, path)}") from error


def wanted_arguments(maker: Any) -> str:
    """The parameters of a class or function as it is defined, such as "side, names=()"."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except ValueError:  # some functions written in C do not tell
        return "..."
    return ", ".join(str(parameter.replace(annotation=parameter.empty)) for parameter in parameters)


def imported(path: Path) -> ModuleType:
    """The module of a Python file, which is run.

    Raises:
        ConfigError: it is no Python file, or running it fails.
    """
    from fluvial.rewards.function import import_file

    try:
        return import_file(path, path.name)
    except RewardError as error:
        raise ConfigError(str(error)) from error


def keywords(arguments: list[str]) -> dict[str, Any]:
    """The arguments KEY=VALUE with their values read as TOML, or as text where they are none.

    Raises:
        ConfigError: an argument is not of this form.
    """
    from fluvial.config.overrides import apply_overrides

    given = apply_overrides({}, arguments)
    if given.complaints:
        raise ConfigError("\n".join(f"--arg: {complaint}" for complaint in given.complaints))
    return given.data


def require_members(env: Any, name: str) -> None:
    """Nothing, if `env` has all that an environment has.

    Raises:
        DataError: something is missing; all of it is named.
    """
    from fluvial.core.environment import Environment

    methods = [key for key, value in vars(Environment).items() if inspect.isfunction(value)]
    wanted = [*Environment.__annotations__, *(key for key in methods if not key.startswith("_"))]
    missing = [key for key in wanted if not hasattr(env, key)]
    if missing:
        raise DataError(
            f"{name} is no environment yet ({type(env).__name__}): it lacks {', '.join(missing)}. "
            "See fluvial.core.environment.Environment for what each is to do."
        )


def checked(
    env: Any, name: str, path: Path, trajectories: int, seed: int, limit: int
) -> tuple[EnvReport, int | None]:
    """What was checked, and the number of different objects where all states were listed.

    Raises:
        DataError: a clause of the contract is broken, or a method raises.
    """
    from fluvial.core.enumeration import enumerate_within
    from fluvial.testing.check_env import ContractError, check_env

    try:
        report = check_env(env, trajectories, seed, limit)
        graph = enumerate_within(env, limit) if report.is_exhaustive else None
        n_objects = None if graph is None else len(set(env.decode(graph.states[graph.is_terminal])))
    except ContractError as error:
        raise DataError(broken(name, str(error))) from error
    except FluvialError:
        raise
    except Exception as error:
        raise DataError(f"{name} fails while it is checked: {told(error, path)}") from error
    return report, n_objects


def broken(name: str, message: str) -> str:
    """What a user reads of a broken clause: what is wrong, where, and what the clause asks for."""
    clause, _, what = message.partition(": ")
    number = clause.removeprefix("clause ")
    asked = CLAUSES.get(int(number)) if number.isdecimal() else None
    return f"{name} breaks {clause}: {what}" + (f"\n{clause} asks: {asked}" if asked else "")


def report_rows(
    env: Any, name: str, report: EnvReport, n_objects: int | None, seconds: float, limit: int
) -> list[tuple[str, str]]:
    """What was looked at, for the user."""
    how = (
        "all of them, so clause 3 (symmetry) holds too"
        if report.is_exhaustive
        else f"a sample, as there are more than --limit {limit:,}; clause 3 (symmetry) was not checked"
    )
    rows = [
        (
            "checked",
            f"{name}: {env.n_actions} actions, {env.n_back_actions} backward, max_steps {env.max_steps}",
        ),
        ("states", f"{report.n_states:,}, {report.n_terminal:,} of them finished: {how}"),
        ("transitions", f"{report.n_transitions:,}"),
        ("longest walk", f"{report.longest_walk} transitions"),
        ("policies", fitting_policies(env)),
        ("time", f"{seconds:.1f} s"),
        ("result", "the environment keeps its contract"),
    ]
    if n_objects is not None:
        rows.insert(3, ("objects", f"{n_objects:,}"))
    return rows


def fitting_policies(env: Any) -> str:
    """Which policies can see this environment."""
    fits = ["tabular"]
    if hasattr(env, "observation_width"):
        fits.append("mlp (VectorPolicy)")
    if hasattr(env, "families") and hasattr(env, "sizes"):
        fits.append("graph-transformer (GraphPolicy)")
    if hasattr(env, "words") and hasattr(env, "places"):
        fits.append("sequence-transformer (SequencePolicy)")
    return ", ".join(fits)


def told(error: BaseException, path: Path) -> str:
    """One line on an exception: type, message, and the last place in the user's file that it came through."""
    message = " ".join(str(error).split())[:300]
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if not frames:
        return text
    where = "" if frames[-1].name == "<module>" else f" in {frames[-1].name}"
    return f"{text} ({path.name} line {frames[-1].lineno}{where})"
