"""How all factorization machines learn: from what they are given to parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .._threads import resolve_n_jobs
from ..errors import DataError
from ._als import train_by_als
from ._by_steps import SWEEPING
from ._checks import check_fields, check_finite, row_weights
from ._ensemble import check_members, train_ensemble
from ._epochs import train_by_epochs
from ._gibbs import train_by_gibbs
from ._hooks import Hooks
from ._problem import Problem
from ._progress import OnEpoch
from ._rows import RowArrays, as_csr, as_csr_format
from .posterior import row_noise
from .training_set import TrainingSet

__all__ = ["Learner", "Ranges"]

Ranges = Mapping[str, tuple[int, int]]


class Learner(Hooks):
    """What is behind the methods of `BaseFM`."""

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What goes wrong inside, an interrupt included, leaves the estimator as it was."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

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
        self._check_settings()
        check_members(self, going_on=going_on)
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

        def train(of_model: int) -> None:
            self._train(
                problem,
                evaluation,
                self._n_epochs(),
                stop_after,
                of_model,
                going_on=going_on,
                add_penalties=False,
                on_epoch=on_epoch,
            )

        if self.n_seeds > 1:
            train_ensemble(self, seed, train, self._n_epochs(), stop_after)
        else:
            train(seed)

    def _validate(self, X: Any, y: Any = None, *, reset: bool) -> Any:
        if issparse(X):  # before scikit-learn has scipy convert it
            X = as_csr_format(X)
        settings = {"accept_sparse": "csr", "dtype": np.float32, "reset": reset}
        if y is None:
            return validate_data(self, X, **settings)
        return validate_data(self, X, y, y_numeric=self._loss != "logistic", **settings)

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
        n_threads = resolve_n_jobs(self.n_jobs)
        if isinstance(X, TrainingSet):
            rows, weight = self._rows_of(X, y, sample_weight, field_ranges, reset=reset)
            y, source = X.target, X
            classes = [0, 1] if self._loss == "logistic" and reset else classes
        else:
            if y is None:
                raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
            X, y = self._validate(X, y, reset=reset)
            source = as_csr(X, n_threads=n_threads)
            rows = RowArrays.of_matrix(source, check_fields(field_ranges or {}, source.shape[1], "field_ranges"))
            weight = row_weights(sample_weight, rows.n_rows)
        rows.n_threads = n_threads
        negatives = isinstance(X, TrainingSet) and X.negatives is not None
        target = self._encode_target(y, classes=classes, reset=reset, negatives=negatives, partial=partial)
        # Rows of weight 0 go first: they must not count for balanced class weights either.
        problem = Problem(source, rows, target, weight).without_zero_weights()
        if not class_weights:
            return problem
        return replace(problem, weight=self._row_weights(problem.weight, problem.target)).without_zero_weights()

    def _rows_of(
        self, data: TrainingSet, y: Any, sample_weight: Any, field_ranges: Ranges | None, *, reset: bool
    ) -> tuple[RowArrays, npt.NDArray[np.float32] | None]:
        """Rows and weights of a training set, whose target is finite."""
        if y is not None or sample_weight is not None or field_ranges is not None:
            raise DataError(
                "a TrainingSet has its own target, weight and fields: pass no y, sample_weight, field_ranges"
            )
        if reset:
            self.__dict__.pop("feature_names_in_", None)  # of an earlier table
            self.n_features_in_ = data.n_features
        elif data.n_features != self.n_features_in_:
            raise DataError(f"the TrainingSet has {data.n_features} features, expected {self.n_features_in_}")
        check_finite("target", data.target)
        return data.row_arrays(), row_weights(data.weight, data.n_rows, "weight")

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

        With row noise that is a row's mean noise precision / that of the model, in the objective whose penalties are
        ``penalties_``.

        ``split`` says that no validation rows were given, so that early stopping held some out.
        """
        problem = self._problem(data, None, None, None, reset=False)
        if split and self.early_stopping:
            problem = problem.take(np.flatnonzero(~self._held_out(problem.rows.n_rows, self.solver_state_.seed)))
        weight = np.zeros(data.n_rows, np.float32)
        weight[slice(None) if problem.numbers is None else problem.numbers] = (
            1.0 if problem.weight is None else problem.weight
        )
        posterior = self.parameters_.posterior
        noise = None if posterior is None else posterior.mean_log_noise()
        if noise is not None:
            weight *= row_noise(noise, data.row_arrays(), resolve_n_jobs(self.n_jobs)).astype(np.float32)
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
        run = (self, problem, evaluation, n_epochs, stop_after, seed)
        if self.solver in SWEEPING:
            train_by_sweeps = train_by_gibbs if self.solver == "gibbs" else train_by_als
            train_by_sweeps(*run, going_on=going_on, on_epoch=on_epoch)
        else:
            train_by_epochs(*run, going_on=going_on, add_penalties=add_penalties, on_epoch=on_epoch)
