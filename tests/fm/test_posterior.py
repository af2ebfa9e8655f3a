"""Samples as one machine, bipartite interactions, and what is refused."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from factorec.errors import DataError
from factorec.fm import FMParameters, Posterior, Prior

N, K = 12, 3


def random_posterior(n_samples, seed=0, **other):
    """A machine of samples, with the samples themselves."""
    rng = np.random.default_rng(seed)
    bias = rng.normal(size=n_samples)
    linear = rng.normal(size=(N, n_samples)).astype(np.float32)
    factors = rng.normal(size=(n_samples, N, K)).astype(np.float32)
    mean = FMParameters(bias.mean(), linear.mean(axis=1), factors.mean(axis=0), **other)
    joint = np.concatenate(list(factors / np.float32(np.sqrt(n_samples))), axis=1)
    posterior = Posterior(bias, linear, rng.uniform(1, 2, n_samples), mean)
    return FMParameters(bias.mean(), mean.linear, joint, posterior=posterior, **other), factors


def random_rows(seed=1, n_rows=30):
    rng = np.random.default_rng(seed)
    return sparse.csr_array((rng.normal(size=(n_rows, N)) * (rng.random((n_rows, N)) < 0.5)).astype(np.float32))


@pytest.mark.parametrize("interactions", ["all", "bipartite"])
@pytest.mark.parametrize("n_samples", [1, 2, 5, 64])
def test_score_is_the_mean_of_the_samples_scores(n_samples, interactions):
    p, factors = random_posterior(n_samples, interactions=interactions, n_query_features=5)
    X = random_rows()
    scores = p.sample_scores(X)
    assert scores.shape == (30, n_samples)
    np.testing.assert_allclose(scores.mean(axis=1), p.decision_function(X), rtol=1e-5, atol=1e-5)
    for number in range(n_samples):
        sample = p.sample(number)
        np.testing.assert_allclose(sample.factors, factors[number], rtol=3e-7)
        np.testing.assert_array_equal(sample.decision_function(X), scores[:, number])


@pytest.mark.parametrize("n_factors", [1, 7, 16, 40, 130])
def test_bipartite_score_counts_pairs_across_only(n_factors):
    rng = np.random.default_rng(n_factors)
    w, V = rng.normal(size=N).astype(np.float32), rng.normal(size=(N, n_factors)).astype(np.float32)
    p = FMParameters(0.25, w, V, n_query_features=5, interactions="bipartite")
    X = random_rows()
    x = X.toarray().astype(np.float64)
    expected = 0.25 + x @ w + ((x[:, :5] @ V[:5].astype(float)) * (x[:, 5:] @ V[5:].astype(float))).sum(axis=1)
    np.testing.assert_allclose(p.decision_function(X), expected, rtol=2e-5, atol=2e-5)
    shuffled = sparse.csr_array(X)  # the order of a row's entries is free
    for row in range(X.shape[0]):
        part = slice(X.indptr[row], X.indptr[row + 1])
        shuffled.indices[part] = X.indices[part][::-1].copy()
        shuffled.data[part] = X.data[part][::-1].copy()
    np.testing.assert_allclose(p.decision_function(shuffled), expected, rtol=2e-5, atol=2e-5)


def test_bipartite_score_splits_into_query_and_item():
    p, _ = random_posterior(4, interactions="bipartite", n_query_features=5)
    x = random_rows().toarray()
    queries, items = x.copy(), x.copy()
    queries[:, 5:], items[:, :5] = 0, 0
    np.testing.assert_allclose(p.item_offsets(items), items @ p.linear.astype(np.float64), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(p.item_offsets(items), p.item_offsets(items, self_interaction=False), atol=1e-6)
    np.testing.assert_allclose(
        p.bias
        + p.query_offsets(queries)
        + p.item_offsets(items)
        + (p.query_vectors(queries) * p.item_vectors(items)).sum(axis=1),
        p.decision_function(x),
        rtol=1e-5,
        atol=1e-5,
    )


def test_mean_without_a_posterior_is_itself():
    p, _ = random_posterior(3)
    assert p.mean() is p.posterior.mean
    assert p.mean().mean() is p.mean()


def test_survives_pickle_and_deepcopy():
    p, _ = random_posterior(3, interactions="bipartite", n_query_features=5)
    for twin in (pickle.loads(pickle.dumps(p)), copy.deepcopy(p)):
        np.testing.assert_array_equal(twin.sample_scores(random_rows()), p.sample_scores(random_rows()))


def prior(n_samples, k=K):
    return Prior(np.zeros(n_samples), np.zeros((n_samples, k)), np.ones(n_samples), np.ones((n_samples, k)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"linear": np.zeros((N, 2), np.float32)}, "linear"),
        ({"linear": np.zeros((N, 3))}, "float32"),
        ({"bias": np.zeros(0)}, "at least one sample"),
        ({"noise_precision": np.array([1.0, -1.0, 1.0])}, "positive"),
        ({"noise_precision": np.array([1.0, np.nan, 1.0])}, "not finite"),
        ({"log_noise": np.zeros(N, np.float32)}, "log_noise"),
        ({"cuts": np.zeros((2, 4))}, "cuts"),
        ({"priors": {"user": prior(3, 4)}}, "mean_factors of the prior of 'user'"),
        ({"priors": {"user": prior(2)}}, "mean_linear of the prior of 'user'"),
    ],
)
def test_refuses_what_does_not_fit(change, message):
    p, _ = random_posterior(3)
    with pytest.raises(DataError, match=message):
        replace(p.posterior, **change)


def test_parameters_refuse_what_does_not_fit():
    p, _ = random_posterior(3)
    with pytest.raises(DataError, match="factors have shape"):
        replace(p, factors=p.factors[:, :-1])
    with pytest.raises(DataError, match="mean of a posterior"):
        replace(p.posterior, mean=p)
    with pytest.raises(DataError, match="n_query_features"):
        replace(p, interactions="bipartite")
    with pytest.raises(DataError, match="interactions must be"):
        replace(p, interactions="pairs")
    with pytest.raises(DataError, match="sample 3"):
        p.sample(3)
    with pytest.raises(DataError, match="no posterior"):
        p.mean().sample_scores(random_rows())
