"""Everything that is measured of a trained run, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fluvial.algorithms.registry import PROPORTIONAL
from fluvial.chem.fingerprints import readable
from fluvial.chem.molecules import canonical_smiles
from fluvial.config.run_config import RunConfig
from fluvial.core.enumeration import enumerate_within
from fluvial.core.types import Condition
from fluvial.data.columns import Columns
from fluvial.data.objects import encoded
from fluvial.data.tables import read_rows
from fluvial.policy.model import Model
from fluvial.queue.records import Candidate
from fluvial.rewards.conditions import Conditions
from fluvial.train.asking import NO_WISH, Wish, asked_of
from fluvial.train.conditions import build_conditions
from fluvial.train.evaluation import (
    Subject,
    bound_findings,
    drawn,
    exact_findings,
    likelihood_findings,
    various_states,
    weights_of,
)
from fluvial.train.findings import call_findings, sample_findings
from fluvial.train.gather import Ledger
from fluvial.train.launch import TrainedRun
from fluvial.train.plan import EvaluationPlan
from fluvial.train.trade_offs import condition_findings, under_each
from fluvial.train.validation import settled

FORMAT = 1
"""Version of what `assess` gives."""
PARTS = ("samples", "objects", "subsets", "conditions")
"""What draws random numbers; each part has its own, so that leaving one out changes no other."""


@dataclass(frozen=True)
class Given:
    """Files of a user."""

    objects: Path | None = None
    """Objects whose log probability is estimated, instead of drawn ones."""
    reference: Path | None = None
    """Known objects, against which drawn ones are new or not."""


NOTHING_GIVEN = Given()


@torch.no_grad()
def assess(
    source: TrainedRun, plan: EvaluationPlan, wish: Wish = NO_WISH, given: Given = NOTHING_GIVEN
) -> dict[str, Any]:
    """What the run in `source` amounts to; nothing of it is changed.

    Args:
        source: the run at its newest checkpoint.
        plan: how much of what.
        wish: sharpness, preference and focus to ask for; the middle of what was learned by default.
        given: files to compare with.

    Raises:
        ConfigError: the run cannot be asked so, or has no property to judge by.
        DataError: a file cannot be read.
    """
    run, problem = source.run, settled(source.run.problem)
    is_molecular = run.config.is_molecular
    conditions = build_conditions(run.config)
    condition, warnings = one_condition(source, conditions, wish)
    model: Model = run.learner.average.eval()
    subject = Subject(problem, model, condition.to(problem.device), Ledger(problem.score))
    generators = {
        part: torch.Generator(problem.device).manual_seed(plan.seed + number * 2**32)
        for number, part in enumerate(PARTS)
    }
    candidates = run.store.candidates()
    found: dict[str, Any] = {
        "format": FORMAT,
        "run": str(run.directory.path),
        "step": source.step,
        "asked": {"beta": float(condition.beta[0]), "weights": condition.weights[0].tolist()}
        | {"focus": condition.focus[0].tolist()},
        "by": plan.by,
        "seed": plan.seed,
        "warnings": [*warnings, *other_aims(run.config)],
    }
    graph = enumerate_within(problem.env, plan.exact_states) if plan.exact_states else None
    if graph is not None:
        found["exact"] = exact_findings(subject, graph, plan.n_samples)
    if plan.n_samples:
        made = list(drawn(subject, plan.n_samples, generators["samples"]))
        found["bounds"] = bound_findings(weights_of(subject, made))
        objects = [item for part in made for item in part.objects]
        reference = None if given.reference is None else texts_in(given.reference, is_molecular)
        seen = {item.text for item in candidates}
        found["samples"] = sample_findings(objects, seen, reference, plan, is_molecular)
    if (plan.n_objects or given.objects is not None) and run.config.goes_back:
        found["likelihood"] = _likelihood(subject, plan, given.objects, candidates, generators, is_molecular)
    if plan.n_conditions and plan.n_repeats and conditions.encoding_width:
        several = conditions.sample(plan.n_conditions, generators["conditions"])
        each = under_each(problem, model.policy, several, plan.n_repeats, generators["conditions"])
        found["conditions"] = condition_findings(each, is_molecular)
    found["search"] = call_findings(candidates, plan, is_molecular)
    found["reward_calls"] = len(set(subject.ledger.known).difference(item.text for item in candidates))
    return found


def other_aims(config: RunConfig) -> list[str]:
    """Warnings, where a run was not to end at R / Z, whose distances say little then, or cannot go back."""
    kind, found = config.algo.objective.kind, []
    if kind not in PROPORTIONAL:
        found.append(f"algo.objective = '{kind}' does not aim at R / Z, with which all is compared here")
    if config.reward is not None and config.reward.diversity is not None:
        found.append("reward.diversity changed what was learned; compared is the reward without it")
    if not getattr(config.env, "correct_symmetry", True):
        found.append("env.correct_symmetry is off, so symmetric objects are not drawn in proportion to R")
    if not config.goes_back:
        found.append("env.parents = 'recorded' cannot go back from objects, so their log p is not estimated")
    return found


def one_condition(source: TrainedRun, conditions: Conditions, wish: Wish) -> tuple[Condition, list[str]]:
    """The condition to evaluate at, one row, and warnings: what is asked for, and the middle of the rest."""
    asked, warnings = asked_of(source.config, conditions, wish)
    return conditions.middle(asked), warnings


def texts_in(path: Path, is_molecular: bool) -> list[str]:
    """The different objects in a file, molecules in canonical form; what is no molecule is left out."""
    rows = read_rows(path, Columns("smiles" if is_molecular else "object"))
    texts = list(dict.fromkeys(row.text for row in rows if row.text))
    if not is_molecular:
        return texts
    return list(dict.fromkeys(canonical_smiles(mol) for mol in readable(texts) if mol is not None))


def _likelihood(
    subject: Subject,
    plan: EvaluationPlan,
    path: Path | None,
    candidates: Sequence[Candidate],
    generators: dict[str, torch.Generator],
    is_molecular: bool,
) -> dict[str, Any]:
    env = subject.problem.env
    if path is None:
        states, texts = various_states(subject, plan.n_objects, generators["objects"])
        report: list[str] = []
    else:
        given = texts_in(path, is_molecular)
        result = encoded(env, given)
        states = result.states.to(subject.problem.device)
        texts, report = [given[row] for row in result.rows.tolist()], result.report.lines()
    found = likelihood_findings(subject, states, plan, generators["subsets"])
    seen = {item.text for item in candidates}
    return {
        **found,
        "unseen": sum(text not in seen for text in texts) / len(texts) if texts else None,
        "report": report,
    }
