"""The minima of many small problems of `_solve` at once: what folds in thousands of new users or items.

Problems with the same number of rows are stacked and solved by Newton's method together, each by itself to the bit:
its minimum does not depend on which others stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ._losses import Loss, LossFunctions, loss_functions
from ._solve import Array, solve
from ._threads import one_blas_thread
from .errors import DataError

__all__ = ["ProblemError", "solve_many"]

_TOLERANCE = 1e-10  # as in _solve
_FAR = 1e-3  # a smaller Newton step is taken whole: rounding would hide the decrease
_MAX_ITERATIONS = 200
_STACK = 1 << 19  # float64 values in the largest array of one stack: 4 MB, so that it stays in the cache

_HEIGHT = 1 << 14  # rows of one problem that are copied at a time

Indices = npt.NDArray[np.int64]


class ProblemError(DataError):
    """One of many problems cannot be solved.

    Attributes
    ----------
    problem : int
        Its number.
    reason : str
    """

    def __init__(self, problem: int, reason: str) -> None:
        super().__init__(f"problem {problem}: {reason}")
        self.problem, self.reason = problem, reason


@one_blas_thread()
def solve_many(
    design: Array,
    offset: Array,
    target: Array,
    weight: Array,
    indptr: Indices,
    penalty: Array,
    *,
    prior_mean: Array | None = None,
    loss: Loss = "squared",
    normals: Array | None = None,
) -> Array:
    """Minimise the ``F`` of `_solve` for m problems, or draw from ``exp(-F)`` around the minimum.

    Parameters
    ----------
    design : ndarray of shape (n, k), float64
        Rows of all problems, one problem after the other.
    offset, target, weight : ndarray of shape (n,), float64
    indptr : ndarray of shape (m + 1,), int64
        Problem j has the rows ``indptr[j]`` to ``indptr[j + 1]``; without rows its minimum is its prior mean.
    penalty : ndarray of shape (m, k), float64
        >= 0. Problems that have a 0 in it are solved one by one.
    prior_mean : ndarray of shape (m, k) or (k,), optional
        ``mu``; zero by default.
    loss : {"squared", "logistic", "probit"} or OrderedLevels
    normals : ndarray of shape (m, k), optional
        Standard normal numbers: the minimiser is then moved by ``H^-1/2`` times these, H at the minimum. That is a
        draw from ``exp(-F)`` for the squared loss, from its Laplace approximation for the others.

    Returns
    -------
    ndarray of shape (m, k), float64
        The minimisers, to 1e-10, or the draws.

    Raises
    ------
    ProblemError
        A `DataError` with the number of the problem, if input is not finite or there is no single minimum.
    """
    m, k = penalty.shape
    for row in np.flatnonzero(~(np.isfinite(design).all(axis=1) & np.isfinite(offset) & np.isfinite(target))).tolist():
        raise ProblemError(int(np.searchsorted(indptr, row, side="right")) - 1, "its rows hold values not finite")
    mean = np.zeros((m, k)) if prior_mean is None else np.array(np.broadcast_to(prior_mean, (m, k)))
    n_rows = np.diff(indptr)
    free = penalty.min(axis=1, initial=np.inf) == 0
    minima = mean.copy()
    shifts = np.zeros((m, k))
    if normals is not None and not n_rows.all():
        without = n_rows == 0
        if free[without].any():
            raise ProblemError(int(np.flatnonzero(without & free)[0]), "nothing determines it; give a penalty (l2)")
        shifts[without] = normals[without] / np.sqrt(penalty[without])
    for j in np.flatnonzero(free & (n_rows > 0)).tolist():
        own = slice(indptr[j], indptr[j + 1])
        try:
            solution = solve(
                design[own], offset[own], target[own], weight[own], penalty[j], prior_mean=mean[j], loss=loss
            )
        except DataError as error:
            raise ProblemError(j, str(error)) from None
        minima[j] = solution.coefficients
        if normals is not None:
            gram = _gram(design[None, own], (weight[own] * solution.curvature)[None])
            shifts[j] = _shifts(gram, penalty[[j]], normals[[j]])[0]
    for chosen in _stacks(np.where(free, 0, n_rows), k):
        n = int(n_rows[chosen[0]])
        if len(chosen) == 1:  # perhaps of very many rows: not copied
            own = slice(indptr[chosen[0]], indptr[chosen[0]] + n)
            A, o, y, w = design[None, own], offset[None, own], target[None, own], weight[None, own]
        else:
            rows = indptr[chosen][:, None] + np.arange(n)
            A, o, y, w = design[rows], offset[rows], target[rows], weight[rows]
        problems = (_Dual if n < k else _Primal)(A, o, penalty[chosen], mean[chosen])
        gap, failed = _newton(problems, y, w, loss)
        if failed.any():
            raise ProblemError(int(chosen[np.argmax(failed)]), "no minimum found; give a larger penalty (l2)")
        minima[chosen] += gap
        if normals is not None:
            _, curvature = loss_functions(loss).slopes(y, o + _apply(A, minima[chosen]))
            shifts[chosen] = _shifts(_gram(A, w * curvature), penalty[chosen], normals[chosen])
    return minima if normals is None else minima + shifts


def _stacks(n_rows: Indices, k: int) -> Iterator[Indices]:
    """Problems with equally many rows, few enough at a time to bound the memory; those without rows are left out."""
    order = np.argsort(n_rows, kind="stable")
    starts = np.flatnonzero(np.diff(n_rows[order], prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        n = int(n_rows[order[start]])
        if n:
            step = max(1, _STACK // (max(n, k) * k))
            for first in range(start, stop, step):
                yield order[first : min(first + step, stop)]


class _Stack(Protocol):
    """Problems in coordinates x: the predictor is ``base + lift(x)``, and x = 0 is the prior mean."""

    base: Array
    width: int

    def step(self, x: Array, residual: Array, curvature: Array) -> Array:
        """The Newton step for weighted residual and curvature."""

    def lift(self, x: Array) -> Array:
        """What x adds to the predictor."""

    def charge(self, x: Array, lifted: Array) -> Array:
        """The penalty's part of F."""

    def size(self, step: Array, lifted: Array) -> Array:
        """How far a step moves the coefficients at most."""

    def gap(self, x: Array) -> Array:
        """The coefficients less their prior mean."""

    def take(self, kept: npt.NDArray[np.bool_]) -> _Stack:
        """Some of the problems."""


