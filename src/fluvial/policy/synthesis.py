"""A policy for molecules under synthesis, whatever the building blocks are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from fluvial.core.batch import Batch
from fluvial.core.categorical import Distribution, MaskedCategorical
from fluvial.core.enumeration import first_occurrences, labelled_identity
from fluvial.core.observation import SynthesisEnvironment, SynthesisObservation
from fluvial.core.parted import Part, PartedCategorical
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.nets.bits import BitEmbedding
from fluvial.nets.mlp import mlp
from fluvial.policy.arrivals import ArrivalHead
from fluvial.policy.blocks import BLOCK_WIDTH, block_choice
from fluvial.policy.encoders import AtomEncoder, FingerprintEncoder, Remembered
from fluvial.policy.module import PolicyModule
from fluvial.policy.recorded import PartnerQuery, RecordedBackward

OVERLAP_WEIGHTS = (0.2, -0.5)
"""What a shared and a missing bit of a block count at first for its probability in P_B. Arbitrary."""


class SynthesisPolicy(PolicyModule):
    """Features of the molecule, of what was chosen and of the condition; a logit for each role and product,
    and for each block the product of a query with the vector that its fingerprint has.

    So no weight belongs to a block, and another library with the same templates can take the place of one.
    One of very many blocks is chosen in two steps.
    Equal states are computed once. A learned P_B is over the ways back where the environment knows them, else
    over all pairs of a role and a block.

    Args:
        env: supplies observations and masks.
        encoder: features of molecules.
        condition_width: C, may be 0.
        learn_backward: whether P_B has weights; else it is uniform over the ways back, which must be known.
        count_paths: whether there is an output for log n(s), the number of ways back.
        choice: how a block is chosen, a name in `BLOCK_CHOICES`, or None: by their number.
    """

    def __init__(
        self,
        env: SynthesisEnvironment[Any],
        encoder: FingerprintEncoder | AtomEncoder,
        condition_width: int,
        learn_backward: bool = False,
        count_paths: bool = False,
        choice: str | None = None,
    ) -> None:
        super().__init__()
        self.choice = block_choice(env, choice)
        self.env, self.encoder, self.learns_backward = env, encoder, learn_backward
        self._encoded = Remembered(encoder)
        width, records = encoder.width, learn_backward and env.records_parents
        self.embed_blocks = BitEmbedding(self.choice.block_bits(), BLOCK_WIDTH)
        self.embed_depth = nn.Embedding(1 + env.max_reactions, width)
        self.embed_role = nn.Embedding(1 + env.n_roles, width)
        self.embed_block = nn.Linear(BLOCK_WIDTH, width, bias=False)
        self.embed_condition = nn.Linear(condition_width, width) if condition_width else None
        self.mix = mlp(width, width, width, 1)
        self.norm = nn.LayerNorm(width)
        self.choose = nn.Linear(width, env.first_block)
        self.query = nn.Linear(width, self.choice.n_queries * BLOCK_WIDTH)
        self.back_roles = nn.Linear(width, env.n_roles) if records else None
        self.back_query = PartnerQuery(width, env.n_roles, self.choice.n_queries) if records else None
        weights = torch.tensor(OVERLAP_WEIGHTS).repeat(env.n_roles, self.choice.n_queries)
        self.back_weights = nn.Parameter(weights) if records else None
        self.back_arrivals = ArrivalHead(env, width) if learn_backward and not records else None
        self.flow = nn.Linear(width, 1 + count_paths)

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at B non-terminal states."""
        first, place = _different(states, condition.encoding)
        observation = self.env.observe(states[first])
        features = self._features(observation, condition.encoding[first])
        forward, order = self._forward(observation, features)
        return PolicyOutput(
            PartedCategorical(forward, order[place], self.env.n_actions),
            partial(self._backward, states, first, observation, features, place),
            *self.flow(features)[place].unbind(dim=1),
        )

    def _backward(
        self,
        states: Batch,
        first: Tensor,
        observation: SynthesisObservation,
        features: Tensor,
        place: Tensor,
    ) -> Distribution:
        if self.back_arrivals is not None:
            known = self.back_arrivals(states[first], features, self.embed_blocks)
            return PartedCategorical(
                [Part(0, known, self.env.n_back_actions)], place, self.env.n_back_actions
            )
        if self.back_roles is None or self.back_query is None or self.back_weights is None:
            return MaskedCategorical.uniform(self.env.back_mask(states))
        logits = self.back_roles(features)
        roles = MaskedCategorical(logits, torch.ones_like(logits, dtype=torch.bool))
        molecule = observation.molecule[observation.place]
        # All that is asked of it is the probability of ways that were gone.
        ways = RecordedBackward(
            self.env,
            roles,
            self.choice,
            self.embed_blocks,
            partial(self.back_query, features),
            self.back_weights,
            molecule,
            place,
        )
        return cast(Distribution, ways)

    def _features(self, observation: SynthesisObservation, encoding: Tensor) -> Tensor:
        """Float [U, width]."""
        total = self._encoded(observation.molecule)[observation.place]
        total = total + self.embed_depth(observation.depth) + self.embed_role(observation.role)
        has_block = (observation.block > 0).nonzero().squeeze(1)
        if len(has_block):
            chosen = self.embed_blocks.of(observation.block[has_block] - 1)
            total = total.index_add(0, has_block, self.embed_block(chosen))
        if self.embed_condition is not None:
            total = total + self.embed_condition(encoding)
        features: Tensor = self.norm(total + self.mix(gelu(total)))
        return features

    def _forward(self, observation: SynthesisObservation, features: Tensor) -> tuple[list[Part], Tensor]:
        """The parts of the distribution, and the place of each row in them, int64 [U]."""
        others, takers = (~observation.takes_block).nonzero()[:, 0], observation.takes_block.nonzero()[:, 0]
        choices = MaskedCategorical(self.choose(features[others]), observation.choices)
        blocks = self.choice(self.embed_blocks, self.query(features[takers]), observation.offer)
        parts = [
            Part(0, choices, self.env.first_block),
            Part(self.env.first_block, blocks, self.env.n_blocks),
        ]
        return parts, torch.cat([others, takers]).argsort()


@dataclass(frozen=True)
class _Asked(Batch):
    state: Tensor
    encoding: Tensor


def _different(states: Batch, encoding: Tensor) -> tuple[Tensor, Tensor]:
    """The first of each kind of rows, int64 [U], and the kind of each row, int64 [B]."""
    kind = labelled_identity(states)
    if encoding.shape[1]:
        kind = labelled_identity(_Asked(kind, encoding))
    first = first_occurrences(kind)
    ordered, order = kind[first].sort()
    return first, order[torch.searchsorted(ordered, kind)]
