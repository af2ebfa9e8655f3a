"""Inner product problems made to break a certified search, by kind.

Each kind is a function of (rng, n_queries, n_items, n_factors) that returns float64 arrays (queries, vectors, offsets
or None); `draw` rounds them. docs/search.md says which term of the bound a kind is aimed at.
"""

from __future__ import annotations

import numpy as np

LEVELS = 127  # codes run from -LEVELS to LEVELS


def powers(rng, low, high, shape):
    return 10.0 ** rng.uniform(low, high, shape)


def normal(rng, q, i, d):
    return rng.standard_normal((q, d)), rng.standard_normal((i, d)), None


def with_offsets(rng, q, i, d):
    return rng.standard_normal((q, d)), rng.standard_normal((i, d)), rng.standard_normal(i) * powers(rng, -3, 1, 1)


def skewed_norms(rng, q, i, d):
    """Like trained models: most items are pruned, the best ones are popular."""
    offsets = rng.standard_normal(i) if rng.random() < 0.5 else None
    return rng.standard_normal((q, d)), rng.standard_normal((i, d)) * np.exp(rng.normal(0, 0.8, (i, 1))), offsets


def norm_ratios(rng, q, i, d):
    """Norms from 1e-12 to 1e12, in queries too: one group of queries holds all of them."""
    return (
        rng.standard_normal((q, d)) * powers(rng, -12, 12, (q, 1)),
        rng.standard_normal((i, d)) * powers(rng, -12, 12, (i, 1)),
        rng.standard_normal(i) * powers(rng, -12, 12, i) if rng.random() < 0.5 else None,
    )


def one_coordinate(rng, q, i, d):
    """One coordinate takes all of the codes' range, so the others are residual."""
    queries, vectors = rng.standard_normal((q, d)), rng.standard_normal((i, d))
    where = rng.integers(1, 4)
    if d and where & 1:
        queries[np.arange(q), rng.integers(0, d, q) if rng.random() < 0.5 else 0] *= powers(rng, 1, 6, 1)
    if d and where & 2:
        vectors[np.arange(i), rng.integers(0, d, i) if rng.random() < 0.5 else d - 1] *= powers(rng, 1, 6, 1)
    return queries, vectors, None


def cancellation(rng, q, i, d):
    """Scores far below |q| |v|: the halves of a vector cancel, for every query."""
    half = d // 2
    queries, vectors = rng.standard_normal((q, d)), rng.standard_normal((i, d))
    queries[:, half : 2 * half] = queries[:, :half]
    vectors[:, half : 2 * half] = -vectors[:, :half]
    noise = powers(rng, -7, -1, 1)
    return queries, vectors + noise * rng.standard_normal((i, d)), None


def levelled(rng, q, i, d):
    """Offsets undo the inner product with one query: its scores lie as close together as the bound is wide."""
    queries, vectors, _ = SHAPES[rng.integers(len(SHAPES))](rng, q, i, d)
    product = vectors @ queries[0]
    width = np.linalg.norm(queries[0]) * np.linalg.norm(vectors, axis=1).max(initial=0.0)
    queries[1:] = queries[0] * rng.choice([1.0, 1 + 2.0**-20, 1.001], (q - 1, 1))
    return queries, vectors, width * powers(rng, -7, 0, 1) * rng.standard_normal(i) - product


def attained_by_items(rng, q, i, d):
    """Item residuals of half a step, parallel to the query: the error of an approximation is all that is allowed.

    The queries' codes are exact. Worse items seem better by the whole bound, better items seem worse by it.
    """
    signs = rng.choice([-1.0, 1.0], d)
    better = rng.random(i) < powers(rng, -2, -0.5, 1)
    codes = rng.integers(-80, 81, (i, d))
    vectors = codes + 0.499 * signs * np.where(better, 1.0, -1.0)[:, None]
    if d:
        vectors[:, 0] = LEVELS * signs[0]  # fixes the step of every panel at 1, without a residual
    query = LEVELS * signs
    gap = powers(rng, -3, 0.3, 1) * LEVELS * d / 2
    return np.tile(query, (q, 1)), vectors, better * gap - vectors @ query


