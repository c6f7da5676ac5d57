"""What each action number means, as tables that are read with a batch of numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import ActionFamily
from fluvial.envs.graphs.families import backward_families, forward_families
from fluvial.envs.graphs.rules import GraphRules


@dataclass(frozen=True)
class ForwardActions(Batch):
    """What action a adds, int64 [A] each; every action turns zeros of the state into something."""

    new: Tensor
    """Type of the new node, 0 for none."""
    first: Tensor
    """Node that is meant, or first node of the edge; N stands for the new node."""
    second: Tensor
    """Second node of the edge."""
    edge: Tensor
    """Type of the new edge, 0 for none."""
    node_value: Tensor
    """Value for an attribute of the node, 0 for none."""
    edge_value: Tensor
    """Value for an attribute of the edge, 0 for none."""
    slot: Tensor
    """Which attribute."""
    inverse: Tensor
    """Backward action; for a new node, that of node 0."""


@dataclass(frozen=True)
class BackwardActions(Batch):
    """What backward action b takes away, int64 [A'] each."""

    node: Tensor
    """Node to remove; N for none."""
    first: Tensor
    """Node that is meant, or first node of the edge."""
    second: Tensor
    """Second node of the edge."""
    edge: Tensor
    """1 where the edge is removed."""
    node_value: Tensor
    """1 where an attribute of the node goes back to its default."""
    edge_value: Tensor
    """1 where an attribute of the edge does."""
    slot: Tensor
    """Which attribute."""
    inverse: Tensor
    """Forward action for type or value 1; that for others follows after it. Not read for nodes."""


@dataclass(frozen=True)
class Numbering:
    """The families of actions of given rules and what their numbers mean."""

    families: tuple[ActionFamily, ...]
    back_families: tuple[ActionFamily, ...]
    forward: ForwardActions
    backward: BackwardActions
    first: Tensor
    """int64 [P], first node of each pair or arc."""
    second: Tensor
    """int64 [P], second node."""
    place: Tensor
    """int64 [P], first node * N + second node."""
    node_slot: Tensor
    """int64 [sum of node_attributes], attribute of each value that can be set."""
    edge_slot: Tensor
    """int64 [sum of edge_attributes]."""
    start: dict[str, int]
    """Number of the first action, or backward action, of each family."""
    end: dict[str, int]
    """The number after that of its last."""

    @property
    def n_actions(self) -> int:
        """A."""
        return len(self.forward.inverse)

    @property
    def n_back_actions(self) -> int:
        """A'."""
        return len(self.backward.inverse)

    def to(self, device: torch.device) -> Numbering:
        """The same tables on a device."""
        return dataclasses.replace(
            self,
            forward=self.forward.to(device),
            backward=self.backward.to(device),
            first=self.first.to(device),
            second=self.second.to(device),
            place=self.place.to(device),
            node_slot=self.node_slot.to(device),
            edge_slot=self.edge_slot.to(device),
        )


def number_actions(rules: GraphRules) -> Numbering:
    """The numbering of all actions; families that could never be legal are left out."""
    families, back_families = forward_families(rules), backward_families(rules)
    size = rules.max_nodes
    if rules.directed:
        first, second = torch.cartesian_prod(torch.arange(size), torch.arange(size)).unbind(dim=1)
    else:
        first, second = torch.triu_indices(size, size, offset=1)
    counts = {"graph": 1, "node": size, "option": 0, "pair": len(first), "arc": len(first)}
    sizes = [_sizes(families, counts), _sizes(back_families, counts)]
    start = {name: sum(list(part.values())[:place]) for part in sizes for place, name in enumerate(part)}
    layout = _Layout(rules, first, second, start)
    forward = [_forward_part(family.name, layout) for family in families]
    backward = [_backward_part(family.name, layout) for family in back_families]
    return Numbering(
        families,
        back_families,
        ForwardActions(*_columns(forward, tuple(ForwardActions.__dataclass_fields__), {})),
        BackwardActions(*_columns(backward, tuple(BackwardActions.__dataclass_fields__), {"node": size})),
        first,
        second,
        first * size + second,
        _slots_and_values(rules.node_attributes)[0],
        _slots_and_values(rules.edge_attributes)[0],
        start,
        {name: start[name] + size for part in sizes for name, size in part.items()},
    )


def _sizes(families: Sequence[ActionFamily], counts: dict[str, int]) -> dict[str, int]:
    return {family.name: counts[family.per] * family.size for family in families}


@dataclass(frozen=True)
class _Layout:
    rules: GraphRules
    first: Tensor
    second: Tensor
    start: dict[str, int]

    def inverse(self, name: str, elements: Tensor, size: int = 1, option: Tensor | int = 0) -> Tensor:
        """Number of an option of each element of a family."""
        return self.start[name] + elements * size + option


_Part = dict[str, Tensor]


def _forward_part(name: str, layout: _Layout) -> _Part:
    rules = layout.rules
    if name == "stop":
        return {"inverse": torch.zeros(1, dtype=torch.int64)}
    removal = torch.tensor([layout.start["remove_node"]])
    types = torch.arange(1, rules.node_types + 1)
    if name == "node":
        return {"new": types, "inverse": removal.expand(len(types))}
    edge_types = torch.arange(1, rules.edge_types + 1)
    nodes, new = torch.arange(rules.max_nodes), rules.max_nodes
    if name == "attach":
        ways = torch.arange(2 if rules.directed else 1)
        node, is_incoming, edge, kind = torch.cartesian_prod(nodes, ways, edge_types, types).unbind(dim=1)
        return {
            "new": kind,
            "first": torch.where(is_incoming == 1, new, node),
            "second": torch.where(is_incoming == 1, node, new),
            "edge": edge,
            "inverse": removal.expand(len(node)),
        }
    pairs = torch.arange(len(layout.first))
    if name == "edge":
        pair, edge = torch.cartesian_prod(pairs, edge_types).unbind(dim=1)
        ends = {"first": layout.first[pair], "second": layout.second[pair]}
        return {**ends, "edge": edge, "inverse": layout.inverse("remove_edge", pair)}
    of_nodes = name == "set_node"
    attributes = rules.node_attributes if of_nodes else rules.edge_attributes
    slots, values = _slots_and_values(attributes)
    place, option = torch.cartesian_prod(nodes if of_nodes else pairs, torch.arange(len(slots))).unbind(dim=1)
    ends = {"first": place} if of_nodes else {"first": layout.first[place], "second": layout.second[place]}
    return {
        **ends,
        "node_value" if of_nodes else "edge_value": values[option],
        "slot": slots[option],
        "inverse": layout.inverse(f"un{name}", place, len(attributes), slots[option]),
    }


def _backward_part(name: str, layout: _Layout) -> _Part:
    rules = layout.rules
    nodes, pairs = torch.arange(rules.max_nodes), torch.arange(len(layout.first))
    if name == "unstop":
        return {"inverse": torch.zeros(1, dtype=torch.int64)}
    if name == "remove_node":
        return {"node": nodes}
    ends = {"first": layout.first, "second": layout.second}
    if name == "remove_edge":
        inverse = layout.inverse("edge", pairs, rules.edge_types)
        return {**ends, "edge": torch.ones_like(pairs), "inverse": inverse}
    of_nodes = name == "unset_node"
    attributes = rules.node_attributes if of_nodes else rules.edge_attributes
    slots = torch.arange(len(attributes))
    place, slot = torch.cartesian_prod(nodes if of_nodes else pairs, slots).unbind(dim=1)
    before = torch.tensor([0, *attributes]).cumsum(0)[slot]
    ends = {"first": place} if of_nodes else {"first": layout.first[place], "second": layout.second[place]}
    return {
        **ends,
        "node_value" if of_nodes else "edge_value": torch.ones_like(place),
        "slot": slot,
        "inverse": layout.inverse(name.removeprefix("un"), place, sum(attributes), before),
    }


def _columns(parts: Sequence[_Part], names: Sequence[str], absent: dict[str, int]) -> list[Tensor]:
    """Each column of all families one after the other, with `absent` or 0 where a family has none."""
    lengths = [len(next(iter(part.values()))) for part in parts]
    return [
        torch.cat(
            [
                part.get(name, torch.full((length,), absent.get(name, 0)))
                for part, length in zip(parts, lengths, strict=True)
            ]
        )
        for name in names
    ]


def _slots_and_values(attributes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Attribute and value of each value that can be set, int64 [sum of attributes] each."""
    both = [(slot, value) for slot, count in enumerate(attributes) for value in range(1, count + 1)]
    slots, values = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).unbind(dim=1)
    return slots, values
