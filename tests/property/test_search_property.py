"""Search against brute force (promise 1: exact; promise 4: filters leak nothing)."""

from __future__ import annotations

import brute_force
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from factorec import _core
from factorec.search import ItemIndex

KINDS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "negative": lambda rng, shape: -np.abs(rng.standard_normal(shape)),
    "equal": lambda rng, shape: np.ones(shape),
    "ties": lambda rng, shape: rng.integers(-1, 2, shape),
    "few rows": lambda rng, shape: rng.standard_normal((3, shape[1]))[rng.integers(0, 3, shape[0])],
    "zeros": lambda rng, shape: np.zeros(shape) * rng.choice([-1, 1], shape),
    "denormal": lambda rng, shape: rng.standard_normal(shape) * 1e-40,
    "tiny products": lambda rng, shape: rng.standard_normal(shape) * 1e-21,
    "huge": lambda rng, shape: rng.standard_normal(shape) * 1e19,
    "overflowing": lambda rng, shape: rng.standard_normal(shape) * 1e30,
    "all magnitudes": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-38, 38, shape),
    "norms": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 12, (shape[0], 1)),
}


def draw_array(rng, kind, shape):
    with np.errstate(all="ignore"):
        return np.nan_to_num(KINDS[kind](rng, shape).astype(np.float32), posinf=3e38, neginf=-3e38)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_queries = draw(st.integers(0, 30))
    n_items = draw(st.one_of(st.integers(1, 70), st.integers(1, 900)))
    n_factors = draw(st.one_of(st.integers(0, 20), st.integers(1, 300)))
    queries = draw_array(rng, draw(st.sampled_from(sorted(KINDS))), (n_queries, n_factors))
    vectors = draw_array(rng, draw(st.sampled_from(sorted(KINDS))), (n_items, n_factors))
    metric, offsets = draw(st.sampled_from(["inner_product", "l2"])), None
    if metric == "inner_product" and draw(st.booleans()):
        offsets = draw_array(rng, draw(st.sampled_from(sorted(KINDS))), (n_items, 1))[:, 0]
    density = draw(st.sampled_from([None, 0.0, 0.05, 0.5, 0.97, 1.0]))
    excluded = None if density is None else rng.random((n_queries, n_items)) < density
    share = draw(st.sampled_from([None, 0.0, 0.02, 0.5, 1.0]))
    allowed = None if share is None else rng.random(n_items) < share
    share = draw(st.sampled_from([None, 0.0, 0.3, 1.0]))
    removed = None if share is None else rng.random(n_items) < share
    n = draw(st.one_of(st.integers(1, 20), st.integers(1, 1000)))
    return rng, queries, vectors, metric, offsets, excluded, allowed, removed, n


def exclude_matrix(rng, excluded):
    """CSR with what scipy allows: unsorted rows, stored zeros, either index type."""
    matrix = sparse.csr_array(excluded.astype(np.float32))
    matrix.data[rng.random(matrix.nnz) < 0.3] = 0.0
    if rng.random() < 0.5:
        for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
            rng.shuffle(matrix.indices[start:stop])
        matrix.has_sorted_indices = False
    if rng.random() < 0.5:
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    return matrix


@given(problem=problems(), n_jobs=st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_search_is_exact(problem, n_jobs):
    rng, queries, vectors, metric, offsets, excluded, allowed, removed, n = problem
    index = ItemIndex(vectors, metric=metric, offsets=offsets, n_jobs=n_jobs)
    result = index.search(
        queries,
        n,
        exclude=None if excluded is None else exclude_matrix(rng, excluded),
        items=None if allowed is None else rng.permutation(np.flatnonzero(allowed)),
        exclude_items=removed,
    )
    out = np.zeros((len(queries), len(vectors)), dtype=bool)
    if excluded is not None:
        out |= excluded
    if allowed is not None:
        out |= ~allowed
    if removed is not None:
        out |= removed
    if metric == "l2":
        scores = brute_force.distance_scores(queries, vectors)
    else:
        scores = brute_force.scores(queries, vectors, offsets)
    brute_force.assert_result(result, brute_force.top_n(scores, n, out), n)


@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_neither_batch_nor_threads_nor_n_change_a_bit(problem):
    rng, queries, vectors, metric, offsets, excluded, allowed, _, n = problem
    index = ItemIndex(vectors, metric=metric, offsets=offsets)
    exclude = None if excluded is None else exclude_matrix(rng, excluded)
    items = None if allowed is None else allowed
    whole = index.search(queries, n, exclude=exclude, items=items, n_jobs=1)
    brute_force.assert_same(whole, index.search(queries, n, exclude=exclude, items=items, n_jobs=3))
    head = max(1, n // 7)
    short = index.search(queries, head, exclude=exclude, items=items)
    np.testing.assert_array_equal(short.ids, whole.ids[:, :head])
    np.testing.assert_array_equal(short.scores, whole.scores[:, :head])
    for row in range(len(queries)):
        one = index.search(
            queries[row : row + 1],
            n,
            exclude=None if exclude is None else exclude[row : row + 1],
            items=items,
        )
        np.testing.assert_array_equal(one.ids[0], whole.ids[row])
        np.testing.assert_array_equal(one.scores[0], whole.scores[row])


FUSED_LEVELS = [level for level in _core.available_simd_levels() if level != "baseline"]


@pytest.mark.skipif(len(FUSED_LEVELS) < 2, reason="needs a CPU with AVX-512")
@given(problem=problems())
@settings(max_examples=40, deadline=None)
def test_levels_with_fused_instructions_give_the_same_bits(problem):
    rng, queries, vectors, metric, offsets, excluded, allowed, _, n = problem
    index = ItemIndex(vectors, metric=metric, offsets=offsets)
    exclude = None if excluded is None else exclude_matrix(rng, excluded)
    results = []
    level = _core.simd_level()
    try:
        for other in FUSED_LEVELS:
            _core.pin_simd_level(other)
            results.append(index.search(queries, n, exclude=exclude, items=allowed))
    finally:
        _core.pin_simd_level(level)
    for other in results[1:]:
        brute_force.assert_same(results[0], other)
