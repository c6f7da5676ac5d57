"""Words by hand, by brute force and by the checker."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Found
from fluvial.core.errors import ConfigError
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sequences.orders import ORDERS
from fluvial.envs.sequences.state import Tokens
from fluvial.metrics.exact import backward_weights, exact_flows, exact_log_probability, uniform_log_pb
from fluvial.testing.check_env import check_env

NAMES = list(ORDERS)


def words(env: Sequences, *texts: str) -> Tokens:
    """Unfinished states of texts of any length."""
    read = [env.alphabet.read(text) or [] for text in texts]
    rows = [numbers + [0] * (env.max_length - len(numbers)) for numbers in read]
    length = torch.tensor([len(numbers) for numbers in read], dtype=torch.int64)
    return env.unfinished(torch.tensor(rows, dtype=torch.int16).reshape(-1, env.max_length), length)


def children(env: Sequences, text: str) -> dict[int, str]:
    """Action to the word that it makes."""
    actions = env.mask(words(env, text))[0].nonzero()[:, 0]
    after = env.step(words(env, *[text] * len(actions)), actions)
    return {a: t for a, t in zip(actions.tolist(), env.decode(after), strict=True) if a > 0}


def parents(env: Sequences, text: str) -> dict[int, str]:
    """Backward action to the word that it leaves."""
    back_actions = env.back_mask(words(env, text))[0].nonzero()[:, 0]
    before = env.step_back(words(env, *[text] * len(back_actions)), back_actions)
    return dict(zip(back_actions.tolist(), env.decode(before), strict=True))


@pytest.mark.parametrize("order", NAMES)
@pytest.mark.parametrize(
    ("alphabet", "max_length", "min_length"),
    [("ab", 3, 1), ("ab", 4, 0), (["00", "01", "1"], 3, 3), ("a", 3, 2), ("abc", 3, 1), ("ab", 1, 0)],
)
def test_contract_and_counts(order: str, alphabet: list[str], max_length: int, min_length: int) -> None:
    report = check_env(Sequences(alphabet, max_length, min_length, order), n_trajectories=32)
    counts = [len(alphabet) ** length for length in range(max_length + 1)]
    assert report.is_exhaustive
    assert report.n_terminal == sum(counts[min_length:])
    assert report.n_states == sum(counts) + report.n_terminal
    assert report.longest_walk == max_length + 1


@pytest.mark.parametrize("order", NAMES)
def test_contract_of_a_larger_space(order: str) -> None:
    report = check_env(Sequences("ACDEFGHIKLMNPQRSTVWY", 12, 4, order), 64, enumerable_limit=1000)
    assert not report.is_exhaustive


def test_sizes() -> None:
    sizes = [(env.n_actions, env.n_back_actions) for env in (Sequences("abc", 4, 1, o) for o in NAMES)]
    assert sizes == [(1 + 3, 1 + 1), (1 + 6, 1 + 2), (1 + 12, 1 + 4)]
    env = Sequences("abc", 4)
    assert (env.max_steps, env.observation_width, env.min_length) == (5, 12, 1)


def test_append() -> None:
    env = Sequences("ab", 3)
    assert children(env, "") == {1: "a", 2: "b"}
    assert children(env, "ab") == {1: "aba", 2: "abb"}
    assert children(env, "abb") == {}
    assert parents(env, "ab") == {1: "a"}
    assert parents(env, "") == {}


def test_both_ends() -> None:
    env = Sequences("ab", 3, 1, "both_ends")
    assert children(env, "") == {1: "a", 2: "b"}
    assert children(env, "aa") == {1: "aaa", 2: "aab", 4: "baa"}
    assert children(env, "ab") == {1: "aba", 2: "abb", 3: "aab", 4: "bab"}
    assert parents(env, "a") == {1: ""}
    assert parents(env, "aaa") == {1: "aa"}
    assert parents(env, "aab") == {1: "aa", 2: "ab"}


def test_insert() -> None:
    env = Sequences("ab", 3, 1, "insert")
    assert children(env, "") == {1: "a", 2: "b"}
    # Place 0: 1, 2; place 1: 3, 4; place 2: 5, 6. A symbol goes before its like, never behind.
    assert children(env, "ab") == {1: "aab", 2: "bab", 4: "abb", 5: "aba"}
    assert parents(env, "aab") == {1: "ab", 3: "aa"}
    assert parents(env, "aba") == {1: "ba", 2: "aa", 3: "ab"}


@pytest.mark.parametrize("order", NAMES)
def test_each_word_is_made_once_in_every_way(order: str) -> None:
    env = Sequences("abc", 4, 1, order)

    def grown(word: str) -> set[str]:
        places = {"append": [len(word)], "both_ends": [0, len(word)], "insert": range(len(word) + 1)}
        return {word[:place] + symbol + word[place:] for place in places[order] for symbol in "abc"}

    made: dict[str, set[str]] = {}
    for word in ("".join(symbols) for size in range(4) for symbols in product("abc", repeat=size)):
        found = list(children(env, word).values())
        assert len(found) == len(set(found))
        assert set(found) == grown(word)
        for child in found:
            made.setdefault(child, set()).add(word)
    for child, sources in made.items():
        found = list(parents(env, child).values())
        assert len(found) == len(set(found))
        assert set(found) == sources


def test_stop_needs_the_least_length() -> None:
    env = Sequences("ab", 4, 2)
    assert env.mask(words(env, "", "a", "ab", "abab"))[:, 0].tolist() == [False, False, True, True]
    assert Sequences("ab", 4, 0).mask(words(env, ""))[0].tolist() == [True, True, True]


@pytest.mark.parametrize("order", NAMES)
def test_uniform_backward_flow_samples_in_proportion_to_the_reward(order: str) -> None:
    env = Sequences("ab", 5, 2, order)
    graph = enumerate_states(env)
    assert int(graph.is_terminal.sum()) == 4 + 8 + 16 + 32
    log_reward = torch.randn(len(graph), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    log_z = log_reward[graph.is_terminal].logsumexp(dim=0)
    assert flows.log_z == pytest.approx(log_z.item(), abs=1e-12)
    log_p = exact_log_probability(graph, flows.log_pf)[graph.is_terminal]
    torch.testing.assert_close(log_p, log_reward[graph.is_terminal] - log_z)


@pytest.mark.parametrize("order", NAMES)
def test_every_weight_is_one_although_ways_are_equivalent(order: str) -> None:
    env = Sequences("abc", 4, 0, order)
    graph = enumerate_states(env)
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    symmetry = env.log_symmetry(graph.states[graph.is_terminal]).exp()
    assert len(weights) == 1 + 3 + 9 + 27 + 81
    assert (weights * symmetry - 1.0).abs().max() < 1e-9


def test_one_trajectory_for_each_word_that_is_appended_to() -> None:
    graph = enumerate_states(Sequences("ACGT", 5, 5))
    assert graph.n_edges == 4 + 16 + 64 + 256 + 1024 + 1024
    assert int(graph.is_terminal.sum()) == 1024


def test_texts() -> None:
    env = Sequences(["00", "01", "1"], 3, 2)
    encoded = env.encode(["0001", "11", "1", "11111", "", "0", "0x1", "10100", "?! no object"])
    one, none, invalid = int(Found.ONE), int(Found.NONE), int(Found.INVALID)
    assert encoded.found.tolist() == [one, one, none, none, none, invalid, invalid, one, invalid]
    assert encoded.states.token.tolist() == [[1, 2, 0], [3, 3, 0], *[[0, 0, 0]] * 5, [3, 2, 1], [0, 0, 0]]
    assert encoded.states.length.tolist() == [2, 2, 0, 0, 0, 0, 0, 3, 0]
    assert encoded.states.is_done.tolist() == [True, True, *[False] * 5, True, False]
    assert env.decode(encoded.states) == ["0001", "11", *[""] * 5, "10100", ""]
    assert len(env.encode([]).states) == 0


def test_the_empty_word_is_an_object_where_length_0_is_allowed() -> None:
    env = Sequences("ab", 2, 0)
    encoded = env.encode([""])
    assert encoded.found.tolist() == [int(Found.ONE)]
    assert encoded.states.is_done.tolist() == [True]
    assert env.is_initial(encoded.states).tolist() == [False]


def test_observation() -> None:
    env = Sequences("ab", 3)
    assert env.observe(words(env, "ba", "")).tolist() == [[0.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 6]


def test_keys_tell_all_words_apart() -> None:
    env = Sequences("ACGT", 6, 1)
    graph = enumerate_states(env)
    assert len(set(graph.identity.tolist())) == len(graph) == 2 * 5461 - 1


@pytest.mark.parametrize(
    ("max_length", "min_length", "order", "message"),
    [
        (0, 0, "append", "max_length is 0; it must be at least 1"),
        (3, 4, "append", "min_length is 4; it must be from 0 to max_length = 3"),
        (3, -1, "append", "min_length is -1"),
        (3, 1, "prepend", "order is 'prepend'; it must be one of append, both_ends, insert"),
    ],
)
def test_bad_arguments(max_length: int, min_length: int, order: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Sequences("ab", max_length, min_length, order)


@pytest.mark.parametrize("order", NAMES)
def test_tensors_stay_on_the_device_of_the_states(order: str) -> None:
    # The meta device refuses to meet tensors of another one.
    env = Sequences("ab", 3, 1, order)
    states = env.initial(3, device="meta")
    actions = torch.zeros(3, dtype=torch.int64, device="meta")
    after = env.step(states, actions)
    results = [
        *after.tensors(),
        *env.step_back(after, env.undo(states, actions, after)).tensors(),
        *env.words(states),
        env.mask(states),
        env.back_mask(after),
        env.redo(states, actions, after),
        env.is_terminal(after),
        env.is_initial(after),
        env.observe(states),
        env.places(states.length),
        env.key(after),
        env.log_symmetry(after),
    ]
    assert {tensor.device.type for tensor in results} == {"meta"}
