"""Exact numbers of ways to a state, and the backward policy that makes all ways equally likely.

n(s) is the number of backward action sequences from s to the initial state: n(s0) = 1 and
n(s') = Σ n(parent by b) over the legal backward actions b. P_B(b | s') = n(parent by b) / n(s') gives each
sequence from s' the probability 1 / n(s'), so no other backward policy gives trajectories more entropy.
(Mohammadpour et al. 2024, arXiv:2312.14331.) All results are float64 and carry no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY
from fluvial.core.enumeration import StateGraph, find_rows, first_occurrences
from fluvial.core.environment import Environment, S

ROWS_AT_ONCE = 8192  # bounds memory: states whose parents are made in one call


class PathCounts(Generic[S]):
    """log n of any state of an enumerated environment; called with states, it gives float64 [B].

    States of equal `env.key` have equal n, so one state of each key is counted and all are looked up by key,
    however the graph tells states apart: a backward action can make a labelling that no forward action makes.

    Args:
        env: the environment.
        graph: its enumeration, by any identity.

    Raises:
        DataError: a parent, or a state asked for, is not in the graph.
    """

    @torch.no_grad()
    def __init__(self, env: Environment[S], graph: StateGraph[S]) -> None:
        self._env = env
        keys = env.key(graph.states)
        first = first_occurrences(keys)
        self._keys, self._order = keys[first].sort()
        # A labelling can have a shorter way than others of its key; parents lie below the longest.
        row = find_rows(self._keys, self._order, keys)
        level = torch.zeros_like(first).scatter_reduce(0, row, graph.level, "amax")
        self._log_n = torch.full((len(first),), torch.nan, dtype=torch.float64, device=first.device)
        self._log_n[0] = 0.0
        for number in range(1, int(level.max()) + 1):
            for rows in torch.split((level == number).nonzero()[:, 0], ROWS_AT_ONCE):
                self._log_n[rows] = _parents_log_n(env, graph.states[first[rows]], self).logsumexp(dim=1)

    @torch.no_grad()
    def __call__(self, states: S) -> Tensor:
        """log n of the states, float64 [B], on their device."""
        device = states.device
        rows = find_rows(self._keys.to(device), self._order.to(device), self._env.key(states))
        return self._log_n.to(device)[rows]


def log_path_counts(env: Environment[S], graph: StateGraph[S]) -> Tensor:
    """log n of each state of the graph, float64 [S].

    Args:
        env: the environment.
        graph: its enumeration, by any identity.

    Raises:
        DataError: a backward action leads out of the graph.
    """
    return PathCounts(env, graph)(graph.states)


@torch.no_grad()
def maxent_log_probs(env: Environment[S], states: S, log_n: Callable[[S], Tensor]) -> Tensor:
    """log P_B of the backward policy of greatest entropy, float64 [B, A'].

    -inf where a backward action is not legal, so everywhere at initial states; undoing the stop has 0.

    Args:
        env: the environment.
        states: any states.
        log_n: states to float [B], such as `PathCounts` or an environment's own formula.
    """
    return _parents_log_n(env, states, log_n) - log_n(states).double()[:, None]


def _parents_log_n(env: Environment[S], states: S, log_n: Callable[[S], Tensor]) -> Tensor:
    """log n of the parent by each backward action, float64 [B, A']; -inf where that is not legal."""
    legal = env.back_mask(states)
    rows, back_actions = legal.nonzero(as_tuple=True)
    table = torch.full(legal.shape, NEGATIVE_INFINITY, dtype=torch.float64, device=legal.device)
    table[rows, back_actions] = log_n(env.step_back(states[rows], back_actions)).double()
    return table
