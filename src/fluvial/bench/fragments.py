"""How fast molecules are sampled and learned from, against the network's own arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fluvial.bench.timing import Cost, cost_of, matrix_gflops, median_cost
from fluvial.chem.vocabulary import load_vocabulary
from fluvial.core.batch import Batch
from fluvial.core.types import Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.fragments.state import Tree
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.uniform import UniformPolicy
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer
from fluvial.train.step import train_step


def run(  # noqa: PLR0913 - the options of a command
    vocabulary: str = "bengio2021",
    max_fragments: int = 9,
    batch: int = 64,
    replayed: int = 0,
    width: int = 128,
    layers: int = 4,
    steps: int = 15,
    warmup: int = 30,
    threads: int = 1,
    device: str = "cpu",
) -> dict[str, Any]:
    """Seconds per training step without the reward, the floor, their ratio, and the environment's own speed.

    The floor is one forward without gradient over the states of the rollout, plus forward and backward over
    those of the training batch: the same network, weights and states, in the same process, with nothing else.
    Uniform P_B.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    place = torch.device(device)
    env = Fragments(load_vocabulary(vocabulary), max_fragments, min_fragments=max_fragments)
    learner = _learner(env, width, layers, place)
    problem = Problem(env, constant_score, Conditions(), place)
    settings = LearningSettings(batch=batch, n_replayed=replayed, replay_start=batch)
    for _ in range(warmup):
        train_step(problem, learner, settings)

    step_costs, floor_costs, seen = [], [], StatesSeen(learner.model.policy)
    n_transitions = 0
    for _ in range(steps):
        seen.clear()
        step_costs.append(cost_of(lambda: train_step(problem, learner, settings)))
        acting, training = seen.split()
        n_transitions += len(training)
        floor_costs.append(floor(learner.model.policy, acting, training))
    seen.close()
    step, least = median_cost(step_costs), median_cost(floor_costs)
    return {
        "benchmark": "fragments",
        "vocabulary": vocabulary,
        "max_fragments": max_fragments,
        "batch": batch,
        "replayed": replayed,
        "width": width,
        "layers": layers,
        "threads": torch.get_num_threads(),
        "device": str(place),
        "parameters": sum(parameter.numel() for parameter in learner.model.parameters()),
        "transitions_per_step": n_transitions / steps,
        "step_seconds": step.wall_seconds,
        "step_cpu_seconds": step.cpu_seconds,
        "floor_seconds": least.wall_seconds,
        "floor_cpu_seconds": least.cpu_seconds,
        "ratio": step.wall_seconds / least.wall_seconds,
        "trajectories_per_second": batch / step.wall_seconds,
        "matrix_gflops": matrix_gflops(place),
        "uniform_transitions_per_second": environment_speed(env, place),
    }


def constant_score(texts: Sequence[str]) -> list[ScoredObject]:
    """A reward that costs nothing."""
    return [ScoredObject(text, 1.0) for text in texts]


def environment_speed(env: Fragments, device: torch.device, batch: int = 1024) -> float:
    """Transitions per second of rollouts by the uniform policy, without a network."""
    generator = torch.Generator(device).manual_seed(0)
    condition = Conditions().fixed(batch, 1.0, device)
    policy = UniformPolicy(env)
    rates = []
    for _ in range(7):
        made: list[Trajectories[Tree]] = []
        cost = cost_of(lambda made=made: made.append(rollout(env, policy, condition, generator)))  # type: ignore[misc]
        rates.append(int(made[0].mask.sum()) / cost.wall_seconds)
    return sorted(rates)[len(rates) // 2]


class StatesSeen:
    """The states that a policy was asked about."""

    def __init__(self, policy: nn.Module) -> None:
        self._calls: list[tuple[bool, Tree]] = []
        self._handle = policy.register_forward_pre_hook(self._note)

    def _note(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._calls.append((torch.is_grad_enabled(), inputs[0]))

    def clear(self) -> None:
        """Forget what was seen."""
        self._calls.clear()

    def split(self) -> tuple[Tree, Tree]:
        """States seen while acting, and while learning."""
        acting = [states for has_gradient, states in self._calls if not has_gradient]
        training = [states for has_gradient, states in self._calls if has_gradient]
        return Tree.cat(acting), Tree.cat(training)

    def close(self) -> None:
        """Stop watching."""
        self._handle.remove()


def floor(policy: Any, acting: Tree, training: Tree) -> Cost:
    """Cost of the network's arithmetic alone."""
    with torch.no_grad():
        forward = cost_of(_network(policy, acting))
    network = _network(policy, training)
    both = cost_of(lambda: network().backward())
    policy.zero_grad(set_to_none=True)
    return Cost(forward.wall_seconds + both.wall_seconds, forward.cpu_seconds + both.cpu_seconds)


def _network(policy: Any, states: Batch) -> Any:
    """Trunk and heads on ready-made observations, as a function that gives one number."""
    observation = policy.env.observe(states)
    encoding = torch.zeros(len(states), 0, device=states.device)

    def run_network() -> torch.Tensor:
        features = policy.net(observation, encoding)
        logits = policy.forward_heads(features, observation)
        total: torch.Tensor = logits.sum() + policy.flow_head(features.graph).sum()
        return total

    return run_network


def _learner(env: Fragments, width: int, layers: int, device: torch.device) -> Learner:
    net = GraphTransformer(env.sizes, 0, width, layers)
    model = Model(GraphPolicy(env, net, learn_backward=False), LogZ(0)).to(device)
    replay = ReplayBuffer(10_000, env.max_steps, Priority())
    generator = torch.Generator(device).manual_seed(0)
    return Learner(model, build_optimizer(model, OptimizerSettings()), lambda step: 1.0, replay, generator)
