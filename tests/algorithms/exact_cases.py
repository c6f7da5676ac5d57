"""Small environments whose exact flows, for any backward policy, are written into tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from exact_variants import UNREAD, Variant
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm, Experience, Learned, Models
from fluvial.algorithms.registry import (
    ALGORITHMS,
    BACKWARD_RULES,
    COUNTED_BACKWARD,
    LEARNED_BACKWARD,
    Ingredients,
)
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.enumeration import (
    StateGraph,
    enumerate_states,
    find_rows,
    first_occurrences,
    labelled_identity,
)
from fluvial.core.types import Condition, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.metrics.exact import ExactFlows, edge_log_pf, exact_flows
from fluvial.metrics.paths import PathCounts, maxent_log_probs
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.tabular import TabularPolicy, legal_or_all
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import rollout
from fluvial.testing.courses import Courses
from fluvial.testing.slots import Slots

N_ROWS = 256
GARBAGE = 7.0
"""Stands wherever a table must not be read: logits of illegal actions, flows and numbers of finished states."""


@dataclass(frozen=True, eq=False)
class World:
    """An environment with all its states, a random reward, and trajectories of the uniform policy."""

    env: Any
    graph: StateGraph[Any]
    """Numberings that differ are different states here, and all those are in it that a step back makes."""
    counts: PathCounts[Any]
    log_object: Tensor
    """float64 [S], log R^beta of the object that a state is; nan where it is none."""
    log_total: float
    """Log of the sum of R^beta over distinct objects."""
    may_number: bool
    """Whether a P_B that depends on the numbering is allowed, for all ways back lead through the graph."""
    prior: TabularPolicy[Any]
    """Random P_F."""
    trajectories: Trajectories[Any]
    """With log R^beta."""

    def rows(self, states: Any) -> Tensor:
        """Rows of the graph, int64 [B]."""
        return find_rows(*self.graph.identity.sort(), labelled_identity(states))

    @cached_property
    def is_initial(self) -> Tensor:
        """Whether a state is the initial one, bool [S]."""
        is_initial: Tensor = self.env.is_initial(self.graph.states)
        return is_initial

    @cached_property
    def log_n(self) -> Tensor:
        """Log number of ways back, float64 [S]."""
        return self.counts(self.graph.states)

    @cached_property
    def log_target(self) -> Tensor:
        """`log_object` with the symmetry correction, float64 [S]."""
        log_target: Tensor = self.log_object + self.env.log_symmetry(self.graph.states)
        return log_target

    @cached_property
    def log_prior(self) -> Tensor:
        """log P_F of the prior for each transition, float64 [E]."""
        return edge_log_pf(self.graph, lambda states: self.prior(states).forward.log_probs)


def closed_graph(env: Any) -> StateGraph[Any]:
    """All numberings that steps and steps back make; `enumerate_states` follows steps only."""
    states = enumerate_states(env, identity=labelled_identity).states
    size = 0
    while size < len(states):
        size = len(states)
        after, before = env.mask(states).nonzero(as_tuple=True), env.back_mask(states).nonzero(as_tuple=True)
        found = [env.step(states[after[0]], after[1]), env.step_back(states[before[0]], before[1])]
        everything = type(states).cat([states, *found])
        states = everything[first_occurrences(labelled_identity(everything))]
    identity = labelled_identity(states)
    source, action = env.mask(states).nonzero(as_tuple=True)
    after = env.step(states[source], action)
    target = find_rows(*identity.sort(), labelled_identity(after))
    level = torch.zeros(len(states), dtype=torch.int64)
    for _ in range(env.max_steps):
        level = level.scatter_reduce(0, target, level[source] + 1, "amax")
    back_action = env.undo(states[source], action, after)
    return StateGraph(states, identity, env.is_terminal(states), level, source, action, target, back_action)


def random_log_rewards(texts: list[str]) -> dict[str, float]:
    """Log of a reward between 0.5 and 3 for each distinct text."""
    names = sorted(set(texts))
    noise = torch.rand(len(names), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return dict(zip(names, (0.5 + 2.5 * noise).log().tolist(), strict=True))


def build_world(env: Any, may_number: bool, beta: float = 1.0) -> World:
    """The environment with a random reward to the power of beta."""
    graph = closed_graph(env)
    is_object = graph.is_terminal | env.mask(graph.states)[:, 0]
    texts = env.decode(graph.states[is_object])
    rewards = random_log_rewards(texts)
    log_object = torch.full((len(graph),), torch.nan, dtype=torch.float64)
    log_object[is_object] = beta * torch.tensor([rewards[text] for text in texts], dtype=torch.float64)
    nothing = torch.zeros(N_ROWS, 0)
    condition = Condition(nothing, torch.full((N_ROWS,), beta), nothing, nothing)
    drawn = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0))
    final = find_rows(*graph.identity.sort(), labelled_identity(drawn.final_states))
    return World(
        env,
        graph,
        PathCounts(env, graph),
        log_object,
        float((beta * torch.tensor(list(rewards.values()), dtype=torch.float64)).logsumexp(0)),
        may_number,
        _random_prior(env, graph),
        drawn.replace(log_reward=log_object[final], log_symmetry=env.log_symmetry(drawn.final_states)),
    )


def _random_prior(env: Any, graph: StateGraph[Any]) -> TabularPolicy[Any]:
    policy = TabularPolicy(env, graph, labelled_identity).double()
    with torch.no_grad():
        policy.forward_logits.normal_(generator=torch.Generator().manual_seed(3))
    return policy


WORLDS: dict[str, Callable[[Vocabulary], World]] = {
    "hypergrid": lambda three: build_world(Hypergrid(2, 4), may_number=True),
    "slots": lambda three: build_world(Slots(3, 2), may_number=True),
    "slots, beta 4": lambda three: build_world(Slots(3, 2), may_number=True, beta=4.0),
    "courses": lambda three: build_world(Courses(2, 2, 2), may_number=True),
    "graphs": lambda three: build_world(Graphs(node_types=2, max_nodes=3), may_number=False),
    "fragments": lambda three: build_world(Fragments(three, 2), may_number=False),
    "fragments, beta 4": lambda three: build_world(Fragments(three, 2), may_number=False, beta=4.0),
}
TREES: dict[str, Callable[[], World]] = {
    "line": lambda: build_world(Hypergrid(1, 5), may_number=True),
    "one course": lambda: build_world(Courses(2, 3, 1), may_number=True),
}


def backward_table(world: World, rule: str) -> Tensor:
    """Logits of P_B, float64 [S, A']: uniform, of greatest entropy, or random, as suits the rule."""
    env, states = world.env, world.graph.states
    legal = env.back_mask(states)
    if rule == "uniform":
        return torch.zeros(legal.shape, dtype=torch.float64)
    if rule.startswith(("maxent", "gsql")):
        return maxent_log_probs(env, states, world.counts).masked_fill(~legal, 0.0)
    if world.may_number:
        return torch.randn(legal.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    # A number of the parent up to numbering is the same for all actions that a symmetry exchanges.
    rows, back_actions = legal.nonzero(as_tuple=True)
    parent = env.key(env.step_back(states[rows], back_actions)).remainder(1009).double() / 500.0
    return torch.zeros(legal.shape, dtype=torch.float64).index_put((rows, back_actions), parent)


def edge_weights(world: World, rule: str, table: Tensor) -> Tensor:
    """What the rule charges for each transition in place of log P_B, float64 [E]."""
    graph = world.graph
    is_stop = graph.action == 0
    if rule == "none":
        return torch.zeros(len(is_stop), dtype=torch.float64)
    if rule.startswith("gsql"):
        return torch.where(is_stop, -world.log_n[graph.source], 0.0)
    legal = legal_or_all(world.env.back_mask(graph.states))
    log_pb = table.masked_fill(~legal, -torch.inf).log_softmax(dim=1)
    return log_pb[graph.target, graph.back_action]


@cache
def exact_table(world: World, rule: str) -> tuple[Tensor, ExactFlows]:
    """Logits of P_B and the flows; the rule `prior` is that of relative balance."""
    if rule == "prior":
        return torch.zeros(1, dtype=torch.float64), exact_flows(
            world.graph, world.log_object, world.log_prior
        )
    table = backward_table(world, rule)
    return table, exact_flows(world.graph, world.log_target, edge_weights(world, rule, table))


def exact_model(world: World, variant: Variant, rule: str) -> Model:
    """The weights at which the variant has no loss, if it is right."""
    env, graph = world.env, world.graph
    table, flows = exact_table(world, "prior" if variant.name == "rtb" else rule)
    policy = TabularPolicy(
        env, graph, labelled_identity, rule in LEARNED_BACKWARD, count_paths=rule in COUNTED_BACKWARD
    ).double()
    log_flow = flows.log_flow
    if variant.reads_values:
        log_flow = torch.randn(len(graph), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    if variant.is_forward_looking:
        log_flow = log_flow - world.log_target.nan_to_num(0.0).masked_fill(world.is_initial, 0.0)
    log_z = LogZ(0).double()
    with torch.no_grad():
        policy.forward_logits.fill_(GARBAGE)
        # Logits and flow output add up to values, however they share them.
        level = (1.0 - variant.share) * flows.log_flow - log_flow if variant.reads_values else log_flow
        shift = level[graph.source]
        policy.forward_logits[graph.source, graph.action] = shift + flows.log_pf
        policy.backward_logits.copy_(table.masked_fill(~env.back_mask(graph.states), GARBAGE))
        policy.log_flow.copy_(log_flow.masked_fill(graph.is_terminal, GARBAGE))
        if policy.log_n is not None:
            policy.log_n.copy_(world.log_n.masked_fill(graph.is_terminal | world.is_initial, GARBAGE))
        log_z.offset.fill_(flows.log_z)
        log_z.is_started.fill_(True)
    return Model(policy, log_z)


@dataclass(frozen=True)
class Case:
    """A learning rule at its exact weights, and what it is to learn from."""

    algorithm: Algorithm
    models: Models
    experience: Experience

    def __call__(self) -> Learned:
        """What the rule says."""
        with torch.no_grad():
            return self.algorithm(self.models, self.experience, torch.Generator().manual_seed(4))


def exact_case(world: World, variant: Variant, rule: str, n_loss: str | None = None) -> Case:
    """The variant with a backward policy on the trajectories of the world."""
    ingredients = Ingredients(
        world.env,
        log_n=world.counts,
        regression=variant.regression,
        log_z=variant.log_z,
        is_forward_looking=variant.is_forward_looking,
        prior=world.prior,
    )
    # What reads no backward rule must hold on the flows of each all the same.
    read = "uniform" if variant.rules is UNREAD else rule
    backward = BACKWARD_RULES[read](ingredients, **({} if n_loss is None else {"n_loss": n_loss}))
    algorithm = ALGORITHMS[variant.name](ingredients, backward, **variant.options)
    model = exact_model(world, variant, rule)
    trajectories = world.trajectories
    partial = partial_targets(world) if algorithm.needs_partial else None
    experience = Experience(trajectories, torch.zeros(N_ROWS, dtype=torch.int64), partial)
    return Case(algorithm, Models(model, model), experience)


def partial_targets(world: World) -> Tensor:
    """log R^beta with the symmetry correction of unfinished states that are objects, else nan, [T + 1, B]."""
    states = world.trajectories.states.flatten()
    target = world.log_target[world.rows(states)].masked_fill(world.env.is_terminal(states), torch.nan)
    return target.reshape(-1, N_ROWS)


def own_loss(learned: Learned) -> Tensor:
    """The loss without that of P_B, float [B]."""
    return learned.loss - learned.parts.get("backward loss", torch.zeros(()))


def worst(learned: Learned) -> float:
    """Largest loss of a trajectory, that of P_B left aside; inf where one is nan."""
    return float(own_loss(learned).nan_to_num(nan=torch.inf).abs().max())
