"""How the sampler departs from the policy in order to explore."""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.core.categorical import MaskedCategorical


@dataclass(frozen=True)
class Exploration:
    """Flatten by a temperature, then mix with the uniform distribution."""

    epsilon: float = 0.0
    """Probability of a uniform legal action, 0..1."""
    temperature: float = 1.0
    """> 0; above 1 flattens the policy."""

    def __call__(self, distribution: MaskedCategorical) -> MaskedCategorical:
        """The distribution that acts."""
        if self.temperature != 1.0:
            distribution = distribution.tempered(self.temperature)
        return distribution.mix_uniform(self.epsilon)
