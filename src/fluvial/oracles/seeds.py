"""Seeds that follow from the molecule, so that its score does not depend on what is scored beside it."""

from __future__ import annotations

from hashlib import blake2b

LARGEST = 2**31 - 1
"""What every tool takes as a seed."""


def seed_of(smiles: str, base: int, replicate: int = 0) -> int:
    """A number from 1 to 2^31 - 1, the same on every machine.

    Args:
        smiles: canonical, of what is scored; empty for a whole batch.
        base: of the target file.
        replicate: from 0.
    """
    digest = blake2b(f"{base}\n{replicate}\n{smiles}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % LARGEST + 1


def short_key(smiles: str) -> str:
    """20 letters and digits that stand for a molecule in names of files."""
    return f"mol{blake2b(smiles.encode(), digest_size=8).hexdigest()}"
