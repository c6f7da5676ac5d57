"""P_B over the ways that really exist, in a small space of packaged reactions."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.templates import embedded_templates
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.state import Synthesis
from fluvial.policy.encoders import FingerprintEncoder
from fluvial.policy.synthesis import SynthesisPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate

FEW = ("CC(=O)O", "NCc1ccccc1", "NN", "NCCC(=O)O", "O=C(O)c1ccc(Br)cc1", "O=Cc1ccccc1", "OB(O)c1ccccc1")
OTHERS = ("CCC(=O)O", "NCc1ccccn1", "CNN", "NCCCC(=O)O", "O=C(O)c1ccc(I)cc1", "CC=O")


def space(blocks: tuple[str, ...] = FEW) -> Syntheses:
    """Two thirds of the blocks have a price."""
    priced = [Block(text, price=(1.0, 4.0, None)[number % 3]) for number, text in enumerate(blocks)]
    return Syntheses(make_library(priced, embedded_templates()), 2, parents="listed")


@pytest.fixture(scope="module")
def env() -> Syntheses:
    return space()


def wild_policy(env: Syntheses) -> SynthesisPolicy:
    torch.manual_seed(0)
    policy = SynthesisPolicy(env, FingerprintEncoder(env, 32, 2), 0, learn_backward=True)
    assert policy.back_arrivals is not None
    torch.nn.init.normal_(policy.back_arrivals.out.weight)
    return policy


def visited(env: Syntheses) -> Synthesis:
    made = rollout(env, UniformPolicy(env), Conditions().fixed(64, 1.0), torch.Generator().manual_seed(0))
    states = made.states[:-1].flatten()[made.mask.flatten()]
    return states[states.molecule > 0]


def p_of_ways(
    env: Syntheses, policy: SynthesisPolicy, states: Synthesis
) -> list[dict[tuple[str, int, str], float]]:
    """P_B of each state by what the reaction was, without any number of a molecule or a way."""
    condition = Conditions().fixed(len(states), 1.0)
    with torch.no_grad():
        p = policy(states, condition).backward.log_probs.exp()
    arrivals = env.arrivals(states)
    found: list[dict[tuple[str, int, str], float]] = [{} for _ in range(len(states))]
    for row, action, molecule, role, block in zip(
        *(column.tolist() for column in list(vars(arrivals).values())[:5]), strict=True
    ):
        way = (env.molecules.smiles(molecule), role, env.molecules.smiles(block))
        found[row][way] = float(p[row, action])
    return found


def test_ways_that_exist_share_all_probability(env: Syntheses) -> None:
    states = visited(env)
    policy = wild_policy(env)
    backward = policy(states, Conditions().fixed(len(states), 1.0)).backward
    mask, p = env.back_mask(states), backward.log_probs.detach().exp()
    assert torch.equal(backward.mask, mask)
    assert torch.equal(p > 0, mask)
    assert torch.allclose(p.sum(dim=1), torch.ones(len(states)))
    several = mask.sum(dim=1) > 1
    assert int(several.sum()) > 20
    assert float((p[several].max(dim=1).values * mask[several].sum(dim=1)).max()) > 1.2


def test_prices_are_seen_beside_their_geometric_mean(env: Syntheses) -> None:
    states = visited(env)
    arrivals = env.arrivals(states)
    known = torch.tensor(env.library.prices).log()
    relative = (known - known.nanmean()).nan_to_num(nan=0.0).float()
    seen = torch.cat([torch.zeros(1), relative])
    assert {round(x, 3) for x in relative.tolist()} > {0.0}
    assert torch.allclose(arrivals.log_price[:, 1], seen[arrivals.block])
    is_first = states.depth[arrivals.row] == 1
    assert torch.allclose(arrivals.log_price[is_first, 0], seen[arrivals.molecule[is_first]])
    assert not bool(arrivals.log_price[~is_first, 0].any())


def test_a_new_policy_is_uniform_over_the_ways(env: Syntheses) -> None:
    states = visited(env)
    policy = SynthesisPolicy(env, FingerprintEncoder(env, 32, 2), 0, learn_backward=True)
    p = policy(states, Conditions().fixed(len(states), 1.0)).backward.log_probs.exp()
    mask = env.back_mask(states)
    assert torch.allclose(p, mask / mask.sum(dim=1, keepdim=True))


def test_neither_numbers_nor_the_batch_matter(env: Syntheses, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = space()
    states = visited(env)
    policy, other = wild_policy(env), wild_policy(renamed)
    whole = p_of_ways(env, policy, states)
    for row in torch.arange(len(states)):
        assert p_of_ways(env, policy, states[row[None]])[0] == pytest.approx(whole[int(row)], rel=1e-4)
    texts = [env.molecules.smiles(number) for number in states.molecule.tolist()]
    numbers = [renamed.molecules.number(text) for text in reversed(texts)][::-1]
    assert numbers != states.molecule.tolist()
    known = renamed.ways.arrivals
    monkeypatch.setattr(renamed.ways, "arrivals", lambda *asked: known(*asked)[::-1])
    same = dataclasses.replace(states, molecule=torch.tensor(numbers))
    for mine, theirs in zip(whole, p_of_ways(renamed, other, same), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)


def test_the_likelihood_reaches_every_weight_of_the_way_back(env: Syntheses) -> None:
    policy = wild_policy(env)
    made = rollout(env, policy, Conditions().fixed(32, 1.0), torch.Generator().manual_seed(0))
    log_pb = evaluate(policy, made).log_pb()
    assert bool(log_pb.isfinite().all())
    log_pb.sum().backward()
    assert policy.back_arrivals is not None
    for name, weight in policy.back_arrivals.named_parameters():
        assert weight.grad is not None, name
        assert bool(weight.grad.isfinite().all()), name
        assert bool(weight.grad.any()), name


def test_other_blocks_need_no_other_weights(env: Syntheses) -> None:
    other = space(OTHERS)
    policy, moved = wild_policy(env), wild_policy(other)
    moved.load_state_dict(policy.state_dict())
    states = visited(other)
    p = moved(states, Conditions().fixed(len(states), 1.0)).backward.log_probs.exp()
    assert torch.equal(p > 0, other.back_mask(states))
