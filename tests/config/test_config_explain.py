from __future__ import annotations

import json

import pytest

from fluvial.config.explain import explain, json_schema
from fluvial.config.run_config import RunConfig
from fluvial.config.walk import entries
from fluvial.core.errors import ConfigError


def test_a_key_has_type_default_and_meaning() -> None:
    assert explain("algo.batch").split("\n") == [
        "algo.batch",
        "  type     whole number, at least 1, at most 65536",
        "  default  64",
        "  On-policy trajectories a step. The default is the usual one for molecules.",
    ]
    assert explain("reward.timeout_seconds").split("\n")[:4] == [
        "reward.timeout_seconds",
        "  type     number, more than 0",
        "  default  (not set)",
        "  example  60.0",
    ]


def test_a_key_of_several_kinds_is_explained_for_each() -> None:
    width = explain("policy.width")
    assert "in kind  graph-transformer, sequence-transformer\n  type     whole number, at least 8" in width
    assert "in kind  mlp\n  type     whole number, at least 1" in width
    assert "in kind  sigmoid, reverse_sigmoid, double_sigmoid, step" in explain("reward.term.0.transform.low")


def test_a_section_lists_its_keys_and_kinds() -> None:
    assert "  batch = 64 " in explain("algo")
    policy = explain("policy")
    assert policy.startswith("policy   table; default (by env.kind)")
    assert 'kind = "mlp": Fully connected layers over a fixed-size vector.\n  blocks = (not set) ' in policy
    assert "kind = the name of a property" in explain("reward.term")


def test_kinds_and_properties_are_listed() -> None:
    assert "  hypergrid  " in explain("env.kind")
    kinds = explain("reward.term.kind")
    assert "  qed   " in kinds
    assert "drug-likeness" in kinds
    assert "  mw    " in kinds
    assert "[g/mol]" in kinds
    assert "  similarity  " in kinds


def test_no_key_lists_the_sections() -> None:
    overview = explain()
    assert all(f"\n  {name} " in overview for name in RunConfig.model_fields)


def test_everything_can_be_explained() -> None:
    assert all(
        explain(path).startswith(path) for path in dict.fromkeys(path for path, _, _ in entries(RunConfig))
    )


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("algo.bach", "There is no key 'algo.bach' - did you mean 'algo.batch'?"),
        ("lr", "There is no key 'lr' - did you mean 'optimizer.lr'?"),
        ("zzzzzzzzz", "There is no key 'zzzzzzzzz'; the sections are format, name, seed, device"),
        ("", "There is no key ''; the sections are format, name, seed, device"),
    ],
)
def test_unknown_keys_name_the_nearest(key: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        explain(key)
    assert str(caught.value).startswith(sentence)


def test_the_schema_asks_for_what_the_reader_asks_for() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert schema["required"] == ["env"]
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(RunConfig.model_fields)
    assert schema["$defs"]["AlgoConfig"]["properties"]["batch"]["minimum"] == 1
    assert schema["$defs"]["SimilarityTermConfig"]["required"] == ["kind", "to"]
    beta = schema["$defs"]["ConditionConfig"]["properties"]["beta"]["anyOf"]
    assert {"type": "number"} in beta
