"""The policy that knows nothing: the baseline of every comparison."""

from __future__ import annotations

from typing import Generic

import torch
from torch import Tensor

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.environment import Environment, S
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.policy.module import PolicyModule
from fluvial.policy.tabular import legal_or_all


class UniformPolicy(PolicyModule, Generic[S]):
    """Every legal action equally likely, forward and backward; log flow 0; no parameters.

    Args:
        env: the environment.
    """

    def __init__(self, env: Environment[S]) -> None:
        super().__init__()
        self.env, self.learns_backward = env, False

    def forward(self, states: S, condition: Condition | None = None) -> PolicyOutput:
        """Distributions and flow at the states; uniform over all numbers where no action is legal."""
        zero: Tensor = torch.zeros(len(states), device=states.device)
        return PolicyOutput(
            MaskedCategorical.uniform(legal_or_all(self.env.mask(states))),
            lambda: MaskedCategorical.uniform(legal_or_all(self.env.back_mask(states))),
            zero,
        )
