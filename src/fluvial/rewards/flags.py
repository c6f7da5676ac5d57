"""Rewards written in one word on the command line."""

from __future__ import annotations

from pathlib import Path

from fluvial.core.errors import ConfigError
from fluvial.rewards.terms import Term, function_term, named_term


def parse_reward_flag(text: str, base: Path = Path()) -> list[Term]:
    """The terms of a product such as "qed*sa" or "rewards/activity.py:score*qed".

    Args:
        text: names of built-in properties or predictors and functions "file.py:function", joined by `*`.
        base: folder that relative paths start from.

    Raises:
        ConfigError: an empty factor or an unknown property.
        RewardError: a file without a function.
    """
    factors = [factor.strip() for factor in text.split("*")]
    if "" in factors:
        raise ConfigError(f"reward '{text}' has an empty factor; write it as qed*sa or file.py:function")
    return [_term(factor, base) for factor in factors]


def _term(factor: str, base: Path) -> Term:
    is_function = ":" in factor or factor.endswith(".py")
    return function_term(factor, base) if is_function else named_term(factor)
