"""Words in the configuration: what fits together and what is refused."""

from __future__ import annotations

import pytest

from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ConfigError

HEAD = '[env]\nkind = "sequence"\n'
DNA = 'alphabet = ["A", "C", "G", "T"]\nmin_length = 8\nmax_length = 8\n'
BITS = 'alphabet = ["00", "01", "10", "11"]\nmin_length = 8\nmax_length = 8\n'


def config_of(text: str) -> RunConfig:
    return parse_config(HEAD + text, "run.toml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        DNA + 'reward = "binding"',
        BITS + 'reward = "modes"',
        'order = "insert"\n[algo]\nbackward = "learned"',
        '[policy]\nkind = "mlp"',
        'reward = "terms"\n[[reward.term]]\nkind = "function"\nfunction = "mine.py:score"',
    ],
)
def test_what_is_written_reads_back_the_same(text: str) -> None:
    config = config_of(text)
    assert parse_config(resolved_toml(config, {}), "again.toml") == config


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("min_length = 11", "env.min_length = 11: must be at most max_length = 10"),
        ('reward = "binding"', "needs alphabet = ['A', 'C', 'G', 'T'] and min_length = max_length = 8"),
        ('reward = "modes"', "needs symbols of equally many bits and min_length = max_length"),
        (BITS.replace("8", "5") + 'reward = "modes"', "8 bits or a multiple"),
        ('[algo]\nbackward = "learned"', "must be 'uniform' for env.order = 'append'"),
        ('[policy]\nkind = "sequence-transformer"\nwidth = 36', "must be a multiple of 8, twice the heads"),
        ('[policy]\nkind = "graph-transformer"', "must be 'sequence-transformer' or 'mlp' or 'uniform'"),
        ("[reward]\nfloor = 0.1", "must be given for env.reward = 'terms', and left out otherwise"),
        ('reward = "terms"', "must be given for env.reward = 'terms', and left out otherwise"),
        (
            'reward = "terms"\n[[reward.term]]\nkind = "qed"',
            "must all be of kind = 'function' for words; the others need molecules",
        ),
    ],
)
def test_words_that_do_not_fit_are_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    assert sentence in str(caught.value)
