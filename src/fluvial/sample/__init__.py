"""Rollout, backward rollout, retrace and score."""
