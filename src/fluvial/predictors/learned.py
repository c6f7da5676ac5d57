"""A fitted network in a file, and its predictions. The file holds weights and a text, and no code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rdkit.Chem import Mol
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from fluvial.core.errors import DataError
from fluvial.core.files import make_folder, write_bytes_atomic
from fluvial.predictors.atom_graph import AtomGraph, graph_of, pack_graphs
from fluvial.predictors.card import FORMAT, KEY, read_card
from fluvial.predictors.fitting import Fit
from fluvial.predictors.geometry import embed
from fluvial.predictors.mxmnet import Mxmnet, MxmnetSettings
from fluvial.predictors.predictions import Predictions, in_batches

MOLECULES_AT_ONCE = 64


@dataclass(frozen=True)
class LearnedProxy:
    """Predictions of a fitted network, in the unit of its target."""

    model: Mxmnet
    card: Mapping[str, Any]
    """What `proxy_card` wrote."""

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """A value for each molecule in its ETKDG conformer; other elements have none."""
        return in_batches([self._graph(mol) for mol in mols], self._values, MOLECULES_AT_ONCE)

    @torch.inference_mode()
    def _values(self, graphs: list[AtomGraph]) -> list[float]:
        output = self.model(pack_graphs(graphs)).double()
        values: list[float] = (output * self.card["scale"] + self.card["mean"]).tolist()
        return values

    def _graph(self, mol: Mol) -> AtomGraph | str:
        geometry = embed(mol)
        if isinstance(geometry, str):
            return geometry
        return graph_of(geometry, self.model.settings.elements, self.model.settings.cutoff)


def proxy_card(fit: Fit, target: str, unit: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """All that is to be known of a fitted network beside its weights, as plain values.

    Args:
        fit: the network and how well it does.
        target: what it predicts.
        unit: of the target; empty for a pure number or where it is not known.
        source: where the examples came from.
    """
    split = fit.split
    return {
        "format": FORMAT,
        "network": "mxmnet",
        "settings": asdict(fit.model.settings),
        "target": target,
        "unit": unit,
        "mean": fit.mean,
        "scale": fit.scale,
        "n_train": len(split.train),
        "n_choose": len(split.choose),
        "n_held_out": len(split.held_out),
        "held_out_rows": list(split.held_out),
        "errors": fit.errors,
        "epochs": fit.epochs,
        **source,
    }


def save_proxy(path: Path, model: Mxmnet, card: Mapping[str, Any]) -> None:
    """Write a network and its card, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    content = save(weights, {KEY: json.dumps(card)})
    make_folder(path.parent)
    write_bytes_atomic(path, content)


def load_proxy(path: Path) -> LearnedProxy:
    """The network of a file.

    Raises:
        DataError: as `read_card`, or the weights do not fit the card.
    """
    card = read_card(path)
    try:
        settings = {**card["settings"], "elements": tuple(card["settings"]["elements"])}
        model = Mxmnet(MxmnetSettings(**settings))
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        model.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"{path}: its weights do not fit what it says of itself ({error}).") from None
    return LearnedProxy(model.eval(), card)
