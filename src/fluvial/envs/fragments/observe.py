"""What a network sees of a fragment tree: nothing that depends on how equivalent choices are written."""

from __future__ import annotations

import torch

from fluvial.core.observation import GraphObservation
from fluvial.envs.fragments.state import Tree
from fluvial.envs.fragments.tables import FragmentTables


def observe_trees(states: Tree, tables: FragmentTables) -> GraphObservation:
    """Categories of nodes, pairs and attachment points.

    The chosen anchor counts as a bond to the virtual node. A pair of tokens sees the class of the attachment
    point at either end of its bond and, where both hang at one fragment, the class of that pair of points:
    this is what tells ortho from meta from para.
    """
    n_rows, n_nodes = states.fragment.shape
    n_points = tables.free.shape[2]
    has_anchor = states.anchor > 0
    place = (states.anchor - 1).clamp_min(0)
    node = place // n_points
    anchor_point = torch.zeros_like(states.fragment)
    anchor_point.scatter_(1, node[:, None], (has_anchor * (place % n_points + 1))[:, None])
    point = torch.cat([states.point, anchor_point[:, :, None]], dim=2)

    bond = point.nonzero()
    row, near, far = bond.unbind(dim=1)
    fragment, own_point = states.fragment[row, near], point[row, near, far]
    point_class = tables.point_class[fragment, own_point]
    relation = tables.relation[fragment, own_point, 1:]

    neighbour = torch.zeros((n_rows, n_nodes, n_points + 1), dtype=torch.int64, device=states.device)
    neighbour[row, near, own_point] = far + 1
    beside = neighbour[row, near, 1:]
    pair = torch.zeros((n_rows, n_nodes + 1, n_nodes + 2, 3), dtype=torch.int64, device=states.device)
    pair[row, near, far + 1, 0] = point_class
    pair[row, far, near + 1, 1] = point_class
    pair[row[:, None], far[:, None], beside, 2] = relation
    return GraphObservation(
        node=torch.stack([states.fragment, tables.point_class[states.fragment, anchor_point]], dim=2),
        graph=torch.stack([states.n_nodes, has_anchor.long()], dim=1),
        pair=pair[:, :, 1:],
        focus=torch.where(has_anchor, node, n_nodes),
        candidate=tables.point_class[states.fragment][:, :, 1:],
        bond=bond,
        relation=relation,
    )
