"""Search by Euclidean distance: ``metric="l2"``."""

from __future__ import annotations

import copy
import pickle

import brute_force
import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from factorec import _core
from factorec.search import ItemIndex, SearchResult

ORIGINS = {"origin": 0.0, "far": 1e4, "so far that few digits are left": 1.6e7}


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def floats(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


def check(vectors, queries, n):
    result = ItemIndex(vectors, metric="l2").search(queries, n)
    brute_force.assert_result(result, brute_force.top_n(brute_force.distance_scores(queries, vectors), n), n)
    assert not np.isnan(result.scores).any()
    assert not (np.signbit(result.scores) & (result.scores == 0)).any()
    return result


@pytest.mark.parametrize("n_factors", [0, 1, 2, 3, 16, 31, 65, 300, 1041])
@pytest.mark.parametrize("n_items", [1, 31, 32, 33, 700])
def test_lists_are_exact(rng, n_items, n_factors):
    """Promise 1: to the bit what the definition gives."""
    check(floats(rng, n_items, n_factors), floats(rng, 17, n_factors), 40)


@pytest.mark.parametrize("n_queries", range(30))
def test_any_number_of_queries(rng, n_queries):
    check(floats(rng, 130, 7), floats(rng, n_queries, 7), 9)


def test_many_items_in_segments(rng):
    """Promise 1: where the other metrics have a first pass over codes, and few queries split the items."""
    vectors = rng.integers(-2, 3, (60_000, 20)).astype(np.float32)
    expected = brute_force.top_n(brute_force.distance_scores(vectors[:3], vectors), 300)
    index = ItemIndex(vectors, metric="l2")
    for n_jobs in (1, 2, 3, 8):
        brute_force.assert_result(index.search(vectors[:3], 300, n_jobs=n_jobs), expected, 300)


def test_it_finds_what_scikit_learn_finds(rng):
    """An independent implementation, in double precision."""
    vectors, queries = floats(rng, 900, 12), floats(rng, 40, 12)
    distances, positions = NearestNeighbors(n_neighbors=15, algorithm="kd_tree").fit(vectors).kneighbors(queries)
    result = ItemIndex(vectors, metric="l2").search(queries, 15)
    np.testing.assert_array_equal(result.ids, positions)
    np.testing.assert_allclose(-result.scores, distances**2, rtol=1e-5)


@pytest.mark.parametrize("origin", ORIGINS)
def test_far_from_the_origin_the_nearest_are_still_told_apart(rng, origin):
    """Differences do not cancel: the order is that of the stored vectors' distances in double precision."""
    vectors = (floats(rng, 500, 8) * 300).astype(np.float32) + np.float32(ORIGINS[origin])
    queries = (floats(rng, 20, 8) * 300).astype(np.float32) + np.float32(ORIGINS[origin])
    result = check(vectors, queries, 500)
    difference = queries.astype(np.float64)[:, None] - vectors.astype(np.float64)
    exact = (difference**2).sum(axis=2)
    found = np.take_along_axis(exact, result.ids, axis=1)
    np.testing.assert_allclose(-result.scores, found, rtol=2e-6)
    assert (np.diff(found, axis=1) >= -2e-6 * found[:, 1:]).all()


def test_an_item_is_nearest_to_itself(rng):
    vectors = floats(rng, 300, 5) * 10.0 ** rng.integers(-18, 18, (300, 1)).astype(np.float32)
    result = check(vectors, vectors, 3)
    np.testing.assert_array_equal(result.scores[:, 0], 0)


def test_duplicates_come_in_order_of_position(rng):
    vectors = floats(rng, 5, 4)[rng.integers(0, 5, 2500)]
    check(vectors, vectors[:9], 700)
    result = check(
        np.zeros((100, 3), np.float32) * rng.choice([-1, 1], (100, 3)).astype(np.float32), vectors[:2, :3], 9
    )
    np.testing.assert_array_equal(result.ids, np.tile(np.arange(9), (2, 1)))


@pytest.mark.parametrize("level", _core.available_simd_levels())
@pytest.mark.parametrize("scale", [1e-45, 1e-40, 1e-23, 1e-20, 1e18, 1e19, 3e38])
def test_underflow_and_overflow(rng, pinned, level, scale):
    """A distance that overflows is a score of -inf, also where the difference itself does; it is never NaN."""
    pinned(level)
    vectors = np.clip(floats(rng, 200, 6), -1, 1) * np.float32(scale)
    result = check(vectors, -vectors[:30], 200)
    if scale == 3e38:
        assert (result.scores == -np.inf).any()
        np.testing.assert_array_equal(result.counts, 200)
        all_infinite = check(np.full((70, 2), 3e38, np.float32), np.full((2, 2), -3e38, np.float32), 50)
        np.testing.assert_array_equal(all_infinite.ids, np.tile(np.arange(50), (2, 1)))


def test_every_level_finds_the_same_bits(rng, pinned):
    """Promise 9: each level that the machine has; promise 1: AVX2 and above agree to the bit."""
    vectors, queries = floats(rng, 700, 65), floats(rng, 50, 65)
    index = ItemIndex(vectors, metric="l2")
    results = []
    for level in _core.available_simd_levels():
        pinned(level)
        results.append(index.search(queries, 20))
        expected = brute_force.top_n(brute_force.distance_scores(queries, vectors), 20)
        brute_force.assert_result(results[-1], expected, 20)
    for other in results[2:]:
        brute_force.assert_same(results[1], other)


def test_filters(rng):
    """Promise 4: excluded items never appear."""
    vectors, queries = floats(rng, 400, 6), floats(rng, 25, 6)
    excluded, allowed = rng.random((25, 400)) < 0.5, rng.random(400) < 0.1
    excluded[3] = True
    result = ItemIndex(vectors, metric="l2").search(queries, 30, exclude=sparse.csr_array(excluded), items=allowed)
    scores = brute_force.distance_scores(queries, vectors)
    brute_force.assert_result(result, brute_force.top_n(scores, 30, excluded | ~allowed), 30)
    assert result.counts[3] == 0


def test_scores_do_not_depend_on_the_batch(rng):
    """Promise 1: the same bits for any batch, thread count and n."""
    index = ItemIndex(floats(rng, 6000, 65), metric="l2")
    queries = floats(rng, 300, 65)
    whole = index.search(queries, 50, n_jobs=1)
    brute_force.assert_same(whole, index.search(queries, 50, n_jobs=2))
    np.testing.assert_array_equal(index.search(queries, 7).ids, whole.ids[:, :7])
    for size in (1, 7, 100):
        parts = [index.search(queries[at : at + size], 50) for at in range(0, 300, size)]
        joined = SearchResult(*(np.concatenate([getattr(p, k) for p in parts]) for k in ("ids", "scores", "counts")))
        brute_force.assert_same(whole, joined)


@pytest.mark.parametrize("remake", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy])
def test_copies_give_the_same_bits(rng, remake):
    index = ItemIndex(floats(rng, 6000, 9), metric="l2")
    other = remake(index)
    assert repr(other) == "ItemIndex(n_items=6000, n_factors=9, metric='l2')"
    queries = floats(rng, 5, 9)
    brute_force.assert_same(index.search(queries, 20), other.search(queries, 20))
