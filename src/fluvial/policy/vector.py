"""A policy for environments whose states are fixed-size vectors."""

from __future__ import annotations

from typing import Any

import torch

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.observation import VectorEnvironment
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.nets.mlp import mlp
from fluvial.policy.module import PolicyModule


class VectorPolicy(PolicyModule):
    """Multi-layer perceptron on the observation and the condition.

    Args:
        env: supplies observation and masks.
        condition_width: C, may be 0.
        width: of the hidden layers.
        layers: number of hidden layers, at least 1.
        learn_backward: whether P_B has outputs of its own; else it is uniform over legal backward actions.
        count_paths: whether there is an output for log n(s), the number of ways back.
    """

    def __init__(
        self,
        env: VectorEnvironment[Any],
        condition_width: int,
        width: int,
        layers: int,
        learn_backward: bool,
        count_paths: bool = False,
    ) -> None:
        super().__init__()
        self.env, self.learns_backward = env, learn_backward
        n_out = env.n_actions + env.n_back_actions + 1 + count_paths
        self.net = mlp(env.observation_width + condition_width, width, n_out, layers)

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at B non-terminal states."""
        outputs = self.net(torch.cat([self.env.observe(states), condition.encoding], dim=1))
        n_actions, n_back_actions = self.env.n_actions, self.env.n_back_actions
        forward, backward = outputs[:, :n_actions], outputs[:, n_actions : n_actions + n_back_actions]
        flow, *log_n = outputs[:, n_actions + n_back_actions :].unbind(dim=1)

        def make_backward() -> MaskedCategorical:
            mask = self.env.back_mask(states)
            return (
                MaskedCategorical(backward, mask) if self.learns_backward else MaskedCategorical.uniform(mask)
            )

        return PolicyOutput(MaskedCategorical(forward, self.env.mask(states)), make_backward, flow, *log_n)
