"""Parameters: the model's definition, the split into query and item side, and what is refused."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_sides
from scipy import sparse

from factorec import errors
from factorec.fm import FMClassifier, FMParameters


def random_parameters(seed=0, n_features=20, n_factors=5, **other):
    rng = np.random.default_rng(seed)
    return FMParameters(
        0.3,
        rng.normal(size=n_features).astype(np.float32),
        rng.normal(size=(n_features, n_factors)).astype(np.float32),
        **other,
    )


@pytest.mark.parametrize("n_factors", [1, 4, 7, 8, 15, 16, 17, 33, 64, 70])
def test_scores_are_the_sum_over_pairs(n_factors):
    p = random_parameters(n_factors=n_factors)
    X = np.random.default_rng(1).normal(size=(9, 20)) * (np.random.default_rng(2).random((9, 20)) < 0.5)
    w, V = p.linear.astype(float), p.factors.astype(float)
    pairs = [
        sum(x[f] * x[g] * (V[f] @ V[g]) for f in range(20) for g in range(f))
        for x in X.astype(np.float32).astype(float)
    ]
    expected = p.bias + X.astype(np.float32) @ w + pairs
    np.testing.assert_allclose(
        p.decision_function(sparse.csr_array(X.astype(np.float32))), expected, rtol=2e-5, atol=2e-5
    )
    np.testing.assert_allclose(p.query_vectors(X.astype(np.float32)), X @ V, rtol=1e-4, atol=1e-5)


def test_large_factors_do_not_cancel():
    """The difference of squares would lose all of it: |V'x|**2 is 1e16 times the pair."""
    p = FMParameters(0.0, np.zeros(2, np.float32), np.array([[1e6, 0.0], [0.0, 1.0]], np.float32))
    tilted = replace(p, factors=np.array([[1e6, 0.0], [1e-6, 1.0]], np.float32))
    assert p.decision_function([[1, 1]]) == 0.0
    assert tilted.decision_function([[1, 1]]) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def fitted():
    data = make_sides()
    return data, FMClassifier(8, init_scale=0.5, n_epochs=5, random_state=0).fit(data).parameters_


def test_score_splits_into_query_and_item(fitted):
    """Promise 2's ground: y(x_q + x_i) = b + s(x_q) + s(x_i) + <V'x_q, V'x_i>, features on both sides."""
    data, p = fitted
    X = data.to_csr()
    assert p.n_query_features == data.n_query_features == 14
    left, right = X.copy().tolil(), X.copy().tolil()
    left[:, p.n_query_features :] = 0
    right[:, : p.n_query_features] = 0
    queries, items = left.tocsr(), right.tocsr()
    together = (
        p.bias
        + p.query_offsets(queries)
        + p.item_offsets(items)
        + (p.query_vectors(queries).astype(float) * p.item_vectors(items)).sum(axis=1)
    )
    np.testing.assert_allclose(together, p.decision_function(X), rtol=1e-5, atol=1e-5)
    linear_only = p.item_offsets(items, self_interaction=False)
    np.testing.assert_allclose(linear_only, items @ p.linear.astype(float))
    has_labels = np.diff(items.indptr) > 1
    assert (np.abs(linear_only - p.item_offsets(items))[has_labels] > 1e-4).any()
    np.testing.assert_allclose(linear_only[~has_labels], p.item_offsets(items)[~has_labels], atol=1e-7)


def test_rows_that_cross_are_refused(fitted):
    data, p = fitted
    X = data.to_csr()
    with pytest.raises(
        errors.DataError, match=r"row 0 has an entry in column \d+: query rows keep to columns below 14"
    ):
        p.query_vectors(X)
    with pytest.raises(errors.DataError, match=r"row 0 has an entry in column 0: item rows keep to columns from 14 on"):
        p.item_offsets(np.eye(1, 29))
    with pytest.raises(errors.DataError, match="row 2 has an entry in column 14"):
        p.query_offsets(sparse.csr_array(([1.0], ([2], [14])), (3, 29)))
    replace(p, n_query_features=None).query_vectors(X)


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 5])
def test_same_bits_at_any_n_jobs(n_jobs):
    p = random_parameters(n_features=300, n_factors=20)
    X = sparse.random_array((4000, 300), density=0.05, rng=np.random.default_rng(0), dtype=np.float32, format="csr")
    for method in ("decision_function", "query_vectors", "query_offsets", "item_vectors", "item_offsets"):
        one, other = (getattr(p, method)(X, n_jobs=n) for n in (1, n_jobs))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"linear": np.zeros(3)}, "linear must be a float32 array"),
        ({"factors": np.zeros(3, np.float32)}, "factors must be a float32 array with 2"),
        ({"linear": np.zeros(2, np.float32)}, "linear has 2 features, factors 20"),
        ({"linear": np.full(20, np.nan, np.float32)}, "linear holds values that are not finite"),
        ({"bias": np.inf}, "bias is not finite"),
        ({"n_query_features": 21}, "n_query_features is 21"),
    ],
)
def test_unsound_parameters_are_refused(changed, match):
    with pytest.raises(errors.DataError, match=match):
        replace(random_parameters(), **changed)


def test_dtypes_and_pickle():
    p = random_parameters(n_query_features=10)
    X = sparse.csr_array((2, 20), dtype=np.float32)
    assert p.decision_function(X).dtype == p.query_offsets(X).dtype == p.item_offsets(X).dtype == np.float64
    assert p.query_vectors(X).dtype == p.item_vectors(X).dtype == np.float32
    again = pickle.loads(pickle.dumps(p))
    np.testing.assert_array_equal(again.factors, p.factors)
    fortran = replace(p, factors=np.asfortranarray(p.factors))
    np.testing.assert_array_equal(fortran.query_vectors(np.eye(20)[:3]), p.query_vectors(np.eye(20)[:3]))
