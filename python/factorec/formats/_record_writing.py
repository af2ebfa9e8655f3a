"""Arrays into records of RecordIO-protobuf; `factorec.formats.recordio` offers it beside the reading."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .. import _core
from .._atomic import atomic_file
from .._threads import resolve_n_jobs
from ..errors import DataError
from ._record_arrays import as_features, as_label

__all__ = ["RecordIOWriter", "encode_labels", "n_threads_for", "write_recordio"]

_ROWS_AT_ONCE = 1 << 16
_ENTRIES_AT_ONCE = 1 << 20
_ENTRIES_PER_THREAD = 1 << 16  # below, waking a thread costs more than it does


class RecordIOWriter:
    """Writes a file of records piece by piece, as a context manager.

    Parameters
    ----------
    target : path-like or binary file
        A path appears when the block has ended without an error, replacing an old file.
    dtype, label_dtype : dtype, optional
        float32, float64 or int64, which become tensors of float32, float64 and int32. Default: the arrays' own;
        integers and bools of other sizes are written as int64, float16 as float32.
    n_jobs : int, optional
        Threads; see `factorec.ItemIndex`.

    Attributes
    ----------
    n_rows : int
        Records written so far.

    Examples
    --------
    >>> import io
    >>> from factorec.formats.recordio import read_recordio
    >>> file = io.BytesIO()
    >>> with RecordIOWriter(file) as writer:
    ...     writer.write(np.eye(3, dtype=np.float32), np.ones(3, dtype=np.float32))
    ...     writer.write(np.zeros((1, 3), dtype=np.float32), np.zeros(1, dtype=np.float32))
    >>> read_recordio(file.getvalue()).y
    array([1., 1., 1., 0.], dtype=float32)
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        *,
        dtype: npt.DTypeLike | None = None,
        label_dtype: npt.DTypeLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_rows = 0
        self._target = target
        self._dtypes = dtype, label_dtype
        self._n_jobs = n_jobs
        self._file: Any = None
        self._form: tuple[int, bool] | None = None  # columns, and whether rows have labels
        self._open = contextlib.ExitStack()

    def __enter__(self) -> RecordIOWriter:
        if isinstance(self._target, str | os.PathLike):
            self._file = self._open.enter_context(atomic_file(self._target))
        else:
            self._file = self._target
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file = None
        self._open.__exit__(kind, error, traceback)

    def write(self, X: Any, y: npt.ArrayLike | None = None) -> None:
        """Append rows.

        Parameters
        ----------
        X : ndarray or scipy sparse, (n_rows, n_features)
            Entries are written as they are stored: explicit zeros and duplicates too.
        y : array-like of shape (n_rows,), optional

        Raises
        ------
        DataError
            If the arrays do not fit each other or what was written before, have a dtype that no tensor has, or hold
            an integer that is no int32. Nothing of the batch in which that is has been written then.
        """
        if self._file is None:
            raise DataError("a RecordIOWriter writes inside of its with block only")
        features, n_rows, n_columns = as_features(X, self._dtypes[0])
        labels = [] if y is None else [("values", as_label(y, self._dtypes[1], n_rows))]
        form = n_columns, y is not None
        before = self._form or form
        if form != before:
            told = [f"{width} columns with{'' if labels else 'out'} labels" for width, labels in (form, before)]
            raise DataError(f"these rows have {told[0]}, the rows before have {told[1]}")
        self._form = form
        for piece in _encode(n_rows, features, labels, self._n_jobs):
            _write_all(self._file, piece)
        self.n_rows += n_rows


