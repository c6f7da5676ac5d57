from __future__ import annotations

import pytest

from fluvial.config.file import parse_config
from fluvial.config.starter import starter_toml
from fluvial.core.errors import ConfigError

SETS = '[env]\nkind = "set"\nitems = ["a", "b", "c"]\n'
REWARD = '[[reward.term]]\nkind = "function"\nfunction = "reward.py:score"\n'


def test_defaults() -> None:
    config = parse_config(SETS + REWARD)
    assert (config.policy.kind, config.condition.beta.numbers, config.is_molecular) == ("mlp", (1.0,), False)
    assert parse_config(starter_toml("set")).env.kind == "set"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SETS, "reward: must be given for env.kind = 'set', with a term of kind = 'function'"),
        (SETS + "max_size = 4\n" + REWARD, "max_size = 4: must be at most 3, the number of items"),
        (SETS + "max_size = 1\nmin_size = 2\n" + REWARD, "min_size = 2: must be at most max_size = 1"),
        (SETS.replace('"b"', '"a"') + REWARD, 'items.1 = "a": must have no comma, and differ'),
        (SETS + '[[reward.term]]\nkind = "qed"\n', "must all be of kind = 'function' or 'oracle' for sets"),
        (SETS + REWARD + '[[reward.filter]]\nkind = "alerts"\n', "must be left out for sets"),
    ],
)
def test_what_does_not_fit_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert sentence in str(caught.value)
