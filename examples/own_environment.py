"""An environment of your own: which roads to build, so that every town can be reached, at low cost.

    fluvial check examples/own_environment.py:Roads
    python examples/own_environment.py

The second learns to draw networks in proportion to exp(-length / 20 km), and prints the exact error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Encoded, Found
from fluvial.losses.residuals import trajectory_balance
from fluvial.metrics.exact import exact_log_probability, total_variation
from fluvial.policy.log_z import LogZ
from fluvial.policy.vector import VectorPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import score

TOWNS = {"Alm": (0.0, 0.0), "Bach": (30.0, 0.0), "Egg": (0.0, 40.0), "Furt": (32.0, 36.0)}  # km


@dataclass(frozen=True)
class Plan(Batch):
    """B states, one a row: plans that are being drawn up."""

    is_built: Tensor  # bool [B, R], which of the R possible roads are in the plan
    is_done: Tensor  # bool [B], whether the stop was taken


class Roads:
    """Objects are networks such as "Alm-Bach Bach-Egg"; there may be a road between any two towns.

    Action 0 is stop, 1 + r builds road r; backward action 0 undoes the stop, 1 + r takes road r out.
    """

    def __init__(self) -> None:
        place = torch.tensor(list(TOWNS.values()))
        self.ends = torch.tensor(list(combinations(range(len(TOWNS)), 2))).T  # [2, R]
        self.length = (place[self.ends[0]] - place[self.ends[1]]).norm(dim=1)  # km
        self.names = ["-".join(pair) for pair in combinations(TOWNS, 2)]
        self.observation_width = len(self.names)
        self.n_actions = self.n_back_actions = self.max_steps = 1 + len(self.names)
        self.road = torch.eye(self.n_actions)[:, 1:].bool()  # [A, R], one-hot code of each action's road

    def initial(self, n: int, device: torch.device | str = "cpu") -> Plan:
        """No road yet."""
        return Plan(torch.zeros(n, len(self.names)).bool().to(device), torch.zeros(n).bool().to(device))

    def mask(self, states: Plan) -> Tensor:
        """Stop once all towns can be reached, and any road that is not built, bool [B, A]; without a loop."""
        near = torch.eye(len(TOWNS)).repeat(len(states), 1, 1)
        near[:, *self.ends] = near[:, *self.ends.flip(0)] = states.is_built.float()
        reaches_all = (near.matrix_power(len(TOWNS)) > 0).flatten(1).all(dim=1)
        return torch.cat([reaches_all[:, None], ~states.is_built], dim=1) & ~states.is_done[:, None]

    def step(self, states: Plan, actions: Tensor) -> Plan:
        """The plans with one more road; what is done stays as it is."""
        new = self.road[actions] & ~states.is_done[:, None]
        return Plan(states.is_built | new, states.is_done | (actions == 0))

    def back_mask(self, states: Plan) -> Tensor:
        """Undoing the stop, or else taking out any road, bool [B, A']."""
        return torch.cat([states.is_done[:, None], states.is_built & ~states.is_done[:, None]], dim=1)

    def step_back(self, states: Plan, back_actions: Tensor) -> Plan:
        """The plans with one road less."""
        old = self.road[back_actions] & ~states.is_done[:, None]
        return Plan(states.is_built & ~old, states.is_done & (back_actions != 0))

    def undo(self, states: Plan, actions: Tensor, next_states: Plan) -> Tensor:
        """The backward action that takes back what an action did: here they have the same number."""
        return actions

    def redo(self, parents: Plan, back_actions: Tensor, states: Plan) -> Tensor:
        """The action that does again what a backward action took back."""
        return back_actions

    def is_terminal(self, states: Plan) -> Tensor:
        """Whether the stop was taken."""
        return states.is_done

    def is_initial(self, states: Plan) -> Tensor:
        """Whether nothing was done yet."""
        return ~states.is_built.any(dim=1) & ~states.is_done

    def observe(self, states: Plan) -> Tensor:
        """What the network sees, float [B, observation_width]."""
        return states.is_built.float()

    def decode(self, states: Plan) -> list[str]:
        """The objects as text."""
        return [" ".join(self.names[r] for r in row.nonzero().flatten().tolist()) for row in states.is_built]

    def encode(self, texts: Sequence[str]) -> Encoded[Plan]:
        """The objects back out of text: or a word is no road, or not all towns can be reached."""
        words = [text.split() for text in texts]
        named = [name in own for own in words for name in self.names]
        is_built = torch.tensor(named, dtype=torch.bool).view(-1, len(self.names))
        is_text = is_built.sum(dim=1) == torch.tensor([len(own) for own in words])
        is_made = self.mask(Plan(is_built, ~is_text))[:, 0]
        found = torch.where(is_made, Found.ONE, torch.where(is_text, Found.NONE, Found.INVALID))
        return Encoded(Plan(is_built & is_made[:, None], is_made), found)

    def key(self, states: Plan) -> Tensor:
        """A number that tells states apart, int64 [B]."""
        return 2 * (states.is_built << torch.arange(len(self.names))).sum(dim=1) + states.is_done

    def log_symmetry(self, states: Plan) -> Tensor:
        """0 in float64 [B], since no two actions make the same plan out of one."""
        return torch.zeros(len(states), dtype=torch.float64)


def main() -> None:
    """Check, train, compare with the exact distribution."""
    env, generator = Roads(), torch.manual_seed(0)
    policy, log_z = VectorPolicy(env, 0, width=64, layers=2, learn_backward=False), LogZ(0)
    optimizer = torch.optim.Adam([*policy.parameters(), *log_z.parameters()], lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
    condition = Conditions().fixed(64, 1.0)  # draw in proportion to R itself
    for _ in range(500):
        made = rollout(env, policy, condition, generator)
        log_reward = -made.final_states.is_built.float() @ env.length / 20.0 + made.log_symmetry
        scores = score(policy, made)
        residual = trajectory_balance(scores.log_pf, scores.log_pb, log_reward, log_z(condition))
        optimizer.zero_grad()
        residual.square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    graph = enumerate_states(env)
    log_p = exact_log_probability(graph, lambda s: policy(s, condition[:1].repeat(len(s))).forward.log_probs)
    plans, learned = graph.states[graph.is_terminal], log_p[graph.is_terminal].exp()
    exact = (-plans.is_built.double() @ env.length.double() / 20.0).softmax(dim=0)
    print(f"{len(plans)} networks, exact total variation {total_variation(learned, exact):.4f}")
    for row in exact.argsort(descending=True)[:5]:
        print(f"exact {exact[row]:.4f}  learned {learned[row]:.4f}  {env.decode(plans[row[None]])[0]}")


if __name__ == "__main__":
    main()
