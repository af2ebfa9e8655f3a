"""The index: order, lists, metrics, pickling."""

from __future__ import annotations

import copy
import pickle

import brute_force
import numpy as np
import pytest

from factorec import _core
from factorec.search import ItemIndex, SearchResult


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def floats(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


def check(vectors, queries, n, offsets=None):
    result = ItemIndex(vectors, offsets=offsets).search(queries, n)
    expected = brute_force.top_n(brute_force.scores(queries, vectors, offsets), n)
    brute_force.assert_result(result, expected, n)
    return result


def test_fused_multiply_add_of_the_oracle():
    """The oracle itself, on sums that two roundings get wrong."""
    one = np.float32(1)
    ulp = np.float32(2**-23)
    # 1 + 2^-24 + 2^-60 lies above the middle of two floats; rounded to double first, it is the middle.
    a, b, c = np.float32(2**-30), np.float32(2**-30), np.float32(one + 2 * ulp)
    tie = np.array([c], dtype=np.float64) + 2.0**-24
    assert tie.astype(np.float32)[0] == c
    x = np.array([np.float32(1 + 2**-12)])  # x * x = 1 + 2^-11 + 2^-24
    got = brute_force.fused_multiply_add(x, x, np.array([np.float32(2**-60)]))
    assert got[0] == np.float32(1 + 2**-11) + ulp
    assert brute_force.fused_multiply_add(np.array([a]), np.array([b]), np.array([c]))[0] == c


def test_result_unpacks_and_has_the_documented_types(rng):
    result = check(floats(rng, 20, 5), floats(rng, 3, 5), 4)
    assert isinstance(result, SearchResult)
    ids, scores = result
    assert ids is result.ids
    assert scores is result.scores
    assert len(result) == 3


@pytest.mark.parametrize("n_factors", [*range(20), 31, 32, 33, 64, 65, 127, 129, 300])
def test_any_number_of_factors(rng, n_factors):
    """Promise 1: exact."""
    check(floats(rng, 150, n_factors), floats(rng, 9, n_factors), 30, floats(rng, 150))


@pytest.mark.parametrize("n_queries", [*range(40), 95, 96, 97, 239, 240, 241, 500])
def test_any_number_of_queries(rng, n_queries):
    """Promise 1: blocks and groups of queries do not show."""
    check(floats(rng, 70, 6), floats(rng, n_queries, 6), 5)


@pytest.mark.parametrize("n_items", [*range(1, 70), 255, 256, 257, 2047, 2048, 2049])
def test_any_number_of_items(rng, n_items):
    """Promise 1: panels and tiles of items do not show."""
    check(floats(rng, n_items, 4), floats(rng, 5, 4), 40)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 99, 100, 101, 191, 192, 193, 1000, 2999, 3000, 3001, 5000])
def test_any_length_of_lists(rng, n):
    """Promise 1: sorting by ranks and by digits, with and without selection."""
    check(floats(rng, 3000, 3), floats(rng, 4, 3), n)


@pytest.mark.parametrize("n", [1, 10, 100, 700])
def test_equal_scores_come_in_order_of_position(n):
    """Promise 1: ties across panels, tiles and selections."""
    result = ItemIndex(np.ones((2500, 3), np.float32)).search(np.ones((13, 3), np.float32), n)
    np.testing.assert_array_equal(result.ids, np.tile(np.arange(n), (13, 1)))


ORDERS = {
    "rising": lambda i: i,
    "falling": lambda i: -i,
    "two values": lambda i: i % 2,
    "steps": lambda i: i // 700,  # ties at the last place, then many better items
    "better by the last bit": lambda i: 1 + (i % 1000 == 999) * 2.0**-23,
    "neighbouring floats": lambda i: 1 + i * 2.0**-23,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [7, 150, 600])
def test_orders_that_are_hard_on_selection(order, n):
    """Promise 1: every item passes the threshold, just passes it, or a tie stands at the last place."""
    values = ORDERS[order](np.arange(5000)).astype(np.float32)
    check(values[:, None], np.array([[1], [-1], [0]], np.float32), n)


def test_one_query_over_many_items_in_segments(rng):
    """Promise 1: few queries split the items among threads."""
    vectors = rng.integers(-1, 2, (60_000, 40)).astype(np.float32)
    index = ItemIndex(vectors)
    queries = vectors[:3]
    expected = brute_force.top_n(brute_force.scores(queries, vectors), 300)
    for n_jobs in (1, 2, 3, 8):
        brute_force.assert_result(index.search(queries, 300, n_jobs=n_jobs), expected, 300)


def test_scores_do_not_depend_on_the_batch(rng):
    """Promise 1: the same bits for any batch and thread count."""
    index = ItemIndex(floats(rng, 3000, 65))
    queries = floats(rng, 300, 65)
    whole = index.search(queries, 50, n_jobs=1)
    brute_force.assert_same(whole, index.search(queries, 50, n_jobs=2))
    for size in (1, 7, 100):
        parts = [index.search(queries[at : at + size], 50) for at in range(0, 300, size)]
        joined = SearchResult(*(np.concatenate([getattr(p, k) for p in parts]) for k in ("ids", "scores", "counts")))
        brute_force.assert_same(whole, joined)


def test_every_level_finds_the_same_items(rng, pinned):
    """Promise 9: each level that the machine has; promise 1: AVX2 and above agree to the bit."""
    vectors, queries, offsets = floats(rng, 700, 65), floats(rng, 50, 65), floats(rng, 700)
    index = ItemIndex(vectors, offsets=offsets)
    results = []
    for level in _core.available_simd_levels():
        pinned(level)
        results.append(index.search(queries, 20))
        expected = brute_force.top_n(brute_force.scores(queries, vectors, offsets), 20)
        brute_force.assert_result(results[-1], expected, 20)
    for other in results[2:]:
        brute_force.assert_same(results[1], other)
    np.testing.assert_allclose(results[0].scores, results[-1].scores, rtol=1e-5)


