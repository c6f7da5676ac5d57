"""What each trajectory is asked to aim for: pieces that are drawn and shown to the networks side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.core.types import Condition
from fluvial.rewards.focus import Focus, Learned
from fluvial.rewards.preferences import Preferences
from fluvial.rewards.property_targets import AskedLogZ, PropertyTargets
from fluvial.rewards.target import Target, cosines
from fluvial.rewards.temperature import Temperature

SUM_TOLERANCE = 1e-4
"""How far given weights may sum from 1: what float32 loses on thousands of terms."""


class Piece(Protocol):
    """One field of a condition: how it is drawn, and what the networks see of it."""

    @property
    def encoding_width(self) -> int:
        """Columns of the encoding; 0 where there is nothing to tell."""
        ...

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Values of `n` trajectories, float64 [n, ...] on the generator's device."""
        ...

    def encode(self, values: Tensor, /) -> Tensor:
        """The encoding of values float [n, ...], float [n, encoding_width]."""
        ...


class Memory(Protocol):
    """Something that changes while a run goes on."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly: plain values and tensors."""
        ...

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Continue from `state_dict`."""
        ...


@dataclass(frozen=True)
class Asked:
    """What is asked for of all trajectories alike; the rest is drawn as in training."""

    beta: float | None = None
    weights: tuple[float, ...] | None = None
    """K weights, at least 0, that sum to 1."""
    focus: tuple[float, ...] | None = None
    """Direction in the space of the K terms."""
    target: tuple[float | None, ...] | None = None
    """Values of the P properties; None = drawn."""
    log_z: float | None = None


NOTHING_ASKED = Asked()


@dataclass(frozen=True)
class Conditions:
    """The pieces of a condition, in the order of their encodings: beta, weights, focus, target, log Z."""

    beta: Temperature = field(default_factory=Temperature)
    weights: Preferences | None = None
    focus: Focus | None = None
    target: PropertyTargets | None = None
    log_z: AskedLogZ | None = None

    @property
    def pieces(self) -> dict[str, Piece]:
        """Field of `Condition` to the piece that fills it, those that there are."""
        named: dict[str, Piece | None] = {
            "beta": self.beta,
            "weights": self.weights,
            "focus": self.focus,
            "target": self.target,
            "log_z": self.log_z,
        }
        return {name: piece for name, piece in named.items() if piece is not None}

    @property
    def encoding_width(self) -> int:
        """Columns of `Condition.encoding`."""
        return sum(piece.encoding_width for piece in self.pieces.values())

    def sample(self, n: int, generator: torch.Generator, asked: Asked = NOTHING_ASKED) -> Condition:
        """Conditions of `n` trajectories on the generator's device; what is not asked for is drawn.

        Raises:
            ConfigError: something is asked for that no piece stands for, or a number out of range.
        """
        self._require_known(asked)
        drawn = {name: piece.draw(n, generator) for name, piece in self.pieces.items()}
        return self._condition(drawn | self._given(asked, drawn))

    def fixed(self, n: int, beta: float, device: torch.device | str = "cpu") -> Condition:
        """The same condition `n` times: the given beta, and the middle of everything else.

        Raises:
            ConfigError: beta is not a positive number.
        """
        named = {"weights": self.weights, "focus": self.focus, "target": self.target, "log_z": self.log_z}
        middle = {name: piece.middle() for name, piece in named.items() if piece is not None}
        parts = {"beta": _beta(beta), **middle}
        return self._condition({name: part.to(device).expand(n, *part.shape) for name, part in parts.items()})

    def middle(self, asked: Asked = NOTHING_ASKED) -> Condition:
        """One trajectory: what is asked for, and the middle of everything else.

        Raises:
            ConfigError: as `sample`.
        """
        self._require_known(asked)
        fields = _fields(self.fixed(1, self.beta.middle() if asked.beta is None else asked.beta))
        return self._condition(fields | self._given(asked, fields))

    def at(self, weights: Tensor, beta: float | None = None) -> Condition:
        """One trajectory for each row of `weights` float [n, K], on their device; the middle of the rest.

        Raises:
            ConfigError: another number of terms, or a row that is negative somewhere or does not sum to 1.
        """
        _require_weights(weights, 0 if self.weights is None else self.weights.n_terms)
        condition = self.fixed(len(weights), self.beta.middle() if beta is None else beta, weights.device)
        return self._condition({**_fields(condition), "weights": weights.double()})

    def others(self, condition: Condition, n_samples: int, generator: torch.Generator) -> Condition:
        """Each of M conditions followed by n_samples - 1 with other weights, M * n_samples rows.

        All but the weights stays that of the row.

        Args:
            condition: M rows of this source.
            n_samples: J, at least 1.
            generator: of all draws.

        Raises:
            ConfigError: `n_samples` is less than 1, or there are no preferences.
        """
        if n_samples < 1 or self.weights is None:
            raise ConfigError(f"preferences: n_samples = {n_samples} must be at least 1, of some preferences")
        own, n_rows = condition.weights, len(condition)
        drawn = self.weights.draw(n_rows * (n_samples - 1), generator).to(own)
        weights = torch.cat([own[:, None], drawn.reshape(n_rows, n_samples - 1, own.shape[1])], dim=1)
        return self._condition({**_fields(condition.repeat(n_samples)), "weights": weights.flatten(0, 1)})

    def met(self, condition: Condition, values: Tensor) -> None:
        """Take note of what trajectories were asked for, and of the terms float [B, K] of what they made."""
        if self.focus is not None and isinstance(self.focus.directions, Learned):
            self.focus.directions.record(condition.focus, values[:, : self.focus.n_terms])

    def in_hindsight(
        self, condition: Condition, values: Tensor, target: Target, share: float, generator: torch.Generator
    ) -> Condition:
        """Conditions as if what was met had been asked for, in a share of those rows that missed it.

        A focus region that was missed becomes that of the object's own terms, and properties further from
        what was asked than their width are asked for as they are, if they are in their range. Nothing is
        changed where an object has no terms, or only 0.

        Args:
            condition: [B].
            values: float [B, K + P], the terms and properties of the objects.
            target: has the cone and the widths.
            share: 0 to 1.
            generator: of one draw for each row.
        """
        place = torch.rand(len(condition), generator=generator, dtype=torch.float64, device=generator.device)
        is_chosen = place.to(values.device) < share
        if self.focus is not None:
            terms = values[:, : self.focus.n_terms]
            is_missed = cosines(terms, condition.focus) < target.cone.cosine
            is_known = terms.isfinite().all(dim=1) & (terms > 0.0).any(dim=1)
            direction = terms / torch.where(is_known, terms.norm(dim=1), 1.0)[:, None]
            condition = self.relabelled(condition, is_chosen & is_missed & is_known, focus=direction)
        if self.target is not None:
            met = values[:, values.shape[1] - len(self.target.parts) :]
            miss = (met - condition.target).abs() > met.new_tensor(target.widths)
            is_near = self.target.contains(met)
            asked = torch.where(miss & is_near, met, condition.target.to(met))
            condition = self.relabelled(condition, is_chosen & (miss & is_near).any(dim=1), target=asked)
        return condition

    @property
    def memories(self) -> dict[str, Memory]:
        """What was learned of the conditions themselves, by name; a checkpoint keeps it."""
        if self.focus is not None and isinstance(self.focus.directions, Learned):
            return {"focus": self.focus.directions.memory}
        return {}

    def relabelled(self, condition: Condition, is_new: Tensor, **fields: Tensor) -> Condition:
        """The condition with other fields in the rows `is_new` bool [B], shown anew to the networks."""
        before = _fields(condition)
        changed = {
            name: torch.where(is_new[:, None], value.to(before[name]), before[name])
            for name, value in fields.items()
        }
        return self._condition({**before, **changed}).where(is_new, condition)

    def _condition(self, fields: dict[str, Tensor]) -> Condition:
        dtype = torch.get_default_dtype()
        encoding = torch.cat(
            [piece.encode(fields[name]).to(dtype) for name, piece in self.pieces.items()],
            dim=1,
        )
        nothing = encoding[:, :0]
        parts = {name: fields.get(name, nothing).to(dtype) for name in FIELDS}
        return Condition(encoding, **parts)

    def _require_known(self, asked: Asked) -> None:
        for name in FIELDS:
            if getattr(asked, name) is not None and name not in self.pieces:
                raise ConfigError(
                    f"{WORDS[name]} cannot be asked for, since the run was not trained on it;"
                    f" train one with condition.{KEYS[name]}"
                )

    def _given(self, asked: Asked, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is asked for, each like what would have been drawn."""
        given: dict[str, Tensor] = {}
        if asked.beta is not None:
            given["beta"] = _beta(asked.beta).expand(len(drawn["beta"]))
        if asked.weights is not None:
            row = torch.tensor([asked.weights], dtype=torch.float64)
            _require_weights(row, drawn["weights"].shape[1])
            given["weights"] = row.expand_as(drawn["weights"])
        if asked.focus is not None:
            given["focus"] = _row(asked.focus, drawn["focus"])
        if asked.target is not None:
            row = _row(tuple(math.nan if part is None else part for part in asked.target), drawn["target"])
            given["target"] = torch.where(row.isnan(), drawn["target"].cpu(), row)
        if asked.log_z is not None:
            given["log_z"] = _row((asked.log_z,), drawn["log_z"])
        return {name: value.to(drawn[name]) for name, value in given.items()}


