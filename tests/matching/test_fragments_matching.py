"""Training reaches R / Z over molecules, by exact dynamic programming over the trained policy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.envs.fragments.environment import Fragments
from fluvial.metrics.exact import exact_log_probability, group_by_text, total_variation
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer, build_schedule
from fluvial.train.step import train_step

BIPHENYL = "c1ccc(-c2ccccc2)cc1"


def ones(texts: Sequence[str]) -> list[ScoredObject]:
    return [ScoredObject(text, 1.0) for text in texts]


def lengths(texts: Sequence[str]) -> list[ScoredObject]:
    return [ScoredObject(text, float(len(text))) for text in texts]


def trained(
    env: Fragments, score: object, n_steps: int, learn_backward: bool = False, n_replayed: int = 0
) -> Learner:
    torch.manual_seed(0)
    policy = GraphPolicy(env, GraphTransformer(env.sizes, 0, 32, 2, 4), learn_backward)
    model = Model(policy, LogZ(0))
    learner = Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=2e-3, log_z_lr=0.1)),
        build_schedule("cosine", n_steps, 0, 0.02),
        ReplayBuffer(1000, env.max_steps, Priority()),
        torch.Generator().manual_seed(0),
    )
    problem = Problem(env, score, Conditions())  # type: ignore[arg-type]
    settings = LearningSettings(batch=64, n_replayed=n_replayed, replay_start=5)
    for _ in range(n_steps):
        train_step(problem, learner, settings)
    return learner


def molecules(env: Fragments, learner: Learner) -> tuple[list[str], torch.Tensor]:
    """Each molecule and its exact probability under the averaged policy."""
    graph = enumerate_states(env, identity=labelled_identity)

    def log_probs(states: object) -> torch.Tensor:
        condition = Conditions().fixed(len(states), 1.0)  # type: ignore[arg-type]
        output: torch.Tensor = learner.average.policy(states, condition).forward.log_probs
        return output

    p = exact_log_probability(graph, log_probs)[graph.is_terminal].exp()
    return group_by_text(env.decode(graph.states[graph.is_terminal]), p)


@pytest.mark.parametrize("learn_backward", [False, True])
@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.long
def test_nine_molecules_are_sampled_alike(
    three_fragments: Vocabulary, merge: bool, learn_backward: bool
) -> None:
    env = Fragments(three_fragments, 2, merge_symmetric=merge)
    learner = trained(env, ones, 400, learn_backward)
    texts, p = molecules(env, learner)
    assert len(texts) == 9
    assert float(learner.model.log_z.offset.detach().exp()) == pytest.approx(9.0, rel=0.05)
    assert total_variation(p, torch.full((9,), 1 / 9)) < 0.05


@pytest.mark.long
def test_without_the_correction_symmetric_molecules_take_over(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 2, merge_symmetric=False, correct_symmetry=False)
    texts, p = molecules(env, trained(env, ones, 400))
    by_text = dict(zip(texts, p.tolist(), strict=True))
    # 18 of 43.5: see the test of the uncorrected weights.
    assert by_text[BIPHENYL] == pytest.approx(18.0 / 43.5, abs=0.03)
    assert total_variation(p, torch.full((9,), 1 / 9)) > 0.4


@pytest.mark.parametrize("n_replayed", [0, 64])
@pytest.mark.long
def test_thirty_three_molecules_follow_the_reward(three_fragments: Vocabulary, n_replayed: int) -> None:
    env = Fragments(three_fragments, 3)
    texts, p = molecules(env, trained(env, lengths, 700, n_replayed=n_replayed))
    reward = torch.tensor([float(len(text)) for text in texts])
    assert len(texts) == 33
    assert total_variation(p, reward / reward.sum()) < 0.05
