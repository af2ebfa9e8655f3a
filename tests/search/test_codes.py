"""The index in codes, which larger ones are packed into: the same bits as from panels (promise 1)."""

from __future__ import annotations

import copy
import pickle

import brute_force
import numpy as np
import pytest
from scipy import sparse

from factorec import _core
from factorec.search import ItemIndex
from factorec.search._packed import MIN_CODED_ITEMS, Coded, Panels

CODING_LEVEL = "avx512_vnni"
LEVELS = _core.available_simd_levels()

pytestmark = pytest.mark.skipif(CODING_LEVEL not in LEVELS, reason="needs a CPU with AVX-512 VNNI")


@pytest.fixture(autouse=True)
def pinned():
    """Start at the level that packs codes; pin others until the test ends."""
    level = _core.simd_level()
    _core.pin_simd_level(CODING_LEVEL)
    yield _core.pin_simd_level
    _core.pin_simd_level(level)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def problem(rng, n_items, n_factors, n_queries=9, skew=0.0):
    vectors = rng.standard_normal((n_items, n_factors)) * np.exp(rng.normal(0, skew, (n_items, 1)))
    queries = rng.standard_normal((n_queries, n_factors))
    return queries.astype(np.float32), vectors.astype(np.float32), rng.standard_normal(n_items, dtype=np.float32)


@pytest.mark.parametrize(
    ("n_items", "n_factors", "form"),
    [
        (MIN_CODED_ITEMS - 1, 9, Panels),
        (MIN_CODED_ITEMS, 9, Coded),
        (MIN_CODED_ITEMS, _core.MAX_CODED_FACTORS, Coded),
        (MIN_CODED_ITEMS, _core.MAX_CODED_FACTORS + 1, Panels),
        (MIN_CODED_ITEMS, 0, Panels),
    ],
)
def test_which_form_is_packed(n_items, n_factors, form):
    assert type(ItemIndex(np.ones((n_items, n_factors), np.float32))._packed) is form


def test_levels_without_codes_pack_panels(pinned):
    pinned("avx512")
    assert type(ItemIndex(np.ones((MIN_CODED_ITEMS, 3), np.float32))._packed) is Panels


@pytest.mark.parametrize("skew", [0.0, 0.8], ids=["in the caller's order", "in bound order"])
def test_every_level_searches_codes(rng, pinned, skew):
    """Promises 1 and 9."""
    queries, vectors, offsets = problem(rng, 6000, 33, skew=skew)
    if skew == 0.0:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        offsets[:] = 0
    index = ItemIndex(vectors, offsets=offsets)
    assert (index._packed.positions is None) == (skew == 0.0)
    seen = rng.random((len(queries), len(vectors))) < 0.05
    for level in LEVELS:
        pinned(level)
        expected = brute_force.top_n(brute_force.scores(queries, vectors, offsets), 50, seen)
        brute_force.assert_result(index.search(queries, 50, exclude=sparse.csr_array(seen)), expected, 50)


@pytest.mark.parametrize("n_items", [*range(MIN_CODED_ITEMS, MIN_CODED_ITEMS + 34, 3), 8191, 8192, 8193])
def test_any_number_of_items(rng, n_items):
    """The last panel is full, has one item, or anything between."""
    queries, vectors, offsets = problem(rng, n_items, 5, 3)
    vectors[-1] = 100 * queries[0]
    expected = brute_force.top_n(brute_force.scores(queries, vectors, offsets), 40)
    brute_force.assert_result(ItemIndex(vectors, offsets=offsets).search(queries, 40), expected, 40)


@pytest.mark.parametrize("n", [1, 2, 10, 99, 100, 191, 192, 193, 1000, 5999, 6000, 7000])
def test_any_length_of_lists(rng, n):
    queries, vectors, offsets = problem(rng, 6000, 17, 4)
    expected = brute_force.top_n(brute_force.scores(queries, vectors, offsets), n)
    brute_force.assert_result(ItemIndex(vectors, offsets=offsets).search(queries, n), expected, n)


@pytest.mark.parametrize("n", [1, 10, 100, 700])
def test_equal_scores_come_in_order_of_position(n):
    """Bound order is not the caller's, and nothing separates the items."""
    vectors = np.ones((7000, 3), np.float32)
    vectors[::2] *= [2, -1, 2]  # longer, the same score: they come first in bound order
    index = ItemIndex(vectors)
    assert index._packed.positions is not None
    for n_jobs in (1, 2, 3):
        result = index.search(np.ones((13, 3), np.float32), n, n_jobs=n_jobs)
        np.testing.assert_array_equal(result.ids, np.tile(np.arange(n), (13, 1)))


def test_masks_and_exclusion_are_by_the_callers_positions(rng):
    """Promise 4, in bound order."""
    queries, vectors, offsets = problem(rng, 6000, 9, skew=1.0)
    index = ItemIndex(vectors, offsets=offsets)
    scores = brute_force.scores(queries, vectors, offsets)
    best = index.search(queries, 300).ids
    seen = np.zeros(scores.shape, bool)
    np.put_along_axis(seen, best, True, axis=1)
    seen[0], seen[1], seen[2] = True, False, np.arange(6000) != 4321
    allowed = rng.random(6000) < 0.3
    for mask in (None, allowed):
        out = seen if mask is None else seen | ~mask
        result = index.search(queries, 120, exclude=sparse.csr_array(seen), items=mask)
        brute_force.assert_result(result, brute_force.top_n(scores, 120, out), 120)


@pytest.mark.parametrize("remake", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy])
@pytest.mark.parametrize("metric", ["inner_product", "cosine"])
def test_copies_give_the_same_bits(rng, remake, metric):
    queries, vectors, offsets = problem(rng, 6000, 9, skew=1.0)
    index = ItemIndex(vectors, offsets=offsets if metric == "inner_product" else None, metric=metric)
    brute_force.assert_same(index.search(queries, 20), remake(index).search(queries, 20))


def test_a_pickle_holds_vectors_in_the_callers_order(rng, pinned):
    """So it can be read where codes cannot be used."""
    queries, vectors, offsets = problem(rng, 6000, 9, skew=1.0)
    index = ItemIndex(vectors, offsets=offsets)
    state = index.__getstate__()
    np.testing.assert_array_equal(state["vectors"], vectors)
    np.testing.assert_array_equal(state["offsets"], offsets)
    pinned("avx2")
    brute_force.assert_same(index.search(queries, 20), pickle.loads(pickle.dumps(index)).search(queries, 20))


def test_the_index_is_little_larger_than_the_vectors(rng):
    index = ItemIndex(np.ones((50_000, 65), np.float32) + rng.random((50_000, 1), dtype=np.float32))
    held = sum(array.nbytes for array in index._packed.items if array is not None)
    assert held <= 1.35 * 50_000 * 65 * 4
