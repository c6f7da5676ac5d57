"""General attributed graphs: a batched construction process with exact symmetry."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from fluvial.core.environment import Encoded, Found
from fluvial.core.observation import GraphObservation
from fluvial.envs.graphs import canonical
from fluvial.envs.graphs.actions import number_actions
from fluvial.envs.graphs.change import Place, Values, values_at, with_added, without_node
from fluvial.envs.graphs.legal import backward_mask, forward_mask, keeps_rules
from fluvial.envs.graphs.observe import observation_sizes, observe_graphs
from fluvial.envs.graphs.rules import GraphRules
from fluvial.envs.graphs.state import MOST_VALUES, Graph
from fluvial.envs.graphs.text import Written, read_graph, write_graphs


class Graphs:
    """Builds graphs whose nodes and edges have types and further attributes.

    Forward actions, in this order: stop; `node` of a type, the first one or, unless graphs are connected,
    any; `attach` a node of a type by an edge of a type to node n (in directed graphs outwards or inwards);
    `edge` of a type between two nodes; `set_node` and `set_edge`, which give an attribute a value other
    than its default, once. Backward actions take these back: undo the stop; `remove_node`; `remove_edge`;
    `unset_node`; `unset_edge`. Families that can never be legal are left out; `start` has the number of
    the first action of each other one. Stop is legal for each graph with at least `min_nodes` nodes.

    Args:
        node_types: T, types of nodes.
        edge_types: E, types of edges.
        max_nodes: N, most nodes.
        min_nodes: fewest nodes of a finished graph, 1..N.
        max_edges: most edges, None for no limit.
        max_degree: most edges of one node, None for no limit.
        connected: whether all nodes hang together.
        directed: whether edges are arcs; each of two opposite arcs may exist.
        node_attributes: for each further attribute of nodes the number of its values besides the default,
            which is implicit.
        edge_attributes: the same for edges.
        allow_cycles: whether other graphs than trees, or forests, are built.
        correct_symmetry: whether `log_symmetry` makes p(graph) proportional to R; off only to show what it
            does.

    Raises:
        ConfigError: a number out of range, or limits that no graph keeps.
    """

    def __init__(  # noqa: PLR0913 - each is a rule of its own
        self,
        *,
        node_types: int,
        max_nodes: int,
        edge_types: int = 1,
        min_nodes: int = 1,
        max_edges: int | None = None,
        max_degree: int | None = None,
        connected: bool = True,
        directed: bool = False,
        node_attributes: tuple[int, ...] = (),
        edge_attributes: tuple[int, ...] = (),
        allow_cycles: bool = True,
        correct_symmetry: bool = True,
    ) -> None:
        self.rules = GraphRules(
            node_types=node_types,
            edge_types=edge_types,
            max_nodes=max_nodes,
            min_nodes=min_nodes,
            max_edges=max_edges,
            max_degree=max_degree,
            connected=connected,
            directed=directed,
            node_attributes=tuple(node_attributes),
            edge_attributes=tuple(edge_attributes),
            allow_cycles=allow_cycles,
        )
        self.correct_symmetry = correct_symmetry
        numbering = number_actions(self.rules)
        self.numbering = lru_cache(maxsize=None)(numbering.to)
        self.families, self.back_families = numbering.families, numbering.back_families
        self.n_actions, self.n_back_actions = numbering.n_actions, numbering.n_back_actions
        self.start = numbering.start
        self.max_steps = self.rules.max_steps
        self.sizes = observation_sizes(self.rules)

    def __deepcopy__(self, memo: dict[int, object]) -> Graphs:
        """Itself: an environment never changes."""
        return self

    def initial(self, n: int, device: torch.device | str = "cpu") -> Graph:
        """`n` empty graphs."""
        size = self.rules.max_nodes

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int8, device=device)

        return Graph(
            zeros(n, size),
            zeros(n, size, size),
            zeros(n, size, len(self.rules.node_attributes)),
            zeros(n, size, size, len(self.rules.edge_attributes)),
            torch.zeros(n, dtype=torch.bool, device=device),
        )

    def mask(self, states: Graph) -> Tensor:
        """Legal actions, bool [B, A]."""
        return forward_mask(states, self.rules, self.numbering(states.device))

    def step(self, states: Graph, actions: Tensor) -> Graph:
        """The next states; a finished row stays as it is."""
        size = self.rules.max_nodes
        table = self.numbering(states.device).forward
        number = actions.masked_fill(states.is_done, 0)
        last = states.n_nodes.clamp_max(size - 1)
        first, second = table.first[number], table.second[number]
        place = Place(
            torch.where(first == size, last, first),
            torch.where(second == size, last, second),
            table.slot[number],
        )
        grown = dataclasses.replace(
            states,
            node=states.node.scatter_add(1, last[:, None], table.new[number].to(torch.int8)[:, None]),
            is_done=states.is_done | (actions == 0),
        )
        values = Values(table.edge[number], table.node_value[number], table.edge_value[number])
        return with_added(grown, place, values, self.rules.directed)

    def back_mask(self, states: Graph) -> Tensor:
        """Legal backward actions, bool [B, A']."""
        return backward_mask(states, self.rules, self.numbering(states.device))

    def step_back(self, states: Graph, back_actions: Tensor) -> Graph:
        """The parents."""
        table = self.numbering(states.device).backward
        place, there = self._taken_back(states, back_actions)
        less = with_added(
            states, place, Values(-there.edge, -there.node_value, -there.edge_value), self.rules.directed
        )
        parents = without_node(less, table.node[back_actions])
        return dataclasses.replace(parents, is_done=states.is_done & (back_actions != 0))

    def undo(self, states: Graph, actions: Tensor, next_states: Graph) -> Tensor:
        """Backward actions that lead from `next_states` to `states`."""
        table = self.numbering(states.device).forward
        new_node = states.n_nodes * (table.new[actions] > 0)
        return (table.inverse[actions] + new_node).masked_fill(states.is_done, 0)

    def redo(self, parents: Graph, back_actions: Tensor, states: Graph) -> Tensor:
        """Forward actions that lead from `parents` to (an equivalent of) `states`."""
        table = self.numbering(states.device).backward
        _, there = self._taken_back(states, back_actions)
        value = there.edge + there.node_value + there.edge_value
        node = table.node[back_actions]
        is_node = node < self.rules.max_nodes
        added = self._node_action(states, node.clamp_max(self.rules.max_nodes - 1))
        actions = torch.where(is_node, added, table.inverse[back_actions] + (value - 1).clamp_min(0))
        return actions.masked_fill(self.is_initial(states), 0)

    def _taken_back(self, states: Graph, back_actions: Tensor) -> tuple[Place, Values]:
        """Where backward actions take something away, and what; removed nodes left aside."""
        table = self.numbering(states.device).backward
        place = Place(table.first[back_actions], table.second[back_actions], table.slot[back_actions])
        there = values_at(states, place)
        return place, Values(
            there.edge * table.edge[back_actions],
            there.node_value * table.node_value[back_actions],
            there.edge_value * table.edge_value[back_actions],
        )

    def _node_action(self, states: Graph, node: Tensor) -> Tensor:
        """Actions that bring back a node, int64 [B], in the numbering without it; `node` int64 [B]."""
        rows = torch.arange(len(states), device=states.device)
        kind = states.node[rows, node].long() - 1
        if not self.rules.connected:
            return self.start["node"] + kind.clamp_min(0)
        outward, inward = states.edge[rows, :, node].long(), states.edge[rows, node].long()
        edge, neighbour = torch.maximum(outward, inward).max(dim=1)
        is_inward = (inward.gather(1, neighbour[:, None])[:, 0] > 0) & self.rules.directed
        way = (is_inward * self.rules.edge_types + edge - 1) * self.rules.node_types + kind
        n_ways = self.rules.node_types * self.rules.edge_types * (1 + self.rules.directed)
        attach = self.start["attach"] + (neighbour - (neighbour > node).long()) * n_ways + way
        return torch.where(edge > 0, attach, self.start["node"] + kind.clamp_min(0))

    def is_terminal(self, states: Graph) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Graph) -> Tensor:
        """Whether there is no node, bool [B]."""
        return states.node[:, 0] == 0

    def observe(self, states: Graph) -> GraphObservation:
        """Categories of nodes, pairs and graphs that do not depend on the numbering."""
        return observe_graphs(states, self.rules)

    def key(self, states: Graph) -> Tensor:
        """Canonical identity, int64 [B]; how far it is exact stands in `fluvial.envs.graphs.canonical`."""
        return canonical.key(states)

    def log_symmetry(self, states: Graph) -> Tensor:
        """log |Aut|, float64 [B]: a graph has n! / |Aut| numberings (Kim et al. 2025, "Symmetry-aware
        GFlowNets"). Exact for at most 13 nodes, see `fluvial.envs.graphs.canonical`."""
        if not self.correct_symmetry:
            return torch.zeros(len(states), dtype=torch.float64, device=states.device)
        return canonical.settle(states).log_automorphisms

    def decode(self, states: Graph) -> list[str]:
        """Canonical texts such as "0 1 1 | 0-1 1-2": see `fluvial.envs.graphs.text`."""
        return write_graphs(states.rearranged(canonical.settle(states).order), self.rules)

    def encode(self, texts: Sequence[str]) -> Encoded[Graph]:
        """Finished graphs; a graph that breaks a rule is not found, a text that is no graph invalid."""
        written = [read_graph(text, self.rules) for text in texts]
        states = self.initial(len(texts))
        for row, graph in enumerate(written):
            if graph is not None and len(graph.nodes) <= self.rules.max_nodes:
                self._write(states, row, graph)
        keeps = keeps_rules(states, self.rules)
        found = [
            Found.INVALID if graph is None else Found.ONE if fits else Found.NONE
            for graph, fits in zip(written, keeps.tolist(), strict=True)
        ]
        done = dataclasses.replace(states, is_done=keeps)
        return Encoded(done.where(keeps, self.initial(len(texts))), torch.tensor(found, dtype=torch.int64))

    def _write(self, states: Graph, row: int, graph: Written) -> None:
        for place, (kind, *values) in enumerate(graph.nodes):
            states.node[row, place] = min(kind, MOST_VALUES) + 1
            states.node_attribute[row, place] = _bytes(values)
        for (first, second), (kind, *values) in graph.edges.items():
            ends = ((first, second),) if self.rules.directed else ((first, second), (second, first))
            for near, far in ends:
                states.edge[row, near, far] = min(kind, MOST_VALUES) + 1
                states.edge_attribute[row, near, far] = _bytes(values)


def _bytes(values: list[int]) -> Tensor:
    """Values as a state holds them, int8 [K]; what is too large stays too large."""
    return torch.tensor([min(value, MOST_VALUES + 1) for value in values], dtype=torch.int8)
