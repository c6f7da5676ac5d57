"""Rules of thumb for drugs, leads and fragments: limits of a few properties each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from rdkit.Chem import Mol, rdMolDescriptors

from fluvial.chem.choices import choose_name
from fluvial.chem.properties import PROPERTIES


@dataclass(frozen=True)
class Limit:
    """A range that a number of a molecule must be in, ends included."""

    name: str
    function: Callable[[Mol], float]
    low: float = -inf
    high: float = inf

    def violation(self, mol: Mol) -> str | None:
        """How the molecule is outside, in words; else None."""
        value = self.function(mol)
        if value < self.low:
            return f"{self.name} {value:.4g} is below {self.low:g}"
        return f"{self.name} {value:.4g} is above {self.high:g}" if value > self.high else None


@dataclass(frozen=True)
class Rule:
    """Limits that go together."""

    source: str
    limits: tuple[Limit, ...]
    violations: int = 0
    """How many are allowed."""


def _property(name: str, low: float = -inf, high: float = inf) -> Limit:
    return Limit(name, PROPERTIES[name].function, low, high)


def _donors(mol: Mol) -> float:
    return float(rdMolDescriptors.CalcNumLipinskiHBD(mol))


def _acceptors(mol: Mol) -> float:
    return float(rdMolDescriptors.CalcNumLipinskiHBA(mol))


def _refractivity(mol: Mol) -> float:
    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[1])


def _atoms(mol: Mol) -> float:
    return float(mol.GetNumAtoms(onlyExplicit=False))


def _carbons(mol: Mol) -> float:
    return float(sum(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms()))


def _heteroatoms(mol: Mol) -> float:
    return float(rdMolDescriptors.CalcNumHeteroatoms(mol))


RULES: dict[str, Rule] = {
    "lipinski": Rule(
        "Lipinski et al. 1997, the rule of five: two violations are one too many",
        (
            _property("mw", high=500.0),
            _property("logp", high=5.0),
            Limit("NH and OH", _donors, high=5.0),
            Limit("N and O", _acceptors, high=10.0),
        ),
        violations=1,
    ),
    "veber": Rule(
        "Veber et al. 2002", (_property("rotatable_bonds", high=10.0), _property("tpsa", high=140.0))
    ),
    "egan": Rule("Egan et al. 2000", (_property("tpsa", high=131.6), _property("logp", high=5.88))),
    "ghose": Rule(
        "Ghose et al. 1999, the qualifying range",
        (
            _property("logp", -0.4, 5.6),
            _property("mw", 160.0, 480.0),
            Limit("molar refractivity", _refractivity, 40.0, 130.0),
            Limit("atoms", _atoms, 20.0, 70.0),
        ),
    ),
    "muegge": Rule(
        "Muegge et al. 2001",
        (
            _property("mw", 200.0, 600.0),
            _property("logp", -2.0, 5.0),
            _property("tpsa", high=150.0),
            _property("rings", high=7.0),
            Limit("carbons", _carbons, low=5.0),
            Limit("heteroatoms", _heteroatoms, low=2.0),
            _property("rotatable_bonds", high=15.0),
            _property("hbd", high=5.0),
            _property("hba", high=10.0),
        ),
    ),
    "lead_like": Rule(
        "Teague et al. 1999, as in ZINC",
        (_property("mw", 250.0, 350.0), _property("logp", high=3.5), _property("rotatable_bonds", high=7.0)),
    ),
    "rule_of_three": Rule(
        "Congreve et al. 2003, for fragments",
        (
            _property("mw", high=300.0),
            _property("logp", high=3.0),
            _property("hbd", high=3.0),
            _property("hba", high=3.0),
            _property("rotatable_bonds", high=3.0),
            _property("tpsa", high=60.0),
        ),
    ),
}
"""Rules by name."""


def broken_rule(name: str, violations: int | None, mol: Mol) -> str | None:
    """Why a molecule breaks a rule of `RULES`, or None.

    Args:
        name: of the rule.
        violations: how many limits may be broken; None for what the rule says.
        mol: the molecule.
    """
    rule = RULES[name]
    found = [words for limit in rule.limits if (words := limit.violation(mol)) is not None]
    allowed = rule.violations if violations is None else violations
    return f"{name}: {'; '.join(found)}" if len(found) > allowed else None


def rule_name(text: str) -> str:
    """The accepted name of a rule.

    Raises:
        ConfigError: there is none like it.
    """
    return choose_name("rule", text, RULES)
