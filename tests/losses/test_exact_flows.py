"""Every objective is zero on exact flows, and on none of the flows with a fault in them that it can see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.enumeration import StateGraph, enumerate_states, labelled_identity
from fluvial.core.types import Condition, Scores, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid
from fluvial.losses.objectives import OBJECTIVES
from fluvial.metrics.exact import exact_flows
from fluvial.policy.tabular import TabularPolicy, legal_or_all
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import score
from fluvial.testing.slots import Slots

N_ROWS = 256
EXACT, FAULT = 1e-9, 1e-3


@dataclass(frozen=True)
class Case:
    """Trajectories of an environment, scored by the exact policy for a random reward."""

    env: Any
    graph: StateGraph[Any]
    policy: TabularPolicy[Any]
    trajectories: Trajectories[Any]
    scores: Scores
    target: Tensor
    """float64 [B], log R + log_symmetry."""
    log_z: Tensor
    """float64 [B]."""
    log_total_reward: float
    """Log of the sum of R over distinct objects."""
    group: Tensor
    """int64 [B]."""


def random_reward(texts: list[str]) -> Tensor:
    """Log of a reward between 0.5 and 3 for each distinct text, float64 [S]."""
    torch.manual_seed(1)
    number = {text: n for n, text in enumerate(sorted(set(texts)))}
    values = (0.5 + 2.5 * torch.rand(len(number), dtype=torch.float64)).log()
    return values[torch.tensor([number[text] for text in texts])]


def exact_case(env: Any, corrected: bool, random_backward: bool, beta: float = 1.0) -> Case:
    """States that differ in numbering only are kept apart, so each table row is about the very state."""
    graph = enumerate_states(env, identity=labelled_identity)
    log_reward = torch.zeros(len(graph), dtype=torch.float64)
    texts = env.decode(graph.states[graph.is_terminal])
    reward = beta * random_reward(texts)
    log_reward[graph.is_terminal] = reward
    log_target = log_reward + corrected * env.log_symmetry(graph.states)
    policy = TabularPolicy(env, graph, identity=labelled_identity).double()
    back_mask = legal_or_all(env.back_mask(graph.states))
    logits = torch.randn(back_mask.shape, dtype=torch.float64) * random_backward
    log_pb = logits.masked_fill(~back_mask, -torch.inf).log_softmax(dim=1)
    flows = exact_flows(graph, log_target, log_pb)
    with torch.no_grad():
        policy.forward_logits[graph.source, graph.action] = flows.log_pf
        policy.backward_logits.copy_(logits)
        policy.log_flow.copy_(flows.log_flow)
    nothing = torch.zeros(N_ROWS, 0)
    condition = Condition(nothing, torch.full((N_ROWS,), beta), nothing, nothing)
    trajectories = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = score(policy, trajectories)
    objects = dict(zip(texts, reward.tolist(), strict=True))
    return Case(
        env=env,
        graph=graph,
        policy=policy,
        trajectories=trajectories,
        scores=scores,
        target=log_target[policy.rows(trajectories.final_states)],
        log_z=torch.full((N_ROWS,), flows.log_z, dtype=torch.float64),
        log_total_reward=torch.tensor(list(objects.values()), dtype=torch.float64).logsumexp(0).item(),
        group=torch.zeros(N_ROWS, dtype=torch.int64),
    )


CASES: dict[str, Callable[[Vocabulary], Case]] = {
    "hypergrid": lambda _: exact_case(Hypergrid(2, 4), corrected=True, random_backward=True),
    "slots": lambda _: exact_case(Slots(3, 2), corrected=True, random_backward=True),
    "slots, uncorrected": lambda _: exact_case(Slots(3, 2), corrected=False, random_backward=True),
    # Some ways back from a numbered tree lead to a numbering that no step makes, so P_B must not
    # depend on numbers: uniform.
    "fragments": lambda three: exact_case(Fragments(three, 2), corrected=True, random_backward=False),
}


@pytest.fixture(scope="module")
def case(three_fragments: Vocabulary) -> Callable[[str], Case]:
    return lru_cache(maxsize=None)(lambda name: CASES[name](three_fragments))


def worst(name: str, scores: Scores, target: Tensor, log_z: Tensor, group: Tensor) -> float:
    """Largest absolute residual of an objective among those that count."""
    residual, weight = OBJECTIVES[name](scores, target, log_z, group)
    assert not residual.isnan().any()
    return float((residual * (weight > 0.0)).abs().max())


# Exact flows


@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("name", list(CASES))
def test_residuals_vanish_on_exact_flows(case, name, objective):
    exact = case(name)
    assert exact.scores.log_pf.dtype == torch.float64
    assert worst(objective, exact.scores, exact.target, exact.log_z, exact.group) < EXACT


@pytest.mark.parametrize("name", ["hypergrid", "slots", "fragments"])
def test_log_z_is_the_sum_of_rewards_over_objects(case, name):
    exact = case(name)
    assert exact.log_z[0].item() == pytest.approx(exact.log_total_reward, abs=1e-9)


def test_log_z_without_the_correction_counts_arrangements(case):
    exact = case("slots, uncorrected")
    reward = random_reward(["aaa", "aab", "abb", "bbb"]).exp()
    assert exact.log_z[0].exp().item() == pytest.approx(
        float(reward @ torch.tensor([1.0, 3.0, 3.0, 1.0]).double())
    )


@pytest.mark.parametrize(
    ("name", "n_objects", "n_lengths"),
    [("hypergrid", 16, 7), ("slots", 4, 1), ("slots, uncorrected", 4, 1), ("fragments", 9, 2)],
)
def test_the_samples_cover_all_objects_in_several_ways(case, name, n_objects, n_lengths):
    exact = case(name)
    trajectories = exact.trajectories
    assert len(exact.env.key(trajectories.final_states).unique()) == n_objects
    assert len(trajectories.n_steps.unique()) == n_lengths
    # Backward choices that do not all weigh the same, and more ways than objects.
    assert len(exact.scores.log_pb[trajectories.mask].round(decimals=6).unique()) > 1
    assert trajectories.actions.unique(dim=1).shape[1] > n_objects


# Planted faults


def backward_policy_missing(case: Case) -> tuple[Scores, Tensor, Tensor]:
    return replace(case.scores, log_pb=torch.zeros_like(case.scores.log_pb)), case.target, case.log_z


def backward_policy_late(case: Case) -> tuple[Scores, Tensor, Tensor]:
    """P_B read at states[t] and not at states[t + 1]; the sum over the trajectory stays the same."""
    late = case.scores.log_pb.roll(1, dims=0)
    assert torch.equal(late[0], torch.zeros_like(late[0]))
    return replace(case.scores, log_pb=late), case.target, case.log_z


def reward_scaled(case: Case) -> tuple[Scores, Tensor, Tensor]:
    return case.scores, 1.05 * case.target, case.log_z


def terminal_flow_not_replaced(case: Case) -> tuple[Scores, Tensor, Tensor]:
    """The terminal state taken for one that has a flow of its own, which is 0 in the scores."""
    scores = case.scores
    later = torch.cat([torch.ones_like(scores.mask[:1]), scores.mask])
    zero = torch.zeros_like(scores.log_pf[:1])
    longer = Scores(
        torch.cat([scores.log_pf, zero]),
        torch.cat([scores.log_pb, zero]),
        torch.cat([scores.log_flow, zero]),
        later,
    )
    return longer, case.target, case.log_z


def mask_short_by_one(case: Case) -> tuple[Scores, Tensor, Tensor]:
    """The last state before the stop taken for the terminal one."""
    mask = case.scores.mask
    return (
        replace(case.scores, mask=torch.cat([mask[1:], torch.zeros_like(mask[:1])])),
        case.target,
        case.log_z,
    )


def flow_raised(case: Case) -> tuple[Scores, Tensor, Tensor]:
    return replace(case.scores, log_flow=case.scores.log_flow + 0.1), case.target, case.log_z


def flow_early(case: Case) -> tuple[Scores, Tensor, Tensor]:
    """The flow of the state after read in place of that of the state."""
    return replace(case.scores, log_flow=case.scores.log_flow.roll(-1, dims=0)), case.target, case.log_z


def log_z_off(case: Case) -> tuple[Scores, Tensor, Tensor]:
    return case.scores, case.target, case.log_z + 0.1


FAULTS: dict[Callable[[Case], tuple[Scores, Tensor, Tensor]], set[str]] = {
    backward_policy_missing: {"tb", "vargrad", "db", "subtb"},
    backward_policy_late: {"db", "subtb"},
    reward_scaled: {"tb", "vargrad", "db", "subtb"},
    terminal_flow_not_replaced: {"db", "subtb"},
    mask_short_by_one: {"db", "subtb"},
    flow_raised: {"db", "subtb"},
    flow_early: {"db", "subtb"},
    log_z_off: {"tb"},
}
"""Each fault and the objectives that see it; the others do not read what it spoils."""


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("fault", list(FAULTS), ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_seen_by_the_objectives_that_can(case, fault, name):
    exact = case(name)
    # All flow of filled slots goes into the stop, so their flow is the reward with or without this fault.
    is_harmless = fault is mask_short_by_one and name.startswith("slots")
    expected = set() if is_harmless else FAULTS[fault]
    found = {objective: worst(objective, *fault(exact), exact.group) for objective in OBJECTIVES}
    assert {objective for objective, size in found.items() if size > FAULT} == expected, found
    assert all(size < EXACT for objective, size in found.items() if objective not in expected), found


@pytest.mark.parametrize("objective", list(OBJECTIVES))
@pytest.mark.parametrize("name", ["slots", "fragments"])
def test_a_forgotten_symmetry_correction_is_seen(case, name, objective):
    exact = case(name)
    forgotten = exact.target - exact.env.log_symmetry(exact.trajectories.final_states)
    assert worst(objective, exact.scores, forgotten, exact.log_z, exact.group) > FAULT


@pytest.mark.parametrize("objective", ["db", "subtb"])
def test_the_flow_given_for_terminal_states_is_not_read(case, objective):
    exact = case("hypergrid")
    is_left = torch.cat([exact.scores.mask, torch.zeros_like(exact.scores.mask[:1])])
    other = replace(exact.scores, log_flow=exact.scores.log_flow.masked_fill(~is_left, 7.0))
    assert worst(objective, other, exact.target, exact.log_z, exact.group) < EXACT


def test_groups_of_two_conditions_must_be_kept_apart():
    cold, hot = (
        exact_case(Hypergrid(2, 4), corrected=True, random_backward=True, beta=b) for b in (1.0, 4.0)
    )
    both = Scores(
        *(
            torch.cat([getattr(cold.scores, name), getattr(hot.scores, name)], dim=1)
            for name in ("log_pf", "log_pb", "log_flow", "mask")
        )
    )
    target, log_z = torch.cat([cold.target, hot.target]), torch.cat([cold.log_z, hot.log_z])
    apart = torch.cat([cold.group, hot.group + 1])
    assert {name for name in OBJECTIVES if worst(name, both, target, log_z, apart) < EXACT} == set(OBJECTIVES)
    assert worst("vargrad", both, target, log_z, torch.zeros_like(apart)) > FAULT
