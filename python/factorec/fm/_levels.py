"""Ordered levels on one score: cut points, probabilities, metrics.

``P(level > t | score) = 1 / (1 + exp(cut_t - score))`` for each of the L - 1 cuts, which rise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ..errors import DataError
from ._checks import check_real

__all__ = [
    "Levels",
    "encode_levels",
    "expected_value",
    "find_levels",
    "level_metrics",
    "level_weights",
    "start_cuts",
]

Array = npt.NDArray[np.float64]

# More distinct targets are numbers, not levels: a cut each would cost time and tell nothing.
MAX_LEVELS = 256
_MIN_GAP = 1e-6  # between two cuts: every level has a probability above 0
_ROWS = 1 << 16  # measured at a time


@dataclass
class Levels:
    """The targets of the levels, (L,), and what the log loss of each cut weighs, (L - 1,)."""

    values: Array
    cut_weights: Array


def find_levels(target: Array) -> Array:
    """The distinct targets, rising."""
    levels = np.unique(target)
    if len(levels) > MAX_LEVELS:
        raise DataError(
            f"the target holds {len(levels)} distinct values; ordered levels are at most {MAX_LEVELS}: "
            "round it, or use FMRegressor"
        )
    if len(levels) < 2:
        raise DataError(f"the target holds one level only ({levels[0]:g}), as good as one class: there is no order")
    return levels


def encode_levels(target: Array, levels: Array) -> Array:
    """The number of each row's level, 0 for the lowest."""
    number = np.minimum(np.searchsorted(levels, target), len(levels) - 1)
    other = np.flatnonzero(levels[number] != target)
    if len(other):
        raise DataError(
            f"target[{other[0]}] is {target[other[0]]:g}, which is none of the levels {levels.tolist()} of the model"
        )
    return number.astype(np.float64)


def start_cuts(level: Array, weight: Any, n_levels: int) -> Array:
    """The cuts of a score that is 0 everywhere: minus the log-odds of a level above each."""
    row_weight = np.ones(len(level)) if weight is None else weight.astype(np.float64)
    of_level = np.bincount(level.astype(np.intp), row_weight, n_levels)
    below = np.cumsum(of_level)[:-1]
    # Half a row on either side keeps the log-odds finite.
    cuts: Array = np.log((below + 0.5) / (of_level.sum() - below + 0.5))
    gaps = np.maximum(np.diff(cuts), _MIN_GAP)
    return np.concatenate([cuts[:1], cuts[0] + np.cumsum(gaps)])


def level_weights(cut_weights: Any, levels: Array) -> Array:
    """The parameter ``cut_weights``, resolved to one weight a cut, 1 in sum."""
    weights = np.ones(len(levels) - 1)
    if isinstance(cut_weights, Mapping):
        for level, weight in cut_weights.items():
            at = np.flatnonzero(levels[1:] == level)
            if not len(at):
                raise DataError(
                    f"cut_weights names {level!r}, but the cuts are those below the levels {levels[1:].tolist()}"
                )
            weights[at[0]] = check_real(f"cut_weights[{level!r}]", weight, low=0)
    elif cut_weights is not None:
        try:
            weights = np.asarray(cut_weights, np.float64)
        except (TypeError, ValueError):
            raise DataError(f"cut_weights must be numbers, one a cut, got {cut_weights!r}") from None
        if weights.shape != (len(levels) - 1,):
            raise DataError(
                f"cut_weights has shape {weights.shape}; {len(levels)} levels have {len(levels) - 1} cuts between them"
            )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise DataError(f"cut_weights must be finite, not negative and not all 0, got {cut_weights!r}")
    shares: Array = weights / weights.sum()
    return shares


def expected_value(above: Array, levels: Array) -> Array:
    """The mean of the levels' values, from the probabilities of being above each cut, (n_rows, L - 1)."""
    mean: Array = levels[0] + above @ np.diff(levels)
    return mean


def level_metrics(score: Any, level: Any, weight: Any, cuts: Array, levels: Array) -> dict[str, float]:
    """Log loss of the levels, and the errors of the expected value."""
    bounds = np.concatenate([[-np.inf], cuts, [np.inf]])
    gaps = np.diff(bounds)
    sums = np.zeros(4)
    for start in range(0, len(score), _ROWS):
        rows = slice(start, start + _ROWS)
        at, z = level[rows].astype(np.intp), score[rows].astype(np.float64)
        low, high = z - bounds[at], z - bounds[at + 1]
        # log(P(above low) - P(above high)), without cancellation: a product of three terms.
        loss = np.logaddexp(0.0, -low) + np.logaddexp(0.0, high) - np.log(-np.expm1(-gaps[at]))
        error = expected_value(expit(z[:, None] - cuts), levels) - levels[at]
        row_weight = np.ones(len(z)) if weight is None else weight[rows].astype(np.float64)
        sums += [row_weight.sum(), row_weight @ loss, row_weight @ (error * error), row_weight @ np.abs(error)]
    total, loss_sum, squares, absolute = sums.tolist()
    return {"log_loss": loss_sum / total, "rmse": float(np.sqrt(squares / total)), "mae": absolute / total}
