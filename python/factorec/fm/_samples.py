"""What a sampler leaves behind: thinned samples, side by side, and the mean of all of its sweeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._sampler_rows import SamplerRows
from .parameters import FMParameters
from .penalties import Penalties, Prior
from .posterior import Posterior

__all__ = ["Draw", "Samples"]

Array = npt.NDArray[np.float64]


class Draw:
    """The sampler's parameters after a sweep, in the units of the target and of the features."""

    def __init__(
        self,
        rows: SamplerRows,
        n_factors: int,
        target: tuple[float, float],
        row_noise: bool = False,
        has_cuts: bool = False,
    ) -> None:
        self.target_mean, self.target_scale = target
        self.unit, unit = rows.unit, rows.per_feature()
        n_features = len(unit)
        self._unit_of_feature = None if (unit == 1).all() else unit
        self.bias = 0.0
        self.linear = np.zeros(n_features, np.float32)
        self.factors = np.zeros((n_features, n_factors), np.float32)
        self.noise_precision = 1.0
        self.log_noise = np.zeros(n_features, np.float32) if row_noise else None
        self.has_cuts = has_cuts
        self.cuts: Array = np.zeros(0)

    def read(self, sampler: Any) -> None:
        """Copy from the sampler. Its targets were divided by the scale: see `_weights`."""
        scale = self.target_scale
        sampler.copy_to(self.linear, self.factors)
        self.bias = self.target_mean + scale * sampler.bias
        if scale != 1:
            self.linear *= np.float32(scale)
            self.factors *= np.float32(np.sqrt(scale))
        if self._unit_of_feature is not None:
            self.linear /= self._unit_of_feature
            self.factors /= self._unit_of_feature[:, None]
        self.noise_precision = sampler.noise_precision / scale**2
        if self.log_noise is not None:
            sampler.copy_noise_to(self.log_noise)
        if self.has_cuts:  # they have the part of the bias, which only two levels have in the core
            self.cuts = np.array(sampler.cuts, np.float64) - self.bias
            self.bias = 0.0

    def priors(self, sampler: Any) -> tuple[Array, Array]:
        """Mean and precision of every field's prior, (n_fields, n_factors + 1), the linear weight's last."""
        mean, precision = sampler.priors()
        scale = np.full(mean.shape[1], np.sqrt(self.target_scale))
        scale[-1] = self.target_scale
        units = scale / self.unit[:, None]
        return mean * units, precision / units**2


