"""What the displays share: their input, and axes in the look of the package (matplotlib, imported only here)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLUE", "FAINT", "INK", "ORANGE", "axes", "check_vectors", "finish", "observed_and_predicted"]

# Blue and orange: apart for colour-blind eyes too.
BLUE, ORANGE, INK, FAINT = "#2a6f97", "#d9723b", "#1f2933", "#66727f"
_GRID = "#e4e7eb"

Vector = npt.NDArray[np.float64]


def observed_and_predicted(estimator: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """What was observed and what is predicted for rows of a table: ratings, or labels and probabilities."""
    predicted = estimator.predict_proba(X)[:, 1] if hasattr(estimator, "predict_proba") else estimator.predict(X)
    if y is not None:
        return y, predicted
    if not hasattr(estimator, "labels"):
        raise DataError(f"{type(estimator).__name__} does not know the target of X: give y")
    return estimator.labels(X), predicted


def check_vectors(observed: Any, predicted: Any, weight: Any = None) -> tuple[Vector, Vector, Vector]:
    """Finite numbers of equal count; weight 1 where none is given."""
    vectors = {"y_true": observed, "y_pred": predicted, "sample_weight": weight}
    if weight is None:
        vectors["sample_weight"] = np.ones(np.shape(observed))
    checked: list[Vector] = []
    for name, values in vectors.items():
        try:
            vector = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{name} must be numbers, got {type(values).__name__} that cannot be converted") from None
        if vector.ndim != 1 or not len(vector):
            raise DataError(f"{name} must be one-dimensional with at least one row, got shape {vector.shape}")
        if checked and len(vector) != len(checked[0]):
            raise DataError(f"{name} has {len(vector):,} rows, y_true has {len(checked[0]):,}")
        if not np.isfinite(vector).all():
            row = int(np.argmin(np.isfinite(vector)))
            raise DataError(f"{name} holds {vector[row]:g} in row {row} (counting from 0)")
        checked.append(vector)
    if (checked[2] < 0).any() or not checked[2].any():
        raise DataError("sample_weight must not be negative, nor 0 in every row")
    return checked[0], checked[1], checked[2]


def axes(ax: Axes | None) -> Axes:
    """The given axes, or those of a new pyplot figure."""
    if ax is not None:
        return ax
    try:
        pyplot = import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'factorec[cli]'") from error
    new: Axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")[1]
    return new


def finish(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Label axes, and take away what distracts."""
    ax.set_xlabel(xlabel, color=FAINT)
    ax.set_ylabel(ylabel, color=FAINT)
    ax.grid(color=_GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelcolor=FAINT)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.legend(frameon=False, labelcolor=INK)
