from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from fluvial.chem.synthesis.clusters import cluster_count, clusters_of
from fluvial.chem.synthesis.library import embedded_library, packed_fingerprints


def test_there_are_about_as_many_clusters_as_blocks_in_one() -> None:
    assert [cluster_count(n) for n in (1, 4, 12, 1_000, 20_000, 1_000_000)] == [1, 2, 4, 32, 128, 1024]


def test_two_kinds_of_molecules_are_told_apart() -> None:
    acids = [f"OC(=O){'C' * n}" for n in range(1, 7)]
    arenes = [f"Brc1cc{ring}cc1" for ring in ("c", "n", "c(C)", "c(F)", "c(Cl)", "c(OC)")]
    mixed = [text for pair in zip(acids, arenes, strict=True) for text in pair]
    found = clusters_of(packed_fingerprints([Chem.MolFromSmiles(text) for text in mixed]), 2)
    assert len(set(found[::2])) == len(set(found[1::2])) == 1
    assert found[0] != found[1]


@pytest.mark.parametrize("n_clusters", [1, 2, 16, 64])
def test_clusters_are_of_one_size_and_of_alike_blocks(n_clusters: int) -> None:
    bits = embedded_library().fingerprints
    cluster = clusters_of(bits, n_clusters)
    sizes = np.bincount(cluster)
    assert len(sizes) == n_clusters
    assert sizes.max() - sizes.min() <= 1
    assert np.array_equal(cluster, clusters_of(bits.copy(), n_clusters))
    if n_clusters > 2:
        assert likeness(bits, cluster) > 1.5 * likeness(bits, np.random.default_rng(0).permutation(cluster))


def likeness(bits: np.ndarray, cluster: np.ndarray) -> float:
    """Mean Tanimoto similarity of two neighbours in the order of the clusters."""
    ordered = bits[np.argsort(cluster, kind="stable")]
    shared = np.bitwise_count(ordered[1:] & ordered[:-1]).sum(axis=1)
    return float((shared / np.bitwise_count(ordered[1:] | ordered[:-1]).sum(axis=1)).mean())


def test_blocks_that_are_all_alike_can_be_split() -> None:
    assert np.bincount(clusters_of(np.full((10, 16), 3, np.uint8), 4)).tolist() == [3, 2, 3, 2]
