from __future__ import annotations

import math

import pytest
import torch

from fluvial.chem.vocabulary import Fragment, Vocabulary, load_vocabulary
from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.core.environment import Found
from fluvial.core.errors import ConfigError, IllegalActionError
from fluvial.envs.fragments.environment import Fragments
from fluvial.metrics.exact import backward_weights, uniform_log_pb
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout, retrace, rollout
from fluvial.testing.check_env import check_env

# Two of the three free atoms of phloroglucinol's ring are listed: the list is not closed under its symmetry.
OPEN_LIST = Vocabulary("open", (Fragment("Oc1cc(O)cc(O)c1", (2, 5)), Fragment("CC", (0, 1))))


@pytest.mark.parametrize("merge", [True, False])
def test_molecules_of_at_most_two_and_three_fragments(three_fragments: Vocabulary, merge: bool) -> None:
    for size, molecules in ((2, 9), (3, 33)):
        env = Fragments(three_fragments, size, merge_symmetric=merge)
        graph = enumerate_states(env)
        texts = env.decode(graph.states[graph.is_terminal])
        assert len(texts) == len(set(texts)) == molecules


@pytest.mark.parametrize(("size", "graphs"), [(2, 48), (3, 1344)])
def test_graphs_that_tell_each_attachment_atom_apart(size: int, graphs: int) -> None:
    # Isotopes break every symmetry of the fragments, so each attachment atom is a class of its own.
    vocabulary = Vocabulary(
        "marked",
        (
            Fragment("F", (0,)),
            Fragment("[13CH3]C", (0, 1)),
            Fragment("[13cH]1[14cH][15cH][16cH][17cH][18cH]1", (0, 1, 2, 3, 4, 5)),
        ),
    )
    graph = enumerate_states(Fragments(vocabulary, size))
    assert int(graph.is_terminal.sum()) == graphs


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("vocabulary_name", ["three", "open"])
def test_every_object_has_weight_one_after_the_correction(
    three_fragments: Vocabulary, merge: bool, vocabulary_name: str
) -> None:
    vocabulary = three_fragments if vocabulary_name == "three" else OPEN_LIST
    env = Fragments(vocabulary, 3, merge_symmetric=merge)
    graph = enumerate_states(env, identity=labelled_identity)
    weight = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    final = graph.states[graph.is_terminal]
    key = env.key(final).tolist()
    total: dict[int, float] = {}
    for identity, value in zip(key, weight.tolist(), strict=True):
        total[identity] = total.get(identity, 0.0) + value
    corrected = [math.exp(value) for value in env.log_symmetry(final).tolist()]
    for identity, factor in zip(key, corrected, strict=True):
        assert abs(total[identity] * factor - 1.0) < 1e-9


def test_uncorrected_weights_are_those_of_the_theory(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 2, merge_symmetric=False)
    graph = enumerate_states(env)
    final = graph.states[graph.is_terminal]
    by_text = dict(zip(env.decode(final), (-env.log_symmetry(final)).exp().tolist(), strict=True))
    # Biphenyl: 6 x 6 pairs of atoms, halved by the exchange of the rings. Their sum is Z of the naive scheme.
    assert by_text["c1ccc(-c2ccccc2)cc1"] == pytest.approx(18.0)
    assert by_text["FF"] == pytest.approx(0.5)
    assert sum(by_text.values()) == pytest.approx(43.5)


@pytest.mark.parametrize("merge", [True, False])
def test_contract_on_small_environments(three_fragments: Vocabulary, merge: bool) -> None:
    check_env(Fragments(three_fragments, 3, merge_symmetric=merge), n_trajectories=64)
    check_env(Fragments(OPEN_LIST, 3, merge_symmetric=merge), n_trajectories=64)


def test_contract_with_a_minimum_size(three_fragments: Vocabulary) -> None:
    report = check_env(Fragments(three_fragments, 4, min_fragments=3), n_trajectories=64)
    assert report.longest_walk == 8


def test_contract_on_the_default_vocabulary() -> None:
    check_env(Fragments(load_vocabulary("default"), 6), n_trajectories=96)