FIELDS = ("beta", "weights", "focus", "target", "log_z")
"""Fields of `Condition` after the encoding."""
WORDS = {
    "beta": "a sharpness",
    "weights": "a preference",
    "focus": "a focus",
    "target": "a target",
    "log_z": "a log Z",
}
KEYS = {"beta": "beta", "weights": "preference", "focus": "focus", "target": "target", "log_z": "log_z"}
"""Section of the configuration that makes a piece."""


def _fields(condition: Condition) -> dict[str, Tensor]:
    return {name: getattr(condition, name) for name in FIELDS}


def _row(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor([numbers], dtype=torch.float64).expand_as(like)


def _beta(beta: float) -> Tensor:
    if not (math.isfinite(beta) and beta > 0.0):
        raise ConfigError(f"beta = {beta:g} must be greater than 0")
    return torch.tensor(beta, dtype=torch.float64)


def _require_weights(weights: Tensor, n_terms: int) -> None:
    if weights.dim() != 2 or weights.shape[1] != n_terms:
        raise ConfigError(
            f"preferences: weights of shape {list(weights.shape)} were given; give [n, {n_terms}],"
            " a row for each trajectory and a column for each reward term"
        )
    is_good = (weights >= 0.0).all(dim=1) & ((weights.sum(dim=1) - 1.0).abs() <= SUM_TOLERANCE)
    if not bool(is_good.all()):
        worst = weights[~is_good][0].tolist()
        raise ConfigError(f"preferences: the weights {worst} must be at least 0 each and sum to 1")
