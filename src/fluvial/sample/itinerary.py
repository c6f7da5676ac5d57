"""Where rows of a batch went, although they stop at different times."""

from __future__ import annotations

from typing import Generic

import torch
from torch import Tensor

from fluvial.core.environment import S


class Itinerary(Generic[S]):
    """States and moves of B rows, packed without padding; a position is a place in the packed states.

    Args:
        start: where the rows begin, [B, ...].
    """

    def __init__(self, start: S) -> None:
        self._n_rows, self._n_packed = len(start), len(start)
        self._states = [start]
        self._positions = [torch.arange(len(start), device=start.device)]
        self._moves: list[Tensor] = []
        self._log_probs: list[Tensor] = []

    def add(self, rows: Tensor, states: S, moves: Tensor, log_prob: Tensor) -> None:
        """One move of the rows that still go on.

        Args:
            rows: int64 [M].
            states: [M, ...], where they arrive.
            moves: int64 [M, 2], action and backward action.
            log_prob: float [M], of the choice.
        """
        arrived = self._n_packed + torch.arange(len(rows), device=rows.device)
        self._positions.append(self._positions[-1].index_copy(0, rows, arrived))
        self._n_packed += len(rows)
        self._states.append(states)
        self._moves.append(moves)
        self._log_probs.append(log_prob)

    def positions(self) -> Tensor:
        """Position of each row before the first move and after each, int64 [T + 1, B]."""
        return torch.stack(self._positions)

    def states_at(self, positions: Tensor) -> S:
        """The states at positions of any shape."""
        return type(self._states[0]).cat(self._states)[positions]

    def moves_at(self, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Action, backward action and log probability of the moves to the positions; 0 where masked."""
        if not self._moves:
            nothing = torch.zeros(positions.shape, dtype=torch.int64, device=positions.device)
            return nothing, nothing, nothing.to(torch.get_default_dtype())
        index = (positions - self._n_rows).clamp_min(0)
        actions, back_actions = (torch.cat(self._moves)[index] * mask[..., None]).unbind(dim=-1)
        return actions, back_actions, torch.cat(self._log_probs)[index].masked_fill(~mask, 0.0)
