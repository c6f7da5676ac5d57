"""Numbers of states and of ways, against published counts, brute force and counts by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from fluvial.core.enumeration import StateGraph, enumerate_states
from fluvial.envs.atoms.environment import Atoms
from fluvial.envs.graphs import canonical
from fluvial.envs.graphs.state import Graph
from fluvial.metrics.exact import backward_weights, uniform_log_pb

NEUTRAL: dict[str, Any] = {"elements": ("C", "N"), "max_atoms": 4}
CHARGED: dict[str, Any] = {"elements": ("C", "N"), "max_atoms": 3, "charges": (0, 1)}
NITRO: dict[str, Any] = {"elements": ("C", "N", "O"), "max_atoms": 3, "charges": (0, 1, -1)}
RINGS: dict[str, Any] = {"elements": ("C",), "max_atoms": 5, "max_ring_size": 4, "bond_orders": (1,)}


@cache
def enumerated(rules: tuple[tuple[str, Any], ...]) -> tuple[Atoms, StateGraph[Graph]]:
    env = Atoms(**dict(rules))
    return env, enumerate_states(env)


def listed(rules: dict[str, Any]) -> tuple[Atoms, StateGraph[Graph]]:
    return enumerated(tuple(rules.items()))


@pytest.mark.parametrize(("rules", "n_states"), [(NEUTRAL, 270), (CHARGED, 287)], ids=str)
def test_states_are_as_many_as_others_counted(rules: dict[str, Any], n_states: int) -> None:
    """The empty molecule among them; each other one can be finished."""
    _, graph = listed(rules)
    assert int((~graph.is_terminal).sum()) == n_states
    assert int(graph.is_terminal.sum()) == n_states - 1


@pytest.mark.parametrize("rules", [NEUTRAL, CHARGED], ids=str)
def test_each_state_has_weight_one_over_its_automorphisms(rules: dict[str, Any]) -> None:
    env, graph = listed(rules)
    weights = backward_weights(graph, uniform_log_pb(env, graph))
    in_making, done = graph.states[~graph.is_terminal], graph.states[graph.is_terminal]
    own = weights[~graph.is_terminal] * canonical.log_automorphisms(in_making).exp()
    finished = weights[graph.is_terminal] * env.log_symmetry(done).exp()
    assert float((own - 1.0).abs().max()) < 1e-9
    assert float((finished - 1.0).abs().max()) < 1e-9


def test_without_the_correction_weights_are_off() -> None:
    env = Atoms(**NEUTRAL, correct_symmetry=False)
    graph = enumerate_states(env)
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    # Cyclobutane without hydrogens has eight automorphisms, tetrahedrane twenty-four.
    assert float(weights.min()) == pytest.approx(1 / 24)


@pytest.mark.parametrize("rules", [NEUTRAL, CHARGED, NITRO, RINGS], ids=str)
def test_legal_backward_actions_are_those_that_brute_force_finds(rules: dict[str, Any]) -> None:
    """All backward actions are tried: the parent must be a reachable state whose action leads back."""
    env, graph = listed(rules)
    keys = graph.identity
    n_wrong = 0
    for part in torch.split(torch.arange(len(graph)), 256):
        states = graph.states[part]
        tried = torch.arange(env.n_back_actions).repeat(len(states))
        every = states.repeat(env.n_back_actions)
        parents = env.step_back(every, tried)
        actions = env.redo(parents, tried, every)
        leads_back = env.mask(parents).gather(1, actions[:, None])[:, 0]
        leads_back &= torch.isin(env.key(parents), keys)
        leads_back &= env.key(env.step(parents, actions)) == env.key(every)
        leads_back &= ~env.is_initial(every)
        n_wrong += int((leads_back.view(len(states), -1) != env.back_mask(states)).sum())
    assert n_wrong == 0


@pytest.mark.parametrize(
    ("smiles", "n_ways"),
    [
        ("C1CC1", 3),  # each ring bond
        ("C1=CC1", 3),  # the order comes with the bond and goes with it
        ("c1ccccc1", 6),
        ("CC1CC1", 4),  # and the methyl group
        ("CC", 2),
        ("C=C", 2),
        ("C", 1),
    ],
)
def test_backward_actions_of_small_molecules(smiles: str, n_ways: int) -> None:
    env = Atoms()
    done = env.encode([smiles]).states
    assert int(env.back_mask(done).sum()) == 1
    assert int(env.back_mask(env.step_back(done, torch.tensor([0]))).sum()) == n_ways
