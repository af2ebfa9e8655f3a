"""What all factorization machine estimators share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError
from ._checks import check_fields, check_finite, check_settings, row_weights
from ._fitting import EvalRows, FitOptions, SolverState, run_epochs
from ._problem import Problem
from ._progress import OnEpoch, show_progress
from ._rates import LearningRates
from ._regularization import Regularization, total_weights
from ._rows import RowArrays, as_csr
from ._tuned import Tuned, tuned_by_field
from ._weights import begin, expected_negatives, go_on, grown, returned
from .parameters import FMParameters, Penalties
from .training_set import TrainingSet

__all__ = ["BaseFM"]

Ranges = Mapping[str, tuple[int, int]]


class BaseFM(BaseEstimator):  # type: ignore[misc]
    """What all factorization machines share: fitting, parameters, raw scores.

    Not made by itself: ``FMClassifier`` and ``FMRegressor`` are.

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

    _loss = ""
    # Learning rate and L2 where the parameters are None: of the two id fields, and of every other field.
    _tuned: Tuned
    _tuned_side: Tuned
    _tuned_negatives: Tuned
    _tuned_side_negatives: Tuned

    parameters_: FMParameters
    history_: dict[str, dict[str, npt.NDArray[np.float64]]]
    solver_state_: SolverState
    n_features_in_: int

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
            raises ends training.

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

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        field_ranges: Ranges | None,
        validation: tuple[Any, Any, Any],
        eval_set: Mapping[str, Any],
        on_epoch: OnEpoch | None,
    ) -> None:
        going_on = bool(self.warm_start) and hasattr(self, "parameters_")
        check_settings(self)
        problem = self._problem(X, y, sample_weight, field_ranges, reset=not going_on)
        evaluation: dict[str, Problem] = {}
        if validation[0] is not None:
            evaluation["validation"] = self._problem(*validation, None, reset=False)
        if not isinstance(eval_set, Mapping):
            raise DataError(f"eval_set must map names to (X, y), got {type(eval_set).__name__}")
        for name, rows in eval_set.items():
            if name in ("train", "validation"):
                raise DataError(f"eval_set cannot use the name {name!r}")
            if not isinstance(rows, TrainingSet) and not (isinstance(rows, tuple | list) and len(rows) == 2):
                raise DataError(f"eval_set[{name!r}] must be a pair (X, y) or a TrainingSet")
            pair = (rows, None) if isinstance(rows, TrainingSet) else rows
            evaluation[name] = self._problem(pair[0], pair[1], None, None, reset=False, class_weights=False)
        seed = self._seed(going_on)
        stop_after = None
        if self.early_stopping:
            stop_after = self.n_iter_no_change
            if "validation" not in evaluation:
                held = self._held_out(problem.rows.n_rows, seed)
                evaluation["validation"] = problem.take(np.flatnonzero(held))
                problem = problem.take(np.flatnonzero(~held))
        self._train(
            problem,
            evaluation,
            self.n_epochs,
            stop_after,
            seed,
            going_on=going_on,
            add_penalties=False,
            on_epoch=on_epoch,
        )

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
            The two classes, where the first rows may hold only one (classifiers).

        Returns
        -------
        self

        Raises
        ------
        DataError, ValueError
            For input that cannot be used.
        DivergenceError
            If loss or parameters are no longer finite; the estimator is then what it was before.
        """
        with self._all_or_nothing():
            going_on = hasattr(self, "parameters_")
            check_settings(self)
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
            Log-odds of the second class for a classifier, unclipped predictions for a regressor.
        """
        check_is_fitted(self)
        if isinstance(X, TrainingSet):
            if X.n_features != self.n_features_in_:
                raise DataError(f"X has {X.n_features} columns, the model has {self.n_features_in_} features")
            rows = X.row_arrays()
            if not rows.n_rows:
                return np.empty(0)
        else:
            rows = RowArrays.of_matrix(as_csr(self._validate(X, reset=False)))
        p = self.parameters_
        return p.bias + _core.scores(rows.blocks, rows.n_rows, p.linear, p.factors, resolve_n_jobs(self.n_jobs))

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
        """The L2 penalty that training charged each feature in total."""
        return self.parameters_.penalties

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What differs between the estimators.

    def _encode_target(
        self, y: Any, *, classes: Any, reset: bool, negatives: bool, partial: bool
    ) -> npt.NDArray[np.float64]:
        raise NotImplementedError

    def _start(self, target: npt.NDArray[np.float64], weight: Any, extra_weight: float) -> tuple[float, float, float]:
        """Start value of the bias, then mean and scale of the target."""
        raise NotImplementedError

    def _row_weights(self, weight: Any, target: npt.NDArray[np.float64]) -> Any:
        return weight

    # What they share.

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What goes wrong inside, an interrupt included, leaves the estimator as it was."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _validate(self, X: Any, y: Any = None, *, reset: bool) -> Any:
        settings = {"accept_sparse": "csr", "dtype": np.float32, "reset": reset}
        if y is None:
            return validate_data(self, X, **settings)
        return validate_data(self, X, y, y_numeric=self._loss == "squared", **settings)

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
        if isinstance(X, TrainingSet):
            if y is not None or sample_weight is not None or field_ranges is not None:
                raise DataError(
                    "a TrainingSet has its own target, weight and fields: pass no y, sample_weight, field_ranges"
                )
            if reset:
                self.__dict__.pop("feature_names_in_", None)  # of an earlier table
                self.n_features_in_ = X.n_features
            elif X.n_features != self.n_features_in_:
                raise DataError(f"the TrainingSet has {X.n_features} features, expected {self.n_features_in_}")
            y, source, rows = X.target, X, X.row_arrays()
            check_finite("target", y)
            classes = [0, 1] if self._loss == "logistic" and reset else classes
            weight = row_weights(X.weight, X.n_rows, "weight")
        else:
            if y is None:
                raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
            X, y = self._validate(X, y, reset=reset)
            source = as_csr(X)
            rows = RowArrays.of_matrix(source, check_fields(field_ranges or {}, source.shape[1], "field_ranges"))
            weight = row_weights(sample_weight, rows.n_rows)
        negatives = isinstance(X, TrainingSet) and X.negatives is not None
        target = self._encode_target(y, classes=classes, reset=reset, negatives=negatives, partial=partial)
        # Rows of weight 0 go first: they must not count for balanced class weights either.
        problem = Problem(source, rows, target, weight).without_zero_weights()
        if not class_weights:
            return problem
        return replace(problem, weight=self._row_weights(problem.weight, problem.target)).without_zero_weights()

    def _held_out(self, n_rows: int, seed: int) -> npt.NDArray[np.bool_]:
        """Which rows early stopping holds out."""
        n_held = round(n_rows * self.validation_fraction)
        if not 0 < n_held < n_rows:
            raise DataError(
                f"validation_fraction={self.validation_fraction} of {n_rows} rows leaves nothing on one side"
            )
        held = np.zeros(n_rows, bool)
        held[np.random.default_rng([seed, 2]).permutation(n_rows)[:n_held]] = True
        return held

    def _objective_weights(self, data: TrainingSet, *, split: bool) -> npt.NDArray[np.float32]:
        """What each row of the last fit weighed in its objective: class weights included, 0 if left or held out.

        ``split`` says that no validation rows were given, so that early stopping held some out.
        """
        problem = self._problem(data, None, None, None, reset=False)
        if split and self.early_stopping:
            problem = problem.take(np.flatnonzero(~self._held_out(problem.rows.n_rows, self.solver_state_.seed)))
        weight = np.zeros(data.n_rows, np.float32)
        weight[slice(None) if problem.numbers is None else problem.numbers] = (
            1.0 if problem.weight is None else problem.weight
        )
        return weight

    def _seed(self, going_on: bool) -> int:
        if going_on:
            return self.solver_state_.seed
        return int(check_random_state(self.random_state).randint(2**31 - 1))

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
        totals = total_weights(problem.rows, problem.weight, problem.target, problem.training_set)
        ids, side = self._tuned, self._tuned_side
        if problem.negatives is not None:
            ids, side = self._tuned_negatives, self._tuned_side_negatives
        tuned = tuned_by_field(problem.rows, ids, side)
        rates = LearningRates(self.learning_rate, problem.rows, tuned, ids)
        l2 = Regularization(self.l2_linear, self.l2_factors, self.l2_count_power, problem.rows, totals, tuned)
        before = self.parameters_ if going_on else None
        if before is None:
            start = self._start(problem.target, problem.weight, expected_negatives(problem))
            weights, state = begin(totals, problem.rows.id_features(), self.n_factors, self.init_scale, seed, start)
        else:
            if before.n_factors != self.n_factors:
                raise DataError(f"n_factors is {self.n_factors}, the fitted model has {before.n_factors}")
            state = self.solver_state_
            weights = go_on(before, state, totals, problem.rows.id_features(), self.init_scale)
        mean, scale = state.target_mean, state.target_scale

        def scaled(target: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
            return ((target - mean) / scale).astype(np.float32)

        watched: dict[str, EvalRows] = {}
        for name, rows in evaluation.items():
            if name == "validation":
                rows = rows.with_negatives(state.seed + 1)
            watched[name] = EvalRows(rows.rows, scaled(rows.target), rows.weight)
        low, high = self._target_range(problem.target, going_on)
        with show_progress(int(self.verbose), n_epochs) as show:
            options = FitOptions(
                loss=self._loss,
                solver=self.solver,
                rates=rates,
                l2_bias=self.l2_bias,
                batch_size=self.batch_size,
                shuffle=bool(self.shuffle),
                clip_gradient=self.clip_gradient,
                n_threads=resolve_n_jobs(self.n_jobs),
                n_epochs=n_epochs,
                n_iter_no_change=stop_after,
                score_range=((low - mean) / scale, (high - mean) / scale),
                on_epoch=[call for call in (show, on_epoch) if call is not None],
            )
            weights, state, history = run_epochs(
                problem.rows,
                scaled(problem.target),
                problem.weight,
                (l2.linear, l2.factors),
                problem.negatives,
                weights,
                state,
                options,
                watched,
            )
        penalties = l2.penalties(scale)
        if add_penalties and self.penalties_ is not None:
            penalties = Penalties(
                penalties.linear + self.penalties_.linear,
                penalties.factors + self.penalties_.factors,
                penalties.per_row,
            )
        data = problem.training_set
        n_query_features = None if data is None else data.n_query_features
        self.parameters_ = returned(weights, state, penalties, n_query_features, totals, before)
        self.solver_state_ = state
        self.history_ = history
        self._set_range(low, high)

    def _target_range(self, target: npt.NDArray[np.float64], going_on: bool) -> tuple[float, float]:
        return -np.inf, np.inf

    def _set_range(self, low: float, high: float) -> None:
        pass
