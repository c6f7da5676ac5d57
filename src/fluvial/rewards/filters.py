"""Cheap checks that reject a molecule before any costly term sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from rdkit.Chem import Mol

from fluvial.chem.alerts import AlertCheck, alert_check
from fluvial.chem.choices import choose_name
from fluvial.chem.properties import PROPERTIES
from fluvial.chem.rules import broken_rule, rule_name
from fluvial.core.errors import ConfigError


@dataclass(frozen=True)
class Filter:
    """A check of a molecule."""

    name: str
    check: Callable[[Mol], str | None]
    """Takes a molecule; returns why it is rejected, or None. It must be picklable to be used with workers."""
    batch: Callable[[Sequence[Mol]], Sequence[str | None]] | None = None
    """The same for many molecules at once, where that is cheaper, as for an external program."""


def alert_filter(sets: Sequence[str] = (), patterns: Mapping[str, str] | None = None) -> Filter:
    """Rejects molecules with a structural alert.

    Args:
        sets: names of catalogues out of `fluvial.chem.alerts.ALERT_SETS`.
        patterns: name to SMARTS of the user's own alerts.

    Raises:
        ConfigError: an unknown set, a bad SMARTS pattern, or nothing to search for.
    """
    chosen, queries = tuple(sets), tuple((patterns or {}).items())
    _alerts(chosen, queries)
    return Filter("alerts", partial(_first_alert, chosen, queries))


def range_filter(name: str, low: float | None = None, high: float | None = None) -> Filter:
    """Rejects molecules whose property `name` is below `low` or above `high`; None leaves a side open.

    Raises:
        ConfigError: an unknown property, no bound, or bounds in the wrong order.
    """
    name = choose_name("property", name, PROPERTIES)
    if low is None and high is None:
        raise ConfigError(f"the filter on '{name}' needs a low or a high bound")
    if low is not None and high is not None and not low <= high:
        raise ConfigError(f"the filter on '{name}': high = {high:g} must be at least low = {low:g}")
    return Filter(name, partial(_outside, name, low, high))


def rule_filter(name: str, violations: int | None = None) -> Filter:
    """Rejects molecules that break a rule of `fluvial.chem.rules.RULES`, such as the rule of five.

    Args:
        name: of the rule.
        violations: how many of its limits may be broken; None for what the rule says.

    Raises:
        ConfigError: there is no such rule.
    """
    chosen = rule_name(name)
    return Filter(chosen, partial(broken_rule, chosen, violations))


def _first_alert(sets: tuple[str, ...], patterns: tuple[tuple[str, str], ...], mol: Mol) -> str | None:
    alert = _alerts(sets, patterns)(mol)
    return None if alert is None else f"alert {alert}"


@lru_cache(maxsize=16)
def _alerts(sets: tuple[str, ...], patterns: tuple[tuple[str, str], ...]) -> AlertCheck:
    return alert_check(sets, dict(patterns))


def _outside(name: str, low: float | None, high: float | None, mol: Mol) -> str | None:
    value = PROPERTIES[name].function(mol)
    if low is not None and value < low:
        return f"{name} {value:.4g} is below {low:g}"
    if high is not None and value > high:
        return f"{name} {value:.4g} is above {high:g}"
    return None
