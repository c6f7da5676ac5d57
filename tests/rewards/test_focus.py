from __future__ import annotations

import math

import pytest
import torch

from fluvial.core.errors import ConfigError, DataError
from fluvial.rewards.focus import (
    DIRECTIONS,
    Directions,
    Focus,
    Learned,
    Listed,
    Reached,
    Simplex,
    Sphere,
    outer_faces,
    partition,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


LAWS: dict[str, Directions] = {
    "centered": DIRECTIONS["centered"](3),
    "partitioned": DIRECTIONS["partitioned"](3, n=4, seed=0),
    "dirichlet": DIRECTIONS["dirichlet"](3, concentration=0.5),
    "hyperspherical": DIRECTIONS["hyperspherical"](3),
    "listed": DIRECTIONS["listed"](3, ((1.0, 0.0, 0.0), (0.0, 3.0, 4.0))),
    "learned": Learned(Reached(3, 5), 0, 10),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", [1, 300])
def test_directions_are_unit_vectors_without_negative_parts(name: str, n: int) -> None:
    drawn = LAWS[name](n, generator())
    assert drawn.shape == (n, 3)
    assert drawn.dtype == torch.float64
    assert bool((drawn >= 0.0).all())
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(n).double(), rtol=0.0, atol=1e-12)
    assert torch.equal(drawn, LAWS[name](n, generator()))


def test_the_centre_is_the_direction_of_equal_terms() -> None:
    assert LAWS["centered"](2, generator()).flatten().tolist() == pytest.approx([3**-0.5] * 6)
    assert Focus(3, LAWS["centered"]).encoding_width == 0
    assert Focus(3, LAWS["centered"]).encode(torch.ones(2, 3)).shape == (2, 0)


def test_sphere_is_uniform() -> None:
    drawn = Sphere(3)(40_000, generator())
    # Each coordinate of a uniform point of the sphere is uniform itself (Archimedes).
    assert float((drawn[:, 0] < 0.3).double().mean()) == pytest.approx(0.3, abs=0.012)
    assert float(drawn.square().mean()) == pytest.approx(1 / 3, abs=0.005)


def test_a_dirichlet_direction_is_uniform_on_the_simplex_at_1() -> None:
    drawn = Simplex(2)(40_000, generator())
    share = drawn[:, 0] / drawn.sum(dim=1)
    assert float((share < 0.25).double().mean()) == pytest.approx(0.25, abs=0.012)


def test_listed_directions_are_normalised_and_drawn_alike() -> None:
    listed = Listed(((3.0, 4.0), (0.0, 2.0)))
    assert listed.directions == ((0.6, 0.8), (0.0, 1.0))
    drawn = listed(4000, generator())
    assert float((drawn[:, 0] == 0.6).double().mean()) == pytest.approx(0.5, abs=0.04)
    assert Focus(2, listed).encoding_width == 2
    assert Focus(2, listed).middle().tolist() == [0.6, 0.8]
    for bad, words in (
        ((), "at least one direction"),
        (((0.0, 0.0),), "the direction 0, 0 must be at least 0 everywhere and more somewhere"),
        (((1.0, -1.0),), "the direction 1, -1"),
        (((1.0, 1.0), (1.0,)), "a number for every reward term"),
    ):
        with pytest.raises(ConfigError, match=words):
            Listed(bad)


def test_a_partition_divides_the_sphere_evenly() -> None:
    centres = torch.tensor(partition(2, 4), dtype=torch.float64)
    angles = torch.atan2(centres[:, 1], centres[:, 0]).sort().values
    expected = torch.tensor([(2 * part + 1) * math.pi / 16 for part in range(4)], dtype=torch.float64)
    torch.testing.assert_close(angles, expected, rtol=0.0, atol=0.03)
    assert partition(2, 4) == partition(2, 4)
    points = Sphere(4)(10_000, generator(5))
    nearest = (points @ torch.tensor(partition(4, 15), dtype=torch.float64).T).argmax(dim=1)
    shares = nearest.bincount(minlength=15) / len(points)
    assert float(shares.min()) > 0.03
    assert float(shares.max()) < 0.12


def test_encodings() -> None:
    focus = Focus(2, Sphere(2), n_bins=2)
    assert focus.encoding_width == 4
    torch.testing.assert_close(
        focus.encode(torch.tensor([[0.25, 1.0]])), torch.tensor([[0.5, 0.0, 1.0, 1.0]])
    )
    assert Focus(2, Sphere(2)).encode(torch.tensor([[0.6, 0.8]])).tolist() == [pytest.approx([0.6, 0.8])]
    assert Focus(4, Sphere(4)).middle().tolist() == [0.5] * 4


@pytest.mark.parametrize(("n_terms", "resolution"), [(1, 3), (2, 3), (3, 4), (4, 2)])
def test_outer_faces_are_the_points_with_a_coordinate_1(n_terms: int, resolution: int) -> None:
    faces = outer_faces(n_terms, resolution)
    assert len(faces) == resolution**n_terms - (resolution - 1) ** n_terms
    scaled = faces / faces.amax(dim=1, keepdim=True)
    assert len(set(map(tuple, scaled.mul(resolution - 1).round().tolist()))) == len(faces)
    torch.testing.assert_close(scaled.mul(resolution - 1).round() / (resolution - 1), scaled)


def test_a_direction_asked_for_and_never_met_is_drawn_ten_times_less() -> None:
    memory = Reached(2, 3)
    table = memory.table
    assert len(table) == 5
    memory.record(table[:2], torch.stack([table[1], torch.tensor([math.nan, 1.0]).double()]))
    assert memory.weights().tolist() == [0.1, 1.0, 1.0, 1.0, 1.0]
    memory.record(table[2:3], torch.zeros(1, 2, dtype=torch.float64))
    assert memory.weights().tolist() == [0.1, 1.0, 0.1, 1.0, 1.0]
    memory.record(table[3:4], 0.2 * table[0:1])
    assert memory.weights().tolist() == [1.0, 1.0, 0.1, 0.1, 1.0]
    learned = Learned(memory, 0, 10)
    drawn = learned(32_000, generator())
    nearest = (drawn @ table.T).argmax(dim=1).bincount(minlength=5) / 32_000
    assert nearest.tolist() == pytest.approx([w / 3.2 for w in (1.0, 1.0, 0.1, 0.1, 1.0)], abs=0.01)


def test_the_memory_is_used_and_kept_in_its_time() -> None:
    memory = Reached(2, 3)
    learned = Learned(memory, first_step=1, last_step=2)
    nothing = torch.zeros(1, 2, dtype=torch.float64)
    for step in range(4):
        if step == 0:
            drawn = learned(10_000, generator())
            shares = (drawn @ memory.table.T).argmax(dim=1).bincount(minlength=5) / 10_000
            assert shares.tolist() == pytest.approx([0.2] * 5, abs=0.02)
        learned.record(memory.table[step : step + 1], nothing)
    assert memory.weights().tolist() == [0.1, 0.1, 1.0, 1.0, 1.0]
    assert memory.n_steps == 4


def test_the_memory_goes_on_exactly() -> None:
    memory = Reached(2, 4)
    memory.record(memory.table[:3], memory.table[1:4])
    memory.n_steps = 5
    again = Reached(2, 4)
    again.load_state_dict(memory.state_dict())
    assert torch.equal(again.weights(), memory.weights())
    assert again.n_steps == 5
    again.record(memory.table[4:5], memory.table[:1])
    assert not torch.equal(again.weights(), memory.weights())
    with pytest.raises(DataError, match="saved with 7 directions, but this run has 5"):
        Reached(2, 3).load_state_dict(memory.state_dict())