def test_no_molecule_is_smaller_than_asked(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 5, min_fragments=4)
    made = rollout(env, UniformPolicy(env), Conditions().fixed(500, 1.0), torch.Generator().manual_seed(0))
    sizes = made.final_states.n_nodes
    assert int(sizes.min()) == 4
    assert int(sizes.max()) == 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_fragments": 0}, "1 <= min <= max"),
        ({"max_fragments": 2, "min_fragments": 3}, "1 <= min <= max"),
    ],
)
def test_limits_out_of_range(three_fragments: Vocabulary, arguments: dict[str, int], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Fragments(three_fragments, **arguments)


def test_minimum_that_no_molecule_can_reach() -> None:
    with pytest.raises(ConfigError, match="no fragment of vocabulary 'ends' has two attachment points"):
        Fragments(Vocabulary("ends", (Fragment("F", (0,)), Fragment("Cl", (0,)))), 5, min_fragments=3)


def test_number_of_constructions_is_the_number_of_backward_action_sequences(
    three_fragments: Vocabulary,
) -> None:
    env = Fragments(three_fragments, 4)
    graph = enumerate_states(env)
    count = [0] * len(graph.states)
    rows = {key: row for row, key in enumerate(graph.identity.tolist())}
    for row in range(len(graph.states)):
        state = graph.states[row : row + 1]
        if bool(env.is_initial(state)):
            count[row] = 1
            continue
        for action in env.back_mask(state)[0].nonzero().flatten():
            count[row] += count[rows[int(env.key(env.step_back(state, action[None])))]]
    assert env.log_n(graph.states).exp().round().long().tolist() == count


def test_replayed_actions_build_the_same_objects() -> None:
    env = Fragments(load_vocabulary("default"), 6)
    generator = torch.Generator().manual_seed(1)
    made = rollout(env, UniformPolicy(env), Conditions().fixed(200, 1.0), generator)
    again = retrace(env, made.actions, made.n_steps)
    for mine, theirs in zip(again.tensors(), made.final_states.tensors(), strict=True):
        assert torch.equal(mine, theirs)


def test_actions_of_another_environment_are_refused(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    with pytest.raises(IllegalActionError, match="action 0 at step 0 of stored trajectory 1"):
        retrace(env, torch.tensor([[1, 0], [0, 0]]), torch.tensor([2, 1]))


def test_backward_trajectories_are_legal_both_ways_and_end_in_the_object() -> None:
    env = Fragments(load_vocabulary("default"), 6)
    generator = torch.Generator().manual_seed(2)
    made = rollout(env, UniformPolicy(env), Conditions().fixed(100, 1.0), generator)
    back = backward_rollout(env, None, made.final_states, made.condition, generator)
    assert torch.equal(env.key(back.final_states), env.key(made.final_states))
    assert bool(env.is_initial(back.states[0]).all())
    for time in range(len(back.actions)):
        live = back.mask[time]
        before, after = back.states[time][live], back.states[time + 1][live]
        actions, back_actions = back.actions[time][live], back.back_actions[time][live]
        assert bool(env.mask(before).gather(1, actions[:, None]).all())
        assert bool(env.back_mask(after).gather(1, back_actions[:, None]).all())
        assert torch.equal(env.key(env.step(before, actions)), env.key(after))


def test_encoding_says_what_it_found(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    encoded = env.encode(["Fc1ccccc1", "CCCC", "O", "not a molecule", "CCCCCCCC"])
    assert encoded.found.tolist() == [Found.ONE, Found.ONE, Found.NONE, Found.INVALID, Found.NONE]
    assert env.decode(encoded.states[:2]) == ["Fc1ccccc1", "CCCC"]


def test_a_molecule_with_several_covers_says_so() -> None:
    env = Fragments(
        Vocabulary("chains", (Fragment("CC", (0, 1)), Fragment("CCC", (0, 2)), Fragment("C", (0, 0)))), 3
    )
    encoded = env.encode(["CCC", "CCCCCCCCC"])
    assert encoded.found.tolist() == [Found.SEVERAL, Found.ONE]
