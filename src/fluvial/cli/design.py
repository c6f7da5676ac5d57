"""`fluvial design`: from a reward to molecules in one command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.options import AsJson, Out, Overrides, Quiet, Rewards, Steps, Workers
from fluvial.cli.output import aligned, say, say_json
from fluvial.config.choices import Choice, configured, free_folder, reward_terms
from fluvial.core.errors import ConfigError
from fluvial.core.files import write_text_atomic

if TYPE_CHECKING:
    from fluvial.chem.synthesis.routes import Route
    from fluvial.cli.samples import Summary
    from fluvial.config.file import LoadedConfig

EXAMPLES = """\
Examples:

fluvial design --reward "qed*sa" --steps 300

fluvial design --reward activity.py:score*qed --filter pains,brenk -n 500 --out runs/activity

fluvial design --space atoms --reward "qed*sa" env.max_atoms=20

fluvial design --config run.toml --beta 64 env.min_fragments=2
"""

MOLECULES_DRAWN = 1000
CONFIGURATION = "Configuration"


def design(  # noqa: PLR0913 - each is an option of the command line
    overrides: Overrides = None,
    reward: Rewards = None,
    steps: Steps = None,
    minutes: Annotated[float | None, typer.Option(min=0.001, help="Longest time for training.")] = None,
    n: Annotated[
        int, typer.Option("-n", min=1, max=10_000_000, help="Molecules to draw in the end.")
    ] = MOLECULES_DRAWN,
    out: Out = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file to start from.", rich_help_panel=CONFIGURATION),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What molecules are built of: fragments, atoms, or synthesis for blocks and reactions.",
            rich_help_panel=CONFIGURATION,
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Fragments: default, bengio2021 or a CSV file.",
            rich_help_panel=CONFIGURATION,
        ),
    ] = None,
    max_fragments: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of fragments.", rich_help_panel=CONFIGURATION),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Sharpness: molecules are drawn in proportion to reward^beta.",
            rich_help_panel=CONFIGURATION,
        ),
    ] = None,
    filter_: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="SETS",
            help="Structural alerts to keep out, as pains,brenk.",
            rich_help_panel=CONFIGURATION,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of every random number.", rich_help_panel=CONFIGURATION),
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train on a reward, draw molecules, and write tables and a page about them.

    Without any option it makes drug-like molecules that are easy to synthesise (qed*sa). Everything goes
    into one folder: samples.csv, candidates.csv, top.sdf, report.html and what is needed to continue.
    """
    product = "*".join(reward) if reward else None
    terms = reward_terms(product)[0]
    if workers is not None:
        terms = [{**term, "queued": True} if term["kind"] == "function" else term for term in terms]
    chosen = {
        "reward.term": (terms or None, f"--reward {product}"),
        "stop.steps": (steps, f"--steps {steps}"),
        "stop.minutes": (minutes, f"--minutes {minutes}"),
        "env.kind": (space, f"--space {space}"),
        "env.vocabulary": (vocabulary and here(vocabulary), f"--vocabulary {vocabulary}"),
        "env.max_fragments": (max_fragments, f"--max-fragments {max_fragments}"),
        "condition.beta": (beta, f"--beta {beta}"),
        "reward.filter": (filter_ and alerts(filter_), f"--filter {filter_}"),
        "seed": (seed, f"--seed {seed}"),
        "queue.workers": (workers, f"--workers {workers}"),
    }
    choices = [Choice(key, value, said) for key, (value, said) in chosen.items() if value is not None]
    loaded = configured(config, choices, overrides or [])
    if not loaded.config.is_molecular:
        kind = loaded.config.env.kind
        raise ConfigError(f"`fluvial design` makes molecules; train a {kind} with `fluvial train FILE`")
    folder = out or free_folder(Path("runs"))
    train_and_draw(loaded, folder, n, quiet, as_json)


def train_and_draw(loaded: LoadedConfig, folder: Path, n: int, quiet: bool, as_json: bool) -> None:
    """Everything after the configuration is known."""
    from fluvial.cli.progress import following
    from fluvial.cli.samples import summarise
    from fluvial.cli.tables import sampled_table, write_table
    from fluvial.cli.views import views_for
    from fluvial.report.run_page import write_run_page
    from fluvial.train.launch import start, trained

    with following(folder, views_for(loaded.config, quiet, as_json)) as progress:
        start(loaded, progress, folder)
    with trained(folder) as run:
        drawn = run.draw(n, loaded.config.seed)
    objects = drawn.objects
    table = sampled_table(objects, "smiles", loaded.config.term_names)
    write_table(folder / "samples.csv", table)
    write_routes(folder / "routes.jsonl", drawn.routes)
    report = write_run_page(folder)
    summary = summarise(objects, folder)
    if as_json:
        say_json(summary_record(summary, folder))
    elif not quiet:
        places = [
            ("drawn now", str(folder / "samples.csv")),
            ("met in training", str(folder / "candidates.csv")),
            ("report", str(report)),
        ]
        places += [("how they are made", str(folder / "routes.jsonl"))] if drawn.routes else []
        say("\n".join([*summary.lines(), aligned(places)]))


def write_routes(path: Path, routes: Sequence[Route | None]) -> None:
    """One line of JSON for each different molecule, the shortest and cheapest route that was drawn; no file
    without routes."""
    from fluvial.chem.synthesis.routes import as_json

    best: dict[str, Route] = {}
    for route in routes:
        if route is not None and (route.product not in best or route.rank < best[route.product].rank):
            best[route.product] = route
    if routes:
        write_text_atomic(path, "".join(f"{as_json(route)}\n" for route in best.values()))


def summary_record(summary: Summary, folder: Path) -> dict[str, object]:
    """The summary for programs."""
    best = summary.best
    return {
        "event": "done",
        "run": str(folder),
        "drawn": summary.n,
        "valid_share": summary.valid_share,
        "unique_share": summary.unique_share,
        "mean_reward": summary.mean_reward,
        "first_mean_reward": summary.first_mean_reward,
        "best": None if best is None else {"smiles": best.text, "reward": best.reward},
        "samples": str(folder / "samples.csv"),
        "candidates": str(folder / "candidates.csv"),
        "report": str(folder / "report.html"),
    }


def here(name: str) -> str:
    """A file by its whole path, whatever folder the configuration is in; else the name as it is."""
    return str(Path(name).resolve()) if Path(name).is_file() else name


def alerts(text: str) -> list[dict[str, object]]:
    """The filter tables for "pains,brenk,lipinski": sets of alerts, and rules."""
    from fluvial.chem.rules import RULES

    names = [name.strip() for name in text.split(",") if name.strip()]
    rules = [name.lower() for name in names if name.lower() in RULES]
    sets = [name for name in names if name.lower() not in RULES]
    tables: list[dict[str, object]] = [{"kind": "rule", "rule": name} for name in rules]
    return [*tables, {"kind": "alerts", "sets": sets}] if sets or not rules else tables
