"""What all factorization machine estimators share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError
from ._checks import check_integer, check_real, learning_rates, row_weights
from ._fitting import EvalRows, FitOptions, SolverState, Weights, run_epochs
from ._problem import Problem
from ._progress import show_progress
from ._regularization import Regularization, total_weights
from ._rows import RowArrays, as_csr
from .parameters import FMParameters, Penalties
from .training_set import TrainingSet

__all__ = ["BaseFM"]

Ranges = Mapping[str, tuple[int, int]]


class BaseFM(BaseEstimator):  # type: ignore[misc]
    """What all factorization machines share: fitting, parameters, raw scores.

    Examples
    --------
    >>> from factorec.fm import FMClassifier, FMRegressor
    >>> issubclass(FMClassifier, BaseFM) and issubclass(FMRegressor, BaseFM)
    True
    """

    _loss = ""
    # L2 of linear weights and factors where the parameter is None.
    _tuned_l2: tuple[float, float]
    _tuned_l2_negatives: tuple[float, float]

    parameters_: FMParameters
    history_: dict[str, dict[str, npt.NDArray[np.float64]]]
    solver_state_: SolverState
    n_features_in_: int
    _validation_rows: npt.NDArray[np.int64]

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
            Validation rows, recorded in ``history_["validation"]`` and watched by early stopping.
        eval_set : mapping of str to (X, y) or TrainingSet, optional
            Rows whose metrics are recorded after every epoch and used for nothing.

        Returns
        -------
        self

        Raises
        ------
        DataError, ValueError
            For input that cannot be used.
        DivergenceError
            If loss or parameters are no longer finite.
        """
        going_on = bool(self.warm_start) and hasattr(self, "parameters_")
        self._check_parameters()
        problem = self._problem(X, y, sample_weight, field_ranges, reset=not going_on)
        evaluation: dict[str, Problem] = {}
        if X_val is not None:
            evaluation["validation"] = self._problem(X_val, y_val, sample_weight_val, None, reset=False)
        for name, rows in (eval_set or {}).items():
            if name in ("train", "validation"):
                raise DataError(f"eval_set cannot use the name {name!r}")
            pair = (rows, None) if isinstance(rows, TrainingSet) else tuple(rows)
            evaluation[name] = self._problem(pair[0], pair[1], None, None, reset=False)
        seed = self._seed(going_on)
        stop_after = None
        if self.early_stopping:
            stop_after = check_integer("n_iter_no_change", self.n_iter_no_change, low=1)
            if "validation" not in evaluation:
                problem, evaluation["validation"] = self._split_validation(problem, seed)
        self._train(problem, evaluation, self.n_epochs, stop_after, seed, going_on=going_on, add_penalties=False)
        return self

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

        Parameters
        ----------
        X, y, sample_weight, field_ranges
            As in ``fit``.
        classes : array-like, optional
            The two classes, where the first rows may hold only one (classifiers).

        Returns
        -------
        self
        """
        going_on = hasattr(self, "parameters_")
        self._check_parameters()
        problem = self._problem(
            X, y, sample_weight, field_ranges, reset=not going_on, classes=classes, partial=classes is not None
        )
        seed = self._seed(going_on)
        self._train(problem, {}, 1, None, seed, going_on=going_on, add_penalties=going_on)
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

    def _check_parameters(self) -> None:
        check_integer("n_factors", self.n_factors, low=1)
        check_integer("n_epochs", self.n_epochs, low=1)
        check_integer("batch_size", self.batch_size, low=1)
        check_real("init_scale", self.init_scale, low=0)
        check_real("l2_bias", self.l2_bias, low=0)
        check_real("l2_count_power", self.l2_count_power, low=0)
        for name in ("l2_linear", "l2_factors"):
            value = getattr(self, name)
            if value is None:
                continue
            for key, one in value.items() if isinstance(value, Mapping) else [(None, value)]:
                check_real(name if key is None else f"{name}[{key!r}]", one, low=0)
        if self.clip_gradient is not None:
            check_real("clip_gradient", self.clip_gradient, low=0, above=True)
        if self.solver not in ("adagrad", "sgd"):
            raise DataError(f"solver must be 'adagrad' or 'sgd', got {self.solver!r}")

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
    ) -> Problem:
        if isinstance(X, TrainingSet):
            if y is not None or sample_weight is not None or field_ranges is not None:
                raise DataError(
                    "a TrainingSet has its own target, weight and fields: pass no y, sample_weight, field_ranges"
                )
            if reset:
                self.n_features_in_ = X.n_features
            elif X.n_features != self.n_features_in_:
                raise DataError(f"the TrainingSet has {X.n_features} features, expected {self.n_features_in_}")
            classes = [0, 1] if self._loss == "logistic" else None
            target = self._encode_target(
                X.target, classes=classes, reset=reset, negatives=X.negatives is not None, partial=partial
            )
            weight = row_weights(X.weight, X.n_rows, "weight")
            return Problem(X, X.row_arrays(), target, self._row_weights(weight, target)).without_zero_weights()
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        X, y = self._validate(X, y, reset=reset)
        X = as_csr(X)
        target = self._encode_target(y, classes=classes, reset=reset, negatives=False, partial=partial)
        weight = row_weights(sample_weight, X.shape[0])
        rows = RowArrays.of_matrix(X, dict(field_ranges or {}))
        for name, (start, stop) in rows.field_ranges.items():
            if not 0 <= start <= stop <= X.shape[1]:
                raise DataError(f"field_ranges[{name!r}] is ({start}, {stop}), outside 0..{X.shape[1]}")
        return Problem(X, rows, target, self._row_weights(weight, target)).without_zero_weights()

    def _split_validation(self, problem: Problem, seed: int) -> tuple[Problem, Problem]:
        fraction = check_real("validation_fraction", self.validation_fraction, low=0, above=True)
        n_rows = problem.rows.n_rows
        n_held = round(n_rows * fraction)
        if not 0 < n_held < n_rows:
            raise DataError(f"validation_fraction={fraction} of {n_rows} rows leaves nothing on one side")
        order = np.random.default_rng([seed, 2]).permutation(n_rows)
        held = np.zeros(n_rows, bool)
        held[order[:n_held]] = True
        # For callers that keep a history: these rows were seen, but not learned from.
        self._validation_rows = np.flatnonzero(held)
        return problem.take(np.flatnonzero(~held)), problem.take(np.flatnonzero(held))

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
    ) -> None:
        totals = total_weights(problem.rows, problem.weight, problem.target, problem.training_set)
        l2_linear, l2_factors = self._l2(problem)
        l2 = Regularization(l2_linear, l2_factors, self.l2_count_power, problem.rows, totals)
        if going_on:
            weights, state = self._continue()
        else:
            weights, state = self._begin(problem, totals, seed)
        mean, scale = state.target_mean, state.target_scale

        def scaled(target: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
            return ((target - mean) / scale).astype(np.float32)

        watched: dict[str, EvalRows] = {}
        for name, rows in evaluation.items():
            if name == "validation":
                rows = rows.with_negatives(state.seed + 1)
            watched[name] = EvalRows(rows.rows, scaled(rows.target), rows.weight)
        low, high = self._target_range(problem.target, going_on)
        with show_progress(int(self.verbose), n_epochs) as on_epoch:
            options = FitOptions(
                loss=self._loss,
                solver=self.solver,
                rates=learning_rates(self.learning_rate),
                l2_bias=self.l2_bias,
                batch_size=self.batch_size,
                shuffle=bool(self.shuffle),
                clip_gradient=self.clip_gradient,
                n_threads=resolve_n_jobs(self.n_jobs),
                n_epochs=n_epochs,
                n_iter_no_change=stop_after,
                score_range=((low - mean) / scale, (high - mean) / scale),
                on_epoch=on_epoch,
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
        self.parameters_ = FMParameters(
            mean + scale * weights.bias,
            weights.linear * np.float32(scale),
            weights.factors * np.float32(np.sqrt(scale)),
            penalties,
            None if data is None else data.n_query_features,
        )
        self.solver_state_ = state
        self.history_ = history
        self._set_range(low, high)

    def _l2(self, problem: Problem) -> tuple[Any, Any]:
        """Both L2 parameters, the tuned ones in the place of None."""
        linear, factors = self._tuned_l2 if problem.negatives is None else self._tuned_l2_negatives
        return (
            linear if self.l2_linear is None else self.l2_linear,
            factors if self.l2_factors is None else self.l2_factors,
        )

    def _begin(self, problem: Problem, totals: npt.NDArray[np.float64], seed: int) -> tuple[Weights, SolverState]:
        """Random factors where a feature occurs, zeros elsewhere."""
        n_features = problem.rows.n_features
        rng = np.random.default_rng([seed, 1])
        factors = rng.standard_normal((n_features, self.n_factors), np.float32) * np.float32(self.init_scale)
        factors[totals == 0] = 0.0
        data = problem.training_set
        extra = 0.0
        if data is not None and data.negatives is not None:
            positive = np.flatnonzero(problem.target == 1)
            row_weight = (
                np.ones(len(positive)) if problem.weight is None else problem.weight[positive].astype(np.float64)
            )
            extra = float(data.negatives.expected(data.blocks[0].index[positive], row_weight)[0].sum())
        bias, mean, scale = self._start(problem.target, problem.weight, extra)
        ones = np.ones(n_features, np.float32)
        return (
            Weights(bias, np.zeros(n_features, np.float32), factors),
            SolverState(ones, ones.copy(), seed=seed, target_mean=mean, target_scale=scale),
        )

    def _continue(self) -> tuple[Weights, SolverState]:
        p, state = self.parameters_, self.solver_state_
        scale = state.target_scale
        if p.n_factors != self.n_factors:
            raise DataError(f"n_factors is {self.n_factors}, the fitted model has {p.n_factors}")
        return (
            Weights(
                (p.bias - state.target_mean) / scale,
                p.linear / np.float32(scale),
                p.factors / np.float32(np.sqrt(scale)),
            ),
            state,
        )

    def _target_range(self, target: npt.NDArray[np.float64], going_on: bool) -> tuple[float, float]:
        return -np.inf, np.inf

    def _set_range(self, low: float, high: float) -> None:
        pass