def test_no_score_is_minus_zero():
    """Promise 1: -0 and +0 are one score, so that position alone decides."""
    vectors = np.array([[-1e-30], [0.0], [-0.0], [1e-30]], np.float32)
    result = ItemIndex(vectors, offsets=np.array([-0.0, 0.0, -0.0, 0.0])).search(
        np.array([[1e-30], [-1e-30], [0.0]], np.float32), 4
    )
    np.testing.assert_array_equal(result.ids, np.tile([0, 1, 2, 3], (3, 1)))
    assert not np.signbit(result.scores).any()


@pytest.mark.parametrize("level", _core.available_simd_levels())
def test_overflow_ranks_infinities_and_drops_nan(pinned, level):
    """Promise 6: nothing is NaN. A fused chain stays infinite; products that overflow give NaN."""
    pinned(level)
    vectors = np.array([[1e30, 1e30], [1e30, -1e30], [-1e30, -1e30], [1, 1]], np.float32)
    result = ItemIndex(vectors).search(np.array([[1e30, 1e30]], np.float32), 4)
    ids, scores = ([0, 3, 2, -1], [np.inf, 2e30]) if level == "baseline" else ([0, 1, 3, 2], [np.inf, np.inf, 2e30])
    np.testing.assert_array_equal(result.ids[0], ids)
    scores += [-np.inf] * (4 - len(scores))
    np.testing.assert_array_equal(result.scores[0], np.array(scores, np.float32))
    assert result.counts[0] == np.count_nonzero(np.array(ids) >= 0)


def test_many_infinite_scores_keep_their_order():
    result = ItemIndex(np.full((2000, 2), 1e30, np.float32)).search(np.full((3, 2), 1e30, np.float32), 60)
    np.testing.assert_array_equal(result.ids, np.tile(np.arange(60), (3, 1)))
    result = ItemIndex(np.full((2000, 2), -1e30, np.float32)).search(np.full((3, 2), 1e30, np.float32), 60)
    np.testing.assert_array_equal(result.ids, np.tile(np.arange(60), (3, 1)))
    np.testing.assert_array_equal(result.counts, 60)


def test_no_items():
    result = ItemIndex(np.empty((0, 3), np.float32)).search(np.ones((2, 3), np.float32), 2)
    np.testing.assert_array_equal(result.ids, -1)
    np.testing.assert_array_equal(result.counts, 0)


def test_no_queries(rng):
    result = ItemIndex(floats(rng, 5, 3)).search(np.empty((0, 3), np.float32), 2)
    assert result.ids.shape == result.scores.shape == (0, 2)


def test_float64_and_strided_arrays_are_taken(rng):
    vectors, queries = rng.standard_normal((50, 12))[:, ::2], rng.standard_normal((6, 12)).T[::2].T
    result = ItemIndex(vectors).search(queries, 5)
    expected = brute_force.scores(queries.astype(np.float32), vectors.astype(np.float32))
    brute_force.assert_result(result, brute_force.top_n(expected, 5), 5)


def test_the_index_keeps_no_view_of_its_input(rng):
    vectors = floats(rng, 40, 3)
    index = ItemIndex(vectors)
    before = index.search(vectors[:2].copy(), 5)
    queries = vectors[:2].copy()
    vectors[:] = 0
    brute_force.assert_same(before, index.search(queries, 5))


def normalised(vectors):
    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide * wide).sum(axis=1))
    return np.divide(wide, norms[:, None], out=np.zeros_like(wide), where=norms[:, None] > 0).astype(np.float32)


def test_cosine(rng):
    vectors = floats(rng, 300, 8) * 10.0 ** rng.integers(-30, 30, (300, 1)).astype(np.float32)
    queries = floats(rng, 20, 8) * 10.0 ** rng.integers(-30, 30, (20, 1)).astype(np.float32)
    result = ItemIndex(vectors, metric="cosine").search(queries, 300)
    exact = normalised(queries).astype(np.float64) @ normalised(vectors).T.astype(np.float64)
    np.testing.assert_allclose(result.scores, -np.sort(-exact, axis=1), atol=1e-6)
    assert (np.abs(result.scores) <= 1 + 1e-6).all()


def test_cosine_of_zero_vectors_is_zero():
    vectors = np.array([[0, 0], [3, 4], [-3, -4]], np.float32)
    result = ItemIndex(vectors, metric="cosine").search(np.array([[6, 8], [0, 0]], np.float32), 3)
    np.testing.assert_array_equal(result.ids, [[1, 0, 2], [0, 1, 2]])
    np.testing.assert_allclose(result.scores, [[1, 0, -1], [0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"metric": "cosine"}, {"offsets": np.linspace(-1, 1, 77)}])
@pytest.mark.parametrize("remake", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy])
def test_copies_give_the_same_bits(rng, arguments, remake):
    index = ItemIndex(floats(rng, 77, 9), n_jobs=1, **arguments)
    other = remake(index)
    assert repr(other) == repr(index) == f"ItemIndex(n_items=77, n_factors=9, metric={index.metric!r})"
    assert other.n_jobs == 1
    queries = floats(rng, 5, 9)
    brute_force.assert_same(index.search(queries, 20), other.search(queries, 20))


def test_a_pickle_holds_no_packed_panels(rng):
    """Packed panels are a cache: never pickled."""
    state = ItemIndex(floats(rng, 3, 2)).__getstate__()
    assert state["vectors"].shape == (3, 2)
    assert sorted(state) == ["metric", "n_jobs", "offsets", "vectors"]
