"""The managed service's k-nearest neighbours, answered exactly by `factorec.search.ItemIndex`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from ..errors import DataError, FormatError
from ..formats.knn_artifact import KNNArtifact, read_knn_artifact, write_knn_artifact
from ._knn_rows import as_labels, as_rows, sample_positions
from ._labelled_index import LabelledIndex, Metric
from ._projection import RandomProjection
from ._votes import accuracy_and_macro_f1, mean_label, most_frequent_label
from .hyperparameters import KNNHyperparameters
from .messages import CSV, JSON, JSON_LINES, RECORDIO, Predictions

__all__ = ["KNN"]

Floats = npt.NDArray[np.float32]

METRICS: dict[str, Metric] = {"L2": "l2", "INNER_PRODUCT": "inner_product", "COSINE": "cosine"}


class KNN:
    """k-nearest neighbours with the managed service's hyperparameters, labels and order of neighbours.

    `predict` answers as the service does: neighbours come with ascending distances, so that for ``INNER_PRODUCT``
    and ``COSINE``, whose "distances" are similarities, **the best one is last**. `neighbors` gives them best first.

    Parameters
    ----------
    hyperparameters : mapping of str to str
        Those of `KNNHyperparameters`. All values of ``index_type`` are answered exactly, as ``faiss.Flat``.
    random_state : int, RandomState or None
        For the sample and the projection.
    n_jobs : int, optional
        Threads; None: all that the process may use.

    Attributes
    ----------
    hyperparameters : KNNHyperparameters
    index_ : ItemIndex
        Of the rows that are kept, projected if that was asked for, with ``metric`` "l2", "inner_product" or "cosine".
    labels_ : ndarray of float32
        Of those rows: what stands at a position of ``index_``.
    positions_ : ndarray of int64
        Where those rows stand in what `fit` was given, ascending.
    seed_ : int
        What the projection was drawn from.
    metrics_ : dict of str to (dict of str to float)
        Name in ``eval_set`` -> what `evaluate` gives.

    Raises
    ------
    DataError
        That lists what is wrong with the hyperparameters.

    Notes
    -----
    What the service does is not known in these points, where it is a guess: the order of labels that are equally
    frequent (see `most_frequent_label`); squared distances for L2 (as faiss has them); for COSINE the similarity, from
    -1 to 1, taken after a projection; with fewer rows than ``k`` all of them are the neighbours, and `fit` warns.

    Examples
    --------
    >>> import numpy as np
    >>> from factorec.sagemaker import KNN
    >>> items = np.array([[1, 0], [0, 1], [2, 2]], dtype=np.float32)
    >>> given = {"k": "2", "sample_size": "3", "predictor_type": "classifier", "index_metric": "INNER_PRODUCT"}
    >>> knn = KNN(given).fit(items, [101, 102, 103])
    >>> for name, values in knn.predict(np.array([[1, 0]], dtype=np.float32), verbose=True).items():
    ...     print(name, values)
    predicted_label [103.]
    labels [[101. 103.]]
    distances [[1. 2.]]
    >>> labels, scores = knn.neighbors(np.array([[1, 0]], dtype=np.float32))
    >>> labels
    array([[103., 101.]], dtype=float32)
    """

    kind = "knn"
    content_types = (CSV, JSON, JSON_LINES, RECORDIO)

    def __init__(
        self, hyperparameters: Mapping[str, Any], *, random_state: Any = None, n_jobs: int | None = None
    ) -> None:
        self.hyperparameters = KNNHyperparameters.read(hyperparameters)
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,
        y: npt.ArrayLike,
        *,
        eval_set: Mapping[str, tuple[Any, npt.ArrayLike]] | None = None,
    ) -> KNN:
        """Keep a sample of the rows, project it if that was asked for, and pack it for search.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_rows, feature_dim)
            Finite. Sparse rows are made dense.
        y : array of shape (n_rows,)
            Labels: numbers, kept as float32 as the service does. Identities must stand in them.
        eval_set : mapping of str to (X, y), optional
            Judged after the fit: see ``metrics_``.

        Returns
        -------
        KNN
            Itself.

        Raises
        ------
        DataError
            For rows of another width than ``feature_dim``, a value or label that is not finite, a whole number as a
            classifier's label that float32 cannot hold (they are exact up to 16,777,216).
        """
        given = self.hyperparameters
        rows = as_rows(X, "X", None if given.feature_dim == "auto" else given.feature_dim)
        n_rows, n_features = rows.shape
        labels = as_labels(y, "y", n_rows, exact=given.predictor_type == "classifier")
        if n_rows == 0:
            raise DataError("X has no rows")
        target = self._target(n_features)
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31 - 1))
        positions = sample_positions(n_rows, given.sample_size, random)
        projection = (
            None
            if target is None or given.dimension_reduction_type is None
            else RandomProjection(given.dimension_reduction_type, n_features, target, seed)
        )
        kept = rows if len(positions) == n_rows else rows[positions]
        metric = METRICS[given.index_metric]
        self._keep(LabelledIndex.of_rows(kept, labels[positions], metric, projection, self.n_jobs))
        self.seed_, self.positions_ = seed, positions
        self.metrics_ = {name: self.evaluate(*rows) for name, rows in (eval_set or {}).items()}
        return self

    @classmethod
    def from_artifact(cls, artifact: KNNArtifact | str | PathLike[str], *, n_jobs: int | None = None) -> KNN:
        """Make one from ``model.tar.gz``.

        Parameters
        ----------
        artifact : KNNArtifact or path-like
            What `factorec.formats.knn_artifact.read_knn_artifact` gives, or takes.
        n_jobs : int, optional

        Returns
        -------
        KNN
            With hyperparameters as far as the artifact has them. Predictions are those of the model that was saved,
            to the bit.

        Raises
        ------
        FormatError
            If it cannot be read, or was projected by the service: how that draws a projection is not known.
        """
        if not isinstance(artifact, KNNArtifact):
            artifact = read_knn_artifact(artifact)
        n_rows, n_features = artifact.vectors.shape
        given: dict[str, Any] = {
            "k": artifact.k,
            "predictor_type": artifact.predictor_type,
            "sample_size": n_rows,
            "index_metric": artifact.metric,
        }
        projection = None
        if reduction := artifact.meta.get("dimension_reduction"):
            try:
                projection = RandomProjection.from_json(reduction, n_features)
            except DataError as error:
                raise FormatError(f"dimension_reduction of the artifact: {error}") from None
            n_features = projection.n_features
            given |= {"dimension_reduction_type": projection.kind, "dimension_reduction_target": projection.target}
        knn = cls(given | {"feature_dim": n_features}, n_jobs=n_jobs)
        metric = METRICS[knn.hyperparameters.index_metric]
        knn._keep(LabelledIndex.of_vectors(artifact.vectors, artifact.labels, metric, projection, n_jobs))
        return knn

    def save_artifact(self, path: str | PathLike[str]) -> None:
        """Write ``model.tar.gz`` as the service has it, atomically.

        Parameters
        ----------
        path : path-like
            A file, or a folder that is there, which gets the files inside.
        """
        self._check_fitted()
        projection = self._rows.projection
        write_knn_artifact(
            path,
            self._rows.vectors,
            self._rows.labels,
            k=self.hyperparameters.k,
            predictor_type=self.hyperparameters.predictor_type,
            metric=self.hyperparameters.index_metric,
            dimension_reduction=None if projection is None else projection.to_json(),
        )

    def _target(self, n_features: int) -> int | None:
        """Columns after the projection, a multiple of faiss_index_pq_m as in the service."""
        target, multiple = self.hyperparameters.dimension_reduction_target, self.hyperparameters.faiss_index_pq_m
        if target is None:
            return None
        if multiple is not None and self.hyperparameters.index_type == "faiss.IVFPQ":
            target = -(-target // multiple) * multiple
        if target >= n_features:
            raise DataError(
                f"dimension_reduction_target is {target}, it must be less than the {n_features} columns of X (for "
                "faiss.IVFPQ it grows to a multiple of faiss_index_pq_m)"
            )
        return target

    def _keep(self, rows: LabelledIndex) -> None:
        self._rows = rows
        self.index_, self.labels_ = rows.index, rows.labels
        if self.hyperparameters.k > len(rows.labels):
            warnings.warn(
                f"k is {self.hyperparameters.k}, and there are {len(rows.labels)} rows: all of them are neighbours",
                stacklevel=3,
            )

    @property
    def n_features(self) -> int:
        """The width of a row, before any projection."""
        self._check_fitted()
        return self._rows.n_features

    def _check_fitted(self) -> None:
        if not hasattr(self, "index_"):
            raise NotFittedError("this KNN is not fitted yet; call fit")

    def neighbors(self, X: Any, n: int | None = None) -> tuple[Floats, Floats]:
        """Find the neighbours of rows, the best first.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_rows, n_features)
        n : int, optional
            How many; None: ``k``. No more than there are rows in the index.

        Returns
        -------
        labels : ndarray of shape (n_rows, n), float32
        scores : ndarray of shape (n_rows, n), float32
            As `factorec.search.ItemIndex` gives them, descending: inner products, similarities, or minus squared
            distances. Of equal scores the row that stood first in ``X`` of `fit` comes first.

        Raises
        ------
        DataError
            If a width is wrong or a value not finite.
        """
        self._check_fitted()
        rows = as_rows(X, "rows", self.n_features)
        n = self.hyperparameters.k if n is None else n
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise DataError(f"n must be an integer of at least 1, got {n!r}")
        n = min(int(n), len(self.labels_))
        all_labels, all_scores = (np.empty((rows.shape[0], n), np.float32) for _ in range(2))
        for part, labels, scores in self._rows.search(rows, n):
            all_labels[part], all_scores[part] = labels, scores
        return all_labels, all_scores

    def predict(self, X: Any, *, verbose: bool = False) -> Predictions:
        """Answer as the service does.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_rows, n_features)
        verbose : bool, default=False
            Give the neighbours, too.

        Returns
        -------
        dict of str to ndarray of float32
            ``predicted_label`` (n_rows,): the most frequent label of the k neighbours, or the mean of a regressor.
            (Where labels are identities a prediction says nothing.) With ``verbose`` also ``labels`` and
            ``distances``, (n_rows, k): in the order of **ascending distances**, which for L2 are squared, nearest
            first; for INNER_PRODUCT and COSINE they are similarities, and the best neighbour is the last.
        """
        self._check_fitted()
        rows = as_rows(X, "rows", self.n_features)
        n_rows, k = rows.shape[0], min(self.hyperparameters.k, len(self.labels_))
        vote = most_frequent_label if self.hyperparameters.predictor_type == "classifier" else mean_label
        predictions = {"predicted_label": np.empty(n_rows, np.float32)}
        if verbose:
            predictions |= {name: np.empty((n_rows, k), np.float32) for name in ("labels", "distances")}
        nearest_first = self.hyperparameters.index_metric == "L2"
        for part, labels, scores in self._rows.search(rows, k):
            predictions["predicted_label"][part] = vote(labels)
            if verbose and nearest_first:
                predictions["labels"][part] = labels
                np.subtract(0, scores, out=predictions["distances"][part])  # negated: -0 would be printed
            elif verbose:
                predictions["labels"][part] = labels[:, ::-1]
                predictions["distances"][part] = scores[:, ::-1]
        return predictions

    def evaluate(self, X: Any, y: npt.ArrayLike) -> dict[str, float]:
        """Judge predictions under the service's names.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_rows, n_features)
        y : array of shape (n_rows,)

        Returns
        -------
        dict of str to float
            Of a classifier ``accuracy`` and ``macro_f_1.000``, the mean of F1 over the labels that occur in ``y`` or
            in a prediction (0 where one is never predicted or never right; the service's log shows nan there). Of a
            regressor ``mse``.
        """
        predicted = self.predict(X)["predicted_label"].astype(np.float64)
        true = as_labels(y, "y", len(predicted), exact=False).astype(np.float64)
        if not len(true):
            raise DataError("there are no rows to judge")
        if self.hyperparameters.predictor_type == "regressor":
            return {"mse": float(np.mean((predicted - true) ** 2))}
        return accuracy_and_macro_f1(true, predicted)

    def __repr__(self) -> str:
        return f"KNN({self.hyperparameters.as_strings()})"
