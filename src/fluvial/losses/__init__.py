"""Objectives as pure functions that return residuals."""
