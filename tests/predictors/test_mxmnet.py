from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem

from fluvial.chem.molecules import parse_smiles
from fluvial.predictors.atom_graph import AtomGraph, graph_of, pack_graphs
from fluvial.predictors.geometry import Geometry, embed
from fluvial.predictors.mxmnet import Mxmnet, MxmnetSettings

SMALL = MxmnetSettings((1, 6, 7, 8), width=12, layers=2)
MOLECULES = ["CC(=O)N", "[H][H]", "O", "C1CC1O", "[OH-]", "C#N"]


def graph(text: str, cutoff: float = 5.0) -> AtomGraph:
    geometry = embed(parse_smiles(text))
    assert isinstance(geometry, Geometry)
    found = graph_of(geometry, SMALL.elements, cutoff)
    assert isinstance(found, AtomGraph)
    return found.to(dtype=torch.float64)


@pytest.fixture(scope="module")
def model() -> Mxmnet:
    torch.manual_seed(0)
    model = Mxmnet(SMALL).double()
    for close in model.close:
        torch.nn.init.normal_(close.read[2].weight)
    return model


def test_the_graph_of_water_by_hand() -> None:
    found = graph("O")
    assert found.kind.tolist() == [3, 0, 0]
    assert sorted(zip(*found.bond.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 0), (2, 0)]
    assert found.near.shape == (2, 6)
    bond = found.bond.T.tolist()
    # H -> O -> H', both ways round; two bonds end at O.
    assert sorted((bond[k], bond[j]) for k, j in found.path.T) == [([1, 0], [0, 2]), ([2, 0], [0, 1])]
    assert sorted((bond[k], bond[j]) for k, j in found.fan.T) == [([1, 0], [2, 0]), ([2, 0], [1, 0])]
    assert graph("O", cutoff=1.2).near.shape == (2, 4)


def test_other_elements_are_refused() -> None:
    geometry = embed(parse_smiles("CBr"))
    assert isinstance(geometry, Geometry)
    assert graph_of(geometry, SMALL.elements, 5.0) == "element Br is not among those of the model"


def test_many_molecules_at_once_are_as_each_alone(model: Mxmnet) -> None:
    graphs = [graph(text) for text in MOLECULES]
    alone = torch.cat([model(one) for one in graphs])
    assert alone.std() > 0.1
    torch.testing.assert_close(model(pack_graphs(graphs)), alone)


def test_nothing_but_distances_angles_and_elements_counts(model: Mxmnet) -> None:
    geometry = embed(parse_smiles("CC(=O)N"))
    assert isinstance(geometry, Geometry)
    whole = graph_of(geometry, SMALL.elements, 5.0)
    assert isinstance(whole, AtomGraph)
    plain = whole.to(dtype=torch.float64)
    turn, _ = torch.linalg.qr(
        torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    )
    moved = replace(plain, position=plain.position @ turn + torch.tensor([1.0, -2.0, 3.0]))
    torch.testing.assert_close(model(moved), model(plain))
    order = np.random.default_rng(0).permutation(geometry.mol.GetNumAtoms()).tolist()
    renumbered = graph_of(Geometry(Chem.RenumberAtoms(geometry.mol, order)), SMALL.elements, 5.0)
    assert isinstance(renumbered, AtomGraph)
    torch.testing.assert_close(model(renumbered.to(dtype=torch.float64)), model(plain))
    bent = replace(plain, position=plain.position * torch.tensor([1.0, 1.0, 0.9]))
    assert (model(bent) - model(plain)).abs() > 1e-4


def test_a_new_network_says_the_mean_of_all_molecules() -> None:
    assert Mxmnet(SMALL).double()(pack_graphs([graph(text) for text in MOLECULES])).tolist() == [0.0] * len(
        MOLECULES
    )


def test_forces_are_finite_differences(model: Mxmnet) -> None:
    plain = graph("CC(=O)N")
    position = plain.position.clone().requires_grad_()
    (force,) = torch.autograd.grad(model(replace(plain, position=position)).sum(), position)
    step = 1e-5
    for atom, axis in ((0, 0), (1, 2), (5, 1)):
        shift = torch.zeros_like(plain.position)
        shift[atom, axis] = step
        up, down = (model(replace(plain, position=plain.position + sign * shift)) for sign in (1, -1))
        assert float(force[atom, axis]) == pytest.approx((up - down).item() / (2 * step), rel=1e-5, abs=1e-8)
    assert force.abs().max() > 1e-3


def test_a_pair_fades_out_at_the_cutoff(model: Mxmnet) -> None:
    """Two molecules in one, so far apart that they just do not see each other."""
    plain = graph("[H][H]")
    two = pack_graphs([plain, plain])
    near = torch.tensor([[0, 2, 1, 3], [2, 0, 3, 1]])
    joined = replace(two, molecule=torch.zeros(4, dtype=torch.int64), near=torch.cat([two.near, near], dim=1))

    def at(distance: float) -> torch.Tensor:
        shift = torch.tensor([[0.0, 0, 0]] * 2 + [[0.0, distance, 0]] * 2, dtype=torch.float64)
        along = plain.position[1] - plain.position[0]
        across = torch.linalg.cross(along, torch.tensor([0.3, 0.5, 0.8], dtype=torch.float64))
        shift = shift[:, 1:2] * across / across.norm()
        value: torch.Tensor = model(replace(joined, position=joined.position + shift))
        return value

    assert (at(4.9999) - at(5.0001)).abs() < 1e-6
    assert (at(3.0) - at(5.0001)).abs() > 1e-4
