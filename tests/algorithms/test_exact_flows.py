"""Every rule that promises R / Z has no loss on exact flows, whatever the backward policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import pytest
import torch
from exact_cases import (
    GARBAGE,
    TREES,
    WORLDS,
    World,
    backward_table,
    edge_weights,
    exact_case,
    exact_model,
    random_log_rewards,
    worst,
)
from exact_variants import LEARNED, OF_POLICY, READS_BACKWARD, SOFT, VARIANTS

from fluvial.algorithms.registry import BACKWARD_RULES, LEARNED_BACKWARD, PROPORTIONAL
from fluvial.chem.vocabulary import Vocabulary
from fluvial.losses.backward import N_LOSSES
from fluvial.metrics.exact import exact_flows, exact_log_probability
from fluvial.sample.score import evaluate

EXACT = 1e-9
SEPARATE = ("maxent", "gsql", "tlm", "pessimistic", "reinforce")
"""Backward policies with a loss of their own."""

Worlds = Callable[[str], World]


@pytest.fixture(scope="module", autouse=True)
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def world(_float64: None, three_fragments: Vocabulary) -> Worlds:
    return lru_cache(maxsize=None)(
        lambda name: TREES[name]() if name in TREES else WORLDS[name](three_fragments)
    )


def test_every_promise_and_every_backward_policy_is_tried() -> None:
    tried = {variant.name for variant in VARIANTS.values()}
    assert tried == {*PROPORTIONAL, "rtb"}
    assert {rule for variant in VARIANTS.values() for rule in variant.rules} == set(BACKWARD_RULES) - {"none"}
    assert set(LEARNED) == set(LEARNED_BACKWARD)


MATRIX = [
    (place, name, rule)
    for place in WORLDS
    for name, variant in VARIANTS.items()
    for rule in variant.rules
    if "beta" not in place or rule in OF_POLICY
]


@pytest.mark.parametrize(("place", "name", "rule"), MATRIX)
def test_nothing_is_lost_on_exact_flows(world: Worlds, place: str, name: str, rule: str) -> None:
    learned = exact_case(world(place), VARIANTS[name], rule)()
    assert learned.loss.dtype == torch.float64
    assert worst(learned) < EXACT
    assert learned.log_z is not None
    expected = world(place).log_total if name != "rtb" else log_posterior_total(world(place))
    assert (learned.log_z - expected).abs().max() < EXACT


def log_posterior_total(world: World) -> float:
    """Log of the sum of prior(x) R(x), with the probability of sampling x by the prior."""
    graph = world.graph
    log_p = exact_log_probability(graph, world.log_prior)[graph.is_terminal]
    assert float(log_p.exp().sum()) == pytest.approx(1.0, abs=1e-12)
    return float((log_p + world.log_object[graph.is_terminal]).logsumexp(0))


@pytest.mark.parametrize("name", sorted(READS_BACKWARD))
def test_a_loss_of_the_backward_policy_counts_beside_that_of_the_rule(world: Worlds, name: str) -> None:
    for rule in VARIANTS[name].rules:
        learned = exact_case(world("courses"), VARIANTS[name], rule)()
        assert ("backward loss" in learned.parts) == (rule in SEPARATE), rule
        if rule in SEPARATE:
            assert torch.allclose(learned.loss, learned.parts["backward loss"], atol=EXACT), rule


@pytest.mark.parametrize("place", WORLDS)
@pytest.mark.parametrize("n_loss", N_LOSSES)
@pytest.mark.parametrize("rule", ["maxent", "gsql"])
def test_nothing_is_lost_on_exact_numbers_of_ways(world: Worlds, place: str, n_loss: str, rule: str) -> None:
    learned = exact_case(world(place), VARIANTS["tb"], rule, n_loss)()
    assert learned.parts["backward loss"].abs().max() < EXACT
    assert worst(learned) < EXACT


@pytest.mark.parametrize("place", TREES)
@pytest.mark.parametrize("name", sorted(SOFT))
def test_on_trees_no_backward_policy_is_wanted(world: Worlds, place: str, name: str) -> None:
    learned = exact_case(world(place), VARIANTS[name], "none")()
    assert worst(learned) < EXACT
    assert learned.log_z is not None
    assert (learned.log_z - world(place).log_total).abs().max() < EXACT


@pytest.mark.parametrize("place", ["hypergrid", "courses"])
@pytest.mark.parametrize("name", sorted(SOFT))
def test_without_backward_policy_objects_count_once_for_each_way(
    world: Worlds, place: str, name: str
) -> None:
    graph = world(place).graph
    counted = (world(place).log_n + world(place).log_object)[graph.is_terminal].logsumexp(0)
    assert float(counted) > world(place).log_total + 0.3
    learned = exact_case(world(place), VARIANTS[name], "none")()
    assert worst(learned) < EXACT
    assert learned.log_z is not None
    assert (learned.log_z - counted).abs().max() < EXACT


@pytest.mark.parametrize("name", ["tb", "tb, smoothed", "forward-looking tb", "rtb"])
def test_a_log_z_that_starts_from_the_batch_starts_at_the_truth(world: Worlds, name: str) -> None:
    case = exact_case(world("courses"), VARIANTS[name], "uniform")
    log_z = case.models.current.log_z
    truth = float(log_z.offset.detach())
    with torch.no_grad():
        log_z.offset.fill_(-50.0)
        log_z.is_started.fill_(False)
    assert worst(case()) < EXACT
    assert float(log_z.offset.detach()) == pytest.approx(truth, abs=EXACT)


def test_modified_balance_reads_no_flow_where_all_states_are_objects(world: Worlds) -> None:
    case = exact_case(world("hypergrid"), VARIANTS["mdb"], "learned")
    policy = case.models.current.policy
    with torch.no_grad():
        policy.get_parameter("log_flow").fill_(GARBAGE)
    assert worst(case()) < EXACT


@pytest.mark.parametrize("rule", ["gsql", "gsql_exact"])
def test_modified_balance_cannot_charge_ways_at_the_end(world: Worlds, rule: str) -> None:
    """It takes the flow of a state from its own stop, to which its own number of ways would belong."""
    assert worst(exact_case(world("hypergrid"), VARIANTS["mdb"], rule)()) > 0.1


SAMPLED = {
    # place: objects, lengths, numberings of states
    "hypergrid": (16, 7, 32),
    "slots": (4, 1, 35),
    "courses": (10, 2, 31),
    "graphs": (15, 4, 77),
    "fragments": (9, 2, 28),
}


@pytest.mark.parametrize("place", SAMPLED)
def test_the_samples_show_all_objects_in_several_ways(world: Worlds, place: str) -> None:
    here, (n_objects, n_lengths, n_states) = world(place), SAMPLED[place]
    trajectories = here.trajectories
    assert len(here.graph) == n_states
    assert len(set(here.env.key(trajectories.final_states).tolist())) == n_objects
    assert len(set(trajectories.n_steps.tolist())) == n_lengths
    assert len(set(map(tuple, trajectories.actions.T.tolist()))) > n_objects
    policy = exact_model(here, VARIANTS["tb"], "learned").policy
    log_pb = evaluate(policy, trajectories).log_pb()[trajectories.mask]
    assert len(set(log_pb.detach().round(decimals=6).tolist())) > 2


def test_without_the_correction_arrangements_are_counted(world: Worlds) -> None:
    here = world("slots")
    graph = here.graph
    flows = exact_flows(
        graph, here.log_object, edge_weights(here, "uniform", backward_table(here, "uniform"))
    )
    rewards = random_log_rewards(["aaa", "aab", "abb", "bbb"])
    copies = {"aaa": 1, "aab": 3, "abb": 3, "bbb": 1}
    expected = sum(n * math.exp(rewards[text]) for text, n in copies.items())
    assert math.exp(flows.log_z) == pytest.approx(expected, rel=1e-12)
