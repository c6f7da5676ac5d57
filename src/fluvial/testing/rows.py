"""Clause 6 of the environment contract: rows are independent, and no method loops over them.

That calls are pure and deterministic, the clause's other half, is what `contract.guarded` checks all along.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fluvial.core.batch import Batch
from fluvial.core.environment import Environment, S
from fluvial.testing.contract import equal, require
from fluvial.testing.walks import Transitions

N_ALONE = 8  # rows to repeat alone
N_FEW, N_MANY = 2, 64  # batch sizes whose operator calls are compared


class _OperatorCount(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts torch operator calls."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.n_calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n_calls += 1
        return func(*args, **(kwargs or {}))


def clause_6_rows(env: Environment[S], transitions: Transitions[S]) -> None:
    """Each method gives a row alone what it gives the row in a batch."""
    calls = _calls(env, transitions[torch.arange(min(N_ALONE, len(transitions.actions)))])
    for name, arguments in calls.items():
        method = getattr(env, name)
        together = method(*arguments)
        if not isinstance(together, Tensor | Batch):
            continue  # an observation of graphs lists bonds, not rows
        for row in range(len(arguments[0])):
            alone = method(*(argument[row : row + 1] for argument in arguments))
            message = f"{name} gives a row alone something else than in a batch"
            require(6, equal(alone, together[row : row + 1]), f"{message}: {arguments[0][row : row + 1]}")


def clause_6_no_loop(env: Environment[S], transitions: Transitions[S]) -> None:
    """The number of operator calls does not grow with the number of rows.

    Two rows are compared with many copies of the same two, so that steps which depend on the content, and
    not on the number of rows, cost both alike. A few calls more are let pass: some operators of torch choose
    another algorithm for larger tensors.
    """
    few = transitions[torch.arange(N_FEW) % len(transitions.actions)]
    many = transitions[torch.arange(N_MANY) % N_FEW % len(transitions.actions)]
    few_calls, many_calls = _calls(env, few), _calls(env, many)
    for name in few_calls:
        counts = []
        for arguments in (few_calls[name], many_calls[name]):
            getattr(env, name)(*arguments)  # fills the environment's caches, which is no work per row
            with _OperatorCount() as counter:
                getattr(env, name)(*arguments)
            counts.append(counter.n_calls)
        calls = f"{counts[0]} operator calls for {N_FEW} rows, {counts[1]} for {N_MANY}"
        message = f"{name} loops over rows: {calls}"
        require(6, counts[1] - counts[0] < (N_MANY - N_FEW) // 2, message)


def _calls(env: Environment[S], transitions: Transitions[S]) -> dict[str, tuple[Any, ...]]:
    """Arguments for each batched method, by name."""
    states, actions, after = transitions.states, transitions.actions, transitions.next_states
    back_actions = env.undo(states, actions, after)
    calls: dict[str, tuple[Any, ...]] = {
        "mask": (states,),
        "step": (states, actions),
        "back_mask": (after,),
        "step_back": (after, back_actions),
        "undo": (states, actions, after),
        "redo": (states, back_actions, after),
        "is_terminal": (after,),
        "is_initial": (states,),
        "key": (after,),
    }
    if bool(env.is_terminal(after).all()):
        calls["log_symmetry"] = (after,)
    if hasattr(env, "observe"):
        calls["observe"] = (states,)
    return calls
