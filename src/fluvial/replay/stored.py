"""Whole trajectories from the numbers of their actions."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.errors import IllegalActionError
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.sample.itinerary import Itinerary


@torch.no_grad()
def trajectories_of(
    env: Environment[S], actions: Tensor, n_steps: Tensor, condition: Condition, born: Tensor, values: Tensor
) -> Trajectories[S]:
    """The trajectories that took given actions, with log reward nan and origin REPLAY; all on one device.

    Nothing is drawn: states, backward actions and mask are those of the trajectories when they were made.
    Padding is as long as the longest of them needs. Only unfinished rows are evaluated.

    Args:
        env: where they were made.
        actions: int64 [T, B]; what stands at and after `n_steps` is ignored.
        n_steps: int64 [B], transitions of each row.
        condition: [B, ...].
        born: int64 [B], training step at which each object was first made.
        values: float64 [B, K], its reward terms.

    Raises:
        IllegalActionError: an action is not legal, so the actions belong to another environment.
    """
    rows = torch.arange(len(n_steps), device=n_steps.device)
    before = env.initial(len(rows), n_steps.device)
    itinerary = Itinerary(before)
    for time in range(len(actions)):
        is_due = n_steps[rows] > time
        rows, before = rows[is_due], before[is_due]
        if len(rows) == 0:
            break
        chosen = actions[time, rows]
        _require_legal(env.mask(before), chosen, rows, time)
        after = env.step(before, chosen)
        moves = torch.stack([chosen, env.undo(before, chosen, after)], dim=1)
        itinerary.add(rows, after, moves, torch.full((len(rows),), torch.nan, device=rows.device))
        before = after
    positions = itinerary.positions()
    mask = positions[1:] != positions[:-1]
    forward, backward, log_behaviour = itinerary.moves_at(positions[1:], mask)
    states = itinerary.states_at(positions)
    return Trajectories(
        actions=forward,
        back_actions=backward,
        mask=mask,
        states=states,
        condition=condition,
        log_reward=torch.full((len(n_steps),), torch.nan, device=n_steps.device),
        log_symmetry=env.log_symmetry(states[-1]).to(torch.get_default_dtype()),  # type: ignore[index]
        log_behaviour=log_behaviour,
        origin=torch.full((len(n_steps),), Origin.REPLAY, device=n_steps.device),
        born=born,
        values=values,
    )


def _require_legal(mask: Tensor, chosen: Tensor, rows: Tensor, time: int) -> None:
    n_actions = mask.shape[1]
    is_legal = mask.gather(1, chosen[:, None].clamp_max(n_actions - 1)).squeeze(1) & (chosen < n_actions)
    if not bool(is_legal.all()):
        place = int((~is_legal).nonzero()[0])
        raise IllegalActionError(
            f"action {int(chosen[place])} at step {time} of stored trajectory {int(rows[place])} is not legal"
            " here: it was made in an environment with another vocabulary or other limits"
        )
