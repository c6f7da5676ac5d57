"""Rules of drawing from a replay buffer: what is known of the stored objects in, slots out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError

LOSS_FLOOR = 0.01
"""What `by_loss` adds to each weight, in mean weights, so that no object is left out for good; arbitrary."""


@dataclass(frozen=True)
class Priority:
    """Which objects a draw prefers: the name of a rule, and its two numbers.

    Raises:
        ConfigError: an unknown rule, or a number out of range.
    """

    top_fraction: float = 0.1
    """Which fraction of the buffer is preferred by `top` and `newest`, 0..1, at least one object. Shen et al.
    2023."""
    top_share: float = 0.5
    """Which share of a draw comes from that fraction, 0..1; 0 draws uniformly. Shen et al. 2023."""
    kind: str = "top"
    """A key of `PRIORITIES`."""

    def __post_init__(self) -> None:
        if self.kind not in PRIORITIES:
            raise ConfigError(
                f"replay priority {self.kind!r} is unknown; choose one of {', '.join(PRIORITIES)}"
            )
        for name in ("top_fraction", "top_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} of a replay priority is {getattr(self, name)}; it must be 0 to 1")


@dataclass(frozen=True)
class Stock:
    """What is known of the N >= 1 objects in a buffer; row i is of slot i."""

    reward: Tensor
    """float64 [N], >= 0."""
    loss: Tensor
    """float64 [N], of the last training step that saw the object; nan where none did."""
    by_age: Tensor
    """int64 [N], the slots from the object stored last to the one stored first."""


Rule = Callable[[Stock, int, Priority, torch.Generator], Tensor]
"""Slots of n objects, with replacement, int64 [n] on the CPU; the generator may be on any device."""


def uniform(stock: Stock, n: int, priority: Priority, generator: torch.Generator) -> Tensor:
    """Each object alike."""
    return torch.randint(len(stock.reward), (n,), generator=generator, device=generator.device).cpu()


def top(stock: Stock, n: int, priority: Priority, generator: torch.Generator) -> Tensor:
    """A share of the best objects, the rest of the others (Shen et al. 2023, arXiv:2305.07170).

    Of equal rewards the lower slot counts as better.
    """
    order = stock.reward.argsort(descending=True, stable=True)
    return order[in_two_parts(len(order), n, priority, generator)]


def newest(stock: Stock, n: int, priority: Priority, generator: torch.Generator) -> Tensor:
    """A share of the objects stored last, the rest of the others.

    The probability falls with age as long as the share is larger than the fraction.
    """
    return stock.by_age[in_two_parts(len(stock.by_age), n, priority, generator)]


def by_reward(stock: Stock, n: int, priority: Priority, generator: torch.Generator) -> Tensor:
    """In proportion to the reward."""
    return in_proportion(stock.reward, n, generator)


def by_loss(stock: Stock, n: int, priority: Priority, generator: torch.Generator) -> Tensor:
    """In proportion to the size of the last loss plus a floor of `LOSS_FLOOR` mean weights.

    An object that was never trained on counts as the largest known one, so that it is drawn soon. The sign
    does not matter: the loss of a policy gradient is as surprising below 0 as above. In the spirit of Schaul
    et al. 2016, arXiv:1511.05952, section 3.3; without their importance weights, as the right flows are the
    minimum of the loss under every distribution of trajectories that leaves none out.
    """
    is_unknown = stock.loss.isnan()
    size = stock.loss.abs()
    known = size[~is_unknown]
    weight = size.masked_fill(is_unknown, known.max().item() if len(known) else 1.0)
    return in_proportion(weight + LOSS_FLOOR * weight.mean(), n, generator)


PRIORITIES: dict[str, Rule] = {
    "uniform": uniform,
    "top": top,
    "reward": by_reward,
    "loss": by_loss,
    "newest": newest,
}
"""How objects are drawn from a replay buffer, by name."""


def in_two_parts(size: int, n: int, priority: Priority, generator: torch.Generator) -> Tensor:
    """A share of the first of `size` places, then the rest of the others, uniform in each, int64 [n].

    Exactly `round(n * top_share)` draws are of the first. The rest is of everything where the share is 0 or
    there are no others.
    """
    n_first = max(1, round(size * priority.top_fraction))
    n_from_first = round(n * priority.top_share)
    device = generator.device
    first = torch.randint(n_first, (n_from_first,), generator=generator, device=device)
    start = n_first if n_from_first > 0 and n_first < size else 0
    others = torch.randint(start, size, (n - n_from_first,), generator=generator, device=device)
    return torch.cat([first, others]).cpu()


def in_proportion(weight: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Rows drawn in proportion to `weight` float64 [N] >= 0, uniformly where all are 0, int64 [n]."""
    largest = weight.max()
    # Scaled first, so that no sum of huge weights overflows.
    scaled = weight / largest if largest > 0.0 else torch.ones_like(weight)
    cumulative = scaled.cumsum(dim=0)
    total = cumulative[-1]
    level = torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device).cpu()
    # The product may round up to the total, which nothing exceeds.
    level = torch.minimum(level * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, level, right=True)
