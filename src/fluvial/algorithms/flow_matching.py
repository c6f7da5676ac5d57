"""Flow matching: what flows into a state flows out of it (Bengio et al. 2021, arXiv:2106.04399)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.core.categorical import NEGATIVE_INFINITY
from fluvial.core.environment import Environment
from fluvial.core.policy import Policy
from fluvial.losses.flow_matching import flow_matching, flow_matching_weights, log_inflow
from fluvial.losses.objectives import trajectory_loss
from fluvial.losses.regression import Regression, square
from fluvial.losses.residuals import last_transitions
from fluvial.sample.score import Evaluation, action_values, evaluate


@dataclass(frozen=True)
class FlowMatching:
    """The logits plus the flow output are log F(s, a); every legal backward action of a state leads to a true
    parent.

    The sum over backward actions, not over distinct parents, is what fits the symmetry correction of the
    target: equivalent actions are counted here exactly as they are there.
    """

    env: Environment[Any]
    leaf_weight: float | None = None
    """Weight of the finished object beside the mean over the other states; None: all states alike."""
    smoothing: float | None = None
    """Log flow below which differences hardly count; None = no smoothing."""
    regression: Regression = square
    needs_partial: bool = False
    old_decay: float | None = None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories, target = experience.trajectories, experience.target
        evaluation = evaluate(models.current.policy, trajectories)
        outflow = evaluation.soft_value()
        into = self._inflow(models.current.policy, evaluation)
        # The stop's own flow is what arrives at the finished object.
        inflow = torch.where(last_transitions(trajectories.mask), evaluation.action_value(), into)
        residual = flow_matching(inflow, outflow[1:], target, trajectories.mask, self.smoothing)
        weight = flow_matching_weights(trajectories.mask, self.leaf_weight).to(residual)
        log_pf = evaluation.log_pf()
        parts = {"log R": target, "log Z": outflow[0], "log P_F": log_pf.sum(dim=0)}
        return Learned(trajectory_loss(residual, weight, self.regression), log_pf, parts, outflow[0].detach())

    def _inflow(self, policy: Policy, evaluation: Evaluation) -> Tensor:
        """log of the flow into the state after each transition that is not the last, float [T, B]."""
        trajectories, env = evaluation.trajectories, self.env
        n_rows = trajectories.mask.shape[1]
        places = evaluation.live[evaluation.live >= n_rows]
        states = trajectories.states[:-1].flatten()[places]
        back_mask = env.back_mask(states)
        rows, back_actions = back_mask.nonzero(as_tuple=True)
        parents = env.step_back(states[rows], back_actions)
        actions = env.redo(parents, back_actions, states[rows])
        output = policy(parents, trajectories.condition[places[rows] % n_rows])
        flow = action_values(output).gather(1, actions[:, None]).squeeze(1)
        table = flow.new_full(back_mask.shape, NEGATIVE_INFINITY).index_put((rows, back_actions), flow)
        return evaluation.placed(log_inflow(table, back_mask), places - n_rows)
