"""Filters, terms and further properties of a batch of molecules; what runs inside a worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

from rdkit.Chem import Mol

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.properties import PROPERTIES
from fluvial.core.errors import DataError
from fluvial.core.reward_batch import Outcome
from fluvial.rewards.calls import Failure, Row, describe
from fluvial.rewards.filters import Filter
from fluvial.rewards.terms import Term


@dataclass(frozen=True)
class Scorer:
    """What to find out about each molecule."""

    terms: tuple[Term, ...]
    filters: tuple[Filter, ...] = ()
    properties: tuple[str, ...] = ()
    """Names out of `PROPERTIES` that are reported without being part of the reward."""
    reads_molecules: bool = True
    """Whether texts are SMILES; else they go to the terms as they are, which must be users' functions."""


@dataclass(frozen=True)
class Scored:
    """What was found out about one molecule."""

    outcome: Outcome
    info: str = ""
    """Why it is not VALUE."""
    values: tuple[float, ...] = ()
    """[K] transformed terms, nan where missing; empty if no term saw the molecule."""
    raw: dict[str, float] = field(default_factory=dict)
    """Terms before their transforms, further outputs of functions, further properties; only what is known."""


def prepare(scorer: Scorer) -> None:
    """Load all that the terms need.

    Raises:
        RewardError: a user's file cannot be loaded.
    """
    for term in scorer.terms:
        term.raw((), ())


def score_objects(scorer: Scorer, texts: Sequence[str]) -> list[Scored]:
    """One record for each of `texts`."""
    if scorer.reads_molecules:
        return _score_molecules(scorer, texts)
    columns = _columns(scorer, texts, ()) if texts else []
    rows = zip(*columns, strict=True) if columns else ((),) * len(texts)
    return [with_terms(scorer.terms, row, {}) for row in rows]


def _score_molecules(scorer: Scorer, texts: Sequence[str]) -> list[Scored]:
    """Molecules that are invalid or filtered never reach the terms."""
    scored: list[Scored] = []
    accepted: dict[int, Mol] = {}
    for index, text in enumerate(texts):
        try:
            mol = parse_smiles(text)
        except DataError as error:
            scored.append(Scored(Outcome.INVALID, str(error)))
            continue
        scored.append(_filtered(scorer, mol))
        if scored[-1].outcome == Outcome.VALUE:
            accepted[index] = mol
    for check in scorer.filters:
        if check.batch is not None and accepted:
            _filter_together(check, scored, accepted)
    if accepted:
        mols = list(accepted.values())
        columns = _columns(scorer, [canonical_smiles(mol) for mol in mols], mols)
        for index, *rows in zip(accepted, *columns, strict=True):
            scored[index] = with_terms(scorer.terms, rows, scored[index].raw)
    return scored


def _filtered(scorer: Scorer, mol: Mol) -> Scored:
    """Outcome VALUE means that no filter objects."""
    raw = {name: _property(name, mol) for name in scorer.properties}
    for check in (one for one in scorer.filters if one.batch is None):
        try:
            reason = check.check(mol)
        except Exception as error:
            return Scored(Outcome.FAILED, f"filter '{check.name}': {describe(error)}", raw=raw)
        if reason is not None:
            return Scored(Outcome.FILTERED, reason, raw=raw)
    return Scored(Outcome.VALUE, raw=raw)


def _filter_together(check: Filter, scored: list[Scored], accepted: dict[int, Mol]) -> None:
    """Give what a filter rejects its outcome, and take it out of `accepted`."""
    assert check.batch is not None
    try:
        reasons = check.batch(list(accepted.values()))
    except Exception as error:
        reason = f"filter '{check.name}': {describe(error)}"
        for index in list(accepted):
            scored[index] = Scored(Outcome.FAILED_FOR_NOW, reason, raw=scored[index].raw)
        accepted.clear()
        return
    for index, found in zip(list(accepted), reasons, strict=True):
        if found is not None:
            scored[index] = Scored(Outcome.FILTERED, found, raw=scored[index].raw)
            del accepted[index]


def _property(name: str, mol: Mol) -> float:
    try:
        return PROPERTIES[name].function(mol)
    except Exception:
        return nan


def _columns(scorer: Scorer, texts: Sequence[str], mols: Sequence[Mol]) -> list[list[Row]]:
    """[K, B]; terms of one source are measured once."""
    answers: dict[str, list[Row]] = {}
    for term in scorer.terms:
        if term.source not in answers:
            answers[term.source] = term.raw(texts, mols)
    return [answers[term.source] for term in scorer.terms]


def with_terms(terms: Sequence[Term], rows: Sequence[Row], properties: dict[str, float]) -> Scored:
    """What terms make of the rows that they measured of one object, [K]."""
    raw: dict[str, float] = {}
    values: list[float] = []
    failures: list[tuple[str, Failure]] = []
    for term, row in zip(terms, rows, strict=True):
        measured = term.raw_value(row)
        value = term.value(measured)
        raw[term.name] = nan if isinstance(measured, Failure) else measured
        values.append(nan if isinstance(value, Failure) else value)
        if isinstance(value, Failure):
            failures.append((term.name, value))
    for row in rows:
        for name, further in row.items() if isinstance(row, Mapping) else ():
            raw.setdefault(name, nan if isinstance(further, Failure) else further)
    raw |= properties
    if not failures:
        return Scored(Outcome.VALUE, "", tuple(values), raw)
    may_pass = all(failure.may_pass for _, failure in failures)
    info = "; ".join(f"term '{name}': {failure.reason}" for name, failure in failures)
    return Scored(Outcome.FAILED_FOR_NOW if may_pass else Outcome.FAILED, info, tuple(values), raw)
