"""What holds the weight and the vector of a new user or item back: L2 by row, or the prior of a sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..fm import Prior
from .own_rows import Array

__all__ = ["L2", "Charge", "Priors"]


class Charge(Protocol):
    """Penalties of m entities, for the linear weight and then the factors."""

    def of(self, total: Array) -> Array:
        """What the objective charges the m entities of these total row weights: (m, 2) or (m, 1 + n_factors)."""

    def terms(self, l2: Array, n_factors: int) -> tuple[Array, Array]:
        """Penalty and prior mean of the solve, both (..., 1 + n_factors), with what `of` returned."""


@dataclass(frozen=True)
class L2:
    """L2 by row, as training charged it.

    Attributes
    ----------
    linear, factors : float
        L2 of a row of weight 1.
    power, mean : float
        It is multiplied by ``(total / mean)**-power``.
    usual_linear, precision : float
        However few the rows, the linear weight is drawn to the usual one: ``1/2 precision (w - usual_linear)**2``.
    """

    linear: float
    factors: float
    power: float = 0.0
    mean: float = 1.0
    usual_linear: float = 0.0
    precision: float = 0.0

    def of(self, total: Array) -> Array:
        """L2 of the linear weight and of the factors, (m, 2)."""
        scaled = total.copy()
        if self.power:
            scaled[total > 0] *= (total[total > 0] / self.mean) ** -self.power
        return np.outer(scaled, [self.linear, self.factors])

    def terms(self, l2: Array, n_factors: int) -> tuple[Array, Array]:
        """L2 pulls to 0, the prior to the usual weight: together to what lies between."""
        penalty = np.repeat(l2, [1, n_factors], axis=-1)
        mean = np.zeros_like(penalty)
        if self.precision:
            penalty[..., 0] += self.precision
            mean[..., 0] = self.usual_linear * self.precision / penalty[..., 0]
        return penalty, mean


@dataclass(frozen=True)
class Priors:
    """The normal prior of a field, the same whatever the rows.

    Attributes
    ----------
    precision, mean : ndarray of shape (n_samples, 1 + n_factors)
        Of the linear weight, then of the factors; precisions by noise precision.
    """

    precision: Array
    mean: Array

    @classmethod
    def read(cls, prior: Prior) -> Priors:
        """One prior, or one a sample."""
        parts = ((prior.linear, prior.factors), (prior.mean_linear, prior.mean_factors))
        precision, mean = (np.column_stack([np.atleast_1d(w), np.atleast_2d(v)]) for w, v in parts)
        return cls(precision.astype(np.float64), mean.astype(np.float64))

    def of(self, total: Array) -> Array:
        """The precisions of the first sample, (m, 1 + n_factors)."""
        return np.repeat(self.precision[:1], len(total), axis=0)

    def terms(self, l2: Array, n_factors: int) -> tuple[Array, Array]:
        """Every entity's are the same, (1, n_samples, 1 + n_factors)."""
        return self.precision[None], self.mean[None]
