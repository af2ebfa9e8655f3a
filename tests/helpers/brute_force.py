"""What search promises, computed the slow way in numpy: the oracle of the search tests."""

from __future__ import annotations

import numpy as np

from factorec import _core


def fused_multiply_add(a, b, c):
    """``a * b + c`` of float32 arrays, rounded once to float32.

    The product of two floats is exact in double precision. Their sum with the third is rounded to odd there
    (the last bit is set where anything was cut off), so that the second rounding, to float32, is the correct
    one (Boldo and Melquiond 2008).
    """
    product = a.astype(np.float64) * b.astype(np.float64)
    c = np.broadcast_to(c, product.shape).astype(np.float64)
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)
    bits = total.view(np.int64)
    inexact = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
    bits[inexact] += np.where((error > 0) == (total > 0), 1, -1)[inexact]
    return total.astype(np.float32)


def scores(queries, vectors, offsets=None):
    """All scores at the active SIMD level: (n_queries, n_items) float32."""
    total = np.zeros((len(queries), len(vectors)), dtype=np.float32)
    with np.errstate(all="ignore"):
        for factor in range(queries.shape[1]):
            q, v = queries[:, factor, None], vectors[None, :, factor]
            total = total + q * v if _core.simd_level() == "baseline" else fused_multiply_add(q, v, total)
        return total + (np.zeros(len(vectors), np.float32) if offsets is None else offsets + np.float32(0))


def distance_scores(queries, vectors):
    """All scores of ``metric="l2"`` at the active SIMD level: (n_queries, n_items) float32."""
    total = np.zeros((len(queries), len(vectors)), dtype=np.float32)
    with np.errstate(all="ignore"):
        for factor in range(queries.shape[1]):
            step = queries[:, factor, None] - vectors[None, :, factor]
            total = total + step * step if _core.simd_level() == "baseline" else fused_multiply_add(step, step, total)
    return np.float32(0) - total


def scores_fused(queries, vectors, offsets):
    """All scores as every level with a fused instruction has them."""
    total = np.zeros((len(queries), len(vectors)), dtype=np.float32)
    with np.errstate(all="ignore"):
        for factor in range(queries.shape[1]):
            total = fused_multiply_add(queries[:, factor, None], vectors[None, :, factor], total)
        return total + offsets


def top_n(all_scores, n, excluded=None):
    """Per query (positions, scores) of the best n under (score descending, position ascending)."""
    lists = []
    for row, row_scores in enumerate(all_scores):
        keep = ~np.isnan(row_scores)
        if excluded is not None:
            keep &= ~excluded[row]
        positions = np.flatnonzero(keep)
        order = np.argsort(-row_scores[positions], kind="stable")
        best = positions[order][:n]
        lists.append((best, row_scores[best]))
    return lists


def assert_result(result, expected, n):
    """The result equals the lists of `top_n`, to the bit, and its filling is as documented."""
    assert result.ids.shape == result.scores.shape == (len(expected), n)
    assert result.ids.dtype == result.counts.dtype == np.int64
    assert result.scores.dtype == np.float32
    for row, (positions, row_scores) in enumerate(expected):
        count = len(positions)
        assert result.counts[row] == count
        np.testing.assert_array_equal(result.ids[row, :count], positions)
        np.testing.assert_array_equal(result.scores[row, :count].view(np.uint32), row_scores.view(np.uint32))
        assert (result.ids[row, count:] == -1).all()
        assert (result.scores[row, count:] == -np.inf).all()


def assert_same(a, b):
    """Two results are the same bits."""
    np.testing.assert_array_equal(a.ids, b.ids)
    np.testing.assert_array_equal(a.scores.view(np.uint32), b.scores.view(np.uint32))
    np.testing.assert_array_equal(a.counts, b.counts)
