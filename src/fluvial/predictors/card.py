"""What the file of a learned predictor says of itself, read without torch and without its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fluvial.core.errors import DataError

NETWORKS = ("mxmnet", "forest")
FORMAT = 1
KEY = "fluvial_proxy"
"""Entry of the file's header that holds the card."""
_LENGTH_BYTES = 8
_LONGEST_HEADER = 1 << 26
"""Longest header in bytes that is read; a card of a million held-out molecules fits. Arbitrary."""


def read_card(path: Path) -> dict[str, Any]:
    """The card of a learned predictor; see `fluvial.predictors.learned.proxy_card`.

    Raises:
        DataError: the file is not there, is no safetensors file, no predictor, or one of another format.
    """
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
            if not 0 < length <= _LONGEST_HEADER:
                raise ValueError("it is no safetensors file")
            header = json.loads(stream.read(length))
        text = header.get("__metadata__", {}).get(KEY)
        card: dict[str, Any] = {} if text is None else dict(json.loads(text))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as a proxy: {error}; see `fluvial proxy train`.") from None
    if text is None:
        raise DataError(f"{path} holds weights, but no proxy of `fluvial proxy train`.")
    if card.get("format") != FORMAT or card.get("network") not in NETWORKS:
        found = f"{card.get('network')}, format {card.get('format')}"
        raise DataError(
            f"{path} is a proxy of another kind ({found}); this version reads {' and '.join(NETWORKS)}, "
            f"format {FORMAT}."
        )
    return card


def headline(card: dict[str, Any]) -> str:
    """The error that says most, in words."""
    errors = card["errors"]
    if card.get("task") == "classification":
        return f"ROC AUC {errors['roc_auc']:.3f}"
    return f"mean absolute error {errors['mae']:.4g}"
