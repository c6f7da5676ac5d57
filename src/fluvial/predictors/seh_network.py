"""The message-passing network for sEH (Bengio et al. 2021, arXiv:2106.04399), on many molecules at once.

There are only four kinds of bonds, so the matrix that a bond applies is computed once for each kind. An atom
sends the same message along all its bonds of a kind, so each message is computed once for an atom and a kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fluvial.predictors.seh_features import BOND_KINDS, PackedMolecules

WIDTH = 64
N_STEPS = 12
N_READINGS = 3

LAYOUT: dict[str, tuple[int, tuple[int, ...]]] = {
    "atom.weight": (0, (64, 71)),
    "atom.bias": (1, (64,)),
    "own.weight": (2, (64, 64)),
    "own.bias": (3, (64,)),
    "bond.0.weight": (4, (128, 4)),
    "bond.0.bias": (5, (128,)),
    "bond.1.weight": (6, (4096, 128)),
    "bond.1.bias": (7, (4096,)),
    "gates.weight_message": (8, (192, 64)),
    "gates.weight_hidden": (9, (192, 64)),
    "gates.bias_message": (10, (192,)),
    "gates.bias_hidden": (11, (192,)),
    "reader.weight_input": (16, (256, 128)),
    "reader.weight_hidden": (17, (256, 64)),
    "reader.bias_input": (18, (256,)),
    "reader.bias_hidden": (19, (256,)),
    "score.weight": (20, (1, 128)),
    "score.bias": (21, (1,)),
}
"""Name of each weight here: its place in the published list and its shape; 12 to 15 score actions, not
molecules."""


@dataclass(frozen=True)
class SehNetwork:
    """The weights as the passes below use them."""

    weights: dict[str, Tensor]
    """Float32, by the names of `LAYOUT`."""
    messages: Tensor
    """[4, 64, 64]: hidden state to the message of each kind of bond."""
    own: Tensor
    """[64, 64 + 192]: hidden state to the atom's own part and to its gates."""
    own_bias: Tensor
    """[64 + 192]."""

    @torch.inference_mode()
    def __call__(self, molecules: PackedMolecules) -> Tensor:
        """The score of each molecule, float32 [B]."""
        hidden = self._atoms(molecules)
        return self._read(hidden, torch.from_numpy(molecules.molecule), molecules.count)

    def _atoms(self, molecules: PackedMolecules) -> Tensor:
        """Hidden states of the atoms after all steps, [N, 64]."""
        weights = self.weights
        kinds = torch.from_numpy(molecules.kinds)
        first = functional.leaky_relu(functional.linear(kinds, weights["atom.weight"], weights["atom.bias"]))
        hidden = first[torch.from_numpy(molecules.kind)]
        senders, row = _senders(molecules)
        starts = torch.from_numpy(np.searchsorted(molecules.target, np.arange(len(hidden))))
        for _ in range(N_STEPS):
            messages = torch.cat([hidden[rows] @ self.messages[kind] for kind, rows in enumerate(senders)])
            asked = torch.addmm(self.own_bias, hidden, self.own)
            own, gates = asked[:, :WIDTH], asked[:, WIDTH:]
            # The mean over no bonds is 0.
            received = functional.embedding_bag(row, messages, starts, mode="mean").add_(own)
            hidden = self._gated(functional.leaky_relu_(received), gates, hidden)
        return hidden

    def _gated(self, received: Tensor, gates: Tensor, hidden: Tensor) -> Tensor:
        """A gated recurrent unit (Cho et al. 2014), whose part of the hidden state is known already."""
        weights = self.weights
        new = functional.linear(received, weights["gates.weight_message"], weights["gates.bias_message"])
        both = 2 * WIDTH
        reset, keep = new[:, :both].add_(gates[:, :both]).sigmoid_().chunk(2, dim=1)
        candidate = torch.addcmul(new[:, both:], reset, gates[:, both:]).tanh_()
        return torch.lerp(candidate, hidden, keep)

    def _read(self, hidden: Tensor, molecule: Tensor, count: int) -> Tensor:
        """Set2Set (Vinyals et al. 2016, arXiv:1511.06391): attention over the atoms, three times."""
        weights = self.weights
        summary = hidden.new_zeros(count, 2 * WIDTH)
        question, cell = hidden.new_zeros(count, WIDTH), hidden.new_zeros(count, WIDTH)
        for _ in range(N_READINGS):
            question, cell = torch.lstm_cell(
                summary,
                (question, cell),
                weights["reader.weight_input"],
                weights["reader.weight_hidden"],
                weights["reader.bias_input"],
                weights["reader.bias_hidden"],
            )
            match = (hidden * question[molecule]).sum(dim=1)
            highest = match.new_full((count,), -torch.inf).scatter_reduce(0, molecule, match, "amax")
            share = torch.exp(match - highest[molecule])
            total = share.new_zeros(count).index_add(0, molecule, share)
            mean = hidden.new_zeros(count, WIDTH).index_add(0, molecule, share[:, None] * hidden)
            summary = torch.cat([question, mean / total[:, None]], dim=1)
        return functional.linear(summary, weights["score.weight"], weights["score.bias"])[:, 0]


def _senders(molecules: PackedMolecules) -> tuple[list[Tensor], Tensor]:
    """The atoms with bonds of each kind, and for each bond, [E], the row of its message in them."""
    count = len(molecules.kind)
    pairs, row = np.unique(molecules.bond * count + molecules.source, return_inverse=True)
    ends = np.searchsorted(pairs, [count * kind for kind in range(1, len(BOND_KINDS))])
    return [torch.from_numpy(part) for part in np.split(pairs % count, ends)], torch.from_numpy(row)


def build_network(weights: dict[str, Tensor]) -> SehNetwork:
    """The network of the weights named in `LAYOUT`."""
    kinds = torch.eye(len(BOND_KINDS))
    middle = functional.leaky_relu(functional.linear(kinds, weights["bond.0.weight"], weights["bond.0.bias"]))
    flat = functional.linear(middle, weights["bond.1.weight"], weights["bond.1.bias"])
    return SehNetwork(
        weights,
        messages=flat.view(len(BOND_KINDS), WIDTH, WIDTH),
        own=torch.cat([weights["own.weight"], weights["gates.weight_hidden"]]).T.contiguous(),
        own_bias=torch.cat([weights["own.bias"], weights["gates.bias_hidden"]]),
    )
