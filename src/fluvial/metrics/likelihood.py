"""Log probabilities of given objects, and bounds on log Z, from sampled trajectories, with their errors.

A right policy has Z P_F(τ) = R(x) e^log_symmetry(x) P_B(τ | x) for every trajectory τ to a terminal state x.
Whether it is right or not,

    p(x) = e^-log_symmetry(x) E[P_F(τ) / P_B(τ | x)],  τ ~ P_B(. | x),
    Z    = E[R(x) e^log_symmetry(x) P_B(τ | x) / P_F(τ)],  τ ~ P_F,

so means of such weights estimate both. Symmetric actions must be equally likely, as everywhere
(`docs/explain/symmetry.md`). All results are float64 and carry no gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Trajectories
from fluvial.sample.rollout import backward_rollout
from fluvial.sample.score import log_importance, score

ROWS_AT_ONCE = 1024  # bounds memory: trajectories that are scored in one call


@dataclass(frozen=True)
class Estimate:
    """Logarithms of means of positive weights, estimated from K draws each."""

    value: Tensor
    """float64 [B]. Too low by about half the squared standard error, for the logarithm is concave."""
    standard_error: Tensor
    """float64 [B], of the value, by the delta method; nan for K = 1. The truth is within two of them in about
    95 % of cases, where K is at least 30 and the effective sample size at least half of K (measured)."""
    effective_sample_size: Tensor
    """float64 [B], (Σ w)² / Σ w², from 1 to K: draws of equal weight that would be as good."""


@dataclass(frozen=True)
class FlowBounds:
    """What trajectories of a policy say of log Z; elbo <= log Z <= eubo in expectation."""

    elbo: float
    """Mean of log weight; equal to log Z exactly when the policy is right."""
    elbo_error: float
    """Its standard error."""
    log_z: float
    """Logarithm of the mean weight; what the policy never makes is missing in it."""
    log_z_error: float
    eubo: float
    """Mean of log weight over the target; by weighing the policy's own trajectories, so only as good as the
    effective sample size."""
    effective_sample_size: float
    """From 1 to the number of trajectories."""


def log_mean(log_weights: Tensor) -> Estimate:
    """The logarithm of the mean weight of each column, with its error.

    Args:
        log_weights: float [K, B], K >= 1.
    """
    weights = log_weights.double()
    n = len(weights)
    total = weights.logsumexp(dim=0)
    effective = (2.0 * total - (2.0 * weights).logsumexp(dim=0)).exp()
    # mean(w²) / mean(w)² is K / ESS, so this is the variance of the mean over the square of the mean.
    error = (
        ((n / effective - 1.0).clamp_min(0.0) / (n - 1)).sqrt() if n > 1 else torch.full_like(total, math.nan)
    )
    return Estimate(total - math.log(n), error, effective)


@torch.no_grad()
def log_likelihood(
    env: Environment[S],
    policy: Policy,
    final_states: S,
    condition: Condition,
    n_paths: int,
    generator: torch.Generator,
) -> Estimate:
    """log p of each terminal state, from `n_paths` ways back that the backward policy draws.

    An object that several inequivalent states make is at least as probable as each of them.

    Args:
        env: the environment.
        policy: whose probabilities are asked for; its P_B draws the ways back.
        final_states: terminal states [B, ...].
        condition: of B rows.
        n_paths: K, at least 2 for an error, 30 for a good one.
        generator: of all draws.
    """
    n_rows = len(final_states)
    rows = torch.arange(n_rows, device=final_states.device).repeat(n_paths)
    parts: list[Tensor] = []
    for part in torch.split(rows, ROWS_AT_ONCE):
        ways: Trajectories[Any] = backward_rollout(
            env, policy, final_states[part], condition[part], generator
        )
        parts.append(log_importance(score(policy, ways)))
    estimate = log_mean(torch.cat(parts).reshape(n_paths, n_rows))
    symmetry = env.log_symmetry(final_states).to(estimate.value)
    return Estimate(estimate.value - symmetry, estimate.standard_error, estimate.effective_sample_size)


@torch.no_grad()
def log_weights(policy: Policy, trajectories: Trajectories[Any]) -> Tensor:
    """log of R e^log_symmetry P_B / P_F of each trajectory, float64 [B]; nan where the reward is not known.

    Drawn from P_F their mean is the ELBO; drawn from the target by P_B it is the EUBO.
    """
    target = trajectories.log_reward.double() + trajectories.log_symmetry.double()
    parts = [
        log_importance(score(policy, trajectories.select(rows)))
        for rows in torch.split(torch.arange(len(target), device=target.device), ROWS_AT_ONCE)
    ]
    return target - torch.cat(parts).double()


def flow_bounds(weights: Tensor) -> FlowBounds:
    """Bounds on log Z from the log weights float [N >= 2] of trajectories that the policy made."""
    weights = weights.double()
    mean = log_mean(weights[:, None])
    shares = weights.softmax(dim=0)
    return FlowBounds(
        elbo=float(weights.mean()),
        elbo_error=float(weights.std() / math.sqrt(len(weights))),
        log_z=float(mean.value),
        log_z_error=float(mean.standard_error),
        eubo=float((shares * weights).sum()),
        effective_sample_size=float(mean.effective_sample_size),
    )
