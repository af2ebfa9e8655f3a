"""What `solver="adam"` has beside the settings that all solvers share: options, and moments of the gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DEFAULT_BATCH_SIZE", "PADDING_MOVES_BIAS", "AdamMoments", "AdamOptions"]

# Rows of a mini-batch where `batch_size` is None.
DEFAULT_BATCH_SIZE = 200

# Whether the rows that fill the last batch up have a part in the gradient of the bias. A guess: the managed service's
# recorded job fits either way. With them the mean of 5 seeds is nearer to it at its worst: 0.0037 in cross entropy,
# 0.0029 in accuracy and 0.0025 in F1, without them 0.0043, 0.0036 and 0.0037.
PADDING_MOVES_BIAS = True


@dataclass(frozen=True)
class AdamOptions:
    """What only those who imitate another Adam set: estimators hand it to the core by `Learner._adam_options`.

    Attributes
    ----------
    epsilon : float
        Added to the root of the second moment.
    rescale_gradient : float, optional
        Multiplies the sum of the row gradients of a batch, times the rows' weights; None: 1 / the weight of a full
        batch of rows of mean weight, or 1 / its rows where the last one is filled up.
    pad_last_batch : bool
        Fill the last batch up with rows without features of target 0, which count in the metrics of training.
    lazy : bool
        Only features that occur in a batch take a step; otherwise all do, as their decay and moments have it.
    report_every : int
        Batches between two calls of `Learner._on_batch`, from batch 0 of each epoch on; 0: none.
    """

    epsilon: float = 1e-8
    rescale_gradient: float | None = None
    pad_last_batch: bool = False
    lazy: bool = True
    report_every: int = 0

    def rescale(self, batch_size: int, n_rows: int, mean_weight: float) -> float:
        """What the sum of the row gradients of a batch is multiplied by, in an epoch of `n_rows`."""
        if self.rescale_gradient is not None:
            return self.rescale_gradient
        return 1 / batch_size if self.pad_last_batch else 1 / (min(batch_size, n_rows) * mean_weight)


@dataclass
class AdamMoments:
    """Moving means of the gradients and of their squares, in the units of the scaled target.

    Attributes
    ----------
    linear_mean, linear_square : ndarray of float32, shape (n_features,)
    factors_mean, factors_square : ndarray of float32, shape (n_features, n_factors)
    bias_mean, bias_square : float
    n_steps : int
        Batches so far: the step number of bias, linear weights and factors alike.
    """

    linear_mean: npt.NDArray[np.float32]
    linear_square: npt.NDArray[np.float32]
    factors_mean: npt.NDArray[np.float32]
    factors_square: npt.NDArray[np.float32]
    bias_mean: float = 0.0
    bias_square: float = 0.0
    n_steps: int = 0

    @classmethod
    def zeros(cls, n_features: int, n_factors: int) -> AdamMoments:
        """The moments before the first step."""
        linear, factors = np.zeros(n_features, np.float32), np.zeros((n_features, n_factors), np.float32)
        return cls(linear, linear.copy(), factors, factors.copy())

    @property
    def arrays(self) -> tuple[npt.NDArray[np.float32], ...]:
        """Linear mean and square, then those of the factors."""
        return self.linear_mean, self.linear_square, self.factors_mean, self.factors_square

    def as_tuple(self) -> tuple[Any, ...]:
        """The moments as the core takes them."""
        return self.bias_mean, self.bias_square, self.n_steps, *self.arrays

    def with_arrays(self, change: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> AdamMoments:
        """The same with `change(array)` instead of each array."""
        linear_mean, linear_square, factors_mean, factors_square = map(change, self.arrays)
        return replace(
            self,
            linear_mean=linear_mean,
            linear_square=linear_square,
            factors_mean=factors_mean,
            factors_square=factors_square,
        )
