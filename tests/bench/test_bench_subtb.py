from __future__ import annotations

import pytest

from fluvial.bench import subtb
from fluvial.core.errors import ConfigError


def test_the_step_has_trajectories_of_the_length_that_is_said() -> None:
    found = subtb.run(batch=2, length=6, steps=1, warmup=1)
    assert found["length"] == 6
    assert found["step_seconds"] > found["learn_seconds"] > 0.0
    share = found["decay_0.9_seconds"] / found["step_seconds"]
    assert found["decay_0.9_share_of_step"] == share > 0.0


def test_a_length_that_no_molecule_has() -> None:
    with pytest.raises(ConfigError, match="length = 7"):
        subtb.run(batch=2, length=7, steps=1, warmup=0)
