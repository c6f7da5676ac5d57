"""A policy for environments whose states are words."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.environment import Environment, S
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition, Trajectories
from fluvial.nets.mlp import mlp
from fluvial.nets.sequence_transformer import SequenceTransformer
from fluvial.policy.module import PolicyModule


class SequenceEnvironment(Environment[S], Protocol[S]):
    """An environment whose states are words of at most L symbols.

    Action 0 is stop, action 1 + site * n_symbols + c puts symbol c at one of S sites; backward action 0
    undoes the stop, 1 + site takes the symbol at a site away.
    """

    n_symbols: int
    is_append_only: bool
    """Whether each action but stop puts a symbol at the end, so that all earlier states are prefixes."""

    def words(self, states: S) -> tuple[Tensor, Tensor]:
        """Numbers of the symbols from 1, int64 [B, L], 0 behind the end, and lengths, int64 [B]."""
        ...

    def unfinished(self, token: Tensor, length: Tensor) -> S:
        """States of the words `token` int64 [B, L] of `length` int64 [B] before the stop."""
        ...

    def places(self, length: Tensor) -> Tensor:
        """Where the symbol of each site stands in words of `length` int64 [B] symbols with it, int64 [B, S];
        outside the word where there is no such site."""
        ...


class SequencePolicy(PolicyModule):
    """Transformer over the symbols of a word, with heads for stop, new symbols, removals and the state flow.

    Where words grow at the end only, attention is causal, so one evaluation of a whole word serves all its
    prefixes (`of_prefixes`, `along`). Otherwise every token sees the whole word, a new symbol is read off the
    token to its left and a removal off the token that goes.

    Args:
        env: supplies words, masks and sites.
        net: the trunk, shared by all heads.
        learn_backward: whether P_B has a head of its own; else it is uniform over legal backward actions.
            Words that grow at the end only have one parent each, so there is nothing to learn about them.
        count_paths: whether there is an output for log n(s), the number of ways back.
    """

    def __init__(
        self,
        env: SequenceEnvironment[Any],
        net: SequenceTransformer,
        learn_backward: bool,
        count_paths: bool = False,
    ) -> None:
        super().__init__()
        self.env, self.net = env, net
        self.learns_backward = learn_backward and not env.is_append_only
        self.stop_head = nn.Linear(net.width, 1)
        self.symbol_head = nn.Linear(net.width, env.n_symbols)
        self.removal_head = nn.Linear(net.width, 1) if self.learns_backward else None
        self.flow_head = mlp(net.width, net.width, 1 + count_paths, 1)

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at B non-terminal states."""
        token, length = self.env.words(states)
        if self.env.is_append_only:
            features = self.net(token, length, condition.encoding, is_causal=True)
            return self._at_ends(_taken(features, length[:, None]).squeeze(1), states)
        features = self.net(token, length, condition.encoding, is_causal=False)
        # Token t + 1 is the symbol at place t, so token t is its left neighbour.
        forward = self._logits(features[:, 0], _taken(features, self.env.places(length + 1)))

        def make_backward() -> MaskedCategorical:
            mask = self.env.back_mask(states)
            if self.removal_head is None:
                return MaskedCategorical.uniform(mask)
            removals = self.removal_head(_taken(features, self.env.places(length) + 1)).squeeze(2)
            return MaskedCategorical(torch.cat([torch.zeros_like(removals[:, :1]), removals], 1), mask)

        flow = self.flow_head(features[:, 0]).unbind(dim=1)
        return PolicyOutput(MaskedCategorical(forward, self.env.mask(states)), make_backward, *flow)

    def of_prefixes(self, token: Tensor, length: Tensor, condition: Condition) -> PolicyOutput:
        """What the policy says of all prefixes of B words, from one evaluation of each word.

        Row t * B + b is about the first t symbols of word b, t = 0 to L, or about the whole word where it
        has fewer. For environments that are `is_append_only`.

        Args:
            token: int64 [B, L], numbers of the symbols from 1; 0 behind the end.
            length: int64 [B].
            condition: B rows.
        """
        n_rows, longest = token.shape
        times = torch.arange(longest + 1, device=length.device)[:, None]
        kept = torch.minimum(times, length)
        prefix = token * (times[:-1, 0] < kept[:, :, None])
        states = self.env.unfinished(prefix.flatten(0, 1), kept.flatten())
        rows = torch.arange(n_rows, device=length.device).repeat(longest + 1)
        features = self.net(token, length, condition.encoding, is_causal=True)
        return self._at_ends(features[rows, kept.flatten()], states)

    def along(self, trajectories: Trajectories[Any], rows: Tensor) -> PolicyOutput:
        """What the policy says of unfinished states of trajectories, [M].

        With causal attention each trajectory costs one evaluation of its last word, of which all its states
        are prefixes; otherwise each state costs its own.

        Args:
            trajectories: T transitions of B trajectories.
            rows: int64 [M], numbers t * B + b of the states `states[t]` of trajectories b.
        """
        n_rows = trajectories.mask.shape[1]
        states = trajectories.states[:-1].flatten()[rows]
        row = rows % n_rows
        if not self.env.is_append_only:
            output: PolicyOutput = self(states, trajectories.condition[row])
            return output
        token, length = self.env.words(trajectories.final_states)
        features = self.net(token, length, trajectories.condition.encoding, is_causal=True)
        return self._at_ends(features[row, self.env.words(states)[1]], states)

    def _at_ends(self, end: Tensor, states: Batch) -> PolicyOutput:
        """From features float [M, D] of the last token of M words that grow at the end."""
        return PolicyOutput(
            MaskedCategorical(self._logits(end, end[:, None]), self.env.mask(states)),
            lambda: MaskedCategorical.uniform(self.env.back_mask(states)),
            *self.flow_head(end).unbind(dim=1),
        )

    def _logits(self, whole: Tensor, left: Tensor) -> Tensor:
        """Logits of the forward actions, float [M, A], from features of the word [M, D] and left of sites
        [M, S, D]."""
        return torch.cat([self.stop_head(whole), self.symbol_head(left).flatten(1)], dim=1)


def _taken(features: Tensor, index: Tensor) -> Tensor:
    """features[b, index[b, s]], float [B, S, D]; the nearest token where there is none of that number."""
    inside = index.clamp(0, features.shape[1] - 1)
    return features.gather(1, inside[:, :, None].expand(-1, -1, features.shape[2]))
