"""The samples that a Gibbs sampler leaves, beside the one machine that predicts their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..errors import DataError
from ._rows import RowArrays
from .penalties import Prior

if TYPE_CHECKING:
    from .parameters import FMParameters

__all__ = ["Posterior"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of a factorization machine's parameters, but for the factors.

    The factors are those of the `FMParameters` that this belongs to: sample s has columns s*k to (s + 1)*k there,
    divided by the square root of n_samples, so that the score of all of them is the mean of the samples' scores.

    Attributes
    ----------
    bias : ndarray of float64, shape (n_samples,)
    linear : ndarray of float32, shape (n_features, n_samples)
    noise_precision : ndarray of float64, shape (n_samples,)
        1 / variance of a row's noise, in the target's units, before the factors of ``log_noise``; 1 for a
        classifier's latent score.
    mean : FMParameters
        Means over all sweeps after burn-in, not only those that were kept, with k factors and with ``penalties``
        and ``priors``: for a fast search, for ``influence`` and to fold in. Its score is not the mean of the samples'
        scores.
    log_noise : ndarray of float32, shape (n_features, n_samples), optional
        Row noise: the noise precision of row x is ``noise_precision * exp(sum_f x_f log_noise_f)``. Zero but for
        ids.
    cuts : ndarray of float64, shape (n_samples, n_levels - 1), optional
        Cuts between the levels of `FMOrdinal`.
    priors : dict of str to Prior
        Field -> prior of its features, one a sample.
    seed : int
        Key of the random numbers, for the draws of new users and items.

    Raises
    ------
    DataError
        If a shape or dtype is wrong, or a value is not finite.

    Examples
    --------
    Two samples of a machine with one factor, and their mean:

    >>> import numpy as np
    >>> from factorec.fm import FMParameters
    >>> mean = FMParameters(0.5, np.zeros(2, np.float32), np.array([[1.0], [2.0]], np.float32))
    >>> posterior = Posterior(np.array([0.0, 1.0]), np.zeros((2, 2), np.float32), np.ones(2), mean)
    >>> factors = np.array([[1, 1], [1, 3]]) / np.sqrt(2)
    >>> p = FMParameters(0.5, mean.linear, factors.astype(np.float32), posterior=posterior)
    >>> p.sample_scores([[1, 1]]).round(4), p.decision_function([[1, 1]]).round(4)
    (array([[1., 4.]]), array([2.5]))
    """

    bias: npt.NDArray[np.float64]
    linear: npt.NDArray[np.float32]
    noise_precision: npt.NDArray[np.float64]
    mean: FMParameters
    log_noise: npt.NDArray[np.float32] | None = None
    cuts: npt.NDArray[np.float64] | None = None
    priors: dict[str, Prior] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        n, n_samples, k = self.mean.n_features, len(np.atleast_1d(self.bias)), self.mean.n_factors
        if not n_samples:
            raise DataError("a posterior needs at least one sample")
        if self.mean.posterior is not None:
            raise DataError("the mean of a posterior has no posterior of its own")
        self._check("bias", np.float64, (n_samples,))
        self._check("linear", np.float32, (n, n_samples))
        self._check("noise_precision", np.float64, (n_samples,))
        if not (self.noise_precision > 0).all():
            raise DataError("posterior: noise_precision must be positive")
        if self.log_noise is not None:
            self._check("log_noise", np.float32, (n, n_samples))
        if self.cuts is not None:
            self._check("cuts", np.float64, (n_samples, self.cuts.shape[-1] if np.ndim(self.cuts) else 0))
        for name, prior in (self.priors or {}).items():
            shapes = {"mean_linear": (n_samples,), "mean_factors": (n_samples, k)}
            shapes |= {"linear": (n_samples,), "factors": (n_samples, k)}
            for part, shape in shapes.items():
                if np.shape(getattr(prior, part)) != shape or not np.isfinite(getattr(prior, part)).all():
                    raise DataError(f"posterior: {part} of the prior of {name!r} must be finite, of shape {shape}")
        object.__setattr__(self, "priors", dict(self.priors or {}))

    def _check(self, name: str, dtype: Any, shape: tuple[int, ...]) -> None:
        array = getattr(self, name)
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
            raise DataError(f"posterior: {name} must be {np.dtype(dtype)} of shape {shape}")
        if not np.isfinite(array).all():
            raise DataError(f"posterior: {name} holds values that are not finite")
        object.__setattr__(self, name, np.ascontiguousarray(array))

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.bias)

    def mean_log_noise(self) -> npt.NDArray[np.float32] | None:
        """Logarithm of the mean noise factor of each feature, float32, (n_features,); None without row noise."""
        if self.log_noise is None:
            return None
        return np.asarray(np.log(np.exp(self.log_noise, dtype=np.float64).mean(axis=1)), np.float32)


def noise_precisions(posterior: Posterior, rows: RowArrays, n_threads: int, number: int) -> Any:
    """A sample's noise precision of each row: one number where all rows have the same."""
    precision = float(posterior.noise_precision[number])
    if posterior.log_noise is None:
        return precision
    return precision * row_noise(np.ascontiguousarray(posterior.log_noise[:, number]), rows, n_threads)


def row_noise(log_noise: npt.NDArray[np.float32], rows: RowArrays, n_threads: int) -> npt.NDArray[np.float64]:
    """The factor of each row's noise precision, (n_rows,)."""
    no_linear = np.zeros_like(log_noise)
    logs = _core.vectors(rows.blocks, rows.n_rows, no_linear, log_noise[:, None], n_threads)
    return np.exp(logs[:, 0], dtype=np.float64)
