"""The process that sends a run to Weights & Biases: it follows metrics.jsonl until the run ends.

Without a key, or where the service cannot be reached, everything is kept in the folder `wandb` of the run;
`wandb sync` sends it later. WANDB_MODE, WANDB_PROJECT and the others say where it goes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from fluvial.cli.metrics_file import parsed
from fluvial.cli.samples import text_name
from fluvial.config.file import load_config
from fluvial.core.plain import masked
from fluvial.queue.store import Store
from fluvial.report.pictures import best_picture
from fluvial.train.run_directory import RunDirectory

PROJECT = "fluvial"
"""Where WANDB_PROJECT does not say otherwise."""
SECONDS_BETWEEN_LOOKS = 0.5
"""Often enough to watch a run, too seldom to be felt; arbitrary."""


def main(folder: Path, offset: int, process: int) -> None:
    """Send what is written to the metrics file of `folder` from `offset` on, while `process` lives."""
    import wandb

    directory = RunDirectory(folder)
    run = opened(wandb, directory)
    run.define_metric("*", step_metric="step")
    for record in follow(directory.metrics, offset, lambda: is_running(process)):
        if record["event"] == "step":
            rate = record["steps_per_second"]
            run.log({**record["metrics"], "steps_per_second": rate, "step": record["step"]})
        elif record["event"] == "checkpoint":
            send_picture(wandb, run, directory)
    run.finish()


def opened(wandb: Any, directory: RunDirectory) -> Any:
    """The run of Weights & Biases: the same one after a resume; offline where it cannot be online."""
    config = load_config(directory.config).config
    settings = {
        "project": os.environ.get("WANDB_PROJECT", PROJECT),
        "name": os.environ.get("WANDB_NAME", directory.path.name),
        "id": os.environ.get("WANDB_RUN_ID", sha256(directory.environment.read_bytes()).hexdigest()[:16]),
        "config": json.loads(masked(config.model_dump_json())),
        "dir": str(directory.path),
        "resume": "allow",
    }
    mode = os.environ.get("WANDB_MODE", "online" if wandb.api.api_key else "offline")
    try:
        return wandb.init(mode=mode, **settings)
    except Exception as error:
        if mode == "offline":
            raise
        sys.stderr.write(f"kept offline: {error}\n")
        return wandb.init(mode="offline", **settings)


def follow(path: Path, offset: int, is_alive: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """The records of a growing file from `offset` on, until one says the end or nobody writes any more."""
    rest = b""
    while True:
        alive = is_alive()
        with path.open("rb") as file:
            file.seek(offset)
            new = file.read()
        offset += len(new)
        *lines, rest = (rest + new).split(b"\n")
        for line in lines:
            record = parsed(line + b"\n") or {"event": "unreadable"}
            if record["event"] == "end":
                return
            yield record
        if not new:
            if not alive:
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)


def send_picture(wandb: Any, run: Any, directory: RunDirectory) -> None:
    """Send a picture of the best molecules, where the objects are molecules."""
    if text_name(load_config(directory.config).config) != "smiles":
        return
    with Store.open(directory.store) as store:
        picture, step = best_picture(store), store.last_step
    if picture is not None:
        run.log({"molecules/best": wandb.Image(picture), "step": step})


def is_running(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
