"""Local search: take the end of a construction back, build another end, and decide which object to keep.

Kim et al. 2024, "Local search GFlowNets", arXiv:2310.02710.

Why `metropolis` needs the target R e^log_symmetry. The chain moves over objects up to renumbering, and
its edges are actions up to the symmetry of the state: |Aut s| / g forward actions s -> s' make one edge,
and |Aut s'| / g backward ones, where g symmetries keep the transition. So for edges, which the rule of
Metropolis and Hastings is about,

    P_F(edge) / P_B(edge) = |Aut s| / |Aut s'| · P_F(a) / P_B(b)

From the state s where old and new path part, the factors multiply to |Aut s| / |Aut x| along the old end
and to |Aut s| / |Aut x'| along the new one. Hence the ratio R(x') q(x' -> x) / (R(x) q(x -> x')) is that
of the actions with R |Aut| in the place of R. Where equivalent points are merged, or listed several
times, |Aut| becomes e^log_symmetry (`docs/explain/symmetry.md`). Symmetric actions must be equally
likely, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.errors import ConfigError
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.sample.rollout import (
    Behaviour,
    as_policy,
    backward_distribution,
    backward_rollout,
    rollout,
    spliced,
)

Acceptance = Callable[[Tensor, Tensor, Tensor, Tensor, torch.Generator], Tensor]
"""Takes old and new target (log R + log_symmetry, nan where the reward is not known), log ratio and whether
the move is reversible, each [B], and a generator; returns whether the new object is kept, bool [B]."""


@dataclass(frozen=True)
class Proposal(Generic[S]):
    """B objects and what was made of them."""

    old: Trajectories[S]
    """Drawn backward from the given objects."""
    new: Trajectories[S]
    """The beginning of the old ones, then another end; log reward nan."""
    log_ratio: Tensor
    """float [B], log q(new -> old) - log q(old -> new), given where they meet."""
    is_reversible: Tensor
    """bool [B], whether the same move from the new object can lead back to the old one."""


@torch.no_grad()
def propose(  # noqa: PLR0913 - those of a rollout, and two more
    env: Environment[S],
    policy: Policy,
    final_states: S,
    condition: Condition,
    n_back: int,
    generator: torch.Generator,
    behaviour: Behaviour = as_policy,
    born: int = 0,
) -> Proposal[S]:
    """New objects near the given ones: `n_back` transitions taken back, then forward to the stop.

    Args:
        env: the environment.
        policy: acts, by `behaviour`, and takes back by its P_B.
        final_states: terminal states [B, ...].
        condition: of B rows.
        n_back: transitions to undo besides the stop, at least 1; a shorter path is undone to its start.
        generator: of all draws.
        behaviour: how to act forward, given the policy's distribution.
        born: training step, for the record.

    Raises:
        ConfigError: `n_back` is less than 1.
    """
    if n_back < 1:
        raise ConfigError(f"local search takes back n_back = {n_back} transitions; it must be at least 1")
    old = backward_rollout(env, policy, final_states, condition, generator)
    n_head = (old.n_steps - 1 - n_back).clamp_min(0)
    meeting = old.states[n_head, torch.arange(len(n_head), device=n_head.device)]
    tail = rollout(env, policy, condition, generator, behaviour, born, start=meeting)
    new = spliced(old, n_head, tail).replace(origin=torch.full_like(tail.origin, Origin.LOCAL_SEARCH))
    forward = _log_pf(policy, behaviour, old, n_head) - tail.log_behaviour.sum(dim=0)
    backward = _log_pb(env, policy, new, n_head) - _log_pb(env, policy, old, n_head)
    n_forward = tail.n_steps - 1
    is_reversible = (n_forward == n_back) | ((n_head == 0) & (n_forward < n_back))
    return Proposal(old, new, forward + backward, is_reversible)


def _log_pf(policy: Policy, behaviour: Behaviour, trajectories: Trajectories[S], n_head: Tensor) -> Tensor:
    """Log probability of the actions after the first `n_head`, as the behaviour has it, float [B]."""
    live = _places(trajectories.mask, n_head)
    if len(live) == 0:  # no objects at all; a network needs a row
        return torch.zeros(len(n_head), device=n_head.device)
    states = trajectories.states[:-1].flatten()[live]
    acting = behaviour(policy(states, trajectories.condition[live % len(n_head)]).forward)
    return _summed(acting.log_prob(trajectories.actions.flatten()[live]), live, trajectories.mask)


def _log_pb(env: Environment[S], policy: Policy, trajectories: Trajectories[S], n_head: Tensor) -> Tensor:
    """Log probability of taking back all but the first `n_head` transitions, float [B].

    The stop has one way back, so the states before it tell all.
    """
    is_before_stop = torch.zeros_like(trajectories.mask)
    is_before_stop[:-1] = trajectories.mask[1:]
    arrived = _places(is_before_stop, n_head)
    states = trajectories.states[1:].flatten()[arrived]
    undoing = backward_distribution(env, policy, states, trajectories.condition[arrived % len(n_head)])
    return _summed(undoing.log_prob(trajectories.back_actions.flatten()[arrived]), arrived, trajectories.mask)


def _places(mask: Tensor, n_head: Tensor) -> Tensor:
    """Places t * B + b of the masked transitions that are not in the head, int64."""
    times = torch.arange(len(mask), device=mask.device)[:, None]
    return (mask & (times >= n_head)).flatten().nonzero().squeeze(1)


def _summed(values: Tensor, places: Tensor, mask: Tensor) -> Tensor:
    """Sum over time of `values` at `places`, float [B]."""
    return values.new_zeros(mask.numel()).index_copy(0, places, values).reshape(mask.shape).sum(dim=0)


def _if_not_worse(
    old_target: Tensor,
    new_target: Tensor,
    log_ratio: Tensor,
    is_reversible: Tensor,
    generator: torch.Generator,
) -> Tensor:
    return new_target >= old_target.nan_to_num(nan=-torch.inf)


def _metropolis(
    old_target: Tensor,
    new_target: Tensor,
    log_ratio: Tensor,
    is_reversible: Tensor,
    generator: torch.Generator,
) -> Tensor:
    level = torch.rand(
        len(log_ratio), generator=generator, dtype=torch.float64, device=log_ratio.device
    ).log()
    gain = new_target - old_target.nan_to_num(nan=-torch.inf)
    return is_reversible & (level < gain + log_ratio)


def _always(
    old_target: Tensor,
    new_target: Tensor,
    log_ratio: Tensor,
    is_reversible: Tensor,
    generator: torch.Generator,
) -> Tensor:
    return ~new_target.isnan()


ACCEPTANCE: dict[str, Acceptance] = {
    "deterministic": _if_not_worse,
    "metropolis": _metropolis,
    "always": _always,
}
"""Name to rule; none keeps an object without a reward. `deterministic` keeps what is not worse, and climbs;
`always` keeps all; `metropolis` leaves the target distribution as it is. It keeps nothing that the same move
cannot undo, so an object with a path longer than `n_back` changes only into those with equally long paths."""
