"""One network answers conditions in between: exactly on grids, with every object known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from fluvial.bench.exactness import KnownProblem, Recipe, distribution, train
from fluvial.bench.known import grid
from fluvial.core.types import Condition
from fluvial.envs.hypergrid import Hypergrid
from fluvial.metrics.agreement import spearman
from fluvial.metrics.exact import total_variation
from fluvial.policy.module import PolicyModule
from fluvial.queue.records import ScoredObject
from fluvial.rewards.conditions import Asked, Conditions
from fluvial.rewards.focus import Focus, Sphere
from fluvial.rewards.preferences import Preferences
from fluvial.rewards.property_targets import PropertyTarget, PropertyTargets
from fluvial.rewards.target import Cone, Target
from fluvial.rewards.temperature import Temperature

pytestmark = pytest.mark.long

SIDE = 8
RECIPE = Recipe(steps=800, batch=32, epsilon=0.05)
PLACES = torch.tensor([[0.0, 0.0], [7.0, 0.0], [3.5, 7.0]], dtype=torch.float64)


def places(texts: Sequence[str]) -> Tensor:
    return torch.tensor([list(map(float, text.split(","))) for text in texts], dtype=torch.float64)


def nearness(texts: Sequence[str]) -> Tensor:
    """How near a point is to each of three places far apart, 0 to 1, [B, 3]: terms at odds."""
    return 1.0 - torch.cdist(places(texts), PLACES) / 7.0 / 2.0**0.5


def conditioned(conditions: Conditions, target: Target, terms: object) -> KnownProblem:
    known = grid(Hypergrid(2, SIDE))

    def values(objects: Sequence[ScoredObject]) -> Tensor:
        return terms([item.text for item in objects])  # type: ignore[operator, no-any-return]

    problem = dataclasses.replace(known.problem, conditions=conditions, terms=values, target=target)
    width = values(list(known.objects.values())).shape[1]
    return dataclasses.replace(known, problem=problem, n_terms=width)


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    return spearman(torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64))


def answered(known: KnownProblem, policy: PolicyModule, asked: Asked) -> tuple[Tensor, float]:
    """What the policy draws when asked, [X], and its total variation to what it should."""
    conditions = known.problem.conditions
    assert isinstance(conditions, Conditions)
    condition: Condition = conditions.sample(1, torch.Generator().manual_seed(0), asked)
    drawn = distribution(known, policy, condition)
    texts = list(known.objects)
    assert known.problem.terms is not None
    values = known.problem.terms(list(known.objects.values()))
    log_target = known.problem.target(known.reward, values, condition.repeat(len(texts)))
    return drawn, total_variation(drawn, log_target.double().softmax(dim=0))


def test_every_term_rises_with_its_weight() -> None:
    conditions = Conditions(Temperature("constant", (6.0,)), Preferences(3, concentration=1.0))
    known = conditioned(conditions, Target(floor=1e-4), nearness)
    policy = train(known, RECIPE, 0).policy
    values = nearness(list(known.objects))
    generator = torch.Generator().manual_seed(5)
    asked = Preferences(3, concentration=1.0).draw(40, generator)
    achieved, errors = [], []
    for weights in asked.tolist():
        drawn, error = answered(known, policy, Asked(weights=tuple(weights)))
        achieved.append((drawn @ values).tolist())
        errors.append(error)
    for term in range(3):
        correlation = rank_correlation(asked[:, term].tolist(), [row[term] for row in achieved])
        assert correlation > 0.8
    # None of these weights was ever drawn in training.
    assert float(np.mean(errors)) < 0.05


def test_objects_follow_the_focus() -> None:
    conditions = Conditions(
        Temperature("constant", (2.0,)), Preferences(2, choices=((1.0, 1.0),)), Focus(2, Sphere(2))
    )

    def coordinates(texts: Sequence[str]) -> Tensor:
        return places(texts) / 7.0

    known = conditioned(conditions, Target(floor=1e-4, cone=Cone(0.9, 0.1), outside=-10.0), coordinates)
    policy = train(known, RECIPE, 0).policy
    points = coordinates(list(known.objects))
    directions = points / points.norm(dim=1, keepdim=True).clamp_min(1e-9)
    angles = np.linspace(0.05, 1.52, 12).tolist()
    achieved, inside = [], []
    for angle in angles:
        focus = (float(np.cos(angle)), float(np.sin(angle)))
        drawn, _ = answered(known, policy, Asked(focus=focus))
        cosine = directions @ torch.tensor(focus, dtype=torch.float64)
        inside.append(float(drawn[cosine >= 0.9].sum()))
        achieved.append(float(drawn @ points[:, 1] - drawn @ points[:, 0]))
    assert rank_correlation(angles, achieved) > 0.95
    assert min(inside) > 0.85


def test_a_property_follows_its_target() -> None:
    def row(texts: Sequence[str]) -> Tensor:
        return places(texts)[:, :1]

    conditions = Conditions(
        Temperature("constant", (1.0,)), target=PropertyTargets((PropertyTarget("row", 0.0, 7.0, 0.7),))
    )
    known = conditioned(conditions, Target(floor=1e-4, widths=(0.7,)), row)
    policy = train(known, RECIPE, 0).policy
    rows = row(list(known.objects))[:, 0]
    asked = [0.0, 0.5, 1.5, 2.5, 3.3, 4.5, 5.5, 6.4, 7.0]
    answers = [answered(known, policy, Asked(target=(value,))) for value in asked]
    means = [float(drawn @ rows) for drawn, _ in answers]
    assert rank_correlation(asked, means) > 0.95
    assert max(abs(mean - value) for mean, value in zip(means, asked, strict=True)) < 1.0


def test_the_ends_of_the_sharpness_are_learned_as_the_middle() -> None:
    conditions = Conditions(Temperature("uniform", (1.0, 8.0), ends=0.05))
    known = conditioned(conditions, Target(), lambda texts: torch.zeros(len(texts), 0, dtype=torch.float64))
    policy = train(known, dataclasses.replace(RECIPE, steps=2000), 0).policy
    errors = {beta: answered(known, policy, Asked(beta=beta))[1] for beta in (1.0, 1.5, 4.5, 7.5, 8.0)}
    # Without a share of their own the lower end has an error of 0.15.
    assert max(errors.values()) < 0.07
    sharpness = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    means = [float(answered(known, policy, Asked(beta=beta))[0] @ known.reward.log()) for beta in sharpness]
    assert rank_correlation(sharpness, means) == pytest.approx(1.0)
