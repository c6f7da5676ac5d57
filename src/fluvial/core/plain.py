"""Values as JSON can hold them, and texts as anybody may read them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

PASSWORD = re.compile(r"(:/{1,2}[^:/@\s\"']*):[^@\s\"']+@")
"""Of a URL, between the user and the host, also where it was taken for a path."""


def masked(text: str) -> str:
    """The text with *** in place of each password of a URL."""
    return PASSWORD.sub(r"\1:***@", text)


def finite(value: Any) -> Any:
    """The same value with None in place of every number that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_page(value: Any) -> str:
    """The value as the text of a JSON file; null stands for what there is not."""
    return json.dumps(finite(value), indent=2) + "\n"
