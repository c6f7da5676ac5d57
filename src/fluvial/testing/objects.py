"""Clauses 3 to 5 of the environment contract: symmetry, objects and keys, and the end of a trajectory.

Each function raises a `ContractError` where its statement is false.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.enumeration import StateGraph, first_occurrences
from fluvial.core.environment import Environment, Found, S
from fluvial.metrics.exact import backward_weights, uniform_log_pb
from fluvial.testing.contract import ContractError, require
from fluvial.testing.walks import Walks

TOLERANCE = 1e-9  # of W |Aut| = 1; rounding alone stays a thousand times below
MOST_OBJECTS = 512  # objects to encode, which may be a slow search
NO_OBJECT = "?! no object"


def clause_3_weights(env: Environment[S], graph: StateGraph[S]) -> None:
    """W(x) exp(log_symmetry(x)) = 1 for every terminal x, with W under the uniform backward policy.

    Then a policy trained on log R + log_symmetry samples objects in proportion to R. States of equal key
    are one x.
    """
    terminal = graph.states[graph.is_terminal]
    log_symmetry = env.log_symmetry(terminal)
    is_double = log_symmetry.dtype == torch.float64 and log_symmetry.shape == (len(terminal),)
    require(3, is_double, f"log_symmetry is {log_symmetry.dtype} {list(log_symmetry.shape)}, not float64 [B]")
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    group = torch.unique(env.key(terminal), return_inverse=True)[1]
    total = torch.zeros_like(weights).index_add(0, group, weights)[group]
    holds = (total * log_symmetry.exp() - 1.0).abs() <= TOLERANCE
    place: dict[str, Batch | Tensor] = {"state": terminal, "W": total, "log_symmetry": log_symmetry}
    require(3, holds, "W exp(log_symmetry) is not 1: equivalent actions are counted wrongly", **place)


def clause_4_round_trip(env: Environment[S], terminal: S) -> None:
    """`encode(decode(x))` is terminal and has the key of x, or says that several states make the object."""
    some = terminal[:MOST_OBJECTS]
    texts = env.decode(some)
    encoded = env.encode(texts)
    is_one, is_several = encoded.found == Found.ONE, encoded.found == Found.SEVERAL
    place: dict[str, Batch | Tensor] = {"state": some, "encoded": encoded.states, "found": encoded.found}
    require(4, is_one | is_several, "encode does not find the object that decode wrote", **place)
    require(4, env.is_terminal(encoded.states), "encode gives a state that is not terminal", **place)
    same_key = env.key(encoded.states) == env.key(some)
    require(4, same_key | is_several, "encode(decode(x)) has another key than x", **place)
    same_text = [mine == theirs for mine, theirs in zip(env.decode(encoded.states), texts, strict=True)]
    require(4, torch.tensor(same_text), "encode gives a state of another object", **place)


def clause_4_rubbish(env: Environment[S]) -> None:
    """`encode` says that a text which is no object is invalid, and gives the initial state for it."""
    encoded = env.encode([NO_OBJECT])
    is_invalid = encoded.found == Found.INVALID
    require(4, is_invalid, f"encode takes the text {NO_OBJECT!r} for an object", found=encoded.found)
    require(4, env.is_initial(encoded.states), "encode of no object is not the initial state")


def clause_4_key(env: Environment[S], states: S) -> None:
    """`key` is int64, and states of equal key are both finished or both not and are the same object."""
    keys = env.key(states)
    is_number = keys.dtype == torch.int64 and keys.shape == (len(states),)
    require(4, is_number, f"key is {keys.dtype} {list(keys.shape)}, not int64 [{len(states)}]")
    is_done = env.is_terminal(states)
    first = _first_of_equal(keys)
    place: dict[str, Batch | Tensor] = {"state": states, "other": states[first], "key": keys}
    require(4, is_done == is_done[first], "a terminal and an unfinished state have the same key", **place)
    is_object = (is_done | env.mask(states)[:, 0]).nonzero()[:, 0]
    objects, keys = states[is_object], keys[is_object]
    texts = env.decode(objects)
    other = _first_of_equal(keys)
    same = torch.tensor([text == texts[row] for text, row in zip(texts, other.tolist(), strict=True)])
    require(4, same.bool(), "different objects have the same key", state=objects, other=objects[other])


def clause_5_ends(env: Environment[S], walks: Walks[S]) -> None:
    """Every walk ends within `max_steps`, in an object, and stop is legal before the last transition."""
    limit = env.max_steps
    is_done = env.is_terminal(walks.last)
    require(5, is_done, f"a walk is not finished after max_steps={limit} transitions", state=walks.last)
    if len(walks.before_limit):
        legal = env.mask(walks.before_limit)
        message = f"stop is not legal after max_steps - 1 = {limit - 1} transitions"
        require(5, legal[:, 0], message, state=walks.before_limit)
    try:
        texts = env.decode(walks.last)
    except Exception as error:
        raise ContractError(f"clause 5: decode fails at the end of a walk: {error!r}") from error
    is_text = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    require(
        5, is_text and len(texts) == len(is_done), "decode does not give one text for each finished state"
    )


def _first_of_equal(values: Tensor) -> Tensor:
    """Position of the first row with the same value, int64 [B]."""
    first = first_occurrences(values)
    ordered, order = values[first].sort()
    return first[order[torch.searchsorted(ordered, values)]]
