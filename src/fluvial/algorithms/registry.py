"""All learning rules and backward policies by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm
from fluvial.algorithms.backward import (
    BackwardRule,
    PathReward,
    gsql,
    gsql_exact,
    likelihood,
    maxent,
    maxent_exact,
    nothing,
    of_policy,
    reinforce,
    shortness,
)
from fluvial.algorithms.balance import (
    Balance,
    LogZSource,
    RelativeBalance,
    View,
    seeing_partial_rewards,
    with_flow_of_stopping,
)
from fluvial.algorithms.envelope import EnvelopeQ
from fluvial.algorithms.flow_matching import FlowMatching
from fluvial.algorithms.returns import ActorCritic, Reinforce
from fluvial.algorithms.soft_q import MunchausenDQN, SoftQ
from fluvial.algorithms.transitions import TransitionBalance
from fluvial.core.environment import Environment
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Origin
from fluvial.losses.objectives import LOG_Z_ESTIMATES, OBJECTIVES, subtb_of_squares
from fluvial.losses.regression import Regression, square


@dataclass(frozen=True)
class Ingredients:
    """What learning rules are made of; each takes what it needs."""

    env: Environment[Any]
    log_n: Callable[[Any], Tensor] | None = None
    """States to log n, for the exact backward policies."""
    regression: Regression = square
    log_z: LogZSource = field(default_factory=LogZSource)
    is_forward_looking: bool = False
    prior: Policy | None = None
    """Of relative trajectory balance."""
    other_preferences: Callable[[Condition, int, torch.Generator], Condition] | None = None
    """Of envelope Q-learning."""
    path_reward: PathReward = shortness
    """Of the backward policy that learns by REINFORCE."""


def _of_balance(
    name: str, given: Ingredients, backward: BackwardRule, view: View | None = None, **options: Any
) -> Balance:
    if given.is_forward_looking:
        view = seeing_partial_rewards
    return Balance(
        partial(OBJECTIVES[name], **options) if options else OBJECTIVES[name],
        LOG_Z_ESTIMATES[name],
        given.regression,
        backward,
        view,
        given.log_z,
    )


def _subtb(given: Ingredients, backward: BackwardRule, decay: float = 0.9) -> Balance:
    balance = _of_balance("subtb", given, backward, decay=decay)
    if decay < 1.0 or given.regression is not square:
        return balance
    return Balance(subtb_of_squares, balance.estimate, square, backward, balance.view, given.log_z)


def _mdb(given: Ingredients, backward: BackwardRule) -> Balance:
    if given.is_forward_looking:
        raise ValueError("'mdb' knows the flow of every object on the way; it cannot look forward too")
    return _of_balance("db", given, backward, with_flow_of_stopping)


def _rtb(given: Ingredients, backward: BackwardRule) -> RelativeBalance:
    _reads_none(backward, "rtb")
    return RelativeBalance(_needed(given.prior, "prior"), _of_balance("tb", given, backward))


def _transition_db(given: Ingredients, backward: BackwardRule, transitions: int = 256) -> TransitionBalance:
    _reads_none(backward, "transition_db")
    return TransitionBalance(transitions, given.regression)


def _fm(
    given: Ingredients,
    backward: BackwardRule,
    balanced: bool = False,
    leaf_weight: float = 10.0,
    smoothing: float | None = None,
) -> FlowMatching:
    _reads_none(backward, "fm")
    return FlowMatching(given.env, leaf_weight if balanced else None, smoothing, given.regression)


def _a2c(given: Ingredients, backward: BackwardRule, entropy_weight: float = 0.01) -> ActorCritic:
    _reads_none(backward, "a2c")
    return ActorCritic(entropy_weight)


def _reinforce(given: Ingredients, backward: BackwardRule, entropy_weight: float = 0.0) -> Reinforce:
    _reads_none(backward, "reinforce")
    return Reinforce(entropy_weight)


def _soft_q(given: Ingredients, backward: BackwardRule) -> SoftQ:
    return SoftQ(backward, given.regression)


def _munchausen(
    given: Ingredients,
    backward: BackwardRule,
    munchausen: float = 0.15,
    floor: float = -100.0,
    target_decay: float = 0.95,
) -> MunchausenDQN:
    return MunchausenDQN(munchausen, floor, target_decay, backward, given.regression)


def _envelope_q(
    given: Ingredients, backward: BackwardRule, n_preferences: int = 32, decay: float = 10_000.0
) -> EnvelopeQ:
    tried = _needed(given.other_preferences, "other_preferences")
    return EnvelopeQ(given.env, tried, n_preferences, decay)


ALGORITHMS: dict[str, Callable[..., Algorithm]] = {
    "tb": partial(_of_balance, "tb"),
    "vargrad": partial(_of_balance, "vargrad"),
    "db": partial(_of_balance, "db"),
    "subtb": _subtb,
    "transition_db": _transition_db,
    "mdb": _mdb,
    "fm": _fm,
    "rtb": _rtb,
    "a2c": _a2c,
    "reinforce": _reinforce,
    "soft_q": _soft_q,
    "munchausen": _munchausen,
    "envelope_q": _envelope_q,
}
"""`make(ingredients, backward_rule, **options)`; options are those of the configuration."""

PROPORTIONAL = ("tb", "vargrad", "db", "subtb", "transition_db", "mdb", "fm", "soft_q", "munchausen")
"""Algorithms that end at R / Z; `rtb` ends at prior R / Z, the others at high rewards."""


def _maxent(given: Ingredients, n_loss: str = "transition", weight: float = 1.0) -> BackwardRule:
    return maxent(n_loss, given.regression, weight)


def _gsql(given: Ingredients, n_loss: str = "transition", weight: float = 1.0) -> BackwardRule:
    return gsql(n_loss, given.regression, weight)


def _maxent_exact(given: Ingredients) -> BackwardRule:
    return maxent_exact(_needed(given.log_n, "log_n"))


def _gsql_exact(given: Ingredients) -> BackwardRule:
    return gsql_exact(_needed(given.log_n, "log_n"))


def _tlm(given: Ingredients, weight: float = 1.0) -> BackwardRule:
    return likelihood(weight, frozenset({Origin.POLICY}))


def _pessimistic(given: Ingredients, weight: float = 1.0) -> BackwardRule:
    return likelihood(weight, frozenset({Origin.POLICY, Origin.REPLAY}))


def _reinforce_back(given: Ingredients, weight: float = 1.0, entropy_weight: float = 0.0) -> BackwardRule:
    return reinforce(given.env, given.path_reward, weight, entropy_weight)


BACKWARD_RULES: dict[str, Callable[..., BackwardRule]] = {
    "uniform": lambda given: of_policy,
    "learned": lambda given: of_policy,
    "maxent": _maxent,
    "maxent_exact": _maxent_exact,
    "gsql": _gsql,
    "gsql_exact": _gsql_exact,
    "tlm": _tlm,
    "pessimistic": _pessimistic,
    "reinforce": _reinforce_back,
    "none": lambda given: nothing,
}
"""`make(ingredients, **options)`; options are those of the configuration."""

LEARNED_BACKWARD = ("learned", "maxent", "gsql", "tlm", "pessimistic", "reinforce")
"""Backward policies that need outputs of the network for P_B."""
COUNTED_BACKWARD = ("maxent", "gsql")
"""Those that also need an output for log n."""


def _reads_none(backward: BackwardRule, objective: str) -> None:
    if backward not in (of_policy, nothing):
        raise ValueError(f"'{objective}' does not ask the backward rule it was given; leave it at 'uniform'")


def _needed(ingredient: Any, name: str) -> Any:
    if ingredient is None:
        raise ValueError(f"this learning rule needs Ingredients({name}=...)")
    return ingredient
