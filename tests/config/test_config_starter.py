from __future__ import annotations

import re

import pytest

from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.config.starter import starter_toml
from fluvial.core.errors import ConfigError

TERMS = ["qed", "function", "similarity", "substructure"]


@pytest.mark.parametrize("env_kind", ["fragments", "hypergrid", "graph"])
def test_the_starting_file_is_the_default_configuration(env_kind: str) -> None:
    assert parse_config(starter_toml(env_kind)) == RunConfig.model_validate({"env": {"kind": env_kind}})


def test_the_reward_terms_are_written_with_examples() -> None:
    config = parse_config(starter_toml("fragments", TERMS))
    assert config.reward is not None
    assert [term.kind for term in config.reward.term] == TERMS
    assert config.reward.term[1].parameters()["function"] == "reward.py:score"


@pytest.mark.parametrize("env_kind", ["fragments", "hypergrid", "graph"])
def test_each_commented_key_can_be_switched_on(env_kind: str) -> None:
    terms = TERMS if env_kind == "fragments" else []
    text = starter_toml(env_kind, terms)
    switched_on = re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE).replace("workers = 0", "workers = 1")
    config = parse_config(switched_on)
    assert config.stop.minutes == 60.0
    if config.reward is not None:
        assert config.reward.timeout_seconds == 60.0
        assert [entry.kind for entry in config.reward.filter] == ["alerts"]
        assert all(term.transform is not None for term in config.reward.term)


def test_only_the_keys_to_change_first_are_switched_on() -> None:
    active = re.findall(r"^([a-z_]+) = ", starter_toml("hypergrid"), flags=re.MULTILINE)
    assert active == ["format", "name", "kind", "dimension", "side", "batch", "beta", "steps"]


def test_choices_are_shown() -> None:
    text = starter_toml("fragments")
    assert re.search(r'#backward = "uniform" +# .*: "uniform" \| "learned"', text)
    assert re.search(
        r'#log_z = "learned" +# .*: "learned" \| "scalar" \| "implicit"$', text, flags=re.MULTILINE
    )
    assert re.search(r'#schedule = "cosine" +# .*: "constant" \| "cosine"', text)


@pytest.mark.parametrize(
    ("env_kind", "terms", "sentence"),
    [
        (
            "fragment",
            [],
            "environment 'fragment': must be one of 'fragments', 'atoms', 'synthesis', 'hypergrid', ",
        ),
        ("hypergrid", ["qed"], "reward = {...}: must be left out for env.kind = 'hypergrid'"),
        ("fragments", ["qde"], "reward.term.0.kind = \"qde\": unknown property 'qde' - did you mean 'qed'?"),
    ],
)
def test_unknown_parts_are_refused(env_kind: str, terms: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        starter_toml(env_kind, terms)
    assert sentence in str(caught.value)
