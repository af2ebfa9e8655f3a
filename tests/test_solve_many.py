"""Promise: many minima at once are those of `_solve` one by one, whatever stands beside each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from factorec import _solve_many
from factorec._losses import loss_functions
from factorec._solve import OrderedLevels, solve
from factorec._solve_many import solve_many
from factorec.errors import DataError

STARS = [OrderedLevels([-2, -0.5, 0.3, 1.5], link=link, levels=[1, 2, 3, 4, 5]) for link in ("logit", "probit")]
ALL_LOSSES = ["squared", "logistic", "probit", *STARS]
LOSSES = pytest.mark.parametrize("loss", ALL_LOSSES, ids=repr)


def draw_targets(rng, n, loss):
    if loss == "squared":
        return rng.normal(3, 1, n)
    return rng.integers(1, 6, n).astype(float) if loss in STARS else rng.integers(0, 2, n).astype(float)


def problems(seed, counts, k, loss, *, low=0.05, high=3.0):
    """Rows of len(counts) problems: the first coefficient stands for a linear weight, its column is 1."""
    rng = np.random.default_rng(seed)
    n = int(np.sum(counts))
    design = rng.normal(size=(n, k))
    design[:, 0] = 1
    target = draw_targets(rng, n, loss)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    penalty = rng.uniform(low, high, (len(counts), k))
    return design, rng.normal(size=n), target, rng.uniform(0, 2, n), indptr, penalty


def one_by_one(design, offset, target, weight, indptr, penalty, *, prior_mean=None, loss):
    means = np.zeros_like(penalty) if prior_mean is None else np.broadcast_to(prior_mean, penalty.shape)
    minima = means.copy()
    for j in np.flatnonzero(np.diff(indptr)):
        rows = slice(indptr[j], indptr[j + 1])
        given_rows = design[rows], offset[rows], target[rows], weight[rows]
        minima[j] = solve(*given_rows, penalty[j], prior_mean=means[j], loss=loss).coefficients
    return minima


@LOSSES
@pytest.mark.parametrize("k", [1, 6, 65])
def test_the_minima_are_those_of_one_by_one(loss, k):
    counts = [3, 0, 5, 1, 20, 3, 64, 65, 66, 3, 200, 0]
    arguments = problems(0, counts, k, loss)
    mean = np.random.default_rng(1).normal(size=(len(counts), k))
    for prior_mean in (None, mean, mean[0]):
        expected = one_by_one(*arguments, prior_mean=prior_mean, loss=loss)
        found = solve_many(*arguments, prior_mean=prior_mean, loss=loss)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=8),
    k=st.integers(1, 8),
    seed=st.integers(0, 2**16),
    loss=st.sampled_from(ALL_LOSSES),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    zero_weights=st.booleans(),
)
def test_property_the_minima_are_those_of_one_by_one(counts, k, seed, loss, scale, zero_weights):
    design, offset, target, weight, indptr, penalty = problems(seed, counts, k, loss)
    if zero_weights:
        weight[::2] = 0
    arguments = design, offset, target, weight, indptr, penalty * scale
    expected = one_by_one(*arguments, loss=loss)
    np.testing.assert_allclose(solve_many(*arguments, loss=loss), expected, rtol=1e-7, atol=1e-9)


@LOSSES
def test_a_general_optimiser_finds_the_same(loss):
    design, offset, target, weight, indptr, penalty = problems(2, [4, 15, 4], 6, loss)
    found = solve_many(design, offset, target, weight, indptr, penalty, loss=loss)
    for j in range(3):
        rows = slice(indptr[j], indptr[j + 1])
        A, o, y, w, lam = design[rows], offset[rows], target[rows], weight[rows], penalty[j]

        def objective(p, A=A, o=o, y=y, w=w, lam=lam):
            f = o + A @ p
            losses, (r, _) = loss_functions(loss).values(y, f), loss_functions(loss).slopes(y, f)
            return w @ losses + 0.5 * lam @ p**2, lam * p - A.T @ (w * r)

        best = optimize.minimize(objective, np.zeros(6), jac=True, method="BFGS", options={"gtol": 1e-9})
        np.testing.assert_allclose(found[j], best.x, atol=1e-7)


@LOSSES
def test_the_bits_do_not_depend_on_what_stands_beside(monkeypatch, loss):
    counts = np.array([7, 20, 7, 70, 7, 20, 70, 1])
    design, offset, target, weight, indptr, penalty = problems(3, counts, 33, loss)
    whole = solve_many(design, offset, target, weight, indptr, penalty, loss=loss)
    for j in range(len(counts)):
        rows = slice(indptr[j], indptr[j + 1])
        own = np.array([0, counts[j]])
        alone = solve_many(design[rows], offset[rows], target[rows], weight[rows], own, penalty[j : j + 1], loss=loss)
        np.testing.assert_array_equal(alone[0], whole[j])
    monkeypatch.setattr(_solve_many, "_STACK", 1)
    in_small_stacks = solve_many(design, offset, target, weight, indptr, penalty, loss=loss)
    np.testing.assert_array_equal(in_small_stacks, whole)


@LOSSES
def test_rows_may_be_more_than_are_copied_at_a_time(monkeypatch, loss):
    arguments = problems(6, [50, 50, 80], 9, loss)
    whole = solve_many(*arguments, loss=loss)
    monkeypatch.setattr(_solve_many, "_HEIGHT", 7)
    np.testing.assert_allclose(solve_many(*arguments, loss=loss), whole, rtol=1e-10, atol=1e-12)


@LOSSES
@pytest.mark.parametrize("penalty", [1e-6, 1e6])
@pytest.mark.parametrize("n", [3, 40])
def test_separable_labels_and_extreme_penalties(loss, penalty, n):
    """Newton's whole first step overshoots here: what the line search is for."""
    rng = np.random.default_rng(2)
    design, offset = rng.normal(size=(n, 5)), np.full(n, -6.0)
    target = (design[:, 0] > 0) * (4.0 if loss in STARS else 1.0) + (loss in STARS)
    charges = np.full((1, 5), penalty)
    p = solve_many(design, offset, target, np.ones(n), np.array([0, n]), charges, loss=loss)[0]
    f = offset + design @ p
    residual, _ = loss_functions(loss).slopes(target, f)
    gradient = design.T @ residual - penalty * p
    np.testing.assert_allclose(gradient / (penalty * max(1.0, np.abs(p).max())), 0, atol=1e-5)


