"""What symmetry does to a sampler of molecules, on nine molecules that can be listed.

    python examples/fragments_symmetry.py

Fluorine, ethane and benzene, at most two of them, make nine molecules. The reward is 1 for each, so each
should have probability 1/9. A policy with one free parameter for every action of every state is trained by
trajectory balance, without and with the symmetry correction, and its exact distribution is printed. The
six atoms of benzene are kept as six choices in both cases, so that nothing but the correction differs.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from fluvial.chem.vocabulary import Fragment, Vocabulary
from fluvial.core.enumeration import StateGraph, enumerate_states, labelled_identity
from fluvial.core.types import Condition, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.fragments.state import Tree
from fluvial.losses.residuals import trajectory_balance
from fluvial.metrics.exact import exact_log_probability, group_by_text
from fluvial.policy.log_z import LogZ
from fluvial.policy.tabular import TabularPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import log_importance, score

VOCABULARY = Vocabulary(
    "three", (Fragment("F", (0,)), Fragment("CC", (0, 1)), Fragment("c1ccccc1", (0, 1, 2, 3, 4, 5)))
)
BATCH = 256


def train(
    env: Fragments, graph: StateGraph[Tree], steps: int, seed: int
) -> tuple[TabularPolicy[Tree], float]:
    """A trained table and its log Z."""
    generator = torch.Generator().manual_seed(seed)
    nothing = torch.zeros(BATCH, 0)
    condition = Condition(nothing, torch.ones(BATCH), nothing, nothing)
    policy, log_z = TabularPolicy(env, graph, labelled_identity), LogZ(0)
    # P_B stays uniform: a table over numbered states could learn one that depends on the numbering.
    optimizer = torch.optim.Adam([policy.forward_logits, *log_z.parameters()], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        trajectories: Trajectories[Any] = rollout(env, policy, condition, generator)
        target = trajectories.log_symmetry  # log R = 0 for each molecule
        scores = score(policy, trajectories)
        if step == 0:
            log_z.start_from(condition, target - log_importance(scores).detach())
        residual = trajectory_balance(scores.log_pf, scores.log_pb, target, log_z(condition))
        optimizer.zero_grad()
        residual.square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return policy, log_z.offset.item()


def molecule_probabilities(graph: StateGraph[Tree], policy: TabularPolicy[Tree]) -> dict[str, float]:
    """The exact probability of each molecule."""
    log_p = exact_log_probability(graph, lambda states: policy(states).forward.log_probs)
    texts = policy.env.decode(graph.states[graph.is_terminal])
    molecules, p = group_by_text(texts, log_p[graph.is_terminal].exp())
    return dict(zip(molecules, p.tolist(), strict=True))


def main() -> None:
    """Train both ways and print the two distributions side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="training steps (default 300)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    found = []
    for name, is_on in (("without the correction", False), ("with it", True)):
        env = Fragments(VOCABULARY, max_fragments=2, merge_symmetric=False, correct_symmetry=is_on)
        graph = enumerate_states(env, identity=labelled_identity)
        policy, log_z = train(env, graph, chosen.steps, chosen.seed)
        found.append(molecule_probabilities(graph, policy))
        print(f"{name}: Z = {torch.tensor(log_z).exp().item():.2f}")
    print(f"\n{'molecule':22}{'without':>10}{'with':>10}{'target':>10}")
    for molecule, p in sorted(found[0].items(), key=lambda item: -item[1]):
        print(f"{molecule:22}{p:10.4f}{found[1][molecule]:10.4f}{1 / len(found[0]):10.4f}")


if __name__ == "__main__":
    main()