def attained_by_queries(rng, q, i, d):
    """The same with the residual in the query: items are exact, and parallel to it or its opposite."""
    residual = rng.choice([-1.0, 1.0], d)
    query = rng.integers(-80, 81, d) + 0.499 * residual
    if d:
        query[0] = LEVELS
    better = rng.random(i) < powers(rng, -2, -0.5, 1)
    vectors = np.where(better, LEVELS, -LEVELS)[:, None] * residual
    gap = powers(rng, -3, 0.3, 1) * LEVELS * d / 2
    return np.tile(query, (q, 1)), vectors, better * gap - vectors @ query


def rounding(rng, q, i, d):
    """No residual at all: float32 rounding alone decides among items of equal exact score, or nearly equal."""
    query_step, step = rng.integers(2**16, 2**17, 2) | 1  # 17 bits: code x step is a float, rounded nowhere
    query = rng.integers(1, LEVELS + 1, d) * float(query_step)
    codes = rng.integers(1, LEVELS + 1, d)
    if d:
        query[0] = LEVELS * float(query_step)
        codes[0] = LEVELS
    vectors = rng.permuted(np.tile(codes, (i, 1)), axis=1) * float(step)
    product = vectors @ query
    ulp = np.spacing(np.float32(np.abs(product).max(initial=1.0))).astype(np.float64)
    target = np.round(product.mean() / ulp) if d else 0.0
    wanted = (target + rng.integers(0, 2 + d // 8, i)) * ulp
    return np.tile(query, (q, 1)), vectors, wanted - product


def ternary(rng, q, i, d):
    return rng.integers(-1, 2, (q, d)) * 1.0, rng.integers(-1, 2, (i, d)) * 1.0, None


def few_rows(rng, q, i, d):
    rows = rng.standard_normal((rng.integers(1, 50), d))
    offsets = rng.integers(0, 2, i) * 2.0**-22 if rng.random() < 0.3 else None
    return rng.standard_normal((q, d)), rows[rng.integers(0, len(rows), i)], offsets


def all_equal(rng, q, i, d):
    return np.tile(rng.standard_normal(d), (q, 1)), np.tile(rng.standard_normal(d), (i, 1)), None


def zeros(rng, q, i, d):
    """Vectors of zeros among others, products and offsets of -0: position alone decides."""
    queries, vectors = rng.standard_normal((q, d)), rng.standard_normal((i, d)) * powers(rng, -40, 38, 1)
    queries[rng.random(q) < 0.3] = -0.0
    vectors[rng.random(i) < rng.choice([0.1, 0.99, 1.0])] = -0.0
    queries[rng.random(q) < 0.2] *= powers(rng, 30, 39, 1)
    return queries, vectors, rng.choice([0.0, -0.0], i) if rng.random() < 0.7 else None


def underflow(rng, q, i, d):
    """Products and sums among the denormal floats, where scales of codes lose their digits."""
    low = rng.uniform(-26, -18)
    vectors = rng.standard_normal((i, d)) if rng.random() < 0.5 else rng.integers(-1, 2, (i, d)) * 1.0
    offsets = rng.standard_normal(i) * powers(rng, -45, -38, 1) if rng.random() < 0.5 else None
    return rng.standard_normal((q, d)) * 10.0 ** (rng.uniform(-44, -38) - low), vectors * 10.0**low, offsets


def denormal(rng, q, i, d):
    """Denormal vectors, of items or of queries: the step of a code is a few ulps, or 0."""
    low = rng.uniform(-46, -36)
    queries, vectors = rng.standard_normal((q, d)), rng.standard_normal((i, d))
    scale = powers(rng, -3, 38, 1)
    return (
        (queries * 10.0**low, vectors * scale, None)
        if rng.random() < 0.5
        else (queries * scale, vectors * 10.0**low, None)
    )


def smallest(rng, q, i, d):
    """A handful of the smallest floats on one side, where a norm rounded to nearest is too small."""
    few = (
        rng.integers(-2, 3, (i if (items := rng.random() < 0.5) else q, d))
        * (rng.random(d) < 3 / max(d, 1))
        * 2.0**-149
    )
    other = rng.integers(-1, 2, (q if items else i, d)) * powers(rng, 20, 38.4, 1)
    return (other, few, None) if items else (few, other, None)


def overflow(rng, q, i, d):
    """Scores, chains on their way, norms or scales near and beyond the largest float."""
    low = rng.uniform(0, 38.6)
    offsets = rng.choice([-3.4e38, -1e38, 0.0, 1e38, 3.4e38], i) if rng.random() < 0.6 else None
    queries = rng.standard_normal((q, d)) * 10.0 ** (rng.uniform(36, 39.5, (q, 1)) - low)
    return queries, rng.standard_normal((i, d)) * 10.0**low * powers(rng, -1, 0, (i, 1)), offsets


def edge_of_overflow(rng, q, i, d):
    """The largest float lies among the best scores: some are infinite, and approximations do not say which."""
    queries, vectors = rng.standard_normal((q, d)) + 1e-3, rng.standard_normal((i, d))
    products = np.sort(queries @ vectors.T, axis=1)[:, ::-1]
    edge = products[np.arange(q), rng.integers(0, min(rng.choice([2, 20, 200]), i), q)]
    return queries * 3.4028e19 / np.maximum(edge, 1e-3)[:, None], vectors * 1e19, None


def overflow_on_the_way(rng, q, i, d):
    """The chain is infinite where the score would not be: a large negative offset comes too late."""
    vectors = np.abs(rng.standard_normal((i, d))) * powers(rng, -1, 0.3, (i, 1))
    length = np.linalg.norm(vectors, axis=1).max(initial=1.0)
    queries = np.abs(rng.standard_normal((q, d)))
    queries *= (
        3.4e38
        / length
        / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-3)
        * powers(rng, -0.3, 0.3, (q, 1))
    )
    return queries, vectors, rng.choice([-3.4e38, -2e38, -1e38], i) if rng.random() < 0.8 else None


def huge_offsets(rng, q, i, d):
    """Offsets that swallow the inner product, all of it or but for some bits."""
    offsets = rng.standard_normal(i) if rng.random() < 0.5 else rng.integers(-2, 3, i) * 1.0
    return rng.standard_normal((q, d)), rng.standard_normal((i, d)), offsets * powers(rng, 2, 30, 1)


def all_magnitudes(rng, q, i, d):
    return (
        rng.standard_normal((q, d)) * powers(rng, -38, 38, (q, d)),
        rng.standard_normal((i, d)) * powers(rng, -38, 38, (i, d)),
        rng.standard_normal(i) * powers(rng, -38, 38, i) if rng.random() < 0.5 else None,
    )


SHAPES = [normal, skewed_norms, norm_ratios, one_coordinate, ternary]

KINDS = {
    kind.__name__: kind
    for kind in [
        *SHAPES, with_offsets, cancellation, levelled, attained_by_items, attained_by_queries, rounding, few_rows,
        all_equal, zeros, underflow, denormal, smallest, overflow, edge_of_overflow, overflow_on_the_way, huge_offsets,
        all_magnitudes,
    ]
}  # fmt: skip


def to_float32(array):
    """Round, and bring what is not finite back into range."""
    if array is None:
        return None
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.asarray(array).astype(np.float32), posinf=3.4e38, neginf=-3.4e38)


def draw(rng, kind, n_queries, n_items, n_factors):
    """Queries, vectors and offsets (or None) in float32."""
    with np.errstate(all="ignore"):
        queries, vectors, offsets = KINDS[kind](rng, n_queries, n_items, n_factors)
        scale = 2.0 ** rng.integers(-20, 20) if kind not in ("overflow", "underflow", "overflow_on_the_way") else 1.0
        if offsets is not None and rng.random() < 0.9:
            offsets = offsets * scale  # a power of two moves no tie
            vectors = vectors * scale
    return to_float32(queries), to_float32(vectors), to_float32(offsets)
