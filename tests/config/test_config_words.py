"""Words in the configuration: what fits together and what is refused."""

from __future__ import annotations

import pytest

from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.config.words import SequencesConfig
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ConfigError
from fluvial.envs.sequences.environment import Sequences

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
        'alphabet = "protein"\nmotifs = ["KDEL"]',
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
    ("name", "symbols"),
    [
        ("dna", "A C G T"),
        ("rna", "A C G U"),
        ("protein", "A C D E F G H I K L M N P Q R S T V W Y"),
        ("bits", "0 1"),
        ("bits2", "00 01 10 11"),
    ],
)
def test_alphabets_have_names(name: str, symbols: str) -> None:
    config = config_of(f'alphabet = "{name}"\nmotifs = ["{symbols[0]}"]')
    assert isinstance(config.env, SequencesConfig)
    assert config.env.alphabet == tuple(symbols.split())
    env = Sequences(config.env.alphabet, 3)
    assert env.n_symbols == len(symbols.split())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('alphabet = "protien"', "must be a list of symbols, or one of dna, rna, protein, bits"),
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
            "must all be of kind = 'function' or 'oracle' for words; the others need molecules",
        ),
    ],
)
def test_words_that_do_not_fit_are_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    assert sentence in str(caught.value)
