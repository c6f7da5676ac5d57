"""What it saves to evaluate a word once for all its prefixes instead of once for each."""

from __future__ import annotations

from typing import Any

import torch

from fluvial.bench.timing import cost_of, median_cost
from fluvial.core.types import Condition, Trajectories
from fluvial.envs.sequences.environment import Sequences
from fluvial.losses.residuals import trajectory_balance
from fluvial.nets.sequence_transformer import SequenceTransformer
from fluvial.policy.log_z import LogZ
from fluvial.policy.sequence import SequencePolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import score


def run(  # noqa: PLR0913 - the options of a command
    length: int = 60,
    batch: int = 64,
    alphabet: str = "ACGT",
    width: int = 64,
    layers: int = 3,
    heads: int = 4,
    positions: str = "rotary",
    repeats: int = 5,
    threads: int = 1,
) -> dict[str, Any]:
    """Seconds of trajectory balance with its gradients, by one evaluation of each word and state by state.

    The same network, weights and words of `length` symbols, in the same process, in turns; `times_faster` is
    what the one evaluation saves, and the two losses and gradients are compared.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    env = Sequences(alphabet, length, length)
    net = SequenceTransformer(env.n_symbols, 0, width, layers, heads, positions=positions)
    policy, log_z = SequencePolicy(env, net, learn_backward=False), LogZ(0)
    condition = Conditions().fixed(batch, 1.0)
    words = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0))
    ways = {"single_pass": policy, "stepwise": StateByState(policy)}
    losses: dict[str, float] = {}
    gradients: dict[str, torch.Tensor] = {}

    def learn(name: str) -> None:
        policy.zero_grad(set_to_none=True)
        loss = loss_of(ways[name], log_z, words, condition)
        loss.backward()  # type: ignore[no-untyped-call]
        losses[name] = loss.item()
        gradients[name] = torch.cat([p.grad.flatten() for p in policy.parameters() if p.grad is not None])

    costs: dict[str, list[Any]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name in ways:
            cost = cost_of(lambda name=name: learn(name))  # type: ignore[misc]
            if turn:
                costs[name].append(cost)
    seconds = {name: median_cost(costs[name]).cpu_seconds for name in ways}
    one, other = gradients.values()
    return {
        "benchmark": "sequences",
        "length": length,
        "batch": batch,
        "width": width,
        "layers": layers,
        "threads": torch.get_num_threads(),
        "parameters": sum(parameter.numel() for parameter in policy.parameters()),
        **{f"{name}_cpu_seconds": value for name, value in seconds.items()},
        "times_faster": seconds["stepwise"] / seconds["single_pass"],
        "loss": losses["single_pass"],
        "loss_difference": abs(losses["single_pass"] - losses["stepwise"]),
        "relative_gradient_difference": float((one - other).norm() / other.norm()),
    }


class StateByState:
    """A policy without its short cut for whole trajectories.

    Args:
        policy: what answers for each state.
    """

    def __init__(self, policy: SequencePolicy) -> None:
        self.policy, self.learns_backward = policy, policy.learns_backward

    def __call__(self, states: Any, condition: Condition) -> Any:
        """Distributions and flow at B states."""
        return self.policy(states, condition)


def loss_of(policy: Any, log_z: LogZ, words: Trajectories[Any], condition: Condition) -> torch.Tensor:
    """The mean squared residual of trajectory balance for a reward of 1."""
    scores = score(policy, words)
    residual = trajectory_balance(scores.log_pf, scores.log_pb, words.log_symmetry, log_z(condition))
    return residual.square().mean()
