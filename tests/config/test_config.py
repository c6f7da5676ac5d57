from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from fluvial.config.run_config import RunConfig
from fluvial.config.section import Section
from fluvial.config.transform import TransformConfig
from fluvial.config.walk import entries, kind_of, section_models
from fluvial.rewards.transforms import TRANSFORMS, make_transform

FRAGMENTS = {"env": {"kind": "fragments"}}
HYPERGRID = {"env": {"kind": "hypergrid"}}


def run_config(**sections: object) -> RunConfig:
    return RunConfig.model_validate({**FRAGMENTS, **sections})


def test_an_environment_alone_is_a_whole_configuration() -> None:
    config = RunConfig.model_validate(FRAGMENTS)
    assert (config.name, config.seed, config.device, config.stop.steps) == ("design", 0, "auto", 1000)
    assert config.env.kind == "fragments"
    assert config.env.max_fragments == 5
    assert config.policy.kind == "graph-transformer"
    assert config.reward is not None
    assert [(term.name, term.kind, term.weight) for term in config.reward.term] == [
        ("qed", "qed", 1.0),
        ("sa", "sa", 1.0),
    ]
    assert (config.condition.beta.distribution, config.condition.beta.a) == ("constant", 32.0)


def test_defaults_follow_the_environment_below_what_is_given() -> None:
    config = RunConfig.model_validate(HYPERGRID)
    assert (config.policy.kind, config.reward, config.condition.beta.a) == ("mlp", None, 1.0)
    chosen = RunConfig.model_validate({**HYPERGRID, "policy": {"layers": 4}, "condition": {"beta": 3}})
    assert (chosen.policy.kind, chosen.policy.parameters()) == (
        "mlp",
        {"blocks": None, "width": 256, "layers": 4},
    )
    assert chosen.condition.beta.a == 3.0
    tabular = RunConfig.model_validate({**HYPERGRID, "policy": {"kind": "tabular"}})
    assert tabular.policy.kind == "tabular"


def test_a_number_stands_for_a_constant_epsilon_and_beta() -> None:
    config = run_config(algo={"epsilon": 0.2}, condition={"beta": 16})
    assert (config.algo.epsilon.start, config.algo.epsilon.end) == (0.2, 0.2)
    assert (config.condition.beta.distribution, config.condition.beta.numbers) == ("constant", (16.0,))
    spread = run_config(condition={"beta": {"distribution": "loguniform", "a": 1, "b": 64}})
    assert spread.condition.beta.numbers == (1.0, 64.0)


def test_names_of_properties_are_made_canonical_and_terms_are_named_after_what_was_written() -> None:
    config = run_config(reward={"term": [{"kind": "QED"}, {"kind": "sa_score", "name": "ease"}]})
    assert config.reward is not None
    assert [(term.name, term.kind) for term in config.reward.term] == [("QED", "qed"), ("ease", "sa")]
    filtered = run_config(reward={"filter": [{"kind": "alerts", "sets": ["pains", "Brenk"]}]})
    assert filtered.reward is not None
    assert filtered.reward.filter[0].parameters() == {"sets": ("PAINS", "BRENK")}


def test_the_record_is_frozen_and_takes_no_strings_for_numbers() -> None:
    config = run_config()
    with pytest.raises(ValidationError):
        config.seed = 3
    with pytest.raises(ValidationError, match="valid integer"):
        run_config(seed="3")


def test_contradictions_are_readable_without_the_file_layer() -> None:
    with pytest.raises(ValidationError, match="top_share must be left out for priority = 'uniform'"):
        run_config(replay={"priority": "uniform", "top_share": 0.2})


def test_the_run_folder_has_the_name_in_it() -> None:
    assert run_config(name="tyk2", out="results/{name}-a").run_folder == "results/tyk2-a"


def test_each_key_is_described_and_each_section_too() -> None:
    for path, model, field in entries(RunConfig):
        assert field.description, path
        assert field.description.endswith("."), path
        assert model.__doc__, path


EXAMPLES: dict[str, dict[str, object]] = {
    "divide": {"by": 8.0},
    "value_mapping": {"mapping": {"0": 1.0, "1": 0.5}},
    "exponential_decay": {"k": 0.5},
    "identity": {},
    "left_step": {"low": 2.0},
    "right_step": {"high": 5.0},
}


def test_transforms_are_those_that_rewards_can_compute() -> None:
    models: dict[str, type[Section]] = {kind_of(model): model for model in section_models(TransformConfig)}
    assert set(models) == set(TRANSFORMS)
    for kind, model in models.items():
        given = EXAMPLES.get(kind, {"low": 2.0, "high": 5.0})
        transform = make_transform(kind, **model.model_validate({"kind": kind, **given}).parameters())
        assert transform(1.0) >= 0.0


def test_configurations_are_read_without_torch() -> None:
    program = (
        "import sys; from fluvial.config.file import parse_config;"
        "import fluvial.config.explain, fluvial.config.resume, fluvial.config.starter;"
        "assert 'rdkit' not in sys.modules, 'rdkit';"
        "parse_config('env.kind = \"fragments\"'); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
