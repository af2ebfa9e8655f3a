"""Random projections: against the definition, their spread, and bits that stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import hadamard

from factorec.errors import DataError
from factorec.sagemaker._projection import RandomProjection

KINDS = ["sign", "fjlt"]


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def matrix_of(projection):
    """The map's matrix (n_features, target), row by row of the identity."""
    return projection.transform(np.eye(projection.n_features)).astype(np.float64)


@pytest.mark.parametrize(("n_features", "target"), [(2, 1), (5, 3), (64, 20), (100, 99)])
def test_signs_are_signs(n_features, target):
    matrix = matrix_of(RandomProjection("sign", n_features, target, 1)) * np.sqrt(target)
    np.testing.assert_allclose(np.abs(matrix), 1, rtol=1e-6)
    assert n_features < 50 or abs(matrix.mean()) < 0.1


@pytest.mark.parametrize(("n_features", "target"), [(2, 1), (5, 3), (64, 20), (100, 99), (3, 4), (5, 12)])
def test_fjlt_is_rows_of_a_hadamard_matrix_with_flipped_columns(n_features, target):
    matrix = matrix_of(RandomProjection("fjlt", n_features, target, 2)) * np.sqrt(target)
    width = max(2, 1 << (max(n_features, target) - 1).bit_length())
    full = hadamard(width)[:, :n_features]
    flips = np.sign(matrix)
    rows = (flips * flips[0]).T  # up to the sign of the first feature
    candidates = np.sign(full * full[:, :1])
    # There are signs s with rows[t] = candidates[r(t)] * s: the product of two rows does without them.
    drawn = {tuple(row) for row in (candidates[:, None] * candidates[None, :]).reshape(-1, n_features).tolist()}
    assert all(tuple((rows[0] * row).tolist()) in drawn for row in rows)
    np.testing.assert_allclose(np.abs(matrix), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_inner_products_and_distances_are_nearly_kept(rng, kind):
    """Unbiased over seeds, with the spread of the theory: |x|^2 has the relative variance 2 / target at most."""
    x, y = rng.standard_normal(40), rng.standard_normal(40)
    maps = [RandomProjection(kind, 40, 25, seed) for seed in range(800)]
    a, b = (np.array([m.transform(v[None])[0] for m in maps], dtype=np.float64) for v in (x, y))
    products, distances = (a * b).sum(axis=1), ((a - b) ** 2).sum(axis=1)
    assert abs(products.mean() - x @ y) < 0.05 * np.linalg.norm(x) * np.linalg.norm(y)
    exact = ((x - y) ** 2).sum()
    assert abs(distances.mean() / exact - 1) < 0.05
    assert distances.std() / exact < 1.3 * np.sqrt(2 / 25)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_s_bits_depend_on_nothing_else(rng, kind, monkeypatch):
    rows = rng.standard_normal((60, 33)).astype(np.float32) * (rng.random((60, 33)) < 0.5)
    projection = RandomProjection(kind, 33, 9, 5)
    whole = projection.transform(rows)
    np.testing.assert_array_equal(whole, projection.transform(sparse.csr_array(rows)))
    np.testing.assert_array_equal(whole, np.concatenate([projection.transform(row[None]) for row in rows]))
    monkeypatch.setattr("factorec.sagemaker._projection._CHUNK_VALUES", 200)
    np.testing.assert_array_equal(whole, RandomProjection(kind, 33, 9, 5).transform(rows))
    assert (whole != RandomProjection(kind, 33, 9, 6).transform(rows)).any()
    assert projection.transform(rows[:0]).shape == (0, 9)


SIGNS = [[1, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 1]]
FJLT = [[1, 1, 1], [0, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_a_seed_means_the_same_map_for_ever():
    """What an artifact's seed stands for may never change."""
    signs = matrix_of(RandomProjection("sign", 4, 3, 7)) > 0
    assert signs.astype(int).tolist() == SIGNS
    fjlt = matrix_of(RandomProjection("fjlt", 4, 3, 7)) > 0
    assert fjlt.astype(int).tolist() == FJLT


@pytest.mark.parametrize(("kind", "n_features"), [("sign", 2**28), ("fjlt", 2**25), ("sign", 2**60), ("fjlt", 2**60)])
def test_maps_that_are_too_large_take_no_memory(kind, n_features):
    with pytest.raises(DataError, match="too large"):
        RandomProjection(kind, n_features, 100, 0)
