from __future__ import annotations

import tomllib
from typing import Any

import pytest

from fluvial.config.algo import AlgoConfig
from fluvial.config.explain import explain, json_schema
from fluvial.config.file import parse_config
from fluvial.config.objectives import ObjectiveConfig
from fluvial.config.resume import resume_difference
from fluvial.config.run_config import RunConfig
from fluvial.config.walk import kind_of, section_models, table_makers
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ConfigError

F = '[env]\nkind = "fragments"\n[algo]\n'
G = '[env]\nkind = "hypergrid"\n'

OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "objective": {
        "tb": {"smoothing": None},
        "vargrad": {},
        "db": {},
        "subtb": {"decay": 0.9},
        "transition_db": {"transitions": 256},
        "mdb": {},
        "fm": {"balanced": False, "leaf_weight": 10.0, "smoothing": None},
        "rtb": {"prior": "runs/prior"},
        "a2c": {"entropy_weight": 0.01},
        "reinforce": {"entropy_weight": 0.0},
        "soft_q": {},
        "munchausen": {"munchausen": 0.15, "floor": -100.0, "target_decay": 0.95},
        "envelope_q": {"n_preferences": 32, "decay": 10_000.0},
    },
    "backward": {
        "uniform": {},
        "learned": {"trunk": "shared"},
        "maxent": {"trunk": "shared", "n_loss": "transition", "weight": 1.0},
        "maxent_exact": {},
        "gsql": {"trunk": "shared", "n_loss": "transition", "weight": 1.0},
        "gsql_exact": {},
        "tlm": {"trunk": "shared", "weight": 1.0},
        "pessimistic": {"trunk": "shared", "weight": 1.0},
        "reinforce": {"trunk": "shared", "weight": 1.0, "reward": "short", "entropy_weight": 0.0},
        "none": {},
    },
    "regression": {"square": {}, "absolute": {}, "huber": {"delta": 1.0}, "log_cosh": {"scale": 1.0}},
    "log_z": {
        "learned": {"first_batch": True, "pull": 0.0},
        "scalar": {"first_batch": True, "pull": 0.0},
        "implicit": {},
    },
}
"""Key of [algo] to its kinds to their options and defaults."""

KINDS = [(key, kind) for key, kinds in OPTIONS.items() for kind in kinds]

NEEDED: dict[str, dict[str, Any]] = {
    "a2c": {"replay": {"fraction": 0.0}, "algo": {"epsilon": {"start": 0.0, "end": 0.0}}},
    "reinforce": {"replay": {"fraction": 0.0}, "algo": {"epsilon": {"start": 0.0, "end": 0.0}}},
    "envelope_q": {
        "condition": {"preference": "dirichlet"},
        "reward": {"term": [{"kind": "qed"}, {"kind": "sa"}]},
    },
    "pessimistic": {"replay": {"paths": "stored"}},
    "none": {"algo": {"objective": "soft_q"}},
}
"""What else a kind asks for."""


def configured(key: str, kind: str, **options: Any) -> RunConfig:
    needed = NEEDED.get(kind, {}) if (key, kind) != ("backward", "reinforce") else {}
    value = {"kind": kind, **({"prior": "runs/prior"} if kind == "rtb" else {}), **options}
    return RunConfig.model_validate(
        {"env": {"kind": "fragments"}, **needed, "algo": {**needed.get("algo", {}), key: value}}
    )


def complaint(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "run.toml", overrides)
    return str(caught.value)


def test_the_kinds_are_those_that_are_listed_here() -> None:
    for key, kinds in OPTIONS.items():
        models = section_models(AlgoConfig.model_fields[key].annotation)
        assert [kind_of(model) for model in models] == list(kinds)


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_each_kind_has_its_options_and_defaults(key: str, kind: str) -> None:
    chosen = getattr(configured(key, kind).algo, key)
    assert chosen.kind == kind
    assert chosen.parameters() == OPTIONS[key][kind]


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_a_name_stands_for_the_table_of_defaults(key: str, kind: str) -> None:
    if kind == "rtb":
        return
    table = configured(key, kind)
    named = table.model_dump(exclude_none=True)
    named["algo"][key] = kind
    assert RunConfig.model_validate(named) == table


