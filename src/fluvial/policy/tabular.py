"""A policy with a free parameter for every action of every state: the yardstick for all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

import torch
from torch import Tensor, nn

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import StateGraph, find_rows
from fluvial.core.environment import Environment, S
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.policy.module import PolicyModule


class TabularPolicy(PolicyModule, Generic[S]):
    """Policy of an enumerated environment; starts uniform with log flow 0 and ignores the condition.

    Args:
        env: the environment.
        graph: its enumeration.
        identity: states to int64 [B], the one that `graph` was enumerated with; default `env.key`. Where
            states have several labellings, in which action numbers differ, `labelled_identity` gives each
            its own row (and then a learned P_B, which may depend on the labelling, can end at another
            distribution).
        learn_backward: whether P_B is a table too; else it is uniform over legal backward actions.
        count_paths: whether log n(s) is a table too; it starts at 0.
    """

    def __init__(
        self,
        env: Environment[S],
        graph: StateGraph[S],
        identity: Callable[[S], Tensor] | None = None,
        learn_backward: bool = True,
        count_paths: bool = False,
    ) -> None:
        super().__init__()
        self.env, self.learns_backward = env, learn_backward
        self.identity = env.key if identity is None else identity
        ordered, order = graph.identity.sort()
        self.register_buffer("ordered", ordered)
        self.register_buffer("order", order)
        self.forward_logits = nn.Parameter(torch.zeros(len(graph), env.n_actions))
        """float [S, A], rows as in `graph`."""
        self.backward_logits = nn.Parameter(torch.zeros(len(graph), env.n_back_actions))
        """float [S, A']."""
        self.log_flow = nn.Parameter(torch.zeros(len(graph)))
        """float [S]."""
        self.log_n = nn.Parameter(torch.zeros(len(graph))) if count_paths else None
        """float [S]."""

    def rows(self, states: S) -> Tensor:
        """Rows of the tables that belong to `states`, int64 [B].

        Raises:
            DataError: a state that was not enumerated.
        """
        return find_rows(self.get_buffer("ordered"), self.get_buffer("order"), self.identity(states))

    def forward(self, states: S, condition: Condition | None = None) -> PolicyOutput:
        """Distributions and flow at the states; uniform over all numbers where no action is legal."""
        rows = self.rows(states)

        def make_backward() -> MaskedCategorical:
            mask = legal_or_all(self.env.back_mask(states))
            if not self.learns_backward:
                return MaskedCategorical.uniform(mask)
            return MaskedCategorical(self.backward_logits[rows], mask)

        return PolicyOutput(
            MaskedCategorical(self.forward_logits[rows], legal_or_all(self.env.mask(states))),
            make_backward,
            self.log_flow[rows],
            None if self.log_n is None else self.log_n[rows],
        )


def legal_or_all(mask: Tensor) -> Tensor:
    """`mask` bool [B, A] with rows that allow nothing made all True, bool [B, A].

    The distribution over no action is nan, which would reach the parameters through any sum over rows.
    """
    # On a CPU the largest byte takes a hundredth of the time of `any`, and a twentieth of that of a sum.
    return mask | (mask.view(torch.uint8).amax(dim=1, keepdim=True) == 0)
