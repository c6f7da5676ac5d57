"""What routes cost, and a P_B that learns to prefer the cheap ones."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from fluvial.algorithms.backward import reinforce
from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.templates import embedded_templates
from fluvial.core.errors import ConfigError
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.prices import cheapness
from fluvial.policy.encoders import FingerprintEncoder
from fluvial.policy.synthesis import SynthesisPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout
from fluvial.sample.score import evaluate

BIPHENYL = "c1ccc(-c2ccccc2)cc1"


def biphenyls(*prices: float | None) -> Syntheses:
    """The boronic acid costs 10; the bromide and the iodide what is given."""
    texts = ("Brc1ccccc1", "Ic1ccccc1")
    halides = [Block(text, text, None, price) for text, price in zip(texts, prices, strict=True)]
    acid = Block("OB(O)c1ccccc1", "acid", None, 10.0)
    return Syntheses(make_library([*halides, acid], embedded_templates()), 1)


def test_the_price_of_a_way_is_that_of_its_blocks() -> None:
    env, condition = biphenyls(1.0, 90.0), Conditions().fixed(64, 1.0)
    final = env.encode([BIPHENYL]).states.repeat(64)
    ways = backward_rollout(env, None, final, condition, torch.Generator().manual_seed(0))
    found = {round(math.exp(-x), 3) for x in cheapness(env)(ways).tolist()}
    assert found == {11.0, 100.0}
    unknown = biphenyls(1.0, None)
    ways = backward_rollout(unknown, None, final, condition, torch.Generator().manual_seed(0))
    assert {round(math.exp(-x), 3) for x in cheapness(unknown)(ways).tolist()} == {11.0, 20.0}


def test_prices_must_be_known() -> None:
    env = Syntheses(make_library([Block("CC(=O)O"), Block("CN")], embedded_templates()), 1)
    with pytest.raises(ConfigError, match="none of the 2 building blocks has one"):
        cheapness(env)


def p_of_cheap_ways(prices: tuple[float, float], entropy_weight: float) -> float:
    """What P_B gives to ways with the cheap halide once it has learned."""
    env, condition = biphenyls(*prices), Conditions().fixed(16, 1.0)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    policy = SynthesisPolicy(env, FingerprintEncoder(env, 32, 2), 0, learn_backward=True)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    final = env.encode([BIPHENYL]).states.repeat(16)
    rule, group = reinforce(env, cheapness(env), 1.0, entropy_weight), torch.arange(16)
    for _ in range(40):
        made = backward_rollout(env, policy, final, condition, generator)
        terms = rule(evaluate(policy, made), policy, group, generator)
        assert terms.loss is not None
        optimizer.zero_grad()
        terms.loss.mean().backward()
        optimizer.step()
    unfinished = dataclasses.replace(final, is_done=torch.zeros(16, dtype=torch.bool))
    with torch.no_grad():
        p = policy(unfinished, condition).backward.log_probs[0].exp()
    arrivals = env.arrivals(unfinished[torch.tensor([0])])
    cheap = 1 + prices.index(min(prices))
    is_cheap = (arrivals.molecule == cheap) | (arrivals.block == cheap)
    assert 0 < int(is_cheap.sum()) < len(is_cheap)
    return float(p[arrivals.action[is_cheap]].sum())


@pytest.mark.parametrize("prices", [(1.0, 90.0), (90.0, 1.0)])
def test_the_cheapest_way_gets_all(prices: tuple[float, float]) -> None:
    assert p_of_cheap_ways(prices, 0.0) > 0.95


def test_with_an_entropy_weight_of_one_a_way_gets_one_over_its_price() -> None:
    # Two ways with each halide: 1 / 15 and 1 / 30.
    assert p_of_cheap_ways((5.0, 20.0), 1.0) == pytest.approx(2 / 3, abs=0.03)
