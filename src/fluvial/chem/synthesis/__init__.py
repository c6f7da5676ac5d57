"""Synthesis: reaction templates, building blocks, the library of both, parents of molecules, and routes."""