class _Primal:
    """x = p - mu, by H itself, (k, k)."""

    def __init__(self, design: Array, offset: Array, penalty: Array, mean: Array) -> None:
        self._design, self._penalty = design, penalty
        self.base = offset + _apply(design, mean)
        self.width = design.shape[2]

    def step(self, x: Array, residual: Array, curvature: Array) -> Array:
        hessian = _gram(self._design, curvature)
        np.einsum("jkk->jk", hessian)[...] += self._penalty
        gradient = _apply(self._design.transpose(0, 2, 1), residual) - self._penalty * x
        return _solve_stack(hessian, gradient)

    def lift(self, x: Array) -> Array:
        return _apply(self._design, x)

    def charge(self, x: Array, lifted: Array) -> Array:
        value: Array = 0.5 * (self._penalty * x * x).sum(axis=1)
        return value

    def size(self, step: Array, lifted: Array) -> Array:
        length: Array = np.abs(step).max(axis=1)
        return length

    def gap(self, x: Array) -> Array:
        return x

    def take(self, kept: npt.NDArray[np.bool_]) -> _Primal:
        part = object.__new__(_Primal)
        part._design, part._penalty = self._design[kept], self._penalty[kept]
        part.base, part.width = self.base[kept], self.width
        return part


class _Dual:
    """``p - mu = Lambda^-1 design' x`` with x of (n,): all but the last line of work is in (n, n)."""

    def __init__(self, design: Array, offset: Array, penalty: Array, mean: Array) -> None:
        self._design, self._inverse = design, 1.0 / penalty
        self._kernel = (design * self._inverse[:, None, :]) @ design.transpose(0, 2, 1)
        self._largest = self._inverse.max(axis=1)
        self.base = offset + _apply(design, mean)
        self.width = design.shape[1]

    def step(self, x: Array, residual: Array, curvature: Array) -> Array:
        system = curvature[:, :, None] * self._kernel
        np.einsum("jnn->jn", system)[...] += 1.0
        return _solve_stack(system, residual - x)

    def lift(self, x: Array) -> Array:
        return _apply(self._kernel, x)

    def charge(self, x: Array, lifted: Array) -> Array:
        value: Array = 0.5 * (x * lifted).sum(axis=1)
        return value

    def size(self, step: Array, lifted: Array) -> Array:
        # |dp|^2 <= dp' Lambda dp / min(Lambda), and dp' Lambda dp = step' K step
        length: Array = np.sqrt(np.maximum((step * lifted).sum(axis=1), 0.0) * self._largest)
        return length

    def gap(self, x: Array) -> Array:
        return self._inverse * _apply(self._design.transpose(0, 2, 1), x)

    def take(self, kept: npt.NDArray[np.bool_]) -> _Dual:
        part = object.__new__(_Dual)
        part._kernel, part._largest = self._kernel[kept], self._largest[kept]
        part.base, part.width = self.base[kept], self.width
        return part


