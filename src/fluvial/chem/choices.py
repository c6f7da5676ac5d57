"""Turn a name that a user wrote into one of the accepted names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from fluvial.core.errors import ConfigError


def choose_name(what: str, name: str, known: Iterable[str]) -> str:
    """The accepted name that `name` means; letter case, `-` and `_` make no difference.

    Args:
        what: noun for the message, such as "property".
        name: as the user wrote it.
        known: accepted names.

    Raises:
        ConfigError: there is no such name; the message gives the nearest one and the list.
    """
    by_form = {_form(accepted): accepted for accepted in known}
    if (form := _form(name)) in by_form:
        return by_form[form]
    nearest = difflib.get_close_matches(form, by_form, n=1)
    hint = f" - did you mean '{by_form[nearest[0]]}'?" if nearest else ""
    raise ConfigError(f"unknown {what} '{name}'{hint} (known: {', '.join(by_form.values())})")


def _form(name: str) -> str:
    return name.strip().casefold().replace("-", "_").replace(" ", "_")
