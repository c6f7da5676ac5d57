"""A vector of values for each action, and the policy that is greedy for a preference among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.environment import Environment
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.policy.module import PolicyModule

GREED = 100.0
"""Factor of the weighted values in the logits: nearly greedy, with ties broken at random. Arbitrary."""


class EnvelopePolicy(PolicyModule):
    """P_F(a | s, w) in proportion to exp(100 w · Q(s, a, w)), with a network for each of the K values.

    Args:
        env: supplies the masks.
        nets: K policies whose logits are read as the values Q_k; they see the condition.
    """

    def __init__(self, env: Environment[Any], nets: Sequence[PolicyModule]) -> None:
        super().__init__()
        self.env, self.learns_backward = env, False
        self.nets = nn.ModuleList(nets)

    def values(self, states: Batch, condition: Condition) -> Tensor:
        """Q of each action, float [B, A, K]; meaningless for illegal actions."""
        return torch.stack([net(states, condition).forward.logits for net in self.nets], dim=2)

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        """The nearly greedy distribution, uniform P_B, and the best weighted value as flow output."""
        return self.output_of(self.values(states, condition), states, condition)

    def output_of(self, values: Tensor, states: Batch, condition: Condition) -> PolicyOutput:
        """The same from values float [B, A, K] that are known already."""
        mask = self.env.mask(states)
        worth = (values * condition.weights[:, None]).sum(dim=2)
        best = worth.masked_fill(~mask, float("-inf")).amax(dim=1)
        return PolicyOutput(
            MaskedCategorical(GREED * worth, mask),
            lambda: MaskedCategorical.uniform(self.env.back_mask(states)),
            best,
        )
