"""Whatever the model, the rows and the fields: parts sum, pairs know no order, fields may be joined."""

from __future__ import annotations

import math
from types import SimpleNamespace

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factorec.explain import decompose


@st.composite
def problems(draw):
    """A model, rows with many zeros, the widths of its fields (some empty)."""
    widths = draw(st.lists(st.integers(0, 4), min_size=1, max_size=6).filter(any))
    n_features, k, n = sum(widths), draw(st.integers(0, 5)), draw(st.integers(0, 4))
    values = st.floats(-2, 2, width=32)
    p = SimpleNamespace(
        bias=draw(values),
        linear=draw(hnp.arrays(np.float32, n_features, elements=values)),
        factors=draw(hnp.arrays(np.float32, (n_features, k), elements=values)),
    )
    X = draw(hnp.arrays(np.float32, (n, n_features), elements=st.sampled_from([0, 0, 0, 1, 1, 0.5, -0.25])))
    return p, X, widths


def ranges_of(widths):
    stops = np.cumsum(widths)
    return {f"f{i}": (int(stops[i] - width), int(stops[i])) for i, width in enumerate(widths)}


def score_of(p, x):
    V = p.factors.astype(np.float64) * x[:, None].astype(np.float64)
    return p.bias + x.astype(np.float64) @ p.linear + 0.5 * ((V.sum(axis=0) ** 2).sum() - (V**2).sum())


@settings(max_examples=150, deadline=None)
@given(problems())
def test_parts_sum_to_the_score(problem):
    p, X, widths = problem
    parts = decompose(p, X, ranges_of(widths))
    for i, x in enumerate(X):
        assert parts.score[i] == math.fsum(parts.values[i]) == parts[i].score
        np.testing.assert_allclose(parts.score[i], score_of(p, x), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(parts[i].by_feature().score, parts.score[i], rtol=1e-9, atol=1e-9)
        if not x.any():
            assert parts.score[i] == p.bias


@settings(max_examples=100, deadline=None)
@given(problems(), st.data())
def test_bipartite_parts_are_pairs_across_the_border(problem, data):
    p, X, widths = problem
    n_query = data.draw(st.integers(0, len(widths)))
    p.interactions, p.n_query_features = "bipartite", sum(widths[:n_query])
    parts = decompose(p, X, ranges_of(widths))
    for i, x in enumerate(X):
        V = p.factors.astype(np.float64) * x[:, None].astype(np.float64)
        of_query, of_item = V[: p.n_query_features].sum(axis=0), V[p.n_query_features :].sum(axis=0)
        expected = p.bias + x.astype(np.float64) @ p.linear + of_query @ of_item
        np.testing.assert_allclose(parts.score[i], expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(parts[i].by_feature().score, expected, rtol=1e-9, atol=1e-9)
    for (a, b), values in parts.pairwise.items():
        if (int(a[1:]) < n_query) == (int(b[1:]) < n_query):
            assert not values.any()


@settings(max_examples=100, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_parts_do_not_depend_on_the_order_of_fields(problem, random):
    p, X, widths = problem
    here = decompose(p, X, ranges_of(widths))
    order = random.sample(range(len(widths)), len(widths))
    places = ranges_of(widths)
    columns = np.concatenate([np.arange(*places[f"f{i}"]) for i in order]).astype(int)
    moved = SimpleNamespace(bias=p.bias, linear=p.linear[columns], factors=p.factors[columns])
    stops = np.cumsum([widths[i] for i in order])
    ranges = {f"f{i}": (int(stop - widths[i]), int(stop)) for i, stop in zip(order, stops, strict=True)}
    there = decompose(moved, X[:, columns], ranges)
    for field, value in here.linear.items():
        np.testing.assert_allclose(there.linear[field], value, rtol=1e-9, atol=1e-12)
    for (a, b), value in here.pairwise.items():
        other = there.pairwise.get((a, b), there.pairwise.get((b, a)))
        np.testing.assert_allclose(other, value, rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_one_field_holds_all_pairs(problem):
    p, X, widths = problem
    fine, coarse = decompose(p, X, ranges_of(widths)), decompose(p, X, {"all": (0, sum(widths))})
    np.testing.assert_allclose(coarse.linear["all"], sum(fine.linear.values()), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(coarse.pairwise["all", "all"], sum(fine.pairwise.values()), rtol=1e-9, atol=1e-9)
