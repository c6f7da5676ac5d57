"""Checks of chemical names and patterns in a configuration.

RDKit is imported when the first one is checked, so that reading about keys stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from fluvial.config.section import Text
from fluvial.core.errors import FluvialError

T = TypeVar("T")

MAX_WORDS = 400
"""Longest complaint, in characters; the longest list of accepted names fits."""

OWN_KINDS = (
    "function",
    "similarity",
    "substructure",
    "seh",
    "gap",
    "learned",
    "onnx",
    "scscore",
    "route",
    "oracle",
)
"""Kinds of terms that are not properties."""


def property_texts() -> dict[str, str]:
    """Name of each built-in property to what it is and its unit."""
    from fluvial.chem.properties import PROPERTIES

    return {
        name: f"{entry.description} [{entry.unit}]" if entry.unit else entry.description
        for name, entry in PROPERTIES.items()
    }


def _property(text: str) -> str:
    """The accepted name of a property, whatever its letter case."""
    return _property_among(text, ())


def _term_kind(text: str) -> str:
    """As `_property`, for a place where the other kinds of terms could be meant."""
    found = _property_among(text, OWN_KINDS)
    if found in OWN_KINDS:
        raise ValueError(f"must be written '{found}'")
    return found


def _property_among(text: str, further: tuple[str, ...]) -> str:
    from fluvial.chem.choices import choose_name
    from fluvial.rewards.terms import PROPERTY_ALIASES

    names = (*further, *property_texts(), *PROPERTY_ALIASES)
    found = _checked(lambda: choose_name("property", text, names))
    return PROPERTY_ALIASES.get(found, found)


def _alert_set(text: str) -> str:
    from fluvial.chem.alerts import ALERT_SETS
    from fluvial.chem.choices import choose_name

    return _checked(lambda: choose_name("alert set", text, ALERT_SETS))


def _smarts(text: str) -> str:
    from fluvial.chem.properties import parse_smarts

    _checked(lambda: parse_smarts(text))
    return text


def _smiles(text: str) -> str:
    from fluvial.chem.molecules import parse_smiles

    _checked(lambda: parse_smiles(text))
    return text


def _checked(check: Callable[[], T]) -> T:
    try:
        return check()
    except FluvialError as error:
        words = " ".join(str(error).removesuffix(".").split())
        raise ValueError(words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]} ...") from None


PropertyName = Annotated[Text, AfterValidator(_property)]
TermKind = Annotated[Text, AfterValidator(_term_kind)]
AlertSet = Annotated[Text, AfterValidator(_alert_set)]
Smarts = Annotated[Text, AfterValidator(_smarts)]
Smiles = Annotated[Text, AfterValidator(_smiles)]
