"""What is to find out of molecules with RDKit, in texts and numbers alone.

Every answer depends on its question and the rules only, so it does not matter which process gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import Mol

from fluvial.chem.atom_categories import atom_categories, pair_categories
from fluvial.chem.molecules import parse_smiles
from fluvial.chem.synthesis.library import BlockLibrary, packed_fingerprints
from fluvial.chem.synthesis.patterns import Patterns
from fluvial.chem.synthesis.retro import Disconnections
from fluvial.envs.synthesis.limits import Limits
from fluvial.envs.synthesis.memo import Memo
from fluvial.envs.synthesis.parts import Parts
from fluvial.envs.synthesis.roles import Partners, roles_of

PARSED_AT_ONCE = 50_000
"""Molecules kept as objects of RDKit, some kB each; arbitrary."""
REACTIONS_AT_ONCE = 50_000
"""Reactions whose products are remembered as texts, for the search that often follows; arbitrary."""
MOLECULES_AT_ONCE = 200_000
"""Molecules whose roles are remembered, about 300 bytes each; arbitrary."""

Atoms = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Categories of atoms and of their pairs."""


@dataclass(frozen=True)
class Rules:
    """What the answers depend on beside the library."""

    most_products: int
    """Products of one reaction that are told apart, the first in the order of their SMILES."""
    limits: Limits
    """What of the library may be used."""
    tries_all: bool
    """Whether reactions with all partners are run before one is offered."""


class Searched(NamedTuple):
    """Which ways back are searched."""

    smiles: str
    """Of the molecule."""
    of_blocks: bool
    """Whether only those in which everything that reacts is a block, which are found sooner: all that a first
    reaction can have been."""


class Way(NamedTuple):
    """One way in which a molecule is the product of a reaction, in the order in which ways are listed."""

    smiles: str
    """Of the reactant that was there before."""
    role: int
    """In which it reacted, from 0."""
    block: int
    """Number of the block that it reacted with, from 1; 0 for a one-reactant template."""
    place: int
    """Place among the products of this reaction, from 0."""
    n_products: int
    """How many products this reaction has."""
    own: int
    """Number of the reactant as a block, from 1; 0 where it is none."""


