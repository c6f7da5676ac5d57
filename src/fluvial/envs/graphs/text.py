"""Graphs as text: "0 1 1 | 0-1 1-2".

Nodes by type, counted from 0, each followed by the values of its further attributes with commas between, as
in "1,0,2" (0 is the default). After a bar, where there are edges, their ends, counted from 0: "0-1", or "0>1"
for an arc from 0 to 1. Where edges have several types or attributes, type and values follow, as in "0-1:2,0";
the type is left out where there is but one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from fluvial.envs.graphs.rules import GraphRules
from fluvial.envs.graphs.state import Graph

_VALUES = r"[0-9]{1,9}(?:,[0-9]{1,9})*"
_NODE = re.compile(_VALUES)
_EDGE = re.compile(rf"([0-9]{{1,9}})([->])([0-9]{{1,9}})(?::({_VALUES}))?")


@dataclass(frozen=True)
class Written:
    """What a text says."""

    nodes: list[list[int]]
    """Type and values of each node."""
    edges: dict[tuple[int, int], list[int]]
    """Type and values of each edge by its ends, the lower number first where they have no direction."""


def write_graphs(graphs: Graph, rules: GraphRules) -> list[str]:
    """The text of each graph in its own numbering."""
    is_written = graphs.edge > 0 if rules.directed else graphs.edge.triu() > 0
    kind = graphs.edge[is_written][:, None] - 1
    values = graphs.edge_attribute[is_written]
    if rules.edge_types > 1:
        values = torch.cat([kind, values], dim=1)
    edges: list[list[str]] = [[] for _ in range(len(graphs))]
    for (row, first, second), numbers in zip(is_written.nonzero().tolist(), values.tolist(), strict=True):
        ends = f"{first}{_link(rules)}{second}"
        edges[row].append(f"{ends}:{_joined(numbers)}" if numbers else ends)

    described = torch.cat([graphs.node[:, :, None] - 1, graphs.node_attribute], dim=2)
    sizes = graphs.n_nodes.tolist()
    nodes = [list(map(_joined, row[:size])) for row, size in zip(described.tolist(), sizes, strict=True)]
    return [
        " ".join([*here, "|", *there] if there else here) for here, there in zip(nodes, edges, strict=True)
    ]


def read_graph(text: str, rules: GraphRules) -> Written | None:
    """What the text says; None where it is not the text of a graph with these attributes."""
    node_text, _, edge_text = text.partition("|")
    nodes = [_read_values(part) for part in node_text.split()]
    if not nodes or any(len(values) != 1 + len(rules.node_attributes) for values in nodes):
        return None
    edges: dict[tuple[int, int], list[int]] = {}
    for part in edge_text.split():
        edge = _read_edge(part, rules)
        if edge is None or edge[0] in edges or max(edge[0]) >= len(nodes):
            return None
        edges[edge[0]] = edge[1]
    return Written(nodes, edges)


def _read_edge(text: str, rules: GraphRules) -> tuple[tuple[int, int], list[int]] | None:
    match = _EDGE.fullmatch(text)
    if match is None or match[2] != _link(rules):
        return None
    first, second, values = int(match[1]), int(match[3]), _read_values(match[4] or "")
    if rules.edge_types == 1:
        values = [0, *values]
    if first == second or len(values) != 1 + len(rules.edge_attributes):
        return None
    ends = (first, second) if rules.directed else (min(first, second), max(first, second))
    return ends, values


def _read_values(text: str) -> list[int]:
    """The numbers of a text with commas between; none where it is something else."""
    return [int(part) for part in text.split(",")] if _NODE.fullmatch(text) else []


def _link(rules: GraphRules) -> str:
    return ">" if rules.directed else "-"


def _joined(values: list[int]) -> str:
    return ",".join(map(str, values))
