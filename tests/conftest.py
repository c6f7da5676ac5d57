"""What many tests start from."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from fluvial.chem.vocabulary import Fragment, Vocabulary


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def three_fragments() -> Vocabulary:
    """Fluorine, ethane and benzene: 9 molecules of at most 2 fragments, 33 of at most 3."""
    return Vocabulary(
        "three",
        (Fragment("F", (0,)), Fragment("CC", (0, 1)), Fragment("c1ccccc1", (0, 1, 2, 3, 4, 5))),
    )
