"""Whether the sections of a configuration fit its environment and each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fluvial.config.chemistry import property_texts
from fluvial.config.condition import unfit_for_terms
from fluvial.config.kinds import MAX_TABULAR_CELLS, OWN_REWARD, POLICIES, RECORDED, TEXTS
from fluvial.config.objectives import ONLY_ITS_OWN, POLICY_GRADIENTS, WITH_LOG_Z
from fluvial.config.reward import RewardConfig
from fluvial.config.section import Problem
from fluvial.config.synthesis import SynthesisConfig
from fluvial.config.words import SequencesConfig

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig


def disagreements(config: RunConfig) -> Iterator[Problem]:
    """What does not fit: the sections must fit the environment and each other."""
    yield from _unfit_conditions(config)
    yield from _unfit_replay(config)
    yield from _unfit_data(config)
    yield from _unfit_policy(config)
    yield from _unfit_queue(config)
    yield from _unfit_screen(config)
    if config.env.kind in OWN_REWARD and config.reward is not None:
        yield "reward", f"must be left out for env.kind = '{config.env.kind}', which has its own reward"
    if isinstance(config.env, SequencesConfig):
        yield from _unfit_words(config, config.env)
    if config.env.kind == "set" and config.reward is None:
        yield "reward", "must be given for env.kind = 'set', with a term of kind = 'function'"
    if config.reward is not None and config.env.kind in TEXTS:
        yield from _unfit_for_texts(config.reward, TEXTS[config.env.kind])
    if isinstance(config.env, SynthesisConfig):
        yield from _unfit_syntheses(config, config.env)


def _unfit_syntheses(config: RunConfig, env: SynthesisConfig) -> Iterator[Problem]:
    backward, way_back = config.algo.backward.kind, "for env.parents = 'recorded', which cannot go back"
    if env.parents == "recorded":
        if backward not in RECORDED:
            yield "algo.backward", f"must be {' or '.join(map(repr, RECORDED))} {way_back}"
        if config.replay.fraction > 0 and config.replay.paths != "stored":
            yield "replay.paths", f"must be 'stored' {way_back}"
        if config.algo.local_search.rounds:
            yield "algo.local_search.rounds", f"must be 0 {way_back}"
        if config.evaluate.every and config.evaluate.objects:
            yield "evaluate.objects", f"must be 0 {way_back}"


def _unfit_words(config: RunConfig, env: SequencesConfig) -> Iterator[Problem]:
    if env.order == "append" and config.algo.backward.learns:
        sentence = "for env.order = 'append', where each word has one way back and nothing can be learned"
        yield "algo.backward", f"must be 'uniform' {sentence}"
    if (config.reward is not None) != (env.reward == "terms"):
        yield "reward", "must be given for env.reward = 'terms', and left out otherwise"


def _unfit_conditions(config: RunConfig) -> Iterator[Problem]:
    repeats, is_constant = config.algo.repeats, not config.condition.varies
    objective = config.algo.objective.kind
    if objective in ("vargrad", "reinforce") and repeats == 1 and not is_constant:
        sentence = "unless [condition] is the same for all or algo.repeats at least 2"
        yield (
            "algo.objective",
            f"must not be '{objective}' {sentence}; it compares trajectories of one condition",
        )
    if config.algo.log_z.kind == "scalar" and not is_constant:
        yield "algo.log_z", "must not be 'scalar' unless [condition] is the same for all; Z depends on it"
    if config.condition.log_z is not None:
        if objective not in WITH_LOG_Z:
            sentence = f"for algo.objective = '{objective}', which reads none"
            yield "condition.log_z", f"must be left out {sentence}"
        if config.algo.log_z != type(config.algo).model_fields["log_z"].default:
            yield "algo.log_z", "must be left out beside condition.log_z, which takes its place"
    yield from _unfit_terms(config)
    if config.n_replayed % repeats:
        sentence = f"must divide the {config.n_replayed} replayed trajectories"
        yield "algo.repeats", f"{sentence} that replay.fraction = {config.replay.fraction:g} gives"


def _unfit_terms(config: RunConfig) -> Iterator[Problem]:
    terms = None if config.reward is None else config.reward.term
    yield from unfit_for_terms(config.condition, terms)
    named = [term.name for term in terms or ()]
    known = [*named, *(property_texts() if config.is_molecular else ())]
    for index, target in enumerate(config.condition.target if terms else ()):
        if target.property not in known:
            sentence = f"must be one of {', '.join(known)}"
            yield f"condition.target.{index}.property", sentence


def _unfit_replay(config: RunConfig) -> Iterator[Problem]:
    replay, objective = config.replay, config.algo.objective.kind
    if replay.fraction > 0 and config.n_replayed == 0:
        sentence = f"must be 0, or large enough to replay one trajectory beside {config.algo.batch}"
        yield "replay.fraction", sentence
    if replay.fraction > 0 and objective in POLICY_GRADIENTS:
        yield "replay.fraction", f"must be 0 for algo.objective = '{objective}', {ONLY_ITS_OWN}"
    condition = config.condition
    if replay.hindsight > 0 and condition.focus is None and not condition.target:
        yield "replay.hindsight", "must be 0 unless there is a condition.focus or target to miss"
    if replay.hindsight > 0 and config.algo.repeats > 1:
        yield "replay.hindsight", "must be 0 unless algo.repeats = 1, whose groups it would split"
    if config.reward is not None and config.reward.diversity is not None:
        if not config.is_molecular:
            yield (
                "reward.diversity",
                f"must be left out for env.kind = '{config.env.kind}'; it needs molecules",
            )
        if config.algo.forward_looking:
            yield "reward.diversity", "must be left out beside algo.forward_looking"
    if config.algo.backward.kind == "pessimistic":
        sentence = "for algo.backward = 'pessimistic', which learns from stored paths"
        if replay.paths != "stored":
            yield "replay.paths", f"must be 'stored' {sentence}"
        if replay.fraction == 0:
            yield "replay.fraction", f"must be more than 0 {sentence}"


def _unfit_data(config: RunConfig) -> Iterator[Problem]:
    if config.data is None:
        return
    objective = config.algo.objective.kind
    if objective in POLICY_GRADIENTS:
        yield "data", f"must be left out for algo.objective = '{objective}', {ONLY_ITS_OWN}"
    if config.data.reward is not None and (config.condition.weighs_terms or config.condition.target):
        sentence = "which weigh each term; the objects are scored on the way"
        yield "data.reward", f"must be left out beside condition.preference, focus or target, {sentence}"
    if config.data.per_step % config.algo.repeats:
        yield "data.per_step", f"must be a multiple of algo.repeats = {config.algo.repeats}"


def _unfit_screen(config: RunConfig) -> Iterator[Problem]:
    if config.screen.share < 1 and not config.is_molecular:
        yield (
            "screen.share",
            "must be 1 unless objects are molecules, whose fingerprints a surrogate reads",
        )


def _unfit_queue(config: RunConfig) -> Iterator[Problem]:
    queue, algo = config.queue, config.algo
    if not config.queued_terms:
        for name, field in type(queue).model_fields.items():
            if getattr(queue, name) != field.default:
                sentence = "must be left out unless a reward.term has queued = true"
                yield f"queue.{name}", sentence
        return
    if queue.when_full == "train_on" and config.n_replayed == 0:
        yield "queue.when_full", "must be 'wait' for replay.fraction = 0, which leaves nothing to learn"
    if queue.when_full == "train_on" and queue.most_waiting < algo.batch:
        sentence = f"must be at least algo.batch = {algo.batch} for when_full = 'train_on'"
        yield "queue.most_waiting", sentence
    at_once = {
        "algo.local_search": algo.local_search.rounds > 0,
        "algo.forward_looking": algo.forward_looking,
        f"algo.objective = '{algo.objective.kind}'": algo.objective.kind in POLICY_GRADIENTS,
    }
    for name in [name for name, is_used in at_once.items() if is_used and queue.most_waiting > 0]:
        yield "queue.most_waiting", f"must be 0 beside {name}, which needs each reward in its own step"


def _unfit_policy(config: RunConfig) -> Iterator[Problem]:
    allowed, backward = POLICIES[config.env.kind], config.algo.backward
    if getattr(backward, "reward", None) == "cheap" and config.env.kind != "synthesis":
        yield (
            "algo.backward.reward",
            f"must not be 'cheap' for env.kind = '{config.env.kind}', without prices",
        )
    if config.policy.kind == "uniform" and backward.learns:
        fixed = "'uniform', 'maxent_exact', 'gsql_exact' or 'none'"
        sentence = f"must be {fixed} for policy.kind = 'uniform', which has nothing to learn"
        yield "algo.backward", sentence
    if config.algo.objective.kind == "envelope_q":
        if not config.condition.preference_varies:
            sentence = "must be drawn or seeded for algo.objective = 'envelope_q', which tries many"
            yield "condition.preference", sentence
        if config.policy.kind == "tabular":
            yield (
                "policy.kind",
                "must not be 'tabular' for algo.objective = 'envelope_q', a network a term",
            )
    if config.policy.kind == "uniform" and config.algo.objective.kind != "tb":
        yield "algo.objective", "must be 'tb' for policy.kind = 'uniform', of which only log Z learns"
    if config.policy.kind not in allowed:
        names = " or ".join(f"'{kind}'" for kind in allowed)
        yield "policy.kind", f"must be {names} for env.kind = '{config.env.kind}'"
    if config.policy.kind == "tabular":
        yield from _unfit_for_table(config)
    if config.env.kind != "synthesis" and getattr(config.policy, "blocks", None):
        yield "policy.blocks", f"must be left out for env.kind = '{config.env.kind}', which has none"


def _unfit_for_table(config: RunConfig) -> Iterator[Problem]:
    if getattr(config.algo.backward, "trunk", "shared") == "separate":
        sentence = "must be left out for policy.kind = 'tabular', which has no features to share"
        yield "algo.backward.trunk", sentence
    if config.env.kind == "hypergrid" and config.env.n_points > MAX_TABULAR_CELLS:
        sentence = f"must be 'mlp' for {config.env.n_points} cells; a table holds {MAX_TABULAR_CELLS}"
        yield "policy.kind", sentence
    if config.condition.varies:
        yield "policy.kind", "must be 'mlp' unless [condition] is the same for all; a table cannot see it"


def _unfit_for_texts(reward: RewardConfig, texts: str) -> Iterator[Problem]:
    if any(term.kind not in ("function", "oracle") for term in reward.term):
        kinds = "kind = 'function' or 'oracle'"
        yield "reward.term", f"must all be of {kinds} for {texts}; the others need molecules"
    if reward.filter:
        yield "reward.filter", f"must be left out for {texts}; filters need molecules"
