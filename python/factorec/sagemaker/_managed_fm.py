"""What the service's two estimators share: its hyperparameters, order of rows, start values, log and artifact."""

from __future__ import annotations

import dataclasses
import inspect
import os
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, TextIO

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError
from ..fm import BaseFM, TrainingSet
from ..fm._adam import AdamOptions
from ..fm._fitting import Weights
from ..fm._problem import Problem
from ..formats.fm_artifact import write_fm_artifact
from ..metrics import classification_metrics, regression_metrics
from .hyperparameters import LIBRARY_NAMES, FMHyperparameters
from .log_lines import JobLog, fm_metrics

__all__ = ["PARAMETERS", "ManagedFM"]

# The hyperparameters that are parameters of the constructors: the class itself says what is predicted.
PARAMETERS = [field for field in dataclasses.fields(FMHyperparameters) if field.name != "predictor_type"]


class ManagedFM(BaseFM):
    """What the two estimators share: the service's hyperparameters in the place of the library's own."""

    predictor_type: ClassVar[str]
    hyperparameters_: FMHyperparameters
    sparse_input_: bool

    # What a job cannot choose.
    solver: str = "adam"
    shuffle: bool = False
    init_scale: float = 0.0
    l2_count_power: float | None = 0.0
    interactions: str = "all"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 1
    warm_start: bool = False

    # What is read from the hyperparameters, see `__getattr__`.
    n_factors: int
    n_epochs: int | None
    batch_size: int | None
    learning_rate: float | Mapping[str, float] | None
    l2_bias: float
    l2_linear: float | Mapping[str, float] | None
    l2_factors: float | Mapping[str, float] | None

    _log: JobLog | None = None

    def __init__(self, **given: Any) -> None:
        for name, parameter in list(inspect.signature(type(self)).parameters.items()):
            if name not in given and parameter.default is parameter.empty:
                raise TypeError(f"{type(self).__name__} needs {name}=")
            setattr(self, name, given.pop(name, parameter.default))
        if given:
            raise TypeError(f"{type(self).__name__} has no parameter {next(iter(given))!r}")

    @property
    def hyperparameters(self) -> FMHyperparameters:
        """The parameters, checked."""
        values = {field.name: getattr(self, field.name) for field in PARAMETERS}
        given = {name: value for name, value in values.items() if value is not None}
        return FMHyperparameters.read(given | {"predictor_type": self.predictor_type})

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        eval_set: Mapping[str, Any] | None = None,
        on_epoch: Any = None,
        log: TextIO | JobLog | None = None,
        padded_test_metrics: bool = False,
        **others: Any,
    ) -> Any:
        """Train on rows in the order in which they are given.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, feature_dim), or TrainingSet
            Shuffle the rows before: as in the managed service, batches are taken in file order in every epoch. Of
            sparse rows, only the features of a batch take a step; of a dense matrix all do.
        y : array-like, shape (n_rows,)
            0 and 1 for a classifier.
        sample_weight : array-like, shape (n_rows,), optional
        eval_set : mapping of str to (X, y), optional
            Metrics of these rows are recorded after every epoch; those of ``"test"`` are logged in the end.
        on_epoch : callable, optional
            As in `FMClassifier.fit`.
        log : text stream or JobLog, optional
            Takes the lines that the service's job would log.
        padded_test_metrics : bool, default=False
            Log test metrics over the last batch filled up with empty rows of label 0, as the service did in 2018.
        **others
            As in `FMClassifier.fit`: field_ranges, X_val, y_val, sample_weight_val.

        Returns
        -------
        self

        Raises
        ------
        DataError, ValueError
            If a hyperparameter is out of range, rows have another width than ``feature_dim``, there are fewer rows
            than a batch has (a guess: so the service's SDK says of it), or other input cannot be used.
        DivergenceError
            If loss or parameters are no longer finite. After any error the estimator is what it was before.
        """
        with self._all_or_nothing():
            self._apply(sparse=_is_sparse(X))
            self.hyperparameters_.warn_without_effect()
            job = self._log = log if log is None or isinstance(log, JobLog) else JobLog(log)
            try:
                if job is not None:
                    n_records = int(X.n_rows if isinstance(X, TrainingSet) else len(y))
                    on_epoch = job.on_epoch(self.predictor_type, self._n_epochs(), n_records, on_epoch)
                super().fit(X, y, sample_weight, eval_set=eval_set, on_epoch=on_epoch, **others)
            finally:
                self.__dict__.pop("_log", None)
            if job is not None:
                last = {name: float(values[-1]) for name, values in self.history_["train"].items()}
                job.trained(fm_metrics(self.predictor_type, last))
                if eval_set and "test" in eval_set:
                    rows = eval_set["test"]
                    X_test, y_test = (rows, rows.target) if isinstance(rows, TrainingSet) else rows
                    job.tested(
                        fm_metrics(self.predictor_type, self.measure(X_test, y_test, padded=padded_test_metrics))
                    )
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None, **others: Any) -> Any:
        """One more epoch over the given rows, from the parameters and Adam's moments that there are.

        Parameters
        ----------
        X, y, sample_weight, **others
            As in `FMClassifier.partial_fit`.

        Returns
        -------
        self
        """
        with self._all_or_nothing():
            self._apply(sparse=_is_sparse(X))
            super().partial_fit(X, y, sample_weight, **others)
        return self

    def measure(self, X: Any, y: Any, *, padded: bool = False) -> dict[str, float]:
        """Metrics of rows under the trained parameters.

        Parameters
        ----------
        X : sparse or array-like, shape (n_rows, feature_dim), or TrainingSet
        y : array-like, shape (n_rows,)
        padded : bool, default=False
            Fill the last batch up with empty rows of label 0, as the service did in 2018.

        Returns
        -------
        dict of str to float
            log_loss, accuracy, f1 and auc; of a regressor rmse and mae.
        """
        scores, target = self.decision_function(X), np.asarray(y, np.float64)
        if padded:
            n_padding = -len(target) % self.hyperparameters_.mini_batch_size
            scores = np.append(scores, np.full(n_padding, self.bias_))
            target = np.append(target, np.zeros(n_padding))
        measure = classification_metrics if self.predictor_type == "binary_classifier" else regression_metrics
        return measure(target, scores, n_jobs=self.n_jobs)

    def save_artifact(self, path: str | os.PathLike[str]) -> None:
        """Write the model as the managed service stores it.

        Parameters
        ----------
        path : path-like
            ``model.tar.gz``; or a folder that is there, which gets the file ``model_algo-1``.
        """
        check_is_fitted(self)
        write_fm_artifact(
            path,
            self.bias_,
            self.linear_,
            self.factors_,
            predictor_type=self.predictor_type,
            hyperparameters=self.hyperparameters_.as_strings(),
        )

    # The hooks of `Learner`.

    def __getattr__(self, name: str) -> Any:
        """The hyperparameters under the names by which the library reads them."""
        if name not in LIBRARY_NAMES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.hyperparameters.in_library()[name]

    def _apply(self, *, sparse: bool) -> None:
        """Check the hyperparameters, for what is trained now."""
        settings = self.hyperparameters_ = self.hyperparameters
        self.sparse_input_ = sparse
        # The library has it under the same name, with None for no clipping.
        clip = settings.clip_gradient
        self.clip_gradient = None if clip is None or clip < 0 else clip

    def _problem(self, *args: Any, **keywords: Any) -> Problem:
        problem = super()._problem(*args, **keywords)
        width, expected = problem.rows.n_features, self.hyperparameters_.feature_dim
        if width != expected:  # the service's words, then ours
            raise DataError(
                f"cannot copy sequence with size {width} to array axis with dimension {expected}: rows have {width} "
                f"features, feature_dim is {expected}"
            )
        return problem

    def _train(self, problem: Problem, *args: Any, **keywords: Any) -> None:
        batch_size = self.hyperparameters_.mini_batch_size
        if problem.rows.n_rows < batch_size:
            raise DataError(
                f"mini_batch_size is {batch_size}, there are only {problem.rows.n_rows} rows to train on: lower it"
            )
        if problem.rows.n_rows > batch_size:
            _warn_of_order(problem)
        super()._train(problem, *args, **keywords)

    def _adam_options(self) -> AdamOptions:
        settings = self.hyperparameters_
        return AdamOptions(
            epsilon=AdamOptions.epsilon if settings.eps is None else settings.eps,
            rescale_gradient=settings.rescale_grad,
            pad_last_batch=True,
            lazy=self.sparse_input_,
            report_every=0 if self._log is None else settings.batch_metrics_publish_interval,
        )

    def _start_weights(
        self,
        totals: npt.NDArray[np.float64],
        id_features: npt.NDArray[np.bool_],
        seed: int,
        start: tuple[float, float, float],
    ) -> Weights:
        """Every feature's weights are drawn, as the service draws them, whether rows have the feature or not."""
        settings = self.hyperparameters_
        shapes = {"bias": (1,), "linear": (len(totals),), "factors": (len(totals), settings.num_factors)}
        drawn = {}
        for number, (block, shape) in enumerate(shapes.items()):
            method, value = settings.start_of(block)
            generator = np.random.default_rng([seed, 3, number])
            if (block == "bias" and not settings.use_bias) or (block == "linear" and not settings.use_linear):
                drawn[block] = np.zeros(shape, np.float32)
            elif method == "constant":
                drawn[block] = np.full(shape, value, np.float32)
            elif method == "uniform":
                drawn[block] = (generator.random(shape, np.float32) * 2 - 1) * np.float32(value)
            else:
                drawn[block] = generator.standard_normal(shape, np.float32) * np.float32(value)
        return Weights(float(drawn["bias"][0]), drawn["linear"], drawn["factors"])

    def _start(self, target: npt.NDArray[np.float64], weight: Any, extra_weight: float) -> tuple[float, float, float]:
        return 0.0, 0.0, 1.0  # targets are trained as they are

    def _on_batch(self, epoch: int, batch: int, metrics: dict[str, float]) -> None:
        if self._log is not None:
            self._log.batch(epoch, batch, fm_metrics(self.predictor_type, metrics))


