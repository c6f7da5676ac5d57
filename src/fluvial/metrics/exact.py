"""Exact distributions, flows and distances on enumerated environments.

Notation: W(x) = Σ over action sequences to x of Π P_B(b_t | s_{t+1}); Z Π P_F = R(x) Π P_B for every sequence
gives p(x) = R(x) W(x) / Z, so W(x) is 1 / |Aut(x)| where the backward actions are the inverses of the forward
ones. All results are float64 and carry no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY
from fluvial.core.enumeration import StateGraph
from fluvial.core.environment import Environment, S

ROWS_AT_ONCE = 8192  # bounds memory: states that a policy sees in one call


@dataclass(frozen=True)
class ExactFlows:
    """The one flow with the given rewards and backward policy."""

    log_flow: Tensor
    """float64 [S], log F(s); log R at terminal states, -inf where no reward is in reach."""
    log_pf: Tensor
    """float64 [E], log P_F of each transition of the graph; -inf out of states without flow."""
    log_z: float
    """log F of the initial state."""


@torch.no_grad()
def edge_log_pf(graph: StateGraph[S], log_probs: Tensor | Callable[[S], Tensor]) -> Tensor:
    """log P_F of each transition, float64 [E].

    Args:
        graph: the enumerated environment.
        log_probs: float [S, A] (rows of terminal states are not read), or [E], or a function from
            non-terminal states to float [B, A].
    """
    if isinstance(log_probs, Tensor):
        return log_probs.double() if log_probs.dim() == 1 else log_probs[graph.source, graph.action].double()
    result = torch.empty(graph.n_edges, dtype=torch.float64, device=graph.source.device)
    for rows in torch.unique_consecutive(graph.source).split(ROWS_AT_ONCE):
        # Transitions are sorted by source, so those of consecutive sources are one slice.
        edges = slice(*torch.searchsorted(graph.source, torch.stack([rows[0], rows[-1] + 1])).tolist())
        table = log_probs(graph.states[rows])
        place = torch.searchsorted(rows, graph.source[edges])
        result[edges] = table[place, graph.action[edges]].to(result)
    return result


@torch.no_grad()
def edge_log_pb(env: Environment[S], graph: StateGraph[S], log_probs: Callable[[S], Tensor]) -> Tensor:
    """log P_B of each transition, float64 [E], the policy seeing the very states that the steps make.

    Right also where the representative of a state in the graph is labelled otherwise.

    Args:
        env: the environment.
        graph: its enumeration.
        log_probs: a function from non-initial states to float [B, A'].
    """
    result = torch.empty(graph.n_edges, dtype=torch.float64, device=graph.source.device)
    for start in range(0, graph.n_edges, ROWS_AT_ONCE):
        edges = slice(start, start + ROWS_AT_ONCE)
        after = env.step(graph.states[graph.source[edges]], graph.action[edges])
        result[edges] = log_probs(after).gather(1, graph.back_action[edges, None])[:, 0].to(result)
    return result


@torch.no_grad()
def uniform_log_pb(env: Environment[S], graph: StateGraph[S]) -> Tensor:
    """log P_B of each transition when all legal backward actions are equally likely, float64 [E]."""
    n_legal = env.back_mask(graph.states).sum(dim=1).double()
    return -n_legal[graph.target].log()


@torch.no_grad()
def exact_log_probability(graph: StateGraph[S], log_pf: Tensor | Callable[[S], Tensor]) -> Tensor:
    """Log probability that a trajectory passes each state, float64 [S]; -inf where it cannot.

    Over terminal states the probabilities sum to 1.

    Args:
        graph: the enumerated environment.
        log_pf: as for `edge_log_pf`.
    """
    return _forward_sum(graph, edge_log_pf(graph, log_pf))


@torch.no_grad()
def backward_weights(graph: StateGraph[S], log_pb: Tensor) -> Tensor:
    """W of each state, float64 [S]: the sum over action sequences of the product of P_B.

    Args:
        graph: the enumerated environment.
        log_pb: as for `exact_flows`.
    """
    return _forward_sum(graph, _edge_back(graph, log_pb)).exp()


@torch.no_grad()
def exact_flows(graph: StateGraph[S], log_reward: Tensor, log_pb: Tensor) -> ExactFlows:
    """The flows, forward policy and log Z that rewards and a backward policy determine.

    F(x) = R(x) at terminal states, F(s) = Σ F(s') P_B(b | s') over transitions, P_F = F(s') P_B / F(s).

    Args:
        graph: the enumerated environment.
        log_reward: float [S], symmetry correction included where wanted; read at terminal states only.
        log_pb: float [E] (from `edge_log_pb`), or a table [S, A'] over representatives, which is right
            when the graph was enumerated by `labelled_identity` or an environment without relabelling.
    """
    log_pb = _edge_back(graph, log_pb)
    log_flow = torch.where(graph.is_terminal, log_reward.double(), NEGATIVE_INFINITY)
    for edges in reversed(list(_edges_by_level(graph.level[graph.source]))):
        terms = log_flow[graph.target[edges]] + log_pb[edges]
        _log_add(log_flow, graph.source[edges], terms)
    numerator = log_flow[graph.target] + log_pb
    log_pf = torch.where(numerator.isneginf(), NEGATIVE_INFINITY, numerator - log_flow[graph.source])
    return ExactFlows(log_flow, log_pf, float(log_flow[0]))


def _edge_back(graph: StateGraph[S], log_pb: Tensor) -> Tensor:
    return log_pb.double() if log_pb.dim() == 1 else log_pb[graph.target, graph.back_action].double()


def _forward_sum(graph: StateGraph[S], log_weight: Tensor) -> Tensor:
    """Log of the sum over paths from the initial state of the product of weights [E], float64 [S]."""
    total = torch.full((len(graph),), NEGATIVE_INFINITY, dtype=torch.float64, device=log_weight.device)
    total[0] = 0.0
    for edges in _edges_by_level(graph.level[graph.target]):
        _log_add(total, graph.target[edges], total[graph.source[edges]] + log_weight[edges])
    return total


def _edges_by_level(level: Tensor) -> Iterator[Tensor]:
    """Transitions of each level in turn, int64; `level` int64 [E]."""
    order = level.argsort(stable=True)
    sizes = torch.unique_consecutive(level[order], return_counts=True)[1]
    yield from torch.split(order, sizes.tolist())


def _log_add(total: Tensor, rows: Tensor, terms: Tensor) -> None:
    """total[rows] = log(Σ exp(terms)) per row, in place; the old values of these rows count for nothing."""
    largest = torch.full_like(total, NEGATIVE_INFINITY).scatter_reduce(0, rows, terms, "amax")
    shift = torch.where(largest.isneginf(), 0.0, largest)
    sums = torch.zeros_like(total).index_add(0, rows, (terms - shift[rows]).exp())
    total[rows] = (sums.log() + shift)[rows]


def group_by_text(texts: Sequence[str], p: Tensor) -> tuple[list[str], Tensor]:
    """The distinct texts in order of appearance, and the sum of `p` float [S] over each, float [G].

    Turns a distribution over terminal states into one over objects.
    """
    number: dict[str, int] = {}
    group = torch.tensor([number.setdefault(text, len(number)) for text in texts], dtype=torch.int64)
    return list(number), p.new_zeros(len(number)).index_add(0, group.to(p.device), p)


def total_variation(p: Tensor, q: Tensor) -> float:
    """½ Σ |p - q| of two distributions float [S], in [0, 1]."""
    return 0.5 * float((p.double() - q.double()).abs().sum())


def l1_distance(p: Tensor, q: Tensor) -> float:
    """Σ |p - q| of two distributions float [S], in [0, 2]: twice the total variation.

    Some papers divide it by the number of objects.
    """
    return 2.0 * total_variation(p, q)


def kl(p: Tensor, q: Tensor) -> float:
    """Kullback-Leibler divergence Σ p log(p / q) in nats; inf where q is 0 and p is not."""
    p, q = p.double(), q.double()
    # xlogy takes 0 log 0 as 0; the difference of two infinite logs never arises where p > 0.
    inside = p > 0
    return float((torch.xlogy(p, p) - torch.xlogy(p, q))[inside].sum())


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """Jensen-Shannon divergence in nats, in [0, log 2]."""
    middle = 0.5 * (p.double() + q.double())
    return 0.5 * (kl(p, middle) + kl(q, middle))


def sampling_noise_floor(q: Tensor, n: int) -> float:
    """Expected total variation between `q` float [S] and the frequencies in `n` draws from it.

    ½ Σ √(2 q (1 - q) / (π n)), by the normal approximation: a measured value near it may as well be 0.
    """
    q = q.double()
    return 0.5 * float((2.0 * q * (1.0 - q) / (math.pi * n)).sqrt().sum())
