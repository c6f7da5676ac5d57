from __future__ import annotations

import pytest
import torch

from fluvial.bench.matching import configuration, exact_error, listed, trained
from fluvial.config.file import parse_config
from fluvial.policy.uniform import UniformPolicy

SMALL = '[env]\nkind = "graph"\nmax_nodes = 2\nreward = "counts"\n[policy]\nkind = "uniform"\n'


def test_all_objects_are_listed_with_their_rewards() -> None:
    known = listed(configuration("graphs"))
    assert len(known.objects) == 419
    # log R = -4 / 2^t for t triangles of one colour: at most 10 in five nodes, none in the most graphs.
    assert known.reward.min().log().item() == pytest.approx(-4.0)
    assert known.reward.max().log().item() == pytest.approx(-4.0 / 2**10)


def test_the_error_of_a_policy_worked_out_by_hand() -> None:
    # Graphs "0", "1", "0 0", "0 1", "1 1" with an edge each in the pairs. Uniformly: 1/2 for each first node,
    # then stop or one of two more, 1/3 each, and the pair must stop. So 1/6, 1/6, 1/6, 1/3, 1/6.
    known = listed(parse_config(SMALL))
    share = torch.tensor([0.0, 1.0, 0.0, 0.5, 1.0], dtype=torch.float64)
    target = (-4.0 * (share - 0.75).abs()).exp()
    p = torch.tensor([1.0, 1.0, 1.0, 2.0, 1.0], dtype=torch.float64) / 6.0
    expected = 0.5 * (p - target / target.sum()).abs().sum().item()
    error = exact_error(known, UniformPolicy(known.problem.env))
    assert error == pytest.approx(expected)


def test_what_a_short_run_reports() -> None:
    text = SMALL.replace("uniform", "graph-transformer") + "[stop]\nsteps = 3\n[algo]\nbatch = 4\n"
    known = listed(parse_config(text))
    result = trained(known, parse_config(text))
    assert result.total_variation == exact_error(known, result.policy)
    assert 1 <= result.n_calls <= 5  # of five objects, however often each was drawn
    assert result.wall_seconds > 0.0


def test_the_problems_are_tasks_of_a_size_that_can_be_listed() -> None:
    graphs, words = configuration("graphs", seed=3), configuration("words", steps=7)
    assert (graphs.env.kind, graphs.seed, graphs.stop.steps) == ("graph", 3, 3000)
    assert (words.env.kind, words.policy.kind, words.stop.steps) == ("sequence", "mlp", 7)
    assert configuration("words").stop.steps == 6000


@pytest.mark.long
@pytest.mark.parametrize(("problem", "steps", "largest"), [("atoms", 600, 0.08), ("words", 500, 0.17)])
def test_trained_tasks_come_near_the_exact_distribution(problem: str, steps: int, largest: float) -> None:
    config = configuration(problem, steps, seed=1)
    result = trained(listed(config), config)
    assert result.total_variation < largest
    assert result.n_calls <= 64_000
