"""The sampler of `factorec/gibbs.hpp` as plain loops over dense rows in float64, on the same random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from reference_training import MASK, STEP, CounterRng, mix

Array = npt.NDArray[np.float64]
Range = tuple[int, int]


class Rng(CounterRng):
    """With the distributions of `random_draws.hpp`."""

    def fork(self, *streams: int) -> Rng:
        child = Rng(0)
        child.key = self.key
        for stream in streams:
            child.key = CounterRng.fork(child, stream).key
        return child

    def uniform(self, counter: int) -> float:
        return ((mix((self.key + counter * STEP) & MASK) >> 11) + 0.5) * 2.0**-53

    def normal(self, counter: int) -> float:
        radius = math.sqrt(-2 * math.log(self.uniform(2 * counter)))
        return radius * math.cos(2 * math.pi * self.uniform(2 * counter + 1))

    def normals(self, n: int) -> Array:
        out = np.zeros(n + 1)
        for i in range(0, n, 2):
            radius, angle = math.sqrt(-2 * math.log(self.uniform(i))), 2 * math.pi * self.uniform(i + 1)
            out[i], out[i + 1] = radius * math.cos(angle), radius * math.sin(angle)
        return out[:n]

    def gamma(self, shape: float, rate: float) -> float:
        boost = self.uniform(0) ** (1 / shape) if shape < 1 else 1.0
        d = (shape + 1 if shape < 1 else shape) - 1 / 3
        c = 1 / math.sqrt(9 * d)
        attempt = 1
        while True:
            tries = self.fork(attempt)
            x = tries.normal(0)
            v = (1 + c * x) ** 3
            if v > 0 and math.log(tries.uniform(2)) < 0.5 * x * x + d - d * v + d * math.log(v):
                return boost * d * v / rate
            attempt += 1


BIAS, NOISE, LATENT, START, FIRST_BLOCK = range(5)
PRIOR, FEATURE, ROW_NOISE = range(3)


@dataclass
class ReferenceGibbs:
    """One chain. `blocks` holds the rows of each block over all columns, (n_rows, n_features)."""

    blocks: list[Array]
    target: Array
    weight: Array
    fields: list[list[Range]]  # of each block
    bias: float
    linear: Array
    factors: Array
    draw: bool = True
    row_noise: bool = False
    noise_shape: float = 60.0
    bipartite: bool = False
    precision_linear: Array = field(default_factory=lambda: np.ones(1))
    precision_factors: Array = field(default_factory=lambda: np.ones(1))
    seed: int = 0
    noise_precision: float = 1.0

    def __post_init__(self) -> None:
        n, k = self.factors.shape
        self.prior_mean = {fields: np.zeros(k + 1) for of_block in self.fields for fields in of_block}
        self.prior_precision = {fields: np.ones(k + 1) for of_block in self.fields for fields in of_block}
        self.noise = np.ones(n)  # of the ids' rows
        self.noisy_blocks = [
            b
            for b in sorted({0, len(self.blocks) - 1} if self.row_noise else ())
            if (ids := self.blocks[b][:, slice(*self.fields[b][0])]).sum(1).max() <= 1 and np.isin(ids, (0, 1)).all()
        ]
        self.precision_linear = np.broadcast_to(self.precision_linear, n)
        self.precision_factors = np.broadcast_to(self.precision_factors, n)

    def pairs(self, b: int, c: int) -> bool:
        last = len(self.blocks) - 1
        return (b == last) != (c == last) if self.bipartite else True

    def score(self) -> Array:
        """By the definition: a sum over pairs of features."""
        score = np.full(len(self.target), self.bias)
        for b, rows in enumerate(self.blocks):
            score += rows @ self.linear
            for c in range(b + 1):
                if not self.pairs(b, c):
                    continue
                products = (rows @ self.factors) * (self.blocks[c] @ self.factors)
                if b == c:
                    products = (products - rows**2 @ self.factors**2) / 2
                score += products.sum(1)
        return score

    def row_noise_factors(self) -> Array:
        """Of each row."""
        factors = np.ones(len(self.target))
        for b in self.noisy_blocks:
            start, stop = self.fields[b][0]
            factors *= np.where(self.blocks[b][:, start:stop] == 1, self.noise[start:stop], 1).prod(1)
        return factors

    def sweep(self, number: int) -> None:
        rng = Rng(self.seed).fork(number)
        self.draw_bias(rng)
        for b in range(len(self.blocks)):
            of_block = rng.fork(FIRST_BLOCK + b)
            for number_of_field, columns in enumerate(self.fields[b]):
                if self.draw:
                    self.draw_prior(columns, of_block.fork(PRIOR, number_of_field))
            for columns in self.fields[b]:
                for f in range(*columns):
                    self.draw_feature(b, f, columns, of_block.fork(FEATURE, f))
            if self.draw and b in self.noisy_blocks:
                self.draw_row_noise(b, of_block.fork(ROW_NOISE))

    def draw_bias(self, rng: Rng) -> None:
        residual = self.target - self.score()
        weight = self.weight * self.row_noise_factors()
        step = (weight @ residual) / weight.sum()
        if self.draw:
            squares = weight @ (residual - step) ** 2
            self.noise_precision = rng.fork(NOISE).gamma(0.5 * self.weight.sum(), 0.5 * (1 + squares))
            step += rng.fork(BIAS).normal(0) / math.sqrt(self.noise_precision * weight.sum())
        self.bias += step

    def draw_prior(self, columns: Range, rng: Rng) -> None:
        u = np.column_stack([self.factors, self.linear])[slice(*columns)]
        mean, n = self.prior_mean[columns], len(u)
        for j in range(u.shape[1]):
            rate = 0.5 * (((u[:, j] - mean[j]) ** 2).sum() + mean[j] ** 2 + 1)
            precision = rng.fork(2 * j).gamma(0.5 * (n + 2), rate)
            self.prior_precision[columns][j] = precision
            draw = rng.fork(2 * j + 1).normal(0)
            mean[j] = u[:, j].sum() / (n + 1) + draw / math.sqrt((n + 1) * precision)

    def slopes(self, b: int, f: int) -> Array:
        """Of the scores, in the factors and the weight of feature f."""
        x = self.blocks[b][:, f, None]
        around = np.zeros((len(x), self.factors.shape[1]))
        for c in range(len(self.blocks)):
            around += self.pairs(b, c) * (self.blocks[c] @ self.factors)
        if self.pairs(b, b):
            around -= x * self.factors[f]
        return x * np.column_stack([around, np.ones(len(x))])

    def draw_feature(self, b: int, f: int, columns: Range, rng: Rng) -> None:
        k = self.factors.shape[1]
        if self.draw:
            prior, mean = self.prior_precision[columns], self.prior_mean[columns]
        else:
            prior, mean = np.r_[np.full(k, self.precision_factors[f]), self.precision_linear[f]], np.zeros(k + 1)
        normals = rng.normals(k + 1) if self.draw else np.zeros(k + 1)
        slopes = self.slopes(b, f)
        if not slopes.any():
            u = mean + (normals / np.sqrt(prior) if self.draw else 0)
        else:
            u = np.r_[self.factors[f], self.linear[f]]
            weight = self.noise_precision * self.weight * self.row_noise_factors()
            moment = slopes.T @ (weight * (self.target - self.score() + slopes @ u)) + prior * mean
            lower = np.linalg.cholesky((slopes.T * weight) @ slopes + np.diag(prior))
            u = np.linalg.solve(lower.T, np.linalg.solve(lower, moment) + normals)
        self.factors[f], self.linear[f] = u[:k], u[k]

    def draw_row_noise(self, b: int, rng: Rng) -> None:
        start, stop = self.fields[b][0]
        residual = self.target - self.score()
        for c in range(start, stop):
            rows = self.blocks[b][:, c] == 1
            others = (self.row_noise_factors() / self.noise[c])[rows]
            squares = (self.weight[rows] * others) @ residual[rows] ** 2
            shape = 0.5 * (self.noise_shape + self.weight[rows].sum())
            self.noise[c] = rng.fork(c - start).gamma(shape, 0.5 * (self.noise_shape + self.noise_precision * squares))
