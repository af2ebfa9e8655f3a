"""MXNet's ``.params`` files, read and written with numpy alone.

A file is a list of named arrays, little-endian (``NDArray::Save`` and ``Load`` in MXNet's ``src/ndarray/ndarray.cc``):
the magic number 0x112, a reserved 0, the count, the arrays, the count of names, the names. Four forms of an array
have been written over the years; all are read, dense arrays of the common one (V2) are written.

MXNet is not needed. Names usually begin with ``arg:`` or ``aux:``; they are returned as they stand.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import DataError, FormatError
from ._cursor import Cursor

__all__ = ["MXNetArray", "RowSparseArray", "read_params", "write_params"]

_LIST_MAGIC = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE, _ROW_SPARSE, _CSR = 0, 1, 2
_N_AUX = {_DENSE: 0, _ROW_SPARSE: 1, _CSR: 2}
_DEVICES = {1: "cpu", 2: "gpu", 3: "pinned", 5: "shared"}
_BFLOAT16 = 12
# By dtype flag. numpy has no bfloat16: its bits are widened to float32, which is exact.
_DTYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "u1", _BFLOAT16: "<u2"}
_BOOL = 7

# numpy's own limit was 32 for long. An array without a value takes 4 bytes of file but a Python object of memory, so
# their number is limited too: networks have hundreds.
_MAX_DIMS = 32
_MAX_ARRAYS = 1 << 16


@dataclass(frozen=True, eq=False)
class RowSparseArray:
    """An array of which only some rows are stored; the others are zero.

    Attributes
    ----------
    values : ndarray of shape (n_stored, ...)
        The stored rows.
    rows : ndarray of int64, shape (n_stored,)
        Their positions, ascending.
    shape : tuple of int
        Of the whole array. Not bounded by the size of the file it came from.

    Examples
    --------
    >>> RowSparseArray(np.array([[1.0, 2.0]]), np.array([1]), (2, 2)).toarray()
    array([[0., 0.],
           [1., 2.]])
    """

    values: npt.NDArray[Any]
    rows: npt.NDArray[np.int64]
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.values.dtype

    def toarray(self) -> npt.NDArray[Any]:
        """Make the whole array; takes memory for ``shape``, which the caller should have looked at."""
        full = np.zeros(self.shape, self.values.dtype)
        full[self.rows] = self.values
        return full


MXNetArray: TypeAlias = "npt.NDArray[Any] | RowSparseArray | sp.csr_array[Any] | None"


def read_params(data: bytes | bytearray | memoryview, *, name: str = "params") -> dict[str, MXNetArray]:
    """Read the arrays of a ``.params`` file.

    Parameters
    ----------
    data : bytes-like
        The whole file.
    name : str
        What errors call it.

    Returns
    -------
    dict of str to array
        In the order of the file. Dense: ndarray of float16, float32, float64, uint8, int8, int32, int64 or bool
        (bfloat16 is widened to float32). Row-sparse: `RowSparseArray`. CSR: ``scipy.sparse.csr_array`` (half
        precision widened to float32). None for an array that was saved without a value. A file without names has
        ``"0"``, ``"1"``, ...

    Raises
    ------
    FormatError
        For anything but a whole file; the message has the offset. Memory stays within a small multiple of ``data``.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_params(file, {"arg:v": np.array([[1], [2], [3]], np.float32)})
    >>> read_params(file.getvalue())["arg:v"].T
    array([[1., 2., 3.]], dtype=float32)
    """
    cursor = Cursor(data, name)
    if cursor.number("<Q", "the magic number") != _LIST_MAGIC:
        raise cursor.error("not a file of MXNet arrays: it does not begin with the magic number 0x112", 0)
    if cursor.number("<Q", "the reserved number") != 0:
        raise cursor.error("the reserved number is not 0", 8)
    count = cursor.number("<Q", "the number of arrays")
    if count > _MAX_ARRAYS:
        raise cursor.error(f"{count} arrays, at most {_MAX_ARRAYS} are read", 16)
    arrays = [_read_array(cursor) for _ in range(count)]
    names = _read_names(cursor, count)
    cursor.end()
    return dict(zip(names, arrays, strict=True))


def write_params(file: BinaryIO, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Write dense float32 arrays as a ``.params`` file, byte for byte as MXNet 1.x does.

    Parameters
    ----------
    file : binary file
        Open for writing.
    arrays : dict of str to ndarray of float32
        With at least one dimension and one entry: MXNet takes other shapes for unknown ones. The names get no
        prefix: give ``"arg:v"``, not ``"v"``.

    Raises
    ------
    DataError
        If an array has another dtype or no entry.
    """
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float32:
            raise DataError(f"array {key!r} must be a float32 array")
        if array.ndim == 0 or array.size == 0:
            raise DataError(f"array {key!r} has shape {array.shape}: MXNet needs at least one dimension and one entry")
    file.write(struct.pack("<QQQ", _LIST_MAGIC, 0, len(arrays)))
    for array in arrays.values():
        shape = struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
        file.write(struct.pack("<Ii", _V2, _DENSE) + shape + struct.pack("<iii", 1, 0, 0))  # cpu(0), float32
        file.write(np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8).data)
    file.write(struct.pack("<Q", len(arrays)))
    for key in arrays:
        encoded = key.encode()
        file.write(struct.pack("<Q", len(encoded)) + encoded)


