from __future__ import annotations

import ctypes
import platform

import pytest
import torch

from fluvial.core import memory
from fluvial.core.memory import give_back_memory


@pytest.fixture(autouse=True)
def _looked_up_again() -> None:
    memory._trim.cache_clear()


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs a C library that can give memory back")
def test_what_was_freed_between_living_tensors_is_given_back() -> None:
    # Small enough for the heap; every other one lives on, so the heap cannot shrink by itself.
    tensors = [torch.ones(4_000) for _ in range(8_000)]
    del tensors[::2]
    before = resident()
    give_back_memory()
    assert before - resident() > 30_000_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    give_back_memory()
