"""RecordIO-protobuf: the format in which managed training and inference take rows and labels.

A file is one framed record after the other, each a protobuf message with a tensor of features and tensors of labels
by name [1]_. Dense and sparse tensors of float32, float64 and int32 are read, packed or not, their fields in any
order, and records of several parts. What is written is what the managed service's own SDK writes, byte for byte.

References
----------
.. [1] https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .. import _core
from .._atomic import atomic_file
from .._threads import resolve_n_jobs
from ..errors import DataError, FormatError
from ._record_arrays import as_features, as_label
from ._record_stream import Block, format_errors, open_records

__all__ = [
    "RecordIOWriter",
    "Records",
    "encode_labels",
    "iter_recordio",
    "read_recordio",
    "split_records",
    "write_recordio",
]

_ROWS_AT_ONCE = 1 << 16
_ENTRIES_AT_ONCE = 1 << 20
_RECORDS_AT_ONCE = 1 << 20
_BYTES_AT_ONCE = 1 << 24
_ENTRIES_PER_THREAD = 1 << 16  # below, waking a thread costs more than it does
_LENGTH = (1 << 29) - 1  # the bits of a frame's second word that are its length

Source = str | os.PathLike[str] | BinaryIO | bytes


@dataclass(frozen=True, eq=False, slots=True)
class Records:
    """Rows that were read.

    Attributes
    ----------
    features : csr_array or ndarray of shape (n_rows, n_features)
        The tensors named ``"values"``: of float32, float64, or int64 for tensors of int32; float64 where records
        differ. An ndarray if all records are dense, else CSR in the order of the file: neither sorted nor summed.
        Tensors of several dimensions are flat. Without features, (n_rows, 0).
    labels : dict of str to ndarray or csr_array
        By name: (n_rows,) for one number a record, else (n_rows, n).
    """

    features: Any
    labels: dict[str, Any]

    @property
    def n_rows(self) -> int:
        """Number of records."""
        return int(self.features.shape[0])

    @property
    def y(self) -> npt.NDArray[Any] | None:
        """The label ``"values"``, (n_rows,), or None.

        Raises
        ------
        DataError
            If records have more than one number there.
        """
        label = self.labels.get("values")
        if label is not None and label.ndim != 1:
            raise DataError(f"each record has {label.shape[1]} numbers under the label 'values': use .labels")
        return label


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
            piece = _core.recordio_encode(n_rows, features, labels, begin, end, _threads(n_entries, n_jobs))
        except ValueError as error:
            raise DataError(str(error)) from None
        yield piece
        begin = end


def _threads(n_entries: int, n_jobs: int | None) -> int:
    return 1 if n_entries < 2 * _ENTRIES_PER_THREAD else resolve_n_jobs(n_jobs)


def _write_all(file: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        n = file.write(left)  # a raw file may take less than it is given
        left = left[n if n is not None else len(left) :]


def iter_recordio(
    source: Source, *, rows_per_batch: int = _ROWS_AT_ONCE, n_features: int | None = None, n_jobs: int | None = None
) -> Iterator[Records]:
    """Read a file of records in batches, so that it may be larger than memory.

    Parameters
    ----------
    source : path-like, binary file or bytes
    rows_per_batch : int
        Records of every batch but the last. A file without records gives no batch.
    n_features : int, optional
        Elements that each record's features must have. Default: as many as the first record's.
    n_jobs : int, optional
        Threads; see `factorec.ItemIndex`.

    Yields
    ------
    Records
        Batches may differ in dtype and in whether they are sparse, as the records do.

    Raises
    ------
    FormatError
        If the file is cut off or anything in it is not as it must be, naming the record and the byte; if records
        differ in the names or sizes of their tensors; for a feature that is not ``"values"``.

    Examples
    --------
    >>> body = encode_labels({"score": np.arange(5)})
    >>> [records.n_rows for records in iter_recordio(body, rows_per_batch=2)]
    [2, 2, 1]
    """
    if rows_per_batch < 1:
        raise DataError(f"rows_per_batch must be at least 1, got {rows_per_batch}")
    return _iterate(source, rows_per_batch, None, n_features, n_jobs)


def read_recordio(source: Source, *, n_features: int | None = None, n_jobs: int | None = None) -> Records:
    """Read a file of records.

    Parameters
    ----------
    source : path-like, binary file or bytes
    n_features : int, optional
        Elements that each record's features must have. Default: as many as the first record's.
    n_jobs : int, optional
        Threads; see `factorec.ItemIndex`.

    Returns
    -------
    Records

    Raises
    ------
    FormatError
        See `iter_recordio`.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_recordio(file, np.array([[1.5, 0.0, 2.0]], dtype=np.float32))
    >>> read_recordio(file.getvalue()).features
    array([[1.5, 0. , 2. ]], dtype=float32)
    """
    batches = list(_iterate(source, _RECORDS_AT_ONCE, _BYTES_AT_ONCE, n_features, n_jobs))
    if not batches:
        return Records(sparse.csr_array((0, n_features or 0), dtype=np.float32), {})  # of any width
    if len(batches) == 1:
        return batches[0]
    names = batches[0].labels
    return Records(
        _stack([batch.features for batch in batches]),
        {name: _stack([batch.labels[name] for batch in batches]) for name in names},
    )


def _iterate(
    source: Source, max_records: int, max_bytes: int | None, n_features: int | None, n_jobs: int | None
) -> Iterator[Records]:
    if n_features is not None and not 0 <= n_features < 2**63:
        raise DataError(f"n_features must be from 0 to 2**63 - 1, got {n_features}")
    expected: dict[str, tuple[int, ...]] | None = None
    with open_records(source) as stream:
        while (block := stream.take(max_records, max_bytes)).n_records:
            with format_errors(stream.name):
                records = _decode(block, n_features, n_jobs)
                shapes = {name: label.shape[1:] for name, label in records.labels.items()}
                if expected not in (None, shapes):
                    place = f"records from {block.record} (byte {block.offset}) on"
                    raise FormatError(f"{place} have labels of shapes {shapes}, those before {expected}")
            expected = shapes
            n_features = records.features.shape[1]
            yield records


def _decode(block: Block, n_features: int | None, n_jobs: int | None) -> Records:
    begin, end = int(block.starts[0]), int(block.starts[-1])
    width = -1 if n_features is None else n_features
    threads = _threads((end - begin) // 8, n_jobs)
    n_rows, columns = _core.recordio_decode(block.data, begin, end, width, block.offset, block.record, threads)
    arrays = {(is_label, name): _as_array(column, n_rows, is_label) for is_label, name, column in columns}
    features = arrays.pop((False, "values"), None)
    if features is None:
        if n_features:
            raise FormatError(f"record {block.record}, byte {block.offset}: there are no features")
        features = np.empty((n_rows, 0), dtype=np.float32)
    return Records(features, {name: array for (_, name), array in arrays.items()})


def _as_array(column: Any, n_rows: int, is_label: bool) -> Any:
    if isinstance(column, np.ndarray):
        return column[:, 0] if is_label and column.shape[1] == 1 else column
    indptr, indices, data, n_columns = column
    return sparse.csr_array((data, indices, indptr), shape=(n_rows, n_columns))


def _stack(arrays: list[Any]) -> Any:
    if not any(sparse.issparse(array) for array in arrays):
        return np.concatenate(arrays)
    columns = [array if array.ndim == 2 else array[:, None] for array in arrays]
    return sparse.vstack([sparse.csr_array(array) for array in columns], format="csr")


def split_records(source: Source, *, strip_padding: bool = False, max_bytes: int | None = None) -> Iterator[bytes]:
    """Cut a file of records into its records, each with its frame.

    Parameters
    ----------
    source : path-like, binary file or bytes
    strip_padding : bool
        Leave out the zeros that fill up a record to a multiple of four bytes.
    max_bytes : int, optional
        How large a record may be, with its frame. A larger one is an error before much more than that is in memory.

    Yields
    ------
    bytes
        All parts of a record that has several. What the frames hold is not looked at.

    Raises
    ------
    FormatError
        If the file is cut off, holds something else than records or one that is too large, naming the record and the
        byte.

    Examples
    --------
    >>> body = encode_labels({"score": [0.4, 0.7]})
    >>> [len(record) for record in split_records(body)]
    [28, 28]
    """
    with open_records(source) as stream:
        stream.max_record = max_bytes
        while (block := stream.take(_ROWS_AT_ONCE, _BYTES_AT_ONCE)).n_records:
            for begin, end in zip(block.starts[:-1], block.starts[1:], strict=True):
                record = block.data[begin:end]
                yield _without_padding(record) if strip_padding else record


def _without_padding(record: bytes) -> bytes:
    at = 0
    while True:
        length = int.from_bytes(record[at + 4 : at + 8], "little") & _LENGTH
        end = at + 8 + length
        at += 8 + (length + 3) // 4 * 4
        if at >= len(record):
            return record[:end]
