"""Objects of an environment with rewards from elsewhere, to learn from without making them.

An object is held as the numbers of actions that build it, a few bytes each, and trajectories to it are drawn
anew by the backward policy whenever it is used.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.hashing import mix
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.rewards.target import Target
from fluvial.sample.rollout import backward_rollout, renumbered, retrace

PLAIN = Target()
"""The target R^beta of one fixed reward."""
ROWS_AT_ONCE = 256
"""Objects whose actions are found in one call; bounds memory."""


@dataclasses.dataclass(frozen=True)
class Dataset:
    """N different objects; a slot is the number of one, from 0. All tensors are on the CPU."""

    actions: Tensor
    """int32 [T, N], 0 behind the end of each."""
    n_steps: Tensor
    """int64 [N], transitions that build each object, the stop included."""
    reward: Tensor
    """float64 [N], > 0; nan where it is to be asked for."""
    values: Tensor
    """float64 [N, K], reward terms; nan where missing."""
    key: Tensor
    """int64 [N], canonical identity of the terminal states; all different."""
    text_hash: Tensor
    """int64 [N], of the canonical text; what `split` goes by."""

    def __len__(self) -> int:
        return len(self.n_steps)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Slots of `n` objects, each alike and with replacement, int64 [n] on the CPU.

        Raises:
            ValueError: there are no objects.
        """
        if len(self) == 0:
            raise ValueError("nothing can be drawn from an empty data set; split off a smaller share")
        return torch.randint(len(self), (n,), generator=generator, device=generator.device).cpu()

    def in_order(self, batch: int) -> Iterator[Tensor]:
        """All slots once, int64 [batch] at a time; the last ones may be fewer."""
        return iter(torch.split(torch.arange(len(self)), batch)) if len(self) else iter(())

    def objects(self, env: Environment[S], slots: Tensor, device: torch.device | str = "cpu") -> S:
        """Terminal states of the objects at `slots` int64 [n]."""
        n_steps = self.n_steps[slots]
        actions = self.actions[: int(n_steps.max()) if len(slots) else 0, slots].long()
        return retrace(env, actions.to(device), n_steps.to(device))

    def trajectories(
        self,
        env: Environment[S],
        policy: Policy | None,
        slots: Tensor,
        condition: Condition,
        generator: torch.Generator,
        target: Target = PLAIN,
    ) -> Trajectories[S]:
        """Ways to the objects at `slots` int64 [n], drawn backward, with origin DATA and known log rewards.

        The log reward is nan where the data hold no reward, or no terms that the condition weighs; ask for
        those as for any other object.

        Args:
            env: the environment that the data were made for.
            policy: draws the ways; None: uniformly among legal backward actions.
            slots: as from `draw` or `in_order`.
            condition: [n, ...], on the device where the trajectories are wanted.
            generator: on that device.
            target: from rewards and terms to log R.
        """
        device = condition.device
        final_states = self.objects(env, slots, device)
        drawn = backward_rollout(env, policy, final_states, condition, generator)
        reward, values = self.reward[slots].to(device), self.values[slots].to(device)
        is_weighed = condition.weights.shape[1] + condition.target.shape[1] > values.shape[1]
        log_reward = drawn.log_reward if is_weighed else target(reward, values, condition)
        origin = torch.full_like(drawn.origin, Origin.DATA)
        return drawn.replace(log_reward=log_reward, values=values, origin=origin)

    def select(self, slots: Tensor) -> Dataset:
        """The objects at `slots` int64 [n], in that order."""
        n_steps = self.n_steps[slots]
        n_times = int(n_steps.max()) if len(slots) else 0
        return Dataset(
            self.actions[:n_times, slots],
            n_steps,
            self.reward[slots],
            self.values[slots],
            self.key[slots],
            self.text_hash[slots],
        )

    def split(self, held_out: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two data sets: the objects to learn from, and about a share `held_out` (0 to 1) of all.

        Which side an object is on depends on its text and the seed only: not on the other objects, nor on
        their order, so a file may grow without mixing the sides.
        """
        place = (mix(self.text_hash + mix(torch.tensor(seed))) >> 11) & ((1 << 53) - 1)
        is_held_out = place.double() / 2.0**53 < held_out
        learned, kept = (is_side.nonzero().squeeze(1) for is_side in (~is_held_out, is_held_out))
        return self.select(learned), self.select(kept)


def text_hashes(texts: list[str]) -> Tensor:
    """A 64-bit number of each text, int64 [B], the same on every machine."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    return torch.tensor(
        [int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int64
    )


@torch.no_grad()
def actions_to(
    env: Environment[S], final_states: S, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """For parts of `final_states` in turn: actions int32 [T, M] of one way to each, and n_steps int64 [M]."""
    for start in range(0, len(final_states), ROWS_AT_ONCE):
        part = final_states[start : start + ROWS_AT_ONCE]
        drawn: Trajectories[Any] = backward_rollout(env, None, part, nothing_asked(len(part)), generator)
        forward = renumbered(env, drawn)
        yield forward.actions.to(torch.int32), forward.n_steps


def nothing_asked(n: int) -> Condition:
    """The condition of `n` trajectories that aim for the plain reward."""
    nothing = torch.zeros((n, 0))
    return Condition(nothing, torch.ones(n), nothing, nothing)
