"""Structural alerts: published catalogues that RDKit ships, and a user's own patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rdkit.Chem import Mol, rdfiltercatalog

from fluvial.chem.choices import choose_name
from fluvial.chem.properties import parse_smarts
from fluvial.core.errors import ConfigError

ALERT_SETS: tuple[str, ...] = tuple(
    name for name in sorted(rdfiltercatalog.FilterCatalogParams.FilterCatalogs.names) if name != "ALL"
)
"""Names of the catalogues: PAINS, BRENK, NIH, ZINC, CHEMBL and parts of them."""

AlertCheck = Callable[[Mol], str | None]


def alert_check(sets: Sequence[str] = (), patterns: Mapping[str, str] | None = None) -> AlertCheck:
    """A function: molecule to its first alert as "SET: description" (or a pattern's name), or None.

    Args:
        sets: names out of `ALERT_SETS`, searched in this order; letter case does not matter.
        patterns: name to SMARTS, searched after the sets.

    Raises:
        ConfigError: an unknown set, a bad SMARTS pattern, or nothing to search for.
    """
    catalogues = [
        (name, _catalogue(name)) for name in (choose_name("alert set", s, ALERT_SETS) for s in sets)
    ]
    queries = [(name, parse_smarts(smarts)) for name, smarts in (patterns or {}).items()]
    if not catalogues and not queries:
        raise ConfigError(f"alerts need at least one set or SMARTS pattern (sets: {', '.join(ALERT_SETS)})")

    def first_alert(mol: Mol) -> str | None:
        for name, catalogue in catalogues:
            if (entry := catalogue.GetFirstMatch(mol)) is not None:
                return f"{name}: {entry.GetDescription()}"
        return next((name for name, query in queries if mol.HasSubstructMatch(query)), None)

    return first_alert


def _catalogue(name: str) -> Any:
    chosen = rdfiltercatalog.FilterCatalogParams.FilterCatalogs.names[name]
    return rdfiltercatalog.FilterCatalog(rdfiltercatalog.FilterCatalogParams(chosen))
