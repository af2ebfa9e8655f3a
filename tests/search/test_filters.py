"""What a search leaves out (promise 4: excluded items never appear, not even as filling)."""

from __future__ import annotations

import brute_force
import numpy as np
import pytest
from scipy import sparse

from factorec.search import ItemIndex

N_ITEMS, N_QUERIES, N_FACTORS = 400, 30, 7


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((N_ITEMS, N_FACTORS), dtype=np.float32)
    queries = rng.standard_normal((N_QUERIES, N_FACTORS), dtype=np.float32)
    seen = rng.random((N_QUERIES, N_ITEMS)) < 0.3
    return ItemIndex(vectors), queries, seen, brute_force.scores(queries, vectors)


def test_excluded_items_are_looked_up_by_structure(problem):
    """A stored 0 excludes."""
    index, queries, seen, scores = problem
    matrix = sparse.csr_array(seen.astype(np.float32))
    matrix.data[:] = 0
    result = index.search(queries, 50, exclude=matrix)
    brute_force.assert_result(result, brute_force.top_n(scores, 50, seen), 50)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix, sparse.lil_array])
@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.float64])
def test_any_sparse_matrix(problem, make, dtype):
    index, queries, seen, scores = problem
    result = index.search(queries, 20, exclude=make(seen.astype(dtype)))
    brute_force.assert_result(result, brute_force.top_n(scores, 20, seen), 20)


def test_unsorted_and_repeated_entries(problem):
    index, queries, seen, scores = problem
    rows = [np.flatnonzero(row)[::-1].repeat(2) for row in seen]
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate(rows)
    matrix = sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=seen.shape)
    before = indices.copy()
    result = index.search(queries, 20, exclude=matrix)
    brute_force.assert_result(result, brute_force.top_n(scores, 20, seen), 20)
    np.testing.assert_array_equal(matrix.indices, before)  # the caller's matrix is not touched


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_either_index_type(problem, dtype):
    index, queries, seen, scores = problem
    matrix = sparse.csr_array(seen)
    matrix.indices, matrix.indptr = matrix.indices.astype(dtype), matrix.indptr.astype(dtype)
    result = index.search(queries, 20, exclude=matrix)
    brute_force.assert_result(result, brute_force.top_n(scores, 20, seen), 20)


def test_everything_excluded(problem):
    index, queries, _, _ = problem
    result = index.search(queries, 5, exclude=sparse.csr_array(np.ones((N_QUERIES, N_ITEMS))))
    np.testing.assert_array_equal(result.ids, -1)
    np.testing.assert_array_equal(result.scores, -np.inf)
    np.testing.assert_array_equal(result.counts, 0)


def test_fewer_items_left_than_asked_for(problem):
    index, queries, _, scores = problem
    seen = np.ones((N_QUERIES, N_ITEMS), bool)
    for row in range(N_QUERIES):
        seen[row, row : 2 * row] = False
    result = index.search(queries, 12, exclude=sparse.csr_array(seen))
    np.testing.assert_array_equal(result.counts, np.minimum(np.arange(N_QUERIES), 12))
    brute_force.assert_result(result, brute_force.top_n(scores, 12, seen), 12)


@pytest.mark.parametrize("as_mask", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_all_filters_together(problem, share, as_mask):
    index, queries, seen, scores = problem
    rng = np.random.default_rng(5)
    allowed, removed = rng.random(N_ITEMS) < share, rng.random(N_ITEMS) < 0.3
    out = seen | ~allowed | removed
    items, exclude_items = (
        (allowed, removed) if as_mask else (rng.permutation(np.flatnonzero(allowed)), np.flatnonzero(removed).repeat(2))
    )
    result = index.search(queries, 40, exclude=sparse.csr_array(seen), items=items, exclude_items=exclude_items)
    brute_force.assert_result(result, brute_force.top_n(scores, 40, out), 40)


def test_global_filters_alone(problem):
    index, queries, _, scores = problem
    out = np.zeros(scores.shape, bool)
    out[:, [0, 31, 32, 399]] = True
    expected = brute_force.top_n(scores, 40, out)
    brute_force.assert_result(index.search(queries, 40, exclude_items=[0, 31, 32, 399]), expected, 40)
    expected = brute_force.top_n(scores, 40, ~out)
    brute_force.assert_result(index.search(queries, 40, items=[0, 31, 32, 399]), expected, 40)
    assert (index.search(queries, 40, items=[]).counts == 0).all()
    brute_force.assert_result(index.search(queries, 40, exclude_items=[]), brute_force.top_n(scores, 40), 40)


def test_excluded_items_in_segments():
    """Few queries over many items: every part walks its own stretch of the excluded items."""
    rng = np.random.default_rng(1)
    vectors = rng.integers(-2, 3, (60_000, 40)).astype(np.float32)
    seen = rng.random((2, len(vectors))) < [[0.2], [0.999]]
    index = ItemIndex(vectors)
    expected = brute_force.top_n(brute_force.scores(vectors[:2], vectors), 100, seen)
    for n_jobs in (1, 2, 5):
        result = index.search(vectors[:2], 100, exclude=sparse.csr_array(seen), n_jobs=n_jobs)
        brute_force.assert_result(result, expected, 100)
