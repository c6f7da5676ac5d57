"""Every learning rule that promises a distribution, with its options, and the backward policies it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fluvial.algorithms.balance import LogZSource
from fluvial.losses.regression import Regression, absolute, square

LEARNED = ("learned", "maxent", "gsql", "tlm", "pessimistic", "reinforce")
ANY = ("uniform", "maxent_exact", "gsql_exact", *LEARNED)
"""All but `none`, which is for trees."""
OF_POLICY = ("uniform", "learned")
"""For rules that take P_B from the policy and know no other."""
UNREAD = ("uniform", "learned", "maxent_exact")
"""For rules that read no P_B: any makes flows that must satisfy them."""


@dataclass(frozen=True)
class Variant:
    """A learning rule and options."""

    name: str
    """In the registry."""
    rules: tuple[str, ...] = ANY
    """Backward policies to go with it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    log_z: LogZSource = field(default_factory=LogZSource)
    is_forward_looking: bool = False
    regression: Regression = absolute

    @property
    def reads_values(self) -> bool:
        """Whether logits and flow output are read as log F(s, a) or Q."""
        return self.name in ("fm", "soft_q", "munchausen")

    @property
    def share(self) -> float:
        """Munchausen's."""
        return float(self.options.get("munchausen", 0.0))


IMPLICIT = LogZSource(is_implicit=True)
WITHOUT_GSQL = tuple(rule for rule in ANY if not rule.startswith("gsql"))
"""Where the stop of each object on the way is charged too, and not only the one that was taken."""

VARIANTS: dict[str, Variant] = {
    "tb": Variant("tb"),
    "tb, smoothed": Variant("tb", options={"smoothing": -1.0}),
    "tb, implicit": Variant("tb", log_z=IMPLICIT),
    "vargrad": Variant("vargrad"),
    "db": Variant("db"),
    "subtb": Variant("subtb"),
    "subtb of decay 1": Variant("subtb", options={"decay": 1.0}),
    "subtb, closed form": Variant("subtb", options={"decay": 1.0}, regression=square),
    "forward-looking tb": Variant("tb", is_forward_looking=True),
    "forward-looking tb, implicit": Variant("tb", log_z=IMPLICIT, is_forward_looking=True),
    "forward-looking vargrad": Variant("vargrad", is_forward_looking=True),
    "forward-looking db": Variant("db", is_forward_looking=True),
    "forward-looking subtb": Variant("subtb", is_forward_looking=True),
    "transition_db": Variant("transition_db", OF_POLICY, {"transitions": 4096}),
    "mdb": Variant("mdb", WITHOUT_GSQL),
    "fm": Variant("fm", UNREAD),
    "fm, balanced": Variant("fm", UNREAD, {"balanced": True}),
    "fm, smoothed": Variant("fm", UNREAD, {"smoothing": -1.0}),
    "soft_q": Variant("soft_q"),
    "munchausen of 0": Variant("munchausen", options={"munchausen": 0.0}),
    "munchausen": Variant("munchausen", options={"munchausen": 0.15}),
    "munchausen of 0.9": Variant("munchausen", options={"munchausen": 0.9}),
    "rtb": Variant("rtb", ("uniform",)),
}


def named(*starts: str) -> set[str]:
    """The variants whose names start so."""
    return {name for name in VARIANTS if name.startswith(starts)}


ALL = set(VARIANTS)
TB = {"tb", "tb, smoothed", "forward-looking tb"}
"""With a log Z of their own."""
IMPLICIT_TB = {name for name, variant in VARIANTS.items() if variant.log_z.is_implicit}
VARGRAD = {name for name, variant in VARIANTS.items() if variant.name == "vargrad"}
DB = {"db", "forward-looking db"}
SUBTB = {name for name, variant in VARIANTS.items() if variant.name == "subtb"}
FORWARD_LOOKING = {name for name, variant in VARIANTS.items() if variant.is_forward_looking}
FM = named("fm")
SOFT = named("soft_q", "munchausen")
BONUS = {name for name, variant in VARIANTS.items() if variant.share > 0.0}
READS_BACKWARD = ALL - FM - {"rtb"}