class Samples:
    """Keeps n_samples of the sweeps that follow burn-in, evenly, and sums over all of them.

    The factors stand as `FMParameters` wants them from the beginning, so that no second copy of them is made.
    """

    def __init__(self, draw: Draw, rows: SamplerRows, n_samples: int, n_sweeps: int) -> None:
        n, k = draw.factors.shape
        self.draw, self.fields = draw, rows.fields
        self.planned, self.n_sweeps = min(n_samples, n_sweeps), n_sweeps
        self.n_stored = self.n_summed = 0
        self.bias, self.noise_precision = np.zeros(self.planned), np.zeros(self.planned)
        self.linear = np.zeros((n, self.planned), np.float32)
        self.factors = np.zeros((n, self.planned * k), np.float32)
        self.log_noise = None if draw.log_noise is None else np.zeros((n, self.planned), np.float32)
        self.cuts: list[Array] = []
        self.priors: list[tuple[Array, Array]] = []
        # Sums over all sweeps.
        self._bias = self._noise_precision = 0.0
        self._linear, self._factors = np.zeros(n), np.zeros((n, k))
        self._cuts: Any = 0.0
        self._prior_mean: Any = 0.0
        self._prior_precision: Any = 0.0

    def add(self, sampler: Any) -> None:
        """Take in the draw of a sweep after burn-in."""
        draw, number = self.draw, self.n_summed
        mean, precision = draw.priors(sampler)
        self.n_summed += 1
        self._bias += draw.bias
        self._noise_precision += draw.noise_precision
        self._linear += draw.linear
        self._factors += draw.factors
        self._cuts = self._cuts + draw.cuts
        self._prior_mean = self._prior_mean + mean
        self._prior_precision = self._prior_precision + precision
        if (number + 1) * self.planned // self.n_sweeps > number * self.planned // self.n_sweeps:
            self._store(mean, precision)

    def _store(self, mean: Array, precision: Array) -> None:
        draw, at, k = self.draw, self.n_stored, self.draw.factors.shape[1]
        self.bias[at], self.noise_precision[at] = draw.bias, draw.noise_precision
        self.linear[:, at] = draw.linear
        np.multiply(draw.factors, np.float32(1 / np.sqrt(self.planned)), out=self.factors[:, at * k : (at + 1) * k])
        if self.log_noise is not None:
            self.log_noise[:, at] = draw.log_noise
        self.cuts.append(draw.cuts)
        self.priors.append((mean, precision))
        self.n_stored += 1

    def finish(self, sampler: Any) -> None:
        """Where sampling ended early: fewer samples, one at least."""
        if not self.n_summed:
            self.add(sampler)
        if not self.n_stored:
            self._store(*self.draw.priors(sampler))
        n, k = self.n_stored, self.draw.factors.shape[1]
        if n < self.planned:
            self.bias, self.noise_precision = self.bias[:n], self.noise_precision[:n]
            self.linear = np.ascontiguousarray(self.linear[:, :n])
            self.factors = self.factors[:, : n * k] * np.float32(np.sqrt(self.planned / n))
            self.log_noise = None if self.log_noise is None else np.ascontiguousarray(self.log_noise[:, :n])

    def parameters(self, n_query_features: int | None, interactions: str, seed: int) -> FMParameters:
        """The samples as one machine; `finish` comes before."""
        posterior = Posterior(
            bias=self.bias,
            linear=self.linear,
            noise_precision=self.noise_precision,
            mean=self._mean(n_query_features, interactions),
            log_noise=self.log_noise,
            cuts=np.array(self.cuts) if self.cuts[0].size else None,
            priors=self._sampled_priors(),
            seed=seed,
        )
        linear = self.linear.mean(axis=1, dtype=np.float64).astype(np.float32)
        bias = float(self.bias.mean())
        return FMParameters(bias, linear, self.factors, None, n_query_features, interactions, posterior)

    def mean_cuts(self) -> Array:
        """The mean of the cuts over all sweeps."""
        return np.asarray(self._cuts / self.n_summed)

    def _mean(self, n_query_features: int | None, interactions: str) -> FMParameters:
        m = self.n_summed
        mean = self._prior_mean / m
        precision = self._prior_precision / self._noise_precision
        n, k = self._factors.shape
        linear, factors, priors = np.zeros(n), np.zeros((n, k)), {}
        for of_field, (name, start, stop) in enumerate(self.fields):
            linear[start:stop], factors[start:stop] = precision[of_field, k], precision[of_field, :k]
            if name is not None:
                priors[name] = Prior(
                    float(mean[of_field, k]), mean[of_field, :k], float(precision[of_field, k]), precision[of_field, :k]
                )
        return FMParameters(
            self._bias / m,
            (self._linear / m).astype(np.float32),
            (self._factors / m).astype(np.float32),
            Penalties(linear, factors, {}, priors),
            n_query_features,
            interactions,
        )

    def _sampled_priors(self) -> dict[str, Prior]:
        k = self.draw.factors.shape[1]
        mean = np.array([of_sample for of_sample, _ in self.priors])
        precision = np.array([of_sample for _, of_sample in self.priors]) / self.noise_precision[:, None, None]
        own = np.ascontiguousarray
        return {
            name: Prior(own(mean[:, f, k]), own(mean[:, f, :k]), own(precision[:, f, k]), own(precision[:, f, :k]))
            for f, (name, _, _) in enumerate(self.fields)
            if name is not None
        }
