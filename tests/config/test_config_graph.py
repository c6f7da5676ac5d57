from __future__ import annotations

import pytest

from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ConfigError

H = '[env]\nkind = "graph"\n'


def test_graphs_have_defaults_of_their_own() -> None:
    config = RunConfig.model_validate({"env": {"kind": "graph"}})
    assert config.env.parameters() == {
        **{"node_types": 2, "edge_types": 1, "max_nodes": 7, "min_nodes": 1},
        **{"max_edges": None, "max_degree": None, "connected": True, "directed": False},
        **{"allow_cycles": True, "reward": "constant", "correct_symmetry": True},
    }
    assert (config.policy.kind, config.reward, config.condition.beta.a) == ("graph-transformer", None, 1.0)
    assert parse_config(H + '[policy]\nkind = "uniform"').policy.kind == "uniform"


@pytest.mark.parametrize("reward", ["constant", "cliques", "even_neighbours", "counts"])
def test_graphs_are_written_and_read_back_equal(reward: str) -> None:
    config = parse_config(H + f'reward = "{reward}"\nmax_edges = 3\nmax_degree = 2\nconnected = false')
    assert parse_config(resolved_toml(config, {})) == config


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("node_types = 0", "run.toml:3: env.node_types = 0: must be at least 1"),
        ("min_nodes = 8", "env.min_nodes = 8: must be at most max_nodes = 7"),
        ("min_nodes = 4\nmax_edges = 2", "env.max_edges = 2: must be at least 3 to connect min_nodes = 4"),
        ("min_nodes = 3\nmax_degree = 1", "env.max_degree = 1: must be at least 2 to connect min_nodes = 3"),
        (
            'reward = "clique"',
            "must be one of 'constant', 'cliques', 'even_neighbours', 'counts' - did you mean",
        ),
        ("max_fragments = 3", "unknown key 'env.max_fragments' - only kind = 'fragments' has it"),
        ('[policy]\nkind = "mlp"', "must be 'graph-transformer' or 'uniform' for env.kind = 'graph'"),
        ("[reward]\nfloor = 0.1", "must be left out for env.kind = 'graph', which has its own reward"),
        (
            '[policy]\nblocks = "al"',
            "policy.blocks = \"al\": must be one of 'all', 'clusters' - did you mean 'all'?",
        ),
        (
            '[policy]\nblocks = "all"',
            "policy.blocks = \"all\": must be left out for env.kind = 'graph', which has none",
        ),
    ],
)
def test_bad_graphs_are_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(H + text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_connected_needs_no_edges() -> None:
    config = parse_config(H + "min_nodes = 4\nmax_edges = 2\nmax_degree = 1\nconnected = false")
    assert config.env.parameters()["max_edges"] == 2
