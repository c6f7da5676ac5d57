"""A policy with weights."""

from __future__ import annotations

from torch import nn


class PolicyModule(nn.Module):
    """Called as `fluvial.core.policy.Policy` says: policy(states, condition) gives a `PolicyOutput`."""

    learns_backward: bool
    """Whether P_B is learned; else it is uniform, and no network need be asked for it."""
