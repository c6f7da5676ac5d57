"""Molecules made atom by atom: a batched construction process with exact symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from fluvial.core.environment import Encoded, Found
from fluvial.core.observation import GraphObservation
from fluvial.envs.atoms import identity
from fluvial.envs.atoms.backward import shrink_mask
from fluvial.envs.atoms.encode import Draft, add_turns, read_text, write_states
from fluvial.envs.atoms.forward import Space, growth_mask
from fluvial.envs.atoms.observe import observation_sizes, observe_atoms
from fluvial.envs.atoms.reader import Reader
from fluvial.envs.atoms.rules import WILDCARD, AtomRules
from fluvial.envs.atoms.scaffold import Scaffold
from fluvial.envs.atoms.stereo import find_centres
from fluvial.envs.atoms.tables import AtomTables, make_tables
from fluvial.envs.graphs import canonical
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.graphs.legal import part_of
from fluvial.envs.graphs.state import Graph


class Atoms:
    """Builds molecules atom by atom and bond by bond, in their Kekulé forms.

    Forward actions, in this order: stop; `node`, the first atom; `attach` an atom of an element by a bond of
    an order to atom n; `edge`, a bond of an order between two atoms, which closes a ring; `set_node`, which
    gives an attribute of an atom a value other than its default, once. Backward actions take these back: undo
    the stop; `remove_node`; `remove_edge`; `unset_node`. Families that can never be legal are left out. Every
    state with at least `min_atoms` atoms is a molecule that RDKit accepts, and can be finished.

    A finished state stands for its molecule: the states that write one molecule (in other Kekulé forms, with
    attributes that change nothing, around another place of the scaffold) have one key, and `log_symmetry`
    makes p(molecule) proportional to R whatever their number.

    Args:
        elements: symbols of the atoms that may be added.
        max_atoms: most atoms N, hydrogens left aside.
        min_atoms: fewest atoms of a finished molecule. Where building starts from a `scaffold`, or nitrogen
            can have five bonds, a molecule that cannot grow may be finished although it is smaller.
        max_bonds: most bonds, None for no limit.
        bond_orders: (1,), (1, 2) or (1, 2, 3).
        charges: formal charges that atoms may have, 0 among them. A charge changes how many bonds an atom
            has: nitrogen 3, N+ 4, O+ 3, O- 1. A bond's order is within what both elements have without a
            charge, so carbon monoxide cannot be built.
        explicit_h: numbers of hydrogens that may be written at an atom, besides those that follow from its
            bonds; 0 among them. For valences that would not be filled in this way, as of [SH4].
        no_implicit: whether atoms may be closed to hydrogens that follow from their bonds, as in radicals.
        chirality: whether stereocentres may be marked. Marks come last: after the first one only marks and
            the stop are left. Atoms are stereocentres whose neighbours differ without regard to other marks.
        five_valent_nitrogen: whether nitrogen may have five bonds, of which RDKit makes charges, as in a
            nitro group; instead of `charges`.
        max_ring_size: most atoms of a ring of a smallest set of rings; None for no limit, 0 for no rings.
        min_ring_size: fewest atoms of a ring.
        scaffold: SMILES of a molecule that building starts from, and that cannot be taken apart; an action
            fills each of its atoms "*" with an element.
        forbidden: SMARTS patterns; a molecule that has one cannot be finished, unless nothing else is legal.
            For those that cannot go on, let the reward filter, too.
        required: SMARTS patterns that a molecule must have to be finished, likewise.
        random_walk: the network sees how likely random walks of 2 to so many steps along bonds come back to
            each atom; 0 for none.
        correct_symmetry: whether `log_symmetry` corrects at all; off only to show what it does.

    Raises:
        ConfigError: an argument out of range, or no molecule within the limits.
    """

    def __init__(  # noqa: PLR0913 - each is a rule of its own
        self,
        *,
        elements: Sequence[str] = ("C", "N", "O", "F"),
        max_atoms: int = 9,
        min_atoms: int = 1,
        max_bonds: int | None = None,
        bond_orders: Sequence[int] = (1, 2, 3),
        charges: Sequence[int] = (0,),
        explicit_h: Sequence[int] = (0,),
        no_implicit: bool = False,
        chirality: bool = False,
        five_valent_nitrogen: bool = False,
        max_ring_size: int | None = None,
        min_ring_size: int = 3,
        scaffold: str | None = None,
        forbidden: Sequence[str] = (),
        required: Sequence[str] = (),
        random_walk: int = 0,
        correct_symmetry: bool = True,
    ) -> None:
        self.rules = AtomRules(
            elements=tuple(elements),
            max_atoms=max_atoms,
            min_atoms=min_atoms,
            max_bonds=max_bonds,
            bond_orders=tuple(bond_orders),
            charges=tuple(charges),
            explicit_h=tuple(explicit_h),
            no_implicit=no_implicit,
            chirality=chirality,
            five_valent_nitrogen=five_valent_nitrogen,
            max_ring_size=max_ring_size,
            min_ring_size=min_ring_size,
            scaffold=scaffold,
            forbidden=tuple(forbidden),
            required=tuple(required),
            random_walk=random_walk,
        )
        self.correct_symmetry = correct_symmetry
        self._graphs, tables, start = foundations(self.rules)
        self._reader = lru_cache(maxsize=None)(lambda device: Reader(self.rules, tables.to(device), start))
        self.families, self.back_families = self._graphs.families, self._graphs.back_families
        self.n_actions, self.n_back_actions = self._graphs.n_actions, self._graphs.n_back_actions
        self.start, self.max_steps = self._graphs.start, self._graphs.max_steps
        self.sizes = observation_sizes(self._space(torch.device("cpu")))

    def __deepcopy__(self, memo: dict[int, object]) -> Atoms:
        """Itself: an environment never changes."""
        return self

    def _space(self, device: torch.device) -> Space:
        return Space(self.rules, self._reader(device).tables, self._graphs.numbering(device))

    def initial(self, n: int, device: torch.device | str = "cpu") -> Graph:
        """`n` empty molecules, or scaffolds."""
        return self._reader(torch.device(device)).tables.initial.repeat(n)

    def mask(self, states: Graph) -> Tensor:
        """Legal actions, bool [B, A]."""
        space = self._space(states.device)
        mask = growth_mask(states, space)
        is_large = ~states.is_done & (states.n_nodes >= self.rules.min_atoms)
        if self.rules.wildcard:
            is_large &= (space.tables.kinds(states) != space.tables.wildcard).all(dim=1)
        if self.rules.chirality:
            self._allow_turns(mask, states, is_large)
        mask[:, 0] = self._may_stop(mask, states, is_large)
        return mask

    def _allow_turns(self, mask: Tensor, states: Graph, is_large: Tensor) -> None:
        """Fill in which stereocentres may be marked."""
        rows = is_large.nonzero()[:, 0]
        space = self._space(states.device)
        centres = find_centres(states[rows], self._reader(states.device))
        column = space.tables.columns["turn"]
        is_open = centres.is_centre & (states.node_attribute[rows][:, :, column] == 0)
        first = sum(len(values) for values in list(self.rules.slots.values())[:column])
        part_of(mask, space.numbering, "set_node")[rows, :, first : first + 2] = is_open[:, :, None]

    def _may_stop(self, mask: Tensor, states: Graph, is_large: Tensor) -> Tensor:
        """Whether the stop is legal, bool [B]; `mask` allows the other actions."""
        has_patterns = bool(self.rules.forbidden or self.rules.required)
        if self.rules.grows_surely and not has_patterns:
            return is_large
        is_stuck = ~states.is_done & ~mask.any(dim=1)
        if has_patterns:
            rows = (is_large & ~is_stuck).nonzero()[:, 0]
            reader = self._reader(states.device)
            kept = reader.keep_patterns(reader.describe(states[rows])).to(states.device)
            is_large = is_large.index_copy(0, rows, kept)
        return is_large | is_stuck

    def step(self, states: Graph, actions: Tensor) -> Graph:
        """The next states; a finished row stays as it is."""
        return self._graphs.step(states, actions)

    def back_mask(self, states: Graph) -> Tensor:
        """Legal backward actions, bool [B, A']."""
        return shrink_mask(states, self._space(states.device))

    def step_back(self, states: Graph, back_actions: Tensor) -> Graph:
        """The parents."""
        return self._graphs.step_back(states, back_actions.masked_fill(self.is_initial(states), 0))

    def undo(self, states: Graph, actions: Tensor, next_states: Graph) -> Tensor:
        """Backward actions that lead from `next_states` to `states`."""
        return self._graphs.undo(states, actions, next_states)

    def redo(self, parents: Graph, back_actions: Tensor, states: Graph) -> Tensor:
        """Forward actions that lead from `parents` to (an equivalent of) `states`."""
        return self._graphs.redo(parents, back_actions, states)

    def is_terminal(self, states: Graph) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Graph) -> Tensor:
        """Whether nothing was done yet, bool [B]."""
        if self.rules.scaffold is None:
            return ~states.exists[:, 0]
        initial = self._space(states.device).tables.initial
        is_same = ~states.is_done
        for name in ("node", "edge", "node_attribute"):
            total, own = (getattr(part, name).flatten(1).sum(dim=1) for part in (states, initial))
            is_same &= total == own
        return is_same

    def observe(self, states: Graph) -> GraphObservation:
        """Categories of atoms, pairs of atoms and molecules that do not depend on the numbering."""
        centres = find_centres(states, self._reader(states.device)) if self.rules.chirality else None
        return observe_atoms(states, self._space(states.device), centres)

    def key(self, states: Graph) -> Tensor:
        """Canonical identity, int64 [B]: of the molecule where a state is finished, else of the state; how
        far it is exact stands in `fluvial.envs.graphs.canonical`."""
        return identity.key(states, self._reader(states.device))

    def log_symmetry(self, states: Graph) -> Tensor:
        """log |Aut| of the molecules less the log number of the states that write them, atoms told apart,
        float64 [B] (Kim et al. 2025, "Symmetry-aware GFlowNets", and `docs/explain/symmetry.md`)."""
        if not self.correct_symmetry:
            return torch.zeros(len(states), dtype=torch.float64, device=states.device)
        reader = self._reader(states.device)
        molecules, n_forms = identity.molecules_of(states, reader)
        return canonical.log_automorphisms(molecules) - identity.log_ways(states, n_forms, reader)

    def decode(self, states: Graph) -> list[str]:
        """Canonical SMILES."""
        reader = self._reader(states.device)
        rank = find_centres(states, reader).rank if self.rules.chirality else None
        return reader.smiles(reader.describe(states, rank))

    def encode(self, texts: Sequence[str]) -> Encoded[Graph]:
        """Finished states of molecules; `refusals` says why there is none."""
        states, drafts = self._read(texts)
        found = torch.tensor([part.found for part in drafts], dtype=torch.int64)
        return Encoded(states, found)

    def refusals(self, texts: Sequence[str]) -> list[str]:
        """Why `encode` finds no state for each text, in one sentence; empty where it finds one."""
        return [part.reason for part in self._read(texts)[1]]

    def _read(self, texts: Sequence[str]) -> tuple[Graph, list[Draft]]:
        reader = self._reader(torch.device("cpu"))
        drafts = [read_text(text, reader) for text in texts]
        states = write_states([part.graph for part in drafts], reader.tables)
        if self.rules.chirality:
            states, drafts = add_turns(states, drafts, reader)
        may_stop = self.mask(states)[:, 0].tolist()
        drafts = [self._settled(*pair) for pair in zip(drafts, may_stop, strict=True)]
        found = torch.tensor([part.found == Found.ONE for part in drafts], dtype=torch.bool)
        return replace(states, is_done=found).where(found, self.initial(len(texts))), drafts

    def _settled(self, part: Draft, may_stop: bool) -> Draft:
        if part.graph is None or may_stop:
            return part
        n_atoms = len(part.graph.elements)
        reason = "it has a forbidden pattern or lacks a required one, and could still grow"
        if n_atoms < self.rules.min_atoms:
            reason = f"it has {n_atoms} atoms, fewer than min_atoms = {self.rules.min_atoms}"
        return replace(part, found=Found.NONE, reason=reason, graph=None)


def foundations(rules: AtomRules) -> tuple[Graphs, AtomTables, Scaffold | None]:
    """Numbers of the actions, tables, and what building starts from."""
    scaffold = None if rules.scaffold is None else Scaffold(rules)
    parts = () if scaffold is None else dict.fromkeys(scaffold.graph.elements)
    others = [symbol for symbol in parts if symbol not in {*rules.elements, WILDCARD}]
    symbols = (*rules.elements, *others, *[WILDCARD] * rules.wildcard)
    graphs = Graphs(**vars(rules.graph_rules(symbols)))
    tables = make_tables(rules, symbols, graphs.initial(1))
    if scaffold is not None:
        tables = replace(tables, initial=write_states([scaffold.graph], tables))
    return graphs, tables, scaffold
