"""What the routes of trajectories cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.core.types import Trajectories
from fluvial.envs.synthesis.environment import Syntheses


def cheapness(env: Syntheses) -> Callable[[Trajectories[Any]], Tensor]:
    """Trajectories to minus log of the price of all their blocks, one unit of each, float [B].

    The logarithm, so that the unit of prices does not matter: half the price is worth log 2. A block without
    a price counts as the dearest. Ways back from one state have equally many reactions, so these do not
    count. (Learning P_B from the prices of blocks: Cretu et al. 2024, arXiv:2405.01155.)

    Args:
        env: in whose library the prices are.

    Raises:
        ConfigError: no block has a price above 0.
    """
    known = torch.tensor(env.library.prices, dtype=torch.float64)
    known = torch.where(known > 0, known, torch.nan)
    if bool(known.isnan().all()):
        raise ConfigError(
            f"a reward of cheap ways needs prices, and none of the {env.n_blocks} building blocks has one;"
            " give them with `fluvial data prepare --price COLUMN`"
        )
    prices = torch.where(known.isnan(), known.nan_to_num(nan=0.0).max(), known)

    def reward(trajectories: Trajectories[Any]) -> Tensor:
        block = trajectories.actions - env.first_block
        price = prices.to(block.device)[block.clamp_min(0)]
        total = torch.where(trajectories.mask & (block >= 0), price, 0.0).sum(dim=0)
        return -total.log().to(torch.get_default_dtype())

    return reward
