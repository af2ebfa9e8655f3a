"""Scoring rows: a million of them, beside the formula in scipy and beside another library's compiled scoring.

The formula is what one writes without a library: products of the sparse rows with the factors, once as they are and
once with both squared. Everything takes the same csr matrix of float32; scipy's products run on one thread.
"""

from __future__ import annotations

import numpy as np
import pytest

import workloads
from factorec.fm import FMClassifier, FMParameters, FMRegressor
from side_by_side import take_turns

OURS, FORMULA, MODERN = "factorec", "the formula in scipy", "modern-fm"
N_ROWS, K = 1_000_000, 64


@pytest.fixture(scope="module", params=["two ids", "five fields"])
def scored(request):
    """Rows, parameters and the case's name."""
    if request.param == "two ids":
        ratings = workloads.like_ml10m(N_ROWS)
        rows = ratings.training_set(ratings.ratings)
    else:
        rows = workloads.five_fields(N_ROWS)
    rng = np.random.default_rng(0)
    linear, factors = (rng.standard_normal(shape, np.float32) / 8 for shape in (rows.n_features, (rows.n_features, K)))
    parameters = FMParameters(3.5, linear, factors, n_query_features=rows.n_query_features)
    return rows, parameters, f"{N_ROWS:,} rows of {request.param}, k = {K}"


def formula(rows, p):
    vectors = rows @ p.factors
    squares = rows.power(2) @ p.factors**2
    return p.bias + rows @ p.linear + 0.5 * (vectors**2 - squares).sum(axis=1)


@pytest.fixture(scope="module")
def scores(scored, threads):
    rows, p, case = scored
    flat = rows.to_csr()
    contenders = {OURS: lambda: p.decision_function(flat, n_jobs=threads), FORMULA: lambda: formula(flat, p)}
    try:
        from modern_fm._backend import fm_predict_fast
    except ImportError:
        pass
    else:
        wide = p.linear.astype(float), p.factors.astype(float)
        contenders[MODERN] = lambda: fm_predict_fast(flat, p.bias, *wide)
    expected = contenders[OURS]()

    def check(_, answer):
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-3)

    return f"decision_function, {case}", take_turns(contenders, check)


@pytest.mark.parametrize("name", [OURS, FORMULA, MODERN])
def test_decision_function(contender, scores, name):
    case, seconds = scores
    if name not in seconds:
        pytest.skip("not installed, see benchmarks/README.md")
    contender(case, name, seconds=seconds[name], note="float64" if name == MODERN else None)


@pytest.fixture(scope="module")
def vectors(scored, threads):
    """Query vectors of a million rows: those of users and, with five fields, the hour."""
    rows, p, case = scored
    flat = rows.to_csr()[:, : p.n_query_features]
    flat.resize((N_ROWS, p.n_features))
    contenders = {OURS: lambda: p.query_vectors(flat, n_jobs=threads), FORMULA: lambda: flat @ p.factors}
    expected = contenders[OURS]()

    def check(_, answer):
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)

    return f"query_vectors, {case}", take_turns(contenders, check)


@pytest.mark.parametrize("name", [OURS, FORMULA])
def test_query_vectors(contender, vectors, name):
    case, seconds = vectors
    contender(case, name, seconds=seconds[name], note="X @ V" if name == FORMULA else None)


@pytest.mark.parametrize("estimator", [FMRegressor, FMClassifier], ids=lambda estimator: estimator.__name__)
def test_predict(contender, scored, threads, estimator):
    """What an estimator adds to `decision_function`: checks of the rows, clipping or probabilities."""
    rows, _, case = scored
    target = rows.target if estimator is FMRegressor else rows.target >= workloads.LIKE
    model = estimator(n_factors=K, n_epochs=1, solver="sgd", n_jobs=threads, random_state=0)
    flat = rows.to_csr()
    model.fit(flat, target, field_ranges=rows.field_ranges)
    predict = model.predict if estimator is FMRegressor else model.predict_proba
    name = f"{estimator.__name__}.{predict.__name__}"
    contender(f"predictions, {case}", name, lambda: predict(flat))
