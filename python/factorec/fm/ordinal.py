"""Ratings as ordered levels: the ordinal regressor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import RegressorMixin
from sklearn.utils import ClassifierTags
from sklearn.utils.validation import check_is_fitted

from .._losses import OrderedLevels
from ..errors import DataError
from ._base import BaseFM
from ._checks import check_finite, check_real
from ._levels import Levels, encode_levels, expected_value, find_levels, level_weights
from ._predictive import LevelsPredictive
from ._tuned import Tuned

__all__ = ["FMOrdinal"]


class FMOrdinal(RegressorMixin, BaseFM):  # type: ignore[misc]
    """Ordinal regressor: levels such as 1 to 5 stars, told apart by cut points on a factorization machine's score.

    ``P(level > t | x) = 1 / (1 + exp(cut_t - y(x)))`` with one cut between each level and the next, and the score
    ``y(x) = w'x + 1/2 (|V'x|**2 - sum_f x_f**2 |V_f|**2)``, whose bias is 0: the cuts have its part. Trained is the
    weighted sum of the log losses of all cuts ("all-threshold" loss [1]_). What a like is may be decided afterwards:
    `predict_proba_at_least`. A like model read off here is better than one trained on likes alone, which
    throws away how much somebody liked or disliked an item.

    Parameters
    ----------
    n_factors : int, default=16
        Factors of each feature (k). With "gibbs", 7, 15 and 31 are the sizes that cost least for what they hold.
    solver : {"adagrad", "sgd", "gibbs"}, default="adagrad"
        As in `FMClassifier`, which has Adam too. "gibbs" samples an ordered probit model, its cuts included: the best
        probabilities, of a like too (see Notes of `FMRegressor`).
    n_epochs : int, optional
        Passes over the rows, for "gibbs" sweeps over all features. None: 40, and 300 for "gibbs", burn-in included.
    learning_rate : float or dict of str to float, optional
        One rate, or rates by name: ``"bias"`` (that of the cuts), ``"linear"``, ``"factors"``, and fields, whose
        linear weights and factors both take theirs. What is not named, and None: 0.07; for fields beside the ids 0.022
        (as in `FMClassifier`).
    cut_weights : array-like of shape (n_levels - 1,) or dict of float to float, optional
        What the log loss of each cut weighs beside the others: only their proportions matter. A dict names levels:
        ``{4: 2}`` has "at least 4" weigh 2, and every cut that is not named 1: what to give where 4 and more is a
        like. None: all the same. Not for "gibbs", whose loss is the likelihood of the levels.
    l2_linear, l2_factors : float or dict of str to float, optional
        Charged per row in which a feature occurs; a dict gives values by field. What is not named, and None: 0.005
        and 0.028; for fields beside the ids 0.015 and 0.017.
    l2_count_power : float, default=0.5
        The charge of a feature is multiplied by (its rows / mean rows of its field) ** -power.
    init_scale : float, default=0.01
        Standard deviation of the factors at the start, as in `FMClassifier`.
    batch_size : int, optional
        1 and None: stochastic gradients, in parallel where rows have two one-hot fields. m: mini-batches of m rows.
    shuffle : bool, default=True
        Visit the rows in an order drawn by the seed, not in their own.
    clip_gradient : float, optional
        Gradient entries are clipped to plus or minus this.
    average : bool or float, default=False
        Share of the epochs, from the last one back, over whose ends the parameters are averaged; True: half of them.
        It helps "sgd"; the steps of "adagrad" shrink by themselves. ``partial_fit`` and ``warm_start`` go on from the
        mean. "gibbs" does not look at it.
    n_samples : int, default=64
        Samples that "gibbs" keeps, evenly over the sweeps after burn-in: they take
        4 * n_features * n_samples * (n_factors + 1) bytes, and search has n_samples * n_factors factors
        (``parameters_.mean()`` has n_factors). The more, the better the mean: with n_epochs of them every sweep counts,
        and there are never more than sweeps after burn-in.
    burn_in : int, optional
        Sweeps of "gibbs" before the first that counts, those of its start included. None: 6, and a tenth of
        n_epochs; a tenth where ``warm_start`` goes on.
    row_noise : bool, default=True
        "gibbs": each user and each item has a noise precision of its own, so that those who rate erratically count
        for less. Needs two id fields, or a TrainingSet.
    interactions : {"all", "bipartite"}, default="all"
        "bipartite" ("gibbs"): only pairs of a feature of the item and one of the query count, which is
        faster where users or items have many features. Needs a TrainingSet.
    early_stopping : bool, default=False
        Stop when the validation log loss of the levels has not fallen for ``n_iter_no_change`` epochs, and keep the
        best epoch.
    validation_fraction : float, default=0.1
        Share of the rows held out where no ``X_val`` is given.
    n_iter_no_change : int, default=3
        Epochs that early stopping waits for an improvement.
    warm_start : bool, default=False
        ``fit`` goes on from the parameters, cuts, accumulators and epoch number that there are.
    n_seeds : int, default=1
        Models, of ``random_state`` and the integers after it, whose mean score is the score: they are folded into one
        of ``n_seeds * n_factors`` factors, and time and memory grow with their number. ``history_`` is the first
        one's; ``partial_fit`` and ``warm_start`` need 1. Explanations re-solve the folded model.
    n_jobs : int, optional
        Threads; None: all that the process may use. The result does not depend on it.
    random_state : int, RandomState or None
        Seed of the start values, the order of the rows and the rows held out.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch.

    Attributes
    ----------
    levels_ : ndarray of float64, shape (n_levels,)
        The distinct targets, rising; at most 256.
    cuts_ : ndarray of float64, shape (n_levels - 1,)
        Between each level and the next, on the score; rising.
    parameters_ : FMParameters
    bias_, linear_, factors_, penalties_
        Parts of ``parameters_``; ``bias_`` is 0.
    history_ : dict of str to dict of str to ndarray
        "train", "validation" and the names of ``eval_set`` -> log_loss (of the levels), rmse, mae (of the expected
        target) -> value after each epoch.
    n_features_in_ : int

    References
    ----------
    .. [1] Rennie, J. and Srebro, N. (2005). Loss functions for preference levels: regression with discrete ordered
       labels. IJCAI workshop on advances in preference handling.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    >>> fm = FMOrdinal(n_factors=4, n_epochs=300, l2_linear=0, l2_factors=0, init_scale=0.5, random_state=0)
    >>> fm.fit(X, [5, 1, 1, 3]).predict(X).round()
    array([5., 1., 1., 3.])
    >>> fm.levels_
    array([1., 3., 5.])
    >>> fm.predict_proba(X).argmax(axis=1)
    array([2, 0, 0, 1])
    >>> fm.predict_proba_at_least(X, 3).round()
    array([1., 0., 0., 1.])
    """

    _loss = "ordinal"
    _default_epochs: ClassVar[Mapping[str, int]] = {"adagrad": 40, "gibbs": 300, "sgd": 40}
    l2_bias = 0.0  # the cuts, which have the bias's part, are not penalised
    _tuned = Tuned(learning_rate=0.07, l2_linear=0.005, l2_factors=0.028)
    _tuned_side = Tuned(learning_rate=0.022, l2_linear=0.015, l2_factors=0.017)
    levels_: npt.NDArray[np.float64]

    def __init__(
        self,
        n_factors: int = 16,
        *,
        solver: str = "adagrad",
        n_epochs: int | None = None,
        learning_rate: float | Mapping[str, float] | None = None,
        cut_weights: Any = None,
        l2_linear: float | Mapping[str, float] | None = None,
        l2_factors: float | Mapping[str, float] | None = None,
        l2_count_power: float = 0.5,
        init_scale: float = 0.01,
        batch_size: int | None = None,
        shuffle: bool = True,
        clip_gradient: float | None = None,
        average: bool | float = False,
        n_samples: int = 64,
        burn_in: int | None = None,
        row_noise: bool = True,
        interactions: str = "all",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        warm_start: bool = False,
        n_seeds: int = 1,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.solver = solver
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.cut_weights = cut_weights
        self.l2_linear = l2_linear
        self.l2_factors = l2_factors
        self.l2_count_power = l2_count_power
        self.init_scale = init_scale
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.clip_gradient = clip_gradient
        self.average = average
        self.n_samples = n_samples
        self.burn_in = burn_in
        self.row_noise = row_noise
        self.interactions = interactions
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_seeds = n_seeds
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """The expected target of each row, between the lowest and the highest level.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet

        Returns
        -------
        ndarray of shape (n_rows,), float64
            In the unit of the targets: the sum of ``levels_`` times their probabilities.
        """
        return expected_value(self._proba_above(X), self.levels_)

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probability of each level.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet

        Returns
        -------
        ndarray of shape (n_rows, n_levels), float64
            Columns as in ``levels_``; each row sums to 1.
        """
        above = self._proba_above(X)
        return np.asarray(-np.diff(above, axis=1, prepend=1.0, append=0.0))

    def predict_proba_at_least(self, X: Any, t: float) -> npt.NDArray[np.float64]:
        """Probability of a target of ``t`` or more, of a like where that is what ``t`` stands for.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet
        t : float
            In the unit of the targets; between two levels it is as good as the upper one.

        Returns
        -------
        ndarray of shape (n_rows,), float64
            1 for a ``t`` of the lowest level or less, 0 above the highest.
        """
        above = self._proba_above(X)
        level = int(np.searchsorted(self.levels_, check_real("t", t, low=-np.inf)))
        if level == 0:
            return np.ones(len(above))
        if level == len(self.levels_):
            return np.zeros(len(above))
        return np.ascontiguousarray(above[:, level - 1])

    def _proba_above(self, X: Any) -> npt.NDArray[np.float64]:
        """P(target above the level below the cut), (n_rows, n_levels - 1)."""
        check_is_fitted(self)
        if self.parameters_.posterior is not None:
            return np.asarray(self._of_samples(X).above())
        return np.asarray(expit(self.decision_function(X)[:, None] - self.cuts_))

    @property
    def explained_loss(self) -> OrderedLevels:
        """The loss of a row, which an explanation re-solves."""
        cuts, values = tuple(self.cuts_.tolist()), tuple(self.levels_.tolist())
        if self.parameters_.posterior is not None:
            return OrderedLevels(cuts, link="probit", levels=values)
        return OrderedLevels(cuts, cut_weights=tuple(self._levels().cut_weights.tolist()), levels=values)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags()  # what predict_proba returns: a column for each level
        return tags

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.solver == "gibbs" and self.cut_weights is not None:
            raise DataError("cut_weights are for solver 'adagrad' and 'sgd': the likelihood of 'gibbs' has none")

    def _encode_target(
        self, y: Any, *, classes: Any, reset: bool, negatives: bool, partial: bool
    ) -> npt.NDArray[np.float64]:
        if negatives:
            raise DataError("negatives are for FMClassifier: an unseen item has no level")
        target = np.asarray(y, np.float64)
        check_finite("target", target)
        if reset:
            known = target if classes is None else np.asarray(classes, np.float64)
            self.levels_ = find_levels(known)
        return encode_levels(target, self.levels_)

    def _start(self, target: npt.NDArray[np.float64], weight: Any, extra_weight: float) -> tuple[float, float, float]:
        return 0.0, 0.0, 1.0

    def _n_levels(self) -> int:
        return len(self.levels_)

    def _predictive(self, n_rows: int, target_range: tuple[float, float]) -> LevelsPredictive:
        return LevelsPredictive(n_rows, self.levels_)

    def _levels(self) -> Levels:
        return Levels(self.levels_, level_weights(self.cut_weights, self.levels_))
