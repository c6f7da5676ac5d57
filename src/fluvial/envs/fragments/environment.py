"""Molecules as trees of fragments: a batched construction process with exact symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from fluvial.chem.assembly import FragmentTree, assemble_smiles
from fluvial.chem.cover import find_covers
from fluvial.chem.molecules import parse_smiles
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.environment import ActionFamily, Encoded, Found
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.observation import GraphObservation, GraphSizes
from fluvial.envs.fragments.canonical import TreeHasher, log_constructions
from fluvial.envs.fragments.description import describe_trees, write_tree
from fluvial.envs.fragments.observe import observe_trees
from fluvial.envs.fragments.state import Tree
from fluvial.envs.fragments.tables import FragmentTables, build_tables

_RELEASE, _FIRST_REMOVE = 1, 2
MOST_COVERS = 256
"""Covers compared before a molecule is said to have one; symmetric ones have many alike. Arbitrary."""


class Fragments:
    """Builds molecules by joining fragments at attachment points with single bonds.

    Growing is two transitions: choose a free attachment point (`anchor`), then the fragment and the point by
    which it comes in (`partner`). Forward actions, in this order: stop; `start` with one of F fragments;
    `anchor` at point s of node n; `partner`, one of Q (fragment, point) ways. Backward actions: undo the
    stop; release the anchor; remove leaf n. Stop is legal for each finished molecule with at least
    `min_fragments` fragments.

    Args:
        vocabulary: fragments and their attachment atoms.
        max_fragments: N, at least 1.
        min_fragments: 1..N.
        merge_symmetric: offer one of several equivalent attachment points (exact, and fewer actions).
        correct_symmetry: whether `log_symmetry` makes p(molecule) proportional to R; off only to show what
            it does.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        max_fragments: int = 9,
        min_fragments: int = 1,
        merge_symmetric: bool = True,
        correct_symmetry: bool = True,
    ) -> None:
        if not 1 <= min_fragments <= max_fragments:
            raise ConfigError(
                f"min_fragments = {min_fragments}, max_fragments = {max_fragments}: need 1 <= min <= max"
            )
        tables = build_tables(vocabulary, merge_symmetric)
        if min_fragments > 2 and int(tables.n_points.max()) < 2:
            raise ConfigError(
                f"min_fragments = {min_fragments}: no fragment of vocabulary '{vocabulary.name}' has two"
                " attachment points, so no molecule has more than 2 fragments; use min_fragments = 1 or 2"
            )
        self.vocabulary = vocabulary
        self.max_fragments, self.min_fragments = max_fragments, min_fragments
        self.correct_symmetry = correct_symmetry
        self._tables = lru_cache(maxsize=None)(tables.to)
        self._hasher = lru_cache(maxsize=None)(lambda device: TreeHasher(self._tables(device)))
        self._smiles = lru_cache(maxsize=100_000)(lambda tree: assemble_smiles(vocabulary, tree))

        self.n_fragments, self.n_points = len(vocabulary.fragments), tables.free.shape[2]
        self.n_partners = len(tables.partner_fragment)
        self.families: tuple[ActionFamily, ...] = (
            ActionFamily("stop", "graph", 1),
            ActionFamily("start", "graph", self.n_fragments),
            ActionFamily("anchor", "option", self.n_points),
            ActionFamily("partner", "graph", self.n_partners),
        )
        self.back_families: tuple[ActionFamily, ...] = (
            ActionFamily("unstop", "graph", 1),
            ActionFamily("release", "graph", 1),
            ActionFamily("remove", "node", 1),
        )
        self._first_anchor = 1 + self.n_fragments
        self._first_partner = self._first_anchor + max_fragments * self.n_points
        self.n_actions = self._first_partner + self.n_partners
        self.n_back_actions = _FIRST_REMOVE + max_fragments
        self.max_steps = 2 * max_fragments
        self.sizes = GraphSizes(
            node=(self.n_fragments + 1, int(tables.point_class.max()) + 1),
            graph=(max_fragments + 1, 2),
            pair=(int(tables.point_class.max()) + 1,) * 2 + (int(tables.relation.max()) + 1,),
            candidate=int(tables.point_class.max()) + 1,
            relation=int(tables.relation.max()) + 1,
        )

    def __deepcopy__(self, memo: dict[int, object]) -> Fragments:
        """Itself: an environment never changes."""
        return self

    def initial(self, n: int, device: torch.device | str = "cpu") -> Tree:
        """`n` empty trees."""
        size = self.max_fragments

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        return Tree(
            zeros(n, size), zeros(n, size, size), zeros(n), torch.zeros(n, dtype=torch.bool, device=device)
        )

    def mask(self, states: Tree) -> Tensor:
        """Legal actions, bool [B, A]."""
        tables = self._tables(states.device)
        n_nodes = states.n_nodes
        pending = states.anchor > 0
        settled = ~(pending | states.is_done)
        empty = settled & (n_nodes == 0)
        free = tables.free[states.fragment, states.used].flatten(1)
        can_grow = settled & (n_nodes < self.max_fragments)
        return torch.cat(
            [
                (settled & (n_nodes >= self.min_fragments))[:, None],
                empty[:, None].expand(-1, self.n_fragments),
                free & can_grow[:, None],
                self._partner_mask(states, pending, n_nodes, tables),
            ],
            dim=1,
        )

    def _partner_mask(self, states: Tree, pending: Tensor, n_nodes: Tensor, tables: FragmentTables) -> Tensor:
        """Fragments that may come in: those that do not end a molecule that is still too small."""
        if self.min_fragments <= 2:
            return pending[:, None].expand(-1, self.n_partners)
        free = tables.n_points[states.fragment].sum(dim=1) - 2 * n_nodes + 1
        left = free[:, None] + tables.n_points[tables.partner_fragment] - 1
        return pending[:, None] & ((left > 0) | (n_nodes + 1 >= self.min_fragments)[:, None])

    def step(self, states: Tree, actions: Tensor) -> Tree:
        """The next states."""
        tables = self._tables(states.device)
        actions = actions.masked_fill(states.is_done, 0)
        new_node = states.n_nodes.clamp(max=self.max_fragments - 1)
        is_start = (actions > 0) & (actions < self._first_anchor)
        is_anchor = (actions >= self._first_anchor) & (actions < self._first_partner)
        is_partner = actions >= self._first_partner

        way = (actions - self._first_partner).clamp_min(0)
        added = torch.where(is_partner, tables.partner_fragment[way], actions * is_start)
        place = (states.anchor - 1).clamp_min(0)
        node, point = place // self.n_points, place % self.n_points
        bond_ends = torch.stack(
            [node * self.max_fragments + new_node, new_node * self.max_fragments + node], 1
        )
        bond_points = torch.stack([point + 1, tables.partner_point[way] + 1], 1) * is_partner[:, None]
        return Tree(
            states.fragment.scatter_add(1, new_node[:, None], added[:, None]),
            states.point.flatten(1).scatter_add(1, bond_ends, bond_points).view_as(states.point),
            (actions - self._first_anchor + 1) * is_anchor,
            states.is_done | (actions == 0),
        )

    def back_mask(self, states: Tree) -> Tensor:
        """Legal backward actions, bool [B, A']."""
        pending = states.anchor > 0
        settled = ~(pending | states.is_done)
        is_leaf = (states.fragment > 0) & (states.degree <= 1)
        return torch.cat([states.is_done[:, None], pending[:, None], is_leaf & settled[:, None]], dim=1)

    def step_back(self, states: Tree, back_actions: Tensor) -> Tree:
        """The parents; the nodes behind a removed one move up by one number."""
        rows = torch.arange(len(states), device=states.device)
        back_actions = back_actions.masked_fill(self.is_initial(states), 0)
        is_remove = back_actions >= _FIRST_REMOVE
        removed = torch.where(is_remove, back_actions - _FIRST_REMOVE, self.max_fragments)
        order = torch.arange(self.max_fragments, device=states.device)
        source = order + (order >= removed[:, None])
        fragment = torch.nn.functional.pad(states.fragment, (0, 1)).gather(1, source)
        point = torch.nn.functional.pad(states.point, (0, 1, 0, 1))
        point = point[rows[:, None, None], source[:, :, None], source[:, None, :]]

        own = states.point[rows, removed.clamp(max=self.max_fragments - 1)]
        neighbour = own.argmax(dim=1)
        neighbour_point = states.point[rows, neighbour, removed.clamp(max=self.max_fragments - 1)]
        moved = neighbour - (neighbour > removed).long()
        grown_from = (moved * self.n_points + neighbour_point) * (neighbour_point > 0)
        kept_anchor = states.anchor * (back_actions != _RELEASE)
        return Tree(
            fragment,
            point,
            torch.where(is_remove, grown_from, kept_anchor),
            states.is_done & (back_actions != 0),
        )

    def undo(self, states: Tree, actions: Tensor, next_states: Tree) -> Tensor:
        """Backward actions that lead from `next_states` to `states`."""
        is_anchor = (actions >= self._first_anchor) & (actions < self._first_partner)
        remove_last = next_states.n_nodes - 1 + _FIRST_REMOVE
        back_actions = torch.where(is_anchor, _RELEASE, remove_last)
        return back_actions.masked_fill((actions == 0) | states.is_done, 0)

    def redo(self, parents: Tree, back_actions: Tensor, states: Tree) -> Tensor:
        """Forward actions that lead from `parents` to equivalents of `states`."""
        tables = self._tables(states.device)
        rows = torch.arange(len(states), device=states.device)
        place = (states.anchor - 1).clamp_min(0)
        node, point = place // self.n_points, place % self.n_points
        offered = tables.representative[parents.fragment[rows, node], parents.used[rows, node], point]
        anchor = self._first_anchor + node * self.n_points + offered

        removed = (back_actions - _FIRST_REMOVE).clamp_min(0)
        fragment = states.fragment[rows, removed]
        own_point = (states.point[rows, removed].amax(dim=1) - 1).clamp_min(0)
        partner = self._first_partner + tables.partner_index[fragment, own_point]
        added = torch.where(parents.n_nodes == 0, fragment, partner)
        actions = torch.where(back_actions == _RELEASE, anchor, added)
        return actions.masked_fill((back_actions == 0) | self.is_initial(states), 0)

    def is_terminal(self, states: Tree) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Tree) -> Tensor:
        """Whether the tree is empty, bool [B]."""
        return states.fragment[:, 0] == 0

    def observe(self, states: Tree) -> GraphObservation:
        """Symmetry-invariant categories of nodes, pairs and free points."""
        return observe_trees(states, self._tables(states.device))

    def key(self, states: Tree) -> Tensor:
        """Canonical identity, int64 [B]: the same for each numbering of nodes and of equivalent points."""
        return self._hasher(states.device).key(states)

    def log_symmetry(self, states: Tree) -> Tensor:
        """log |Aut| - sum of log numbers of equivalent point choices, float64 [B].

        (Kim et al. 2025, "Symmetry-aware GFlowNets"; attachment points as derived in
        `docs/explain/symmetry.md`.)
        """
        if not self.correct_symmetry:
            return torch.zeros(len(states), dtype=torch.float64, device=states.device)
        tables = self._tables(states.device)
        copies = tables.log_copies[states.fragment, states.used].sum(dim=1)
        return self._hasher(states.device).log_automorphisms(states) - copies

    def log_n(self, states: Tree) -> Tensor:
        """Log number of backward action sequences from each state to the empty tree, float64 [B]."""
        return log_constructions(states)

    def decode(self, states: Tree) -> list[str]:
        """Canonical SMILES."""
        return [self._smiles(tree) for tree in describe_trees(states)]

    def encode(self, texts: Sequence[str]) -> Encoded[Tree]:
        """Covers of molecules by fragments, as terminal states."""
        covers = [self._cover(text) for text in texts]
        found = torch.tensor([status for _, status in covers], dtype=torch.int64)
        return Encoded(self._terminal_states([tree for tree, _ in covers]), found)

    def _cover(self, text: str) -> tuple[FragmentTree | None, Found]:
        try:
            molecule = parse_smiles(text)
        except DataError:
            return None, Found.INVALID
        search = find_covers(self.vocabulary, molecule, self.max_fragments, MOST_COVERS)
        trees = [tree for tree in search.trees if len(tree.fragments) >= self.min_fragments]
        if not trees:
            return None, Found.NONE if search.is_complete else Found.GAVE_UP
        several = len(set(self.key(self._terminal_states(trees)).tolist())) > 1
        return trees[0], Found.SEVERAL if several else Found.ONE

    def _terminal_states(self, trees: Sequence[FragmentTree | None]) -> Tree:
        """Finished trees; None becomes the empty one."""
        states = self.initial(len(trees))
        for row, tree in enumerate(trees):
            if tree is not None:
                write_tree(tree, states.fragment[row], states.point[row])
                states.is_done[row] = True
        return states
