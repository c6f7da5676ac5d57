"""The routes that trajectories went."""

from __future__ import annotations

from typing import Any

from fluvial.chem.synthesis.routes import Route, RouteStep, step_of
from fluvial.core.types import Trajectories
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.state import Row, rows_of


def routes_of(env: Syntheses, trajectories: Trajectories[Any]) -> list[Route | None]:
    """The route of each trajectory, with its blocks; None where the last reaction gave nothing.

    Args:
        env: where they were made.
        trajectories: whole ones, from the initial state to the stop.
    """
    columns = [rows_of(trajectories.states[time]) for time in range(len(trajectories.mask) + 1)]
    actions, lengths = trajectories.actions.T.tolist(), trajectories.n_steps.tolist()
    return [
        _route(env, [column[row] for column in columns[: length + 1]], actions[row])
        for row, length in enumerate(lengths)
    ]


def _route(env: Syntheses, states: list[Row], actions: list[int]) -> Route | None:
    molecule, depth, role, _, _ = states[-1]
    if role > 0:
        return None
    product = env.molecules.smiles(molecule)
    if depth == 0:
        return Route(product, (), env.library.block(molecule - 1))
    pairs = zip(states, actions, states[1:], strict=False)
    steps = [_step(env, before, action, after) for before, action, after in pairs if after[1] > before[1]]
    return Route(product, tuple(steps))


def _step(env: Syntheses, before: Row, action: int, after: Row) -> RouteStep:
    way = env.actions.way(before, action)
    role, reactants = env.molecules.roles[way.role], [env.molecules.smiles(way.molecule)]
    if way.block:
        reactants.insert(1 - role.position, env.molecules.smiles(way.block))
    earlier = reactants[role.position] if before[1] else None
    return step_of(env.library, role.template, reactants, env.molecules.smiles(after[0]), earlier)
