"""Local search: what is proposed, how likely, and which distribution its rules leave as it is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import enumerate_states, find_rows, first_occurrences, labelled_identity
from fluvial.core.environment import Environment
from fluvial.core.errors import ConfigError
from fluvial.core.hashing import GOLDEN, mix
from fluvial.core.policy import Policy, PolicyOutput
from fluvial.core.types import Condition, Origin
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.behaviour import Exploration
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.local_search import ACCEPTANCE, Proposal, propose
from fluvial.sample.rollout import rollout
from fluvial.testing.slots import Slots

AnyEnv = Environment[Any]
N_CHAINS = 10_000
EXPLORE = Exploration(epsilon=0.1, temperature=1.3)


def condition(n: int) -> Condition:
    return Conditions().fixed(n, 1.0)


def scattered(number: Tensor, seed: int) -> Tensor:
    """A number in [-1, 1) for each int64, float32."""
    return (mix(number * GOLDEN + mix(torch.tensor(seed))).double() / 2.0**63).float()


class ByResult:
    """Random policy: the logit of an action depends on the classes of states that it links, not on numbers."""

    def __init__(self, env: AnyEnv, learns_backward: bool = True, spread: float = 1.5) -> None:
        self.env, self.learns_backward, self.spread = env, learns_backward, spread

    def logits(self, states: Batch, mask: Tensor, is_forward: bool) -> Tensor:
        rows, actions = mask.nonzero(as_tuple=True)
        move = self.env.step if is_forward else self.env.step_back
        link = self.env.key(states)[rows] * 3 + mix(self.env.key(move(states[rows], actions)))
        return torch.zeros(mask.shape).index_put(
            (rows, actions), self.spread * scattered(link, int(is_forward))
        )

    def __call__(self, states: Batch, condition: Condition) -> PolicyOutput:
        identity = labelled_identity(states)
        number = identity.unique(return_inverse=True)[1]  # type: ignore[no-untyped-call]
        first = first_occurrences(identity)
        first = first[number[first].argsort()]
        mask, back_mask = (
            legal | ~legal.any(1, keepdim=True)
            for legal in (self.env.mask(states), self.env.back_mask(states))
        )
        few = states[first]
        forward = self.logits(few, self.env.mask(few), True)[number]
        backward = self.logits(few, self.env.back_mask(few), False)[number] * self.learns_backward
        return PolicyOutput(
            MaskedCategorical(forward, mask),
            lambda: MaskedCategorical(backward, back_mask),
            torch.zeros(len(states)),
        )


class Objects:
    """The objects of a small environment with random rewards and the exact target."""

    def __init__(self, env: AnyEnv, seed: int = 5) -> None:
        self.env = env
        graph = enumerate_states(env)
        self.states = graph.states[graph.is_terminal]
        self.key = graph.identity[graph.is_terminal]
        self.seed = seed
        self.target = self.log_reward(self.states).double().softmax(dim=0)

    def log_reward(self, states: Any) -> Tensor:
        return scattered(self.env.key(states), self.seed)

    def draw(self, n: int, p: Tensor, generator: torch.Generator) -> Any:
        return self.states[torch.multinomial(p, n, replacement=True, generator=generator)]

    def p_value(self, states: Any) -> float:
        """Probability, under the target, of a chi-square at least as large as that of the states."""
        count = find_rows(*self.key.sort(), self.env.key(states)).bincount(minlength=len(self.key))
        expected = self.target * len(states)
        chi_square = ((count - expected) ** 2 / expected).sum()
        half = torch.tensor((len(count) - 1) / 2, dtype=torch.float64)
        return float(torch.special.gammaincc(half, chi_square / 2))


def chain(
    objects: Objects, policy: Policy, states: Any, n_back: int, n_rounds: int, fault: str = ""
) -> tuple[Any, float]:
    """The states after some rounds of local search, and the share of objects that a round replaced."""
    env, generator = objects.env, torch.Generator().manual_seed(1)
    asked = condition(len(states))
    n_moved = 0
    for _ in range(n_rounds):
        proposal = propose(env, policy, states, asked, n_back, generator, EXPLORE)
        made = proposal.new.final_states
        is_kept = ACCEPTANCE["metropolis"](
            objects.log_reward(states) + proposal.old.log_symmetry * (fault != "log_symmetry"),
            objects.log_reward(made) + proposal.new.log_symmetry * (fault != "log_symmetry"),
            proposal.log_ratio * (fault != "log_ratio"),
            proposal.is_reversible | (fault == "is_reversible"),
            generator,
        )
        n_moved += int((is_kept & (env.key(made) != env.key(states))).sum())
        states = made.where(is_kept, states)
    return states, n_moved / n_rounds / len(states)


def small(name: str, three_fragments: Vocabulary) -> AnyEnv:
    environments: dict[str, AnyEnv] = {
        "grid": Hypergrid(2, 4),
        "slots": Slots(3, 2),
        "fragments": Fragments(three_fragments, 2),
        "points": Fragments(three_fragments, 2, merge_symmetric=False),
    }
    return environments[name]


@pytest.mark.parametrize(
    ("name", "n_back", "learns_backward"),
    [
        ("grid", 1, True),
        ("grid", 2, True),
        ("grid", 3, False),
        ("slots", 1, False),
        ("slots", 2, True),
        ("slots", 3, True),
        ("fragments", 1, True),
        ("fragments", 3, False),
        ("points", 2, True),
        ("points", 3, False),
    ],
)
def test_metropolis_leaves_the_target_as_it_is(
    three_fragments: Vocabulary, name: str, n_back: int, learns_backward: bool
) -> None:
    objects = Objects(small(name, three_fragments))
    start = objects.draw(N_CHAINS, objects.target, torch.Generator().manual_seed(0))
    states, share = chain(objects, ByResult(objects.env, learns_backward), start, n_back, 3)
    assert objects.p_value(start) > 1e-3
    assert objects.p_value(states) > 1e-3
    assert share > 0.05


@pytest.mark.parametrize(
    ("name", "n_back", "fault"),
    [
        ("grid", 2, "log_ratio"),
        ("slots", 2, "log_ratio"),
        ("points", 3, "log_ratio"),
        ("slots", 2, "log_symmetry"),
        ("fragments", 3, "log_symmetry"),
        ("points", 3, "log_symmetry"),
        ("grid", 2, "is_reversible"),
        ("fragments", 1, "is_reversible"),
    ],
)
def test_a_rule_that_leaves_something_out_is_caught(
    three_fragments: Vocabulary, name: str, n_back: int, fault: str
) -> None:
    objects = Objects(small(name, three_fragments))
    start = objects.draw(N_CHAINS, objects.target, torch.Generator().manual_seed(0))
    states, _ = chain(objects, ByResult(objects.env), start, n_back, 3, fault)
    assert objects.p_value(states) < 1e-6


def test_chains_forget_where_they_started() -> None:
    objects = Objects(Hypergrid(2, 4))
    graph = enumerate_states(objects.env)
    policy = TabularPolicy(objects.env, graph)
    with torch.no_grad():
        for logits, seed in ((policy.forward_logits, 7), (policy.backward_logits, 8)):
            logits.copy_(scattered(torch.arange(logits.numel()), seed).view_as(logits))
    generator = torch.Generator().manual_seed(0)
    start = objects.draw(4000, torch.full_like(objects.target, 1 / 16), generator)
    assert objects.p_value(start) < 1e-6
    # 6 transitions are the longest way back: all lengths are in reach.
    states, _ = chain(objects, policy, start, 6, 60)
    assert objects.p_value(states) > 1e-3


def test_metropolis_keeps_the_length_of_paths_longer_than_the_way_back() -> None:
    objects = Objects(Hypergrid(2, 4))
    start = objects.draw(2000, objects.target, torch.Generator().manual_seed(0))
    states, share = chain(objects, ByResult(objects.env), start, 2, 6)
    before, after = start.coordinate.sum(dim=1), states.coordinate.sum(dim=1)
    assert share > 0.05
    assert torch.equal(after[before > 2], before[before > 2])
    assert int(after[before <= 2].max()) == 2
    assert not torch.equal(after, before)


def some_proposal(env: AnyEnv, n_back: int, n: int = 64, seed: int = 2) -> Proposal[Any]:
    generator = torch.Generator().manual_seed(seed)
    made = rollout(env, UniformPolicy(env), condition(n), generator)
    return propose(env, ByResult(env), made.final_states, made.condition, n_back, generator, EXPLORE, born=9)


@pytest.mark.parametrize("n_back", [1, 2, 5])
@pytest.mark.parametrize("name", ["grid", "slots", "fragments", "points"])
def test_proposals_are_legal_trajectories_that_begin_like_the_old_ones(
    three_fragments: Vocabulary, name: str, n_back: int
) -> None:
    env = small(name, three_fragments)
    proposal = some_proposal(env, n_back)
    old, new = proposal.old, proposal.new
    assert bool(env.is_initial(new.states[0]).all())
    assert bool(env.is_terminal(new.final_states).all())
    assert new.mask.shape[0] == int(new.n_steps.max())
    for time, live in enumerate(new.mask):
        before, after = new.states[time][live], new.states[time + 1][live]
        actions, back_actions = new.actions[time][live], new.back_actions[time][live]
        assert bool(env.mask(before).gather(1, actions[:, None]).all())
        assert bool(env.back_mask(after).gather(1, back_actions[:, None]).all())
        assert torch.equal(env.key(env.step(before, actions)), env.key(after))
        assert torch.equal(env.key(env.step_back(after, back_actions)), env.key(before))
        assert not new.actions[time][~live].any()
        assert not new.back_actions[time][~live].any()
    n_head = (old.n_steps - 1 - n_back).clamp_min(0).tolist()
    for row, n in enumerate(n_head):
        assert new.actions[:n, row].tolist() == old.actions[:n, row].tolist()
        assert new.back_actions[:n, row].tolist() == old.back_actions[:n, row].tolist()
        for mine, theirs in zip(new.states.tensors(), old.states.tensors(), strict=True):
            assert torch.equal(mine[: n + 1, row], theirs[: n + 1, row])
    assert env.key(old.final_states).tolist() != env.key(new.final_states).tolist()


def test_what_is_known_of_a_proposal() -> None:
    new = some_proposal(Slots(3, 2), 2).new
    assert new.origin.tolist() == [Origin.LOCAL_SEARCH] * 64
    assert new.born.tolist() == [9] * 64
    assert bool(new.log_reward.isnan().all())
    assert new.values.shape == (64, 0)
    # One transition of the head, then two colours and the stop.
    assert bool(new.log_behaviour[0].isnan().all())
    assert bool((new.log_behaviour[1:3] < 0.0).all())
    assert new.log_behaviour[3].tolist() == [0.0] * 64
    torch.testing.assert_close(new.log_symmetry, Slots(3, 2).log_symmetry(new.final_states).float())


def line(logits: list[list[float]]) -> tuple[Hypergrid, TabularPolicy[Grid]]:
    """Three points in a row, and a policy that stops or steps at the first two of them."""
    env = Hypergrid(1, 3)
    policy = TabularPolicy(env, enumerate_states(env))
    at = policy.rows(Grid(torch.tensor([[0], [1]]), torch.tensor([False, False])))
    with torch.no_grad():
        policy.forward_logits[at] = torch.tensor(logits)
    return env, policy


def test_ratio_by_hand() -> None:
    # Stop with 1/4 at point 0, and with 1/3 at point 1.
    env, policy = line([[0.0, math.log(3.0)], [0.0, math.log(2.0)]])
    final = Grid(torch.tensor([[2], [1]] * 40), torch.tensor([True] * 80))
    generator = torch.Generator().manual_seed(0)
    proposal = propose(env, policy, final, condition(80), 1, generator)
    found: dict[tuple[int, int], tuple[float, bool]] = {}
    for row, end in enumerate(proposal.new.final_states.coordinate[:, 0].tolist()):
        found[int(final.coordinate[row, 0]), end] = (
            round(math.exp(proposal.log_ratio[row].item()), 5),
            bool(proposal.is_reversible[row]),
        )
    assert found == {
        (2, 2): (1.0, True),
        # From 2 back to 1, and stop there: 2/3 against 1/3; one transition back from 1 is 0, not 1.
        (2, 1): (2.0, False),
        (1, 1): (1.0, True),
        # From 1 back to 0, and stop: 3/4 · 1/3 against 1/4.
        (1, 0): (1.0, True),
        # From 1 back to 0, and on to 2: 1/3 against 2/3; one transition back from 2 is 1, not 0.
        (1, 2): (0.5, False),
    }


def log_probability(env: AnyEnv, policy: Policy, path: Any, row: int, n_head: int) -> tuple[float, float]:
    """log P_F under the exploring behaviour and log P_B of one trajectory after its head, step by step."""
    ahead = back = 0.0
    for time in range(n_head, int(path.n_steps[row])):
        before, after = path.states[time][row : row + 1], path.states[time + 1][row : row + 1]
        acting = EXPLORE(policy(before, condition(1)).forward).log_probs[0]
        ahead += acting[path.actions[time, row]].item()
        if not env.is_terminal(after):
            undoing = policy(after, condition(1)).backward.log_probs[0]
            back += undoing[path.back_actions[time, row]].item()
    return ahead, back


@pytest.mark.parametrize("name", ["grid", "slots", "points"])
def test_ratio_is_the_sum_along_both_ends(three_fragments: Vocabulary, name: str) -> None:
    env = small(name, three_fragments)
    policy, proposal = ByResult(env), some_proposal(env, 2, n=24)
    for row in range(24):
        n_head = max(0, int(proposal.old.n_steps[row]) - 3)
        old_ahead, old_back = log_probability(env, policy, proposal.old, row, n_head)
        new_ahead, new_back = log_probability(env, policy, proposal.new, row, n_head)
        expected = old_ahead + new_back - new_ahead - old_back
        assert proposal.log_ratio[row].item() == pytest.approx(expected, abs=1e-4)


def test_all_of_a_short_path_is_taken_back() -> None:
    proposal = some_proposal(Slots(3, 2), 50)
    assert bool(proposal.is_reversible.all())
    assert not proposal.new.log_behaviour.isnan().any()


def test_no_objects_no_proposals(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    policy = GraphPolicy(env, GraphTransformer(env.sizes, 0, 16, 1, 2), learn_backward=True)
    proposal = propose(env, policy, env.initial(0), condition(0), 2, torch.Generator())
    assert len(proposal.new.final_states) == len(proposal.log_ratio) == len(proposal.is_reversible) == 0


def test_taking_nothing_back_is_an_error() -> None:
    with pytest.raises(ConfigError, match="n_back = 0 transitions; it must be at least 1"):
        some_proposal(Slots(3, 2), 0)


OLD = torch.tensor([0.0, 0.0, 0.0, 0.0, -math.inf, math.nan])
NEW = torch.tensor([1.0, 0.0, -1.0, math.nan, 0.0, 0.0])


def verdict(rule: str, log_ratio: float = 0.0, is_reversible: bool = True) -> list[bool]:
    ratio, reversible = torch.full((6,), log_ratio), torch.full((6,), is_reversible)
    verdicts: list[bool] = ACCEPTANCE[rule](OLD, NEW, ratio, reversible, torch.Generator()).tolist()
    return verdicts


def test_rules_by_hand() -> None:
    assert verdict("deterministic") == [True, True, False, False, True, True]
    assert verdict("always", is_reversible=False) == [True, True, True, False, True, True]
    assert verdict("metropolis", log_ratio=1.0) == [True, True, True, False, True, True]
    assert verdict("metropolis", log_ratio=-200.0) == [False, False, False, False, True, True]
    assert verdict("metropolis", is_reversible=False) == [False] * 6


def test_metropolis_accepts_as_often_as_the_ratio_says() -> None:
    n = 40_000
    zeros = torch.zeros(n)
    generator = torch.Generator().manual_seed(0)
    kept = ACCEPTANCE["metropolis"](zeros, zeros - 1.0, zeros + 0.5, zeros == 0.0, generator)
    # Five standard deviations of a frequency of exp(-1/2) are 5 sqrt(0.24 / 40000) = 0.012.
    assert kept.double().mean().item() == pytest.approx(math.exp(-0.5), abs=0.012)
