"""Train trajectory balance on a grid and compare it with the exact distribution.

    python examples/hypergrid_exact.py --steps 1000

prints the total variation between the policy's distribution and R / Z. Nothing is estimated from samples:
the grid is small enough to know both distributions exactly.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from fluvial.core.enumeration import StateGraph, enumerate_states
from fluvial.core.types import Condition, Trajectories
from fluvial.envs.hypergrid import Grid, Hypergrid, corners_reward
from fluvial.losses.residuals import trajectory_balance
from fluvial.metrics.exact import exact_log_probability, total_variation
from fluvial.policy.log_z import LogZ
from fluvial.policy.vector import VectorPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import log_importance, score


def no_condition(n: int) -> Condition:
    """The same fixed target, R to the power 1, for `n` trajectories."""
    return Condition(torch.zeros(n, 0), torch.ones(n))


def exact_error(env: Hypergrid, graph: StateGraph[Grid], policy: VectorPolicy) -> float:
    """Total variation between the distribution of the policy's objects and R / Z, 0 to 1."""

    def log_probs(states: Grid) -> torch.Tensor:
        return policy(states, no_condition(len(states))).forward.log_probs  # type: ignore[no-any-return]

    final = graph.is_terminal
    reward = corners_reward(graph.states.coordinate[final], env.side).double()
    sampled = exact_log_probability(graph, log_probs)[final].exp()
    return total_variation(sampled, reward / reward.sum())


def main() -> None:
    """Train, and print log Z and the exact error now and then."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="training steps (default 1000)")
    parser.add_argument("--batch", type=int, default=16, help="trajectories a step (default 16)")
    parser.add_argument("--side", type=int, default=8, help="points along each axis (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()

    torch.manual_seed(chosen.seed)
    generator = torch.Generator().manual_seed(chosen.seed)
    env = Hypergrid(dimension=2, side=chosen.side)
    graph = enumerate_states(env)
    policy = VectorPolicy(env, condition_width=0, width=256, layers=2, learn_backward=False)
    log_z = LogZ(condition_width=0)
    optimizer = torch.optim.Adam(
        [{"params": policy.parameters(), "lr": 1e-3}, {"params": log_z.parameters(), "lr": 0.1}]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.steps, eta_min=1e-5)
    every_point = torch.cartesian_prod(*[torch.arange(chosen.side)] * 2)
    true_log_z = float(corners_reward(every_point, chosen.side).sum().log())
    print(f"{int(graph.is_terminal.sum())} objects, exact log Z = {true_log_z:.4f}")

    condition = no_condition(chosen.batch)
    for step in range(chosen.steps):
        trajectories: Trajectories[Any] = rollout(env, policy, condition, generator)
        reward = corners_reward(trajectories.final_states.coordinate, chosen.side)
        target = reward.log() + trajectories.log_symmetry
        scores = score(policy, trajectories)
        if step == 0:
            log_z.start_from(condition, target - log_importance(scores).detach())
        residual = trajectory_balance(scores.log_pf, scores.log_pb, target, log_z(condition))
        optimizer.zero_grad()
        residual.square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % max(1, chosen.steps // 5) == 0:
            error = exact_error(env, graph, policy)
            print(f"step {step + 1:5}  log Z {log_z.offset.item():.4f}  exact total variation {error:.5f}")


if __name__ == "__main__":
    main()
