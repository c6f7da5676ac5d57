from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary, load_vocabulary
from fluvial.core.types import Condition
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.fragments.state import Tree
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout


def random_policy(env: Fragments, condition_width: int = 0) -> GraphPolicy:
    torch.manual_seed(0)
    policy = GraphPolicy(env, GraphTransformer(env.sizes, condition_width, 32, 2, 4), learn_backward=True)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return policy.double().eval()


def visited(env: Fragments, n: int) -> Tree:
    made = rollout(env, UniformPolicy(env), Conditions().fixed(n, 1.0), torch.Generator().manual_seed(0))
    states = made.states[:-1].flatten()[made.mask.flatten()]
    return states[states.n_nodes > 1]


def permuted(states: Tree, order: Tensor, n_points: int) -> Tree:
    """The same trees with old node order[b, i] as new node i."""
    rows = torch.arange(len(states))[:, None]
    place = (states.anchor - 1).clamp_min(0)
    node = order.argsort(dim=1).gather(1, (place // n_points)[:, None]).squeeze(1)
    anchor = torch.where(states.anchor > 0, 1 + node * n_points + place % n_points, 0)
    return Tree(
        states.fragment[rows, order],
        states.point[rows[:, :, None], order[:, :, None], order[:, None, :]],
        anchor,
        states.is_done,
    )


def shuffled_nodes(states: Tree) -> Tensor:
    """A random numbering of each tree's nodes, empty places last."""
    torch.manual_seed(1)
    noise = torch.rand(states.fragment.shape) + 10.0 * (states.fragment == 0)
    return noise.argsort(dim=1)


def test_numbering_of_nodes_does_not_matter() -> None:
    env = Fragments(load_vocabulary("default"), 6)
    policy, states = random_policy(env), visited(env, 200)
    order = shuffled_nodes(states)
    condition = Condition(*(part.double() for part in Conditions().fixed(len(states), 1.0).tensors()))
    mine, theirs = policy(states, condition), policy(permuted(states, order, env.n_points), condition)

    first, size = 1 + env.n_fragments, env.max_fragments * env.n_points
    grid = mine.forward.log_probs[:, first : first + size].unflatten(1, (env.max_fragments, env.n_points))
    moved = theirs.forward.log_probs[:, first : first + size].unflatten(1, (env.max_fragments, env.n_points))
    expected = grid.gather(1, order[:, :, None].expand_as(grid))
    assert torch.allclose(moved.exp(), expected.exp(), atol=1e-12)
    for part in (slice(0, first), slice(first + size, None)):
        assert torch.allclose(
            theirs.forward.log_probs[:, part].exp(), mine.forward.log_probs[:, part].exp(), atol=1e-12
        )
    back = mine.backward.log_probs
    assert torch.allclose(theirs.backward.log_probs[:, :2].exp(), back[:, :2].exp(), atol=1e-12)
    assert torch.allclose(
        theirs.backward.log_probs[:, 2:].exp(), back[:, 2:].gather(1, order).exp(), atol=1e-12
    )
    assert torch.allclose(theirs.log_flow, mine.log_flow, atol=1e-12)


def test_equivalent_attachment_points_do_not_matter(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 4)
    policy = random_policy(env)
    # Fluorine, ethane and benzene around one ring in two notations that a rotation and a reflection exchange.
    point = torch.zeros(2, 4, 4, dtype=torch.int64)
    for row, places in enumerate(([1, 2, 4], [3, 2, 6])):
        for neighbour, place in enumerate(places, start=1):
            point[row, 0, neighbour], point[row, neighbour, 0] = place, 1
    fragment = torch.tensor([[3, 1, 2, 3]]).expand(2, -1).clone()
    states = Tree(fragment, point, torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.bool))
    assert len(set(env.key(states).tolist())) == 1
    condition = Condition(*(part.double() for part in Conditions().fixed(2, 1.0).tensors()))
    output = policy(states, condition)
    assert torch.allclose(output.log_flow[0], output.log_flow[1], atol=1e-12)
    assert torch.allclose(output.backward.log_probs[0].exp(), output.backward.log_probs[1].exp(), atol=1e-12)
    stop, other = output.forward.log_probs[0], output.forward.log_probs[1]
    assert torch.allclose(stop[:1], other[:1], atol=1e-12)
    assert torch.allclose(stop.exp().sort().values, other.exp().sort().values, atol=1e-12)


def test_ortho_meta_and_para_are_told_apart(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    policy = random_policy(env)
    point = torch.zeros(3, 3, 3, dtype=torch.int64)
    for row, place in enumerate((2, 3, 4)):
        point[row, 0, 1], point[row, 1, 0], point[row, 0, 2], point[row, 2, 0] = 1, 1, place, 1
    states = Tree(
        torch.tensor([[3, 1, 2]]).expand(3, -1).clone(),
        point,
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.bool),
    )
    condition = Condition(*(part.double() for part in Conditions().fixed(3, 1.0).tensors()))
    flows = policy(states, condition).log_flow.tolist()
    assert len({round(flow, 6) for flow in flows}) == 3


def test_other_rows_and_padding_change_nothing() -> None:
    env = Fragments(load_vocabulary("default"), 6)
    policy, states = random_policy(env), visited(env, 20)
    condition = Condition(*(part.double() for part in Conditions().fixed(len(states), 1.0).tensors()))
    together = policy(states, condition).forward.log_probs
    for row in (0, len(states) // 2, len(states) - 1):
        alone = policy(states[row : row + 1], condition[torch.tensor([row])]).forward.log_probs
        assert torch.allclose(alone[0].exp(), together[row].exp(), atol=1e-12)


@pytest.mark.parametrize("learn_backward", [True, False])
def test_gradient_reaches_every_head_that_is_learned(
    three_fragments: Vocabulary, learn_backward: bool
) -> None:
    env = Fragments(three_fragments, 4)
    torch.manual_seed(0)
    policy = GraphPolicy(env, GraphTransformer(env.sizes, 3, 16, 1, 2), learn_backward)
    states = Tree.cat([env.initial(1), visited(env, 200)])
    nothing = torch.zeros(len(states), 0)
    condition = Condition(torch.rand(len(states), 3), torch.ones(len(states)), nothing, nothing)
    output = policy(states, condition)
    backward = output.backward.log_probs.masked_fill(~output.backward.mask, 0.0)
    forward = output.forward.log_probs.masked_fill(~output.forward.mask, 0.0)
    (forward.square().sum() + backward.square().sum() + output.log_flow.sum()).backward()
    silent = [
        name
        for name, parameter in policy.named_parameters()
        if parameter.grad is None or not bool((parameter.grad != 0).any())
    ]
    # Undoing the stop and releasing the anchor are never one of several choices, and a number that is
    # added to all leaves alike changes no probability.
    no_choice = ("backward_heads.heads.0.", "backward_heads.heads.1.", "backward_heads.heads.2.out.bias")
    assert [name for name in silent if not name.startswith(no_choice)] == []


def test_the_condition_changes_the_policy(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    policy = random_policy(env, condition_width=2)
    nothing = torch.zeros(2, 0, dtype=torch.float64)
    encoding = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    output = policy(env.initial(2), Condition(encoding, torch.ones(2), nothing, nothing))
    assert not torch.allclose(output.forward.log_probs[0].exp(), output.forward.log_probs[1].exp())
