"""Molecules by their synthesis: start from a building block, let it react, stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.core.environment import Encoded, Found
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.hashing import GOLDEN, mix
from fluvial.core.observation import Arrivals
from fluvial.envs.synthesis.actions import FIRST_ARRIVAL, RELEASE, REMOVE, Actions
from fluvial.envs.synthesis.ahead import Ahead
from fluvial.envs.synthesis.chemistry import Chemistry, Rules
from fluvial.envs.synthesis.legal import Legal
from fluvial.envs.synthesis.limits import NO_LIMITS, Limits
from fluvial.envs.synthesis.molecules import Molecules
from fluvial.envs.synthesis.moves import Moves
from fluvial.envs.synthesis.numbering import Listed, Numbering, Recorded
from fluvial.envs.synthesis.observe import ATOM_GRAPHS, Views
from fluvial.envs.synthesis.state import Row, Synthesis, rows_of
from fluvial.envs.synthesis.ways import ListedArrivals, SearchedArrivals, Ways

FEW_BLOCKS = 50
"""Up to so many blocks, all reactions are tried before they are offered; arbitrary."""


class Syntheses:
    """Environment whose objects are molecules that building blocks make in `min_reactions` to
    `max_reactions` reactions.

    A reaction is chosen by the role that the molecule plays in it, a template and a place in it; with a
    two-reactant template the other reactant, a block, is chosen next; and where a reaction has several
    products, the product last. Forward actions, in this order: stop; one of the roles; one of
    `most_products` products; one of N blocks. Backward actions: undo the stop; take back the last part of a
    choice; remove the block; undo the reaction by which the molecule came, one for each way in which it can
    have come. At the limit of reactions only stop is left, so the last product counts.

    Args:
        library: building blocks and reactions.
        max_reactions: at least 1.
        min_reactions: 0 to `max_reactions`; where a molecule cannot react any more, fewer are enough.
        most_products: products that are told apart, at least 1; 1 takes the first in the order of SMILES.
        tries_all: whether all reactions are run before they are offered. Else one that gives nothing can be
            chosen, which ends in the object "", no molecule. By default up to `FEW_BLOCKS` blocks.
        parents: how the ways back are known, a name in `ARRIVALS`.
        limits: what of the library may be used.
        workers: processes that run reactions and searches for all states of a batch; 0 for this one alone.
            The same happens with any number. They start when they are first needed; see `close`.

    Raises:
        ConfigError: limits that leave nothing, or blocks none of which can react.
    """

    def __init__(  # noqa: PLR0913 - the keys of a configuration
        self,
        library: BlockLibrary,
        max_reactions: int = 3,
        min_reactions: int = 1,
        most_products: int = 8,
        tries_all: bool | None = None,
        parents: str = "searched",
        limits: Limits = NO_LIMITS,
        workers: int = 0,
    ) -> None:
        if not 0 <= min_reactions <= max_reactions or max_reactions < 1 or most_products < 1:
            raise ConfigError(
                f"min_reactions = {min_reactions}, max_reactions = {max_reactions}, most_products ="
                f" {most_products}: need 0 <= min_reactions <= max_reactions, and at least 1 of both others"
            )
        tries_all = len(library) <= FEW_BLOCKS if tries_all is None else tries_all
        rules = Rules(most_products, limits, tries_all)
        self.library, self.molecules = library, Molecules(Chemistry(library, rules))
        self.ahead = Ahead(self.molecules, workers)
        self.n_blocks, self.n_roles = len(library), len(self.molecules.roles)
        self.max_reactions, self.min_reactions = max_reactions, min_reactions
        self.moves = Moves(self.molecules)
        self.start_mask = self.moves.starts(min_reactions == 0)
        if not self.start_mask.any():
            raise ConfigError(
                f"none of the {self.n_blocks} building blocks can take part in one of the"
                f" {len(library.templates)} reactions; choose others"
            )
        self.ways = Ways(
            self.molecules,
            self.moves,
            partial(ARRIVALS[parents], self.ahead),
            frozenset(map(int, np.flatnonzero(self.start_mask) + 1)),
            (min_reactions, max_reactions),
        )
        numbering: Numbering = (
            Recorded(self.molecules) if parents == "recorded" else Listed(self.molecules, self.ways)
        )
        self.actions = Actions(self.molecules, self.moves, numbering)
        self.n_actions, self.n_back_actions = self.actions.n_actions, self.actions.n_back_actions
        self.max_steps = 2 + 3 * max_reactions
        self._legal = Legal(self.actions, self.ways, self.start_mask, max_reactions)
        views = Views(self.actions, self._legal, self.ahead)
        self.observe, self.fingerprints, self.graphs = views.observe, views.fingerprints, views.graphs
        self.offered, self.offer_masks = views.offered, views.offer_masks
        self.block_clusters, self.shared_bits = views.block_clusters, views.shared_bits
        self.overlaps, self.records_parents = views.overlaps, parents == "recorded"
        self._arrivals = views.arrivals
        self.block_bits, self.fingerprint_width = views.block_bits, views.fingerprint_width
        self.sizes, self.first_block = ATOM_GRAPHS, self.actions.first_block

    def __deepcopy__(self, memo: dict[int, object]) -> Syntheses:
        """Itself: what it learns of molecules changes no answer."""
        return self

    def close(self) -> None:
        """End the worker processes; from then on this process does their work."""
        self.ahead.close()

    def initial(self, n: int, device: torch.device | str = "cpu") -> Synthesis:
        """`n` times nothing."""
        zero = torch.zeros(n, dtype=torch.int64, device=device)
        return Synthesis(zero, zero, zero, zero, zero.bool())

    def mask(self, states: Synthesis) -> Tensor:
        """Legal actions, bool [B, A]."""
        mask = np.zeros((len(states), self.n_actions), dtype=np.bool_)
        first, rows = self.actions.first_block, rows_of(states)
        if self.ahead.is_on:
            self.ahead.states(rows, self.max_reactions)
        for place, row in enumerate(rows):
            if self.actions.awaits_block(row):
                mask[place, first:] = self._legal.blocks(row)
            else:
                mask[place, :first] = self._legal.choices(row)
        return torch.from_numpy(mask).to(states.device)

    def step(self, states: Synthesis, actions: Tensor) -> Synthesis:
        """The next states."""
        rows = list(zip(rows_of(states), actions.tolist(), strict=True))
        if self.ahead.is_on:
            reactions = ((self.actions.reaction(*pair), pair[0][1] + 1 < self.max_reactions) for pair in rows)
            self.ahead.reactions((one, goes_on) for one, goes_on in reactions if one is not None)
        return _states([self.actions.forward(*pair) for pair in rows], states.device)

    def back_mask(self, states: Synthesis) -> Tensor:
        """Legal backward actions, bool [B, A']."""
        mask, rows = np.zeros((len(states), self.n_back_actions), dtype=np.bool_), rows_of(states)
        self._search(rows)
        for place, (molecule, depth, role, _, is_done) in enumerate(rows):
            if is_done:
                mask[place, 0] = True
            elif role > 0:
                mask[place, RELEASE] = True
            elif molecule > 0 and depth == 0:
                mask[place, REMOVE] = True
            elif molecule > 0:
                n_ways = len(self.actions.numbering.ways(molecule, depth))
                mask[place, FIRST_ARRIVAL : FIRST_ARRIVAL + n_ways] = True
        return torch.from_numpy(mask).to(states.device)

    def arrivals(self, states: Synthesis) -> Arrivals:
        """The reactions that can have ended in the states."""
        self._search(rows_of(states))
        return self._arrivals(states)

    def step_back(self, states: Synthesis, back_actions: Tensor) -> Synthesis:
        """The parents."""
        rows = rows_of(states)
        self._search(rows)
        pairs = zip(rows, back_actions.tolist(), strict=True)
        return _states([self.actions.backward(*pair) for pair in pairs], states.device)

    def _search(self, rows: Sequence[Row]) -> None:
        """Find the ways back from all states in which a reaction has just been, where they are searched."""
        if self.ahead.is_on and not self.records_parents:
            self.ways.prepare(
                (molecule, depth) for molecule, depth, role, _, is_done in rows if not role and not is_done
            )

    def undo(self, states: Synthesis, actions: Tensor, next_states: Synthesis) -> Tensor:
        """Backward actions that lead from `next_states` to `states`."""
        after = rows_of(next_states)
        self._search(after)
        rows = zip(rows_of(states), actions.tolist(), after, strict=True)
        found = [self.actions.undo(*triple) for triple in rows]
        return torch.tensor(found, dtype=torch.int64, device=states.device)

    def redo(self, parents: Synthesis, back_actions: Tensor, states: Synthesis) -> Tensor:
        """Forward actions that lead from `parents` to `states`."""
        after = rows_of(states)
        self._search(after)
        rows = zip(back_actions.tolist(), after, strict=True)
        found = [self.actions.redo(*pair) for pair in rows]
        return torch.tensor(found, dtype=torch.int64, device=states.device)

    def is_terminal(self, states: Synthesis) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Synthesis) -> Tensor:
        """Whether there is no block yet, bool [B]."""
        return states.molecule == 0

    def key(self, states: Synthesis) -> Tensor:
        """A hash of the state, int64 [B]; finished ones of one molecule are equal, however many reactions
        made it."""
        text = torch.from_numpy(self.molecules.hashes(states.molecule.cpu().numpy())).to(states.device)
        failed = states.is_done & (states.role > 0)
        place = states.depth * GOLDEN + mix(states.role * GOLDEN + mix(states.block + 1))
        place = torch.where(states.is_done, failed.long() + 2, place)
        return mix(text.masked_fill(failed, 0) + mix(place))

    def log_symmetry(self, states: Synthesis) -> Tensor:
        """Minus log of how many numbers of reactions can make the molecule, float64 [B].

        Each is a state of its own, and all of them together shall have the probability of one object.
        """
        rows = rows_of(states)
        ends = [bool(molecule and is_done and not role) for molecule, _, role, _, is_done in rows]
        if self.ahead.is_on and not self.records_parents:
            self._search_all({row[0] for row, is_end in zip(rows, ends, strict=True) if is_end})
        numbers = [
            len(self.actions.numbering.depths(row[0])) if is_end else 1
            for row, is_end in zip(rows, ends, strict=True)
        ]
        return -torch.tensor(numbers, dtype=torch.float64, device=states.device).clamp_min(1.0).log()

    def log_n(self, states: Synthesis) -> Tensor:
        """Log number of backward action sequences from each state to the empty one, float64 [B]."""
        pairs = [(molecule, depth) for molecule, depth, *_ in rows_of(states)]
        if self.ahead.is_on:
            self.ways.prepare(pairs, and_before=True)
        numbers = [self.ways.log_n(molecule, depth) if molecule else 0.0 for molecule, depth in pairs]
        return torch.tensor(numbers, dtype=torch.float64, device=states.device)

    def decode(self, states: Synthesis) -> list[str]:
        """Canonical SMILES; "" where the last reaction gave nothing."""
        return [
            "" if role else self.molecules.smiles(molecule) for molecule, _, role, _, _ in rows_of(states)
        ]

    def encode(self, texts: Sequence[str]) -> Encoded[Synthesis]:
        """Finished syntheses of the molecules, each by its fewest reactions."""
        numbers = [self._number_of(text) for text in texts]
        if self.ahead.is_on:
            self._search_all(number for number in numbers if number is not None)
        found = [self._find(number) for number in numbers]
        states = _states([row for row, _ in found], "cpu")
        return Encoded(states, torch.tensor([int(outcome) for _, outcome in found], dtype=torch.int64))

    def _number_of(self, text: str) -> int | None:
        """The number of a molecule; None for a text that is none."""
        try:
            return self.molecules.number(canonical_smiles(parse_smiles(text)))
        except DataError:
            return None

    def _find(self, molecule: int | None) -> tuple[Row, Found]:
        nothing: Row = (0, 0, 0, 0, False)
        if molecule is None:
            return nothing, Found.INVALID
        depths = self.ways.depths(molecule)
        if not depths:
            return nothing, Found.NONE
        return (molecule, depths[0], 0, 0, True), Found.ONE

    def _search_all(self, molecules: Iterable[int]) -> None:
        """Find the ways back from molecules after any number of reactions."""
        depths = range(1, 1 + self.max_reactions)
        self.ways.prepare((molecule, depth) for molecule in molecules for depth in depths)


def _states(rows: Sequence[Row], device: torch.device | str) -> Synthesis:
    table = torch.tensor(rows, dtype=torch.int64).reshape(-1, 5).to(device)
    molecule, depth, role, block, is_done = table.unbind(dim=1)
    return Synthesis(molecule, depth, role, block, is_done.bool())


ARRIVALS: dict[str, Callable[..., Any]] = {
    "listed": ListedArrivals,
    "searched": SearchedArrivals,
    "recorded": SearchedArrivals,
}
"""How the ways back are known: from a list of the whole space (small ones); from a search; or only those that
were gone, when `encode` alone searches."""
