"""Ratings: the regressor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin

from .._losses import Loss
from ..errors import DataError
from ._base import BaseFM
from ._predictive import RatingsPredictive
from ._tuned import Tuned

__all__ = ["FMRegressor"]


class FMRegressor(RegressorMixin, BaseFM):  # type: ignore[misc]
    """Regressor: a factorization machine under squared loss.

    Targets are centred and divided by their standard deviation for training, and the parameters folded back, so
    the same settings fit targets of any size. ``predict`` keeps to the range of the training targets;
    ``decision_function``, which ranking uses, does not.

    Parameters
    ----------
    n_factors : int, default=16
        Factors of each feature (k). With "als" and "gibbs", 7, 15 and 31 are the sizes that cost least for what they
        hold.
    solver : {"adagrad", "sgd", "adam", "als", "gibbs"}, default="adagrad"
        "adagrad" keeps one accumulator per feature for its factors and one for its linear weight. "adam" is lazy
        Adam over mini-batches (see `FMClassifier`). "gibbs" samples (see Notes): the best predictions. "als" minimises
        the same objective as "adagrad", feature by feature: no learning rate, and a few sweeps suffice.
    n_epochs : int, optional
        Passes over the rows, for "als" and "gibbs" sweeps over all features. None: 50, 20 for "als", 300 for "gibbs",
        burn-in included.
    learning_rate : float or dict of str to float, optional
        For the scaled target: one rate, or rates by name: ``"bias"``, ``"linear"``, ``"factors"``, and fields, whose
        linear weights and factors both take theirs. What is not named, and None: 0.032; 0.0093 for fields beside the
        ids (as in `FMClassifier`). "adam": 0.00078.
    l2_bias : float, default=0
        L2 of the bias.
    l2_linear, l2_factors : float or dict of str to float, optional
        Charged per row in which a feature occurs, in units of the scaled target; a dict gives values by field. What
        is not named, and None: 0.049 and 0.083; for fields beside the ids 0.036 and 0.056. "adam": decay per step
        (see `FMClassifier`); None: 0.0028 and 0.12, each divided by the rows of a batch. "als": 0.05 and 0.17 for all
        fields.
    l2_count_power : float, optional
        The charge of a feature is multiplied by (its rows / mean rows of its field) ** -power. None: 0, and 0.5 for
        "als".
    init_scale : float, default=0.01
        Standard deviation of the factors at the start: those of the two fields that span the training grid (user and
        item ids), or of all features where rows have no two one-hot fields. Other fields start at zero. "als" and
        "gibbs" start at 0.1.
    batch_size : int, optional
        1: stochastic gradients, in parallel where rows have two one-hot fields. m: mini-batches of m rows, each with
        its negatives. None: 1, and 200 for "adam".
    shuffle : bool, default=True
        Visit the rows in an order drawn by the seed, not in their own.
    clip_gradient : float, optional
        Gradient entries are clipped to plus or minus this.
    average : bool or float, default=False
        Share of the epochs, from the last one back, over whose ends the parameters are averaged; True: half of them.
        It helps "sgd"; the steps of "adagrad" and "adam" shrink or are smooth by themselves. ``partial_fit`` and
        ``warm_start`` go on from the mean. "als" and "gibbs" do not look at it.
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
        "bipartite" ("gibbs" and "als"): only pairs of a feature of the item and one of the query count, which is
        faster where users or items have many features. Needs a TrainingSet.
    early_stopping : bool, default=False
        Stop when the validation RMSE has not fallen for ``n_iter_no_change`` epochs, and keep the best epoch.
    validation_fraction : float, default=0.1
        Share of the rows held out where no ``X_val`` is given.
    n_iter_no_change : int, default=3
        Epochs that early stopping waits for an improvement.
    warm_start : bool, default=False
        ``fit`` goes on from the parameters, accumulators and epoch number that there are.
    n_seeds : int, default=1
        Models, of ``random_state`` and the integers after it, whose mean score is the score: they are folded into one
        of ``n_seeds * n_factors`` factors, and time and memory grow with their number. ``history_`` is the first
        one's; ``partial_fit`` and ``warm_start`` need 1. Explanations re-solve the folded model.
    n_jobs : int, optional
        Threads; None: all that the process may use. The result does not depend on it.
    random_state : int, RandomState or None
        Seed of the start values, the order of the rows, the rows held out and the sampled negatives.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch.

    Attributes
    ----------
    parameters_ : FMParameters
    bias_, linear_, factors_, penalties_
        Parts of ``parameters_``, in the target's own units.
    target_range_ : (float, float)
        Smallest and largest training target.
    history_ : dict of str to dict of str to ndarray
        "train", "validation" and the names of ``eval_set`` -> rmse, mae -> value after each epoch.
    n_features_in_ : int

    Notes
    -----
    ``solver="gibbs"`` draws every feature's weight and factors from their posterior given all others, sweep after
    sweep [1]_. The priors are normal, with a mean and a precision for each field and factor that are drawn too, so that
    there is no L2 to choose: learning rate, L2, batches and clipping are not looked at. The samples stand side by side
    in ``parameters_``, n_samples * n_factors factors, whose score is the mean of theirs; ``parameters_.posterior`` has
    what else they hold. "train" in ``history_`` is that of each sample on at most 10,000 of the rows, the others are
    those of the running mean. Held-out RMSE of MovieLens 100K's ids (15 % of the training rows of u1, u2 and u4, mean):
    0.8975 with every sweep, 0.8986 with 64 samples, 0.8991 with the mean of the parameters.

    A flat X is cut into blocks of distinct rows; columns beside two one-hot fields, and fields that their ids do not
    determine, take 4 * (n_factors + 1) ** 2 bytes for every distinct row.

    References
    ----------
    .. [1] Freudenthaler, C., Schmidt-Thieme, L. and Rendle, S. (2011). Bayesian factorization machines. NIPS workshop
       on sparse representation and low-rank approximation.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    >>> fm = FMRegressor(n_factors=4, n_epochs=300, l2_linear=0, l2_factors=0, init_scale=0.5, random_state=0)
    >>> fm.fit(X, [5.0, 1.0, 1.0, 5.0]).predict(X).round(1)
    array([5., 1., 1., 5.])
    >>> mean, std = fm.set_params(solver="gibbs", n_epochs=100).fit(X, [5.0, 1.0, 1.0, 5.0]).predict(X, return_std=True)
    >>> bool((mean[[0, 3]] > mean[[1, 2]].max()).all() and (std > 0).all())
    True
    """

    _loss = "squared"
    _default_epochs: ClassVar[Mapping[str, int]] = {"adagrad": 50, "adam": 50, "als": 20, "gibbs": 300, "sgd": 50}
    _tuned = Tuned(learning_rate=0.032, l2_linear=0.049, l2_factors=0.083)
    _tuned_side = Tuned(learning_rate=0.0093, l2_linear=0.036, l2_factors=0.056)
    _tuned_als = Tuned(learning_rate=0.0, l2_linear=0.05, l2_factors=0.17)
    _tuned_adam = Tuned(learning_rate=0.00078, l2_linear=0.0028, l2_factors=0.12)
    target_range_: tuple[float, float]

    def __init__(
        self,
        n_factors: int = 16,
        *,
        solver: str = "adagrad",
        n_epochs: int | None = None,
        learning_rate: float | Mapping[str, float] | None = None,
        l2_bias: float = 0.0,
        l2_linear: float | Mapping[str, float] | None = None,
        l2_factors: float | Mapping[str, float] | None = None,
        l2_count_power: float | None = None,
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
        self.l2_bias = l2_bias
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

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predicted targets: `decision_function`, moved into the range of the training targets.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet
        return_std : bool, default=False
            Return the predictive standard deviation too (``solver="gibbs"``).

        Returns
        -------
        ndarray of shape (n_rows,), float64
            In the unit of the targets.
        std : ndarray of shape (n_rows,), float64
            With ``return_std``: of the target, what its noise and what the spread of the samples add together; not
            moved into any range.

        Raises
        ------
        DataError
            If ``return_std`` and the model was not fitted with ``solver="gibbs"``.
        """
        predicted = np.clip(self.decision_function(X), *self.target_range_)
        if not return_std:
            return predicted
        if self.parameters_.posterior is None:
            raise DataError('return_std needs solver="gibbs": a point estimate has no standard deviation')
        return predicted, self._of_samples(X).std()

    @property
    def explained_loss(self) -> Loss:
        """The loss that ``influence`` explains: "squared"."""
        return "squared"

    def _n_levels(self) -> int:
        return 0

    def _predictive(self, n_rows: int, target_range: tuple[float, float]) -> RatingsPredictive:
        return RatingsPredictive(n_rows, target_range)

    def _encode_target(
        self, y: Any, *, classes: Any, reset: bool, negatives: bool, partial: bool
    ) -> npt.NDArray[np.float64]:
        if negatives:
            raise DataError("negatives are for FMClassifier: an unseen item has no rating to regress on")
        return np.asarray(y, np.float64)

    def _start(self, target: npt.NDArray[np.float64], weight: Any, extra_weight: float) -> tuple[float, float, float]:
        low, high = float(target.min()), float(target.max())
        if low == high:  # not by its deviation, which rounding may leave above 0
            return 0.0, low, 1.0
        # Halves: their difference cannot overflow. Parameters are float32, so their scale has bounds.
        if not 1e-30 < high / 2 - low / 2 < 1e30:
            raise DataError(f"targets span {low:g} to {high:g}: rescale them, parameters are float32")
        mean = float(np.average(target, weights=weight))
        squares = target - mean
        squares *= squares
        return 0.0, mean, float(np.sqrt(np.average(squares, weights=weight)))

    def _target_range(self, target: npt.NDArray[np.float64], going_on: bool) -> tuple[float, float]:
        low, high = float(target.min()), float(target.max())
        if going_on:
            low, high = min(low, self.target_range_[0]), max(high, self.target_range_[1])
        return low, high

    def _set_range(self, low: float, high: float) -> None:
        self.target_range_ = (low, high)
