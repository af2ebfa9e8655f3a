"""Lists of items: the ranker."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._threads import resolve_n_jobs
from ..errors import DataError
from ._base import BaseFM
from ._checks import check_integer, check_l2, check_real
from ._implicit_als import train_implicit_als
from ._learner import Ranges
from ._problem import Problem
from ._progress import OnEpoch
from ._ranking import positives, train_to_rank
from ._tuned import Tuned
from .training_set import TrainingSet

__all__ = ["FMRanker"]

_LOSSES = ("softmax", "bpr", "warp")
_SOLVERS = ("adagrad", "ials")
_BATCH_ROWS = 256
_NEGATIVES = 20


class FMRanker(BaseFM):
    """Ranker: a factorization machine that puts what a user met above what the user has not seen.

    The score is that of `FMClassifier`, ``y(x) = b + w'x + 1/2 (|V'x|**2 - sum_f x_f**2 |V_f|**2)``; only its order
    over the items of one query has a meaning, so b is 0 and the features of queries have no linear weights.

    Parameters
    ----------
    n_factors : int, default=64
        Factors of each feature (k).
    loss : {"softmax", "bpr", "warp"}, default="softmax"
        What a row and its negatives are charged. "softmax": minus the log of the item's share in the sum of
        ``exp(score)`` over it and the negatives [1]_. "bpr": mean over the negatives of
        ``log(1 + exp(score of the negative - score of the item))`` [2]_. "warp": of the first negative whose score
        comes within 1 of the item's, by how much it does, times ``log(1 + rank)`` with the rank that finding it after
        so many tries lets expect [3]_.
    solver : {"adagrad", "ials"}, default="adagrad"
        "ials" is implicit alternating least squares, with a loss of its own over all pairs of a user and an item (see
        Notes).
    n_epochs : int, optional
        Passes over the rows. None: 20, and 10 for "ials".
    learning_rate : float or dict of str to float, optional
        One rate, or rates by name: ``"linear"``, ``"factors"``, and fields. What is not named, and None: 0.15
        ("softmax"), 0.2 ("bpr") or 0.05 ("warp"); a tenth of that for fields beside the ids.
    l2_linear, l2_factors : float or dict of str to float, optional
        Charged for each row, and for each of its negatives, in which a feature occurs (the query's once a row), times
        the row's weight. What is not named, and None: 0.01 and 0.04 ("softmax"), 0.005 and 0.005 ("bpr"), 0.6 and 0.6
        ("warp"), 0 and 0.0115 ("ials").
    l2_count_power : float, default=0
        The charge of a feature is multiplied by (its rows and negatives / their mean in its field) ** -power.
    init_scale : float, default=0.02
        Standard deviation of the factors of user and item ids at the start. Other fields start at zero.
    n_negatives : int, optional
        Negatives of each row and epoch, the tries of "warp". None: 20.
    negative_sampling : {"uniform", "popularity"}, default="uniform"
        How negatives are drawn from the items that the user has not seen: all alike, or in proportion to 1 + the users
        who have seen them. "softmax" corrects scores for it, by minus its log [1]_.
    unobserved_weight : float, optional
        "ials": the weight at which every pair of a user and an item is to score 0 (alpha_0). None: all pairs together
        weigh 12 times what the rows do.
    batch_size : int, optional
        Rows after which everything takes a step. None: 256.
    shuffle : bool, default=True
        Visit the rows in an order drawn by the seed and the epoch, not in their own.
    early_stopping : bool, default=False
        Stop when the NDCG of lists of ten, over the validation rows, has not risen for ``n_iter_no_change`` epochs, and
        keep the best epoch.
    validation_fraction : float, default=0.1
        Share of the rows held out where no ``X_val`` is given.
    n_iter_no_change : int, default=3
        Epochs that early stopping waits for an improvement.
    warm_start : bool, default=False
        ``fit`` goes on from the parameters, accumulators and epoch number that there are.
    n_jobs : int, optional
        Threads; None: all that the process may use. The result does not depend on it.
    random_state : int, RandomState or None
        Seed of the start values, the order of the rows, the rows held out and the negatives.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch.

    Attributes
    ----------
    parameters_ : FMParameters
    bias_, linear_, factors_, penalties_
        Parts of ``parameters_``.
    history_ : dict of str to dict of str to ndarray
        "train" -> loss, each row before its own batch's step ("ials": objective); "validation" and the names of
        ``eval_set`` -> ndcg_at_10, with grades as gains; value after each epoch.
    unobserved_weight_ : float
        The weight that "ials" used.
    n_features_in_ : int

    Notes
    -----
    ``fit`` takes a `TrainingSet`. A target above 0 is the grade of the row, which multiplies its weight: 1 for a like,
    0.3 for a film that was watched and rated low. A row of target 0 is not trained on. ``negatives.seen`` says what is
    never drawn as a negative; ``negatives.n_per_positive`` is not read.

    ``solver="ials"`` draws no negatives. With the score ``s(q, i) = <V'x_q, V'x_i>`` of queries and items
    (``interactions="bipartite"``, no linear weights) it minimises

        ``1/2 sum_r grade_r weight_r (1 - s_r)**2 + 1/2 unobserved_weight sum_qi s(q, i)**2
        + 1/2 sum_f lambda_f |V_f|**2``

    over the rows r and all pairs of a query and an item that have rows, observed pairs included: implicit ALS [4]_ in
    the form of [5]_. ``lambda_f``, in ``penalties_``, is ``l2_factors`` times the weight of all pairs with feature f,
    of both sums. An epoch solves for the factors of all queries, then for those of all items: exactly where ids are
    the only features, in blocks of 64 where there are more than 128 factors [6]_, and by conjugate gradients over all
    features of a side where entities share some. A query is a user, or a user in one of the contexts of its rows,
    which share the user's part in the sum over all pairs by their rows. ``loss``, ``learning_rate``, ``l2_linear``,
    ``n_negatives``, ``negative_sampling`` and ``batch_size`` mean nothing then and must be left alone, and there
    is no ``partial_fit``. The defaults of ``l2_factors``, 0.0115, and ``unobserved_weight`` were chosen together, on
    ratings held out of ua.base.

    The defaults of "adagrad" were chosen by NDCG@10 on ten ratings a user held out of MovieLens 100K's ua.base, with
    ratings below 4 at grade 0.3, which beats leaving them out. ``python benchmarks/ranking_losses.py`` compares the
    losses there with `FMClassifier`: on sampled negatives, with low ratings as positives of weight 0.3 and 40 epochs,
    that ranks as well as "softmax" or slightly better; trained on likes and dislikes alone it ranks worse than
    popularity.

    References
    ----------
    .. [1] Jean, S., Cho, K., Memisevic, R. and Bengio, Y. (2015). On using very large target vocabulary for neural
       machine translation. ACL.
    .. [2] Rendle, S., Freudenthaler, C., Gantner, Z. and Schmidt-Thieme, L. (2009). BPR: Bayesian personalized
       ranking from implicit feedback. UAI.
    .. [3] Weston, J., Bengio, S. and Usunier, N. (2011). WSABIE: scaling up to large vocabulary image annotation.
       IJCAI.
    .. [4] Hu, Y., Koren, Y. and Volinsky, C. (2008). Collaborative filtering for implicit feedback datasets. ICDM.
    .. [5] Rendle, S., Krichene, W., Zhang, L. and Koren, Y. (2022). Revisiting the performance of iALS on item
       recommendation benchmarks. RecSys.
    .. [6] Rendle, S., Krichene, W., Zhang, L. and Koren, Y. (2021). iALS++: speeding up matrix factorization with
       subspace optimization.

    Examples
    --------
    Two groups of users, who like items of their own:

    >>> import numpy as np, scipy.sparse as sp
    >>> from factorec.fm import NegativeSampling, TrainingSet
    >>> user, item = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 2, 3, 2])
    >>> seen = sp.csr_array((np.ones(7), (user, item)), (4, 4))
    >>> data = TrainingSet.from_ids(
    ...     user, item, np.ones(7), n_users=4, n_items=4, negatives=NegativeSampling(1, seen)
    ... )
    >>> fm = FMRanker(n_factors=4, n_epochs=100, init_scale=0.5, random_state=0).fit(data)
    >>> unseen = TrainingSet.from_ids([3, 3, 3], [0, 1, 3], np.zeros(3), n_users=4, n_items=4)
    >>> int(fm.predict(unseen).argmax())
    2
    """

    _loss = "ranking"
    _default_epochs: ClassVar[Mapping[str, int]] = {"adagrad": 20, "ials": 10}
    _tuned_by_loss: ClassVar = {
        "softmax": Tuned(learning_rate=0.15, l2_linear=0.01, l2_factors=0.04),
        "bpr": Tuned(learning_rate=0.2, l2_linear=0.005, l2_factors=0.005),
        "warp": Tuned(learning_rate=0.05, l2_linear=0.6, l2_factors=0.6),
    }
    _side_rate = 0.1  # of the ids' learning rate, for fields beside the ids
    _tuned_implicit_als = Tuned(learning_rate=0.0, l2_linear=0.0, l2_factors=0.0115)

    unobserved_weight_: float

    def __init__(
        self,
        n_factors: int = 64,
        *,
        loss: str = "softmax",
        solver: str = "adagrad",
        n_epochs: int | None = None,
        learning_rate: float | Mapping[str, float] | None = None,
        l2_linear: float | Mapping[str, float] | None = None,
        l2_factors: float | Mapping[str, float] | None = None,
        l2_count_power: float = 0.0,
        init_scale: float = 0.02,
        n_negatives: int | None = None,
        negative_sampling: str = "uniform",
        unobserved_weight: float | None = None,
        batch_size: int | None = None,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.loss = loss
        self.solver = solver
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.l2_linear = l2_linear
        self.l2_factors = l2_factors
        self.l2_count_power = l2_count_power
        self.init_scale = init_scale
        self.n_negatives = n_negatives
        self.negative_sampling = negative_sampling
        self.unobserved_weight = unobserved_weight
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Raw scores: `decision_function`. They order the items of one query; across queries they mean nothing.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet

        Returns
        -------
        ndarray of float64, shape (n_rows,)
        """
        return self.decision_function(X)

    def _check_settings(self) -> None:
        if self.loss not in _LOSSES:
            raise DataError(f"loss must be one of {', '.join(map(repr, _LOSSES))}, got {self.loss!r}")
        if self.solver not in _SOLVERS:
            raise DataError(f"solver must be {' or '.join(map(repr, _SOLVERS))}, got {self.solver!r}")
        if self.negative_sampling not in ("uniform", "popularity"):
            raise DataError(f"negative_sampling must be 'uniform' or 'popularity', got {self.negative_sampling!r}")
        for name in ("n_factors", "n_iter_no_change"):
            check_integer(name, getattr(self, name), low=1)
        for name in ("n_epochs", "n_negatives", "batch_size"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=1)
        if self.unobserved_weight is not None:
            check_real("unobserved_weight", self.unobserved_weight, low=0)
        for name in ("init_scale", "l2_count_power"):
            check_real(name, getattr(self, name), low=0)
        check_real("validation_fraction", self.validation_fraction, low=0, above=True)
        check_l2(self)
        if not isinstance(self.verbose, numbers.Integral | np.bool_):
            raise DataError(f"verbose must be an integer or a bool, got {self.verbose!r}")

    def _problem(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        field_ranges: Ranges | None,
        *,
        reset: bool,
        classes: Any = None,
        partial: bool = False,
        class_weights: bool = True,
    ) -> Problem:
        if not isinstance(X, TrainingSet):
            raise DataError(
                f"FMRanker takes a TrainingSet, not {type(X).__name__}: which columns are an item's and what a user "
                "has seen do not show in a flat matrix. TrainingSet.from_ids makes one of ids, Recommender of a table"
            )
        rows, weight = self._rows_of(X, y, sample_weight, field_ranges, reset=reset)
        negative = np.flatnonzero(X.target < 0)
        if len(negative):
            raise DataError(
                f"target[{negative[0]}] is {X.target[negative[0]]}: a ranker's targets are grades, 0 for rows that "
                "are seen only"
            )
        rows.n_threads = resolve_n_jobs(self.n_jobs)
        return Problem(X, rows, X.target, weight).without_zero_weights()

    def _train(
        self,
        problem: Problem,
        evaluation: dict[str, Problem],
        n_epochs: int,
        stop_after: int | None,
        seed: int,
        *,
        going_on: bool,
        add_penalties: bool,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        if self.solver == "ials":
            train_implicit_als(
                self, problem, evaluation, n_epochs, stop_after, seed, going_on=going_on, on_epoch=on_epoch
            )
            return
        if self.unobserved_weight is not None:
            raise DataError("unobserved_weight is of solver 'ials': 'adagrad' samples negatives instead")
        data = problem.training_set
        if data is None or data.negatives is None:
            raise DataError(
                "FMRanker needs negatives=NegativeSampling(1, seen) in its TrainingSet: seen says which items are "
                "never drawn as negatives of a user"
            )
        train_to_rank(
            self,
            positives(problem),
            evaluation,
            n_epochs,
            stop_after,
            seed,
            going_on=going_on,
            add_penalties=add_penalties,
            on_epoch=on_epoch,
        )

    def _batch_rows(self) -> int:
        return _BATCH_ROWS if self.batch_size is None else int(self.batch_size)

    def _negatives_per_row(self) -> int:
        return _NEGATIVES if self.n_negatives is None else int(self.n_negatives)

    def _tuned_by_side(self, *, negatives: bool = True, rescale: float | None = None) -> tuple[Tuned, Tuned]:
        """Defaults of the two id fields, and of every other field."""
        if self.solver == "ials":
            return self._tuned_implicit_als, self._tuned_implicit_als
        ids = self._tuned_by_loss[self.loss]
        return ids, ids._replace(learning_rate=self._side_rate * ids.learning_rate)
