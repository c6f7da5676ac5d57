"""Tensor records, the masked categorical, protocols and errors. Imports nothing else of this library."""
