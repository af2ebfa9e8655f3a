"""The artifact of the managed service's k-nearest-neighbours algorithm, ``model.tar.gz``, read and written.

Inside are ``model_algo-1`` (an index of FAISS, see `faiss_index`), ``model_algo-1.labels`` (float32, one a vector) and
``model_algo-1.json``. That a label stands at the position of its vector's id in the index is a guess: the service does
not document it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, FormatError
from ._archive import INNER, parse_object, read_files, write_files
from .faiss_index import read_faiss_index, write_faiss_index

__all__ = [
    "DRAWN_BY",
    "LARGEST_LABEL",
    "KNNArtifact",
    "holds_knn",
    "is_knn_file",
    "knn_artifact_of_files",
    "read_knn_artifact",
    "write_knn_artifact",
]

_LABELS, _META = f"{INNER}.labels", f"{INNER}.json"
_PREDICTOR_TYPES = ("classifier", "regressor")
LARGEST_LABEL = 1 << 24  # of the whole numbers that float32 tells apart
_METRICS = ("INNER_PRODUCT", "COSINE", "L2")
# Stands in dimension_reduction of what this library wrote: the seed says which projection it was. The service's
# does not: how it draws one is not known.
DRAWN_BY = {"drawn_by": "factorec"}


@dataclass(frozen=True, eq=False)
class KNNArtifact:
    """Labelled vectors as the managed service stores them.

    Attributes
    ----------
    vectors : ndarray of float32, shape (n, d)
        Of length 1 for ``"COSINE"``.
    labels : ndarray of float32, shape (n,)
    k : int
    predictor_type : {"classifier", "regressor"}
    metric : {"INNER_PRODUCT", "COSINE", "L2"}
    meta : dict
        ``model_algo-1.json``, parsed.
    """

    vectors: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    k: int
    predictor_type: str
    metric: str
    meta: dict[str, Any] = field(default_factory=dict)


def read_knn_artifact(path: str | os.PathLike[str], *, max_size: int | None = None) -> KNNArtifact:
    """Read a model that was trained by the managed service, or written by `write_knn_artifact`.

    Parameters
    ----------
    path : path-like
        ``model.tar.gz``, or a folder with that or with the files inside.
    max_size : int, optional
        The most bytes that the archive may unpack to. None: 100 times its size, at least 256 MiB.

    Returns
    -------
    KNNArtifact
        ``k`` and ``predictor_type`` may have been edited after training. The metric is the index's; inner product with
        ``normalize`` set is read as cosine, which is a guess.

    Raises
    ------
    FormatError
        If the artifact is damaged or hostile, its parts contradict each other, a value is not finite, the index keeps
        only codes of its vectors (``faiss.IVFPQ``), or the service reduced the dimension: that projection is not in
        the artifact, so queries could not be put through it.
    OSError
        If the path cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/model.tar.gz"
    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    >>> write_knn_artifact(path, vectors, [5, 7], k=1, predictor_type="classifier", metric="INNER_PRODUCT")
    >>> read_knn_artifact(path).labels
    array([5., 7.], dtype=float32)
    """
    files, name, _ = read_files(path, is_knn_file, max_size)
    return knn_artifact_of_files(files, name)


def is_knn_file(name: str) -> bool:
    """Whether a file's name (without folders) is one that an artifact of k-nearest neighbours has."""
    return name in (INNER, _LABELS, _META)


def holds_knn(files: Mapping[str, bytes]) -> bool:
    """Whether files of an artifact are those of k-nearest neighbours; ``model_algo-1`` alone is not."""
    return _LABELS in files or _META in files


def knn_artifact_of_files(files: Mapping[str, bytes], name: str) -> KNNArtifact:
    """Read a model from the files of an artifact; see `read_knn_artifact`."""
    for file in (INNER, _LABELS, _META):
        if file not in files:
            raise FormatError(f"{name}: holds no {file!r}, found {sorted(files)}: not a k-nearest-neighbours model")
    meta = parse_object(files[_META], f"{name}: {_META}")
    k, predictor_type = _k(meta.get("k"), f"{name}: {_META}"), meta.get("predictor_type")
    if predictor_type not in _PREDICTOR_TYPES:
        known = " or ".join(_PREDICTOR_TYPES)
        raise FormatError(f"{name}: {_META} has the predictor_type {str(predictor_type)!r:.80}, expected {known}")
    reduction = meta.get("dimension_reduction")
    kind = reduction.get("type") if isinstance(reduction, dict) else reduction
    if kind and not (isinstance(reduction, dict) and DRAWN_BY.items() <= reduction.items()):
        raise FormatError(
            f"{name}: trained with dimension_reduction_type {str(kind)!r:.80}, whose projection is not in the "
            "artifact; train without it"
        )
    vectors, metric = read_faiss_index(files[INNER], name=f"{name}: {INNER}")
    n_bytes = len(files[_LABELS])
    if n_bytes != 4 * len(vectors):
        raise FormatError(f"{name}: {_LABELS} has {n_bytes} bytes, expected 4 for each of {len(vectors)} vectors")
    labels = np.frombuffer(files[_LABELS], "<f4").astype(np.float32)
    for what, array in ((INNER, vectors), (_LABELS, labels)):
        if not np.isfinite(array).all():
            raise FormatError(f"{name}: {what} holds values that are not finite")
    if not len(vectors):
        raise FormatError(f"{name}: {INNER} holds no vectors")
    if meta.get("normalize") and metric == "INNER_PRODUCT":
        metric = "COSINE"
    return KNNArtifact(vectors, labels, k, str(predictor_type), metric, meta)


