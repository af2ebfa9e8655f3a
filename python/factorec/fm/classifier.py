"""Likes and dislikes: the binary classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._losses import Loss
from ..errors import DataError
from ._base import BaseFM
from ._checks import row_weights
from ._predictive import LikesPredictive
from ._tuned import Tuned

__all__ = ["FMClassifier"]


def _distinct(y: Any) -> npt.NDArray[Any] | None:
    """The one or two values of a vector of numbers, rising; None for anything else: sorting it all takes an epoch."""
    if not isinstance(y, np.ndarray) or y.ndim != 1 or y.dtype.kind not in "biuf" or not len(y):
        return None
    low, high = y.min(), y.max()
    if not ((y == low) | (y == high)).all():
        return None
    return np.unique(np.array([low, high]))


class FMClassifier(ClassifierMixin, BaseFM):  # type: ignore[misc]
    """Binary classifier: a factorization machine under log loss.

    ``P(y = classes_[1] | x) = 1 / (1 + exp(-y(x)))`` with the factorization machine's score
    ``y(x) = b + w'x + 1/2 (|V'x|**2 - sum_f x_f**2 |V_f|**2)`` (Rendle 2010). L2 is charged per row in which a
    feature occurs.

    Parameters
    ----------
    n_factors : int, default=16
        Factors of each feature (k). With "gibbs", 7, 15 and 31 are the sizes that cost least for what they hold.
    solver : {"adagrad", "sgd", "adam", "gibbs"}, default="adagrad"
        "adagrad" keeps one accumulator per feature for its factors and one for its linear weight. "adam" is lazy
        Adam over mini-batches (see Notes). "gibbs" samples a probit model (see Notes of `FMRegressor`).
    n_epochs : int, optional
        Passes over the rows, for "gibbs" sweeps over all features. None: 20, and 300 for "gibbs", burn-in included.
    learning_rate : float or dict of str to float, optional
        One rate, or rates by name: ``"bias"``, ``"linear"``, ``"factors"``, and fields, whose linear weights and
        factors both take theirs. What is not named, and None: 0.081; for fields beside the ids 0.016, or
        0.015 where negatives are sampled (see Notes). "adam": 0.0025, or 0.0042 where negatives are
        sampled.
    l2_bias : float, default=0
        L2 of the bias.
    l2_linear, l2_factors : float or dict of str to float, optional
        Charged per row in which a feature occurs; a dict gives values by field. What is not named, and None: 0.003
        and 0.048, or 0.00062 and 0.013 where negatives are sampled, which multiply the rows of every feature; for
        fields beside the ids 0.0022 and 0.11, or 0.0018 and 0.024 (see Notes). "adam": decay, see Notes.
    l2_count_power : float, optional
        The charge of a feature is multiplied by (its rows / mean rows of its field) ** -power. None: 0.
    init_scale : float, default=0.02
        Standard deviation of the factors at the start: those of the two fields that span the training grid (user and
        item ids), or of all features where rows have no two one-hot fields. Other fields start at zero. "gibbs"
        starts at 0.1.
    batch_size : int, optional
        1: stochastic gradients, in parallel where rows have two one-hot fields. m: mini-batches of m rows, each with
        its negatives. None: 1, and 200 for "adam".
    shuffle : bool, default=True
        Visit the rows in an order drawn by the seed, not in their own.
    clip_gradient : float, optional
        Gradient entries are clipped to plus or minus this.
    class_weight : dict, "balanced" or None
        Multiplies the row weights.
    average : bool or float, default=False
        Share of the epochs, from the last one back, over whose ends the parameters are averaged; True: half of them.
        It helps "sgd"; the steps of "adagrad" and "adam" shrink or are smooth by themselves. ``partial_fit`` and
        ``warm_start`` go on from the mean. "gibbs" does not look at it.
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
        Stop when the validation log loss has not fallen for ``n_iter_no_change`` epochs, and keep the best epoch.
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
    classes_ : ndarray, shape (2,)
    parameters_ : FMParameters
    bias_, linear_, factors_, penalties_
        Parts of ``parameters_``.
    history_ : dict of str to dict of str to ndarray
        "train", "validation" and the names of ``eval_set`` -> log_loss, accuracy, f1 (and auc, but for "train") ->
        value after each epoch. "train" is measured during the epoch, each row before its own update.
    n_features_in_ : int

    Notes
    -----
    The defaults were chosen by ``python benchmarks/tune.py``: the best validation loss inside MovieLens 100K's
    ua.base among settings whose explanations agree with the model. Fields beside the ids (the two that span the
    training grid) have a lower rate: many rows share their features, and what these learn too fast costs users with
    few rows.

    ``solver="adam"`` is Adam [1]_, lazy: after each batch of B rows the bias and every feature that occurs in the batch
    take one step. The gradient is the sum over the rows (times their weights; divided by B and the mean weight) plus
    L2 times the parameter, clipped after that; the moments decay by 0.9 and 0.999, epsilon is 1e-8. L2 is thus charged
    per step, not per row: ``penalties_`` of a feature is L2 * B * the batches of an epoch that have it. None: 0.0074
    and 0.069, each divided by B, or 0.0018 and 0.051 where negatives are sampled. Row weight 2 is the row twice in its
    batch. Tables of few batches take few steps: they need more epochs, a higher rate or a smaller ``batch_size``.

    Fitted to a TrainingSet with negatives, ``predict_proba`` is the probability of a like against items drawn at
    random: it is not calibrated for items that were rated.

    References
    ----------
    .. [1] Kingma, D. P. and Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    >>> y = np.array([1, 0, 0, 1])
    >>> fm = FMClassifier(n_factors=4, n_epochs=200, l2_linear=0, l2_factors=0, init_scale=0.5, random_state=0)
    >>> fm.fit(X, y).predict(X)
    array([1, 0, 0, 1])
    >>> fm.set_params(solver="adam", learning_rate=0.05, batch_size=2).fit(X, y).predict(X)
    array([1, 0, 0, 1])
    """

    _loss = "logistic"
    _default_epochs: ClassVar[Mapping[str, int]] = {"adagrad": 20, "adam": 20, "gibbs": 300, "sgd": 20}
    _tuned = Tuned(learning_rate=0.081, l2_linear=0.003, l2_factors=0.048)
    _tuned_side = Tuned(learning_rate=0.016, l2_linear=0.0022, l2_factors=0.11)
    _tuned_negatives = Tuned(learning_rate=0.081, l2_linear=0.00062, l2_factors=0.013)
    _tuned_side_negatives = Tuned(learning_rate=0.015, l2_linear=0.0018, l2_factors=0.024)
    _tuned_adam = Tuned(learning_rate=0.0025, l2_linear=0.0074, l2_factors=0.069)
    _tuned_adam_negatives = Tuned(learning_rate=0.0042, l2_linear=0.0018, l2_factors=0.051)
    classes_: npt.NDArray[Any]

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
        init_scale: float = 0.02,
        batch_size: int | None = None,
        shuffle: bool = True,
        clip_gradient: float | None = None,
        class_weight: Any = None,
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
        self.class_weight = class_weight
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

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probabilities of the two classes: the logistic function of `decision_function`.

        After ``solver="gibbs"``: the normal distribution function of
        ``mean / sqrt(1 + var)``, mean and variance of the samples' scores (row noise in place of the 1).

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, 2), float64
            Columns as in ``classes_``.
        """
        sampled = getattr(self, "parameters_", None) is not None and self.parameters_.posterior is not None
        positive = self._of_samples(X).probability() if sampled else expit(self.decision_function(X))
        return np.asarray(np.column_stack([1.0 - positive, positive]))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likelier class of each row.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,), dtype of ``classes_``
            At probability 1/2 the second class.
        """
        likelier = (self.decision_function(X) >= 0).astype(int)
        return np.asarray(self.classes_[likelier])

    @property
    def explained_loss(self) -> Loss:
        """The loss that ``influence`` explains: "logistic", or "probit" after ``solver="gibbs"``."""
        return "logistic" if self.parameters_.posterior is None else "probit"

    def _n_levels(self) -> int:
        return 2

    def _predictive(self, n_rows: int, target_range: tuple[float, float]) -> LikesPredictive:
        return LikesPredictive(n_rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _encode_target(
        self, y: Any, *, classes: Any, reset: bool, negatives: bool, partial: bool
    ) -> npt.NDArray[np.float64]:
        present = _distinct(y)
        check_classification_targets(y if present is None else present)
        if present is None:
            present = np.unique(y)
        known = np.unique(classes) if classes is not None else present if reset else self.classes_
        if not reset and not np.array_equal(known, self.classes_):
            raise DataError(f"classes are {known.tolist()}, the model was fitted with {self.classes_.tolist()}")
        if not np.isin(present, known).all():
            other = present[~np.isin(present, known)].tolist()[0]
            raise DataError(f"the target holds {other!r}, which is none of the classes {known.tolist()}")
        if len(known) > 2:
            kind = type_of_target(y, input_name="y", raise_unknown=True)
            raise DataError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(known) < 2 or (reset and len(present) < 2 and not (negatives or partial)):
            only = present.tolist()[0]
            raise DataError(f"y holds one class only ({only!r}); a classifier needs two classes, or sampled negatives")
        target: npt.NDArray[np.float64]
        if isinstance(y, np.ndarray) and y.dtype == np.float64 and known.tolist() == [0, 1]:
            target = y  # it is encoded already
        else:
            target = (np.asarray(y) == known[1]).astype(np.float64)
        if reset:
            self.classes_ = known
        return target

    def _start(self, target: npt.NDArray[np.float64], weight: Any, extra_weight: float) -> tuple[float, float, float]:
        if weight is None:
            positive, total = float(target.sum()), len(target) + extra_weight
        else:
            row_weight = weight.astype(np.float64)
            positive, total = float(row_weight @ target), float(row_weight.sum()) + extra_weight
        # Half a row on either side keeps the log-odds finite.
        return float(np.log((positive + 0.5) / (total - positive + 0.5))), 0.0, 1.0

    def _row_weights(self, weight: Any, target: npt.NDArray[np.float64]) -> Any:
        if self.class_weight is None:
            return weight
        try:
            by_class = compute_sample_weight(self.class_weight, self.classes_[target.astype(int)])
        except ValueError as error:
            raise DataError(f"class_weight: {error}") from None
        combined = by_class if weight is None else by_class * weight
        return row_weights(combined, len(target), "class_weight times sample_weight")
