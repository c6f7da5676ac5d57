"""How the sampler departs from the policy in order to explore."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from fluvial.core.batch import Batch
from fluvial.core.categorical import Distribution
from fluvial.core.policy import Policy, PolicyOutput
from fluvial.core.types import Condition


@dataclass(frozen=True)
class Exploration:
    """Flatten by a temperature, then mix with the uniform distribution."""

    epsilon: float = 0.0
    """Probability of a uniform legal action, 0..1."""
    temperature: float = 1.0
    """> 0; above 1 flattens the policy."""

    def __call__(self, distribution: Distribution) -> Distribution:
        """The distribution that acts."""
        if self.temperature != 1.0:
            distribution = distribution.tempered(self.temperature)
        return distribution.mix_uniform(self.epsilon)


class Mixture:
    """Policy that takes each action from one policy or, with a given probability, from another.

    P_B and flow are those of the first.

    Args:
        first: the policy that is explored from.
        second: the other one.
        share: probability of an action of the second, 0..1; at 0 it is not asked.
    """

    def __init__(self, first: Policy, second: Policy, share: float) -> None:
        self.first, self.second, self.share = first, second, share
        self.learns_backward = first.learns_backward

    def __call__(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at the states."""
        output = self.first(states, condition)
        if self.share == 0.0:
            return output
        other = self.second(states, condition).forward
        return dataclasses.replace(output, forward=output.forward.mix(other, self.share))
