from __future__ import annotations

import pytest

from fluvial.config.file import parse_config
from fluvial.core.errors import ConfigError

ENV = '[env]\nkind = "synthesis"\n'


def test_recorded_ways_have_a_learned_policy_back_and_stored_paths() -> None:
    config = parse_config(ENV, "here", [])
    assert (config.env.parents, config.policy.kind) == ("recorded", "mlp")
    assert (config.algo.backward.kind, config.replay.paths) == ("tlm", "stored")
    assert config.is_molecular
    searched = parse_config(ENV + 'parents = "searched"\n', "here", [])
    assert (searched.algo.backward.kind, searched.replay.paths) == ("uniform", "redrawn")


@pytest.mark.parametrize("backward", ["learned", "maxent", "gsql", "tlm", "reinforce"])
def test_searched_ways_take_every_policy_back(backward: str) -> None:
    config = parse_config(ENV + 'parents = "searched"\n', "here", [f"algo.backward={backward}"])
    assert config.algo.backward.learns


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["env.min_reactions=4"], "env.min_reactions = 4: must be at most max_reactions = 2"),
        (["algo.backward=uniform"], "must be 'tlm' or 'pessimistic'"),
        (["algo.backward=learned"], "must be 'tlm' or 'pessimistic'"),
        (["replay.paths=redrawn"], "replay.paths"),
        (["algo.local_search.rounds=2"], "algo.local_search.rounds"),
        (["env.kind=hypergrid", "algo.backward={kind='reinforce',reward='cheap'}"], "without prices"),
        (["policy.kind=sequence-transformer"], "policy.kind"),
        (["env.max_reactions=0"], "env.max_reactions = 0"),
        (['env.forbidden=["C(C"]'], "'C(C' is not a SMARTS pattern"),
        (['env.required=["[Q"]'], "'[Q' is not a SMARTS pattern"),
    ],
)
def test_what_cannot_be_is_said(overrides: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(ENV, "here", overrides)
    assert sentence in str(caught.value)
