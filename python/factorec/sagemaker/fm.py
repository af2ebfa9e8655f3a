"""Factorization machines that are trained as the managed service trains them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, FormatError
from ..fm import FMClassifier, FMParameters, FMRegressor
from ..fm._fitting import SolverState
from ..formats.fm_artifact import read_fm_artifact
from ._managed_fm import PARAMETERS, ManagedFM
from .hyperparameters import FMHyperparameters

__all__ = ["ManagedFMClassifier", "ManagedFMRegressor", "estimator", "load_artifact"]


class ManagedFMClassifier(ManagedFM, FMClassifier):
    """Binary classifier that is trained as the managed service trains one.

    Lazy Adam over mini-batches in file order, the last one filled up with empty rows of label 0, which count in the
    metrics of training (``history_["train"]``). With the parameters, the trained model and everything that
    `FMClassifier` can do.

    Parameters
    ----------
    feature_dim, num_factors, epochs, mini_batch_size, ...
        Every hyperparameter of `FMHyperparameters` but ``predictor_type``, as a value or as a string.
    random_state : int, RandomState or None
        Seed of the start values: the service has none, its runs cannot be repeated.
    n_jobs : int, optional
        Threads; None: all that the process may use. The result does not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch.

    Attributes
    ----------
    hyperparameters_ : FMHyperparameters
    sparse_input_ : bool
        Whether it was trained on sparse rows.
    classes_, parameters_, history_, ...
        As in `FMClassifier`.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> X = csr_array(np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]], np.float32))
    >>> fm = ManagedFMClassifier(feature_dim=4, num_factors=2, epochs=200, mini_batch_size=4, linear_lr=0.1)
    >>> fm.fit(X, [0, 1, 1, 0]).predict(X)
    array([0, 1, 1, 0])
    """

    predictor_type = "binary_classifier"
    class_weight: Any = None

    def _encode_target(
        self, y: Any, *, classes: Any, reset: bool, negatives: bool, partial: bool
    ) -> npt.NDArray[np.float64]:
        given = np.asarray(y)
        bad = np.flatnonzero((given != 0) & (given != 1))
        if len(bad):
            raise DataError(f"y[{bad[0]}] is {given[bad[0]]!r}: labels of a binary_classifier are 0 and 1")
        return super()._encode_target(given, classes=[0, 1], reset=reset, negatives=negatives, partial=True)


class ManagedFMRegressor(ManagedFM, FMRegressor):
    """Regressor that is trained as the managed service trains one.

    As `ManagedFMClassifier`, under squared loss (the gradient of a score is score - target: a guess, MXNet's
    LinearRegressionOutput). Targets are neither centred nor scaled, and predictions not clipped.

    Parameters
    ----------
    feature_dim, num_factors, epochs, mini_batch_size, ...
        Every hyperparameter of `FMHyperparameters` but ``predictor_type``, as a value or as a string.
    random_state, n_jobs, verbose
        As in `ManagedFMClassifier`.

    Attributes
    ----------
    hyperparameters_ : FMHyperparameters
    sparse_input_ : bool
        Whether it was trained on sparse rows.
    parameters_, history_, ...
        As in `FMRegressor`; ``target_range_`` is infinite.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> X = csr_array(np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]], np.float32))
    >>> fm = ManagedFMRegressor(feature_dim=4, num_factors=2, epochs=500, mini_batch_size=4, linear_lr=0.1)
    >>> fm.fit(X, [3.0, 4.0, 5.0, 4.0]).predict(X).round(1)
    array([3., 4., 5., 4.])
    """

    predictor_type = "regressor"

    def _target_range(self, target: npt.NDArray[np.float64], going_on: bool) -> tuple[float, float]:
        return -np.inf, np.inf  # scores are not clipped


def estimator(
    hyperparameters: Mapping[str, Any], *, random_state: Any = None, n_jobs: int | None = None, verbose: int = 0
) -> ManagedFMClassifier | ManagedFMRegressor:
    """Make an estimator from a job's hyperparameters.

    Parameters
    ----------
    hyperparameters : mapping of str to str
        Names and values as the managed service takes them, see `FMHyperparameters`.
    random_state : int, RandomState or None
        Seed of the start values.
    n_jobs : int, optional
        Threads; None: all that the process may use. The result does not depend on it.
    verbose : int, default=0
        1: a progress bar; 2: a line an epoch.

    Returns
    -------
    ManagedFMClassifier or ManagedFMRegressor
        As ``predictor_type`` says.

    Raises
    ------
    DataError
        That lists everything that is wrong.

    Examples
    --------
    >>> fm = estimator({"feature_dim": "2625", "num_factors": "64", "predictor_type": "regressor", "epochs": "200"})
    >>> fm
    ManagedFMRegressor(epochs=200, feature_dim=2625, num_factors=64)
    """
    settings = FMHyperparameters.read(hyperparameters)
    kind = ManagedFMClassifier if settings.predictor_type == "binary_classifier" else ManagedFMRegressor
    values = {field.name: getattr(settings, field.name) for field in PARAMETERS}
    made: ManagedFMClassifier | ManagedFMRegressor = kind(
        **values, random_state=random_state, n_jobs=n_jobs, verbose=verbose
    )
    return made


def load_artifact(
    path: str | os.PathLike[str], *, predictor_type: str | None = None, n_query_features: int | None = None
) -> ManagedFMClassifier | ManagedFMRegressor:
    """Load a model that the managed service trained.

    Parameters
    ----------
    path : path-like
        ``model.tar.gz``, the zip inside, or a folder with either or with their files.
    predictor_type : {"binary_classifier", "regressor"}, optional
        For artifacts that do not say; None: as the artifact says.
    n_query_features : int, optional
        Columns below belong to queries (users, context), the others to items; rows that cross are then refused in
        ``query_vectors`` and ``item_vectors``.

    Returns
    -------
    ManagedFMClassifier or ManagedFMRegressor
        Fitted. ``partial_fit`` goes on with new moments of Adam: artifacts have none, nor penalties, so that
        explanations need ``l2=``.

    Raises
    ------
    FormatError
        If it is not such an artifact, or does not say what it predicts.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.sparse import eye_array
    >>> fm = ManagedFMRegressor(feature_dim=2, num_factors=1, mini_batch_size=2, random_state=0)
    >>> fm = fm.fit(eye_array(2, format="csr"), [1.0, 2.0])
    >>> fm.save_artifact(path := tempfile.mkdtemp() + "/model.tar.gz")
    >>> loaded = load_artifact(path, n_query_features=1)
    >>> bool((loaded.factors_ == fm.factors_).all()), loaded.parameters_.query_vectors([[1, 0]]).shape
    (True, (1, 1))
    """
    artifact = read_fm_artifact(path)
    n_features, n_factors = artifact.factors.shape
    known = {field.name for field in PARAMETERS}
    given: dict[str, Any] = {name: value for name, value in artifact.hyperparameters.items() if name in known}
    kind = predictor_type or artifact.predictor_type
    if kind is None:
        raise FormatError(f"{os.fspath(path)} does not say what it predicts: give predictor_type=")
    shape = {"feature_dim": n_features, "num_factors": n_factors, "predictor_type": kind}
    try:
        made = estimator(given | shape)
    except DataError as error:
        raise FormatError(f"{os.fspath(path)}: its hyperparameters: {error}") from None
    made.parameters_ = FMParameters(artifact.bias, artifact.linear, artifact.factors, n_query_features=n_query_features)
    made._apply(sparse=True)
    made.n_features_in_ = n_features
    made.history_ = {}
    made.solver_state_ = SolverState.start(n_features, 0, 0.0, 1.0)
    if isinstance(made, ManagedFMClassifier):
        made.classes_ = np.array([0, 1])
    else:
        made._set_range(-np.inf, np.inf)
    return made