def _signature() -> inspect.Signature:
    """The constructor's: the table of hyperparameters is the one place that has names and defaults."""
    parameter = inspect.Parameter
    defaults: dict[str, Any] = {
        field.name: parameter.empty if field.default is dataclasses.MISSING else field.default for field in PARAMETERS
    }
    defaults |= {"random_state": None, "n_jobs": None, "verbose": 0}
    keywords = [parameter(name, parameter.KEYWORD_ONLY, default=default) for name, default in defaults.items()]
    return inspect.Signature([parameter("self", parameter.POSITIONAL_ONLY), *keywords])


ManagedFM.__init__.__signature__ = _signature()  # type: ignore[attr-defined]


def _is_sparse(X: Any) -> bool:
    return isinstance(X, TrainingSet) or bool(issparse(X))


def _warn_of_order(problem: Problem) -> None:
    """Rows sorted by user or label are what a file has before it is shuffled."""
    index, (indptr, indices, _, _) = problem.rows.blocks[0]
    first = indices[indptr[:-1][np.diff(indptr) > 0]] if index is None else index
    for what, values in (("first feature", first), ("target", problem.target)):
        if len(values) and values[0] < values[-1] and (values[1:] >= values[:-1]).all():
            warnings.warn(
                f"rows are sorted by {what} and batches are taken in file order in every epoch: shuffle the rows",
                stacklevel=6,  # of who called fit
            )
