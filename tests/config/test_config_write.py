from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluvial.config.algo import AlgoConfig
from fluvial.config.file import parse_config
from fluvial.config.learning import ReplayConfig
from fluvial.config.run_config import LogConfig, RunConfig, StopConfig
from fluvial.config.walk import entries
from fluvial.config.write import resolved_toml, toml_value
from fluvial.core.errors import ConfigError

FULL = {
    "name": "all-of-it",
    "seed": 2**63 - 1,
    "env": {"kind": "fragments", "vocabulary": 'odd "name"\\\t\x7f é.csv', "min_fragments": 2},
    "condition": {"beta": {"distribution": "gamma", "a": 2.5, "b": 1e-7}},
    "optimizer": {"kind": "sgd", "momentum": 0.9},
    "reward": {
        "workers": 2,
        "timeout_seconds": 1e22,
        "term": [
            {"kind": "QED", "weight": 2},
            {"kind": "function", "name": "a\nb", "function": "dir/r.py:score", "output": "x"},
            {"kind": "similarity", "to": ["CCO", "c1ccccc1"]},
            {"kind": "substructure", "smarts": "[#6]", "transform": {"kind": "clip", "low": 0, "high": 3}},
            {
                "kind": "logp",
                "transform": {"kind": "value_mapping", "mapping": {"1.5": 1, "2": 0.5}},
            },
        ],
        "filter": [
            {"kind": "alerts"},
            {"kind": "range", "property": "mw", "high": 500},
            {"kind": "smarts", "smarts": "[N+]"},
        ],
    },
    "stop": {"minutes": 0.1},
}


WRITTEN_WHOLE = (AlgoConfig, ReplayConfig, StopConfig, LogConfig)


def test_a_full_configuration_reads_back_equal() -> None:
    config = RunConfig.model_validate(FULL)
    assert parse_config(resolved_toml(config, {})) == config


def test_each_key_that_is_set_is_written_and_the_others_are_not() -> None:
    config = RunConfig.model_validate({"env": {"kind": "hypergrid"}})
    written = tomllib.loads(resolved_toml(config, {}))
    assert written == {
        **{"format": 1, "name": "design", "seed": 0, "device": "auto", "out": "runs/{name}", "threads": 0},
        "env": {"kind": "hypergrid", "dimension": 2, "side": 8, "r0": 0.1, "r1": 0.5, "r2": 2.0},
        "policy": {"kind": "mlp", "width": 256, "layers": 2},
        "algo": {
            **{"objective": "tb", "backward": "uniform", "regression": "square"},
            **{"forward_looking": False, "length_normalise": False, "likelihood_weight": 0.0},
            **{"batch": 64, "repeats": 1, "temperature": 1.0, "lag": 0.0, "lag_share": 1.0},
            "log_z": {"kind": "learned", "first_batch": True, "pull": 0.0},
            "source_weights": {"policy": 1.0, "replay": 1.0, "data": 1.0, "local_search": 1.0},
            "epsilon": {"start": 0.05, "end": 0.01},
            "local_search": {"rounds": 0, "back": 4, "accept": "deterministic"},
        },
        "optimizer": {
            **{"kind": "adam", "lr": 1e-3, "log_z_lr": 0.1, "clip_norm": 10.0, "schedule": "cosine"},
            **{"warmup_steps": 0, "final_lr_fraction": 0.1, "weight_decay": 0.0, "betas": [0.9, 0.999]},
            **{"momentum": 0.0, "ema_decay": 0.999},
        },
        "replay": {
            **{
                "where": "memory",
                "capacity": 10000,
                "fraction": 0.5,
                "priority": "top",
                "top_fraction": 0.1,
                "top_share": 0.5,
            },
            **{"paths": "redrawn", "start": 320, "keep": "newest", "hindsight": 0.0},
        },
        "condition": {
            "beta": {"distribution": "constant", "a": 1.0, "bins": 32, "ends": 0.05},
            "target": [],
        },
        "screen": {
            **{"share": 1.0, "start": 300, "growth": 1.5, "optimism": 1.0, "explore": 0.05, "trees": 100},
        },
        "stop": {"steps": 1000},
        "log": {"every": 10, "checkpoint_every": 100, "keep": 3, "tensorboard": False, "wandb": False},
        "evaluate": {
            **{"every": 0, "conditions": 1, "repeats": 128, "objects": 0, "paths": 16, "exact_states": 20_000}
        },
    }


def test_the_text_says_what_each_key_means() -> None:
    text = resolved_toml(RunConfig.model_validate(FULL), {})
    flat = " ".join(text.replace("\n# ", " ").split())
    described = [field.description for _, model, field in entries(RunConfig) if model in WRITTEN_WHOLE]
    assert len(described) == 32
    assert all(str(description) in flat for description in described)
    assert "# On-policy trajectories a step." in text
    assert "(whole number, at least 1, at most 65536)" in flat
    assert text.index("[env]") < text.index("[policy]") < text.index("[[reward.term]]") < text.index("[log]")
    assert max(map(len, text.splitlines())) <= 120


def test_facts_are_comments_whatever_they_hold() -> None:
    config = RunConfig.model_validate({"env": {"kind": "fragments"}})
    text = resolved_toml(config, {"fluvial": "0.1.0", "host": "a\nseed = 7\x7f\x00", "n\nseed": 3})
    assert "# fluvial: 0.1.0\n" in text
    assert parse_config(text) == config


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        (1e-5, "1e-05"),
        (1e22, "1e+22"),
        ('a"b\\c\n\x7f', r'"a\"b\\c\n\u007f"'),
        ((1.5, 2.0), "[1.5, 2.0]"),
        ({"a b": 1, "c": "d"}, '{"a b" = 1, c = "d"}'),
        ([], "[]"),
    ],
)
def test_values_as_toml(value: object, text: str) -> None:
    assert toml_value(value) == text
    parsed = tomllib.loads(f"value = {text}")["value"]
    assert parsed == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), "\ud800", {"\ud800": 1}])
def test_what_toml_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="cannot be written to a configuration"):
        toml_value(value)


NUMBERS = st.floats(1e-300, 1e300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    str.strip
)


@settings(max_examples=50, deadline=None)
@given(
    term=st.fixed_dictionaries({"kind": st.just("qed"), "name": TEXTS, "weight": st.floats(1e-9, 1e3)}),
    low=st.floats(-1e300, 1e300),
    gap=st.floats(1e290, 1e300),
    mapping=st.dictionaries(st.floats(allow_nan=False, allow_infinity=False).map(repr), NUMBERS, min_size=1),
    vocabulary=TEXTS,
    beta=NUMBERS,
)
def test_any_numbers_and_texts_read_back_equal(
    term: dict[str, object], low: float, gap: float, mapping: dict[str, float], vocabulary: str, beta: float
) -> None:
    step = {"kind": "step", "low": low, "high": low + 2 * gap}
    other = {"kind": "sa", "name": f"{term['name']}2"}
    config = RunConfig.model_validate(
        {
            "env": {"kind": "fragments", "vocabulary": vocabulary},
            "condition": {"beta": beta},
            "reward": {
                "term": [
                    {**term, "transform": step},
                    {**other, "transform": {"kind": "value_mapping", "mapping": mapping}},
                ]
            },
        }
    )
    assert parse_config(resolved_toml(config, {"vocabulary": vocabulary})) == config
