"""Planted parameters and an oracle that shares nothing with the library but the model's definition."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, sparse


@dataclass
class Parameters:
    bias: float
    linear: np.ndarray
    factors: np.ndarray
    penalties: object = None


class Planted:
    """A random model over user, user side features, item, item side features, and rows of it."""

    def __init__(self, seed=0, *, n_users=3, n_items=40, n_factors=5, n_user_features=0, n_item_features=0):
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
        y = self.rng.integers(0, 2, n) if loss == "logistic" else self.rng.integers(1, 6, n)
        rated, wanted = items[:n], items[n : n + n_wanted]
        return self.rows(user, rated, value), y.astype(np.float64), self.rows(user, wanted, value)


def score(p, x, feature, vector):
    """Score of one dense row with the vector of `feature` replaced: the double sum of the definition."""
    V = p.factors.astype(np.float64).copy()
    V[feature] = vector
    x = np.asarray(x, dtype=np.float64)
    used = np.flatnonzero(x)
    pairs = sum(V[f] @ V[g] * x[f] * x[g] for f, g in combinations(used, 2))
    return p.bias + p.linear.astype(np.float64) @ x + pairs


class Oracle:
    """Re-solve by brute force: dense least squares, or a general optimiser for the logistic loss."""

    def __init__(self, p, X_rated, feature, penalty, *, weight=None, mean=None, loss="squared"):
        k = p.factors.shape[1]
        self.p, self.feature, self.loss = p, feature, loss
        self.A, self.o = self.linear_map(X_rated)
        self.weight = np.ones(len(self.o)) if weight is None else np.asarray(weight, dtype=float)
        self.penalty = np.broadcast_to(np.asarray(penalty, dtype=float), (k,))
        self.mean = np.zeros(k) if mean is None else np.asarray(mean)

    def linear_map(self, X):
        k = self.p.factors.shape[1]
        rows = X.toarray()
        o = np.array([score(self.p, x, self.feature, np.zeros(k)) for x in rows])
        columns = [[score(self.p, x, self.feature, e) for x in rows] - o for e in np.eye(k)]
        return np.array(columns).T, o

    def vector(self, y):
        if self.loss == "squared":
            root = np.sqrt(self.weight)
            A = np.vstack([self.A * root[:, None], np.diag(np.sqrt(self.penalty))])
            b = np.concatenate([(y - self.o) * root, np.sqrt(self.penalty) * self.mean])
            return np.linalg.lstsq(A, b, rcond=None)[0]

        def objective(v):
            f = self.o + self.A @ v
            return self.weight @ (np.log1p(np.exp(f)) - y * f) + 0.5 * self.penalty @ (v - self.mean) ** 2

        def slope(v):
            f = self.o + self.A @ v
            return self.A.T @ (self.weight * (1 / (1 + np.exp(-f)) - y)) + self.penalty * (v - self.mean)

        start = optimize.minimize(objective, self.mean, jac=slope, method="BFGS", options={"gtol": 1e-8}).x
        return optimize.root(slope, start, method="hybr", tol=1e-13).x

    def scores(self, y, X_wanted):
        A, o = self.linear_map(X_wanted)
        return o + A @ self.vector(y)

    def influence(self, y, X_wanted):
        """Central differences of the re-solved scores, target by target."""
        A, _ = self.linear_map(X_wanted)
        step = 0.5 if self.loss == "squared" else 1e-4
        columns = []
        for k in range(len(y)):
            change = np.zeros(len(y))
            change[k] = step
            columns.append(A @ (self.vector(y + change) - self.vector(y - change)) / (2 * step))
        return np.array(columns).T


@pytest.fixture
def planted():
    return Planted


@pytest.fixture
def oracle():
    return Oracle
