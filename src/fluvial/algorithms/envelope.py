"""Envelope Q-learning: one network for the best trade-off under every preference.

Source: Yang et al. 2019, arXiv:1908.08342.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.core.environment import Environment
from fluvial.core.types import Condition
from fluvial.losses.envelope import envelope_errors, envelope_value, homotopy
from fluvial.policy.envelope import EnvelopePolicy
from fluvial.sample.score import Evaluation


@dataclass(frozen=True)
class EnvelopeQ:
    """Vector Q-learning whose target is the best next action under the best of several preferences.

    The loss moves from the distance of the vectors to the error of the weighted sum as training goes on. It
    needs an `EnvelopePolicy`, the K reward terms in `Trajectories.values`, and preferences in the condition.
    """

    env: Environment[Any]
    other_preferences: Callable[[Condition, int, torch.Generator], Condition]
    """`other_preferences(condition [M], J, generator)`: M * J conditions, those of a row together."""
    n_preferences: int = 32
    """J, preferences tried in each next state; arbitrary."""
    decay: float = 10_000.0
    """Updates after which half of the loss is of the weighted sum; arbitrary."""
    needs_partial: bool = False
    old_decay: float | None = 0.95
    """Memory of the target network per step; without one the values grow without bound. Measured on grids."""

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories, policy = experience.trajectories, models.current.policy
        if not isinstance(policy, EnvelopePolicy):
            raise TypeError(f"envelope Q-learning needs an EnvelopePolicy, not {type(policy).__name__}")
        n_rows = trajectories.mask.shape[1]
        live = trajectories.mask.flatten().nonzero().squeeze(1)
        row = live % n_rows
        states = trajectories.states[:-1].flatten()[live]
        condition = trajectories.condition[row]
        values = policy.values(states, condition)
        chosen = trajectories.actions.flatten()[live]
        q = values[torch.arange(len(live), device=live.device), chosen]
        target = self._target(models.old.policy, experience, live, generator)
        squared, weighted = envelope_errors(q, target, condition.weights.to(q))
        share = homotopy(experience.step, self.decay)
        loss = (1.0 - share) * squared + share * weighted
        summed = loss.new_zeros(n_rows).index_add(0, row, loss) / trajectories.n_steps
        output = policy.output_of(values, states, condition)
        log_pf = Evaluation(trajectories, live, output).log_pf()
        worth = loss.new_zeros(n_rows).index_add(0, row, q.sum(dim=1))
        return Learned(summed, log_pf, {"loss of transitions": summed, "Q": worth})

    @torch.no_grad()
    def _target(
        self, policy: Any, experience: Experience, live: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The rewards where the transition is the stop, else the best value of the next state, [L, K]."""
        trajectories = experience.trajectories
        n_rows, n_samples = trajectories.mask.shape[1], self.n_preferences
        row = live % n_rows
        is_mid = (trajectories.n_steps[row] > live // n_rows + 1).nonzero().squeeze(1)
        after = trajectories.states[1:].flatten()[live[is_mid]]
        tried = self.other_preferences(trajectories.condition[row[is_mid]], n_samples, generator)
        values = policy.values(after.repeat(n_samples), tried)
        values = values.reshape(len(is_mid), n_samples, *values.shape[1:])
        weights = trajectories.condition.weights[row[is_mid]].to(values)
        best = envelope_value(values, self.env.mask(after), weights)
        return trajectories.values[row].to(best).index_copy(0, is_mid, best)
