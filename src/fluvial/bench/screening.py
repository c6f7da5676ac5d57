"""What a surrogate that screens is worth: the best molecules after equal calls of the oracle."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from fluvial.chem.choices import choose_name
from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.properties import PROPERTIES
from fluvial.chem.vocabulary import load_vocabulary
from fluvial.envs.fragments.environment import Fragments
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.screen import Screen, ScreenSettings
from fluvial.sample.rollout import rollout

MAX_FRAGMENTS = 5


def run(
    oracle: str = "qed",
    molecules: int = 8000,
    calls: int = 1000,
    batch: int = 64,
    share: float = 0.25,
    start: int = 300,
    seeds: int = 3,
) -> dict[str, Any]:
    """Means of the ten and the hundred best molecules after `calls` calls of a property, plain and screened.

    Molecules come in batches from the uniform policy on fragments, `molecules` in all. Without a screen the
    oracle is asked about the first `calls` of them; with one about those that pass, until there were as many.
    `equal_calls` is how many of these are as good as all of those, by the hundred best.
    """
    value = PROPERTIES[choose_name("property", oracle, PROPERTIES)].function
    rows = []
    for seed in range(seeds):
        texts = drawn(molecules, batch, seed)
        known = {text: float(value(parse_smiles(text))) for text in texts}
        began = time.process_time()
        asked = screened(texts, known, calls, batch, Screen(ScreenSettings(share, start, seed=seed)))
        plain = [known[text] for text in texts[:calls]]
        rows.append(
            {
                "plain_top_10": top(plain, 10),
                "screened_top_10": top(asked, 10),
                "plain_top_100": top(plain, 100),
                "screened_top_100": top(asked, 100),
                "plain_mean": statistics.fmean(plain),
                "screened_mean": statistics.fmean(asked),
                "equal_calls": calls_to(asked, top(plain, 100), 100),
                "screen_cpu_seconds": time.process_time() - began,
            }
        )
    means = {name: statistics.fmean(row[name] for row in rows) for name in rows[0]}
    return {"benchmark": "screening", "oracle": oracle, "calls": calls, **means, "seeds": rows}


def drawn(n: int, batch: int, seed: int) -> list[str]:
    """Different molecules of the uniform policy, in order."""
    env = Fragments(load_vocabulary("default"), MAX_FRAGMENTS)
    generator, policy = torch.Generator().manual_seed(seed), UniformPolicy(env)
    found: dict[str, None] = {}
    while len(found) < n:
        made = rollout(env, policy, Conditions().fixed(4 * batch, 1.0), generator)
        texts = env.decode(made.final_states)
        found.update(dict.fromkeys(canonical_smiles(parse_smiles(text)) for text in texts))
    return list(found)[:n]


def screened(
    texts: Sequence[str], known: dict[str, float], calls: int, batch: int, screen: Screen
) -> list[float]:
    """What the oracle says of the molecules that pass, in order, `calls` at most."""
    asked: dict[str, float] = {}
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        passed = [text for text, passes in zip(part, screen.passes(part), strict=True) if passes]
        asked.update({text: known[text] for text in passed})
        if len(asked) >= calls:
            break
        screen.learn(list(asked), list(asked.values()))
    return list(asked.values())[:calls]


def top(values: Sequence[float], n: int) -> float:
    """Mean of the `n` greatest."""
    return statistics.fmean(sorted(values)[-n:])


def calls_to(values: Sequence[float], goal: float, n: int) -> int:
    """After how many calls the mean of the `n` greatest is at least `goal`; all of them if never."""
    return next((count for count in range(n, len(values)) if top(values[:count], n) >= goal), len(values))
