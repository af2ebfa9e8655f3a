"""What samples predict for rows, put together one sample at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit, ndtr

from .. import _core
from ._levels import expected_value
from ._rows import RowArrays
from .parameters import FMParameters, row_scores
from .posterior import noise_precisions

__all__ = ["LevelsPredictive", "LikesPredictive", "Predictive", "RatingsPredictive", "add_samples"]

Array = npt.NDArray[np.float64]


class Predictive:
    """Mean and variance of the samples' scores, and the mean variance of the rows' noise."""

    # Whether `metrics` looks at the noise.
    metrics_need_noise = True

    def __init__(self, n_rows: int) -> None:
        self.n_samples = 0
        self._first: Array = np.zeros(n_rows)  # the rest is relative to it, so that squares do not cancel
        self._sum: Array = np.zeros(n_rows)
        self._squares: Array = np.zeros(n_rows)
        self._noise: Array = np.zeros(n_rows)

    def add(self, scores: Array, precision: Any = None, cuts: Any = None) -> None:
        """Take in a sample: scores and noise precision of the rows, and cuts between levels."""
        if not self.n_samples:
            self._first = scores.copy()
        difference = scores - self._first
        self._sum += difference
        self._squares += difference * difference
        if precision is not None:
            self._noise += 1.0 / precision
        self.n_samples += 1

    def mean(self) -> Array:
        """Mean score."""
        return self._first + self._sum / self.n_samples

    def variance(self) -> Array:
        """Variance of the score over the samples."""
        mean = self._sum / self.n_samples
        return np.asarray(np.maximum(self._squares / self.n_samples - mean * mean, 0.0))

    def noise_variance(self) -> Array:
        """Mean variance of a row around its score."""
        return self._noise / self.n_samples

    def metrics(self, target: Array, weight: Any, n_threads: int) -> dict[str, float]:
        """Metrics of the prediction."""
        raise NotImplementedError


class RatingsPredictive(Predictive):
    """Of a regressor: a normal distribution, whose mean is moved into the range of the training targets."""

    metrics_need_noise = False

    def __init__(self, n_rows: int, target_range: tuple[float, float] = (-np.inf, np.inf)) -> None:
        super().__init__(n_rows)
        self.target_range = target_range

    def std(self) -> Array:
        """Standard deviation of the target."""
        return np.sqrt(self.variance() + self.noise_variance())

    def metrics(self, target: Array, weight: Any, n_threads: int) -> dict[str, float]:
        predicted = np.clip(self.mean(), *self.target_range)
        centre = target[0]  # numbers far from 0 would lose their digits in float32
        rmse, mae = _core.regression_metrics(
            (predicted - centre).astype(np.float32), (target - centre).astype(np.float32), weight, n_threads
        )
        return {"rmse": rmse, "mae": mae}


class LikesPredictive(Predictive):
    """Of a classifier: the normal distribution function of the score, flattened by what is not known of it."""

    def probability(self) -> Array:
        """P(second class); at least 1/2 where the mean score is at least 0."""
        return np.asarray(ndtr(self._margin()))

    def _margin(self) -> Array:
        return self.mean() / np.sqrt(self.noise_variance() + self.variance())

    def metrics(self, target: Array, weight: Any, n_threads: int) -> dict[str, float]:
        margin = self._margin()
        # No digits lost near 1; beyond 37 the probability would be 0 and its log-odds infinite.
        log_odds = np.copysign(logit(ndtr(-np.minimum(np.abs(margin), 37.0))), margin)
        values = _core.classification_metrics(log_odds.astype(np.float32), target.astype(np.float32), weight, n_threads)
        return dict(zip(("log_loss", "accuracy", "f1", "auc"), values, strict=True))


class LevelsPredictive(Predictive):
    """Of an ordinal regressor: the mean of the samples' probabilities, exactly."""

    def __init__(self, n_rows: int, levels: Array) -> None:
        super().__init__(n_rows)
        self.levels = levels
        self._above: Array = np.zeros((n_rows, len(levels) - 1))

    def add(self, scores: Array, precision: Any = None, cuts: Any = None) -> None:
        scale = np.sqrt(1.0 if precision is None else precision)
        for level, cut in enumerate(cuts):
            self._above[:, level] += ndtr((scores - cut) * scale)
        self.n_samples += 1

    def above(self) -> Array:
        """P(target above the level below the cut), (n_rows, n_levels - 1)."""
        return self._above / self.n_samples

    def metrics(self, target: Array, weight: Any, n_threads: int) -> dict[str, float]:
        above = self.above()
        bounds = np.concatenate([np.ones((len(above), 1)), above, np.zeros((len(above), 1))], axis=1)
        row, level = np.arange(len(above)), target.astype(np.intp)
        loss = -np.log(np.maximum(bounds[row, level] - bounds[row, level + 1], 1e-15))
        error = expected_value(above, self.levels) - self.levels[level]
        return {
            "log_loss": float(np.average(loss, weights=weight)),
            "rmse": float(np.sqrt(np.average(error * error, weights=weight))),
            "mae": float(np.average(np.abs(error), weights=weight)),
        }


def add_samples(p: FMParameters, rows: RowArrays, n_threads: int, into: Predictive) -> None:
    """Every sample's scores of the rows, and their noise."""
    posterior = p.posterior
    assert posterior is not None
    for number in range(posterior.n_samples):
        sample = p.sample(number)
        precision = noise_precisions(posterior, rows, n_threads, number)
        cuts = None if posterior.cuts is None else posterior.cuts[number]
        into.add(row_scores(sample, rows, n_threads, sample.bias), precision, cuts)
