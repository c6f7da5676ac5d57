"""What a network sees of states of a synthesis."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.chem.atom_categories import ATOM_SIZES, PAIR_SIZES
from fluvial.chem.synthesis.clusters import clusters_of
from fluvial.core.observation import (
    Arrivals,
    BitLists,
    GraphObservation,
    GraphSizes,
    Overlaps,
    SynthesisObservation,
)
from fluvial.envs.synthesis.actions import FIRST_ARRIVAL, Actions
from fluvial.envs.synthesis.ahead import Ahead
from fluvial.envs.synthesis.legal import Legal
from fluvial.envs.synthesis.state import Synthesis, rows_of

BLOCKS_AT_ONCE = 16_384
"""Blocks whose bits are unpacked together, a kilobyte each; arbitrary."""
ATOM_GRAPHS = GraphSizes(ATOM_SIZES, (2,), PAIR_SIZES, 1, 1)
"""Categories of a molecule's atoms; whether there is a molecule; of their pairs."""


class Views:
    """Observations of states, and of molecules by number.

    Args:
        actions: with the table of molecules.
        legal: which actions are.
        ahead: asked for all molecules of a batch.
    """

    def __init__(self, actions: Actions, legal: Legal, ahead: Ahead) -> None:
        self._actions, self._legal, self._molecules = actions, legal, actions.molecules
        self._ahead = ahead
        self._set_bits = lru_cache(maxsize=1)(self._counted_bits)
        self._log_prices = lru_cache(maxsize=1)(self._relative_log_prices)
        self.fingerprint_width = 8 * self._molecules.library.fingerprints.shape[1]

    def observe(self, states: Synthesis) -> SynthesisObservation:
        """The different molecules, and what else is to know of each state."""
        rows = rows_of(states)
        if self._ahead.is_on:
            self._ahead.states(rows, self._legal.max_reactions)
        molecules, place = self._different(states.molecule)
        takes_block = [self._actions.awaits_block(row) for row in rows]
        choices = [
            self._legal.choices(row) for row, is_block in zip(rows, takes_block, strict=True) if not is_block
        ]
        offers = [
            self._legal.offers.number(row)
            for row, is_block in zip(rows, takes_block, strict=True)
            if is_block
        ]
        return SynthesisObservation(
            molecules,
            place,
            states.depth,
            states.role,
            states.block,
            torch.tensor(takes_block, dtype=torch.bool, device=states.device),
            _table(choices, self._actions.first_block).to(states.device),
            torch.tensor(offers, dtype=torch.int64, device=states.device),
        )

    def arrivals(self, states: Synthesis) -> Arrivals:
        """The reactions that can have ended in the states."""
        numbering, found = self._actions.numbering, []
        for row, (molecule, depth, role, _, is_done) in enumerate(rows_of(states)):
            if depth > 0 and role == 0 and not is_done:
                for number, way in enumerate(numbering.ways(molecule, depth)):
                    own = way.molecule if depth == 1 else 0
                    found.append((row, FIRST_ARRIVAL + number, way.molecule, way.role, way.block, own))
        table = torch.tensor(found, dtype=torch.int64).reshape(-1, 6)
        log_price = self._log_prices()[table[:, [5, 4]]].to(states.device, torch.get_default_dtype())
        row_of, action, reactant, role_of, block, _ = table.to(states.device).unbind(dim=1)
        return Arrivals(row_of, action, reactant, role_of, block, log_price)

    def _different(self, molecules: Tensor) -> tuple[Tensor, Tensor]:
        """The different ones, int64 [U], and which of them each is, int64 [B].

        In an order that does not depend on the numbers, which a resumed run gives anew: it rounds sums.
        """
        numbers = molecules.cpu().numpy()
        _, first, place = np.unique(self._molecules.hashes(numbers), return_index=True, return_inverse=True)
        return molecules[torch.from_numpy(first)], torch.from_numpy(place).to(molecules.device)

    def offered(self, offer: int) -> Tensor:
        """The blocks of a set from 0, ascending, int64 [M]."""
        return torch.from_numpy(self._legal.offers.blocks(offer))

    def offer_masks(self, offers: Tensor) -> Tensor:
        """Sets int64 [M] as masks, bool [M, N]."""
        rows = [self._legal.offers.mask(number) for number in offers.tolist()]
        return _table(rows, self._molecules.n_blocks).to(offers.device)

    def fingerprints(self, molecules: Tensor) -> Tensor:
        """Morgan bits as 0 and 1, float [M, W]."""
        numbers = molecules.tolist()
        self._ahead.encodings(numbers, "fingerprint")
        packed = self._molecules.fingerprints(numbers)
        bits = np.unpackbits(packed, axis=1, bitorder="little")
        return torch.from_numpy(bits).to(molecules.device, torch.get_default_dtype())

    def graphs(self, molecules: Tensor) -> GraphObservation:
        """The atoms of the molecules and how they lie to each other."""
        numbers = molecules.tolist()
        self._ahead.encodings(numbers, "atoms")
        both = [self._molecules.atoms(number) for number in numbers]
        n_rows, n_nodes = len(both), max([1, *(len(nodes) for nodes, _ in both)])
        node = np.zeros((n_rows, n_nodes, len(ATOM_SIZES)), dtype=np.uint8)
        pair = np.zeros((n_rows, n_nodes + 1, n_nodes + 1, len(PAIR_SIZES)), dtype=np.uint8)
        for row, (nodes, pairs) in enumerate(both):
            size = len(nodes)
            node[row, :size], pair[row, :size, :size] = nodes, pairs
        nothing = torch.zeros((0, 3), dtype=torch.int64)
        device = molecules.device
        return GraphObservation(
            torch.from_numpy(node).to(device, torch.int64),
            (molecules > 0).long()[:, None],
            torch.from_numpy(pair).to(device, torch.int64),
            torch.full((n_rows,), n_nodes, device=device),
            torch.zeros((n_rows, n_nodes, 0), dtype=torch.int64, device=device),
            nothing.to(device),
            nothing[:, :0].to(device),
        )

    def block_bits(self, order: Tensor | None = None) -> BitLists:
        """The fingerprints of the blocks, listed in the order int64 [N], by default that of the library."""
        lists, sizes = [], []
        table = self._molecules.library.fingerprints
        everyone = torch.arange(len(table)) if order is None else order
        for rows in torch.split(everyone, BLOCKS_AT_ONCE):
            row, column = np.unpackbits(table[rows.numpy()], axis=1, bitorder="little").nonzero()
            sizes.append(np.bincount(row, minlength=len(rows)))
            lists.append(column.astype(np.int16))
        ends = torch.from_numpy(np.concatenate([[0], *sizes]).cumsum())
        bits = torch.from_numpy(np.concatenate(lists))
        return BitLists(bits, ends, 8 * table.shape[1], None if order is None else order.argsort())

    def block_clusters(self) -> Tensor:
        """The cluster of each block, int64 [N]; always the same."""
        return torch.from_numpy(clusters_of(self._molecules.library.fingerprints))

    def shared_bits(self, molecules: Tensor, blocks: Tensor) -> Tensor:
        """Bits that molecules int64 [M] and blocks int64 [M, L] from 0 share, and that only the blocks have,
        float [M, L, 2]."""
        own = self._molecules.fingerprints(molecules.tolist())
        asked = blocks.cpu().numpy()
        rows = self._molecules.library.fingerprints[asked]
        shared = np.bitwise_count(rows & own[:, None]).sum(axis=2, dtype=np.int64)
        counts = np.stack([shared, self._set_bits()[asked] - shared], axis=2)
        return torch.from_numpy(counts).to(molecules.device, torch.get_default_dtype())

    def overlaps(self, molecules: Tensor, roles: Tensor) -> Overlaps:
        """Bits of the partners' fingerprints that the molecules have, and have not."""
        table, counts = self._molecules.library.fingerprints, []
        prints = self._molecules.fingerprints(molecules.tolist())
        partners = [self._molecules.partners.of(role) for role in roles.tolist()]
        for own, blocks in zip(prints, partners, strict=True):
            rows = table[blocks - 1]
            shared = np.bitwise_count(rows & own).sum(axis=1, dtype=np.int64)
            counts.append(np.stack([shared, self._n_bits(blocks) - shared], axis=1))
        row = np.repeat(np.arange(len(partners)), [len(blocks) for blocks in partners])
        device = molecules.device
        return Overlaps(
            torch.from_numpy(row).to(device),
            torch.from_numpy(_joined(partners, (0,))).to(device),
            torch.from_numpy(_joined(counts, (0, 2))).to(device, torch.get_default_dtype()),
        )

    def _n_bits(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self._set_bits()[blocks - 1]
        return counts

    def _relative_log_prices(self) -> Tensor:
        """Of no block, 0, and then of each."""
        prices = torch.tensor(self._molecules.library.prices, dtype=torch.float64)
        logs = torch.where(prices > 0, prices, torch.nan).log()
        return torch.cat([torch.zeros(1), (logs - logs.nanmean()).nan_to_num(nan=0.0)])

    def _counted_bits(self) -> NDArray[np.int64]:
        bits = np.bitwise_count(self._molecules.library.fingerprints)
        counts: NDArray[np.int64] = bits.sum(axis=1, dtype=np.int64)
        return counts


def _stacked(rows: list[NDArray[np.bool_]], width: int) -> NDArray[np.bool_]:
    return np.stack(rows) if rows else np.zeros((0, width), dtype=np.bool_)


def _table(rows: list[NDArray[np.bool_]], width: int) -> Tensor:
    return torch.from_numpy(_stacked(rows, width))


def _joined(parts: list[NDArray[np.int64]], empty: tuple[int, ...]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(empty, dtype=np.int64)
