"""The model, the split and training against their definitions, over random shapes and values."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_training import Reference, Settings
from scipy import sparse

from factorec.fm import FMClassifier, FMParameters, FMRegressor, NegativeSampling, TrainingSet

seeds = st.integers(0, 2**32 - 1)


def draw_rows(rng, n_rows, n_features, density=0.5):
    X = rng.normal(size=(n_rows, n_features)) * (rng.random((n_rows, n_features)) < density)
    return X.astype(np.float32)


def draw_parameters(rng, n_features, n_factors, scale=1.0):
    return FMParameters(
        float(rng.normal()),
        rng.normal(size=n_features).astype(np.float32),
        (scale * rng.normal(size=(n_features, n_factors))).astype(np.float32),
    )


@given(seeds, st.integers(0, 9), st.integers(1, 30), st.integers(1, 70), st.floats(1e-6, 1e6))
@settings(max_examples=60, deadline=None)
def test_linear_time_is_the_double_sum(seed, n_rows, n_features, n_factors, scale):
    """O(k n) and O(k n^2): y(x) = b + w'x + sum_f<g <V_f, V_g> x_f x_g."""
    rng = np.random.default_rng(seed)
    p, X = draw_parameters(rng, n_features, n_factors, scale), draw_rows(rng, n_rows, n_features)
    V, x = p.factors.astype(float), X.astype(float)
    products = np.einsum("rf,rg,fk,gk->rfg", x, x, V, V)
    pairs = np.triu(products, 1)
    expected = p.bias + x @ p.linear.astype(float) + pairs.sum(axis=(1, 2))
    size = 1 + np.abs(x) @ np.abs(p.linear) + np.einsum("rf,rg,fk,gk->r", abs(x), abs(x), abs(V), abs(V))
    assert (np.abs(p.decision_function(sparse.csr_array(X)) - expected) <= 1e-5 * size).all()


@given(seeds, st.integers(1, 15), st.integers(1, 15), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_split_identity(seed, n_query, n_item, n_factors):
    rng = np.random.default_rng(seed)
    n = n_query + n_item
    p = draw_parameters(rng, n, n_factors)
    p = FMParameters(p.bias, p.linear, p.factors, n_query_features=n_query)
    queries, items = draw_rows(rng, 6, n), draw_rows(rng, 6, n)
    queries[:, n_query:] = 0
    items[:, :n_query] = 0
    dot = (p.query_vectors(queries).astype(float) * p.item_vectors(items)).sum(axis=1)
    together = p.bias + p.query_offsets(queries) + p.item_offsets(items) + dot
    np.testing.assert_allclose(together, p.decision_function(queries + items), rtol=1e-4, atol=1e-4 * n_factors)


@given(
    seeds,
    st.integers(1, 60),
    st.integers(1, 6),
    st.sampled_from(["adagrad", "sgd"]),
    st.sampled_from(["logistic", "squared"]),
    st.sampled_from([1, 2, 16, 17, 100]),
    st.booleans(),
    st.sampled_from([1, 3, 16, 33]),
)
@settings(max_examples=40, deadline=None)
def test_training_is_the_defined_pass(seed, n_rows, n_features, solver, loss, batch_size, shuffle, n_factors):
    """Rows of any kind, down to one row, one feature, empty rows and stored zeros."""
    rng = np.random.default_rng(seed)
    X = sparse.csr_array(draw_rows(rng, n_rows, n_features))
    if X.nnz:
        X.data[rng.random(X.nnz) < 0.1] = 0
    weight = rng.choice([0.5, 1.0, 2.0], n_rows)
    y = rng.integers(0, 2, n_rows).astype(float)
    if loss == "logistic":
        y[: min(2, n_rows)] = [0, 1][: min(2, n_rows)]
        if n_rows == 1:
            return
    estimator = FMClassifier if loss == "logistic" else FMRegressor
    model = estimator(
        n_factors, solver=solver, n_epochs=2, learning_rate=0.01, l2_linear=0.1, l2_factors=0.1, init_scale=0.2,
        batch_size=batch_size, shuffle=shuffle, random_state=seed % 1000,
    ).fit(X, y, weight, field_ranges={"all": (0, n_features)})  # fmt: skip
    key = model.solver_state_.seed
    occurring = np.bincount(X.indices, minlength=n_features) > 0
    factors = np.random.default_rng([key, 1]).standard_normal((n_features, n_factors), np.float32) * np.float32(0.2)
    mean, scale = model.solver_state_.target_mean, model.solver_state_.target_scale
    start = 0.0
    if loss == "logistic":
        start = np.log((weight @ y + 0.5) / (weight @ (1 - y) + 0.5))
    rows = [
        list(zip(X.indices[a:b].tolist(), X.data[a:b].tolist(), strict=True))
        for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)
    ]
    l2, rates = np.full(n_features, 0.1), np.full(n_features, 0.01)
    reference = Reference(
        rows,
        (y - mean) / scale,
        weight,
        Settings(loss, solver, 0.01, rates, rates, l2, l2, 0.0, batch_size, shuffle, np.inf, key),
        start,
        np.zeros(n_features),
        np.where(occurring[:, None], factors, 0),
    )
    reference.epoch(0)
    reference.epoch(1)
    tolerance = {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(model.bias_, mean + scale * reference.bias, **tolerance)
    np.testing.assert_allclose(model.linear_, scale * reference.linear, **tolerance)
    np.testing.assert_allclose(model.factors_, np.sqrt(scale) * reference.factors, **tolerance)


@given(seeds, st.integers(1, 8), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_negatives_are_never_seen(seed, n_users, n_items, n):
    rng = np.random.default_rng(seed)
    seen = rng.random((n_users, n_items)) < rng.random()
    users = rng.integers(0, n_users, 50)
    drawn = NegativeSampling(n, sparse.csr_array(seen)).draw(users, int(rng.integers(2**31)), int(rng.integers(100)))
    everything = seen.all(axis=1)[users]
    assert (drawn[everything] == -1).all()
    assert (drawn[~everything] >= 0).all()
    rows = np.flatnonzero(~everything)
    assert not seen[users[rows, None], drawn[rows]].any()


@given(
    seeds,
    st.integers(1, 300),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([1, 5, 64]),
    st.sampled_from(["adagrad", "adam"]),
)
@settings(max_examples=50, deadline=None)
def test_blocks_and_flat_rows_give_the_same_bits(seed, n_rows, n_users, n_items, batch_size, solver):
    """Promise 3, for random sizes."""
    rng = np.random.default_rng(seed)
    data = TrainingSet.from_ids(
        rng.integers(0, n_users, n_rows),
        rng.integers(0, n_items, n_rows),
        rng.normal(size=n_rows),
        n_users=n_users,
        n_items=n_items,
        weight=rng.random(n_rows) + 0.1,
    )
    options = {"n_factors": 5, "n_epochs": 2, "batch_size": batch_size, "solver": solver, "random_state": 0}
    one = FMRegressor(**options, n_jobs=1).fit(data)
    two = FMRegressor(**options, n_jobs=2).fit(data.to_csr(), data.target, data.weight, field_ranges=data.field_ranges)
    assert one.bias_ == two.bias_
    np.testing.assert_array_equal(one.factors_, two.factors_)
    np.testing.assert_array_equal(one.linear_, two.linear_)
