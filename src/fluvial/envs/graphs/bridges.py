"""Which edges are the only path between their ends."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.hashing import mix
from fluvial.envs.graphs.state import Graph


def is_bridge(graphs: Graph, directed: bool) -> Tensor:
    """Where an edge is the only path between its ends, in whatever direction, bool [B, N, N].

    Args:
        graphs: connected graphs.
        directed: whether edges have a direction; two opposite arcs are two paths.
    """
    there = graphs.edge.bool()
    linked = graphs.linked if directed else there
    # Elsewhere waiting for a count costs more than the inverse does.
    found = _by_flow(linked, graphs.exists) if there.device.type == "cpu" else None
    if found is None:
        found = _by_resistance(linked, graphs.exists)
    return found & (there & ~there.transpose(1, 2)) if directed else found


def _by_flow(linked: Tensor, exists: Tensor) -> Tensor | None:
    """Bridges, bool [B, N, N], where each node but the first has an edge to an earlier one; else None.

    Those first edges are a tree. Each other edge sends a flow of its own, a hash, round the cycle that it
    closes; where none flows, save by an accident of 64-bit hashes, an edge of the tree is a bridge.
    """
    n_rows, n_nodes = linked.shape[:2]
    earlier_only = torch.ones(n_nodes, n_nodes, dtype=torch.bool, device=linked.device).tril(-1)
    entry = (linked & earlier_only).flatten().nonzero()[:, 0]
    node = entry // n_nodes
    back = node // n_nodes * n_nodes + entry % n_nodes
    in_tree = torch.ones_like(node, dtype=torch.bool)
    in_tree[1:] = node[1:] != node[:-1]
    child, parent = node[in_tree], back[in_tree]
    if len(child) != int(exists[:, 1:].sum()):
        return None
    flow = torch.zeros(n_rows * n_nodes + 1, dtype=torch.int64, device=linked.device)
    source, target = node[~in_tree], back[~in_tree]
    amount = mix((source % n_nodes) * n_nodes + target % n_nodes + 1)
    flow = flow.index_add(0, source, amount).index_add(0, target, amount, alpha=-1)
    above = torch.full_like(flow, n_rows * n_nodes)
    above[child] = parent
    # Sums over all nodes below: each round doubles how far down they reach.
    for _ in range((n_nodes - 1).bit_length()):
        flow = flow.index_add(0, above, flow)
        above = above.gather(0, above)
    dry = flow[child] == 0
    found = torch.zeros(n_rows * n_nodes * n_nodes, dtype=torch.bool, device=linked.device)
    found[child[dry] * n_nodes + parent[dry] % n_nodes] = True
    found[parent[dry] * n_nodes + child[dry] % n_nodes] = True
    return found.view_as(linked)


def _by_resistance(linked: Tensor, exists: Tensor) -> Tensor:
    """Bridges, bool [B, N, N], of graphs in any numbering.

    An edge of a connected graph is a bridge exactly if the resistance between its ends is 1 when every edge
    has resistance 1; on a cycle of n nodes it is at most 1 - 1 / n. Resistances come from an inverse of the
    Laplacian (Klein & Randic 1993, doi:10.1007/BF01164627).
    """
    conductance, node = linked.double(), exists.double()
    grounded = torch.diag_embed(conductance.sum(dim=2) + 1.0 - node) - conductance
    inverse: Tensor = torch.linalg.inv_ex(grounded + node[:, :, None] * node[:, None, :]).inverse
    own = inverse.diagonal(dim1=1, dim2=2)
    resistance = own[:, :, None] + own[:, None, :] - 2.0 * inverse
    is_only: Tensor = resistance > 1.0 - 0.5 / linked.shape[1]
    return is_only & linked
