"""Losses of one score: their values, slopes and curvatures, in float64 and without cancellation in the tails.

All are convex in the score, so that what `_solve` finds by Newton's method is the one minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import erf, erfcx, expit, log_ndtr

from .errors import DataError

__all__ = ["Loss", "LossFunctions", "OrderedLevels", "SampledLevels", "is_known_loss", "loss_functions", "wrong_target"]

Array = npt.NDArray[np.float64]

_NARROW = 1e-4  # intervals of a normal variable narrower than this, and than this / their start, go by a series


@dataclass(frozen=True)
class OrderedLevels:
    """The loss of ordered levels, ratings of 1 to 5 stars say, which cut points on one score tell apart.

    With link "logit" the loss of level l is ``sum_t weight_t log(1 + exp(-s_t (score - cut_t)))``, ``s_t`` = 1 for the
    cuts below l and -1 for the others: a weighted log loss for each cut. With "probit" it is
    ``-log(Phi(cut_l - score) - Phi(cut_(l-1) - score))``: the level is that of score plus standard normal noise.

    Parameters
    ----------
    cuts : sequence of float
        L - 1 cut points, rising.
    link : {"logit", "probit"}
    cut_weights : sequence of float, optional
        Of the log loss of each cut, >= 0 and not all 0; 1 by default. Only for "logit".
    levels : sequence of float, optional
        The targets that stand for the L levels, rising; 0, 1, ... by default. A target between two of them is a
        mixture of both, as 0.3 is of a dislike and a like.

    Raises
    ------
    DataError
        If cuts or levels do not rise, or the numbers do not match.

    Examples
    --------
    >>> OrderedLevels([-1, 0.5], link="probit", levels=[1, 2, 3]).n_levels
    3
    """

    cuts: tuple[float, ...]
    link: Literal["logit", "probit"] = "logit"
    cut_weights: tuple[float, ...] | None = None
    levels: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.link not in ("logit", "probit"):
            raise DataError(f"link must be 'logit' or 'probit', got {self.link!r}")
        for name in ("cuts", "cut_weights", "levels"):
            given = getattr(self, name)
            if given is not None:
                values = np.asarray(given, dtype=np.float64)
                if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
                    raise DataError(f"{name} must be a list of finite numbers, got {given!r}")
                if name != "cut_weights" and (np.diff(values) <= 0).any():
                    raise DataError(f"{name} must rise, got {values.tolist()}")
                object.__setattr__(self, name, tuple(values.tolist()))
        n = len(self.cuts)
        if self.levels is not None and len(self.levels) != n + 1:
            raise DataError(f"{n} cuts tell {n + 1} levels apart, got {len(self.levels)} levels")
        if self.cut_weights is not None:
            if self.link == "probit":
                raise DataError("cut_weights are for link='logit'")
            if len(self.cut_weights) != n or min(self.cut_weights) < 0 or max(self.cut_weights) == 0:
                raise DataError(f"cut_weights must be one per cut, >= 0 and not all 0, got {self.cut_weights}")

    @property
    def n_levels(self) -> int:
        """How many levels there are."""
        return len(self.cuts) + 1

    @property
    def level_values(self) -> tuple[float, ...]:
        """The target of each level."""
        return self.levels or tuple(map(float, range(self.n_levels)))


@dataclass(frozen=True, eq=False)
class SampledLevels:
    """Ordered levels with link "probit" whose cuts differ between the samples of a posterior.

    Parameters
    ----------
    cuts : ndarray of shape (n_samples, n_levels - 1)
        Rising in each sample.
    levels : sequence of float
        The targets that stand for the levels.
    """

    cuts: Array
    levels: tuple[float, ...]

    def targets(self, target: Array) -> Array:
        """What says of each target in each sample which levels it is of, (n_samples, n): the targets of this loss."""
        n_samples, n_cuts = self.cuts.shape
        place = np.interp(target, self.levels, np.arange(n_cuts + 1))
        targets: Array = place + (n_cuts + 1) * np.arange(n_samples)[:, None]
        return targets


Loss = Literal["squared", "logistic", "probit"] | OrderedLevels | SampledLevels


class LossFunctions(Protocol):
    """A loss in the score; target and predictor may have any shape, the same."""

    def values(self, target: Array, predictor: Array) -> Array:
        """The loss of each row."""

    def slopes(self, target: Array, predictor: Array) -> tuple[Array, Array]:
        """``r = -d loss / d predictor`` and ``S = d2 loss / d predictor2``."""

    def target_slopes(self, target: Array, predictor: Array) -> Array:
        """``d r / d target``."""


class _Squared:
    def values(self, target: Array, predictor: Array) -> Array:
        losses: Array = 0.5 * (target - predictor) ** 2
        return losses

    def slopes(self, target: Array, predictor: Array) -> tuple[Array, Array]:
        return target - predictor, np.ones_like(predictor)

    def target_slopes(self, target: Array, predictor: Array) -> Array:
        return np.ones_like(predictor)


class _Logistic:
    def values(self, target: Array, predictor: Array) -> Array:
        losses: Array = np.logaddexp(0.0, predictor) - target * predictor
        return losses

    def slopes(self, target: Array, predictor: Array) -> tuple[Array, Array]:
        small = np.exp(-np.abs(predictor))  # in (0, 1]: neither the probability nor its complement loses digits
        low = small / (1.0 + small)
        # target - probability, without cancellation where target is 1 and the probability close to it
        residual = np.where(predictor >= 0, (target - 1.0) + low, target - low)
        return residual, low * (1.0 - low)

    def target_slopes(self, target: Array, predictor: Array) -> Array:
        return np.ones_like(predictor)


class _Probit:
    def values(self, target: Array, predictor: Array) -> Array:
        losses: Array = -log_ndtr(np.where(target > 0.5, predictor, -predictor))
        mixed = (target > 0) & (target < 1)
        if mixed.any():
            share, score = target[mixed], predictor[mixed]
            losses[mixed] = -share * log_ndtr(score) - (1.0 - share) * log_ndtr(-score)
        return losses

    def slopes(self, target: Array, predictor: Array) -> tuple[Array, Array]:
        likes = target > 0.5
        residual, curvature = self._of_likes(np.where(likes, predictor, -predictor))
        residual = np.where(likes, residual, -residual)
        mixed = (target > 0) & (target < 1)
        if mixed.any():
            share, score = target[mixed], predictor[mixed]
            (r, S), (other_r, other_S) = self._of_likes(score), self._of_likes(-score)
            residual[mixed] = share * r - (1.0 - share) * other_r
            curvature[mixed] = share * S + (1.0 - share) * other_S
        return residual, curvature

    def target_slopes(self, target: Array, predictor: Array) -> Array:
        total: Array = self._of_likes(predictor)[0] + self._of_likes(-predictor)[0]
        return total

    def _of_likes(self, score: Array) -> tuple[Array, Array]:
        residual = np.sqrt(2.0 / np.pi) / erfcx(-np.sqrt(0.5) * score)  # density / distribution function
        return residual, residual * (residual + score)


class _Ordered:
    """What both links share: targets between two levels, which are mixtures of the two."""

    def __init__(self, level_values: Any) -> None:
        self._values = np.asarray(level_values, dtype=np.float64)

    def _at(self, level: npt.NDArray[np.intp], predictor: Array) -> tuple[Array, Array, Array]:
        """Loss, r and S of whole levels."""
        raise NotImplementedError

    def _mixed(self, target: Array, predictor: Array) -> tuple[Array, Array, Array]:
        position = np.interp(target, self._values, np.arange(len(self._values)))
        level = np.floor(position).astype(np.intp)
        above = position - level
        loss, r, S = self._at(level, predictor)
        between = above > 0
        if between.any():
            share = above[between]
            upper = self._at(level[between] + 1, predictor[between])
            for low, high in zip((loss, r, S), upper, strict=True):
                low[between] += share * (high - low[between])
        return loss, r, S

    def values(self, target: Array, predictor: Array) -> Array:
        return self._mixed(target, predictor)[0]

    def slopes(self, target: Array, predictor: Array) -> tuple[Array, Array]:
        return self._mixed(target, predictor)[1:]

    def target_slopes(self, target: Array, predictor: Array) -> Array:
        """Per unit of the target; at a level the mean change to the two levels beside it, at either end to the one."""
        last = len(self._values) - 1
        right = np.clip(np.searchsorted(self._values, target, side="right"), 1, last)
        left = np.clip(np.searchsorted(self._values, target, side="left"), 1, last)
        mean: Array = 0.5 * (self._secant(right, predictor) + self._secant(left, predictor))
        return mean

    def _secant(self, upper: npt.NDArray[np.intp], predictor: Array) -> Array:
        rise = self._at(upper, predictor)[1] - self._at(upper - 1, predictor)[1]
        slope: Array = rise / (self._values[upper] - self._values[upper - 1])
        return slope


class _Logits(_Ordered):
    def __init__(self, loss: OrderedLevels) -> None:
        super().__init__(loss.level_values)
        self._cuts = np.array(loss.cuts)
        self._weights = np.ones(len(self._cuts)) if loss.cut_weights is None else np.array(loss.cut_weights)

    def _at(self, level: npt.NDArray[np.intp], predictor: Array) -> tuple[Array, Array, Array]:
        losses, r, S = (np.zeros_like(predictor) for _ in range(3))
        for t, (cut, weight) in enumerate(zip(self._cuts, self._weights, strict=True)):
            sign = np.where(level > t, 1.0, -1.0)
            margin = sign * (predictor - cut)
            wrong = expit(-margin)
            losses += weight * np.logaddexp(0.0, -margin)
            r += weight * sign * wrong
            S += weight * wrong * expit(margin)
        return losses, r, S


class _Intervals(_Ordered):
    """Levels as intervals of a normal variable around the score."""

    def __init__(self, cuts: Array, level_values: Any) -> None:
        super().__init__(level_values)
        bounds = np.pad(cuts, ((0, 0), (1, 1)), constant_values=(-np.inf, np.inf))
        self._low, self._high, self._width = bounds[:, :-1].ravel(), bounds[:, 1:].ravel(), np.diff(bounds).ravel()

    def _at(self, level: npt.NDArray[np.intp], predictor: Array) -> tuple[Array, Array, Array]:
        low, high = self._low[level] - predictor, self._high[level] - predictor
        # The mirror image has the same loss: from here on the middle of an interval is at or right of 0.
        flipped = low + high < 0
        low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
        loss, r, S = _interval(low, high, self._width[level])
        return loss, np.where(flipped, -r, r), S


def _interval(low: Array, high: Array, width: Array) -> tuple[Array, Array, Array]:
    """``-log Z``, Z = Phi(high) - Phi(low), with the mean r and 1 - the variance S of a normal variable in between.

    The middle of low and high is not negative; ``width`` is what lies between them.
    """
    root = np.sqrt(0.5)
    tail = low > 0
    start = np.where(tail, low, 0.0)
    bounded = np.where(np.isfinite(high), high, start)
    # Densities relative to that at `start`: exp underflows nowhere that matters.
    drop = np.exp(-0.5 * (bounded - start) * (bounded + start)) * np.isfinite(high)
    rise = np.where(tail, 1.0, np.exp(-0.5 * np.square(np.where(tail, 0.0, low))))
    mass = np.empty_like(low)  # 2 Z / exp(-start**2 / 2)
    mass[tail] = erfcx(low[tail] * root) - drop[tail] * erfcx(bounded[tail] * root)
    mass[~tail] = erf(high[~tail] * root) - erf(low[~tail] * root)
    narrow = width < _NARROW / np.maximum(1.0, start)
    mass = np.where(narrow, 1.0, mass)
    scale = np.sqrt(2.0 / np.pi) / mass
    r = scale * (rise - drop)
    S = r * r + scale * (bounded * drop - np.where(np.isfinite(low), low, 0.0) * rise)
    loss = 0.5 * start * start - np.log(0.5 * mass)
    if narrow.any():
        half, middle = 0.5 * width[narrow], 0.5 * (low + high)[narrow]
        r[narrow] = middle * (1.0 - half * half / 3.0)
        S[narrow] = 1.0 - half * half / 3.0
        bend = (middle * middle - 1.0) * half * half / 6.0
        loss[narrow] = 0.5 * middle * middle + 0.5 * np.log(2.0 * np.pi) - np.log(2.0 * half) - bend
    return loss, r, S


_NAMED: dict[str, LossFunctions] = {
    "squared": _Squared(),
    "logistic": _Logistic(),
    "probit": _Probit(),
}


def is_known_loss(loss: Any) -> bool:
    """Whether `loss` is one of `Loss`."""
    return isinstance(loss, OrderedLevels) or (isinstance(loss, str) and loss in _NAMED)


def loss_functions(loss: Loss) -> LossFunctions:
    """What computes a loss."""
    if isinstance(loss, SampledLevels):
        return _Intervals(loss.cuts, np.arange(loss.cuts.shape[0] * len(loss.levels)))
    if isinstance(loss, OrderedLevels):
        return _Logits(loss) if loss.link == "logit" else _Intervals(np.array([loss.cuts]), loss.level_values)
    return _NAMED[loss]


def wrong_target(loss: Loss, target: Array) -> tuple[int, str] | None:
    """The first target that the loss has no meaning for, and what targets must be."""
    if loss == "squared" or isinstance(loss, SampledLevels):
        return None
    if isinstance(loss, OrderedLevels):
        values = loss.level_values
        low, high, rule = values[0], values[-1], f"with these levels targets lie from {values[0]:g} to {values[-1]:g}"
    else:
        low, high, rule = 0.0, 1.0, f"with loss={loss!r} targets are 1 or 0"
    wrong = np.flatnonzero(~((target >= low) & (target <= high)))
    return (int(wrong[0]), rule) if len(wrong) else None
