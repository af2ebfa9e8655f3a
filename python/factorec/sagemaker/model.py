"""Models as an endpoint and batch transform see them."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.special import expit

from .._threads import resolve_n_jobs
from ..errors import DataError, FormatError
from ..fm import FMOrdinal, FMParameters
from .messages import JSON, JSON_LINES, RECORDIO, Predictions

__all__ = ["FMModel", "Model", "load_model"]

# Below this many entries more threads cost more than they gain.
_ENTRIES_PER_THREAD = 100_000


class Model(Protocol):
    """What answers requests.

    Attributes
    ----------
    kind : str
        ``"fm"`` or ``"knn"``.
    n_features : int
        The width of a row.
    content_types : tuple of str
        The types of request that it takes.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def n_features(self) -> int: ...  # noqa: D102
    @property
    def content_types(self) -> tuple[str, ...]: ...  # noqa: D102

    def predict(self, rows: Any, *, verbose: bool = False) -> Predictions:
        """Predict rows.

        Parameters
        ----------
        rows : csr_array or ndarray of float32, shape (n, n_features)
        verbose : bool, default=False
            Give everything that the model can say.

        Returns
        -------
        mapping of str to ndarray, shape (n,) or (n, m)
            In the order of the output.
        """
        ...


class FMModel:
    """A factorization machine that answers requests.

    Parameters
    ----------
    parameters : FMParameters
    predictor_type : {"binary_classifier", "regressor"}
    n_jobs : int, optional
        Threads for large requests; None: all that the process may use.

    Examples
    --------
    >>> parameters = FMParameters(1.5, np.zeros(2, np.float32), np.zeros((2, 1), np.float32))
    >>> FMModel(parameters, "regressor").predict(np.ones((1, 2), np.float32))
    {'score': array([1.5], dtype=float32)}
    """

    kind = "fm"
    content_types = (JSON, JSON_LINES, RECORDIO)

    def __init__(self, parameters: FMParameters, predictor_type: str, *, n_jobs: int | None = None) -> None:
        if predictor_type not in ("binary_classifier", "regressor"):
            raise DataError(f"predictor_type must be binary_classifier or regressor, got {predictor_type!r}")
        self.parameters = parameters
        self.predictor_type = predictor_type
        self._n_threads = resolve_n_jobs(n_jobs)  # here, once: it reads files of the system

    @property
    def n_features(self) -> int:
        """The width of a row."""
        return self.parameters.n_features

    def predict(self, rows: Any, *, verbose: bool = False) -> Predictions:
        """Score rows.

        Parameters
        ----------
        rows : csr_array or ndarray of float32, shape (n, n_features)
        verbose : bool, default=False
            Ignored: a factorization machine has no more to say.

        Returns
        -------
        dict of str to ndarray of float32, shape (n,)
            ``score``: the probability of a binary classifier (of the second class, if it has classes other than 0
            and 1), the unclamped value of a regressor. Classifiers also have ``predicted_label``: 1 from a score of
            0.5 on, that one included.
        """
        n_threads = min(self._n_threads, 1 + getattr(rows, "nnz", rows.size) // _ENTRIES_PER_THREAD)
        raw = self.parameters.decision_function(rows, n_jobs=n_threads)
        with np.errstate(over="ignore"):  # what overflows is refused with the row's number, when it is encoded
            if self.predictor_type == "regressor":
                return {"score": raw.astype(np.float32)}
            score = expit(raw).astype(np.float32)
        return {"score": score, "predicted_label": (score >= 0.5).astype(np.float32)}


def load_model(path: str | PathLike[str], *, n_jobs: int | None = None) -> Model:
    """Load a model of any kind that can answer requests.

    Parameters
    ----------
    path : path
        ``model.tar.gz`` of a factorization machine or of k-NN, or a folder with what is inside; or a model file of
        `factorec.Recommender`, whose factorization machine answers for rows of its own feature columns.
    n_jobs : int, optional
        Threads for large requests; None: all that the process may use.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        If it is none of these, is damaged, or does not say whether it classifies or regresses.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from factorec.formats.fm_artifact import write_fm_artifact
    >>> path = tempfile.mkdtemp() + "/model.tar.gz"
    >>> factors = np.array([[1.0], [2.0]], np.float32)
    >>> write_fm_artifact(path, 0.5, np.zeros(2, np.float32), factors, predictor_type="regressor", hyperparameters={})
    >>> model = load_model(path)
    >>> model.kind, model.n_features, model.predict(np.ones((1, 2), np.float32))
    ('fm', 2, {'score': array([2.5], dtype=float32)})
    """
    if _is_artifact(Path(path)):
        return _load_artifact(path, n_jobs)
    return _load_recommender(path, n_jobs)


def _is_artifact(path: Path) -> bool:
    if path.is_dir():
        return True
    with open(path, "rb") as file:
        return file.read(4)[:2] in (b"\x1f\x8b", b"PK")  # gzip, zip


def _load_artifact(path: str | PathLike[str], n_jobs: int | None) -> Model:
    from ..formats.artifact import read_artifact
    from ..formats.knn_artifact import KNNArtifact

    artifact = read_artifact(path)
    if isinstance(artifact, KNNArtifact):
        from .knn import KNN

        return KNN.from_artifact(artifact, n_jobs=n_jobs)
    kind = artifact.predictor_type
    if kind is None:
        raise FormatError(
            f"{fspath(path)}: neither meta.json nor the graph says whether it is a binary_classifier or a regressor; "
            'put {"training_parameters": {"predictor_type": "..."}} into meta.json'
        )
    return FMModel(FMParameters(artifact.bias, artifact.linear, artifact.factors), kind, n_jobs=n_jobs)


def _load_recommender(path: str | PathLike[str], n_jobs: int | None) -> Model:
    from sklearn.base import is_classifier

    from ..recommender import load

    try:
        estimator = load(path).estimator_
    except FormatError as error:
        raise FormatError(f"{error}; nor is it a model.tar.gz") from None
    likes = is_classifier(estimator)
    if isinstance(estimator, FMOrdinal) or (likes and estimator.solver == "gibbs"):
        raise FormatError(
            f"{fspath(path)}: a {type(estimator).__name__} with solver {estimator.solver!r} cannot be served: answers "
            "are scores and their logistic function, which is not what it predicts; use factorec.load"
        )
    return FMModel(estimator.parameters_, "binary_classifier" if likes else "regressor", n_jobs=n_jobs)
