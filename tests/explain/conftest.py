"""Planted parameters, and the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from resolve_oracle import Oracle
from scipy import sparse


@dataclass
class Parameters:
    bias: float
    linear: np.ndarray
    factors: np.ndarray
    penalties: object = None
    interactions: str = "all"
    n_query_features: int | None = None


class Planted:
    """A random model over user, user side features, item, item side features, and rows of it."""

    def __init__(self, seed=0, *, n_users=3, n_items=40, n_factors=5, n_user_features=0, n_item_features=0, **p):
        self.rng = np.random.default_rng(seed)
        self.n_users, self.n_items = n_users, n_items
        self.user_features = self.rng.uniform(0.2, 1.5, (n_users, n_user_features))
        self.item_features = self.rng.uniform(0.2, 1.5, (n_items, n_item_features))
        n = n_users + n_user_features + n_items + n_item_features
        self.penalty = self.rng.uniform(0.5, 2.0, n).astype(np.float32)
        self.p = Parameters(
            0.3,
            self.rng.normal(0, 0.4, n).astype(np.float32),
            self.rng.normal(0, 0.5, (n, n_factors)).astype(np.float32),
            SimpleNamespace(factors=self.penalty),
            n_query_features=n_users + n_user_features,
            **p,
        )

    def rows(self, user, items, value=1.0):
        items = np.asarray(items, dtype=int)
        dense = np.zeros((len(items), len(self.p.linear)), dtype=np.float32)
        dense[:, user] = value
        dense[:, self.n_users : self.n_users + self.user_features.shape[1]] = self.user_features[user]
        first = self.n_users + self.user_features.shape[1]
        dense[np.arange(len(items)), first + items] = 1
        dense[:, first + self.n_items :] = self.item_features[items]
        return sparse.csr_matrix(dense)

    def draw(self, n, *, loss="squared", n_wanted=6, user=1, value=1.0):
        """Rated rows, targets, wanted rows of a user; no item in both."""
        items = self.rng.permutation(self.n_items)
        y = self.rng.integers(0, 2, n) if loss in ("logistic", "probit") else self.rng.integers(1, 6, n)
        rated, wanted = items[:n], items[n : n + n_wanted]
        return self.rows(user, rated, value), y.astype(np.float64), self.rows(user, wanted, value)


@pytest.fixture
def planted():
    return Planted


@pytest.fixture
def oracle():
    return Oracle
