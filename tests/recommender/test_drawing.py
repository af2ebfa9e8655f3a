"""Promise: a new id has in every sample a draw from its conditional distribution there, whoever is drawn beside it.

Rows and samples are made by hand; the score as a function of the own weight and vector is read off the samples'
`decision_function`, which shares nothing with the code under test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from factorec._losses import OrderedLevels, loss_functions
from factorec._solve import solve
from factorec.fm import FMParameters, Posterior, Prior
from factorec.recommender import own_rows
from factorec.recommender.drawing import drawn
from factorec.recommender.own_rows import OwnRows

STARS = OrderedLevels([-1.0, 0.0, 1.2], link="probit", levels=[1, 2, 3, 5])
N_USERS, N_CONTEXTS, N_ITEMS, K = 6, 3, 12, 3
N = N_USERS + 1 + N_CONTEXTS + N_ITEMS + 2  # users, their age, contexts, items, two genres
BORDER = N_USERS + 1 + N_CONTEXTS


def parameters(n_samples=5, *, seed=0, interactions="all", noise=True):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(0, 0.5, shape).astype(np.float32)

    def prior(n):
        return Prior(rng.normal(size=n), rng.normal(size=(n, K)), rng.uniform(1, 3, n), rng.uniform(1, 3, (n, K)))

    log_noise = np.zeros((N, n_samples), np.float32)
    if noise:
        log_noise[:N_USERS] = normal(N_USERS, n_samples)
        log_noise[BORDER : BORDER + N_ITEMS] = normal(N_ITEMS, n_samples)
    mean = FMParameters(0.1, normal(N), normal(N, K), None, BORDER, interactions)
    linear = normal(N, n_samples)
    posterior = Posterior(
        rng.normal(size=n_samples),
        linear,
        rng.uniform(0.5, 2, n_samples),
        mean,
        log_noise if noise else None,
        cuts=np.sort(rng.normal(size=(n_samples, 3)), axis=1),
        priors={"user_id": prior(n_samples), "item_id": prior(n_samples)},
        seed=seed,
    )
    factors = normal(N, n_samples * K)
    return FMParameters(0.0, linear.mean(axis=1), factors, None, BORDER, interactions, posterior)


def rows_of(side, counts, loss, seed=1):
    """Full rows without the own id, and the same as `OwnRows`."""
    rng = np.random.default_rng(seed)
    m, n = len(counts), sum(counts)
    users = np.zeros((N_USERS, N))
    users[np.arange(N_USERS), np.arange(N_USERS)] = 1
    users[:, N_USERS] = rng.normal(size=N_USERS)
    contexts = np.zeros((N_CONTEXTS, N))
    contexts[np.arange(N_CONTEXTS), N_USERS + 1 + np.arange(N_CONTEXTS)] = 1
    items = np.zeros((N_ITEMS, N))
    items[np.arange(N_ITEMS), BORDER + np.arange(N_ITEMS)] = 1
    items[:, BORDER + N_ITEMS :] = rng.uniform(size=(N_ITEMS, 2))
    own, others = (users, items) if side == "user" else (items, users)
    columns = np.arange(m) + (0 if side == "user" else BORDER)
    features = own[:m].copy()
    features[np.arange(m), columns] = 0
    other, context = rng.integers(0, len(others), n), rng.integers(-1, N_CONTEXTS, n)
    dense = features[np.repeat(np.arange(m), counts)] + others[other] + np.vstack([contexts, np.zeros(N)])[context]
    label = rng.normal(size=n) if loss == "squared" else rng.choice([1.0, 2, 3, 5] if loss is STARS else [0.0, 1], n)
    parts = [(csr_matrix(others), other), (csr_matrix(contexts), context)]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return dense, OwnRows(side, indptr, csr_matrix(features), parts, label, rng.uniform(0.5, 2, n), columns)


def affine(p, dense, column):
    """Score as ``o + A [w, v]``, by evaluating it."""

    def scores(w, v):
        linear, factors = p.linear.copy(), p.factors.copy()
        linear[column], factors[column] = w, v
        full = dense.copy()
        full[:, column] = 1
        return replace(p, linear=linear, factors=factors).decision_function(full)

    zero = np.zeros(K)
    offset = scores(0, zero)
    return offset, np.column_stack([scores(1, zero), *(scores(0, e) for e in np.eye(K))]) - offset[:, None]


@pytest.mark.parametrize("interactions", ["all", "bipartite"])
@pytest.mark.parametrize("side", ["user", "item"])
@pytest.mark.parametrize("loss", ["squared", "probit", STARS], ids=str)
def test_a_draw_is_the_minimum_plus_a_normal_of_the_inverse_hessian(side, loss, interactions):
    p, counts = parameters(interactions=interactions), [3, 0, 8, 1]
    dense, rows = rows_of(side, counts, loss)
    draws = drawn(p, rows, f"{side}_id", loss)
    noise, prior = p.posterior.log_noise, p.posterior.priors[f"{side}_id"]
    full = dense.copy()
    full[np.arange(len(full)), np.repeat(rows.columns, counts)] = 1
    base = rows.weight / np.exp(full @ p.posterior.mean_log_noise())
    whitened = np.empty((5, 4, 1 + K))
    for s in range(5):
        in_sample = OrderedLevels(p.posterior.cuts[s], "probit", levels=STARS.levels) if loss is STARS else loss
        weight = base * np.exp(full @ noise[:, s])
        penalty, mean = (
            np.append(prior.linear[s], prior.factors[s]),
            np.append(prior.mean_linear[s], prior.mean_factors[s]),
        )
        for j, column in enumerate(rows.columns):
            own = slice(rows.indptr[j], rows.indptr[j + 1])
            minimum, H = mean, np.diag(penalty)
            if own.stop > own.start:
                offset, A = affine(p.sample(s), dense[own], column)
                minimum = solve(
                    A, offset, rows.label[own], weight[own], penalty, prior_mean=mean, loss=in_sample
                ).coefficients
                _, S = loss_functions(in_sample).slopes(rows.label[own], offset + A @ minimum)
                H = H + A.T @ (A * (weight[own] * S)[:, None])
            root = np.linalg.cholesky(H * p.posterior.noise_precision[s])
            whitened[s, j] = root.T @ (draws[j, s] - minimum)
    for j in range(1, 4):  # everybody has the same normal numbers
        np.testing.assert_allclose(whitened[:, j], whitened[:, 0], atol=2e-4)
    np.testing.assert_allclose(whitened[1::2], -whitened[:-1:2], atol=2e-4)  # every second the opposite
    assert np.unique(whitened[::2, 0].round(3)).size == 3 * (1 + K)  # otherwise each its own


@pytest.mark.parametrize("side", ["user", "item"])
@pytest.mark.parametrize("loss", ["squared", STARS], ids=str)
def test_a_draw_does_not_depend_on_company_or_batches(side, loss, monkeypatch):
    p, counts = parameters(), [3, 0, 8, 1, 3]
    _, rows = rows_of(side, counts, loss)
    whole = drawn(p, rows, f"{side}_id", loss)
    for j in range(5):
        np.testing.assert_array_equal(drawn(p, rows.take(j, j + 1), f"{side}_id", loss)[0], whole[j])
    monkeypatch.setattr(own_rows, "_BATCH", 1)
    np.testing.assert_array_equal(drawn(p, rows, f"{side}_id", loss), whole)


def test_random_numbers_are_those_of_seed_and_side():
    p = parameters()
    _, rows = rows_of("user", [3, 2], "squared")
    draws = drawn(p, rows, "user_id", "squared")
    other = replace(p, posterior=replace(p.posterior, seed=1))
    assert not (drawn(other, rows, "user_id", "squared") == draws).any()
    np.testing.assert_array_equal(drawn(p, rows, "user_id", "squared"), draws)


def test_opposite_draws_leave_no_noise_in_the_mean():
    """Of samples that are all the same, the mean of the draws is their common minimum."""
    p = parameters(2, noise=False)
    first = {name: np.repeat(getattr(p.posterior, name)[:1], 2) for name in ("bias", "noise_precision")}
    prior = Prior(np.full(2, 0.3), np.full((2, K), -0.2), np.full(2, 2.0), np.full((2, K), 1.5))
    linear = np.repeat(p.posterior.linear[:, :1], 2, axis=1)
    posterior = replace(p.posterior, **first, linear=linear, priors={"user_id": prior})
    p = replace(p, linear=linear[:, 0], factors=np.tile(p.factors[:, :K], 2), posterior=posterior)
    dense, rows = rows_of("user", [5], "squared")
    draws = drawn(p, rows, "user_id", "squared")[0]
    offset, A = affine(p.sample(0), dense, 0)
    penalty, mean = np.append(2.0, np.full(K, 1.5)), np.append(0.3, np.full(K, -0.2))
    minimum = solve(A, offset, rows.label, rows.weight, penalty, prior_mean=mean).coefficients
    np.testing.assert_allclose(draws.mean(axis=0), minimum, atol=1e-5)
    assert np.abs(draws[0] - draws[1]).max() > 0.1
