"""Fluvial: GFlowNets that sample objects in proportion to a reward."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluvial.api import DesignRun, Molecule, campaign, design, load, resume, resume_campaign
    from fluvial.core.errors import ConfigError, FluvialError, ResumeError, RewardError, StoppedError

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "DesignRun",
    "FluvialError",
    "Molecule",
    "ResumeError",
    "RewardError",
    "StoppedError",
    "__version__",
    "campaign",
    "design",
    "load",
    "resume",
    "resume_campaign",
]

_PLACES = {
    name: "fluvial.core.errors" if name.endswith("Error") else "fluvial.api"
    for name in __all__
    if name != "__version__"
}


def __getattr__(name: str) -> Any:
    """A public name, whose module is imported when it is first asked for: `import fluvial` is fast."""
    if name not in _PLACES:
        raise AttributeError(f"module 'fluvial' has no attribute '{name}'")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """All names, those that are not imported yet included."""
    return sorted({*globals(), *__all__})
