"""Regression of one small vector, exact, in float64: ridge, logistic, probit, ordered levels.

The score of a factorization machine is linear in the vector of any one feature. Holding all else fixed, that
vector minimises

    F(p) = sum_k weight_k loss(target_k, offset_k + design_k' p) + 1/2 (p - mu)' diag(penalty) (p - mu)

which is what an explanation re-solves for a user's vector and what folds in a new user or item. The minimum
is found by Newton's method with the Hessian ``H = design' diag(weight * S) design + diag(penalty)``: by
Cholesky where there are more rows than columns, otherwise through the (rows x rows) dual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dgetrf, dgetrs, dpocon, dpotrf, dpotrs

from ._losses import Loss, OrderedLevels, loss_functions
from ._threads import one_blas_thread
from .errors import DataError

__all__ = ["Array", "Loss", "OrderedLevels", "Solution", "solve"]

Array = npt.NDArray[np.float64]

_TOLERANCE = 1e-10  # largest last Newton step, relative to the largest coefficient (or 1)
_CHORD = 1e-3  # below this step the last Hessian serves on: each step still shrinks the error a thousandfold
_MAX_ITERATIONS = 200
_SINGULAR = "the ratings do not determine the vector; give a positive penalty (l2)"


@dataclass(frozen=True, slots=True)
class Solution:
    """The minimum of ``F`` and its derivatives with respect to the targets.

    Attributes
    ----------
    coefficients : ndarray of shape (k,)
        The minimiser p*.
    predictor : ndarray of shape (n,)
        ``offset + design p*``.
    residual : ndarray of shape (n,)
        ``r = -d loss / d predictor``: target - predictor, target - probability, ...
    curvature : ndarray of shape (n,)
        ``S = d2 loss / d predictor2``: 1, probability * (1 - probability), ...
    target_slope : ndarray of shape (n,)
        ``d r / d target``: 1 for the squared and the logistic loss.
    n_iterations : int
        Newton steps taken.
    """

    coefficients: Array
    predictor: Array
    residual: Array
    curvature: Array
    target_slope: Array
    n_iterations: int
    _hessian: _Hessian

    def gain(self, rows: Array) -> Array:
        """``rows H^-1 design'``, (m, n): times weight and target slope of k it is d predictor_i / d target_k."""
        return self._hessian.gain(rows)


@one_blas_thread()
def solve(
    design: Array,
    offset: Array,
    target: Array,
    weight: Array,
    penalty: Array,
    *,
    prior_mean: Array | None = None,
    loss: Loss = "squared",
    start: Array | None = None,
) -> Solution:
    """Minimise ``F`` to 1e-10.

    Parameters
    ----------
    design : ndarray of shape (n, k), float64
    offset, target, weight : ndarray of shape (n,), float64
        ``weight`` >= 0; ``target`` in [0, 1] for "logistic" and "probit", within the levels for `OrderedLevels`.
    penalty : ndarray of shape (k,), float64
        Diagonal, >= 0.
    prior_mean : ndarray of shape (k,), optional
        ``mu``; zero by default.
    loss : {"squared", "logistic", "probit"} or OrderedLevels
    start : ndarray of shape (k,), optional
        Where to begin; ``mu`` by default. Only the time depends on it.

    Returns
    -------
    Solution

    Raises
    ------
    DataError
        If rows and penalty do not determine the vector, or input is not finite.
    """
    n, k = design.shape
    if n == 0:
        raise DataError("no rows to solve for")
    mean = np.zeros(k) if prior_mean is None else prior_mean
    hessian: _Hessian
    if n < k and penalty.min(initial=np.inf) > 0:
        hessian = _Dual(design, penalty)
    else:
        hessian = _Cholesky(design, penalty)
    functions = loss_functions(loss)

    p = mean.copy() if start is None else start.astype(np.float64)
    predictor = offset + design @ p
    if not np.isfinite(predictor).all():
        raise DataError("the rows to solve for hold values that are not finite")
    residual, curvature = functions.slopes(target, predictor)

    def value(p: Array, predictor: Array) -> float:
        gap = p - mean
        return float(weight @ functions.values(target, predictor)) + 0.5 * float(gap @ (penalty * gap))

    factored = False
    size = np.inf
    n_iterations = 0
    while size > _TOLERANCE:
        if n_iterations == _MAX_ITERATIONS:
            raise DataError(f"no minimum after {n_iterations} Newton steps: {_SINGULAR}")
        n_iterations += 1
        if not factored:
            hessian.factor(weight * curvature)
        step = hessian.solve(design.T @ (weight * residual) - penalty * (p - mean))
        last, size = size, float(np.abs(step).max()) / max(1.0, float(np.abs(p).max()))
        if not np.isfinite(size):
            raise DataError(_SINGULAR)
        along = design @ step
        factored = loss == "squared" or size <= _CHORD
        # Far from the minimum a Newton step may overshoot; near it rounding would hide the decrease.
        if not factored:
            ceiling = value(p, predictor) * (1 + 1e-12)
            while value(p + step, predictor + along) > ceiling and np.abs(step).max() > _TOLERANCE:
                step, along = 0.5 * step, 0.5 * along
        p, predictor = p + step, predictor + along
        residual, curvature = functions.slopes(target, predictor)
        if size < 1e-7 and size > 0.5 * last:
            break  # as close as rounding lets it come
    predictor = offset + design @ p
    residual, curvature = functions.slopes(target, predictor)
    if loss != "squared":
        hessian.factor(weight * curvature)
    slope = functions.target_slopes(target, predictor)
    return Solution(p, predictor, residual, curvature, slope, n_iterations, hessian)


