"""A policy for environments whose states are graphs."""

from __future__ import annotations

from typing import Any

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.observation import GraphEnvironment
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.nets.mlp import mlp
from fluvial.policy.heads import ActionHeads
from fluvial.policy.module import PolicyModule


class GraphPolicy(PolicyModule):
    """Graph transformer with a head for each family of actions and one for the state flow.

    Args:
        env: supplies observation, masks and the families of actions.
        net: the trunk, shared by all heads.
        learn_backward: whether P_B has heads of its own; else it is uniform over legal backward actions.
        count_paths: whether there is a head for log n(s), the number of ways back.
    """

    def __init__(
        self,
        env: GraphEnvironment[Any],
        net: GraphTransformer,
        learn_backward: bool,
        count_paths: bool = False,
    ) -> None:
        super().__init__()
        self.env, self.net, self.learns_backward = env, net, learn_backward
        self.forward_heads = ActionHeads(net.width, env.families, env.sizes)
        self.backward_heads = ActionHeads(net.width, env.back_families, env.sizes) if learn_backward else None
        self.flow_head = mlp(2 * net.width, net.width, 1 + count_paths, 1)

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at B non-terminal states."""
        observation = self.env.observe(states)
        features = self.net(observation, condition.encoding)

        def make_backward() -> MaskedCategorical:
            mask = self.env.back_mask(states)
            if self.backward_heads is None:
                return MaskedCategorical.uniform(mask)
            return MaskedCategorical(self.backward_heads(features, observation), mask)

        return PolicyOutput(
            MaskedCategorical(self.forward_heads(features, observation), self.env.mask(states)),
            make_backward,
            *self.flow_head(features.graph).unbind(dim=1),
        )
