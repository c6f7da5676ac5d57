"""A design run whose reward is a docking, with a worker killed on the way, against direct calls of Vina."""

from __future__ import annotations

import csv
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from rdkit import Chem

from fluvial.assets.registry import fetch
from fluvial.chem.molecules import inchi_key, parse_smiles
from fluvial.core.errors import FailedRunError
from fluvial.oracles.vina.poses import ligand_pdbqt
from fluvial.queue.jobs import DONE, Answer
from fluvial.queue.opening import open_queue

RECEPTOR = "rgfn-seh-receptor"
CENTER, SIZE = [-14.3, 26.3, -11.9], [18.0, 18.0, 18.0]
"""Å, around the catalytic aspartate of soluble epoxide hydrolase."""
BATCH = 20
SPARE = 1.25
"""Molecules that are made for each one that is asked for, because some are made twice."""
LEASE_SECONDS = 10.0
LONGEST_SECONDS = 3600.0
N_BEST = 5
"""Candidates of the run that are looked for on its page."""
TARGET = """\
tool = "vina"
name = "seh"
receptor = {receptor}
[box]
center = {center}
size = {size}
[ligand]
most_heavy_atoms = 40
[run]
exhaustiveness = 1
max_evaluations = {evaluations}
n_poses = 3
seed = {seed}
"""
CONFIGURATION = """\
seed = {seed}
threads = 1
[env]
kind = "fragments"
max_fragments = 3
[algo]
batch = {batch}
[stop]
steps = {steps}
[queue]
most_waiting = {batch}
batch = 4
lease_seconds = {lease}
timeout_seconds = 600.0
[[reward.term]]
name = "docking"
kind = "oracle"
target = "seh.toml"
output = "strength"
transform = {{kind = "divide", by = 10.0}}
"""


