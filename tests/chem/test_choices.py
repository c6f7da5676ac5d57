from __future__ import annotations

import pytest

from fluvial.chem.choices import choose_name
from fluvial.core.errors import ConfigError


@pytest.mark.parametrize("written", ["reverse_sigmoid", "Reverse-Sigmoid", " REVERSE SIGMOID "])
def test_case_and_separators_make_no_difference(written: str) -> None:
    assert choose_name("transform", written, ["sigmoid", "reverse_sigmoid"]) == "reverse_sigmoid"


def test_unknown_name_gives_the_nearest_and_the_list() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_name("transform", "sigmod", ["sigmoid", "step"])
    assert str(caught.value) == "unknown transform 'sigmod' - did you mean 'sigmoid'? (known: sigmoid, step)"


def test_far_names_give_no_hint() -> None:
    with pytest.raises(ConfigError, match=r"^unknown transform 'xyz' \(known: step\)$"):
        choose_name("transform", "xyz", ["step"])
