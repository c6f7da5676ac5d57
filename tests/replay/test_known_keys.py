from __future__ import annotations

import numpy as np
import pytest

from fluvial.replay import known_keys
from fluvial.replay.known_keys import KnownKeys


def test_keys_are_found_where_they_stand() -> None:
    known = KnownKeys(np.array([50, -3, 2**62, 7]))
    assert known.find(np.array([7, 50, 8, -3, 2**62])).tolist() == [3, 0, -1, 1, 2]
    known.put(np.array([8, 50]), np.array([4, 5]))
    assert known.find(np.array([7, 50, 8])).tolist() == [3, 5, 4]


def test_of_nothing() -> None:
    assert KnownKeys(np.array([], dtype=np.int64)).find(np.array([1, 2])).tolist() == [-1, -1]


def test_it_says_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "MOST_RECENT", 2)
    known = KnownKeys(np.array([1]))
    known.put(np.array([2]), np.array([1]))
    assert not known.is_full
    known.put(np.array([3]), np.array([2]))
    assert known.is_full
