"""Molecules of atoms in the configuration: what fits together and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.config.file import parse_config
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ConfigError
from fluvial.train.build import build_env, build_reward

HEAD = '[env]\nkind = "atoms"\n'


def test_molecules_of_atoms_have_the_defaults_of_molecules() -> None:
    config = parse_config(HEAD)
    assert config.is_molecular
    assert config.reward is not None
    assert [term.name for term in config.reward.term] == ["qed", "sa"]
    assert config.policy.kind == "graph-transformer"
    assert (config.env.elements, config.env.max_atoms) == (("C", "N", "O", "F"), 9)


def test_every_key_is_written_read_back_and_built() -> None:
    text = (
        'elements = ["C", "N", "O", "Br"]\nmax_atoms = 12\nmin_atoms = 8\nmax_bonds = 14\n'
        "bond_orders = [1, 2]\ncharges = [0, 1, -1]\nchirality = true\nmax_ring_size = 7\nmin_ring_size = 4\n"
        'scaffold = "c1ccccc1*"\nforbidden = ["OO"]\nrequired = ["[#7]"]\nrandom_walk = 8\n'
    )
    config = parse_config(HEAD + text)
    assert parse_config(resolved_toml(config, {})) == config
    env = build_env(config, Path())
    assert env.decode(env.initial(1)) == ["*c1ccccc1"]
    with build_reward(config, Path()) as reward:  # type: ignore[attr-defined]
        assert reward(["CCO"]).reward[0] > 0.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("min_atoms = 10", "env.min_atoms = 10: must be at most max_atoms = 9"),
        ("min_atoms = 5\nmax_bonds = 3", "env.max_bonds = 3: must be at least 4 to join min_atoms = 5"),
        ("bond_orders = [2]", "must be [1], [1, 2] or [1, 2, 3]"),
        ("charges = [1]", "env.charges = [1]: must have 0 among its values, and each only once"),
        ("explicit_h = [0, 0]", "must have 0 among its values, and each only once"),
        ("max_ring_size = 3\nmin_ring_size = 4", "must be 0 for no rings, or at least min_ring_size = 4"),
        ("five_valent_nitrogen = true\ncharges = [0, 1]", "a nitro group would be two things"),
        ("max_fragments = 3", "unknown key 'env.max_fragments' - only kind = 'fragments' has it"),
        ('[policy]\nkind = "mlp"', "must be 'graph-transformer' or 'uniform' for env.kind = 'atoms'"),
    ],
)
def test_limits_that_contradict_are_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(HEAD + text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('elements = ["C", "H"]', "element 'H' cannot be added"),
        ('elements = ["Xx"]', "element 'Xx' is unknown"),
        ('elements = ["C", "C"]', "give one symbol or more, each once"),
        ('elements = ["F"]\nmin_atoms = 3', "no element of ('F',) has two bonds; use 1 or 2"),
        ('elements = ["F"]\ncharges = [0, -2]', "no element of ('F',) can have -2"),
        ('elements = ["C"]\nfive_valent_nitrogen = true', "needs 'N' among the elements"),
        ('forbidden = ["C("]', "'C('"),
        ('forbidden = ["OO"]\nno_implicit = true', "need explicit_h = (0,) and no_implicit = False"),
        ('scaffold = "C(C"', "scaffold: "),
        ('scaffold = "CC.C"', "several parts"),
        ('scaffold = "CCCCCCCCCC"', "has 10 atoms, more than max_atoms = 9"),
        ('scaffold = "C1CC1"\nmin_ring_size = 4', "has a ring of 3 atoms"),
        ('scaffold = "CC"\nmax_bonds = 0', "has 1 bonds, more than max_bonds = 0"),
        ('scaffold = "C[N+](C)(C)C"', "atom 1 (N) has charge +1, which is not among the charges"),
        ('elements = ["F"]\nscaffold = "C*C"', "no element of ('F',) fits its atom '*'"),
    ],
)
def test_what_chemistry_forbids_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_env(parse_config(HEAD + text), Path())
    assert sentence in str(caught.value)
