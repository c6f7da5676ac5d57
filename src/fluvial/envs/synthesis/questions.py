"""What worker processes are asked about molecules, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.synthesis.library import BlockLibrary, library_of_arrays
from fluvial.chem.synthesis.library_file import read_library
from fluvial.chem.synthesis.templates import Template
from fluvial.core.errors import DataError
from fluvial.envs.synthesis.chemistry import Atoms, Chemistry, Rules, Searched, Way


class Facts(NamedTuple):
    """What is found out of one molecule; None what was not asked for."""

    roles: NDArray[np.bool_] | None = None
    """bool [roles], those that it can play."""
    tried: tuple[tuple[int, int, tuple[str, ...]], ...] = ()
    """Role, block and products of the reactions that are run before any is offered."""
    is_complete: bool | None = None
    """Whether it has the required parts."""
    fingerprint: NDArray[np.uint8] | None = None
    """uint8 [bits / 8]."""
    atoms: Atoms | None = None
    """Categories of atoms and of their pairs."""


class AboutMolecule(NamedTuple):
    """Asks for facts."""

    smiles: str
    block: int
    """Its number, if it is a block, else 0."""
    kinds: frozenset[str]
    """Names in `FACTS`."""

    def __str__(self) -> str:
        return f"the parts of {self.smiles}"


class AboutReaction(NamedTuple):
    """Asks for the products of a reaction, and for facts of a product that is the only one."""

    smiles: str
    role: int
    block: int
    template: str
    """Its identifier, for messages."""
    kinds: frozenset[str]

    def __str__(self) -> str:
        return f"the reaction '{self.template}' of {self.smiles}"


class AboutWays(NamedTuple):
    """Asks for the ways back."""

    searched: Searched

    def __str__(self) -> str:
        return f"the search for reactions that make {self.searched.smiles}"


Question = AboutMolecule | AboutReaction | AboutWays
Products = tuple[tuple[str, ...], Facts | None]
Answer = Facts | Products | tuple[Way, ...]


def _roles(chemistry: Chemistry, asked: AboutMolecule) -> dict[str, Any]:
    roles = chemistry.roles_of(asked.smiles, asked.block)
    tried = tuple(
        (role, block, chemistry.products(asked.smiles, role, block)) for role, block in chemistry.tried(roles)
    )
    return {"roles": roles, "tried": tried}


FACTS: dict[str, Callable[[Chemistry, AboutMolecule], dict[str, Any]]] = {
    "roles": _roles,
    "is_complete": lambda chemistry, asked: {"is_complete": chemistry.is_complete(asked.smiles)},
    "fingerprint": lambda chemistry, asked: {"fingerprint": chemistry.fingerprint(asked.smiles)},
    "atoms": lambda chemistry, asked: {"atoms": chemistry.atoms(asked.smiles)},
}
"""Facts by kind."""


def answer(chemistry: Chemistry, question: Question) -> Answer:
    """The answer to one question."""
    if isinstance(question, AboutWays):
        return chemistry.ways(question.searched)
    if isinstance(question, AboutMolecule):
        return _facts(chemistry, question)
    texts = chemistry.products(question.smiles, question.role, question.block)
    if len(texts) != 1 or not question.kinds:
        return texts, None
    return texts, _facts(chemistry, AboutMolecule(texts[0], 0, question.kinds))


def _facts(chemistry: Chemistry, asked: AboutMolecule) -> Facts:
    found = (FACTS[kind](chemistry, asked) for kind in sorted(asked.kinds))
    return Facts(**{name: value for part in found for name, value in part.items()})


@dataclass(frozen=True)
class Setting:
    """What a process needs to answer as every other."""

    rules: Rules
    path: Path | None
    """The file of the library, which is mapped into memory; None for one that was made in memory."""
    content: str
    """Its fingerprint."""
    arrays: dict[str, NDArray[Any]]
    """All of it, where there is no file."""
    templates: tuple[Template, ...]


def setting_of(library: BlockLibrary, rules: Rules) -> Setting:
    """What is sent to each process."""
    has_file = library.path is not None
    arrays = {} if has_file else library.arrays()
    return Setting(rules, library.path, library.fingerprint, arrays, () if has_file else library.templates)


def ready_to_answer(setting: Setting) -> Callable[[list[Question]], list[Answer]]:
    """The function that answers questions.

    Raises:
        DataError: the library's file is not what it was.
    """
    if setting.path is None:
        library = library_of_arrays(setting.arrays, setting.templates)
    else:
        library = read_library(setting.path)
        if library.fingerprint != setting.content:
            raise DataError(f"{setting.path} was changed since it was opened; start again")
    return partial(_answers, Chemistry(library, setting.rules))


def _answers(chemistry: Chemistry, questions: Iterable[Question]) -> list[Answer]:
    return [answer(chemistry, question) for question in questions]