@pytest.mark.parametrize(("key", "kind"), KINDS)
def test_each_kind_is_written_and_read_back_equal(key: str, kind: str) -> None:
    config = configured(key, kind)
    text = resolved_toml(config, {})
    assert parse_config(text) == config
    set_options = {name: value for name, value in OPTIONS[key][kind].items() if value is not None}
    expected = {"kind": kind, **set_options} if set_options else kind
    assert tomllib.loads(text)["algo"][key] == expected


def test_the_text_of_a_run_says_what_the_chosen_kind_is() -> None:
    flat = " ".join(resolved_toml(configured("objective", "db"), {}).replace("\n# ", " ").split())
    assert "(name or table) db: Detailed balance: one equation for each transition, with flows." in flat


def test_a_table_without_kind_is_one_of_the_default_kind() -> None:
    algo = parse_config(F + "log_z = {pull = 0.5}\nobjective = {smoothing = -4.0}").algo
    assert (algo.log_z.kind, algo.log_z.parameters()) == ("learned", {"first_batch": True, "pull": 0.5})
    assert (algo.objective.kind, algo.objective.parameters()) == ("tb", {"smoothing": -4.0})


BAD = [
    (
        'objective = "subtbb"',
        "run.toml:4: algo.objective = \"subtbb\": must be one of 'tb', 'vargrad', 'db',",
    ),
    ('objective = "subtbb"', "'envelope_q' - did you mean 'subtb'?"),
    (
        'objective = {kind = "dbb"}',
        "run.toml:4: algo.objective.kind = \"dbb\": must be one of 'tb', 'vargrad'",
    ),
    (
        "objective = 3",
        "run.toml:4: algo.objective = 3: must be a name or a table; its kind must be one of 'tb'",
    ),
    ("objective = {kind = 3}", "run.toml:4: algo.objective.kind = 3: must be one of 'tb'"),
    ("objective = true", "algo.objective = true: must be a name or a table"),
    (
        'objective = "rtb"',
        "algo.objective.prior is missing: Folder of a finished run, whose policy is the prior.",
    ),
    (
        'objective = {kind = "db", decay = 0.5}',
        "run.toml:4: unknown key 'algo.objective.decay' - only kind = 'subtb' or 'envelope_q' has it",
    ),
    ('objective = {kind = "db", smoothing = 1}', "only kind = 'tb' or 'fm' has it"),
    (
        "objective = {decay = 0.5}",
        "unknown key 'algo.objective.decay' - only kind = 'subtb' or 'envelope_q' has it",
    ),
    ('objective = {kind = "subtb", decay = 0}', "algo.objective.decay = 0: must be more than 0"),
    ('objective = {kind = "subtb", decay = 1.5}', "algo.objective.decay = 1.5: must be at most 1"),
    ('objective = {kind = "transition_db", transitions = 0}', "transitions = 0: must be at least 1"),
    ('objective = {kind = "munchausen", munchausen = 1.0}', "munchausen = 1.0: must be less than 1"),
    ('objective = {kind = "munchausen", floor = 0.0}', "floor = 0.0: must be less than 0"),
    (
        'objective = {kind = "munchausen", munchausen = 0.0, floor = -5}',
        "algo.objective.floor = -5.0: must be left out for munchausen = 0, which adds nothing",
    ),
    (
        'objective = {kind = "fm", leaf_weight = 2}',
        "leaf_weight = 2.0: must be left out unless balanced = true",
    ),
    ('objective = {kind = "a2c", entropy_weight = -1}', "entropy_weight = -1: must be at least 0"),
    ("decay = 0.5", "unknown key 'algo.decay' - did you mean 'algo.objective.decay'?"),
    ("regression = {delta = 2}", "unknown key 'algo.regression.delta' - only kind = 'huber' has it"),
    ('regression = {kind = "huber", delta = 0}', "algo.regression.delta = 0: must be more than 0"),
    ('regression = "hubert"', "algo.regression = \"hubert\": must be one of 'square', 'absolute', 'huber'"),
    ('backward = {kind = "tlm", n_loss = "tb"}', "only kind = 'maxent' or 'gsql' has it"),
    (
        'backward = {kind = "maxent", n_loss = "tbb"}',
        "n_loss = \"tbb\": must be one of 'transition', 'subtb'",
    ),
    ('backward = {kind = "tlm", weight = 0}', "algo.backward.weight = 0: must be more than 0"),
    ('backward = {kind = "reinforce", reward = "long"}', "algo.backward.reward = \"long\": must be 'short'"),
    (
        'backward = {kind = "uniform", trunk = "separate"}',
        "unknown key 'algo.backward.trunk' - only kind = 'le",
    ),
    ('log_z = {kind = "implicit", pull = 1}', "only kind = 'learned' or 'scalar' has it"),
    (
        "log_z = {first_batch = false, pull = 1}",
        "algo.log_z.pull = 1.0: must be 0 unless first_batch = true, which says where to",
    ),
    ("log_z = {pull = -1}", "algo.log_z.pull = -1: must be at least 0"),
    # what fits the objective
    (
        'objective = "fm"\nbackward = "learned"',
        "run.toml:5: algo.backward = \"learned\": must be 'uniform' for objective = 'fm', which reads no",
    ),
    (
        'objective = {kind = "rtb", prior = "x"}\nbackward = {kind = "tlm", weight = 2}',
        "run.toml:5: algo.backward = \"tlm\": must be 'uniform' for objective = 'rtb', which reads no",
    ),
    (
        'epsilon = 0.0\nobjective = "a2c"\nbackward = "learned"\n[replay]\nfraction = 0.0',
        "algo.backward = \"learned\": must be 'uniform' or 'none' for objective = 'a2c', which reads no",
    ),
    (
        'backward = "none"',
        "must not be 'none' for objective = 'tb'; 'soft_q' and 'munchausen' can do without one",
    ),
    (
        'objective = "mdb"\nbackward = "gsql_exact"',
        "must not be 'gsql_exact' for objective = 'mdb', for which",
    ),
    (
        'objective = "soft_q"\nforward_looking = true',
        "forward_looking = true: must be false unless objective = 'tb' or 'vargrad' or 'db' or 'subtb'",
    ),
    (
        'objective = "db"\nlog_z = "implicit"',
        "algo.log_z = \"implicit\": must be left out for objective = 'db'; only 'tb' and 'rtb' read it",
    ),
    (
        'epsilon = 0.0\nobjective = "reinforce"\nregression = "huber"\n[replay]\nfraction = 0.0',
        "algo.regression = \"huber\": must be left out for objective = 'reinforce', which does not read it",
    ),
    (
        'epsilon = 0.0\nobjective = "a2c"\nlocal_search = {rounds = 1}\n[replay]\nfraction = 0.0',
        "algo.local_search.rounds = 1: must be 0 for objective = 'a2c', which learns only from what the policy",
    ),
    (
        'epsilon = 0.0\nobjective = "a2c"',
        "replay.fraction = 0.5: must be 0 for algo.objective = 'a2c', which learns only from what the policy",
    ),
    (
        'objective = "munchausen"\nbackward = "learned"',
        "must not be 'learned' for objective = 'munchausen', whose",
    ),
    (
        'objective = "transition_db"\nbackward = "maxent"',
        "must be 'uniform' or 'learned' for objective = 'transition_db', which sees no whole paths",
    ),
    # numbers of trajectories, lag, weights
    ("repeats = 3", "run.toml:4: algo.repeats = 3: must divide batch = 64"),
    ("repeats = 0", "algo.repeats = 0: must be at least 1"),
    (
        "repeats = 64\n[replay]\nfraction = 0.25",
        "algo.repeats = 64: must divide the 21 replayed trajectories that replay.fraction = 0.25 gives",
    ),
    ("lag = 1.0", "algo.lag = 1.0: must be less than 1"),
    ("lag_share = 0.5", "algo.lag_share = 0.5: must be left out or 1 unless lag is more than 0"),
    ("lag = 0.9\nlag_share = 0.0", "algo.lag_share = 0.0: must be more than 0"),
    ("likelihood_weight = -1.0", "algo.likelihood_weight = -1.0: must be at least 0"),
    ("source_weights = {replay = -1.0}", "algo.source_weights.replay = -1.0: must be at least 0"),
    (
        "source_weights = {policy = 0, replay = 0, data = 0, local_search = 0}",
        "algo.source_weights.policy = 0.0: must be more than 0, or another of the source weights",
    ),
    ("local_search = {back = 0}", "algo.local_search.back = 0: must be at least 1"),
    ('local_search = {accept = "never"}', "must be one of 'deterministic', 'metropolis', 'always'"),
    # replay
    (
        '[replay]\npriority = "best"',
        "replay.priority = \"best\": must be one of 'top', 'asked', 'uniform', 'reward'",
    ),
    (
        '[replay]\npriority = "loss"\ntop_fraction = 0.2',
        "replay.top_fraction = 0.2: must be left out for priority = 'loss'; only 'top', 'asked' and 'newest' have it",
    ),
    (
        '[replay]\npriority = "uniform"\ntop_share = 0.2',
        "replay.top_share = 0.2: must be left out for priority = 'uniform'",
    ),
    (
        'backward = "pessimistic"',
        "run.toml: replay.paths = \"redrawn\": must be 'stored' for algo.backward = 'pessimistic', which learns",
    ),
    (
        'backward = "pessimistic"\n[replay]\npaths = "stored"\nfraction = 0.0',
        "run.toml:7: replay.fraction = 0.0: must be more than 0 for algo.backward = 'pessimistic'",
    ),
    # policies
    (
        'backward = "tlm"\n[policy]\nkind = "uniform"',
        "algo.backward = \"tlm\": must be 'uniform', 'maxent_exact', 'gsql_exact' or 'none' for policy.kind",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BAD, ids=range(len(BAD)))
def test_what_does_not_fit_is_explained(text: str, sentence: str) -> None:
    message = complaint(F + text)
    assert sentence in message
    assert message.count("\n") == 0


def test_a_table_has_no_features_to_share() -> None:
    text = G + '[policy]\nkind = "tabular"\n[algo]\nbackward = {kind = "learned", trunk = "separate"}'
    assert "algo.backward.trunk = \"separate\": must be left out for policy.kind = 'tabular'" in complaint(
        text
    )


def test_vargrad_takes_varying_conditions_that_are_repeated() -> None:
    beta = '[condition]\nbeta = {distribution = "uniform", a = 1, b = 2}'
    message = complaint(F + 'objective = "vargrad"\n' + beta)
    assert (
        "must not be 'vargrad' unless [condition] is the same for all or algo.repeats at least 2" in message
    )
    config = parse_config(F + 'objective = "vargrad"\nrepeats = 2\n' + beta)
    assert (config.algo.repeats, config.n_replayed) == (2, 64)
    assert parse_config(F + 'objective = "vargrad"').algo.repeats == 1


@pytest.mark.parametrize(("fraction", "n"), [(0.5, 64), (0.0, 0), (0.2, 16), (0.8, 256)])
def test_replay_has_its_share_of_all_trajectories(fraction: float, n: int) -> None:
    assert parse_config(F, overrides=[f"replay.fraction={fraction}"]).n_replayed == n


def test_backward_policies_say_what_is_learned() -> None:
    learns = {kind for kind in OPTIONS["backward"] if configured("backward", kind).algo.backward.learns}
    assert learns == {"learned", "maxent", "gsql", "tlm", "pessimistic", "reinforce"}
    counts = {kind for kind in OPTIONS["backward"] if configured("backward", kind).algo.backward.counts}
    assert counts == {"maxent", "gsql"}


GOOD_OVERRIDES = [
    ("", "algo.objective=db", {"kind": "db"}),
    ('objective = "subtb"', "algo.objective.decay=0.8", {"kind": "subtb", "decay": 0.8}),
    ('objective = {kind = "subtb"}', "algo.objective.decay=1.0", {"kind": "subtb", "decay": 1.0}),
    ('objective = {kind = "subtb", decay = 0.5}', "algo.objective=vargrad", {"kind": "vargrad"}),
    ("", "algo.objective.kind=subtb", {"kind": "subtb", "decay": 0.9}),
    ('objective = "tb"', "algo.objective.kind=db", {"kind": "db"}),
    ("", "algo.objective.smoothing=-3", {"kind": "tb", "smoothing": -3.0}),
    ("", 'algo.objective={kind = "rtb", prior = "../a"}', {"kind": "rtb", "prior": "../a"}),
]


@pytest.mark.parametrize(("text", "override", "chosen"), GOOD_OVERRIDES)
def test_options_are_set_on_the_command_line(text: str, override: str, chosen: dict[str, Any]) -> None:
    config = parse_config(F + text, overrides=[override])
    assert config.algo.objective.model_dump() == chosen


def test_options_are_set_in_what_a_plain_value_stands_for() -> None:
    text = F + "epsilon = 0.5\n[condition]\nbeta = 8"
    config = parse_config(text, overrides=["algo.epsilon.end=0.25", "condition.beta.a=4"])
    assert (config.algo.epsilon.start, config.algo.epsilon.end) == (0.5, 0.25)
    assert config.condition.beta.numbers == (4.0,)


@pytest.mark.parametrize(
    ("text", "override", "sentence"),
    [
        (
            'objective = "tb"',
            "algo.objective.decay=0.5",
            "unknown key 'algo.objective.decay' - only kind = 'sub",
        ),
        (
            'objective = "tbb"',
            "algo.objective.decay=0.5",
            "'algo.objective' is \"tbb\", which has no keys inside",
        ),
        ("epsilon = 7", "algo.epsilon.end=0.5", "'algo.epsilon' is 7, which has no keys inside"),
        ("", "algo.objective=tbb", "algo.objective = \"tbb\": must be one of 'tb'"),
        ('objective = "subtb"', "algo.objective.decay=7", "algo.objective.decay = 7: must be at most 1"),
    ],
)
def test_options_that_cannot_be_set_are_explained(text: str, override: str, sentence: str) -> None:
    message = complaint(F + text, override)
    assert f"override '{override}': {sentence}" in message


def test_the_keys_that_take_plain_values() -> None:
    assert set(table_makers()) == {
        "algo.objective",
        "algo.backward",
        "algo.regression",
        "algo.log_z",
        "algo.epsilon",
        "condition.beta",
        "condition.preference",
        "condition.focus",
        "reward.diversity",
    }


def test_a_changed_option_ends_a_run() -> None:
    old = parse_config(F + 'objective = "subtb"')
    assert resume_difference(old, parse_config(F + "objective = {kind = 'subtb', decay = 0.9}")) == []
    assert resume_difference(old, parse_config(F + "objective = {kind = 'subtb', decay = 0.5}")) == [
        "algo.objective.decay is 0.5, but the run was started with 0.9"
    ]
    assert resume_difference(old, parse_config(F)) == [
        'algo.objective.kind is "tb", but the run was started with "subtb"',
        "algo.objective.decay is nothing, but the run was started with 0.9",
    ]


def test_kinds_are_explained_with_their_sources() -> None:
    text = explain("algo.objective")
    assert text.startswith('algo.objective   name or table; default "tb"\n')
    assert '\nkind = "db": Detailed balance: one equation for each transition, with flows. Bengio' in text
    assert "arXiv:2111.09266" in text
    assert "\n  decay = 0.9  " in text
    assert max(map(len, text.split("\n\n")[1].splitlines())) <= 130
    assert "  munchausen  " in explain("algo.objective.kind")
    assert "in kind  maxent, gsql\n" in explain("algo.backward.n_loss")
    assert '  log_z = "learned" ' in explain("algo")


def test_the_schema_takes_a_name_or_a_table() -> None:
    name, table = json_schema()["$defs"]["AlgoConfig"]["properties"]["objective"]["anyOf"]
    assert name["enum"] == list(OPTIONS["objective"])
    assert set(table["discriminator"]["mapping"]) == set(OPTIONS["objective"])
    assert len(section_models(ObjectiveConfig)) == len(table["oneOf"])