def write_knn_artifact(
    path: str | os.PathLike[str],
    vectors: npt.NDArray[np.float32],
    labels: npt.ArrayLike,
    *,
    k: int,
    predictor_type: str,
    metric: str,
    dimension_reduction: Mapping[str, Any] | None = None,
) -> None:
    """Write labelled vectors as the managed service stores them, atomically; the same model gives the same bytes.

    The index is flat: ``faiss.read_index`` opens it, and FAISS is not needed to write it.

    Parameters
    ----------
    path : path-like
        ``model.tar.gz``; or a folder that is there, which gets the three files, as a training container leaves them in
        ``/opt/ml/model``.
    vectors : ndarray of float32, shape (n, d)
        For ``"COSINE"`` they are stored with length 1 (a zero vector, and one whose length is 1 already, as it is).
    labels : array-like of shape (n,)
        Stored as float32.
    k : int
    predictor_type : {"classifier", "regressor"}
    metric : {"INNER_PRODUCT", "COSINE", "L2"}
    dimension_reduction : mapping, optional
        With ``type``, ``seed``, ``target_dim`` and ``input_dim``, if the vectors have been projected by
        `factorec.sagemaker.KNN`.

    Raises
    ------
    DataError
        If an argument is something else, a value is not finite, or an integer label cannot be told from another as
        float32 (beyond 16,777,216).
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_knn_artifact(folder, np.eye(2, dtype=np.float32), [5, 7], k=1, predictor_type="classifier", metric="L2")
    >>> sorted(os.listdir(folder))
    ['model_algo-1', 'model_algo-1.json', 'model_algo-1.labels']
    """
    if metric not in _METRICS:
        raise DataError(f"metric is {metric!r}, expected one of {', '.join(_METRICS)}")
    if predictor_type not in _PREDICTOR_TYPES:
        raise DataError(f"predictor_type is {predictor_type!r}, expected {' or '.join(_PREDICTOR_TYPES)}")
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise DataError(f"k is {k!r}, expected an integer of at least 1")
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.size:
        raise DataError("vectors must be a float32 array of shape (n, d), not empty")
    stored = _stored_labels(labels, len(vectors))
    if not np.isfinite(vectors).all():
        raise DataError("vectors holds values that are not finite")
    if metric == "COSINE":
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        there = (lengths == 0) | (np.abs(lengths - 1) < 2.0**-20)  # so that writing what was read changes nothing
        vectors = (vectors / np.where(there, 1, lengths)).astype(np.float32)
    index = io.BytesIO()
    write_faiss_index(index, vectors, "L2" if metric == "L2" else "INNER_PRODUCT")
    # What the service writes there without a reduction is not documented: null is a guess.
    meta = {
        "k": int(k),
        "predictor_type": predictor_type,
        "dimension_reduction": None if dimension_reduction is None else dict(dimension_reduction) | DRAWN_BY,
        "normalize": metric == "COSINE",
        "version": "1.0",
    }
    write_files(path, {INNER: index.getvalue(), _LABELS: stored.tobytes(), _META: json.dumps(meta).encode()})


def _k(value: Any, name: str) -> int:
    # As hyperparameters travel as strings, an edited file may have one.
    text = "" if isinstance(value, bool) else str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise FormatError(f"{name} has the k {str(value)!r:.80}, expected an integer of at least 1")
    return int(text)


def _stored_labels(labels: npt.ArrayLike, n: int) -> npt.NDArray[np.float32]:
    given = np.asarray(labels)
    if given.shape != (n,) or given.dtype.kind not in "fiu":
        raise DataError(f"labels must be numbers of shape ({n},), got {given.dtype} of shape {given.shape}")
    with np.errstate(over="ignore"):
        stored = given.astype("<f4")
    if not np.isfinite(stored).all():
        raise DataError("labels holds values that are not finite float32")
    if given.dtype.kind in "iu":
        beyond = np.flatnonzero((given > LARGEST_LABEL) | (given < -LARGEST_LABEL))
        if len(beyond):
            at = beyond[0]
            raise DataError(
                f"labels[{at}] is {given[at]}: float32 does not tell integers beyond {LARGEST_LABEL} apart; number "
                "the vectors instead"
            )
    return stored
