"""Which molecules may have several Kekulé forms: a quick look, before chemistry is asked."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.envs.atoms.tables import AtomTables
from fluvial.envs.graphs.state import Graph

_DOUBLE = 2


def can_alternate(states: Graph, tables: AtomTables) -> Tensor:
    """Whether a molecule has cycles along which double and single bonds alternate, bool [B].

    Two Kekulé forms differ by such cycles; an atom with several valences, as sulphur, or whose hydrogens do
    not follow from its bonds, may stand between any two bonds. Atoms that cannot be on such a cycle are
    struck out until none is left to strike; what remains need not have one.
    """
    n_rows, n_nodes = states.node.shape
    entry = ((states.edge == 1) | (states.edge == _DOUBLE)).flatten().nonzero()[:, 0]
    near = entry // n_nodes
    far = near // n_nodes * n_nodes + entry % n_nodes
    is_double = states.edge.flatten()[entry] == _DOUBLE
    is_free = tables.has_several[tables.kinds(states)] | tables.meaning(states, "no_implicit").bool()
    is_free = is_free.flatten()
    while True:
        n_double = torch.bincount(near[is_double], minlength=n_rows * n_nodes)
        n_any = torch.bincount(near, minlength=n_rows * n_nodes)
        alternates = (n_double > 0) & (n_any > n_double)
        is_kept = alternates | (is_free & (n_any > 1))
        stays = is_kept[near] & is_kept[far]
        if bool(stays.all()):
            break
        near, far, is_double = near[stays], far[stays], is_double[stays]
    return is_kept.view(n_rows, n_nodes).any(dim=1)
