"""Tools that score molecules against a target: Boltz, docking. Each is described by a target file."""
