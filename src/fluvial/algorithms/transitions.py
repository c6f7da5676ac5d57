"""Detailed balance on single transitions, so that a step costs the same however long trajectories are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.losses.regression import Regression, square
from fluvial.losses.residuals import detailed_balance


@dataclass(frozen=True)
class TransitionBalance:
    """Detailed balance on transitions drawn evenly from all those of a batch, replayed ones too."""

    n_transitions: int = 256
    """Transitions in a step, with replacement."""
    regression: Regression = square
    needs_partial: bool = False
    old_decay: float | None = None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories: of each, the sum over its drawn transitions, scaled to a mean."""
        trajectories, policy = experience.trajectories, models.current.policy
        n_rows = trajectories.mask.shape[1]
        live = trajectories.mask.flatten().nonzero().squeeze(1)
        drawn = torch.randint(
            len(live), (self.n_transitions,), generator=generator, device=generator.device
        ).to(live.device)
        place = live[drawn]
        time, row = place // n_rows, place % n_rows
        is_mid = (trajectories.n_steps[row] > time + 1).nonzero().squeeze(1)
        before, after = trajectories.states[time, row], trajectories.states[time[is_mid] + 1, row[is_mid]]
        output = policy(
            type(before).cat([before, after]), trajectories.condition[torch.cat([row, row[is_mid]])]
        )
        later = len(place) + torch.arange(len(is_mid), device=place.device)
        log_pf = output.forward.log_probs[: len(place)].gather(1, trajectories.actions[time, row, None])
        undone = trajectories.back_actions[time[is_mid], row[is_mid]]
        found = output.backward.log_probs[later, undone].to(log_pf)
        log_pb = log_pf.new_zeros(len(place)).index_copy(0, is_mid, found)
        end = experience.target[row].index_copy(0, is_mid, output.log_flow[later])
        flow = torch.stack([output.log_flow[: len(place)], end])
        residual = detailed_balance(log_pf.T, log_pb[None], flow, end, torch.ones_like(log_pf.T).bool())[0]
        loss = self.regression(residual) * (n_rows / self.n_transitions)
        summed = loss.new_zeros(n_rows).index_add(0, row, loss)
        parts = {"log R": experience.target, "loss of transitions": summed}
        is_drawn = torch.isin(torch.arange(n_rows, device=row.device), row)
        own_loss = summed.detach().masked_fill(~is_drawn, torch.nan)
        return Learned(summed, None, parts, _initial_flow(output.log_flow, time), own_loss)


def _initial_flow(log_flow: Tensor, time: Tensor) -> Tensor | None:
    """Flow of the initial states among those drawn, float [M]; None where there is none."""
    at_start = log_flow[: len(time)][time == 0].detach()
    return at_start if len(at_start) else None
