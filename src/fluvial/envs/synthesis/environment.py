"""Molecules by their synthesis: start from a building block, let it react, stop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.core.environment import Encoded, Found
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.hashing import GOLDEN, mix
from fluvial.envs.synthesis.molecules import Molecules
from fluvial.envs.synthesis.moves import Moves
from fluvial.envs.synthesis.roles import Library
from fluvial.envs.synthesis.state import Synthesis
from fluvial.envs.synthesis.ways import ListedArrivals, Ways

_RELEASE, _REMOVE, _FIRST_ARRIVAL = 1, 2, 3
MOST_ARRIVALS = 256
"""Reactions that may end in one molecule; the toy spaces have at most a dozen. Arbitrary."""
FEW_BLOCKS = 50
"""Up to so many blocks, all reactions are tried before they are offered; arbitrary."""


class Syntheses:
    """Environment whose objects are molecules that building blocks make in `min_reactions` to
    `max_reactions` reactions.

    A reaction is chosen by the role that the molecule plays in it, a template and a place in it; with a
    two-reactant template the other reactant, a block, is chosen next; and where a reaction has several
    products, the product last. Forward actions, in this order: stop; one of N blocks; one of the roles; one
    of `most_products` products. Backward actions: undo the stop; take back the last part of a choice; remove
    the block; undo the reaction by which the molecule came, one for each way in which it can have come.

    At the limit of reactions only stop is left, so the last product counts.

    Args:
        library: building blocks and reactions.
        max_reactions: at least 1.
        min_reactions: 0 to `max_reactions`; where a molecule cannot react any more, fewer are enough.
        most_products: products that are told apart, at least 1; 1 takes the first in the order of SMILES.
        tries_all: whether all reactions are run before they are offered. Else one that gives nothing can be
            chosen, which ends in the object "", no molecule. By default up to `FEW_BLOCKS` blocks.

    Raises:
        ConfigError: limits that leave nothing, or blocks none of which can react.
    """

    def __init__(
        self,
        library: Library,
        max_reactions: int = 3,
        min_reactions: int = 1,
        most_products: int = 8,
        tries_all: bool | None = None,
    ) -> None:
        if not 0 <= min_reactions <= max_reactions or max_reactions < 1 or most_products < 1:
            raise ConfigError(
                f"min_reactions = {min_reactions}, max_reactions = {max_reactions}, most_products ="
                f" {most_products}: need 0 <= min_reactions <= max_reactions, and at least 1 of both others"
            )
        self.molecules = Molecules(library, most_products)
        self.n_blocks, self.n_roles = self.molecules.n_blocks, len(self.molecules.roles)
        self.max_reactions, self.min_reactions = max_reactions, min_reactions
        self.moves = Moves(self.molecules, self.n_blocks <= FEW_BLOCKS if tries_all is None else tries_all)
        self._two = np.array([role.n_reactants == 2 for role in self.molecules.roles], dtype=np.bool_)
        starts = tuple(
            block
            for block in range(1, self.n_blocks + 1)
            if min_reactions == 0 or self.moves.roles(block).any()
        )
        if not starts:
            raise ConfigError(
                f"none of the {self.n_blocks} building blocks can take part in one of the"
                f" {len(self.molecules.reactions)} reactions; choose others"
            )
        self.starts = starts
        arrivals = ListedArrivals(self.molecules, self.moves, starts, max_reactions)
        self.ways = Ways(self.molecules, self.moves, arrivals, starts, (min_reactions, max_reactions))
        self._first_role = 1 + self.n_blocks
        self._first_product = self._first_role + self.n_roles
        self.n_actions = self._first_product + most_products
        self.n_back_actions = _FIRST_ARRIVAL + MOST_ARRIVALS
        self.max_steps = 2 + 3 * max_reactions
        self._start_mask = np.isin(np.arange(1, self.n_blocks + 1), starts)
        self._can_stop = lru_cache(maxsize=None)(self.ways.can_stop)

    def __deepcopy__(self, memo: dict[int, object]) -> Syntheses:
        """Itself: what it learns of molecules changes no answer."""
        return self

    def initial(self, n: int, device: torch.device | str = "cpu") -> Synthesis:
        """`n` times nothing."""
        zero = torch.zeros(n, dtype=torch.int64, device=device)
        return Synthesis(zero, zero, zero, zero, zero.bool())

    def mask(self, states: Synthesis) -> Tensor:
        """Legal actions, bool [B, A]."""
        mask = np.zeros((len(states), self.n_actions), dtype=np.bool_)
        for row, (molecule, depth, role, block, is_done) in enumerate(_rows(states)):
            if is_done:
                continue
            if molecule == 0:
                mask[row, 1 : self._first_role] = self._start_mask
            elif role == 0:
                mask[row, 0] = self._can_stop(molecule, depth)
                if depth < self.max_reactions:
                    mask[row, self._first_role : self._first_product] = self.moves.roles(molecule)
            elif block == 0 and self._two[role - 1]:
                mask[row, self.moves.partners(molecule, role - 1)] = True
            else:
                n_products = len(self.molecules.products(molecule, role - 1, block))
                mask[row, self._first_product : self._first_product + n_products] = True
                mask[row, 0] = n_products == 0
        return torch.from_numpy(mask).to(states.device)

    def step(self, states: Synthesis, actions: Tensor) -> Synthesis:
        """The next states."""
        moved = [
            self._moved(row, action) for row, action in zip(_rows(states), actions.tolist(), strict=True)
        ]
        return self._states(moved, states.device)

    def _moved(self, row: Row, action: int) -> Row:
        molecule, depth, role, block, is_done = row
        if is_done:
            return row
        if action == 0:
            return (molecule, depth, role, block, True)
        if action >= self._first_product:
            products = self.molecules.products(molecule, role - 1, block)
            place = action - self._first_product
            return row if place >= len(products) else (products[place], depth + 1, 0, 0, False)
        if action < self._first_role:
            return (action, 0, 0, 0, False) if molecule == 0 else self._reacted(molecule, depth, role, action)
        role = action - self._first_role + 1
        if self._two[role - 1]:
            return (molecule, depth, role, 0, False)
        return self._reacted(molecule, depth, role, 0)

    def _reacted(self, molecule: int, depth: int, role: int, block: int) -> Row:
        """The only product, or the choice among several."""
        products = self.molecules.products(molecule, role - 1, block)
        if len(products) == 1:
            return (products[0], depth + 1, 0, 0, False)
        return (molecule, depth, role, block, False)

    def back_mask(self, states: Synthesis) -> Tensor:
        """Legal backward actions, bool [B, A']."""
        mask = np.zeros((len(states), self.n_back_actions), dtype=np.bool_)
        for row, (molecule, depth, role, _, is_done) in enumerate(_rows(states)):
            if is_done:
                mask[row, 0] = True
            elif role > 0:
                mask[row, _RELEASE] = True
            elif molecule > 0 and depth == 0:
                mask[row, _REMOVE] = True
            elif molecule > 0:
                n_arrivals = len(self.ways.arrivals(molecule, depth))
                mask[row, _FIRST_ARRIVAL : _FIRST_ARRIVAL + n_arrivals] = True
        return torch.from_numpy(mask).to(states.device)

    def step_back(self, states: Synthesis, back_actions: Tensor) -> Synthesis:
        """The parents."""
        moved = [
            self._moved_back(row, action)
            for row, action in zip(_rows(states), back_actions.tolist(), strict=True)
        ]
        return self._states(moved, states.device)

    def _moved_back(self, row: Row, back_action: int) -> Row:
        molecule, depth, role, block, is_done = row
        if is_done:
            return (molecule, depth, role, block, back_action != 0)
        if back_action == _RELEASE:
            return (molecule, depth, role if block else 0, 0, False)
        if back_action == _REMOVE:
            return (0, 0, 0, 0, False) if depth == 0 and role == 0 else row
        ways = self.ways.arrivals(molecule, depth) if depth > 0 and role == 0 else ()
        if not 0 <= back_action - _FIRST_ARRIVAL < len(ways):
            return row
        way = ways[back_action - _FIRST_ARRIVAL]
        if way.n_products > 1:
            return (way.molecule, depth - 1, way.role + 1, way.block, False)
        return (way.molecule, depth - 1, way.role + 1 if way.block else 0, 0, False)

    def undo(self, states: Synthesis, actions: Tensor, next_states: Synthesis) -> Tensor:
        """Backward actions that lead from `next_states` to `states`."""
        rows = zip(_rows(states), actions.tolist(), _rows(next_states), strict=True)
        back_actions = [self._undone(before, action, after) for before, action, after in rows]
        return torch.tensor(back_actions, dtype=torch.int64, device=states.device)

    def _undone(self, before: Row, action: int, after: Row) -> int:
        if action == 0 or before[4]:
            return 0
        if after[2] > 0:
            return _RELEASE
        if before[0] == 0:
            return _REMOVE
        role = before[2] - 1 if before[2] else action - self._first_role
        block = action if action < self._first_role else before[3]
        place = action - self._first_product if action >= self._first_product else 0
        found = self.ways.place(after[0], after[1], (before[0], role, block, place))
        if found is None:
            reactant, product = (self.molecules.smiles[row[0]] for row in (before, after))
            number = self.molecules.roles[role].template
            raise DataError(f"template {number} makes {product} of {reactant}, but no way back was found")
        return _FIRST_ARRIVAL + found

    def redo(self, parents: Synthesis, back_actions: Tensor, states: Synthesis) -> Tensor:
        """Forward actions that lead from `parents` to `states`."""
        rows = zip(_rows(parents), back_actions.tolist(), _rows(states), strict=True)
        actions = [self._redone(before, back_action, after) for before, back_action, after in rows]
        return torch.tensor(actions, dtype=torch.int64, device=states.device)

    def _redone(self, before: Row, back_action: int, after: Row) -> int:
        if back_action == 0:
            return 0
        if back_action == _RELEASE:
            return after[3] or self._first_role + after[2] - 1
        if back_action == _REMOVE:
            return after[0]
        way = self.ways.arrivals(after[0], after[1])[back_action - _FIRST_ARRIVAL]
        if way.n_products > 1:
            return self._first_product + way.product
        return way.block or self._first_role + way.role

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
        numbers = [
            len(self.ways.depths(molecule)) if molecule and not role else 1
            for molecule, _, role, _, _ in _rows(states)
        ]
        return -torch.tensor(numbers, dtype=torch.float64, device=states.device).clamp_min(1.0).log()

    def log_n(self, states: Synthesis) -> Tensor:
        """Log number of backward action sequences from each state to the empty one, float64 [B]."""
        numbers = [
            self.ways.log_n(molecule, depth) if molecule else 0.0 for molecule, depth, *_ in _rows(states)
        ]
        return torch.tensor(numbers, dtype=torch.float64, device=states.device)

    def decode(self, states: Synthesis) -> list[str]:
        """Canonical SMILES; "" where the last reaction gave nothing."""
        return ["" if role else self.molecules.smiles[molecule] for molecule, _, role, _, _ in _rows(states)]

    def encode(self, texts: Sequence[str]) -> Encoded[Synthesis]:
        """Finished syntheses of the molecules, each by its fewest reactions."""
        found = [self._find(text) for text in texts]
        states = self._states([row for row, _ in found], "cpu")
        return Encoded(states, torch.tensor([int(outcome) for _, outcome in found], dtype=torch.int64))

    def _find(self, text: str) -> tuple[Row, Found]:
        nothing: Row = (0, 0, 0, 0, False)
        try:
            smiles = canonical_smiles(parse_smiles(text))
        except DataError:
            return nothing, Found.INVALID
        molecule = self.molecules.number(smiles)
        depths = self.ways.depths(molecule)
        if not depths:
            return nothing, Found.NONE
        return (molecule, depths[0], 0, 0, True), Found.ONE

    def _states(self, rows: Sequence[Row], device: torch.device | str) -> Synthesis:
        table = torch.tensor(rows, dtype=torch.int64).reshape(-1, 5).to(device)
        molecule, depth, role, block, is_done = table.unbind(dim=1)
        return Synthesis(molecule, depth, role, block, is_done.bool())


Row = tuple[int, int, int, int, bool]
"""A state: molecule, depth, role, block and whether it is done."""


def _rows(states: Synthesis) -> list[Row]:
    columns = (column.tolist() for column in states.tensors())
    return list(zip(*columns, strict=True))
