"""A forest of decision trees as arrays, so that its file holds numbers and no code, and needs no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.core.errors import DataError

LEAF = -1
"""Child of a node that has none."""
_TYPES = {
    "roots": np.int64,
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
}


@dataclass(frozen=True)
class Forest:
    """T trees with N nodes in all. A row goes left at a node where its feature is at most the threshold."""

    roots: NDArray[np.int64]
    """[T], node that each tree starts at."""
    feature: NDArray[np.int32]
    """[N]."""
    threshold: NDArray[np.float64]
    """[N]."""
    left: NDArray[np.int32]
    """[N], `LEAF` or a node."""
    right: NDArray[np.int32]
    """[N]."""
    value: NDArray[np.float64]
    """[N], what a leaf says."""

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each tree says of each row, [B, T].

        Args:
            features: [B, F].
        """
        rows = np.arange(len(features))[:, None]
        node = np.broadcast_to(self.roots, (len(features), len(self.roots))).copy()
        while (inner := self.left[node] != LEAF).any():
            goes_left = features[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
        return self.value[node]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All fields by name."""
        return {name: getattr(self, name) for name in _TYPES}


def forest_of_arrays(arrays: Mapping[str, NDArray[Any]]) -> Forest:
    """The forest that `Forest.arrays` gave.

    Raises:
        DataError: an array is missing, has another type, or points outside the forest.
    """
    for name, kind in _TYPES.items():
        if name not in arrays or arrays[name].dtype != kind or arrays[name].ndim != 1:
            raise DataError(f"the forest has no array '{name}' of {np.dtype(kind).name} with one axis")
    count = len(arrays["left"])
    same = all(len(arrays[name]) == count for name in ("feature", "threshold", "right", "value"))
    if not same or not len(arrays["roots"]) or any(not _within(arrays[name], count) for name in ("roots",)):
        raise DataError("the arrays of the forest do not fit each other")
    inner = arrays["left"] != LEAF
    places = np.arange(count)[inner]
    # Children come after their parent, so every walk ends.
    for name in ("left", "right"):
        children = arrays[name][inner]
        if not _within(children, count) or (children <= places).any():
            raise DataError(f"the array '{name}' of the forest points outside it or backwards")
    return Forest(**{name: arrays[name] for name in _TYPES})


def forest_of_trees(trees: Sequence[Any], values: Sequence[NDArray[np.float64]]) -> Forest:
    """The forest of scikit-learn's trees.

    Args:
        trees: the `tree_` of each estimator.
        values: what each node says, one array for each tree.
    """
    sizes = [len(value) for value in values]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def children(name: str) -> NDArray[np.int32]:
        parts = [getattr(tree, name) for tree in trees]
        shifted = [np.where(part < 0, LEAF, part + root) for part, root in zip(parts, roots, strict=True)]
        return np.concatenate(shifted).astype(np.int32)

    return Forest(
        roots,
        np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32),
        np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
        children("children_left"),
        children("children_right"),
        np.concatenate(values).astype(np.float64),
    )


def _within(places: NDArray[Any], count: int) -> bool:
    return bool(((places >= 0) & (places < count)).all())
