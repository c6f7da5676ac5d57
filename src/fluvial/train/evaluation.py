"""What a trained policy amounts to, measured; nothing is learned, and nothing in the run changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fluvial.core.enumeration import StateGraph
from fluvial.core.policy import Policy
from fluvial.core.types import Condition
from fluvial.metrics.agreement import flow_consistency, pearson, spearman
from fluvial.metrics.exact import (
    exact_log_probability,
    group_by_text,
    jensen_shannon,
    kl,
    l1_distance,
    sampling_noise_floor,
    total_variation,
)
from fluvial.metrics.likelihood import flow_bounds, log_likelihood, log_weights
from fluvial.policy.model import Model
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import rollout
from fluvial.train.gather import Ledger, Made, as_tensors, rewarded
from fluvial.train.learner import Problem
from fluvial.train.plan import EvaluationPlan

BATCH = 256
"""Trajectories that are drawn at once; arbitrary."""


@dataclass(frozen=True)
class Subject:
    """A policy that is asked for one thing."""

    problem: Problem
    model: Model
    """Averaged weights, not in training."""
    condition: Condition
    """One row."""
    ledger: Ledger
    """Remembers what was asked of the reward."""


@dataclass(frozen=True)
class ListedObjects:
    """All objects of an enumerated environment."""

    p: Tensor
    """float64 [G], their exact probability."""
    target: Tensor
    """float64 [G], what it should be; 0 where the reward has no value."""
    reward: Tensor
    """float64 [G], R of the (tempered) target over its largest; 0 where it has no value."""
    log_z: float
    """Log of the sum of R."""


def drawn(
    subject: Subject, n: int, generator: torch.Generator, policy: Policy | None = None
) -> Iterator[Made]:
    """`n` trajectories of the policy, or of another one, with rewards, some at a time."""
    problem = subject.problem
    for start in range(0, n, BATCH):
        condition = subject.condition.repeat(min(BATCH, n - start))
        made = rollout(problem.env, policy or subject.model.policy, condition, generator)
        yield rewarded(problem, made, subject.ledger)


def log_target(subject: Subject, states: Any) -> Tensor:
    """log R of the (tempered) target of terminal states, without symmetry correction, float64 [B]."""
    problem = subject.problem
    reward, values = as_tensors(problem, subject.ledger(problem.env.decode(states)))
    return problem.target(reward, values, subject.condition.repeat(len(states))).double().cpu()


@torch.no_grad()
def listed_objects(subject: Subject, graph: StateGraph[Any]) -> ListedObjects:
    """Exact probabilities and targets of the objects of an enumerated environment."""
    policy, condition = subject.model.policy, subject.condition

    def log_probs(states: Any) -> Tensor:
        at = states.to(subject.problem.device)
        log_probs: Tensor = policy(at, condition.repeat(len(at))).forward.log_probs
        return log_probs

    final = graph.is_terminal.nonzero().squeeze(1)
    texts = subject.problem.env.decode(graph.states[final])
    names, p = group_by_text(texts, exact_log_probability(graph, log_probs)[final].exp())
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    rows = final[torch.tensor([first[name] for name in names], dtype=torch.int64)]
    log_reward = log_target(subject, graph.states[rows])
    known = torch.where(log_reward.isnan(), -torch.inf, log_reward)
    return ListedObjects(p, known.softmax(dim=0), (known - known.max()).exp(), float(known.logsumexp(dim=0)))


def exact_findings(subject: Subject, graph: StateGraph[Any], n_samples: int) -> dict[str, float]:
    """Distances of the policy's distribution to R / Z, and what sampling alone would show of them."""
    found = listed_objects(subject, graph)
    p, target = found.p, found.target
    both = (p > 0.0) & (target > 0.0)
    log_p, log_reward = p[both].log(), target[both].log()
    log_z = subject.model.log_z
    return {
        "states": float(len(graph)),
        "objects": float(len(p)),
        "total_variation": total_variation(p, target),
        "l1": l1_distance(p, target),
        "kl_policy_target": kl(p, target),
        "kl_target_policy": kl(target, p),
        "jensen_shannon": jensen_shannon(p, target),
        "noise_floor": sampling_noise_floor(target, n_samples) if n_samples else math.nan,
        "accuracy": min(1.0, float(p @ found.reward / (target @ found.reward))),
        "pearson": pearson(log_p, log_reward),
        "spearman": spearman(log_p, log_reward),
        "log_z": found.log_z,
        "log_z_learned": float(log_z(subject.condition)) if bool(log_z.is_started) else math.nan,
    }


def bound_findings(weights: Tensor) -> dict[str, float]:
    """Bounds on log Z from log weights float [N]; those without a reward are left out."""
    known = weights[~weights.isnan()]
    if len(known) < 2:
        return {"trajectories": float(len(known))}
    found = flow_bounds(known)
    return {
        "trajectories": float(len(known)),
        "elbo": found.elbo,
        "elbo_error": found.elbo_error,
        "log_z": found.log_z,
        "log_z_error": found.log_z_error,
        "eubo": found.eubo,
        "effective_sample_size": found.effective_sample_size,
    }


def likelihood_findings(
    subject: Subject, states: Any, plan: EvaluationPlan, generator: torch.Generator
) -> dict[str, float]:
    """Agreement of estimated log p with log R on different objects, terminal states [B, ...]."""
    target = log_target(subject, states)
    rows = (~target.isnan()).nonzero().squeeze(1)
    condition = subject.condition.repeat(len(rows))
    policy = subject.model.policy
    found = log_likelihood(subject.problem.env, policy, states[rows], condition, plan.n_paths, generator)
    target, log_p = target[rows], found.value.cpu()
    consistency = flow_consistency(log_p, target, generator, min(plan.subset_size, len(rows)))
    return {
        "objects": float(len(rows)),
        "paths": float(plan.n_paths),
        "fcs": consistency.value,
        "fcs_error": consistency.standard_error,
        "pearson": pearson(log_p, target),
        "spearman": spearman(log_p, target),
        "mean_log_p": _mean(log_p),
        "mean_standard_error": _mean(found.standard_error),
        "mean_effective_sample_size": _mean(found.effective_sample_size),
    }


def various_states(subject: Subject, n: int, generator: torch.Generator) -> tuple[Any, list[str]]:
    """About `n` different objects, half from the policy and half by uniform actions: states and texts.

    The latter have low rewards too, where a policy that is wrong there would not look.
    """
    env = subject.problem.env
    states, texts = [env.initial(0, subject.problem.device)], list[str]()
    for policy in (None, UniformPolicy(env)):
        for made in drawn(subject, n // 2, generator, policy):
            states.append(made.trajectories.final_states)
            texts += [item.text for item in made.objects]
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    rows = sorted(first.values())
    found = type(states[0]).cat(states)[torch.tensor(rows, dtype=torch.int64, device=states[0].device)]
    return found, [texts[row] for row in rows]


def weights_of(subject: Subject, made: Sequence[Made]) -> Tensor:
    """Log weights of drawn trajectories, float64 [N]."""
    nothing = torch.zeros(0, dtype=torch.float64)
    parts = [log_weights(subject.model.policy, part.trajectories).cpu() for part in made]
    return torch.cat([nothing, *parts])


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else math.nan
