"""What all factorization machine estimators share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from .._threads import resolve_n_jobs
from ..errors import DataError
from ._by_steps import by_steps
from ._ensemble import check_members
from ._learner import Learner, Ranges
from ._predictive import add_samples
from ._progress import OnEpoch
from ._rows import RowArrays, as_csr
from ._weights import grown
from .parameters import row_scores, sample_scores
from .penalties import Penalties
from .training_set import TrainingSet

__all__ = ["BaseFM"]


class BaseFM(Learner):
    """What all factorization machines share: fitting, parameters, raw scores.

    Not made by itself: `FMClassifier`, `FMRegressor`, `FMOrdinal` and `FMRanker` are.

    Attributes
    ----------
    parameters_ : FMParameters
    history_ : dict of str to dict of str to ndarray of float64
        Rows ("train", "validation" or a name of ``eval_set``) -> metric -> value after each epoch.
    solver_state_ : SolverState
        What ``partial_fit`` and ``warm_start`` go on from, beside the parameters.
    n_features_in_ : int

    Examples
    --------
    >>> from factorec.fm import FMClassifier, FMRegressor
    >>> issubclass(FMClassifier, BaseFM), issubclass(FMRegressor, BaseFM)
    (True, True)
    """

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        field_ranges: Ranges | None = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        eval_set: Mapping[str, Any] | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Any:
        """Train on rows and targets.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet
            float32 CSR with int32 or int64 indices is read in place. A dense matrix or one without two one-hot
            fields is trained row by row, on one thread.
        y : array-like, shape (n_rows,)
            Targets; None with a TrainingSet, which has its own.
        sample_weight : array-like, shape (n_rows,), optional
            Weight 2 is the row twice in the objective, weight 0 the row left out.
        field_ranges : mapping of str to (int, int), optional
            Field name -> (start, stop) of its columns: which fields may span the training grid, and whose L2 may
            be set by name. None: one-hot fields are found by a scan.
        X_val, y_val, sample_weight_val : optional
            Validation rows, recorded in ``history_["validation"]`` and watched by early stopping. Class weights
            apply to them as to the training rows.
        eval_set : mapping of str to (X, y) or TrainingSet, optional
            Rows whose metrics are recorded after every epoch and used for nothing.
        on_epoch : callable, optional
            Called after each epoch as ``on_epoch(epoch, metrics)``: the number of the epoch, from 0 at the first one
            of the model, and rows ("train", "validation" or a name of ``eval_set``) -> metric -> value. What it
            raises ends training; `StopTraining` ends it with what was learned so far.

        Returns
        -------
        self

        Raises
        ------
        DataError, ValueError
            For input that cannot be used.
        DivergenceError
            If loss or parameters are no longer finite. After any error, an interrupt included, the estimator is
            what it was before.
        """
        with self._all_or_nothing():
            self._fit(X, y, sample_weight, field_ranges, (X_val, y_val, sample_weight_val), eval_set or {}, on_epoch)
        return self

    @by_steps
    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        field_ranges: Ranges | None = None,
        classes: Any = None,
    ) -> Any:
        """One pass over the given rows, from the parameters and accumulators that there are.

        Features that occur for the first time start from random factors, as in ``fit``. Those that no row has keep
        their weights and factors to the bit.

        Parameters
        ----------
        X, y, sample_weight, field_ranges
            As in ``fit``.
        classes : array-like, optional
            The two classes, where the first rows may hold only one (classifiers), or all levels (`FMOrdinal`).

        Returns
        -------
        self

        Raises
        ------
        DataError, ValueError
            For input that cannot be used. With solver "gibbs", "als" or "ials" there is no such method: asking for it
            is a `DataError` that is an AttributeError too.
        DivergenceError
            If loss or parameters are no longer finite; the estimator is then what it was before.
        """
        with self._all_or_nothing():
            going_on = hasattr(self, "parameters_")
            self._check_settings()
            check_members(self, going_on=True)
            problem = self._problem(
                X, y, sample_weight, field_ranges, reset=not going_on, classes=classes, partial=classes is not None
            )
            self._train(problem, {}, 1, None, self._seed(going_on), going_on=going_on, add_penalties=going_on)
        return self

    def grow(self, column_map: Any, n_features: int) -> Any:
        """Make room for features that came after training.

        Weights, factors, penalties and accumulators move to their new columns with the same bits; new columns are as
        if never trained: all zero, so that they add nothing to a score, until ``partial_fit`` meets them.

        Parameters
        ----------
        column_map : array-like of int, shape (n_features_in_,)
            The new column of each feature, rising. New columns before the first feature of the items belong to
            queries.
        n_features : int
            Features of the grown model.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If a column is outside the grown model or the order changes; the estimator is then what it was before.

        Examples
        --------
        A third user is given the column after the two that there are:

        >>> from factorec.fm import FMClassifier, TrainingSet
        >>> data = TrainingSet.from_ids([0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 0, 1], n_users=2, n_items=2)
        >>> fm = FMClassifier(n_factors=2, random_state=0).fit(data)
        >>> items = fm.factors_[2:]
        >>> fm.grow([0, 1, 3, 4], 5).factors_[2]
        array([0., 0.], dtype=float32)
        >>> bool((fm.factors_[3:] == items).all())
        True
        """
        check_is_fitted(self)
        parameters, state = grown(self.parameters_, self.solver_state_, column_map, n_features)
        if parameters.n_features != self.n_features_in_:
            self.__dict__.pop("feature_names_in_", None)  # new columns have no names
        self.parameters_, self.solver_state_, self.n_features_in_ = parameters, state, parameters.n_features
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Raw scores of rows.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            Log-odds of the second class for a classifier, unclipped predictions for a regressor, what the cuts divide
            for `FMOrdinal`.
        """
        rows, n_threads = self._rows_to_score(X), resolve_n_jobs(self.n_jobs)
        if not rows.n_rows:
            return np.empty(0)
        return row_scores(self.parameters_, rows, n_threads, self.parameters_.bias)

    def sample_scores(self, X: Any) -> npt.NDArray[np.float64]:
        """Raw scores of rows under each sample of the posterior (``solver="gibbs"``).

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, n_features), or TrainingSet

        Returns
        -------
        ndarray of float64, shape (n_rows, n_samples)
            Their mean over the samples is `decision_function`.

        Raises
        ------
        DataError
            If another solver was used.
        """
        rows, n_threads = self._rows_to_score(X), resolve_n_jobs(self.n_jobs)
        return sample_scores(self.parameters_, rows, n_threads)

    def _rows_to_score(self, X: Any) -> RowArrays:
        check_is_fitted(self)
        if isinstance(X, TrainingSet):
            if X.n_features != self.n_features_in_:
                raise DataError(f"X has {X.n_features} columns, the model has {self.n_features_in_} features")
            return X.row_arrays()
        return RowArrays.of_matrix(as_csr(self._validate(X, reset=False), n_threads=resolve_n_jobs(self.n_jobs)))

    def _of_samples(self, X: Any) -> Any:
        """What the samples of the posterior predict for rows, put together."""
        rows = self._rows_to_score(X)
        into = self._predictive(rows.n_rows, (-np.inf, np.inf))
        add_samples(self.parameters_, rows, resolve_n_jobs(self.n_jobs), into)
        return into

    @property
    def bias_(self) -> float:
        """The bias b."""
        return self.parameters_.bias

    @property
    def linear_(self) -> npt.NDArray[np.float32]:
        """Linear weights w, float32, (n_features,)."""
        return self.parameters_.linear

    @property
    def factors_(self) -> npt.NDArray[np.float32]:
        """Factors V, float32, (n_features, n_factors)."""
        return self.parameters_.factors

    @property
    def penalties_(self) -> Penalties | None:
        """The L2 penalty that training charged each feature in total; of samples, that of their mean."""
        return self.parameters_.mean().penalties

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
