"""Every reachable state of a small environment, and the transitions between them, as tensors.

Axes: S states, E transitions; several actions that link the same two states are separate transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import Environment, S
from fluvial.core.errors import DataError
from fluvial.core.hashing import GOLDEN, mix

AnyBatch = TypeVar("AnyBatch", bound=Batch)

PAIRS_AT_ONCE = 1 << 16  # bounds memory: transitions stepped in one call


@dataclass(frozen=True)
class StateGraph(Generic[S]):
    """The reachable states in topological order (row 0 is the initial state) and all their transitions.

    Transitions are sorted by source.
    """

    states: S
    """[S, ...], one representative of each identity."""
    identity: Tensor
    """int64 [S], what told the states apart."""
    is_terminal: Tensor
    """bool [S]."""
    level: Tensor
    """int64 [S], transitions of the longest path from the initial state; never falls along the rows."""
    source: Tensor
    """int64 [E], row of the state before."""
    action: Tensor
    """int64 [E]."""
    target: Tensor
    """int64 [E], row of the state after; its level is above that of the source."""
    back_action: Tensor
    """int64 [E], what `undo` gives at the state that `step` made. That state may be another labelling
    than the representative `states[target]`, where the same backward action can have another number."""

    def __len__(self) -> int:
        return len(self.level)

    @property
    def n_edges(self) -> int:
        """Number of transitions."""
        return len(self.source)


def enumerate_states(
    env: Environment[S], limit: int = 200_000, identity: Callable[[S], Tensor] | None = None
) -> StateGraph[S]:
    """All states that forward steps reach from the initial state, and all transitions.

    Args:
        env: the environment; all tensors stay on the device of `env.initial`.
        limit: most states to accept; 200 000 is arbitrary.
        identity: states to int64 [B]; rows of equal number are one state. Default `env.key`;
            `labelled_identity` keeps equivalent states apart.

    Raises:
        DataError: more than `limit` states, or a path of more than `env.max_steps` transitions.
    """
    graph = enumerate_within(env, limit, identity)
    if graph is None:
        raise DataError(
            f"{type(env).__name__} has more than limit={limit} states; enumerate a smaller environment "
            "or raise the limit"
        )
    return graph


@torch.no_grad()
def enumerate_within(
    env: Environment[S], limit: int, identity: Callable[[S], Tensor] | None = None
) -> StateGraph[S] | None:
    """As `enumerate_states`, but None where there are more than `limit` states."""
    identify = env.key if identity is None else identity
    frontier = env.initial(1)
    known = identify(frontier)
    found, identities, edges = [frontier], [known], []
    first_row = 0
    while len(frontier):
        fresh = [frontier[:0]]
        for rows, actions in _legal_pairs(env, frontier):
            before = frontier[rows]
            after = env.step(before, actions)
            after_identity = identify(after)
            edges.append((rows + first_row, actions, after_identity, env.undo(before, actions, after)))
            new = first_occurrences(after_identity)
            new = new[_missing(known, after_identity[new])]
            known = torch.cat([known, after_identity[new]]).sort().values
            if len(known) > limit:
                return None
            fresh.append(after[new])
            identities.append(after_identity[new])
        first_row += len(frontier)
        frontier = type(frontier).cat(fresh)
        found.append(frontier)
    columns = [torch.cat(column) for column in zip(*edges, strict=True)] if edges else [known[:0]] * 4
    return _in_order(env, type(frontier).cat(found), torch.cat(identities), columns)


def _legal_pairs(env: Environment[S], states: S) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows and legal actions, at most about `PAIRS_AT_ONCE` at a time."""
    n_rows = max(1, PAIRS_AT_ONCE // env.n_actions)
    for start in range(0, len(states), n_rows):
        rows, actions = env.mask(states[start : start + n_rows]).nonzero(as_tuple=True)
        yield rows + start, actions


def _in_order(env: Environment[S], states: S, identity: Tensor, columns: list[Tensor]) -> StateGraph[S]:
    source, action, target_identity, back_action = columns
    ordered, order = identity.sort()
    target = order[torch.searchsorted(ordered, target_identity)]
    level = _longest_paths(source, target, len(identity), env.max_steps)
    rows = level.argsort(stable=True)
    rank = torch.empty_like(rows)
    rank[rows] = torch.arange(len(rows), device=rows.device)
    source, target = rank[source], rank[target]
    edges = source.argsort(stable=True)
    return StateGraph(
        states[rows],
        identity[rows],
        env.is_terminal(states[rows]),
        level[rows],
        source[edges],
        action[edges],
        target[edges],
        back_action[edges],
    )


def _longest_paths(source: Tensor, target: Tensor, n_states: int, max_steps: int) -> Tensor:
    """Transitions of the longest path to each state, int64 [S]."""
    level = torch.zeros(n_states, dtype=torch.int64, device=source.device)
    for _ in range(max_steps + 1):
        longer = level.scatter_reduce(0, target, level[source] + 1, "amax")
        if torch.equal(longer, level):
            return level
        level = longer
    raise DataError(
        f"a path has more than max_steps={max_steps} transitions: the environment's steps form a cycle, "
        "or its max_steps is too small"
    )


def first_occurrences(values: Tensor) -> Tensor:
    """Position of the first row of each distinct value, int64, in order of appearance; `values` int64 [B]."""
    ordered, order = values.sort(stable=True)
    is_first = torch.ones_like(ordered, dtype=torch.bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return order[is_first].sort().values


def _missing(ordered: Tensor, wanted: Tensor) -> Tensor:
    """Whether `wanted` int64 [M] are absent from the ascending `ordered` int64 [N > 0], bool [M]."""
    place = torch.searchsorted(ordered, wanted).clamp_max(len(ordered) - 1)
    return ordered[place] != wanted


def find_rows(ordered: Tensor, order: Tensor, wanted: Tensor) -> Tensor:
    """Rows of the states with identities `wanted` int64 [B]; `ordered, order = graph.identity.sort()`.

    Raises:
        DataError: an identity that is not among them.
    """
    absent = _missing(ordered, wanted)
    if bool(absent.any()):
        raise DataError(
            f"{int(absent.sum())} of {len(wanted)} states are not among the {len(ordered)} enumerated ones; "
            "enumerate the same environment with the same identity"
        )
    return order[torch.searchsorted(ordered, wanted)]


def labelled_identity(states: AnyBatch) -> Tensor:
    """A 64-bit hash of all fields, int64 [B]: equal exactly for rows of equal content (up to collisions).

    Unlike an environment's `key` it keeps relabelled copies of one graph apart.
    """
    columns = [tensor[..., None].flatten(1) for tensor in states.tensors()]
    bits = [
        column.double().view(torch.int64) if column.is_floating_point() else column.long()
        for column in columns
    ]
    places = [
        torch.arange(column.shape[1], device=states.device) + (number << 32)
        for number, column in enumerate(columns)
    ]
    return mix(torch.cat(bits, dim=1) * GOLDEN + mix(torch.cat(places))).sum(dim=1)
