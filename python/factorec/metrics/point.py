"""Metrics of single predictions: how far a probability or a rating is from what was observed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError

__all__ = ["accuracy", "auc", "classification_metrics", "f1", "log_loss", "mae", "regression_metrics", "rmse"]


def classification_metrics(
    target: npt.ArrayLike,
    scores: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    n_jobs: int | None = None,
) -> dict[str, float]:
    """Measure log-odds against labels.

    Parameters
    ----------
    target : array-like of shape (n_rows,)
        Labels, 0 or 1.
    scores : array-like of shape (n_rows,)
        Log-odds of label 1, as `decision_function` gives them (not probabilities). Taken as float32.
    sample_weight : array-like of shape (n_rows,), optional
        Not negative, not all 0; default 1.
    n_jobs : int, optional
        Threads; see `resolve_n_jobs`. The result does not depend on it.

    Returns
    -------
    dict of str to float
        ``log_loss`` in nats, from the log-odds and so finite for any of them; ``accuracy`` and ``f1`` of
        predicting 1 where the probability is at least one half; ``auc``, the area under the ROC curve, in
        which tied scores count half, NaN where only one class carries weight. ``f1`` is 0 where nothing is
        labelled or predicted 1.

    Raises
    ------
    DataError
        If there is no row, sizes differ, a label is not 0 or 1, or a number is not finite.

    Examples
    --------
    >>> metrics = classification_metrics([0, 1, 1], [-1.0, 0.5, -0.2])
    >>> {name: round(value, 4) for name, value in metrics.items()}
    {'log_loss': 0.5285, 'accuracy': 0.6667, 'f1': 0.6667, 'auc': 1.0}
    """
    values = _measure(_core.classification_metrics, target, scores, sample_weight, n_jobs, "scores")
    return dict(zip(("log_loss", "accuracy", "f1", "auc"), values, strict=True))


def regression_metrics(
    target: npt.ArrayLike,
    predictions: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    n_jobs: int | None = None,
) -> dict[str, float]:
    """Measure predicted values against observed ones.

    Parameters
    ----------
    target, predictions : array-like of shape (n_rows,)
        In the same unit, such as rating points. Taken as float32.
    sample_weight : array-like of shape (n_rows,), optional
        Not negative, not all 0; default 1.
    n_jobs : int, optional
        Threads; see `resolve_n_jobs`. The result does not depend on it.

    Returns
    -------
    dict of str to float
        ``rmse``, the root of the mean squared error, and ``mae``, the mean absolute error, in that unit.

    Raises
    ------
    DataError
        If there is no row, sizes differ, or a number is not finite.

    Examples
    --------
    >>> regression_metrics([3, 5, 1], [3, 4, 3])
    {'rmse': 1.2909944487358056, 'mae': 1.0}
    """
    values = _measure(_core.regression_metrics, target, predictions, sample_weight, n_jobs, "predictions")
    return dict(zip(("rmse", "mae"), values, strict=True))


def log_loss(target: npt.ArrayLike, scores: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
    """Mean negative log-likelihood of labels given log-odds, in nats.

    Parameters
    ----------
    target, scores : array-like of shape (n_rows,)
        As in `classification_metrics`, whose errors these are too.
    sample_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    float
        In nats per row.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.0, 0.0]), 4)
    0.6931
    """
    return classification_metrics(target, scores, sample_weight)["log_loss"]


def accuracy(target: npt.ArrayLike, scores: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
    """Share of labels that the sign of the log-odds predicts.

    Parameters
    ----------
    target, scores : array-like of shape (n_rows,)
        As in `classification_metrics`, whose errors these are too.
    sample_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> accuracy([0, 1], [0.5, 0.5])
    0.5
    """
    return classification_metrics(target, scores, sample_weight)["accuracy"]


def f1(target: npt.ArrayLike, scores: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
    """Harmonic mean of precision and recall of label 1.

    Parameters
    ----------
    target, scores : array-like of shape (n_rows,)
        As in `classification_metrics`, whose errors these are too.
    sample_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> f1([1, 1, 0], [0.5, 0.5, 0.5])
    0.8
    """
    return classification_metrics(target, scores, sample_weight)["f1"]


def auc(target: npt.ArrayLike, scores: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
    """Probability that a row of label 1 scores above one of label 0.

    Parameters
    ----------
    target, scores : array-like of shape (n_rows,)
        As in `classification_metrics`, whose errors these are too.
    sample_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    float
        From 0 to 1, ties counted half; NaN where all labels are equal.

    Examples
    --------
    >>> auc([0, 1, 0, 1], [1, 2, 3, 4])
    0.75
    """
    return classification_metrics(target, scores, sample_weight)["auc"]


def rmse(target: npt.ArrayLike, predictions: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
    """Root of the mean squared error.

    Parameters
    ----------
    target, predictions : array-like of shape (n_rows,)
        As in `regression_metrics`, whose errors these are too.
    sample_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    float
        In the unit of the targets.

    Examples
    --------
    >>> rmse([1, 2], [2, 1])
    1.0
    """
    return regression_metrics(target, predictions, sample_weight)["rmse"]


def mae(target: npt.ArrayLike, predictions: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
    """Mean absolute error.

    Parameters
    ----------
    target, predictions : array-like of shape (n_rows,)
        As in `regression_metrics`, whose errors these are too.
    sample_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    float
        In the unit of the targets.

    Examples
    --------
    >>> mae([1, 2], [3, 2])
    1.0
    """
    return regression_metrics(target, predictions, sample_weight)["mae"]


Core = Callable[
    [npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32] | None, int], tuple[float, ...]
]


def _measure(
    core: Core,
    target: npt.ArrayLike,
    predicted: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    n_jobs: int | None,
    name: str,
) -> tuple[float, ...]:
    arrays = [_vector(name, predicted), _vector("target", target)]
    weights = None if weight is None else _vector("sample_weight", weight)
    try:
        return core(arrays[0], arrays[1], weights, resolve_n_jobs(n_jobs))
    except ValueError as error:
        raise DataError(str(error).replace("weight", "sample_weight", 1)) from None


def _vector(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, which the core refuses
            array = np.ascontiguousarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be numbers, got {type(values).__name__} that cannot be converted") from None
    if np.ndim(values) != 1:
        raise DataError(f"{name} must be one-dimensional, got shape {np.shape(values)}")
    return array
