"""What is recorded of an epoch: metrics of its own pass over the training rows, and of other rows after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ._levels import Levels, level_metrics
from ._rows import RowArrays

__all__ = ["EvalRows", "metrics_of_pass", "metrics_of_rows", "watched_metric"]


@dataclass
class EvalRows:
    """Rows that are looked at after every epoch."""

    rows: RowArrays
    target: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32] | None = None


def watched_metric(loss: str) -> str:
    """The metric that early stopping watches."""
    return "rmse" if loss == "squared" else "log_loss"


def metrics_of_pass(sums: dict[str, float], loss: str, target_scale: float) -> dict[str, float]:
    """Metrics over the training rows, each scored just before its own update."""
    weight = sums["weight"]
    if loss == "squared":
        return {
            "rmse": float(np.sqrt(sums["loss"] / weight)) * target_scale,
            "mae": sums["absolute"] / weight * target_scale,
        }
    if loss == "ordinal":
        return {
            "log_loss": sums["loss"] / weight,
            "rmse": float(np.sqrt(sums["squared"] / weight)),
            "mae": sums["absolute"] / weight,
        }
    wrong = sums["positive"] + sums["predicted_positive"] - 2 * sums["true_positive"]
    either = sums["positive"] + sums["predicted_positive"]
    return {
        "log_loss": sums["loss"] / weight,
        "accuracy": 1.0 - wrong / weight,
        "f1": 2 * sums["true_positive"] / either if either else 0.0,
    }


def metrics_of_rows(
    data: EvalRows,
    weights: Any,
    cuts: npt.NDArray[np.float64] | None,
    levels: Levels | None,
    options: Any,
    target_scale: float,
) -> dict[str, float]:
    """Metrics of other rows under the weights of now; ``cuts`` and ``levels``: of ordinal loss."""
    rows = data.rows
    scores = _core.scores(
        rows.blocks, rows.n_rows, weights.bias, weights.linear, weights.factors, options.n_threads, single=True
    )
    if options.loss == "logistic":
        values = _core.classification_metrics(scores, data.target, data.weight, options.n_threads)
        return dict(zip(("log_loss", "accuracy", "f1", "auc"), values, strict=True))
    if cuts is not None and levels is not None:
        return level_metrics(scores, data.target, data.weight, cuts, levels.values)
    with np.errstate(over="ignore"):
        low, high = np.array(options.score_range, np.float32)
    np.clip(scores, low, high, out=scores)  # the same as clipped and then rounded: rounding keeps the order
    rmse, mae = _core.regression_metrics(scores, data.target, data.weight, options.n_threads)
    return {"rmse": rmse * target_scale, "mae": mae * target_scale}
