"""Promise: the re-solve is the exact minimum, by either route."""

from __future__ import annotations

import numpy as np
import pytest

from factorec import _solve
from factorec._losses import loss_functions
from factorec._solve import OrderedLevels, solve
from factorec.errors import DataError

STARS = [OrderedLevels([-2, -0.5, 0.3, 1.5], link=link, levels=[1, 2, 3, 4, 5]) for link in ("logit", "probit")]
LOSSES = pytest.mark.parametrize("loss", ["squared", "logistic", "probit", *STARS], ids=repr)


def draw_targets(rng, n, loss):
    if loss == "squared":
        return rng.normal(3, 1, n)
    return rng.integers(1, 6, n).astype(float) if loss in STARS else rng.integers(0, 2, n).astype(float)


def problem(seed, n, k, loss):
    rng = np.random.default_rng(seed)
    target = draw_targets(rng, n, loss)
    return (rng.normal(size=(n, k)), rng.normal(size=n), target, rng.uniform(0, 2, n), rng.uniform(0.1, 3, k))


@LOSSES
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 8), (7, 8), (8, 8), (60, 8), (30, 64), (200, 64)])
def test_both_routes_meet_at_the_minimum(monkeypatch, loss, n, k):
    design, offset, target, weight, penalty = problem(n, n, k, loss)
    mean, rows = np.linspace(-1, 1, k), np.random.default_rng(1).normal(size=(4, k))
    cholesky, dual = (
        _solved_by(route, monkeypatch, design, offset, target, weight, penalty, prior_mean=mean, loss=loss)
        for route in ("_Cholesky", "_Dual")
    )
    for solution in (cholesky, dual):
        f = offset + design @ solution.coefficients
        residual, S = loss_functions(loss).slopes(target, f)  # tests/test_losses.py says what these are
        gradient = design.T @ (weight * residual) - penalty * (solution.coefficients - mean)
        np.testing.assert_allclose(gradient, 0, atol=1e-8)
        np.testing.assert_allclose(solution.predictor, f, atol=1e-12)
        np.testing.assert_allclose(solution.residual, residual, atol=1e-12)
        np.testing.assert_allclose(solution.curvature, S, atol=1e-12)
        H = design.T @ (design * (weight * S)[:, None]) + np.diag(penalty)
        np.testing.assert_allclose(solution.gain(rows), rows @ np.linalg.solve(H, design.T), atol=1e-9)
    np.testing.assert_allclose(dual.coefficients, cholesky.coefficients, atol=1e-9)


def _solved_by(route, monkeypatch, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setattr(_solve, "_Cholesky", getattr(_solve, route))
        patch.setattr(_solve, "_Dual", getattr(_solve, route))
        return solve(*arguments, **options)


@LOSSES
@pytest.mark.parametrize(("n", "k"), [(5, 9), (30, 9)])
def test_the_start_changes_nothing_but_the_time(loss, n, k):
    arguments = problem(0, n, k, loss)
    cold = solve(*arguments, loss=loss)
    warm = solve(*arguments, loss=loss, start=cold.coefficients)
    far = solve(*arguments, loss=loss, start=np.full(k, 50.0))
    np.testing.assert_allclose(warm.coefficients, cold.coefficients, atol=1e-10)
    np.testing.assert_allclose(far.coefficients, cold.coefficients, atol=1e-9)
    assert warm.n_iterations == 1
    assert cold.n_iterations <= (2 if loss == "squared" else 12)


def test_the_arguments_stay_as_they_are():
    arguments = problem(0, 30, 4, "logistic")
    start, mean = np.ones(4), np.zeros(4)
    before = [a.copy() for a in (*arguments, start, mean)]
    solve(*arguments, loss="logistic", start=start, prior_mean=mean)
    for array, copy in zip((*arguments, start, mean), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("penalty", [1e-9, 1e-3, 1e6])
@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("loss", ["logistic", "probit", *STARS], ids=repr)
def test_separable_labels_and_extreme_penalties(penalty, n, loss):
    rng = np.random.default_rng(2)
    design = rng.normal(size=(n, 5))
    target = (design[:, 0] > 0).astype(float)
    if loss in STARS:
        target = 1 + 4 * target
    solution = solve(design, np.zeros(n), target, np.ones(n), np.full(5, penalty), loss=loss)
    gradient = design.T @ solution.residual - penalty * solution.coefficients
    scale = max(penalty, 1e-9) * max(1.0, np.abs(solution.coefficients).max())
    np.testing.assert_allclose(gradient / scale, 0, atol=1e-6)


def test_free_and_penalised_coefficients_together():
    """Fold-in frees a linear weight beside the vector; it may go without penalty."""
    design, offset, target, weight, penalty = problem(3, 20, 5, "squared")
    penalty[0] = 0
    solution = solve(design, offset, target, weight, penalty)
    H = design.T @ (design * weight[:, None]) + np.diag(penalty)
    expected = np.linalg.solve(H, design.T @ (weight * (target - offset)))
    np.testing.assert_allclose(solution.coefficients, expected, atol=1e-10)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_what_has_no_single_minimum_is_an_error(loss):
    with pytest.raises(DataError, match="give a positive penalty"):
        solve(np.ones((4, 2)), np.zeros(4), np.array([0.0, 1, 0, 1]), np.ones(4), np.zeros(2), loss=loss)
    with pytest.raises(DataError, match="no rows"):
        solve(np.ones((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0), np.ones(2), loss=loss)
    with pytest.raises(DataError, match="not finite"):
        solve(np.full((4, 2), np.nan), np.zeros(4), np.zeros(4), np.ones(4), np.ones(2), loss=loss)
