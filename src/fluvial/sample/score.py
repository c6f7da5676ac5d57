"""What the current policy says of trajectories: one evaluation, and everything that is read off it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY
from fluvial.core.policy import AlongPolicy, Policy, PolicyOutput
from fluvial.core.types import Scores, Trajectories


@dataclass(frozen=True)
class Evaluation:
    """The policy's output at the L real, unfinished states of trajectories; results are laid out in time."""

    trajectories: Trajectories[Any]
    live: Tensor
    """int64 [L], places t * B + b in the order of time."""
    output: PolicyOutput
    """Of L rows."""

    def placed(self, values: Tensor, places: Tensor | None = None, length: int | None = None) -> Tensor:
        """`values` float [M] at `places` int64 [M] (default: the live states) of [length, B], else 0."""
        n_times, n_rows = self.trajectories.mask.shape
        length = n_times if length is None else length
        places = self.live if places is None else places
        return values.new_zeros(length * n_rows).index_copy(0, places, values).reshape(length, n_rows)

    def at_states(self, values: Tensor) -> Tensor:
        """`values` float [L] as [T + 1, B]; 0 at terminal states and padding."""
        return self.placed(values, length=len(self.trajectories.mask) + 1)

    @property
    def chosen(self) -> Tensor:
        """The action taken in each live state, int64 [L]."""
        return self.trajectories.actions.flatten()[self.live]

    def log_pf(self) -> Tensor:
        """log P_F of each transition, float [T, B]."""
        return self.placed(self.output.forward.log_prob(self.chosen))

    def log_pb(self) -> Tensor:
        """log P_B of each transition at the state after it, float [T, B]; 0 for undoing the stop."""
        return self._log_pb

    @cached_property
    def _log_pb(self) -> Tensor:
        # Both the objective and the rule that teaches P_B read it.
        n_rows = self.trajectories.mask.shape[1]
        later = (self.live >= n_rows).nonzero().squeeze(1)
        arrived = self.live[later] - n_rows
        undone = self.trajectories.back_actions.flatten()[arrived]
        return self.placed(self.output.backward.log_prob_at(later, undone), arrived)

    def log_flow(self) -> Tensor:
        """log F of each state, float [T + 1, B]."""
        return self.at_states(self.output.log_flow)

    def log_n(self) -> Tensor:
        """Predicted log number of ways back from each state, float [T + 1, B].

        Raises:
            ValueError: the policy does not count them.
        """
        if self.output.log_n is None:
            raise ValueError("this policy has no output for log n; build it with count_paths=True")
        return self.at_states(self.output.log_n)

    def action_value(self) -> Tensor:
        """The value of each action taken, `action_values` of the policy's output, float [T, B]."""
        return self.placed(action_values(self.output).gather(1, self.chosen[:, None]).squeeze(1))

    def soft_value(self) -> Tensor:
        """Log of the sum of exp(value) over legal actions in each state, float [T + 1, B]."""
        values = action_values(self.output).masked_fill(~self.output.forward.mask, NEGATIVE_INFINITY)
        return self.at_states(values.logsumexp(dim=1))

    def log_stop(self) -> Tensor:
        """log P_F(stop) in each state, float [T + 1, B]; -inf where stop is not legal."""
        return self.at_states(self.output.forward.log_prob(torch.zeros_like(self.live)))

    def entropy(self) -> Tensor:
        """Entropy of the forward policy in each state, in nats, float [T, B]."""
        return self.placed(self.output.forward.entropy())

    def scores(self) -> Scores:
        """What most objectives eat."""
        return Scores(self.log_pf(), self.log_pb(), self.log_flow(), self.trajectories.mask)


def action_values(output: PolicyOutput) -> Tensor:
    """What objectives take for log F(s, a) or Q(s, a): the logit plus the flow output, float [L, A].

    The sum leaves the level of a state to the flow output, which sees the whole state; logits alone would
    have to learn it once for each kind of action. (Dueling, Wang et al. 2016, arXiv:1511.06581.)
    """
    return output.forward.logits + output.log_flow[:, None]


def evaluate(policy: Policy, trajectories: Trajectories[Any]) -> Evaluation:
    """Call the policy once on all real, unfinished states of the trajectories together."""
    n_rows = trajectories.mask.shape[1]
    live = trajectories.mask.flatten().nonzero().squeeze(1)
    if isinstance(policy, AlongPolicy):
        return Evaluation(trajectories, live, policy.along(trajectories, live))
    states = trajectories.states[:-1].flatten()[live]
    return Evaluation(trajectories, live, policy(states, trajectories.condition[live % n_rows]))


def score(policy: Policy, trajectories: Trajectories[Any]) -> Scores:
    """Log probabilities and flows of the trajectories.

    The backward probability of transition t is the policy's at `states[t + 1]`; undoing the stop has
    probability 1.
    """
    return evaluate(policy, trajectories).scores()


def log_importance(scores: Scores) -> Tensor:
    """Sum of log P_F - log P_B along each trajectory, float [B]."""
    return torch.sum(scores.log_pf - scores.log_pb, dim=0)
