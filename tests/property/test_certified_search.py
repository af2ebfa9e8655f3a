"""The certified search against brute force, on what its proof (docs/search.md) has to cover (promise 1).

Indexes are large enough for the quantised form. The oracle is independent: canonical scores in numpy for some of the
queries. All queries are compared with the float32 panels of another level, which test_search_property.py checks.
"""

from __future__ import annotations

import brute_force
import hard_searches
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from factorec import _core
from factorec.search import ItemIndex, SearchResult

ORACLE_MULTIPLY_ADDS = 2_500_000  # a problem's share of numpy
FACTORS = [0, 1, 3, 4, 5, 16, 17, 64, 65, 129, 300, 1040, 1041]


@st.composite
def problems(draw, kind):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_factors = draw(st.sampled_from(FACTORS))
    n_items = draw(st.integers(6_000, 9_000 if n_factors < 200 else 6_100))
    n_queries = draw(st.one_of(st.integers(1, 40), st.integers(1, 300 if n_factors < 200 else 40)))
    queries, vectors, offsets = hard_searches.draw(rng, kind, n_queries, n_items, n_factors)
    metric = "cosine" if offsets is None and draw(st.integers(0, 4)) == 0 else "inner_product"
    # Queries leave out none, some, most, all or only the best items.
    exclusion = draw(st.sampled_from([None, None, 0.001, 0.02, 0.6, 0.999, "all", "best"]))
    share = draw(st.sampled_from([None, None, None, 0.001, 0.5, 0.99]))
    allowed = None if share is None else rng.random(n_items) < share
    n = draw(st.sampled_from([1, 1, 10, 10, 100, 100, 1000, n_items + 5 if n_queries < 20 else 7]))
    return rng, queries, vectors, offsets, metric, exclusion, allowed, n


def draw_excluded(rng, exclusion, index, queries):
    """The excluded items as CSR: of each query a share, all, or its best 200."""
    shape = (len(queries), index.n_items)
    if exclusion is None:
        return None
    if exclusion == "best":
        rows = [row[row >= 0] for row in index.search(queries, 200).ids]
        indptr = np.cumsum([0, *map(len, rows)])
        return sparse.csr_array((np.ones(indptr[-1], np.int8), np.concatenate(rows), indptr), shape=shape)
    return sparse.csr_array(np.ones(shape, bool) if exclusion == "all" else rng.random(shape) < exclusion)


def at_level(level, function, *arguments, **options):
    active = _core.simd_level()
    try:
        _core.pin_simd_level(level)
        return function(*arguments, **options)
    finally:
        _core.pin_simd_level(active)


def normalised(vectors):
    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    return np.divide(wide, norms, out=wide.copy(), where=norms > 0).astype(np.float32)


def check_some(rng, result, queries, vectors, offsets, n, excluded, allowed):
    """Compare some rows with scores computed in numpy."""
    wanted = max(1, ORACLE_MULTIPLY_ADDS // (vectors.size + len(vectors)))
    rows = rng.permutation(len(queries))[:wanted]
    out = np.zeros((len(rows), len(vectors)), dtype=bool)
    if excluded is not None:
        out |= excluded[rows].toarray().astype(bool)
    if allowed is not None:
        out |= ~allowed
    expected = brute_force.top_n(brute_force.scores(queries[rows], vectors, offsets), n, out)
    part = SearchResult(result.ids[rows], result.scores[rows], result.counts[rows])
    brute_force.assert_result(part, expected, n)


@pytest.mark.parametrize("kind", hard_searches.KINDS)
@given(data=st.data(), n_jobs=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_certified_search_is_exact(kind, data, n_jobs):
    rng, queries, vectors, offsets, metric, exclusion, allowed, n = data.draw(problems(kind))
    index = ItemIndex(vectors, offsets=offsets, metric=metric, n_jobs=n_jobs)
    exclude = draw_excluded(rng, exclusion, index, queries)
    result = index.search(queries, n, exclude=exclude, items=allowed)
    if metric == "cosine":
        vectors, queries = normalised(vectors), normalised(queries)
    check_some(rng, result, queries, vectors, offsets, n, exclude, allowed)

    if _core.simd_level() not in ("baseline", "avx2"):
        plain = at_level("avx2", ItemIndex, vectors, offsets=offsets)
        brute_force.assert_same(result, at_level("avx2", plain.search, queries, n, exclude=exclude, items=allowed))

    # The same bits from parts of the batch, at another number of threads.
    start = data.draw(st.integers(0, len(queries) - 1))
    stop = data.draw(st.integers(start + 1, min(len(queries), start + 60)))
    part = ItemIndex(vectors, offsets=offsets).search(
        queries[start:stop],
        n,
        exclude=None if exclude is None else exclude[start:stop],
        items=allowed,
        n_jobs=n_jobs % 3 + 1,
    )
    whole = SearchResult(result.ids[start:stop], result.scores[start:stop], result.counts[start:stop])
    brute_force.assert_same(part, whole)
