"""The policy for syntheses, with the packaged blocks and reactions."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from fluvial.bench.synthesis import drug_likeness
from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import BlockLibrary, embedded_library, make_library
from fluvial.chem.synthesis.templates import embedded_templates
from fluvial.config.file import parse_config
from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.core.policy import Policy
from fluvial.core.types import Trajectories
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.state import Synthesis
from fluvial.metrics.exact import exact_log_probability, group_by_text, total_variation
from fluvial.policy.behaviour import Exploration
from fluvial.policy.blocks import Partners
from fluvial.policy.encoders import FingerprintEncoder
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.policy.synthesis import SynthesisPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate
from fluvial.train.conditions import build_conditions
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer, build_schedule
from fluvial.train.rules import build_algorithm, build_learner, build_policy, build_settings
from fluvial.train.step import train_step

CONFIG = '[env]\nkind = "synthesis"\n[algo]\nbatch = 32\n[replay]\nfraction = 0.0\n'
KINDS = ("mlp", "graph-transformer")
CHOICES = ("all", "clusters")
FEW = [
    Block(text)
    for text in (
        *("CC(=O)O", "NCc1ccccc1", "NN", "Nc1ccccc1", "NCCC(=O)O", "O=C(O)c1ccc(Br)cc1", "O=Cc1ccccc1"),
        *("OB(O)c1ccccc1", "Clc1ccncc1"),
    )
]


def half(library: BlockLibrary, first: int) -> BlockLibrary:
    return make_library([library.block(n) for n in range(first, len(library), 2)], library.templates)


@pytest.fixture(scope="module")
def env() -> Syntheses:
    return Syntheses(half(embedded_library(), 0), 2, parents="recorded")


def policy_for(env: Syntheses, kind: str, blocks: str | None = None) -> PolicyModule:
    text = f'{CONFIG}[policy]\nkind = "{kind}"\nwidth = 32\nlayers = 2\n'
    text += f'blocks = "{blocks}"\n' if blocks else ""
    config = parse_config(text, "here", [])
    torch.manual_seed(0)
    return build_policy(config, env)


def drawn(env: Syntheses, policy: PolicyModule, n: int = 8) -> Trajectories[Synthesis]:
    return rollout(env, policy, Conditions().fixed(n, 1.0), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("blocks", CHOICES)
@pytest.mark.parametrize("kind", KINDS)
def test_legal_actions_share_all_probability(env: Syntheses, kind: str, blocks: str) -> None:
    policy = policy_for(env, kind, blocks)
    states = drawn(env, policy).states[:-1].flatten()
    states = states[~env.is_terminal(states)]
    output = policy(states, Conditions().fixed(len(states), 1.0))
    mask = env.mask(states)
    assert torch.equal(output.forward.mask, mask)
    p = output.forward.log_probs.exp()
    assert not bool(p[~mask].any())
    assert torch.allclose(p.sum(dim=1), torch.ones(len(states)), atol=1e-5)


@pytest.mark.parametrize("blocks", CHOICES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(env: Syntheses, kind: str, blocks: str) -> None:
    policy = policy_for(env, kind, blocks)
    trajectories = drawn(env, policy, 16)
    evaluation = evaluate(policy, trajectories)
    scores = evaluation.scores()
    assert bool((scores.log_pb <= 0).all())
    assert bool(scores.log_pb.isfinite().all())
    assert torch.allclose(scores.log_pf, trajectories.log_behaviour, atol=1e-4)
    (scores.log_pf.sum() + scores.log_pb.sum() + scores.log_flow.sum()).backward()
    silent = [name for name, weight in policy.named_parameters() if weight.grad is None]
    unread = ("net.embed_pair", "pair_bias")
    assert [name for name in silent if not any(part in name for part in unread)] == []


@pytest.mark.parametrize("blocks", CHOICES)
def test_the_other_half_of_the_blocks_can_take_their_place(env: Syntheses, blocks: str) -> None:
    policy = policy_for(env, "mlp", blocks)
    other = Syntheses(half(embedded_library(), 1), 2, parents="recorded")
    moved = policy_for(other, "mlp", blocks)
    moved.load_state_dict(policy.state_dict())
    made = other.decode(drawn(other, moved).final_states)
    assert not set(made) & set(env.decode(drawn(env, policy).final_states))


def test_equal_rows_are_computed_once(env: Syntheses) -> None:
    policy = policy_for(env, "mlp")
    states, condition = env.initial(5), Conditions().fixed(5, 1.0)
    output = policy(states, condition)
    assert len(output.forward.parts[1].distribution) == 1
    differing = dataclasses.replace(condition, encoding=torch.arange(5.0)[:, None])
    torch.manual_seed(0)
    wide = type(policy)(env, policy.encoder, 1)
    assert len(wide(states, differing).forward.parts[1].distribution) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_chosen_by_clusters_are_explored_exactly(env: Syntheses, dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    try:
        policy = policy_for(env, "mlp", "clusters")
        states = drawn(env, policy, 16).states[:2].flatten()
        forward = policy(states, Conditions().fixed(len(states), 1.0)).forward
    finally:
        torch.set_default_dtype(torch.float32)
    assert forward.log_probs.dtype == dtype
    mask = env.mask(states)
    expected = 0.75 * forward.log_probs.exp() + 0.25 * mask / mask.sum(dim=1, keepdim=True)
    explored = Exploration(epsilon=0.25)(forward)
    assert torch.allclose(explored.log_probs.exp(), expected, atol=1e-6)
    sharp = Exploration(temperature=0.01)(forward).sample(torch.Generator().manual_seed(0))
    assert bool(mask.gather(1, sharp[:, None]).all())


@pytest.mark.parametrize("blocks", CHOICES)
def test_blocks_that_may_have_been_joined_share_all_probability(env: Syntheses, blocks: str) -> None:
    policy = policy_for(env, "mlp", blocks)
    role = max(range(env.n_roles), key=lambda one: len(env.offered(1 + one)))
    partners = env.offered(1 + role)
    molecules = torch.tensor([env.molecules.number("CC(=O)NCc1ccccc1")]).expand(len(partners))
    roles, weights = torch.full_like(partners, role), policy.back_weights[role].expand(len(partners), -1)
    query = torch.randn(policy.query.out_features, generator=torch.Generator().manual_seed(0))
    asked = Partners(molecules, roles, weights, query.expand(len(partners), -1))
    plain = dataclasses.replace(asked, queries=torch.zeros_like(asked.queries))
    p, alike = (
        policy.choice.log_partner(policy.embed_blocks, one, partners).detach().exp() for one in (asked, plain)
    )
    assert not torch.allclose(p, alike, rtol=0.1)
    assert len(p) > 20
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(p.max() / p.min()) > 1.5


def test_clusters_of_one_query_offer_all_blocks_alike(env: Syntheses) -> None:
    policy = policy_for(env, "mlp", "clusters")
    torch.nn.init.zeros_(policy.query.weight)
    torch.nn.init.zeros_(policy.query.bias)
    forward = policy(env.initial(1), Conditions().fixed(1, 1.0)).forward
    p = forward.log_probs.exp()[env.mask(env.initial(1))]
    assert torch.allclose(p, torch.full_like(p, 1 / len(p)))


@pytest.mark.long
def test_training_by_clusters_ends_at_the_reward() -> None:
    def score(texts: Sequence[str]) -> list[ScoredObject]:
        return [ScoredObject(text, 1.0 + len(text) % 5) for text in texts]

    env, n_steps = Syntheses(make_library(FEW, embedded_templates()), 2, parents="listed"), 250
    graph = enumerate_states(env, identity=labelled_identity)
    torch.manual_seed(0)
    policy = SynthesisPolicy(env, FingerprintEncoder(env, 64, 2), 0, choice="clusters")
    model = Model(policy, LogZ(0))
    learner = Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=0.005, log_z_lr=0.1)),
        build_schedule("cosine", n_steps, 0, 0.02),
        ReplayBuffer(1000, env.max_steps, Priority()),
        torch.Generator().manual_seed(0),
    )
    settings = LearningSettings(batch=64, n_replayed=0, epsilon=lambda step: 0.1)
    for _ in range(n_steps):
        train_step(Problem(env, score, Conditions()), learner, settings)
    assert policy.choice.clusters.sizes(torch.tensor([0])).tolist() == [[3, 2, 2, 1]]

    @torch.no_grad()
    def log_probs(states: Synthesis) -> torch.Tensor:
        average = learner.average.policy
        return average(states, Conditions().fixed(len(states), 1.0)).forward.log_probs  # type: ignore[no-any-return]

    p = exact_log_probability(graph, log_probs)[graph.is_terminal].exp()
    texts, probability = group_by_text(env.decode(graph.states[graph.is_terminal]), p)
    reward = torch.tensor([item.reward for item in score(texts)], dtype=torch.float64)
    assert total_variation(probability, reward / reward.sum()) < 0.05


@pytest.mark.long
@pytest.mark.parametrize("blocks", CHOICES)
def test_training_with_recorded_ways_ends_at_the_reward(blocks: str) -> None:
    def score(texts: Sequence[str]) -> list[ScoredObject]:
        return [ScoredObject(text, 1.0 + len(text) % 5) for text in texts]

    n_steps, device = 500, torch.device("cpu")
    env = Syntheses(make_library(FEW[:6], embedded_templates()), 2, parents="recorded")
    graph = enumerate_states(env, identity=labelled_identity)
    policy = f'[policy]\nkind = "mlp"\nwidth = 64\nlayers = 2\nblocks = "{blocks}"\n'
    options = (
        "algo.batch=64",
        "algo.epsilon=0.1",
        "condition.beta=1.0",
        f"stop.steps={n_steps}",
        "device=cpu",
    )
    rates = ("optimizer.lr=0.005", "optimizer.log_z_lr=0.1", "optimizer.schedule=cosine")
    config = parse_config(CONFIG + policy, "here", [*options, *rates])
    torch.manual_seed(0)
    algorithm = build_algorithm(config, env, Path(), device)
    learner = build_learner(config, env, algorithm, device)
    problem, settings = Problem(env, score, build_conditions(config)), build_settings(config, algorithm)
    for _ in range(n_steps):
        train_step(problem, learner, settings)

    @torch.no_grad()
    def log_probs(states: Synthesis) -> torch.Tensor:
        average = learner.average.policy
        return average(states, Conditions().fixed(len(states), 1.0)).forward.log_probs  # type: ignore[no-any-return]

    p = exact_log_probability(graph, log_probs)[graph.is_terminal].exp()
    # A molecule that one and two reactions make has a share for each.
    texts = env.decode(graph.states[graph.is_terminal])
    reward = torch.tensor([item.reward for item in score(texts)], dtype=torch.float64)
    assert total_variation(p, reward / reward.sum()) < 0.05


@pytest.mark.long
def test_what_was_learned_with_one_half_of_the_blocks_serves_with_the_other(env: Syntheses) -> None:
    config = parse_config(f'{CONFIG}[policy]\nkind = "mlp"\n[condition]\nbeta = 32.0\n', "here", [])
    device = torch.device("cpu")
    algorithm = build_algorithm(config, env, Path(), device)
    learner = build_learner(config, env, algorithm, device)
    problem = Problem(env, drug_likeness, build_conditions(config))
    for _ in range(100):
        train_step(problem, learner, build_settings(config, algorithm))
    other = Syntheses(half(embedded_library(), 1), 2, parents="recorded")
    moved = build_policy(config, other)
    moved.load_state_dict(learner.model.policy.state_dict())
    learned, random = mean_reward(other, moved), mean_reward(other, UniformPolicy(other))
    print(f"learned {learned:.3f}, random {random:.3f}")
    assert learned > random + 0.1


def mean_reward(env: Syntheses, policy: Policy) -> float:
    made = rollout(env, policy, Conditions().fixed(256, 32.0), torch.Generator().manual_seed(1))
    scored = drug_likeness(env.decode(made.final_states))
    return statistics.mean(item.reward or 0.0 for item in scored)
