"""The SDK's functions for records of protobuf messages, under the SDK's names.

`factorec.formats.recordio` has the native ones: they read straight into arrays, write dense and sparse alike and take
more dtypes. These here do what ``sagemaker.amazon.common`` of the SDK does, byte for byte, with two exceptions: labels
must be as many as rows (the SDK takes as many as columns too, and then drops labels or fails half-way), and a file
that is cut off is an error (the SDK returns what there is).
"""

from __future__ import annotations

import contextlib
import gc
import io
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np
from scipy import sparse

from .. import _core
from ..errors import DataError, FormatError
from ..formats._record_stream import format_errors, open_records
from ..formats.recordio import write_recordio
from ._record_objects import Bytes, Record, Tensor, Value, empty_map
from .messages.content_types import RECORDIO

__all__ = [
    "Bytes",
    "Record",
    "RecordDeserializer",
    "RecordSerializer",
    "Tensor",
    "Value",
    "read_records",
    "write_numpy_to_dense_tensor",
    "write_spmatrix_to_sparse_tensor",
]

_DTYPES = tuple(np.dtype(name) for name in ("int64", "float64", "float32"))
_TENSORS = {2: "float32_tensor", 3: "float64_tensor", 7: "int32_tensor"}  # field number -> name, in a Value
_BYTES = 9
_RECORDS_AT_ONCE = 1 << 12


def write_numpy_to_dense_tensor(file: BinaryIO, array: Any, labels: Any = None) -> None:
    """Write a matrix, one record with a dense tensor a row.

    Parameters
    ----------
    file : binary file
    array : ndarray of shape (n_rows, n_columns)
        Of int64, float64 or float32, which become tensors of int32, float64 and float32.
    labels : ndarray of shape (n_rows,), optional
        Of the same dtypes.

    Raises
    ------
    DataError
        With the SDK's messages, a ValueError as there.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> write_numpy_to_dense_tensor(file, np.array([[1.5, 0.0]]), np.array([1.0]))
    >>> _ = file.seek(0)
    >>> read_records(file)[0].features["values"].float64_tensor.values
    [1.5, 0.0]
    """
    array = np.asarray(array)
    _write(file, array, labels)


def write_spmatrix_to_sparse_tensor(file: BinaryIO, array: Any, labels: Any = None) -> None:
    """Write a sparse matrix, one record with a sparse tensor a row.

    Parameters
    ----------
    file : binary file
    array : scipy sparse, (n_rows, n_columns)
        Of int64, float64 or float32, which become tensors of int32, float64 and float32.
    labels : ndarray of shape (n_rows,), optional
        Of the same dtypes.

    Raises
    ------
    TypeError
        If the array is not sparse.
    DataError
        With the SDK's messages, a ValueError as there.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> write_spmatrix_to_sparse_tensor(file, sparse.csr_array(np.array([[0.0, 1.5]])))
    >>> _ = file.seek(0)
    >>> read_records(file)[0].features["values"].float64_tensor
    Tensor(values=[1.5], keys=[1], shape=[2])
    """
    if not sparse.issparse(array):
        raise TypeError("Array must be sparse")
    _write(file, array, labels)


def _write(file: BinaryIO, array: Any, labels: Any) -> None:
    """Check as the SDK does, in its order."""
    if len(array.shape) != 2:
        raise DataError("Array must be a Matrix")
    if labels is not None:
        labels = np.asarray(labels)
        if labels.ndim != 1:
            raise DataError("Labels must be a Vector")
        if len(labels) != array.shape[0]:
            raise DataError(f"Label shape {labels.shape} not compatible with array shape {array.shape}")
        _check_dtype(labels.dtype)
    _check_dtype(array.dtype)
    write_recordio(file, array, labels)


def _check_dtype(dtype: Any) -> None:
    if dtype not in _DTYPES:
        raise DataError(f"Unsupported dtype {dtype} on array")


