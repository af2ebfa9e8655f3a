"""A user's vector re-solved by brute force: shares nothing with the library but the model's definition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy import optimize, stats

__all__ = ["Oracle", "score"]


def score(p, x, feature, vector):
    """Score of one dense row with the vector of `feature` replaced: the double sum of the definition."""
    V = p.factors.astype(np.float64).copy()
    V[feature] = vector
    x = np.asarray(x, dtype=np.float64)
    used = np.flatnonzero(x)
    border = p.n_query_features if getattr(p, "interactions", "all") == "bipartite" else None
    pairs = sum(V[f] @ V[g] * x[f] * x[g] for f, g in combinations(used, 2) if border is None or f < border <= g)
    return p.bias + p.linear.astype(np.float64) @ x + pairs


class Oracle:
    """Re-solve by brute force: dense least squares, or a general optimiser for the other losses."""

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
            losses, _ = self.loss_of_scores(y, self.o + self.A @ v)
            return self.weight @ losses + 0.5 * self.penalty @ (v - self.mean) ** 2

        def slope(v):
            _, slopes = self.loss_of_scores(y, self.o + self.A @ v)
            return self.A.T @ (self.weight * slopes) + self.penalty * (v - self.mean)

        start = optimize.minimize(objective, self.mean, jac=slope, method="BFGS", options={"gtol": 1e-8}).x
        return optimize.root(slope, start, method="hybr", tol=1e-13).x

    def loss_of_scores(self, y, f):
        """Losses and their slopes, by their textbook definitions."""
        if self.loss == "logistic":
            return np.log1p(np.exp(f)) - y * f, 1 / (1 + np.exp(-f)) - y
        if self.loss == "probit":
            pdf, cdf = stats.norm.pdf(f), stats.norm.cdf(f)
            return -y * np.log(cdf) - (1 - y) * np.log(1 - cdf), -y * pdf / cdf + (1 - y) * pdf / (1 - cdf)
        cuts = np.array(self.loss.cuts)
        place = np.interp(y, self.loss.level_values, np.arange(len(cuts) + 1))
        level = np.minimum(np.floor(place).astype(int), len(cuts) - 1)
        shares = ((level, 1 - (place - level)), (level + 1, place - level))
        parts = [(share[:, None] * np.array(self.of_level(of, f)).T) for of, share in shares]
        return tuple(sum(parts).T)

    def of_level(self, level, f):
        cuts = np.array(self.loss.cuts)
        if self.loss.link == "logit":
            above = level[:, None] > np.arange(len(cuts))
            odds = f[:, None] - cuts
            losses = (np.log1p(np.exp(odds)) - above * odds).sum(axis=1)
            return losses, (1 / (1 + np.exp(-odds)) - above).sum(axis=1)
        bounds = np.concatenate([[-np.inf], cuts, [np.inf]])
        low, high = bounds[level] - f, bounds[level + 1] - f
        mass = stats.norm.cdf(high) - stats.norm.cdf(low)
        return -np.log(mass), (stats.norm.pdf(high) - stats.norm.pdf(low)) / mass

    def scores(self, y, X_wanted):
        A, o = self.linear_map(X_wanted)
        return o + A @ self.vector(y)

    def influence(self, y, X_wanted):
        """Central differences of the re-solved scores, target by target."""
        A, _ = self.linear_map(X_wanted)
        step = {"squared": 0.5, "logistic": 1e-4, "probit": 1e-4}.get(self.loss, 1e-6)  # at either end one-sided
        columns = []
        for k in range(len(y)):
            up, down = y.copy(), y.copy()
            up[k], down[k] = y[k] + step, y[k] - step
            if hasattr(self.loss, "level_values"):  # no level beyond the ends
                up, down = (np.clip(values, *np.array(self.loss.level_values)[[0, -1]]) for values in (up, down))
            columns.append(A @ (self.vector(up) - self.vector(down)) / (up[k] - down[k]))
        return np.array(columns).T
