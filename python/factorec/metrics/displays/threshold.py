"""What each threshold on predictions would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from ._common import BLUE, FAINT, INK, ORANGE, Vector, axes, check_vectors, finish, observed_and_predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ThresholdDisplay"]

_SWEPT = ("precision", "recall", "f1", "accuracy")


class ThresholdDisplay:
    """Precision, recall, F1 and accuracy of calling a row a like where its prediction is at least a threshold.

    Made by `from_predictions` or `from_estimator`, which also draw.

    Parameters
    ----------
    thresholds : ndarray of shape (n,)
        Every distinct prediction, ascending, then one above all: every threshold that makes a difference.
    precision, recall, f1, accuracy : ndarray of shape (n,)
        At each threshold. Precision is NaN where no row is called a like.
    name : str, optional
        Title of the picture.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : chooses a threshold by cross-validation.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()  # or leave ax out: a new pyplot figure
    >>> display = ThresholdDisplay.from_predictions([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.9], ax=ax)
    >>> display.best_threshold("f1")
    0.3
    >>> {name: round(value, 3) for name, value in display.at(0.5).items()}
    {'precision': 1.0, 'recall': 0.5, 'f1': 0.667, 'accuracy': 0.75}
    """

    def __init__(
        self,
        thresholds: Vector,
        *,
        precision: Vector,
        recall: Vector,
        f1: Vector,
        accuracy: Vector,
        name: str | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.accuracy = accuracy
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        best: str = "f1",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Sweep all thresholds and draw.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            0 and 1.
        y_pred : array-like of shape (n_rows,)
            Probabilities, or anything of which more speaks for 1.
        sample_weight : array-like of shape (n_rows,), optional
        best : {"f1", "accuracy", "precision", "recall"}
            Which metric's best threshold is marked.
        name : str, optional
            Title.
        ax : matplotlib Axes, optional
            None: those of a new pyplot figure.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        DataError
            If sizes differ, a number is not finite, or a label is neither 0 nor 1.
        """
        label, predicted, weight = check_vectors(y_true, y_pred, sample_weight)
        wrong = (label != 0) & (label != 1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"y_true must be 0 and 1, but holds {label[row]:g} in row {row} (counting from 0)")
        display = cls(**_sweep(label, predicted, weight), name=name)
        return display.plot(ax=ax, best=best)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: npt.ArrayLike | None = None, **options: Any) -> Self:
        """Predict, sweep all thresholds and draw.

        Parameters
        ----------
        estimator : Recommender, or classifier of scikit-learn
            Fitted. A recommender of ratings needs its ``like_threshold``: the thresholds are then ratings.
        X : table
        y : array-like of shape (n_rows,), optional
            0 and 1. None: a recommender reads its target column of `X`.
        **options
            As in `from_predictions`.

        Returns
        -------
        ThresholdDisplay
        """
        observed, predicted = observed_and_predicted(estimator, X, y)
        like = getattr(estimator, "like_threshold", None)
        if y is None and like is not None and np.max(observed, initial=0) > 1:  # ratings
            observed = np.asarray(observed) >= like
        return cls.from_predictions(observed, predicted, **options)

    def best_threshold(self, metric: str = "f1") -> float:
        """Return the threshold at which a metric is highest; the lowest of several."""
        return float(self.thresholds[self._best(metric)])

    def at(self, threshold: float) -> dict[str, float]:
        """Return all metrics at any threshold."""
        # Rows at or above it are those at or above the next prediction.
        place = min(int(np.searchsorted(self.thresholds, threshold)), len(self.thresholds) - 1)
        return {metric: float(getattr(self, metric)[place]) for metric in _SWEPT}

    def plot(self, *, ax: Axes | None = None, best: str = "f1") -> Self:
        """Draw the metrics over the thresholds.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            None: those of a new pyplot figure.
        best : {"f1", "accuracy", "precision", "recall"}
            Which metric's best threshold is marked.

        Returns
        -------
        ThresholdDisplay
            Itself.
        """
        place = self._best(best)
        self.ax_ = ax = axes(ax)
        self.figure_ = ax.figure
        styles = {"precision": (BLUE, 1.6, "-"), "recall": (ORANGE, 1.6, "-"), "f1": (INK, 2.2, "-")}
        for metric in _SWEPT:
            color, width, line = styles.get(metric, (FAINT, 1.6, "--"))
            label = "F1" if metric == "f1" else metric
            ax.plot(self.thresholds, getattr(self, metric), color=color, linewidth=width, linestyle=line, label=label)
        at, value = self.thresholds[place], getattr(self, best)[place]
        ax.axvline(at, color=FAINT, linewidth=0.8, linestyle=":")
        ax.plot(
            [at],
            [value],
            "o",
            color=INK,
            markersize=6,
            label=f"best {'F1' if best == 'f1' else best}: {value:.3f} at {at:.3g}",
        )
        ax.set_ylim(-0.02, 1.02)
        finish(ax, "threshold: a prediction of at least this is called a like", "")
        if self.name:
            ax.set_title(self.name, loc="left", color=INK)
        return self

    def _best(self, metric: str) -> int:
        if metric not in _SWEPT:
            raise DataError(f"metric must be one of {', '.join(map(repr, _SWEPT))}, got {metric!r}")
        return int(np.nanargmax(getattr(self, metric)))


def _sweep(label: Vector, predicted: Vector, weight: Vector) -> dict[str, Vector]:
    thresholds, place = np.unique(predicted, return_inverse=True)
    thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    positive = np.bincount(place, weight * label, minlength=len(thresholds))
    negative = np.bincount(place, weight * (1 - label), minlength=len(thresholds))
    # What lies at or above each threshold: sums from the end.
    true_positive, false_positive = (np.cumsum(part[::-1])[::-1] for part in (positive, negative))
    called = true_positive + false_positive
    with np.errstate(invalid="ignore"):
        return {
            "thresholds": thresholds,
            "precision": np.where(called > 0, true_positive / called, np.nan),
            "recall": true_positive / positive.sum() if positive.any() else np.zeros(len(thresholds)),
            "f1": np.where(called + positive.sum() > 0, 2 * true_positive / (called + positive.sum()), 0.0),
            "accuracy": (true_positive + negative.sum() - false_positive) / weight.sum(),
        }