class _Hessian(Protocol):
    """``H`` for changing curvature: factor once, then solve with it."""

    def factor(self, curvature: Array) -> None: ...

    def solve(self, gradient: Array) -> Array: ...

    def gain(self, rows: Array) -> Array: ...


class _Cholesky:
    """``H`` itself, (k, k)."""

    def __init__(self, design: Array, penalty: Array) -> None:
        self._design = design
        self._penalty = penalty

    def factor(self, curvature: Array) -> None:
        scaled = self._design * np.sqrt(curvature)[:, None]
        hessian = dsyrk(1.0, scaled.T, lower=1)
        diagonal = np.einsum("ii->i", hessian)
        diagonal += self._penalty
        # Only a vanishing penalty can leave H singular; then rounding alone must not make it look regular.
        bare = self._penalty.min(initial=np.inf) == 0
        norm = float(np.abs(hessian).sum(axis=0).max()) if bare else 0.0
        self._factor, info = dpotrf(hessian, lower=1, overwrite_a=1, clean=0)
        if info != 0 or (bare and dpocon(self._factor, norm, uplo="L")[0] < 1e-13):
            raise DataError(_SINGULAR)

    def solve(self, gradient: Array) -> Array:
        step: Array = dpotrs(self._factor, gradient, lower=1)[0]
        return step

    def gain(self, rows: Array) -> Array:
        weights: Array = dpotrs(self._factor, rows.T, lower=1)[0]
        return weights.T @ self._design.T


class _Dual:
    """``H`` through ``K = design diag(1 / penalty) design'``, (n, n), by Woodbury's identity."""

    def __init__(self, design: Array, penalty: Array) -> None:
        self._design = design
        self._inverse_penalty = 1.0 / penalty
        self._scaled = design * self._inverse_penalty
        self._kernel = self._scaled @ design.T

    def factor(self, curvature: Array) -> None:
        # LU of I + K D, not Cholesky of its symmetric form: rows of no curvature then need no care.
        system = self._kernel * curvature
        diagonal = np.einsum("ii->i", system)
        diagonal += 1.0
        self._curvature = curvature
        self._factor, self._pivots, info = dgetrf(system.T, overwrite_a=1)
        if info != 0:
            raise DataError(_SINGULAR)

    def solve(self, gradient: Array) -> Array:
        inner: Array = dgetrs(self._factor, self._pivots, self._scaled @ gradient, trans=1)[0]
        return self._inverse_penalty * gradient - self._scaled.T @ (self._curvature * inner)

    def gain(self, rows: Array) -> Array:
        gain: Array = dgetrs(self._factor, self._pivots, self._scaled @ rows.T, trans=1)[0]
        return gain.T
