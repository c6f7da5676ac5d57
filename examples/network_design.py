"""Which small computer networks are worth their cables? Graphs that have nothing to do with chemistry.

    python examples/network_design.py

Designs are connected graphs of a few nodes: servers (type 0) and switches (type 1), with at most three cables
at each. A server is worth 1, and costs are 0.5 for a switch, 0.1 for a cable, and 0.5 more for each cable
whose break would cut the network in two. Designs are drawn in proportion to exp(worth): the best ones often,
and all that come near them, each as one object however symmetric it is.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from fluvial.core.enumeration import enumerate_states
from fluvial.core.types import Condition
from fluvial.envs.graphs.bridges import is_bridge
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.graphs.state import Graph
from fluvial.losses.residuals import trajectory_balance
from fluvial.metrics.exact import exact_log_probability, total_variation
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import LogZ
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import log_importance, score

SERVER, SWITCH = 1, 2  # as states write types 0 and 1; 0 is no node


def worth(designs: Graph) -> Tensor:
    """log R of B designs, float [B]."""
    n_servers, n_switches = ((designs.node == kind).sum(dim=1) for kind in (SERVER, SWITCH))
    n_cables = designs.count_edges(directed=False).sum(dim=1) / 2
    n_critical = is_bridge(designs, directed=False).sum(dim=(1, 2)) / 2
    return n_servers - 0.5 * n_switches - 0.1 * n_cables - 0.5 * n_critical


def main() -> None:
    """Train, compare with the exact distribution, and print the best designs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400, help="training steps (default 400)")
    parser.add_argument("--batch", type=int, default=32, help="designs a step (default 32)")
    parser.add_argument("--nodes", type=int, default=5, help="most servers and switches (default 5)")
    chosen = parser.parse_args()

    generator = torch.manual_seed(0)
    env = Graphs(node_types=2, max_nodes=chosen.nodes, max_degree=3)
    net = GraphTransformer(env.sizes, condition_width=0, width=32, layers=2, heads=4)
    policy, log_z = GraphPolicy(env, net, learn_backward=False), LogZ(0)
    rates = [{"params": policy.parameters(), "lr": 5e-3}, {"params": log_z.parameters(), "lr": 0.1}]
    optimizer = torch.optim.Adam(rates)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.steps)
    condition: Condition = Conditions().fixed(chosen.batch, 1.0)
    for step in range(chosen.steps):
        made = rollout(env, policy, condition, generator)
        target = worth(made.final_states) + made.log_symmetry
        scores = score(policy, made)
        if step == 0:
            log_z.start_from(condition, target - log_importance(scores).detach())
        residual = trajectory_balance(scores.log_pf, scores.log_pb, target, log_z(condition))
        optimizer.zero_grad()
        residual.square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()

    graph = enumerate_states(env)
    log_p = exact_log_probability(graph, lambda s: policy(s, condition[:1].repeat(len(s))).forward.log_probs)
    designs, learned = graph.states[graph.is_terminal], log_p[graph.is_terminal].exp()
    exact = worth(designs).double().softmax(dim=0)
    print(f"{len(designs)} designs, exact total variation {total_variation(learned, exact):.4f}")
    for row in exact.argsort(descending=True)[:5]:
        print(f"exact {exact[row]:.4f}  learned {learned[row]:.4f}  {env.decode(designs[row[None]])[0]}")


if __name__ == "__main__":
    main()
