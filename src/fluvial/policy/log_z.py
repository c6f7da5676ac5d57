"""The log partition function as a function of what is asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fluvial.core.types import Condition
from fluvial.nets.mlp import mlp


class GivenLogZ(nn.Module):
    """The log Z that the condition tells, which is not learned."""

    is_started = True

    def forward(self, condition: Condition) -> Tensor:
        """float [B]."""
        return condition.log_z[:, 0]

    def start_from(self, condition: Condition, estimate: Tensor) -> None:
        """Nothing: the condition tells it."""

    def distance(self, condition: Condition) -> Tensor:
        """0 for all, float [B]."""
        return torch.zeros_like(condition.beta)


class LogZ(nn.Module):
    """log Z(condition) = a + b beta + network(encoding), with a and b fitted to the first batch.

    Args:
        condition_width: C; with 0 log Z is the one number a.
        width: of the network's hidden layer.
    """

    def __init__(self, condition_width: int, width: int = 64) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(()))
        self.is_started: Tensor
        self.register_buffer("is_started", torch.tensor(False))
        self.start: Tensor
        self.register_buffer("start", torch.zeros(2))
        self.slope = nn.Parameter(torch.zeros(())) if condition_width else None
        self.net = mlp(condition_width, width, 1, 1) if condition_width else None
        if self.net is not None:
            nn.init.zeros_(self.net[-1].weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.net[-1].bias)  # type: ignore[arg-type]

    def forward(self, condition: Condition) -> Tensor:
        """float [B]."""
        if self.net is None or self.slope is None:
            return self.offset.expand(len(condition))
        residue: Tensor = self.net(condition.encoding).squeeze(1)
        return self.offset + self.slope * condition.beta + residue

    def distance(self, condition: Condition) -> Tensor:
        """How far log Z is from where it started, float [B]: what a pull to the start makes small."""
        moved: Tensor = self(condition) - (self.start[0] + self.start[1] * condition.beta)
        return moved

    @torch.no_grad()
    def start_from(self, condition: Condition, estimate: Tensor) -> None:
        """Fit a and b by least squares to estimates of log Z, float [B]: log R + log P_B - log P_F of
        trajectories.

        A slow log Z costs two to five times the error at equal reward calls, so it starts where the data
        put it.
        """
        self.is_started.fill_(True)
        if self.slope is not None:
            centred = condition.beta - condition.beta.mean()
            spread = centred.square().sum()
            if spread > 0:
                self.slope.copy_((centred * (estimate - estimate.mean())).sum() / spread)
            self.offset.copy_(estimate.mean() - self.slope * condition.beta.mean())
        else:
            self.offset.copy_(estimate.mean())
        slope = torch.zeros_like(self.offset) if self.slope is None else self.slope
        self.start.copy_(torch.stack([self.offset, slope]))
