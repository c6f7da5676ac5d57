from __future__ import annotations

from math import cos, sin

import pytest
import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.nets.sequence_transformer import (
    POSITIONS,
    SequenceTransformer,
    add_waves,
    rotate,
    wave_angles,
)

LENGTH = torch.tensor([5, 0, 3, 1])
TOKEN = torch.tensor([[1, 2, 3, 1, 2, 0], [0] * 6, [3, 3, 1, 0, 0, 0], [2, 0, 0, 0, 0, 0]])


def random_net(positions: str, condition_width: int = 0) -> SequenceTransformer:
    torch.manual_seed(0)
    net = SequenceTransformer(3, condition_width, 16, 2, 2, positions=positions)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net.double().eval()


def encoding(n_rows: int, width: int = 0) -> Tensor:
    return torch.rand(n_rows, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_angles() -> None:
    # Two frequencies, 1 and 10 000^(-1/2).
    angles = wave_angles(3, 4, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(angles, torch.tensor([[0, 0], [1, 0.01], [2, 0.02]], dtype=torch.float64))


def test_rotation_by_hand() -> None:
    x = torch.tensor([[[[1.0, 0.0, 0.0, 2.0]]]])
    turned = rotate(x, torch.tensor([[0.5, 0.25]]))
    expected = [cos(0.5), -2 * sin(0.25), sin(0.5), 2 * cos(0.25)]
    torch.testing.assert_close(turned[0, 0, 0], torch.tensor(expected))


def test_rotated_products_depend_on_the_distance_only() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64).expand(2, 1, 1, 9, 8)
    angles = wave_angles(9, 8, query)
    product = (rotate(query, angles) @ rotate(key, angles).transpose(2, 3))[0, 0]
    for distance in range(-8, 9):
        diagonal = product.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert len(set(product[0].round(decimals=6).tolist())) == 9


def test_waves_by_hand() -> None:
    marked = add_waves(torch.ones(1, 2, 4), torch.tensor([[0.0, 0.0], [1.0, 0.01]]))
    expected = [[1.0, 1.0, 2.0, 2.0], [1 + sin(1.0), 1 + sin(0.01), 1 + cos(1.0), 1 + cos(0.01)]]
    torch.testing.assert_close(marked[0], torch.tensor(expected))


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("positions", POSITIONS)
def test_shape_and_padding(positions: str, is_causal: bool) -> None:
    features = random_net(positions)(TOKEN, LENGTH, encoding(4), is_causal)
    assert features.shape == (4, 7, 16)
    exists = torch.arange(7) <= LENGTH[:, None]
    assert torch.equal((features != 0).any(dim=2), exists)


@pytest.mark.parametrize("positions", POSITIONS)
def test_causal_features_do_not_see_what_comes_behind(positions: str) -> None:
    net = random_net(positions)
    other = TOKEN[:1].clone()
    other[0, 3:5] = torch.tensor([3, 3])
    mine, theirs = (net(token, LENGTH[:1], encoding(1), True) for token in (TOKEN[:1], other))
    assert torch.allclose(mine[:, :4], theirs[:, :4], atol=1e-12)
    assert not torch.allclose(mine[:, 4], theirs[:, 4])
    mine, theirs = (net(token, LENGTH[:1], encoding(1), False) for token in (TOKEN[:1], other))
    assert not torch.isclose(mine[:, :6], theirs[:, :6]).all(dim=2).any()


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("positions", POSITIONS)
def test_other_rows_and_padding_change_nothing(positions: str, is_causal: bool) -> None:
    net = random_net(positions)
    together = net(TOKEN, LENGTH, encoding(4), is_causal)
    for row, length in enumerate(LENGTH.tolist()):
        alone = net(TOKEN[row : row + 1, : max(length, 1)], LENGTH[row : row + 1], encoding(1), is_causal)
        assert torch.allclose(alone[0, : length + 1], together[row, : length + 1], atol=1e-12)


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("positions", POSITIONS)
def test_order_of_symbols_matters(positions: str, is_causal: bool) -> None:
    token = torch.tensor([[1, 2, 3], [2, 1, 3]])
    features = random_net(positions)(token, torch.tensor([3, 3]), encoding(2), is_causal)
    assert not torch.allclose(features[0, 3], features[1, 3])
    assert not is_causal or torch.allclose(features[0, 0], features[1, 0])


@pytest.mark.parametrize("is_causal", [True, False])
def test_the_condition_reaches_every_token(is_causal: bool) -> None:
    net = random_net("rotary", condition_width=2)
    features = net(TOKEN[:1].expand(2, -1), LENGTH[:1].expand(2), encoding(2, 2), is_causal)
    assert not torch.isclose(features[0, :6], features[1, :6]).all(dim=1).any()


def test_film_starts_without_effect() -> None:
    torch.manual_seed(0)
    net = SequenceTransformer(3, 2, 16, 2, 2).eval()
    assert net.embed_condition is not None
    torch.nn.init.zeros_(net.embed_condition.weight)
    features = net(TOKEN[:1].expand(2, -1), LENGTH[:1].expand(2), torch.rand(2, 2), True)
    torch.testing.assert_close(features[0], features[1])


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    net = SequenceTransformer(3, 0, 16, 2, 2, dropout=0.5)
    arguments = (TOKEN, LENGTH, torch.zeros(4, 0), True)
    assert not torch.allclose(net(*arguments), net(*arguments))
    net.eval()
    assert torch.equal(net(*arguments), net(*arguments))


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("positions", POSITIONS)
def test_gradient_reaches_every_weight(positions: str, is_causal: bool) -> None:
    net = random_net(positions, condition_width=2)
    net(TOKEN, LENGTH, encoding(4, 2), is_causal).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool((parameter.grad != 0).any()), name


def test_empty_batch() -> None:
    assert random_net("rotary")(TOKEN[:0], LENGTH[:0], encoding(0), True).shape == (0, 7, 16)


def test_bad_arguments() -> None:
    with pytest.raises(ConfigError, match=r"width is 20; it must be a multiple of 2 \* heads = 8"):
        SequenceTransformer(3, 0, 20, 1, 4)
    with pytest.raises(ConfigError, match="positions is 'none'; it must be one of rotary, sinusoidal"):
        SequenceTransformer(3, 0, 16, 1, 2, positions="none")
