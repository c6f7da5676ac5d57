"""Everything with weights."""

from __future__ import annotations

from torch import nn

from fluvial.policy.log_z import GivenLogZ, LogZ
from fluvial.policy.module import PolicyModule


class Model(nn.Module):
    """A policy and the log partition function that goes with it."""

    def __init__(self, policy: PolicyModule, log_z: LogZ | GivenLogZ) -> None:
        super().__init__()
        self.policy, self.log_z = policy, log_z
