"""All that a batch of states will need of RDKit, asked of worker processes at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fluvial.core.errors import WorkerError
from fluvial.core.processes import Missing, ProcessPool, Service
from fluvial.envs.synthesis.chemistry import Searched, Way
from fluvial.envs.synthesis.memo import Memo
from fluvial.envs.synthesis.molecules import Molecules, Reaction
from fluvial.envs.synthesis.questions import (
    AboutMolecule,
    AboutReaction,
    AboutWays,
    Answer,
    Facts,
    Question,
    ready_to_answer,
    setting_of,
)
from fluvial.envs.synthesis.state import Row

CHUNKS_PER_WORKER = 4
"""Questions take unequal time, and a message takes less than most; arbitrary."""


class Ahead:
    """Fills tables of molecules with what is about to be looked up there. The answers are those that would
    be found without it, so it changes the time that everything takes, and nothing else.

    Args:
        molecules: the table of molecules.
        workers: number of processes, which start when first needed; 0 for none, and nothing is asked.
    """

    def __init__(self, molecules: Molecules, workers: int) -> None:
        self._molecules, self._workers = molecules, workers
        self._pool: ProcessPool[Question, Answer] | None = None
        parts = molecules.chemistry.parts
        self._kinds: frozenset[str] = frozenset() if parts.limit_nothing else frozenset({"is_complete"})

    @property
    def is_on(self) -> bool:
        """Whether there are processes to ask."""
        return self._workers > 0

    @property
    def cpu_seconds(self) -> float:
        """Spent by all processes together."""
        return 0.0 if self._pool is None else self._pool.cpu_seconds

    def close(self) -> None:
        """End the processes; what is asked later is found out in this one."""
        if self._pool is not None:
            self._pool.close()
        self._pool, self._workers = None, 0

    def reactions(self, wanted: Iterable[tuple[Reaction, bool]]) -> None:
        """The products of reactions.

        Where there is only one, it is the next molecule, so what will be asked about it comes along.

        Args:
            wanted: each with whether the product may react again.
        """
        if not self.is_on:
            return
        new = {key: goes_on for key, goes_on in wanted if not self._molecules.are_products_known(key)}
        with_roles = self._kinds | {"roles"}
        questions = [
            AboutReaction(
                self._molecules.smiles(molecule),
                role,
                block,
                self._template(role),
                with_roles if goes_on else self._kinds,
            )
            for (molecule, role, block), goes_on in new.items()
        ]
        for key, answer in zip(new, self._answers(questions), strict=True):
            self._molecules.tell_products(key, answer)  # type: ignore[arg-type]

    def facts(self, wanted: Iterable[tuple[int, frozenset[str]]]) -> None:
        """Facts of molecules by number, each with their kinds, names in `FACTS`."""
        if not self.is_on:
            return
        kinds: dict[int, frozenset[str]] = {}
        for number, some in wanted:
            kinds[number] = kinds.get(number, frozenset()) | some
        unknown = ((number, self._molecules.unknown(number, some)) for number, some in kinds.items())
        new = {number: some for number, some in unknown if some and number}
        questions = [
            AboutMolecule(self._molecules.smiles(number), self._molecules.block(number), some)
            for number, some in new.items()
        ]
        for number, answer in zip(new, self._answers(questions), strict=True):
            assert isinstance(answer, Facts)
            self._molecules.tell(number, answer)

    def states(self, rows: Iterable[Row], max_reactions: int) -> None:
        """What is to say of states: which reactions may be chosen next, and what an encoder reads."""
        with_roles = self._kinds | {"roles"}
        self.facts(
            (molecule, with_roles if depth < max_reactions and not role and not is_done else self._kinds)
            for molecule, depth, role, _, is_done in rows
        )

    def encodings(self, numbers: Iterable[int], kind: str) -> None:
        """What an encoder reads of molecules by number: "fingerprint" or "atoms".

        From the first call on it comes along with each new product.
        """
        self._kinds |= {kind}
        self.facts((number, frozenset({kind})) for number in numbers)

    def ways(self, wanted: Iterable[Searched], known: Memo[Searched, tuple[Way, ...]]) -> None:
        """The ways back from molecules, into a table of them."""
        if not self.is_on:
            return
        new = [one for one in dict.fromkeys(wanted) if one not in known]
        for one, answer in zip(new, self._answers([AboutWays(one) for one in new]), strict=True):
            known.put(one, answer)  # type: ignore[arg-type]

    def _template(self, role: int) -> str:
        return self._molecules.library.templates[self._molecules.roles[role].template].identifier

    def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        if not questions:
            return []
        if self._pool is None:
            setting = setting_of(self._molecules.library, self._molecules.chemistry.rules)
            service: Service[Question, Answer] = Service(
                ready_to_answer, setting, "the chemistry of syntheses", WorkerError
            )
            self._pool = ProcessPool(service, self._workers, CHUNKS_PER_WORKER)
        found: list[Answer] = []
        for question, one in zip(questions, self._pool.ask(questions), strict=True):
            if isinstance(one, Missing):
                raise WorkerError(
                    f"{question} ended a worker process twice, the second time with nothing else in its"
                    " hands. If the system ended it for want of memory, set env.workers lower; else leave"
                    " out what is named here. A run goes on from its last checkpoint"
                )
            found.append(one)
        return found
