"""Lazy mini-batch Adam for factorization machines in numpy and scipy: the peer of solver "adam".

No library of factorization machines trains so, and the managed service that does is not to be had here. Float32,
every step over whole batches: sparse products for sums of factors and gradients, then the features of the batch.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse


class NumpyAdam:
    """A model under training; ``rates`` and ``decay``: of bias, linear weights and factors."""

    def __init__(self, X, target, k, *, batch_size, rates, decay, sigma=0.01, seed=0):
        X = sparse.csr_array(X)
        self.batches = [X[begin : begin + batch_size] for begin in range(0, X.shape[0], batch_size)]
        self.targets = [target[begin : begin + batch_size] for begin in range(0, X.shape[0], batch_size)]
        self.present = [np.unique(batch.indices) for batch in self.batches]
        self.batch_size, self.rates, self.decay, self.t = batch_size, rates, decay, 0
        draw = np.random.default_rng(seed).standard_normal((X.shape[1], k), np.float32)
        self.P = [np.zeros(1, np.float32), np.zeros(X.shape[1], np.float32), sigma * draw]
        self.mean = [np.zeros_like(P) for P in self.P]
        self.square = [np.zeros_like(P) for P in self.P]

    def epoch(self):
        """One pass; the mean log loss before each step."""
        loss = sum(self.batch(*of_batch) for of_batch in zip(self.batches, self.targets, self.present, strict=True))
        return loss / sum(map(len, self.targets))

    def batch(self, X, y, present):
        bias, linear, factors = self.P
        X = X[:, present]
        V = factors[present]
        sums = X @ V
        squares = X.power(2)
        score = bias[0] + X @ linear[present] + 0.5 * ((sums**2).sum(1) - squares @ (V**2).sum(1))
        slope = (1 / (1 + np.exp(-score)) - y).astype(np.float32)
        of_factors = X.T @ (slope[:, None] * sums) - (squares.T @ slope)[:, None] * V
        self.t += 1
        correction = np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        for block, at, gradient in (
            (0, slice(None), slope.sum()),
            (1, present, X.T @ slope),
            (2, present, of_factors),
        ):
            P = self.P[block][at]
            gradient = gradient / np.float32(self.batch_size) + np.float32(self.decay[block]) * P
            mean = np.float32(0.9) * self.mean[block][at] + np.float32(0.1) * gradient
            square = np.float32(0.999) * self.square[block][at] + np.float32(0.001) * gradient**2
            step = mean / (np.sqrt(square) + np.float32(1e-8))
            self.P[block][at] = P - np.float32(self.rates[block] * correction) * step
            self.mean[block][at], self.square[block][at] = mean, square
        return float((np.logaddexp(0, score) - y * score).sum())