def _read_names(cursor: Cursor, count: int) -> list[str]:
    start = cursor.offset
    n_names = cursor.number("<Q", "the number of names")
    if n_names == 0:
        return [str(i) for i in range(count)]
    if n_names != count:
        raise cursor.error(f"{n_names} names for {count} arrays", start)
    names: dict[str, None] = {}
    for _ in range(count):
        start = cursor.offset
        size = cursor.number("<Q", "the length of a name")
        try:
            text = bytes(cursor.take(size, "a name")).decode()
        except UnicodeDecodeError:
            raise cursor.error("a name is not UTF-8", start) from None
        if text in names:
            raise cursor.error(f"the name {text[:80]!r} occurs twice", start)
        names[text] = None
    return list(names)


def _read_array(cursor: Cursor) -> MXNetArray:
    start = cursor.offset
    magic = cursor.number("<I", "the magic number of an array")
    storage = _DENSE
    if magic in (_V2, _V3):
        storage = cursor.number("<i", "the storage type")
        # -1 stands for an array without a value, which has no shape either; there is nothing else to read.
        if storage not in (_DENSE, _ROW_SPARSE, _CSR, -1) or (magic == _V3 and storage > 0):
            raise cursor.error(f"storage type {storage} is not known", start + 4)
        stored = _read_shape(cursor, "q") if storage > 0 else None
        shape = _read_shape(cursor, "q")
    elif magic == _V1:
        stored, shape = None, _read_shape(cursor, "q")
    elif magic <= _MAX_DIMS:  # the first form of all: the number is the number of dimensions
        cursor.offset = start
        stored, shape = None, _read_shape(cursor, "I")
    else:
        raise cursor.error(f"{magic:#x} does not begin an array", start)
    # A number of dimensions of 0 meant "no value" until V3, where a scalar has it and -1 means that.
    if shape is None or (magic != _V3 and shape == ()):
        return None
    if storage == -1:
        raise cursor.error("an array of undefined storage has a shape", start)
    _check_device(cursor)
    flag = _read_flag(cursor)
    aux = [(_read_flag(cursor), _known(cursor, _read_shape(cursor, "q"))) for _ in range(_N_AUX[storage])]
    if storage == _DENSE:
        return _values(cursor, flag, shape)
    values = _values(cursor, flag, _known(cursor, stored))
    at = cursor.offset
    indices = [_values(cursor, *part) for part in aux]
    for array in indices:
        if array.ndim != 1 or array.dtype.kind != "i":
            raise cursor.error("indices of a sparse array must be integers in one dimension", at)
    if storage == _ROW_SPARSE:
        return _row_sparse(cursor, at, values, indices[0], shape)
    return _csr(cursor, at, values, indices[0], indices[1], shape)


