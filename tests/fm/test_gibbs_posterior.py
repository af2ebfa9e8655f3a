"""The Gibbs sampler against posteriors that are known, each mean within what the chain's length allows."""

from __future__ import annotations

import numpy as np
from gibbs_problems import Problem, parameters, with_levels
from scipy.special import logsumexp

N_BATCHES = 25


def standard_errors(chain):
    """Of the means of an autocorrelated chain, by means of batches."""
    batches = chain[: len(chain) // N_BATCHES * N_BATCHES].reshape(N_BATCHES, -1, chain.shape[1]).mean(1)
    return batches.std(0, ddof=1) / np.sqrt(N_BATCHES)


def assert_means(chain, expected, other_errors=0.0):
    z = (chain.mean(0) - expected) / np.sqrt(standard_errors(chain) ** 2 + other_errors**2)
    assert np.abs(z).max() < 4.5, z


def linear_problem():
    """One block and only pairs between blocks: a linear regression on dense rows."""
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 1, (25, 3)).astype(np.float32)
    target = (1.5 + rows @ [0.8, -0.4, 0.1] + rng.normal(0, 0.7, 25)).astype(np.float32)
    weight = rng.integers(1, 3, 25).astype(np.float32)
    return Problem([rows], [None], [[3]], target, weight, n_factors=1)


def linear_posterior(problem):
    """Means over the posterior of weights, their squares, bias, log noise precision, and the prior's mean.

    Given both precisions all else is normal; the precisions are summed over a grid of their logarithms.
    """
    times = problem.weight.astype(int)
    rows, target = np.repeat(problem.entities[0], times, axis=0), np.repeat(problem.target, times).astype(float)
    n, d = rows.shape
    design = np.column_stack([rows, np.ones(n), np.zeros(n)])  # weights, bias, the prior's mean
    pull = np.zeros((d + 2, d + 2))  # of the prior precision: sum (w - mean)^2 + mean^2
    for j in range(d):
        off = np.zeros(d + 2)
        off[j], off[-1] = 1, -1
        pull += np.outer(off, off)
    pull[-1, -1] += 1
    log_weight, means = [], []
    for log_noise in np.linspace(-2.5, 3.5, 121):
        for log_prior in np.linspace(-9, 6, 151):
            noise, prior = np.exp(log_noise), np.exp(log_prior)
            precision = noise * design.T @ design + prior * pull
            mean = np.linalg.solve(precision, noise * design.T @ target)
            covariance = np.linalg.inv(precision)
            # Both precisions are Gamma(1/2, 1/2); the Jacobian of the logarithm makes their shapes 1/2 each.
            evidence = 0.5 * (n * log_noise + (d + 1) * log_prior - np.linalg.slogdet(precision)[1])
            evidence -= 0.5 * (noise * target @ target - mean @ precision @ mean)
            evidence += 0.5 * (log_noise - noise) + 0.5 * (log_prior - prior)
            log_weight.append(evidence)
            w = mean[:d]
            means.append(np.r_[w, w**2 + np.diag(covariance)[:d], mean[d], log_noise, np.tanh(log_prior / 3)])
    weights = np.exp(np.array(log_weight) - logsumexp(log_weight))
    return weights @ np.array(means)


def test_linear_regression_has_its_analytic_posterior():
    problem = linear_problem()
    sampler = problem.sampler(bipartite=True)
    chain = []
    for number in range(30_000):
        sampler.sweep(number)
        bias, linear, _ = parameters(sampler, problem)
        prior = sampler.priors()[1][0, -1]
        chain.append(
            np.r_[linear, linear.astype(float) ** 2, bias, np.log(sampler.noise_precision), np.tanh(np.log(prior) / 3)]
        )
    assert_means(np.array(chain[500:]), linear_posterior(problem))


def test_row_noise_and_cuts_sample_their_joint_distribution(monkeypatch):
    """Geweke (2004): draws that alternate with new data have the prior as their distribution.

    Of the reference, whose data can be replaced between sweeps; the core is compared with it draw by draw. Features
    stay what they are: their priors' heavy tails would make the chain long.
    """
    index = [np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 1, 1, 2, 2])]
    entities = [np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)]
    problem = with_levels(Problem(entities, index, [[3], [3]], np.arange(6, dtype=np.float32), n_factors=1), 3)
    chain = problem.reference(n_levels=3, row_noise=True, noise_shape=6.0)
    monkeypatch.setattr(chain, "draw_feature", lambda *_: None)
    monkeypatch.setattr(chain, "draw_prior", lambda *_: None)
    rng = np.random.default_rng(6)

    def draw_levels():
        chain.target = chain.score() + rng.normal(size=6) / np.sqrt(chain.row_noise_factors())
        chain.level = np.searchsorted(chain.cuts, chain.target)

    def drawn():
        cuts = np.tanh(chain.cuts / 10)
        return np.r_[np.log(chain.noise[[0, 2, 4]]), cuts, cuts**2, np.tanh(chain.cuts[1] - chain.cuts[0])]

    independent, successive = [], []
    for _ in range(20_000):
        chain.noise = rng.gamma(3, 1 / 3, 6)
        chain.cuts = np.sort(rng.normal(0, 10, 2))
        independent.append(drawn())
    draw_levels()
    for number in range(800):
        chain.sweep(number)
        draw_levels()
        successive.append(drawn())
    expected = np.array(independent)
    assert_means(np.array(successive), expected.mean(0), expected.std(0) / np.sqrt(len(expected)))
