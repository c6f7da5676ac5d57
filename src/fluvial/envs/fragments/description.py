"""Between trees as tensors and trees as plain descriptions, which chemistry reads."""

from __future__ import annotations

from torch import Tensor

from fluvial.chem.assembly import FragmentTree
from fluvial.envs.fragments.state import Tree


def describe_trees(states: Tree) -> list[FragmentTree]:
    """Plain descriptions of the molecules, an anchor left out."""
    rows = zip(states.fragment.tolist(), states.point.tolist(), strict=True)
    return [_describe(fragment, point) for fragment, point in rows]


def _describe(fragment: list[int], point: list[list[int]]) -> FragmentTree:
    size = sum(number > 0 for number in fragment)
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size) if point[i][j]]
    bonds = tuple((i, point[i][j] - 1, j, point[j][i] - 1) for i, j in pairs)
    return FragmentTree(tuple(number - 1 for number in fragment[:size]), bonds)


def write_tree(tree: FragmentTree, fragment: Tensor, point: Tensor) -> None:
    """Put a tree into one row of a state, numbered so that each node grows from an earlier one.

    Args:
        tree: the description.
        fragment: int64 [N], zeros, is filled.
        point: int64 [N, N], zeros, is filled.
    """
    number = _breadth_first(tree)
    for node, piece in enumerate(tree.fragments):
        fragment[number[node]] = piece + 1
    for i, point_i, j, point_j in tree.bonds:
        point[number[i], number[j]] = point_i + 1
        point[number[j], number[i]] = point_j + 1


def _breadth_first(tree: FragmentTree) -> dict[int, int]:
    """New number of each node."""
    neighbours: dict[int, list[int]] = {node: [] for node in range(len(tree.fragments))}
    for i, _, j, _ in tree.bonds:
        neighbours[i].append(j)
        neighbours[j].append(i)
    number, queue = {0: 0}, [0]
    for node in queue:
        for other in neighbours[node]:
            if other not in number:
                number[other] = len(queue)
                queue.append(other)
    return number
