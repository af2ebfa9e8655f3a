"""FMRegressor(solver="als"): the minimum of the objective, coordinate by coordinate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides

from factorec.errors import DataError
from factorec.fm import FMRegressor


def als(**settings):
    return FMRegressor(**({"n_factors": 3, "n_epochs": 20, "random_state": 0} | settings), solver="als")


def gradients(fm, data):
    """Of the objective in the target's units: weighted squared error, and what `penalties_` says."""
    p, penalties = fm.parameters_, fm.penalties_
    X = data.to_csr().toarray().astype(np.float64)
    weight = np.ones(data.n_rows) if data.weight is None else data.weight.astype(np.float64)
    slope = weight * (fm.decision_function(data) - data.target)
    V, w = p.factors.astype(np.float64), p.linear.astype(np.float64)
    sums = X @ V
    if p.interactions == "bipartite":
        side = np.arange(data.n_features) < data.n_query_features
        query = X[:, side] @ V[side]
        with_others = np.where(side[None, :, None], (sums - query)[:, None, :], query[:, None, :])
    else:
        with_others = sums[:, None, :] - X[:, :, None] * V
    factors = np.einsum("r,rf,rfj->fj", slope, X, with_others) + penalties.factors[:, None] * V
    return slope.sum(), X.T @ slope + penalties.linear * w, factors


@pytest.mark.parametrize("power", [0.0, 0.5, None])
@pytest.mark.parametrize("interactions", ["all", "bipartite"])
@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_ends_where_the_objective_is_flat(make, interactions, power):
    data = make(binary=False)
    data = replace(data, weight=np.random.default_rng(0).uniform(0.5, 2, data.n_rows).astype(np.float32))
    fm = als(n_epochs=400, interactions=interactions, l2_count_power=power).fit(data)
    for gradient in gradients(fm, data):
        np.testing.assert_allclose(gradient, 0, atol=0.02)
    rmse = fm.history_["train"]["rmse"]
    assert rmse[-1] < rmse[0]


def test_lower_than_adagrad_on_the_same_objective():
    data = make_ids(n_rows=400, binary=False)

    def objective(fm):
        p, penalties = fm.parameters_, fm.penalties_
        error = fm.decision_function(data) - data.target
        return 0.5 * (error @ error + penalties.linear @ p.linear**2 + penalties.factors @ (p.factors**2).sum(axis=1))

    same = {"l2_linear": 0.05, "l2_factors": 0.1, "l2_count_power": 0.5, "n_factors": 3, "random_state": 0}
    found, by_steps = als(**same).fit(data), FMRegressor(**same, n_epochs=200).fit(data)
    np.testing.assert_allclose(found.penalties_.factors, by_steps.penalties_.factors, rtol=1e-6)
    assert objective(found) <= objective(by_steps) * (1 + 1e-3)


def test_result_does_not_depend_on_threads_or_form():
    data = make_sides(binary=False)
    one, two = (als(n_jobs=n_jobs).fit(data) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.factors_, two.factors_)
    ids = make_ids(binary=False)
    flat = als().fit(ids.to_csr(), ids.target, field_ranges=ids.field_ranges)
    np.testing.assert_array_equal(flat.factors_, als().fit(ids).factors_)


def test_features_without_rows_stay_at_zero():
    data = make_ids(n_rows=30, binary=False)
    fm = als().fit(data)
    absent = np.setdiff1d(np.arange(data.n_features), data.to_csr().indices)
    assert len(absent)
    assert not fm.factors_[absent].any()
    assert not fm.linear_[absent].any()


def test_early_stopping_restores_the_best_sweep():
    data, held = make_ids(n_rows=200, binary=False), make_ids(n_rows=200, seed=1, binary=False)
    fm = als(n_epochs=200, l2_linear=1e-3, l2_factors=1e-3, early_stopping=True, n_iter_no_change=3)
    fm.fit(data, X_val=held)
    watched = fm.history_["validation"]["rmse"]
    assert len(watched) == watched.argmin() + 4 < 200
    assert np.sqrt(np.mean((fm.predict(held) - held.target) ** 2)) == pytest.approx(watched.min(), rel=1e-5)


def test_warm_start_goes_on():
    data = make_ids(binary=False)
    whole = als(n_epochs=20).fit(data)
    parts = als(n_epochs=8, warm_start=True).fit(data).set_params(n_epochs=12).fit(data)
    assert parts.solver_state_.n_epochs == 20
    np.testing.assert_allclose(parts.decision_function(data), whole.decision_function(data), atol=1e-3)


def test_refuses_what_it_cannot_do():
    data = make_ids(binary=False)
    assert not hasattr(als(), "partial_fit")
    with pytest.raises(DataError, match="l2_bias must be 0"):
        als(l2_bias=0.1).fit(data)
    with pytest.raises(DataError, match="need a TrainingSet"):
        als(interactions="bipartite").fit(data.to_csr(), data.target)
