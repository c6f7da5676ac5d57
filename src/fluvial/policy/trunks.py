"""A network for each direction."""

from __future__ import annotations

from fluvial.core.batch import Batch
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.policy.module import PolicyModule


class SeparateTrunks(PolicyModule):
    """P_F and flow of one policy with P_B and log n of another, so that neither pulls at the other's weights.

    Args:
        ahead: supplies P_F and log F.
        back: supplies P_B and log n; it must learn P_B.
    """

    def __init__(self, ahead: PolicyModule, back: PolicyModule) -> None:
        super().__init__()
        if not back.learns_backward:
            raise ValueError("the policy for the way back does not learn P_B, so it needs no weights")
        self.ahead, self.back = ahead, back
        self.learns_backward = True

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at B non-terminal states."""
        ahead: PolicyOutput = self.ahead(states, condition)
        back: PolicyOutput = self.back(states, condition)
        return PolicyOutput(ahead.forward, back.make_backward, ahead.log_flow, back.log_n)
