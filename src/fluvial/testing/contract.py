"""What the checkers share: the error, the comparison of records, and calls that must leave no trace."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import Environment, S

LONGEST_VALUE = 160  # characters of one value in a message


class ContractError(AssertionError):
    """Something breaks its contract; the message names the clause and the first state that shows it."""


def require(clause: int, holds: Tensor | bool, message: str, **places: Batch | Tensor) -> None:
    """Raise a `ContractError` unless `holds`.

    Args:
        clause: number of the contract's clause.
        holds: one bool, or bool [B]; then the first row that fails is shown.
        message: what is wrong.
        places: records and tensors of B rows to show, by name.
    """
    if isinstance(holds, bool):
        if not holds:
            raise ContractError(f"clause {clause}: {message}")
    elif not bool(holds.all()):
        row = int(holds.logical_not().nonzero()[0])
        shown = "; ".join(f"{name} {_row_text(value, row)}" for name, value in places.items())
        count = f"{int((~holds).sum())} of {len(holds)} rows"
        raise ContractError(f"clause {clause}: {message} ({count}, first: {shown})")


def _row_text(value: Batch | Tensor, row: int) -> str:
    if isinstance(value, Tensor):
        text = str(value[row].tolist())
    else:
        names = [field.name for field in dataclasses.fields(value)]
        pairs = zip(names, value.tensors(), strict=True)
        text = ", ".join(f"{name}={tensor[row].tolist()}" for name, tensor in pairs)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "..."


def same_rows(left: Batch, right: Batch) -> Tensor:
    """Whether each row is the same in all fields, bool [B]."""
    same = torch.ones(len(left), dtype=torch.bool, device=left.device)
    for mine, theirs in zip(left.tensors(), right.tensors(), strict=True):
        if mine.shape != theirs.shape:
            return torch.zeros_like(same)
        same &= _same_entries(mine, theirs)[..., None].flatten(1).all(dim=1)
    return same


def equal(left: object, right: object) -> bool:
    """Whether two results are identical: tensors in shape, type and value (nan is nan), records by field."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        if left.shape != right.shape or left.dtype != right.dtype:
            return False
        return bool(_same_entries(left, right).all())
    if dataclasses.is_dataclass(left) and type(left) is type(right):
        names = [field.name for field in dataclasses.fields(left)]
        return all(equal(getattr(left, name), getattr(right, name)) for name in names)
    return bool(left == right)


def _same_entries(left: Tensor, right: Tensor) -> Tensor:
    return (left == right) | ((left != left) & (right != right))


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(*(_copy(getattr(value, field.name)) for field in dataclasses.fields(value)))
    return list(value) if isinstance(value, list) else value


class _Guarded:
    """An environment each of whose calls is made twice, compared, and searched for changed arguments."""

    def __init__(self, env: object) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._env, name)
        return _guarded_call(name, value) if callable(value) else value


def _guarded_call(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        before = [_copy(argument) for argument in arguments]
        result = function(*arguments)
        kept = _copy(result)
        again = function(*arguments)
        for old, new in zip(before, arguments, strict=True):
            require(6, equal(old, new), f"{name} changes its argument {type(new).__name__} in place")
        require(6, equal(kept, again), f"{name} gives different results for the same arguments")
        require(6, equal(kept, result), f"a second call of {name} changes the result of the first")
        return result

    return call


def guarded(env: Environment[S]) -> Environment[S]:
    """`env` with calls that raise a `ContractError` when they are impure or not deterministic."""
    return cast(Environment[S], _Guarded(env))