@LOSSES
def test_a_coefficient_without_penalty(loss):
    design, offset, target, weight, indptr, penalty = problems(4, [9, 30], 5, loss)
    penalty[1, 0] = 0
    arguments = design, offset, target, weight, indptr, penalty
    expected = one_by_one(*arguments, loss=loss)
    np.testing.assert_allclose(solve_many(*arguments, loss=loss), expected, atol=1e-9)


def test_the_arguments_stay_as_they_are():
    arguments = problems(0, [4, 30], 6, "logistic")
    before = [a.copy() for a in arguments]
    solve_many(*arguments, prior_mean=np.ones(6), loss="logistic")
    for array, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@LOSSES
def test_what_cannot_be_solved_names_the_problem(loss):
    design, offset, target, weight, indptr, penalty = problems(5, [3, 4, 5], 4, loss)
    penalty[1] = 0
    design[4:6] = design[3]  # rows 3..6 are problem 1: two directions for four coefficients
    with pytest.raises(DataError, match="problem 1: the ratings do not determine the vector"):
        solve_many(design, offset, target, weight, indptr, penalty, loss=loss)
    for array in (design, offset, target):
        good = array[8].copy()
        array[8] = np.nan
        with pytest.raises(DataError, match="problem 2: its rows hold values not finite"):
            solve_many(design, offset, target, weight, indptr, penalty, loss=loss)
        array[8] = good


@LOSSES
@pytest.mark.parametrize("free", [False, True])
def test_draws_are_normal_around_the_minimum(loss, free):
    """One problem many times over: mean and covariance of the draws are the minimum and the inverse Hessian."""
    counts, k, m = [6, 0, 2], 4, 600 if free else 6000  # those are solved one by one
    design, offset, target, weight, indptr, penalty = problems(7, counts, k, loss)
    if free:
        penalty[0, 0] = 0
    mean = np.random.default_rng(8).normal(size=k)
    for j, n in enumerate(counts):
        rows = slice(indptr[j], indptr[j + 1])
        own = design[rows], offset[rows], target[rows], weight[rows]
        repeated = [np.concatenate([array] * m) for array in own]
        normals = np.random.default_rng(9).normal(size=(m, k))
        normals = np.concatenate([normals[: m // 2], -normals[: m // 2]])
        many = np.repeat(penalty[j : j + 1], m, axis=0)
        draws = solve_many(*repeated, np.arange(m + 1) * n, many, prior_mean=mean, loss=loss, normals=normals)
        minimum = solve_many(*own, np.array([0, n]), penalty[j : j + 1], prior_mean=mean, loss=loss)[0]
        _, S = loss_functions(loss).slopes(own[2], own[1] + own[0] @ minimum)
        H = own[0].T @ (own[0] * (own[3] * S)[:, None]) + np.diag(penalty[j])
        np.testing.assert_allclose(draws.mean(axis=0), minimum, atol=1e-9)
        covariance = np.linalg.inv(H)
        size = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        np.testing.assert_allclose(np.cov(draws.T) / size, covariance / size, atol=0.25 if free else 0.08)


def test_draws_do_not_depend_on_what_stands_beside():
    design, offset, target, weight, indptr, penalty = problems(3, [7, 20, 0, 7], 5, "probit")
    normals = np.random.default_rng(0).normal(size=(4, 5))
    whole = solve_many(design, offset, target, weight, indptr, penalty, loss="probit", normals=normals)
    for j in range(4):
        rows = slice(indptr[j], indptr[j + 1])
        own = design[rows], offset[rows], target[rows], weight[rows], indptr[j : j + 2] - indptr[j]
        alone = solve_many(*own, penalty[[j]], loss="probit", normals=normals[[j]])
        np.testing.assert_array_equal(alone[0], whole[j])


def test_nothing_can_be_drawn_from_nothing():
    arguments = np.zeros((0, 2)), *[np.zeros(0)] * 3, np.array([0, 0]), np.array([[1.0, 0.0]])
    with pytest.raises(DataError, match="problem 0: nothing determines it"):
        solve_many(*arguments, normals=np.zeros((1, 2)))
