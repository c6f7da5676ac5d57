"""What an evaluation found, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fluvial.cli.output import aligned, percent
from fluvial.metrics.budget import USUAL_BUDGETS

Rows = list[tuple[str, str]]
INDENT = "  "


def lines(found: Mapping[str, Any]) -> list[str]:
    """The findings of `fluvial.train.assess.assess` as lines of text."""
    asked = found["asked"]
    about = [f"beta {asked['beta']:g}"]
    about += [
        f"{name} {', '.join(f'{part:.3g}' for part in asked[name])}"
        for name in ("weights", "focus")
        if asked[name]
    ]
    text = [f"{found['run']} after step {found['step']}, asked for {'; '.join(about)}"]
    text += [f"warning: {warning}" for warning in found["warnings"]]
    for name, (title, rows_of) in PARTS.items():
        if found.get(name):
            rows = [(f"{INDENT}{label}", value) for label, value in rows_of(found[name]) if value]
            text += ["", title, *aligned(rows).splitlines()]
    return [*text, "", f"{found['reward_calls']:,} objects were scored for this"]


def _exact(part: Mapping[str, float]) -> Rows:
    learned = number(part["log_z_learned"])
    return [
        ("objects", f"{part['objects']:,.0f}, in {part['states']:,.0f} states"),
        ("total variation", number(part["total_variation"])),
        ("of samples alone", _followed(number(part["noise_floor"]), "expected of as many draws from R / Z")),
        ("L1", number(part["l1"])),
        ("Jensen-Shannon", _followed(number(part["jensen_shannon"]), "nats")),
        ("KL(policy, R / Z)", _followed(number(part["kl_policy_target"]), "nats")),
        ("KL(R / Z, policy)", _followed(number(part["kl_target_policy"]), "nats")),
        ("correlation", _correlation(part)),
        ("mean reward", _followed(number(part["accuracy"]), "of that of R / Z, at most 1")),
        ("log Z", number(part["log_z"]) + (f", learned {learned}" if learned else "")),
    ]


def _bounds(part: Mapping[str, float]) -> Rows:
    if "elbo" not in part:
        return [("trajectories", "too few had a reward")]
    size = f"{part['effective_sample_size']:,.0f} of {part['trajectories']:,.0f} trajectories"
    return [
        ("at least", _with_error(part["elbo"], part["elbo_error"])),
        ("estimate", _with_error(part["log_z"], part["log_z_error"])),
        ("at most", number(part["eubo"])),
        ("effective sample", size),
    ]


def _likelihood(part: Mapping[str, Any]) -> Rows:
    effective = f"{part['mean_effective_sample_size']:.1f} of {part['paths']:.0f} ways"
    unseen = part["unseen"]
    return [
        *[("given", line) for line in part["report"]],
        (
            "objects",
            f"{part['objects']:,.0f}, {percent(math.nan if unseen is None else unseen)} never scored",
        ),
        ("FCS", _with_error(part["fcs"], part["fcs_error"])),
        ("correlation", _correlation(part)),
        ("error of log p", number(part["mean_standard_error"])),
        ("effective sample", effective),
    ]


def _samples(part: Mapping[str, Any]) -> Rows:
    shares = {"valid": "valid", "unique": "unique", "unseen": "never scored", "novel": "not in the file"}
    rows = [("drawn", f"{part['drawn']:,}")]
    rows += [(label, percent(part[name])) for name, label in shares.items() if name in part]
    rows += [("mean", number(part["mean"])), *_tops(part["top"])]
    rows += [(f"diversity of {name}", number(value)) for name, value in part.get("diversity", {}).items()]
    if "distance_to_known" in part:
        rows.append(("distance to known", number(part["distance_to_known"])))
    return rows + _hits(part["hits"])


def _search(part: Mapping[str, Any]) -> Rows:
    rows = [
        ("reward calls", f"{part['calls']:,}"),
        ("AUC of top 10", _followed(number(part["auc_top_10"]), f"over {part['auc_budget']:,} calls")),
    ]
    last = {name: values[-1] if values else math.nan for name, values in part["top"].items()}
    rows += _tops(last)
    for budget in part["curve"]:
        if budget["calls"] not in (*USUAL_BUDGETS, part["calls"]):
            continue
        spread = number(budget.get("diversity_of_best_100"))
        rows.append((f"after {budget['calls']:,}", f"diversity of best 100 {spread}" if spread else "calls"))
        rows += _hits(budget["hits"])
    return rows


def _conditions(part: Mapping[str, Any]) -> Rows:
    each = part["under_each"]
    means = [number(row["top_10"]) for row in each]
    rows = [("conditions", f"{len(each)}, {each[0]['drawn']} objects each")]
    rows += [("beta", " ".join(number(row["beta"]) for row in each)), ("mean of best 10", " ".join(means))]
    if "top_10_diversity" in each[0]:
        rows.append(("diversity of these", " ".join(number(row["top_10_diversity"]) for row in each)))
    return rows + [
        (name.replace("_", " "), number(value)) for name, value in part.get("trade_off", {}).items()
    ]


def _tops(top: Mapping[str, float | None]) -> Rows:
    return [(f"mean of best {name}", number(value)) for name, value in top.items()]


def _hits(hits: Sequence[Mapping[str, Any]]) -> Rows:
    return [(f"at least {row['from']:g}", ", ".join(_counts(row))) for row in hits]


def _counts(row: Mapping[str, Any]) -> list[str]:
    counts = [f"{row['objects']:,} objects"]
    counts += [f"{count:,} modes (T < {name})" for name, count in row.get("modes", {}).items()]
    return counts + [f"{row[name]:,} {name}" for name in ("circles", "scaffolds") if name in row]


def number(value: float | None) -> str:
    """Four digits; empty for what there is not."""
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def _followed(text: str, words: str) -> str:
    return f"{text} {words}" if text else ""


def _with_error(value: float, error: float) -> str:
    return number(value) and f"{number(value)} ± {error:.2g}"


def _correlation(part: Mapping[str, float]) -> str:
    pearson, spearman = number(part["pearson"]), number(part["spearman"])
    return f"{pearson} (Pearson), {spearman} (Spearman) of log p and log R" if pearson else ""


PARTS = {
    "exact": ("Exact distribution", _exact),
    "bounds": ("log Z, from drawn trajectories", _bounds),
    "likelihood": ("log p of different objects", _likelihood),
    "samples": ("Drawn objects", _samples),
    "conditions": ("Under several conditions", _conditions),
    "search": ("All objects of the run", _search),
}
"""Part of the findings to its title and rows."""
