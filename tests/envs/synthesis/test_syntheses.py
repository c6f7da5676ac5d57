"""A space of reactions that can be listed: counts, ways back, contract, and what flows and training end at."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pytest
import synthesis_toy as toy
import torch
from rdkit import Chem

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import BlockLibrary, make_library
from fluvial.chem.synthesis.reactions import reactions_of
from fluvial.chem.synthesis.routes import runs
from fluvial.chem.synthesis.templates import Template, embedded_templates
from fluvial.core.enumeration import StateGraph, enumerate_states, labelled_identity
from fluvial.core.environment import Found
from fluvial.core.errors import ConfigError
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.limits import Limits
from fluvial.envs.synthesis.routes import routes_of
from fluvial.envs.synthesis.state import Arrival, Synthesis
from fluvial.metrics.exact import (
    backward_weights,
    exact_flows,
    exact_log_probability,
    group_by_text,
    total_variation,
    uniform_log_pb,
)
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout, renumbered, retrace, rollout
from fluvial.testing.check_env import check_env
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer, build_schedule
from fluvial.train.step import train_step

N_MOLECULES = 196
"""Of one or two reactions of the twelve blocks; twelve of them can be made by one and by two."""


@pytest.fixture(scope="module")
def env() -> Syntheses:
    return Syntheses(toy.hartenfeller_button(), 2, parents="listed")


@pytest.fixture(scope="module")
def graph(env: Syntheses) -> StateGraph[Synthesis]:
    return enumerate_states(env, identity=labelled_identity)


def listed(
    library: BlockLibrary, max_reactions: int, allow: Callable[[str], bool] = lambda text: True
) -> list[dict[str, Counter[str]]]:
    """Molecule to its parents after each number of reactions, from RDKit alone: each reaction that gives it,
    template by template and block by block, is one parent more."""
    mols = {text: Chem.MolFromSmiles(text) for text in library.smiles}
    before, levels = set(library.smiles), []
    for _ in range(max_reactions):
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for text in before:
            mol = Chem.MolFromSmiles(text)
            for reaction in reactions_of(library.templates):
                tries = []
                if reaction.template.n_reactants == 1:
                    tries.append(reaction.products(mol))
                elif reaction.matches(mol, 0):
                    tries += [reaction.products(mol, other) for other in mols.values()]
                if reaction.template.n_reactants == 2 and reaction.matches(mol, 1):
                    tries += [reaction.products(other, mol) for other in mols.values()]
                for products in tries:
                    for product in filter(allow, products):
                        found[product][text] += 1
        levels.append(dict(found))
        before = set(found)
    return levels


def test_twelve_blocks_make_as_many_molecules_as_w_sums_to(
    env: Syntheses, graph: StateGraph[Synthesis]
) -> None:
    terminal = graph.states[graph.is_terminal]
    settled = (graph.states.role == 0) & ~graph.is_terminal & (graph.states.depth > 0)
    assert (int(settled.sum()), len(terminal)) == (208, 208)
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    weights *= env.log_symmetry(terminal).exp()
    texts, weight = group_by_text(env.decode(terminal), weights)
    assert len(texts) == N_MOLECULES
    assert torch.allclose(weight, torch.ones(N_MOLECULES, dtype=torch.float64), atol=1e-12)
    assert Counter(round(math.exp(-x)) for x in env.log_symmetry(terminal).tolist()) == {1: 184, 2: 24}


def test_ways_back_are_those_of_a_plain_list(env: Syntheses, graph: StateGraph[Synthesis]) -> None:
    levels = listed(toy.hartenfeller_button(), 2)
    searching = Syntheses(toy.hartenfeller_button(), 2)
    settled = graph.states[(graph.states.role == 0) & ~graph.is_terminal & (graph.states.depth > 0)]
    n_ways = env.back_mask(settled).sum(dim=1).tolist()
    made = list(zip(settled.molecule.tolist(), settled.depth.tolist(), strict=True))
    assert {(env.molecules.smiles(molecule), depth) for molecule, depth in made} == {
        (text, depth) for depth, level in enumerate(levels, 1) for text in level
    }
    for (molecule, depth), n in zip(made, n_ways, strict=True):
        text = env.molecules.smiles(molecule)
        ways = env.ways.arrivals(molecule, depth)
        assert Counter(env.molecules.smiles(way.molecule) for way in ways) == levels[depth - 1][text]
        assert n == len(ways)
        found = searching.ways.arrivals(searching.molecules.number(text), depth)
        assert named(searching, found) == named(env, ways)


def named(env: Syntheses, ways: Sequence[Arrival]) -> list[Arrival]:
    """The ways in an order, with molecules numbered by a hash that all environments share."""
    hashes = env.molecules.hashes(torch.tensor([way.molecule for way in ways]).numpy()).tolist()
    numbered = [dataclasses.replace(way, molecule=h) for way, h in zip(ways, hashes, strict=True)]
    return sorted(numbered, key=dataclasses.astuple)


def test_a_small_space_keeps_the_contract() -> None:
    report = check_env(
        Syntheses(toy.hartenfeller_button(toy.BLOCKS[:5]), 2, most_products=2, parents="listed"), 32
    )
    assert report.is_exhaustive
    assert report.longest_walk == 5


def test_one_reaction_with_two_products_offers_both(env: Syntheses, graph: StateGraph[Synthesis]) -> None:
    choosing = graph.states[(graph.states.role > 0) & (graph.states.block > 0)]
    assert len(choosing) == 4
    assert env.mask(choosing).sum(dim=1).tolist() == [2, 2, 2, 2]
    only_first = Syntheses(toy.hartenfeller_button(), 2, most_products=1, parents="listed")
    assert not bool((enumerate_states(only_first).states.block > 0).any())


def test_several_syntheses_of_a_molecule_share_its_probability(
    env: Syntheses, graph: StateGraph[Synthesis]
) -> None:
    terminal = graph.states[graph.is_terminal]
    reward = torch.zeros(len(graph), dtype=torch.float64)
    rewards = {text: 1.0 + number % 7 for number, text in enumerate(sorted(set(env.decode(terminal))))}
    reward[graph.is_terminal] = torch.tensor([rewards[text] for text in env.decode(terminal)]).double()
    log_reward = reward.log()
    log_reward[graph.is_terminal] += env.log_symmetry(terminal)
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    assert math.exp(flows.log_z) == pytest.approx(sum(rewards.values()), rel=1e-12)
    p = exact_log_probability(graph, flows.log_pf)[graph.is_terminal].exp()
    texts, probability = group_by_text(env.decode(terminal), p)
    expected = torch.tensor([rewards[text] for text in texts]).double() / sum(rewards.values())
    assert torch.allclose(probability, expected, rtol=1e-10)
    assert max(env.log_n(terminal).exp().round().int().tolist()) == 6


def test_trajectories_go_back_and_forth(env: Syntheses) -> None:
    generator, policy = torch.Generator().manual_seed(0), UniformPolicy(env)
    condition = Conditions().fixed(64, 1.0)
    made = rollout(env, policy, condition, generator)
    final = retrace(env, made.actions, made.n_steps)
    assert env.decode(final) == env.decode(made.final_states)
    back = renumbered(env, backward_rollout(env, policy, final, condition, generator))
    assert env.decode(back.final_states) == env.decode(final)
    assert bool(env.is_initial(back.states[torch.zeros(1, dtype=torch.int64)].flatten()).all())


def test_routes_are_those_that_were_gone(env: Syntheses) -> None:
    made = rollout(env, UniformPolicy(env), Conditions().fixed(64, 1.0), torch.Generator().manual_seed(1))
    routes = routes_of(env, made)
    assert [route.product for route in routes if route is not None] == env.decode(made.final_states)
    assert [len(route.steps) for route in routes if route is not None] == made.final_states.depth.tolist()
    assert all(route is not None and runs(route) for route in routes)


def test_a_way_that_a_search_missed_counts_from_when_it_was_gone() -> None:
    searched = Syntheses(toy.hartenfeller_button(), 2, parents="searched")
    made = rollout(
        searched, UniformPolicy(searched), Conditions().fixed(1, 1.0), torch.Generator().manual_seed(0)
    )
    last = made.final_states
    molecule, depth = int(last.molecule), int(last.depth)
    ways, before = searched.ways, searched.ways.n_ways(molecule, depth)
    assert before > 0
    known = ways.arrivals(molecule, depth)
    missed = dataclasses.replace(known[0], product=known[0].product + 1)
    assert ways.place(molecule, depth, missed) == len(known)
    assert ways.arrivals(molecule, depth) == (*known, missed)
    assert ways.n_ways(molecule, depth) == before + ways.n_ways(missed.molecule, depth - 1)


def test_encode_finds_what_can_be_made_and_nothing_else(env: Syntheses) -> None:
    encoded = env.encode(["O=C(NCc1ccccc1)c1ccc(Br)cc1", "CCCCCCCC", "NN", "C1CC", ""])
    assert encoded.found.tolist() == [Found.ONE, Found.NONE, Found.NONE, Found.INVALID, Found.INVALID]
    assert encoded.states.depth.tolist()[0] == 1


def test_a_reaction_that_gives_nothing_ends_in_no_molecule() -> None:
    library = toy.library_of(
        ["CO", "CN"], [Template("1", "", "[C:1][O:2].[C:3][N:4]>>[C:1][O:2]([C:3])[N:4]", 2)]
    )
    with pytest.raises(ConfigError, match="none of the 2 building blocks"):
        Syntheses(library, 1, parents="listed")
    env = Syntheses(library, 1, tries_all=False, parents="listed")
    made = rollout(env, UniformPolicy(env), Conditions().fixed(4, 1.0), torch.Generator().manual_seed(0))
    assert env.decode(made.final_states) == [""] * 4
    assert made.n_steps.tolist() == [4] * 4


@pytest.mark.parametrize("limits", [(0, 0, 8), (2, 3, 8), (2, 1, 0)])
def test_limits_must_leave_something(limits: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="min_reactions"):
        Syntheses(toy.hartenfeller_button(), *limits)


def test_only_what_is_allowed_is_used() -> None:
    blocks = [
        Block("CC(=O)O", "a", None, 5.0),
        Block("NCc1ccccc1", "b", None, 7.0),
        Block("CN", "c", None, 90.0),
    ]
    library = make_library(blocks, embedded_templates())
    whole = set(toy.objects(Syntheses(library, 1, parents="listed")))
    assert {"CC(=O)NCc1ccccc1", "CNC(C)=O"} <= whole
    for limits, made in [
        (Limits(("amide",)), {"CC(=O)NCc1ccccc1", "CNC(C)=O"}),
        (Limits(("amide",), max_price=10.0), {"CC(=O)NCc1ccccc1"}),
        (Limits(("amide",), ("CN",)), {"CNC(C)=O"}),
    ]:
        env = Syntheses(library, 1, parents="searched", limits=limits)
        assert set(toy.objects(env)) == made
        assert check_env(env, 8).is_exhaustive


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(("amid",)), "unknown reaction 'amid' - did you mean 'amide'"),
        (Limits(start=("CCCC",)), "'CCCC' is not among the 5 building blocks"),
        (Limits(max_price=1.0), "none of the 5 blocks is known to cost as little"),
    ],
)
def test_limits_that_leave_nothing_are_refused(limits: Limits, sentence: str) -> None:
    library = toy.library_of(toy.BLOCKS[:5], embedded_templates())
    with pytest.raises(ConfigError, match=sentence):
        Syntheses(library, 1, limits=limits)


def test_a_lone_block_is_no_object_unless_asked_for() -> None:
    library = toy.hartenfeller_button(toy.BLOCKS[:4])
    texts = set(toy.objects(Syntheses(library, 1, parents="listed")))
    with_blocks = set(toy.objects(Syntheses(library, 1, min_reactions=0, parents="listed")))
    assert with_blocks - texts == set(library.smiles)


@pytest.mark.long
def test_training_ends_at_the_reward(env: Syntheses, graph: StateGraph[Synthesis]) -> None:
    def score(texts: Sequence[str]) -> list[ScoredObject]:
        return [ScoredObject(text, 1.0 + len(text) % 5) for text in texts]

    n_steps = 250
    model = Model(TabularPolicy(env, graph, labelled_identity, learn_backward=False), LogZ(0))
    learner = Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=0.05, log_z_lr=0.1)),
        build_schedule("cosine", n_steps, 0, 0.02),
        ReplayBuffer(1000, env.max_steps, Priority()),
        torch.Generator().manual_seed(0),
    )
    problem, settings = Problem(env, score, Conditions()), LearningSettings(batch=64, n_replayed=0)
    for _ in range(n_steps):
        train_step(problem, learner, settings)
    terminal = graph.states[graph.is_terminal]

    def log_probs(states: Synthesis) -> torch.Tensor:
        return learner.average.policy(states, Conditions().fixed(len(states), 1.0)).forward.log_probs

    p = exact_log_probability(graph, log_probs)[graph.is_terminal].exp()
    texts, probability = group_by_text(env.decode(terminal), p)
    reward = torch.tensor([item.reward for item in score(texts)], dtype=torch.float64)
    assert total_variation(probability, reward / reward.sum()) < 0.05
    assert float(learner.model.log_z.offset.detach().exp()) == pytest.approx(float(reward.sum()), rel=0.05)


LIMITED = Limits(forbidden=("C#C",), required=("C(=O)N",))
"""No product has an alkyne, and a synthesis stops at an amide if it can go on."""


def test_forbidden_parts_are_never_made_and_required_ones_are_waited_for() -> None:
    library, amide = toy.hartenfeller_button(), Chem.MolFromSmarts("C(=O)N")
    alkyne = Chem.MolFromSmarts("C#C")
    env = Syntheses(library, 2, parents="listed", limits=LIMITED)
    levels: list[set[str]] = [set(library.smiles)]
    reactive: set[str] = set()
    for level in listed(library, 2, lambda text: not Chem.MolFromSmiles(text).HasSubstructMatch(alkyne)):
        levels.append(set(level))
        reactive |= {parent for parents in level.values() for parent in parents}
    assert levels[1] < set(listed(library, 1)[0])
    may_stop = levels[2] | {
        text
        for text in levels[1]
        if Chem.MolFromSmiles(text).HasSubstructMatch(amide) or text not in reactive
    }
    assert set(toy.objects(env)) == may_stop
    assert may_stop < levels[1] | levels[2]


@pytest.mark.parametrize("parents", ["listed", "searched"])
def test_ways_back_of_a_space_with_parts_are_exact(parents: str) -> None:
    env = Syntheses(toy.hartenfeller_button(), 2, parents=parents, limits=LIMITED)
    graph = enumerate_states(env, identity=labelled_identity)
    terminal = graph.states[graph.is_terminal]
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    weights *= env.log_symmetry(terminal).exp()
    texts, weight = group_by_text(env.decode(terminal), weights)
    assert 20 < len(texts) < N_MOLECULES
    assert torch.allclose(weight, torch.ones(len(texts), dtype=torch.float64), atol=1e-12)


def test_a_space_with_parts_keeps_the_contract() -> None:
    env = Syntheses(
        toy.hartenfeller_button(toy.BLOCKS[:5]), 2, most_products=2, parents="listed", limits=LIMITED
    )
    assert check_env(env, 32).is_exhaustive
