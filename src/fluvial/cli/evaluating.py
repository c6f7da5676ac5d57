"""`fluvial evaluate`: measure a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.options import RunFolder, numbers_by_name
from fluvial.cli.output import say, say_json

EXAMPLES = """\
Examples:

fluvial evaluate runs/design

fluvial evaluate runs/seh --by seh --threshold 7 --threshold 8 --reference known.smi

fluvial evaluate runs/grid -n 10000 --json
"""


def evaluate(  # noqa: PLR0913 - the options of a command
    run: RunFolder,
    n: Annotated[int, typer.Option("-n", min=0, max=10_000_000, help="Objects to draw.")] = 1000,
    objects: Annotated[
        int, typer.Option(min=0, help="Different objects whose log probability is estimated.")
    ] = 128,
    objects_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Estimate it of the objects in this file instead.")
    ] = None,
    paths: Annotated[int, typer.Option(min=2, help="Ways back from each of these objects.")] = 64,
    conditions: Annotated[
        int, typer.Option(min=0, help="Conditions to draw under, where the run learned several.")
    ] = 15,
    repeats: Annotated[int, typer.Option(min=0, help="Objects under each of these conditions.")] = 128,
    beta: Annotated[float | None, typer.Option(help="Sharpness to ask for; default: the middle.")] = None,
    prefer: Annotated[
        str | None, typer.Option(metavar="TERM=W,...", help="Weight of each reward term to ask for.")
    ] = None,
    focus: Annotated[
        str | None, typer.Option(metavar="TERM=D,...", help="Direction of the reward terms to ask for.")
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="NAME", help="Judge by the reward or by the raw value of a property.")
    ] = "reward",
    threshold: Annotated[
        list[float] | None,
        typer.Option(metavar="X", help="What counts as a hit; several are possible. Default: 0.5, 0.7, 0.9."),
    ] = None,
    similarity: Annotated[
        list[float] | None,
        typer.Option(metavar="T", help="Below it hits are different modes; several. Default: 0.5, 0.7."),
    ] = None,
    points: Annotated[
        int, typer.Option(min=1, help="Points of the curves over reward calls, in evaluation.json.")
    ] = 10,
    reference: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Known objects, to say what is new.")
    ] = None,
    exact_states: Annotated[
        int, typer.Option(min=0, help="List environments of up to so many states; 0 = never.")
    ] = 200_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed, the same numbers.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Measure how well a trained run samples in proportion to its reward, and what it found.

    Exactly where the environment can be listed, else by estimates with error bars. New objects are scored,
    which costs reward calls; nothing of the run changes, and evaluation.json in its folder keeps the result.
    """
    from fluvial.cli.evaluation_table import lines
    from fluvial.core.files import write_text_atomic
    from fluvial.core.plain import json_page
    from fluvial.train.asking import Wish
    from fluvial.train.assess import Given, assess
    from fluvial.train.launch import trained
    from fluvial.train.plan import EvaluationPlan

    usual = EvaluationPlan()
    plan = EvaluationPlan(
        n_samples=n,
        n_objects=objects,
        n_paths=paths,
        n_conditions=conditions,
        n_repeats=repeats,
        n_points=points,
        exact_states=exact_states,
        thresholds=tuple(threshold or usual.thresholds),
        similarities=tuple(similarity or usual.similarities),
        by=by,
        seed=seed,
    )
    wish = Wish(beta, numbers_by_name("--prefer", prefer), numbers_by_name("--focus", focus))
    with trained(run) as source:
        found = assess(source, plan, wish, Given(objects_file, reference))
        path = source.run.directory.evaluation
    write_text_atomic(path, json_page(found))
    if as_json:
        say_json(found)
    else:
        say("\n".join([*lines(found), "", f"written to {path}"]))
