"""A user's vector re-solved by brute force: shares nothing with the library but the model's definition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy import optimize

__all__ = ["Oracle", "score"]


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