def run(
    molecules: int = 200,
    evaluations: int = 20_000,
    workers: int = 2,
    sample: int = 10,
    seed: int = 1,
    folder: str = "",
) -> dict[str, Any]:
    """Dock into the receptor of sEH by `fluvial design`, kill a worker, and dock a sample again directly.

    One search of at most `evaluations` for each molecule (0 = as many as Vina takes by itself). The run and
    the poses stay in `folder` if one is given.

    Raises:
        FailedRunError: the run does not end.
    """
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="fluvial-docking-")))
        place.mkdir(parents=True, exist_ok=True)
        write_files(place, molecules, evaluations, seed)
        began = time.monotonic()
        done_at_kill = designed(place, workers, molecules // 4)
        seconds = time.monotonic() - began
        with closing(open_queue(place / "run", create=False)) as queue:
            ends, counts, expired = queue.ended(limit=10_000), queue.counts(), queue.events()["expired"]
        docked = [end for end in ends if end.state == DONE]
        chosen = random.Random(seed).sample(docked, min(sample, len(docked)))  # noqa: S311 - no secret
        direct = affinities([end.text for end in chosen], evaluations, seed)
        poses = [best_pose(place, end.text, seed) for end in docked]
        shown = shown_on_page(place / "run", docked)
    best = min(docked, key=affinity)
    return {
        "benchmark": "docking",
        "molecules": molecules,
        "evaluations": evaluations,
        "workers": workers,
        "done_at_kill": done_at_kill,
        "jobs": asdict(counts),
        "add_up": counts.add_up,
        "leases_of_the_killed": expired,
        "seconds": seconds,
        "median_docking_seconds": statistics.median(end.seconds or math.nan for end in docked),
        "docked_again": len(chosen),
        "other_than_direct": sum(affinity(end) != one for end, one in zip(chosen, direct, strict=True)),
        "poses_with_the_score": sum(affinity(end) == one for end, one in zip(docked, poses, strict=True)),
        "best": {"smiles": best.text, "affinity": affinity(best)},
        "best_shown": N_BEST,
        "best_shown_with_the_score": shown,
    }


def write_files(folder: Path, molecules: int, evaluations: int, seed: int) -> None:
    """The target file and the configuration of a run."""
    places = {"receptor": json.dumps(str(fetch(RECEPTOR))), "center": CENTER, "size": SIZE}
    (folder / "seh.toml").write_text(TARGET.format(**places, evaluations=evaluations, seed=seed))
    batch = min(BATCH, molecules)
    steps = math.ceil(SPARE * molecules / batch)
    chosen = {"batch": batch, "steps": steps, "lease": LEASE_SECONDS}
    (folder / "run.toml").write_text(CONFIGURATION.format(**chosen, seed=seed))


def designed(folder: Path, workers: int, kill_after: int) -> int:
    """Let `fluvial design` and its workers run, and kill one; the jobs that were done by then.

    Raises:
        FailedRunError: the run does not end well.
    """
    run_folder, n_drawn = folder / "run", min(BATCH, 2 * kill_after)
    command = ["design", "--config", str(folder / "run.toml"), "-n", str(n_drawn), "--out", str(run_folder)]
    with started(folder / "design.log", [*command, "--quiet"]) as design, ExitStack() as stack:
        await_true(design, (run_folder / "queue.db").is_file)
        crew = [
            stack.enter_context(started(folder / f"worker-{number}.log", ["worker", str(run_folder)]))
            for number in range(workers)
        ]
        queue = stack.enter_context(closing(open_queue(run_folder, create=False)))
        await_true(design, lambda: queue.counts().done >= kill_after and queue.counts().leased > 0)
        crew[0].kill()
        done = queue.counts().done
        await_true(design, lambda: design.poll() is not None)
    if design.returncode:
        raise FailedRunError(f"the run ended with {design.returncode}: {last_line(folder / 'design.log')}")
    return done


def await_true(design: subprocess.Popen[bytes], condition: Any) -> None:
    """Come back when `condition()` holds, or the run has ended.

    Raises:
        FailedRunError: neither happens for long.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition() and design.poll() is None:
        if time.monotonic() > deadline:
            raise FailedRunError(f"the run has not ended after {LONGEST_SECONDS:g} s")
        time.sleep(0.1)


@contextmanager
def started(log: Path, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Fluvial, running; its lines go into a file. It ends with the block."""
    command = [sys.executable, "-m", "fluvial", *arguments]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()


def last_line(log: Path) -> str:
    """What a process said last."""
    return "".join(log.read_text(errors="replace").splitlines()[-1:])


def affinities(texts: Sequence[str], evaluations: int, seed: int) -> list[float]:
    """What Vina says when it is called for one molecule after the other, kcal/mol."""
    from vina import Vina

    engine = Vina(sf_name="vina", cpu=1, seed=seed, verbosity=0)
    engine.set_receptor(str(fetch(RECEPTOR)))
    engine.compute_vina_maps(center=CENTER, box_size=SIZE)
    found = []
    for text in texts:
        engine.set_ligand_from_string(ligand_pdbqt(text))
        engine.dock(exhaustiveness=1, n_poses=3, max_evals=evaluations)
        found.append(float(engine.energies(n_poses=3)[0][0]))
    return found


def affinity(end: Answer) -> float:
    """Of the best pose, as the worker told it."""
    return float(end.values["affinity"] or math.nan)


def shown_on_page(run: Path, docked: Sequence[Answer]) -> int:
    """How many of the best candidates of a run are on its page with the score that the queue holds."""
    page = (run / "report.html").read_text(encoding="utf-8")
    scores = {end.text: affinity(end) for end in docked}
    with (run / "candidates.csv").open(encoding="utf-8", newline="") as file:
        best = [row["smiles"] for row in islice(csv.DictReader(file), N_BEST)]
    return sum(f"<code>{text}</code>" in page and f'data-v="{scores[text]}"' in page for text in best)


def best_pose(folder: Path, text: str, seed: int) -> float:
    """The score that the file of the poses of a molecule gives the first one."""
    path = folder / "docking" / "poses" / inchi_key(parse_smiles(text)) / f"seed-{seed}.sdf"
    return float(next(iter(Chem.SDMolSupplier(str(path)))).GetDoubleProp("affinity"))