def write_recordio(
    target: str | os.PathLike[str] | BinaryIO,
    X: Any,
    y: npt.ArrayLike | None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    label_dtype: npt.DTypeLike | None = None,
    n_jobs: int | None = None,
) -> None:
    """Write a matrix as one record a row: dense tensors for an ndarray, sparse ones for a sparse matrix.

    Parameters
    ----------
    target : path-like or binary file
        A path is written atomically.
    X : ndarray or scipy sparse, (n_rows, n_features)
        Entries are written as they are stored: explicit zeros and duplicates too.
    y : array-like of shape (n_rows,), optional
        Becomes the label ``"values"``.
    dtype, label_dtype : dtype, optional
        What X and y are written as: float32, float64 or int64, which become tensors of float32, float64 and int32.
        Default: their own; integers and bools of other sizes are written as int64, float16 as float32. Managed
        factorization machines train on float32 only.
    n_jobs : int, optional
        Threads; see `factorec.ItemIndex`.

    Raises
    ------
    DataError
        If the arrays do not fit each other, have a dtype that no tensor has, or hold an integer that is no int32.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from scipy import sparse
    >>> from factorec.formats.recordio import read_recordio
    >>> path = tempfile.mkdtemp() + "/train.pbr"
    >>> write_recordio(path, sparse.csr_array(np.eye(3, 5)), [1, 0, 1], dtype="float32", label_dtype="float32")
    >>> records = read_recordio(path)
    >>> records.features.shape, records.y
    ((3, 5), array([1., 0., 1.], dtype=float32))
    """
    with RecordIOWriter(target, dtype=dtype, label_dtype=label_dtype, n_jobs=n_jobs) as writer:
        writer.write(X, y)


def encode_labels(columns: Mapping[str, npt.ArrayLike], *, n_jobs: int | None = None) -> bytes:
    """Return one framed record a row that holds labels alone, as responses do.

    Parameters
    ----------
    columns : dict of str to array-like of shape (n_rows,) or (n_rows, n)
        Each becomes a tensor of float32 under its name, in this order.
    n_jobs : int, optional
        Threads; see `factorec.ItemIndex`.

    Raises
    ------
    DataError
        If there are no columns, or their lengths differ.

    Examples
    --------
    >>> from factorec.formats.recordio import read_recordio
    >>> body = encode_labels({"score": [0.4, 0.7], "predicted_label": [0.0, 1.0]})
    >>> read_recordio(body).labels["score"]
    array([0.4, 0.7], dtype=float32)
    """
    labels = [(name, as_label(column, np.float32, None, n_dims=(1, 2))) for name, column in columns.items()]
    lengths = {name: len(label) for name, label in labels}
    if len(set(lengths.values())) != 1:
        raise DataError(f"labels must have one length, got {lengths}")
    return b"".join(_encode(next(iter(lengths.values())), None, labels, n_jobs))


def _encode(
    n_rows: int, features: Any, labels: list[tuple[str, npt.NDArray[Any]]], n_jobs: int | None
) -> Iterator[bytes]:
    """The records of all rows, in pieces that the processor's caches hold."""
    width = sum(label[:1].size for _, label in labels) + (features.shape[1] if isinstance(features, np.ndarray) else 0)
    indptr = features[0] if isinstance(features, tuple) else None
    begin = 0
    while begin < n_rows:
        end = min(n_rows, begin + max(1, min(_ROWS_AT_ONCE, _ENTRIES_AT_ONCE // max(1, width))))
        if indptr is not None:
            most = int(np.searchsorted(indptr[begin : end + 1], indptr[begin] + _ENTRIES_AT_ONCE, "right")) - 1
            end = begin + max(1, min(end - begin, most))
        n_entries = (end - begin) * (1 + width) + (int(indptr[end] - indptr[begin]) if indptr is not None else 0)
        try:
            piece = _core.recordio_encode(n_rows, features, labels, begin, end, n_threads_for(n_entries, n_jobs))
        except ValueError as error:
            raise DataError(str(error)) from None
        yield piece
        begin = end


def n_threads_for(n_entries: int, n_jobs: int | None) -> int:
    """Threads for records of that many numbers: one where there are few."""
    return 1 if n_entries < 2 * _ENTRIES_PER_THREAD else resolve_n_jobs(n_jobs)


def _write_all(file: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        n = file.write(left)  # a raw file may take less than it is given
        left = left[n if n is not None else len(left) :]
