"""Fluvial: GFlowNets that sample objects in proportion to a reward."""

__version__ = "0.1.0"
