"""Fit a network of molecules in space to numbers, and say how well it does on molecules it has not seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.errors import DataError
from fluvial.predictors.atom_graph import AtomGraph, pack_graphs
from fluvial.predictors.mxmnet import Mxmnet, MxmnetSettings
from fluvial.predictors.split import FEWEST, Split


@dataclass(frozen=True)
class FitSettings:
    """How to learn. The defaults served 2 000 gaps of extended Hückel theory (`fluvial bench mxmnet`)."""

    epochs: int = 60
    """Passes over the examples."""
    batch: int = 32
    lr: float = 1e-3
    """Of Adam at its highest; it rises in the first twentieth and then falls to 0 as a cosine."""
    held_out: float = 0.1
    """Share of the examples on which only the final errors are measured; as many choose the epoch to keep."""
    seed: int = 0
    minutes: float = math.inf
    """Longest time; the rate falls to 0 in it."""


@dataclass(frozen=True)
class Fit:
    """A fitted network, and what it was worth."""

    model: Mxmnet
    """Its output is (target - mean) / scale."""
    mean: float
    scale: float
    split: Split
    errors: dict[str, float]
    """On the held-out examples: mae, rmse, mae_of_mean (of always saying the mean) in its unit; r2."""
    epochs: int
    """Passes that were made."""


Progress = Callable[[int, float, float], None]
"""Told after each pass: its number from 1, the mean loss, the error of choice in the unit of the target."""


def split_of(count: int, share: float, seed: int) -> Split:
    """A random split of `count` examples.

    Raises:
        DataError: there are too few of them.
    """
    n_out = max(1, round(count * share))
    if count < FEWEST or count - 2 * n_out < 1:
        raise DataError(f"{count} molecules with a value are too few to learn from; give {FEWEST} or more.")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return Split(tuple(order[2 * n_out :]), tuple(order[n_out : 2 * n_out]), tuple(order[:n_out]))


def fit(
    graphs: Sequence[AtomGraph],
    targets: Sequence[float],
    settings: MxmnetSettings,
    how: FitSettings | None = None,
    progress: Progress | None = None,
) -> Fit:
    """The network of the best epoch.

    The loss is the absolute error. The same examples, settings and seed give the same network on one machine.

    Args:
        graphs: one for each molecule.
        targets: as many finite numbers, not all the same.
        settings: shape of the network.
        how: how to learn.
        progress: told after each pass.

    Raises:
        DataError: too few examples, or all have the same value.
    """
    how = how or FitSettings()
    split = split_of(len(graphs), how.held_out, how.seed)
    values = torch.tensor(targets, dtype=torch.float64)
    known = values[list(split.train)]
    mean, scale = float(known.mean()), float(known.std())
    if not scale > 0.0:
        raise DataError(f"all molecules to learn from have the same value, {mean:g}.")
    scaled = ((values - mean) / scale).float()
    generator = torch.Generator().manual_seed(how.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        model = Mxmnet(settings)
    epochs = _learn(model, graphs, scaled, split, how, generator, scale, progress)
    predicted = _predict(model, graphs, split.held_out).double() * scale + mean
    errors = _errors(predicted, values[list(split.held_out)], mean)
    return Fit(model, mean, scale, split, errors, epochs)


def _learn(  # noqa: PLR0913 - the state of one loop
    model: Mxmnet,
    graphs: Sequence[AtomGraph],
    scaled: Tensor,
    split: Split,
    how: FitSettings,
    generator: torch.Generator,
    scale: float,
    progress: Progress | None,
) -> int:
    """Put the weights of the best epoch into the model; returns the number of epochs."""
    optimiser = torch.optim.Adam(model.parameters(), lr=how.lr)
    best, kept = math.inf, _copy(model)
    start = time.monotonic()
    n_batches = -(-len(split.train) // how.batch)
    epoch = 0
    for epoch in range(1, how.epochs + 1):
        losses = []
        for number, rows in enumerate(_batches(split.train, how.batch, generator)):
            elapsed = (time.monotonic() - start) / 60 / how.minutes
            done = max((epoch - 1 + number / n_batches) / how.epochs, elapsed)
            for group in optimiser.param_groups:
                group["lr"] = how.lr * rate(done)
            loss = (model(pack_graphs([graphs[row] for row in rows])) - scaled[rows]).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
        chosen = list(split.choose)
        error = float((_predict(model, graphs, chosen) - scaled[chosen]).abs().mean())
        if error < best:
            best, kept = error, _copy(model)
        if progress is not None:
            progress(epoch, sum(losses) / len(losses), error * scale)
        if (time.monotonic() - start) / 60 > how.minutes:
            break
    model.load_state_dict(kept)
    return epoch


def rate(done: float) -> float:
    """Share of the highest learning rate when a share `done` of the learning is over, both 0 to 1."""
    rise = 0.05
    if done < rise:
        return (done + 0.001) / (rise + 0.001)
    return 0.5 * (1.0 + math.cos(math.pi * min((done - rise) / (1.0 - rise), 1.0)))


def _batches(rows: Sequence[int], size: int, generator: torch.Generator) -> Iterator[list[int]]:
    order = torch.randperm(len(rows), generator=generator).tolist()
    for start in range(0, len(order), size):
        yield [rows[place] for place in order[start : start + size]]


@torch.inference_mode()
def _predict(model: Mxmnet, graphs: Sequence[AtomGraph], rows: Sequence[int], size: int = 64) -> Tensor:
    chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
    return torch.cat([model(pack_graphs([graphs[row] for row in chunk])) for chunk in chunks])


def _errors(predicted: Tensor, true: Tensor, mean: float) -> dict[str, float]:
    error = predicted - true
    spread = float(((true - true.mean()) ** 2).sum())
    return {
        "mae": float(error.abs().mean()),
        "rmse": float((error**2).mean().sqrt()),
        "r2": 1.0 - float((error**2).sum()) / spread if spread > 0 else math.nan,
        "mae_of_mean": float((true - mean).abs().mean()),
    }


def _copy(model: Mxmnet) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items()}
