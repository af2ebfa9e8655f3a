"""RecordIO-protobuf: the format in which managed training and inference take rows and labels.

A file is one framed record after the other, each a protobuf message with a tensor of features and tensors of labels
by name [1]_. Dense and sparse tensors of float32, float64 and int32 are read, packed or not, their fields in any
order, and records of several parts. What is written is what the managed service's own SDK writes, byte for byte.

References
----------
.. [1] https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .. import _core
from ..errors import DataError, FormatError
from ._record_stream import Block, format_errors, open_records
from ._record_writing import RecordIOWriter, encode_labels, n_threads_for, write_recordio

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
_RECORDS_AT_ONCE = 1 << 20
_BYTES_AT_ONCE = 1 << 24
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

    Examples
    --------
    >>> records = read_recordio(encode_labels({"score": [0.4, 0.7]}))
    >>> records.n_rows, records.y, list(records.labels)
    (2, None, ['score'])
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
    threads = n_threads_for((end - begin) // 8, n_jobs)
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
