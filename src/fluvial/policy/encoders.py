"""From molecules of a synthesis, by number, to features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from fluvial.core.observation import GraphObservation, SynthesisEnvironment
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.nets.mlp import mlp

GROUP = 40
"""Molecules that are encoded together on a CPU; measured, 20 and 80 take a tenth longer."""


@dataclass(frozen=True)
class _Kept:
    weights: tuple[tuple[int, int], ...]
    """Where the weights are, and how often they have changed."""
    place: dict[int, int]
    """Number of a molecule to its row."""
    features: Tensor


class Remembered:
    """An encoder's features of molecules; without gradients, what the call before computed with the same
    weights is not computed again: while a reaction is being chosen, the molecule stays.

    Args:
        encoder: of molecules by number.
    """

    def __init__(self, encoder: FingerprintEncoder | AtomEncoder) -> None:
        self._encoder = encoder
        self._kept: _Kept | None = None

    def __call__(self, molecules: Tensor) -> Tensor:
        """Different molecules int64 [M] to features float [M, width]."""
        if torch.is_grad_enabled():
            self._kept = None
            return self._encoded(molecules)
        weights = tuple((weight.data_ptr(), weight._version) for weight in self._encoder.parameters())
        kept = self._kept if self._kept is not None and self._kept.weights == weights else None
        place = {} if kept is None else kept.place
        numbers = molecules.tolist()
        is_new = [number not in place for number in numbers]
        features = torch.empty((len(numbers), self._encoder.width), device=molecules.device)
        new = torch.tensor(is_new, dtype=torch.bool, device=molecules.device)
        if kept is not None:
            features[~new] = kept.features[[place[number] for number in numbers if number in place]]
        if any(is_new):
            features[new] = self._encoded(molecules[new])
        # Nothing at all is where each batch begins; it is computed anew, so that no batch depends on another.
        found = {number: row for row, number in enumerate(numbers) if number}
        self._kept = _Kept(weights, found, features)
        return features

    def _encoded(self, molecules: Tensor) -> Tensor:
        features: Tensor = self._encoder(molecules)
        return features


class FingerprintEncoder(nn.Module):
    """Multi-layer perceptron on fingerprints.

    Args:
        env: supplies them.
        width: of the hidden layers and the features.
        layers: number of layers, at least 1.
    """

    def __init__(self, env: SynthesisEnvironment[Any], width: int, layers: int) -> None:
        super().__init__()
        self.env, self.width = env, width
        self.net = mlp(env.fingerprint_width, width, width, layers - 1)

    def forward(self, molecules: Tensor) -> Tensor:
        """Molecules int64 [M] to features float [M, width]."""
        features: Tensor = self.net(self.env.fingerprints(molecules))
        return features


class AtomEncoder(nn.Module):
    """Graph transformer on the atoms of molecules.

    Args:
        env: supplies the graphs.
        net: with a condition of width 0, as molecules look alike whatever is asked for.
    """

    def __init__(self, env: SynthesisEnvironment[Any], net: GraphTransformer) -> None:
        super().__init__()
        self.env, self.net, self.width = env, net, net.width

    def forward(self, molecules: Tensor) -> Tensor:
        """Molecules int64 [M] to features float [M, width], those of the virtual node.

        In groups of like size, so that little is computed for padding and stays near the processor.
        """
        graphs = self.env.graphs(molecules)
        order = (graphs.node[:, :, 0] > 0).sum(dim=1).argsort(stable=True)
        group = GROUP if molecules.device.type == "cpu" else len(molecules)
        parts = [self._features(graphs, rows) for rows in torch.split(order, max(1, group))]
        return torch.cat(parts)[order.argsort()]

    def _features(self, graphs: GraphObservation, rows: Tensor) -> Tensor:
        some = replace(
            graphs,
            **{name: getattr(graphs, name)[rows] for name in ("node", "graph", "pair", "focus", "candidate")},
        )
        nothing = torch.zeros((len(rows), 0), device=rows.device)
        features: Tensor = self.net(some, nothing).graph[:, : self.width]
        return features
