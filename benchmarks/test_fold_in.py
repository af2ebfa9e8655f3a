"""Folding in: 100,000 users with 20 ratings each, 64 factors, from the table to the grown model.

There is no peer: nothing else folds users into a factorization machine. The bars are times.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

import factorec as fr

N_USERS, N_RATINGS, N_ITEMS, N_FACTORS = 100_000, 20, 20_000, 64


def interactions(first, n_users, binary):
    """Each user's ratings of different items, by taste."""
    rng = np.random.default_rng(first)
    users = np.repeat(np.arange(first, first + n_users), N_RATINGS)
    items = (rng.integers(0, N_ITEMS, n_users)[:, None] + 997 * np.arange(N_RATINGS)).ravel() % N_ITEMS
    rating = 3 + np.sin(users) * np.sin(items) + rng.normal(0, 0.5, len(users))
    return {"user_id": users, "item_id": items, "rating": (rating > 3).astype(int) if binary else rating}


@pytest.mark.parametrize(
    ("estimator", "limit"), [(fr.FMRegressor, 10), (fr.FMClassifier, 40)], ids=["squared", "logistic"]
)
def test_fold_in_users(contender, threads, estimator, limit):
    binary = estimator is fr.FMClassifier
    # Two epochs, but factors of the size that training ends with: Newton's method then takes as many steps.
    model = estimator(n_factors=N_FACTORS, n_epochs=2, init_scale=0.15, random_state=0, n_jobs=threads)
    rec = fr.Recommender(model).fit(interactions(0, 50_000, binary))
    late = interactions(50_000, N_USERS, binary)

    def run():
        return copy.copy(rec).fold_in_users(late)

    loss = "logistic" if binary else "squared"
    case = f"fold in {N_USERS:,} users x {N_RATINGS} ratings, {N_ITEMS:,} items, {N_FACTORS} factors, {loss}"
    folded = contender(case, "factorec", run, limit=limit, rounds=3)
    assert len(folded.encoder_.users_) == 50_000 + N_USERS
