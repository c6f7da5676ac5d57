"""Serve a model of chemprop 2 to workers: lines of JSON in, lines of JSON out.

    fluvial worker jobs.db --exec "/opt/chemprop/bin/python chemprop_server.py best.pt"

runs it in an environment without Fluvial. The checkpoint, a pickle, may name nothing but parts of models.
"""

from __future__ import annotations

import importlib
import io
import json
import math
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from chemprop import data, models
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

PLAIN = {"lightning.fabric.utilities.data.AttributeDict": OrderedDict}
HARMLESS = (
    "torchmetrics.metric.jit_distributed_available",
    *(f"torchmetrics.utilities.data.dim_zero_{name}" for name in ("cat", "max", "mean", "min", "sum")),
)
"""What checkpoints name beside classes of chemprop.nn."""


def trusted(name: str) -> Any:
    """What a checkpoint names, and its name; raises ValueError for what is no part of a model."""
    module, _, attribute = name.rpartition(".")
    if name in PLAIN:
        return PLAIN[name], name
    if name in HARMLESS or module.startswith("chemprop.nn."):
        found = getattr(importlib.import_module(module), attribute)
        if name in HARMLESS or (isinstance(found, type) and found.__module__.startswith("chemprop.nn.")):
            return found, name
    raise ValueError(f"it names {name}, which is no part of a model of chemprop")


def load(path: Path) -> tuple[Any, list[str]]:
    """The model of a file, and the names of its targets, if it has any."""
    content = path.read_bytes()
    names = get_unsafe_globals_in_checkpoint(io.BytesIO(content))
    with safe_globals([trusted(name) for name in names]):
        saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    # chemprop opens any pickle; these bytes have just been seen to name nothing else.
    model = models.MPNN.load_from_file(io.BytesIO(content), map_location="cpu").eval()
    return model, saved.get("output_columns") or []


def answers(model: Any, targets: list[str], texts: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """An answer for each text; those that cannot be read first."""
    graphs: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            graphs[key] = data.MoleculeDataset([data.MoleculeDatapoint.from_smi(text)])[0]
        except Exception as error:  # whatever RDKit and chemprop raise, the other molecules can be answered
            yield {"id": key, "error": f"chemprop cannot read it: {error}"}
    if graphs:
        batch = data.collate_batch(list(graphs.values()))
        with torch.inference_mode():
            rows = model(batch.bmg, batch.V_d, batch.X_d).flatten(1).tolist()
        for key, row in zip(graphs, rows, strict=True):
            values = [value if math.isfinite(value) else None for value in row]
            names = targets if len(targets) == len(row) else [f"target_{n}" for n in range(len(row))]
            yield {"id": key, "values": dict(zip(names if len(row) > 1 else ["value"], values, strict=True))}


def tell(record: Mapping[str, Any]) -> None:
    """A line for the worker."""
    print(json.dumps(record), flush=True)


def main(path: Path) -> None:
    """Load the model, then answer line by line."""
    try:
        model, targets = load(path)
    except Exception as error:  # of many libraries, and none of them can be mended here
        return tell({"fatal": f"{path} cannot be served: {error}"})
    tell({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        one_by_one, objects = request["one_by_one"], request["objects"]
        for part in [{key: text} for key, text in objects.items()] if one_by_one else [objects]:
            for key in part if one_by_one else ():
                tell({"id": key, "started": True})
            for record in answers(model, targets, part):
                tell(record)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
