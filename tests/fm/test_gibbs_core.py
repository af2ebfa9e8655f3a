"""The Gibbs sampler in the core against one written as plain loops, on the same random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from gibbs_problems import Problem, make_problem, parameters

KINDS = ["ids", "fields", "flat"]


def assert_same_chain(problem: Problem, n_sweeps: int, tolerance: float, **options: object) -> None:
    sampler, reference = problem.sampler(**options), problem.reference(**options)
    for number in range(n_sweeps):
        error = sampler.sweep(number)
        reference.sweep(number)
        bias, linear, factors = parameters(sampler, problem)
        np.testing.assert_allclose(linear, reference.linear, atol=tolerance)
        np.testing.assert_allclose(factors, reference.factors, atol=tolerance)
        assert bias == pytest.approx(reference.bias, abs=tolerance)
        residual = reference.target - reference.score()
        assert error == pytest.approx(np.sqrt(np.average(residual**2, weights=reference.weight)), abs=tolerance)
        assert sampler.noise_precision == pytest.approx(reference.noise_precision, rel=tolerance)


@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_without_draws_each_step_is_the_conditional_mean(kind, bipartite):
    problem = make_problem(kind)
    rng = np.random.default_rng(0)
    penalties = rng.uniform(0.5, 2, (2, problem.n_features)).astype(np.float32)
    options = {"precision_linear": penalties[0], "precision_factors": penalties[1]}
    assert_same_chain(problem, 4, 2e-4, draw=False, bipartite=bipartite, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("row_noise", [False, True])
@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_those_of_the_reference(kind, bipartite, row_noise, weighted):
    problem = make_problem(kind)
    if weighted:
        problem.weight = np.random.default_rng(1).uniform(0.2, 3, len(problem.target)).astype(np.float32)
    assert_same_chain(problem, 5, 2e-3, bipartite=bipartite, row_noise=row_noise)


@pytest.mark.parametrize("kind", KINDS)
def test_priors_and_row_noise_can_be_read(kind):
    problem = make_problem(kind)
    sampler, reference = problem.sampler(row_noise=True), problem.reference(row_noise=True)
    for number in range(3):
        sampler.sweep(number)
        reference.sweep(number)
    mean, precision = sampler.priors()
    assert mean.shape == precision.shape == (len(problem.ranges), problem.n_factors + 1)
    np.testing.assert_allclose(mean, [reference.prior_mean[columns] for columns in problem.ranges], atol=2e-3)
    np.testing.assert_allclose(precision, [reference.prior_precision[columns] for columns in problem.ranges], rtol=5e-3)
    log_noise = np.full(problem.n_features, np.nan, np.float32)
    sampler.copy_noise_to(log_noise)
    noise = np.exp(sum(rows @ log_noise for rows in problem.full_rows()))
    np.testing.assert_allclose(noise, reference.row_noise_factors(), rtol=5e-3)
    assert (log_noise != 0).any()


def objective_and_gradient(reference, penalties):
    """DESIGN's objective with the penalties of features, and its derivatives in [factors, weight] of each."""
    residual = reference.score() - reference.target
    value = 0.5 * (reference.weight @ residual**2)
    value += 0.5 * (penalties[0] @ reference.linear**2 + penalties[1] @ (reference.factors**2).sum(1))
    gradient = np.column_stack([penalties[1][:, None] * reference.factors, penalties[0] * reference.linear])
    for b, of_block in enumerate(reference.fields):
        for columns in of_block:
            for f in range(*columns):
                gradient[f] += reference.slopes(b, f).T @ (reference.weight * residual)
    return value, gradient, reference.weight @ residual


@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_als_descends_the_objective_to_a_point_without_slope(kind, bipartite):
    problem = make_problem(kind, n_rows=150)
    rng = np.random.default_rng(0)
    problem.weight = rng.uniform(0.5, 2, len(problem.target)).astype(np.float32)
    penalties = rng.uniform(2, 5, (2, problem.n_features)).astype(np.float32)
    options = {"precision_linear": penalties[0], "precision_factors": penalties[1], "bipartite": bipartite}
    sampler, reference = problem.sampler(draw=False, **options), problem.reference(draw=False, **options)
    reference.bias = 0.25
    values = [objective_and_gradient(reference, penalties)[0]]
    for number in range(60):
        sampler.sweep(number)
        reference.bias, reference.linear, reference.factors = parameters(sampler, problem)
        values.append(objective_and_gradient(reference, penalties)[0])
    for number in range(60, 3000):
        sampler.sweep(number)
    reference.bias, reference.linear, reference.factors = parameters(sampler, problem)
    values.append(objective_and_gradient(reference, penalties)[0])
    assert np.all(np.diff(values) < 1e-5 * values[0])
    assert values[-1] < 0.9 * values[0]
    _, gradient, of_bias = objective_and_gradient(reference, penalties)
    assert np.abs(gradient).max() < 2e-3
    assert abs(of_bias) < 2e-3


def test_features_without_rows_are_zero_without_draws():
    problem = make_problem("ids")
    nothing = {"precision_linear": np.full(problem.n_features, 2, np.float32)}
    penalties = np.full(problem.n_features, 2, np.float32)
    penalties[[6, 14, 15]] = 0  # as an objective charges what no row has
    sampler = problem.sampler(draw=False, precision_factors=penalties, **nothing)
    sampler.sweep(0)
    _, linear, factors = parameters(sampler, problem)
    assert not linear[[6, 14, 15]].any()
    assert not factors[[6, 14, 15]].any()
