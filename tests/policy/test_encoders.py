"""Features of molecules under synthesis."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fluvial.chem.synthesis.library import embedded_library, make_library
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.encoders import GROUP, AtomEncoder, FingerprintEncoder, Remembered


@pytest.fixture(scope="module")
def env() -> Syntheses:
    library = embedded_library()
    return Syntheses(make_library([library.block(n) for n in range(120)], library.templates), 2)


@pytest.fixture
def encoder(env: Syntheses) -> AtomEncoder:
    torch.manual_seed(0)
    net = GraphTransformer(env.sizes, 0, width=16, layers=2, heads=2)
    for layer in net.layers:
        torch.nn.init.normal_(layer.attention.pair_bias)
    return AtomEncoder(env, net)


def test_a_molecule_has_its_features_in_any_company(encoder: AtomEncoder) -> None:
    together = encoder(torch.arange(100))
    assert 2 * GROUP < 100
    for number in (0, 1, 50, 99):
        assert torch.allclose(encoder(torch.tensor([number]))[0], together[number], atol=1e-5)


def test_what_was_just_encoded_is_not_encoded_again(
    env: Syntheses, encoder: AtomEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    graphs = env.graphs

    def counted(molecules: Tensor) -> object:
        asked.append(molecules.tolist())
        return graphs(molecules)

    monkeypatch.setattr(env, "graphs", counted)
    encoded = Remembered(encoder)
    expected = encoded(torch.tensor([0, 3, 4, 5])).detach()
    with torch.no_grad():
        encoded(torch.tensor([0, 3, 4]))
        assert torch.allclose(encoded(torch.tensor([0, 3, 4, 5])), expected, atol=1e-5)
        encoded(torch.tensor([4]))
        assert asked[1:] == [[0, 3, 4], [0, 5]]
        encoder.net.virtual.neg_()
        assert not torch.allclose(encoded(torch.tensor([4]))[0], expected[2], atol=1e-2)
    assert asked[3:] == [[4]]
    encoded(torch.tensor([4]))
    assert asked[4:] == [[4]]


@pytest.mark.parametrize("kind", ["atoms", "fingerprints"])
def test_what_is_remembered_is_what_the_encoder_says(env: Syntheses, encoder: AtomEncoder, kind: str) -> None:
    chosen = encoder if kind == "atoms" else FingerprintEncoder(env, 16, 2)
    encoded = Remembered(chosen)
    with torch.no_grad():
        for numbers in ([0, 7], [7, 9], [9, 7, 0]):
            molecules = torch.tensor(numbers)
            assert torch.allclose(encoded(molecules), chosen(molecules), atol=1e-5)
        assert encoded(torch.zeros(0, dtype=torch.int64)).shape == (0, 16)