class Chemistry:
    """Answers about molecules by their canonical SMILES. Blocks are given by number, from 1.

    Args:
        library: blocks and reactions.
        rules: what else the answers depend on.
    """

    def __init__(self, library: BlockLibrary, rules: Rules) -> None:
        self.library, self.rules, self.reactions = library, rules, library.reactions
        self.roles = roles_of(library.templates)
        self.partners = Partners(library, self.roles, rules.limits)
        self.parts = Parts(rules.limits)
        self._can_react = self.partners.exist()
        self._patterns = Patterns(self.reactions)
        reactant = np.array([(role.position, role.template) for role in self.roles], dtype=np.int64).T
        self._reactant = (reactant[0], reactant[1])
        self._pattern = self._patterns.of_reactant[self._reactant]
        self._compatible = np.asarray(library.compatible)
        self._role = {(role.template, role.position): number for number, role in enumerate(self.roles)}
        self._takes_none = np.array([role.n_reactants == 1 for role in self.roles], dtype=np.bool_)
        self._parsed = Memo(parse_smiles, PARSED_AT_ONCE)
        self.products = lru_cache(maxsize=REACTIONS_AT_ONCE)(self._products)
        self._fitting = lru_cache(maxsize=MOLECULES_AT_ONCE)(self._matching)

    def smiles_of(self, block: int) -> str:
        """The canonical SMILES of a block."""
        return str(self.library.smiles[block - 1])

    def block_of(self, smiles: str) -> int:
        """The number of the block with this canonical SMILES; 0 where there is none."""
        place = self.library.find(smiles)
        return 0 if place is None else place + 1

    def roles_of(self, smiles: str, block: int = 0) -> NDArray[np.bool_]:
        """The roles that a molecule can be given, bool [roles]: those that it fits, but of one-reactant
        templates only those that have been tried.

        Args:
            smiles: of the molecule.
            block: its number, if it is a block, of which the library knows what it fits; else 0.
        """
        roles = self._fits(smiles, block).copy()
        for role in map(int, np.flatnonzero(roles & self._takes_none)):
            roles[role] = self.runs_alone(smiles, role)
        return roles

    def _fits(self, smiles: str, block: int) -> NDArray[np.bool_]:
        """The roles that a molecule has the substructures for and that have partners, bool [roles]."""
        if not block:
            return self._fitting(smiles)
        place, bit = divmod(block - 1, 8)
        fits: NDArray[np.bool_] = (self._compatible[*self._reactant, place] & 1 << bit).astype(np.bool_)
        return fits & self._can_react

    def runs_alone(self, smiles: str, role: int) -> bool:
        """Whether a molecule gives a product alone."""
        if self.rules.tries_all or self.parts.forbids:
            return len(self.products(smiles, role, 0)) > 0
        return self.reactions[self.roles[role].template].runs(self._parsed[smiles])

    def _matching(self, smiles: str) -> NDArray[np.bool_]:
        fits: NDArray[np.bool_] = self._patterns.matches(self._parsed[smiles])[self._pattern]
        return fits & self._can_react

    def _products(self, smiles: str, role: int, block: int) -> tuple[str, ...]:
        """The products of a molecule in a role with a block (0: alone), in the order of their SMILES; none
        where the reaction does not run."""
        entry = self.roles[role]
        reactants = [self._parsed[smiles]]
        if entry.n_reactants == 2:
            reactants.insert(1 - entry.position, self._parsed[self.smiles_of(block)])
        made = self.reactions[entry.template].made(*reactants)
        for text, mol in made.items():
            if mol is not None:
                self._parsed.put(text, mol)
        return self._kept(made)

    def _kept(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Those of all products of a reaction, in their order, that are allowed and told apart."""
        allowed = (text for text in texts if not self.parts.forbids or self.parts.allow(self._parsed[text]))
        return tuple(islice(allowed, self.rules.most_products))

    def tried(self, roles: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Role and block of the reactions whose products are found before a molecule with these roles is
        offered any."""
        if not self.rules.tries_all:
            return []
        return [(role, block) for role in map(int, np.flatnonzero(roles)) for block in self._tried_with(role)]

    def _tried_with(self, role: int) -> Sequence[int]:
        return (0,) if self._takes_none[role] else self.partners.of(role).tolist()

    def is_complete(self, smiles: str) -> bool:
        """Whether a molecule has the required parts and no forbidden one."""
        return self.parts.limit_nothing or self.parts.complete(self._parsed[smiles])

    def fingerprint(self, smiles: str) -> NDArray[np.uint8]:
        """Packed Morgan fingerprint as of blocks, uint8 [bits / 8]."""
        row: NDArray[np.uint8] = packed_fingerprints([self._parsed[smiles]])[0]
        return row

    def atoms(self, smiles: str) -> Atoms:
        """Categories of atoms, uint8 [atoms, 7], and of their pairs, uint8 [atoms, atoms, 2]."""
        mol: Mol = self._parsed[smiles]
        return atom_categories(mol), pair_categories(mol)

    @cached_property
    def _disconnections(self) -> Disconnections:
        return Disconnections(self.library)

    def ways(self, asked: Searched) -> tuple[Way, ...]:
        """All ways in which a molecule can come of any other by one reaction that is offered there, whether
        that other can be made or not; sorted."""
        search = self._disconnections
        found: list[Way] = []
        for one in (search.into_blocks if asked.of_blocks else search.of)(asked.smiles):
            products = self._kept(search.products(one.template, one.reactants))
            if asked.smiles not in products:
                continue
            place, numbers = products.index(asked.smiles), [self.block_of(text) for text in one.reactants]
            for position, own in enumerate(numbers):
                partner = numbers[1 - position] if len(numbers) == 2 else None
                role, reactant = self._role[one.template, position], one.reactants[position]
                if self._is_offered(reactant, own, role, partner):
                    found.append(Way(reactant, role, partner or 0, place, len(products), own))
        return tuple(sorted(found))

    def _is_offered(self, reactant: str, own: int, role: int, partner: int | None) -> bool:
        """Whether the forward masks offer a reaction that gives something.

        Args:
            reactant: that was there before.
            own: its number as a block; 0 where it is none.
            role: in which it reacts.
            partner: the number of the other reactant as a block, 0 where it is none; None where there is no
                other.
        """
        if own:
            fits = bool(self._fits(reactant, own)[role])
        else:
            entry = self.roles[role]
            reaction = self.reactions[entry.template]
            fits = bool(self._can_react[role]) and reaction.matches(self._parsed[reactant], entry.position)
        return fits and (partner is None or (partner > 0 and self.partners.include(role, partner)))