def _read_shape(cursor: Cursor, code: str) -> tuple[int, ...] | None:
    """Read a number of dimensions and the dimensions; None where it says unknown."""
    start = cursor.offset
    n_dims = cursor.number("<i", "the number of dimensions")
    if n_dims == -1:
        return None
    if not 0 <= n_dims <= _MAX_DIMS:
        raise cursor.error(f"{n_dims} dimensions, expected 0 to {_MAX_DIMS}", start)
    part = cursor.take(n_dims * struct.calcsize("<" + code), "a shape")
    shape = struct.unpack(f"<{n_dims}{code}", part)
    if -1 in shape:
        return None
    # numpy refuses more entries than bytes can be addressed, a dimension of 0 among them or not.
    if min(shape, default=0) < 0 or math.prod(size or 1 for size in shape) >= 1 << 59:
        raise cursor.error(f"the shape {str(shape)[:80]} is not possible", start)
    return shape


def _known(cursor: Cursor, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is None:
        raise cursor.error("a part of a sparse array has no shape")
    return shape


def _check_device(cursor: Cursor) -> None:
    start = cursor.offset
    device, number = cursor.number("<i", "the device"), cursor.number("<i", "the device's number")
    if device not in _DEVICES or number < 0:
        raise cursor.error(f"device {device}, number {number} is not known", start)


def _read_flag(cursor: Cursor) -> int:
    flag = cursor.number("<i", "the dtype")
    if flag not in _DTYPES:
        raise cursor.error(f"dtype flag {flag} is not known", cursor.offset - 4)
    return flag


def _values(cursor: Cursor, flag: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    array = cursor.array(np.dtype(_DTYPES[flag]), math.prod(shape), f"the values of shape {str(shape)[:80]}")
    if flag == _BFLOAT16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    elif flag == _BOOL:
        array = array != 0
    return array.reshape(shape)


def _row_sparse(
    cursor: Cursor, at: int, values: npt.NDArray[Any], rows: npt.NDArray[Any], shape: tuple[int, ...]
) -> RowSparseArray:
    if values.shape != (len(rows), *shape[1:]):
        raise cursor.error(f"{len(rows)} row numbers and values of shape {values.shape} for shape {shape}", at)
    rows = rows.astype(np.int64, copy=False)
    if len(rows) and (rows[0] < 0 or rows[-1] >= shape[0] or (rows[1:] <= rows[:-1]).any()):
        raise cursor.error(f"row numbers must ascend from 0 to at most {shape[0] - 1}", at)
    return RowSparseArray(values, rows, shape)


def _csr(
    cursor: Cursor,
    at: int,
    values: npt.NDArray[Any],
    indptr: npt.NDArray[Any],
    indices: npt.NDArray[Any],
    shape: tuple[int, ...],
) -> sp.csr_array[Any]:
    if len(shape) != 2 or values.ndim != 1 or len(indptr) != shape[0] + 1 or len(indices) != len(values):
        raise cursor.error(
            f"values of shape {values.shape}, {len(indices)} columns and {len(indptr)} row bounds for shape {shape}", at
        )
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
        raise cursor.error(f"row bounds must rise from 0 to {len(indices)}", at)
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        raise cursor.error(f"column numbers must be from 0 to {shape[1] - 1}", at)
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    try:
        return sp.csr_array((values, indices, indptr), shape=shape)
    except (ValueError, TypeError, OverflowError) as error:  # pragma: no cover (what scipy may check one day)
        raise FormatError(f"{cursor.name}, offset {at}: {error}") from None
