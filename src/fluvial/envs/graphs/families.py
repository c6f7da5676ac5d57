"""The families of actions that given rules have a use for."""

from __future__ import annotations

from typing import Literal

from fluvial.core.environment import ActionFamily
from fluvial.envs.graphs.rules import GraphRules


def forward_families(rules: GraphRules) -> tuple[ActionFamily, ...]:
    """Families of forward actions in the order of their numbers; those that are never legal are left out."""
    ways = rules.node_types * rules.edge_types * (2 if rules.directed else 1)
    element = _element(rules)
    optional = (
        (rules.connected, ActionFamily("attach", "node", ways)),
        (rules.allow_cycles or not rules.connected, ActionFamily("edge", element, rules.edge_types)),
        (bool(rules.node_attributes), ActionFamily("set_node", "node", sum(rules.node_attributes))),
        (bool(rules.edge_attributes), ActionFamily("set_edge", element, sum(rules.edge_attributes))),
    )
    always = (ActionFamily("stop", "graph", 1), ActionFamily("node", "graph", rules.node_types))
    return (*always, *(family for is_there, family in optional if is_there))


def backward_families(rules: GraphRules) -> tuple[ActionFamily, ...]:
    """Families of backward actions, likewise."""
    element = _element(rules)
    optional = (
        (rules.allow_cycles or not rules.connected, ActionFamily("remove_edge", element, 1)),
        (bool(rules.node_attributes), ActionFamily("unset_node", "node", len(rules.node_attributes))),
        (bool(rules.edge_attributes), ActionFamily("unset_edge", element, len(rules.edge_attributes))),
    )
    always = (ActionFamily("unstop", "graph", 1), ActionFamily("remove_node", "node", 1))
    return (*always, *(family for is_there, family in optional if is_there))


def _element(rules: GraphRules) -> Literal["pair", "arc"]:
    return "arc" if rules.directed else "pair"
