"""Lazy mini-batch Adam for factorization machines in float64 and plain numpy, sharing nothing with the library.

For every parameter P of a block, with the sum over the rows of a batch of dLoss/dP:

    g = rescale * sum + decay * P, then clipped to +-clip
    m = 0.9 m + 0.1 g;  s = 0.999 s + 0.001 g**2
    P -= rate * sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (sqrt(s) + epsilon)

t counts batches. Lazy: of linear weights and factors only those whose feature the batch has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BLOCKS = ("bias", "linear", "factors")


@dataclass
class ReferenceAdam:
    """``X``: dense rows; a feature is in a row where ``stored`` is true (default: where X is not 0)."""

    X: np.ndarray
    target: np.ndarray
    bias: float
    linear: np.ndarray
    factors: np.ndarray
    loss: str = "logistic"
    rate: dict = field(default_factory=lambda: {"bias": 0.1, "linear": 0.001, "factors": 0.0001})
    decay: dict = field(default_factory=lambda: {"bias": 0.01, "linear": 0.001, "factors": 0.00001})
    weight: np.ndarray | None = None
    stored: np.ndarray | None = None
    batch_size: int = 1000
    rescale: float | None = None
    clip: float = np.inf
    epsilon: float = 1e-8
    lazy: bool = True
    pad_last_batch: bool = False
    padding_moves_bias: bool = True

    def __post_init__(self):
        self.P = {
            "bias": np.array([self.bias], float),
            "linear": np.array(self.linear, float),
            "factors": np.array(self.factors, float),
        }
        self.mean = {block: np.zeros_like(p) for block, p in self.P.items()}
        self.square = {block: np.zeros_like(p) for block, p in self.P.items()}
        self.t = 0
        self.steps = np.zeros(len(self.linear), int)
        self.weight = np.ones(len(self.target)) if self.weight is None else self.weight
        self.stored = self.X != 0 if self.stored is None else self.stored

    def score(self, X):
        s = X @ self.P["factors"]
        squares = (X**2) @ (self.P["factors"] ** 2).sum(axis=1)
        return self.P["bias"][0] + X @ self.P["linear"] + 0.5 * ((s**2).sum(axis=1) - squares)

    def batch(self, rows, n_padding=0):
        """One step; the scores before it."""
        X = np.vstack([self.X[rows], np.zeros((n_padding, self.X.shape[1]))])
        y = np.append(self.target[rows], np.zeros(n_padding))
        weight = np.append(self.weight[rows], np.ones(n_padding))
        score = self.score(X)
        slope = weight * ((1 / (1 + np.exp(-score)) if self.loss == "logistic" else score) - y)
        of_bias = slope if self.padding_moves_bias else slope[: len(rows)]
        sums = {
            "bias": np.array([of_bias.sum()]),
            "linear": X.T @ slope,
            "factors": X.T @ (slope[:, None] * (X @ self.P["factors"])) - (X**2).T @ slope[:, None] * self.P["factors"],
        }
        present = self.stored[rows].any(axis=0) | (not self.lazy)
        self.steps += present
        chosen = {"bias": np.array([True]), "linear": present, "factors": present}
        self.t += 1
        correction = np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        rescale = 1 / self.batch_size if self.rescale is None else self.rescale
        for block in BLOCKS:
            at, P = chosen[block], self.P[block]
            g = np.clip(rescale * sums[block][at] + self.decay[block] * P[at], -self.clip, self.clip)
            self.mean[block][at] = 0.9 * self.mean[block][at] + 0.1 * g
            self.square[block][at] = 0.999 * self.square[block][at] + 0.001 * g**2
            step = self.mean[block][at] / (np.sqrt(self.square[block][at]) + self.epsilon)
            P[at] -= self.rate[block] * correction * step
        return score, y, weight

    def epoch(self, order=None):
        """One pass; the metrics of its scores, each before its own batch's step."""
        order = np.arange(len(self.target)) if order is None else np.asarray(order)
        parts = []
        for begin in range(0, len(order), self.batch_size):
            rows = order[begin : begin + self.batch_size]
            parts.append(self.batch(rows, self.batch_size - len(rows) if self.pad_last_batch else 0))
        score, y, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
        if self.loss == "squared":
            return {"rmse": np.sqrt(np.average((score - y) ** 2, weights=weight))}
        predicted = score >= 0
        both, either = weight @ (predicted * y), weight @ (predicted + y)
        return {
            "log_loss": np.average(np.logaddexp(0, score) - y * score, weights=weight),
            "accuracy": np.average(predicted == y, weights=weight),
            "f1": 2 * both / either,
        }
