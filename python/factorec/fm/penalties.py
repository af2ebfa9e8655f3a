"""What held the parameters back in training: L2, or the priors of a sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Penalties", "Prior"]


@dataclass(frozen=True, eq=False)
class Prior:
    """The normal prior of the features of a field, as a sampler found it.

    Precisions are divided by the noise precision, so that they stand beside sums over rows as L2 does. A
    `Posterior` holds one value a sample, along a leading axis.

    Attributes
    ----------
    mean_linear : float, or ndarray of float64, shape (n_samples,)
        Prior mean of a linear weight.
    mean_factors : ndarray of float64, shape (n_factors,) or (n_samples, n_factors)
    linear : float, or ndarray of float64, shape (n_samples,)
        Prior precision of a linear weight / noise precision.
    factors : ndarray of float64, shape (n_factors,) or (n_samples, n_factors)
        Prior precision of each factor / noise precision.

    Examples
    --------
    >>> import numpy as np
    >>> Prior(0.1, np.zeros(2), 3.0, np.array([13.0, 12.0])).factors
    array([13., 12.])
    """

    mean_linear: float | npt.NDArray[np.float64]
    mean_factors: npt.NDArray[np.float64]
    linear: float | npt.NDArray[np.float64]
    factors: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Penalties:
    """The L2 penalty that training charged each feature in total.

    The objective holds ``1/2 linear[f] * w_f**2 + 1/2 factors[f] * |V_f|**2`` for feature f, in the units of
    the returned parameters. Where ``priors`` names the field of f, w_f and V_f there are those less the prior mean.

    Attributes
    ----------
    linear : ndarray of float64, shape (n_features,)
    factors : ndarray of float64, shape (n_features,) or (n_features, n_factors)
    per_row : dict of str to (float, float)
        What one row of weight 1 is charged for a feature of the field: (linear, factors). A new user or item
        gets this times its own rows.
    priors : dict of str to Prior
        Field -> prior mean, and the precisions that ``linear`` and ``factors`` hold: what a new user or item of the
        field gets instead, whatever its rows (``solver="gibbs"``; empty otherwise).

    Examples
    --------
    Two users with 3 and 1 rows, charged 0.05 a row for factors and nothing for weights:

    >>> Penalties(np.zeros(2), 0.05 * np.array([3, 1]), {"user_id": (0.0, 0.05)}).factors
    array([0.15, 0.05])
    """

    linear: npt.NDArray[np.float64]
    factors: npt.NDArray[np.float64]
    per_row: dict[str, tuple[float, float]] = field(default_factory=dict)
    priors: dict[str, Prior] = field(default_factory=dict)
