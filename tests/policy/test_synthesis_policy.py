"""The policy for syntheses, with the packaged blocks and reactions."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fluvial.chem.synthesis.library import BlockLibrary, embedded_library, make_library
from fluvial.config.file import parse_config
from fluvial.core.types import Trajectories
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.state import Synthesis
from fluvial.policy.module import PolicyModule
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate
from fluvial.train.rules import build_policy

KINDS = ("mlp", "graph-transformer")


def half(library: BlockLibrary, first: int) -> BlockLibrary:
    return make_library([library.block(n) for n in range(first, len(library), 2)], library.templates)


@pytest.fixture(scope="module")
def env() -> Syntheses:
    return Syntheses(half(embedded_library(), 0), 2, parents="recorded")


def policy_for(env: Syntheses, kind: str) -> PolicyModule:
    text = '[env]\nkind = "synthesis"\nparents = "recorded"\n[algo]\nbackward = "tlm"\n[replay]\nfraction = 0.0\n'
    config = parse_config(f'{text}[policy]\nkind = "{kind}"\nwidth = 32\nlayers = 2\n', "here", [])
    torch.manual_seed(0)
    return build_policy(config, env)


def drawn(env: Syntheses, policy: PolicyModule, n: int = 8) -> Trajectories[Synthesis]:
    return rollout(env, policy, Conditions().fixed(n, 1.0), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
def test_legal_actions_share_all_probability(env: Syntheses, kind: str) -> None:
    policy = policy_for(env, kind)
    states = drawn(env, policy).states[:-1].flatten()
    states = states[~env.is_terminal(states)]
    output = policy(states, Conditions().fixed(len(states), 1.0))
    mask = env.mask(states)
    assert torch.equal(output.forward.mask, mask)
    p = output.forward.log_probs.exp()
    assert not bool(p[~mask].any())
    assert torch.allclose(p.sum(dim=1), torch.ones(len(states)), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(env: Syntheses, kind: str) -> None:
    policy = policy_for(env, kind)
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


def test_the_other_half_of_the_blocks_can_take_their_place(env: Syntheses) -> None:
    policy = policy_for(env, "mlp")
    other = Syntheses(half(embedded_library(), 1), 2, parents="recorded")
    moved = policy_for(other, "mlp")
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