def _newton(problems: _Stack, target: Array, weight: Array, loss: Loss) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Minimise all problems of a stack; returns p - mu and which of them failed."""
    functions = loss_functions(loss)
    everything = problems
    m = len(target)
    minima = np.zeros((m, problems.width))
    going = np.arange(m)
    x, predictor = minima.copy(), problems.base.copy()
    last = np.full(m, np.inf)
    for _ in range(_MAX_ITERATIONS):
        residual, curvature = functions.slopes(target, predictor)
        step = problems.step(x, weight * residual, weight * curvature)
        along = problems.lift(step)
        size = problems.size(step, along)
        if loss != "squared":
            _damp(problems, target, weight, functions, x, predictor, step, along, size)
        x += step
        predictor += along
        done = (size <= _TOLERANCE) | ((size < 1e-7) & (size > 0.5 * last)) | ~np.isfinite(size)
        last = size
        if done.any():
            minima[going[done]] = x[done]
            kept = ~done
            if not kept.any():
                break
            going, x, predictor, last = going[kept], x[kept], predictor[kept], last[kept]
            target, weight, problems = target[kept], weight[kept], problems.take(kept)
    else:
        minima[going] = np.nan
    gap = everything.gap(minima)
    return gap, np.asarray(~np.isfinite(gap).all(axis=1))


def _damp(
    problems: _Stack,
    target: Array,
    weight: Array,
    functions: LossFunctions,
    x: Array,
    predictor: Array,
    step: Array,
    along: Array,
    size: Array,
) -> None:
    """Halve in place the steps that overshoot, as they may far from the minimum."""
    far = np.flatnonzero(size > _FAR)
    if not len(far):
        return

    def value(x: Array, predictor: Array) -> Array:
        data: Array = (weight * functions.values(target, predictor)).sum(axis=1)
        return data + problems.charge(x, predictor - problems.base)

    ceiling = value(x, predictor) * (1 + 1e-12)
    while len(far):
        far = far[(value(x + step, predictor + along) > ceiling)[far] & (size[far] > _TOLERANCE)]
        for array in (step, along, size):
            array[far] *= 0.5


def _gram(design: Array, weight: Array) -> Array:
    """``design' diag(weight) design`` of each problem."""
    m, n, k = design.shape
    gram = np.zeros((m, k, k))
    for first in range(0, n, _HEIGHT):
        rows = slice(first, first + _HEIGHT)
        scaled = design[:, rows] * np.sqrt(weight)[:, rows, None]
        gram += scaled.transpose(0, 2, 1) @ scaled
    return gram


def _shifts(gram: Array, penalty: Array, normals: Array) -> Array:
    """Normal numbers of covariance ``(gram + diag(penalty))^-1`` from standard ones."""
    np.einsum("jkk->jk", gram)[...] += penalty
    root = np.linalg.cholesky(gram)
    shifts: Array = np.linalg.solve(root.transpose(0, 2, 1), normals[:, :, None])[:, :, 0]
    return shifts


def _apply(matrices: Array, vectors: Array) -> Array:
    product: Array = np.matmul(matrices, vectors[:, :, None])[:, :, 0]
    return product


def _solve_stack(matrices: Array, vectors: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:  # says not which: NaN marks it
        return np.stack([_solve_or_nan(a, b) for a, b in zip(matrices, vectors, strict=True)])


def _solve_or_nan(matrix: Array, vector: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(matrix, vector))
    except np.linalg.LinAlgError:
        return np.full_like(vector, np.nan)