def read_records(file: Any) -> list[Record]:
    """Read all records as objects that have the SDK's attributes.

    Parameters
    ----------
    file : binary file, path-like or bytes

    Returns
    -------
    list of Record

    Raises
    ------
    FormatError
        If the file is cut off or anything in it is not as it must be, naming the record and the byte.

    Examples
    --------
    >>> from factorec.formats.recordio import encode_labels
    >>> record = read_records(io.BytesIO(encode_labels({"score": [0.5]})))[0]
    >>> record.label["score"].float32_tensor.values
    [0.5]
    """
    records = []
    with _without_collector(), open_records(file) as stream:
        while (block := stream.take(_RECORDS_AT_ONCE)).n_records:
            begin, end = int(block.starts[0]), int(block.starts[-1])
            with format_errors(stream.name):
                messages = _core.recordio_messages(block.data, begin, end, block.offset, block.record)
                for features, label, *texts in messages:
                    records.append(Record(_as_map(features), _as_map(label), *map(_as_text, texts)))
    return records


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles: there are none, and looking takes seven times what reading does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _as_map(entries: list[tuple[bytes, tuple[Any, ...]]]) -> defaultdict[str, Value]:
    values = empty_map()
    for name, (number, numbers, keys, shape, contents, content_type) in entries:
        value = Value()
        if number == _BYTES:
            value = Value("bytes", Bytes(contents, _as_text(content_type)))
        elif number in _TENSORS:
            value = Value(_TENSORS[number], Tensor(numbers, keys, shape))
        values[_as_text(name)] = value
    return values


def _as_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FormatError(f"a text of the record is not UTF-8: {raw[:40]!r}") from None


class RecordSerializer:
    """Turns an array into the body of a request.

    Parameters
    ----------
    content_type : str

    Examples
    --------
    >>> serializer = RecordSerializer()
    >>> serializer.CONTENT_TYPE
    'application/x-recordio-protobuf'
    >>> len(serializer.serialize(np.array([1.5, 0.0, 2.0], dtype=np.float32)).read())
    36
    """

    def __init__(self, content_type: str = RECORDIO) -> None:
        self.content_type = content_type

    @property
    def CONTENT_TYPE(self) -> str:
        """What the endpoint is told."""
        return self.content_type

    def serialize(self, data: Any) -> io.BytesIO:
        """Return dense records in a file that stands at its beginning.

        Parameters
        ----------
        data : ndarray of shape (n_columns,) or (n_rows, n_columns)

        Raises
        ------
        DataError
            For other shapes and dtypes, with the SDK's messages.
        """
        array = np.asarray(data)
        if array.ndim == 1:
            array = array.reshape(1, -1)
        if array.ndim != 2:
            raise DataError(f"Expected a 1D or 2D array, but got a {array.ndim}D array instead.")
        buffer = io.BytesIO()
        write_numpy_to_dense_tensor(buffer, array)
        buffer.seek(0)
        return buffer


class RecordDeserializer:
    """Turns the body of a response into records.

    Parameters
    ----------
    accept : str or tuple of str
        Content types that are asked for.

    Examples
    --------
    >>> from factorec.formats.recordio import encode_labels
    >>> body = io.BytesIO(encode_labels({"score": [0.5]}))
    >>> RecordDeserializer().deserialize(body, "application/x-recordio-protobuf")[0].label["score"].WhichOneof("value")
    'float32_tensor'
    """

    def __init__(self, accept: str | tuple[str, ...] = RECORDIO) -> None:
        self.accept = accept

    @property
    def ACCEPT(self) -> tuple[str, ...]:
        """Content types that are asked for."""
        return self.accept if isinstance(self.accept, tuple) else (self.accept,)

    def deserialize(self, data: Any, content_type: str) -> list[Record]:
        """Read all records and close the stream.

        Parameters
        ----------
        data : binary file
        content_type : str
            Not looked at, as in the SDK.
        """
        try:
            return read_records(data)
        finally:
            cast("BinaryIO", data).close()
