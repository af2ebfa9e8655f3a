"""The sampler of `factorec/gibbs.hpp` as plain loops over dense rows in float64, on the same random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from reference_training import MASK, STEP, CounterRng, mix
from scipy.special import log_ndtr, ndtri, ndtri_exp

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
        """The quantiles of 52 bits each; the lowest bit says on which side."""
        bits = [mix((self.key + i * STEP) & MASK) for i in range(n)]
        return np.array([(-1 if z & 1 else 1) * ndtri(0.5 * ((z >> 12) + 0.5) * 2.0**-52) for z in bits])

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
CUTS, VALUES, COUNTS = range(3)


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
    n_levels: int = 0
    order: npt.NDArray[np.int64] | None = None  # rows as the core numbers them: by the first block's entities
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
        self.spread = np.zeros(len(self.target))  # of a row's latent values, around their mean
        if self.n_levels:
            self.level, self.level_weight = self.target.astype(int), self.weight
            shares = (np.bincount(self.level, minlength=self.n_levels) + 0.5).cumsum()
            self.cuts = ndtri(shares / shares[-1])[:-1] if self.n_levels > 2 else np.zeros(1)
            self.draw_latent(Rng(self.seed).fork(START))

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

    def sweep(self, number: int) -> float:
        rng = Rng(self.seed).fork(number)
        if self.n_levels <= 2:
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
        error = float(np.sqrt(np.average((self.target - self.score()) ** 2, weights=self.weight)))
        if self.n_levels > 2:
            self.draw_cuts(rng.fork(LATENT, CUTS))
        if self.n_levels:
            self.draw_latent(rng.fork(LATENT))
        return error

    def draw_bias(self, rng: Rng) -> None:
        residual = self.target - self.score()
        weight = self.weight * self.row_noise_factors()
        step = (weight @ residual) / weight.sum()
        if self.draw:
            squares = weight @ (residual - step) ** 2
            if not self.n_levels:
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
            squares = (self.weight[rows] * others) @ (residual**2 + self.spread)[rows]
            shape = 0.5 * (self.noise_shape + self.weight[rows].sum())
            self.noise[c] = rng.fork(c - start).gamma(shape, 0.5 * (self.noise_shape + self.noise_precision * squares))

    def intervals(self, cuts: Array) -> tuple[Array, Array, Array]:
        """Of the latent values, around the score in units of the row's noise, and one over that unit."""
        edges = np.r_[-np.inf, cuts, np.inf]
        scale = np.sqrt(self.row_noise_factors())
        score = self.score()
        return (edges[self.level] - score) * scale, (edges[self.level + 1] - score) * scale, scale

    def draw_latent(self, rng: Rng) -> None:
        n = len(self.target)
        place = np.empty(n, int)
        place[self.order] = np.arange(n)
        low, high, scale = self.intervals(self.cuts)
        score, values = self.score(), self.target.copy()
        counts = [int(w + rng.fork(COUNTS).uniform(p)) for w, p in zip(self.level_weight, place.tolist(), strict=True)]
        for row in np.flatnonzero(counts):
            keys = [int(place[row]) + i * n for i in range(counts[row])]
            draws = (
                np.array([truncated(low[row], high[row], rng.fork(VALUES).uniform(key)) for key in keys]) / scale[row]
            )
            values[row], self.spread[row] = score[row] + draws.mean(), draws.var()
        self.target, self.weight = values, np.array(counts, float)

    def cut_terms(self, cuts: Array) -> tuple[float, Array, Array]:
        """Logarithm of the cuts' density, its gradient, minus its second derivatives."""
        low, high, scale = self.intervals(cuts)
        log_probability = log_interval(low, high)
        slopes = np.zeros((len(low), len(cuts) + 2))  # of each row, by the ends of all levels
        curvature = np.zeros((len(cuts) + 2, len(cuts) + 2))
        for row, level in enumerate(self.level):
            ends = np.array([low[row], high[row]])
            density = np.exp(-0.5 * ends**2 - log_probability[row]) / math.sqrt(2 * math.pi) * scale[row]
            slope = density * [-1, 1]
            slopes[row, level : level + 2] = slope
            second = np.outer(slope, slope) + np.diag(slope * np.where(np.isinf(ends), 0, ends) * scale[row])
            curvature[level : level + 2, level : level + 2] += self.level_weight[row] * second
        value = self.level_weight @ log_probability - 0.005 * cuts @ cuts
        inside = slice(1, -1)
        return (
            value,
            (self.level_weight @ slopes)[inside] - 0.01 * cuts,
            curvature[inside, inside] + 0.01 * np.eye(len(cuts)),
        )

    def draw_cuts(self, rng: Rng) -> None:
        value, gradient, curvature = self.cut_terms(self.cuts)
        value_here, mode = value, self.cuts
        for _ in range(50):
            step = np.linalg.solve(curvature, gradient)
            last = step @ curvature @ step < 1e-3
            sizes = (mode + step / 2**halvings for halvings in range(40))
            higher = (c for c in sizes if (np.diff(c) > 0).all() and (last or self.cut_terms(c)[0] > value))
            there = next(higher, None)
            mode = mode if there is None else there
            if last or there is None:
                break
            value, gradient, curvature = self.cut_terms(mode)
        away = np.linalg.solve(np.linalg.cholesky(curvature).T, [rng.fork(0).normal(i) for i in range(len(mode))])
        proposed = mode + away / math.sqrt(rng.fork(1).gamma(4, 4))
        if not (np.diff(proposed) > 0).all():
            return

        def log_proposal(cuts: Array) -> float:
            return -0.5 * (8 + len(cuts)) * math.log1p((cuts - mode) @ curvature @ (cuts - mode) / 8)

        ratio = self.cut_terms(proposed)[0] - value_here + log_proposal(self.cuts) - log_proposal(proposed)
        if math.log(rng.fork(2).uniform(0)) < ratio:
            self.cuts = proposed


def truncated(low: float, high: float, u: float) -> float:
    """The quantile at u of the standard normal distribution between low and high."""
    if low > 0:
        return -truncated(-high, -low, 1 - u)
    return float(ndtri_exp(np.logaddexp(log_ndtr(low) + math.log1p(-u), log_ndtr(high) + math.log(u))))


def log_interval(low: Array, high: Array) -> Array:
    """Logarithm of the standard normal probability between low and high."""
    mirrored = low > 0
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    upper = log_ndtr(high)
    return upper + np.log1p(-np.exp(log_ndtr(low) - upper))
