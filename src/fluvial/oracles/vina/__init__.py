"""Docking with AutoDock Vina as an oracle."""
