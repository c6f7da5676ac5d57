"""From molecules of a synthesis, by number, to features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fluvial.core.observation import SynthesisEnvironment
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.nets.mlp import mlp


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
        """Molecules int64 [M] to features float [M, width], those of the virtual node."""
        nothing = torch.zeros((len(molecules), 0), device=molecules.device)
        features: Tensor = self.net(self.env.graphs(molecules), nothing).graph[:, : self.width]
        return features
