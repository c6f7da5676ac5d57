from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.environment import Environment
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.data.building import RewardRule, build_dataset
from fluvial.data.columns import Row
from fluvial.data.dataset import Dataset, nothing_asked, text_hashes
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sets import Sets
from fluvial.policy.uniform import UniformPolicy
from fluvial.policy.vector import VectorPolicy
from fluvial.sample.rollout import retrace, rollout
from fluvial.sample.score import score
from fluvial.testing.slots import Slots

ENVIRONMENTS = ["fragments", "hypergrid", "graphs", "sequences", "sets", "slots"]


@pytest.fixture(params=ENVIRONMENTS)
def env(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> Environment[Any]:
    kinds: dict[str, Environment[Any]] = {
        "fragments": Fragments(three_fragments, 4),
        "hypergrid": Hypergrid(2, 6),
        "graphs": Graphs(node_types=2, edge_types=1, max_nodes=4),
        "sequences": Sequences("ACGT", 5, order="insert"),
        "sets": Sets(7, 4),
        "slots": Slots(3, 3),
    }
    return kinds[request.param]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(env: Environment[Any], n: int = 40) -> tuple[Dataset, list[str]]:
    """A data set of random objects, of which number i has reward 1 + i, and their texts."""
    condition = nothing_asked(n)
    drawn = env.decode(rollout(env, UniformPolicy(env), condition, generator()).final_states)
    texts = list(dict.fromkeys(drawn))
    rows = [Row(f"line {number}", text, 1.0 + number) for number, text in enumerate(texts)]
    dataset, report = build_dataset(env, [rows[:7], rows[7:]], RewardRule())
    assert report.n_duplicates == 0
    return dataset, texts


def grid_dataset(n: int = 36) -> Dataset:
    rows = [Row("", f"{place // 6},{place % 6}", 1.0 + place) for place in range(n)]
    return build_dataset(Hypergrid(2, 6), [rows], RewardRule())[0]


def test_objects_come_back(env: Environment[Any]) -> None:
    dataset, texts = made(env)
    assert len(dataset) == len(texts) >= 6
    states = dataset.objects(env, torch.arange(len(dataset)))
    assert env.is_terminal(states).all()
    assert env.decode(states) == texts
    assert torch.equal(env.key(states), dataset.key)
    assert dataset.actions.dtype == torch.int32
    assert env.decode(dataset.objects(env, torch.tensor([3, 0, 3]))) == [texts[3], texts[0], texts[3]]


def test_trajectories_end_in_the_objects(env: Environment[Any]) -> None:
    dataset, texts = made(env)
    slots = dataset.draw(64, generator())
    condition = nothing_asked(64)
    trajectories = dataset.trajectories(env, None, slots, condition, generator())
    assert env.decode(trajectories.final_states) == [texts[slot] for slot in slots.tolist()]
    assert trajectories.origin.tolist() == [Origin.DATA] * 64
    assert torch.allclose(trajectories.log_reward, (1.0 + slots).log())
    symmetry = env.log_symmetry(trajectories.final_states).float()
    assert torch.equal(trajectories.log_symmetry, symmetry)
    assert env.is_initial(trajectories.states[0]).all()
    assert trajectories.values.shape == (64, 0)


def test_ways_are_drawn_uniformly() -> None:
    env = Hypergrid(2, 4)
    dataset, _ = build_dataset(env, [[Row("", "2,1", 1.0)]], RewardRule())
    n = 3000
    slots = torch.zeros(n, dtype=torch.int64)
    trajectories = dataset.trajectories(env, None, slots, nothing_asked(n), generator())
    ways = Counter(map(tuple, trajectories.actions.T.tolist()))
    # The last move back is along the first axis or the second with probability 1/2 each; then 1/2 again from 1,1.
    expected = {(1, 1, 2, 0): 0.5, (2, 1, 1, 0): 0.25, (1, 2, 1, 0): 0.25}
    assert {way: round(count / n, 1) for way, count in ways.items()} == {
        way: pytest.approx(share, abs=0.06) for way, share in expected.items()
    }


def test_a_learned_backward_policy_draws_the_ways() -> None:
    env = Hypergrid(2, 4)
    policy = VectorPolicy(env, 0, width=8, layers=1, learn_backward=True)
    bias = policy.net[-1].bias
    with torch.no_grad():
        bias[env.n_actions + 1] = 60.0  # always back along the first axis while there is a choice
    dataset, _ = build_dataset(env, [[Row("", "2,1", 1.0)]], RewardRule())
    slots = torch.zeros(50, dtype=torch.int64)
    trajectories = dataset.trajectories(env, policy, slots, nothing_asked(50), generator())
    assert trajectories.actions.T.tolist() == [[2, 1, 1, 0]] * 50


def test_data_and_fresh_trajectories_are_learned_from_together(env: Environment[Any]) -> None:
    dataset, _ = made(env)
    policy, condition = UniformPolicy(env), nothing_asked(5)
    fresh = rollout(env, policy, condition, generator())
    given = dataset.trajectories(env, policy, dataset.draw(5, generator()), condition, generator())
    both = Trajectories.cat([fresh, given])
    assert both.origin.tolist() == [Origin.POLICY] * 5 + [Origin.DATA] * 5
    scores = score(policy, both)
    assert scores.log_pf.sum(dim=0).isfinite().all()
    assert scores.log_pb.sum(dim=0).isfinite().all()


def test_beta_sharpens_the_target() -> None:
    dataset, slots = grid_dataset(), torch.tensor([4, 9])
    nothing = torch.zeros(2, 0)
    condition = Condition(nothing, torch.tensor([1.0, 3.0]), nothing, nothing)
    trajectories = dataset.trajectories(Hypergrid(2, 6), None, slots, condition, generator())
    assert trajectories.log_reward.tolist() == pytest.approx([math.log(5), 3 * math.log(10)])


def test_preferences_weigh_the_terms() -> None:
    rows = [Row("", "0,1", None, {"a": "2", "b": 4}), Row("", "1,1", None, {"a": 3.0, "b": None})]
    env = Hypergrid(2, 3)
    dataset, report = build_dataset(env, [rows], RewardRule(terms=("a", "b")))
    assert dataset.values[0].tolist() == [2.0, 4.0]
    assert report.n_without_reward == 2
    nothing, weights = torch.zeros(2, 0), torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    condition = Condition(nothing, torch.ones(2), weights, nothing)
    trajectories = dataset.trajectories(env, None, torch.arange(2), condition, generator())
    assert trajectories.log_reward[0].item() == pytest.approx(math.log(3.5))
    assert trajectories.log_reward[1].isnan()
    # Without terms, what was asked for is not known.
    plain = grid_dataset().trajectories(Hypergrid(2, 6), None, torch.arange(2), condition, generator())
    assert plain.log_reward.isnan().all()


def test_unknown_rewards_are_nan() -> None:
    env = Hypergrid(2, 3)
    dataset, _ = build_dataset(env, [[Row("", "0,1"), Row("", "1,1", 2.0)]], RewardRule())
    trajectories = dataset.trajectories(env, None, torch.arange(2), nothing_asked(2), generator())
    assert trajectories.log_reward.isnan().tolist() == [True, False]


def test_an_epoch_in_order() -> None:
    dataset = grid_dataset()
    assert [slots.tolist() for slots in dataset.select(torch.arange(5)).in_order(2)] == [[0, 1], [2, 3], [4]]
    assert torch.cat(list(dataset.in_order(7))).tolist() == list(range(36))
    assert list(dataset.select(torch.arange(0)).in_order(2)) == []


def test_draws_are_uniform_and_repeatable() -> None:
    dataset = grid_dataset(4)
    slots = dataset.draw(8000, generator(5))
    assert torch.equal(slots, dataset.draw(8000, generator(5)))
    assert (slots.bincount() / 8000).tolist() == pytest.approx([0.25] * 4, abs=0.02)
    with pytest.raises(ValueError, match="empty data set"):
        dataset.select(torch.arange(0)).draw(1, generator())


def test_the_split_goes_by_the_text_alone() -> None:
    env = Hypergrid(2, 50)
    texts = [f"{x},{y}" for x in range(50) for y in range(20)]

    def held_out(order: list[str], seed: int = 0) -> set[str]:
        dataset, _ = build_dataset(env, [[Row("", text, 1.0) for text in order]], RewardRule())
        learned, kept = dataset.split(0.2, seed)
        assert len(learned) + len(kept) == len(order)
        assert not set(learned.key.tolist()) & set(kept.key.tolist())
        return set(env.decode(kept.objects(env, torch.arange(len(kept)))))

    full = held_out(texts)
    assert len(full) == pytest.approx(200, abs=45)  # 1000 * 0.2; three standard deviations are 38
    assert held_out(texts[::-1]) == full
    assert held_out(texts[:300]) == full & set(texts[:300])
    assert held_out(texts, seed=1) != full


def test_splits_of_nothing_and_of_all() -> None:
    dataset = grid_dataset()
    assert [len(part) for part in dataset.split(0.0)] == [36, 0]
    assert [len(part) for part in dataset.split(1.0)] == [0, 36]


def test_hashes_are_those_of_blake2b() -> None:
    # hashlib.blake2b(b"", digest_size=8) is e4a6a0577479b2b4, read from its low end.
    assert text_hashes([""]).tolist() == [
        int.from_bytes(bytes.fromhex("e4a6a0577479b2b4"), "little", signed=True)
    ]
    assert text_hashes([]).shape == (0,)


def test_the_stored_ways_are_legal_and_padded() -> None:
    env = Hypergrid(2, 6)
    dataset = grid_dataset()
    assert dataset.actions.shape == (11, 36)
    assert dataset.n_steps.tolist() == [1 + place // 6 + place % 6 for place in range(36)]
    states = retrace(env, dataset.actions.long(), dataset.n_steps)
    assert env.decode(states)[35] == "5,5"
    assert dataset.actions[1:, 0].eq(0).all()
