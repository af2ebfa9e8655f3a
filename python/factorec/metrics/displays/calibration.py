"""Whether predictions mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from ._common import BLUE, FAINT, INK, ORANGE, Vector, axes, check_vectors, finish, observed_and_predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CalibrationDisplay"]

_COLORS = (BLUE, ORANGE, INK)


class CalibrationDisplay:
    """Mean of what was observed beside the mean prediction, in bins of the prediction.

    A point on the diagonal: among rows predicted 0.7, seven of ten were likes; rows predicted 4.1 were rated 4.1.
    scikit-learn's class of this name draws the same for probabilities alone.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n_bins,)
        Means in each bin that has rows.
    error : ndarray of shape (n_bins,)
        Standard error of `observed`.
    counts : ndarray of shape (n_bins,), int
    binary : bool
        Whether probabilities are shown, or ratings.
    name : str, optional
        Label of the line.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Of the last drawing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> display = CalibrationDisplay.from_predictions(
    ...     [3, 4, 5, 5], [3.5, 3.5, 4.5, 4.5], n_bins=2, ax=Figure().subplots()
    ... )
    >>> display.observed, display.predicted, display.calibration_error
    (array([3.5, 5. ]), array([3.5, 4.5]), 0.25)
    """

    def __init__(
        self,
        observed: Vector,
        predicted: Vector,
        *,
        error: Vector,
        counts: npt.NDArray[np.int64],
        binary: bool,
        name: str | None = None,
    ) -> None:
        self.observed = observed
        self.predicted = predicted
        self.error = error
        self.counts = counts
        self.binary = binary
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        *,
        n_bins: int = 10,
        strategy: Literal["quantile", "uniform"] = "quantile",
        name: str | None = None,
        ax: Axes | None = None,
        **line: Any,
    ) -> Self:
        """Compute the means and draw.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_rows,)
            0 and 1 with probabilities, or ratings with ratings.
        n_bins : int
        strategy : {"quantile", "uniform"}
            Bins of equal count, or of equal width: over [0, 1] for probabilities, else over the predictions.
        name : str, optional
            Label of the line.
        ax : matplotlib Axes, optional
            None: those of a new pyplot figure.
        **line
            Style of the line, as matplotlib's ``errorbar`` takes it.

        Returns
        -------
        CalibrationDisplay

        Raises
        ------
        DataError
            If sizes differ, a number is not finite, or a setting cannot be used.
        """
        observed, predicted, _ = check_vectors(y_true, y_pred)
        if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer) or n_bins < 1:
            raise DataError(f"n_bins must be an integer of at least 1, got {n_bins!r}")
        binary = bool(np.isin(observed, (0, 1)).all() and predicted.min() >= 0 and predicted.max() <= 1)
        if strategy == "quantile":
            edges = np.percentile(predicted, np.linspace(0, 1, n_bins + 1) * 100)
        elif strategy == "uniform":
            low, high = (0.0, 1.0) if binary else (float(predicted.min()), float(predicted.max()))
            edges = np.linspace(low, high, n_bins + 1)
        else:
            raise DataError(f"strategy must be 'quantile' or 'uniform', got {strategy!r}")
        place = np.searchsorted(edges[1:-1], predicted)  # as scikit-learn's calibration_curve has it
        counts = np.bincount(place, minlength=n_bins)
        filled = counts > 0
        n = counts[filled]
        mean = np.bincount(place, observed, minlength=n_bins)[filled] / n
        squares = np.bincount(place, observed**2, minlength=n_bins)[filled] / n
        display = cls(
            mean,
            np.bincount(place, predicted, minlength=n_bins)[filled] / n,
            error=np.sqrt(np.maximum(squares - mean**2, 0) / n),
            counts=n,
            binary=binary,
            name=name,
        )
        return display.plot(ax=ax, **line)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: npt.ArrayLike | None = None, **options: Any) -> Self:
        """Predict, compute the means and draw.

        Parameters
        ----------
        estimator : Recommender, or estimator of scikit-learn
            Fitted.
        X : table
        y : array-like of shape (n_rows,), optional
            Labels or ratings. None: a recommender reads its target column of `X`.
        **options
            As in `from_predictions`.

        Returns
        -------
        CalibrationDisplay
        """
        return cls.from_predictions(*observed_and_predicted(estimator, X, y), **options)

    @property
    def calibration_error(self) -> float:
        """Mean distance from the diagonal, each bin counting with its rows (expected calibration error)."""
        return float(np.average(np.abs(self.observed - self.predicted), weights=self.counts))

    def plot(self, *, ax: Axes | None = None, name: str | None = None, ref_line: bool = True, **line: Any) -> Self:
        """Draw observed over predicted means, with bars of two standard errors.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            None: those of a new pyplot figure.
        name : str, optional
            Label of the line, in the place of the display's own.
        ref_line : bool
            Whether to draw the diagonal.
        **line
            Style of the line, as matplotlib's ``errorbar`` takes it.

        Returns
        -------
        CalibrationDisplay
            Itself.
        """
        self.ax_ = ax = axes(ax)
        self.figure_ = ax.figure
        diagonal = "perfectly calibrated"
        if ref_line and diagonal not in ax.get_legend_handles_labels()[1]:
            ends = (0.0, 1.0) if self.binary else _span(self.observed, self.predicted)
            ax.plot(ends, ends, color=FAINT, linewidth=1, linestyle=":", label=diagonal)
        color = _COLORS[len(ax.containers) % len(_COLORS)]  # another line in the same axes has another color
        style: dict[str, Any] = {"color": color, "marker": "o", "markersize": 5, "linewidth": 1.6}
        style |= {"elinewidth": 1, "capsize": 2}
        label = name or self.name or ("share of likes" if self.binary else "mean rating")
        ax.errorbar(self.predicted, self.observed, 2 * self.error, label=label, **(style | line))
        what = ("predicted probability", "share observed") if self.binary else ("predicted", "observed")
        finish(ax, f"mean {what[0]}", what[1] if self.binary else f"mean {what[1]}")
        return self


def _span(*values: Vector) -> tuple[float, float]:
    every = np.concatenate(values)
    return float(every.min()), float(every.max())
