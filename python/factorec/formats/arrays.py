"""Ids and sparse matrices as the plain arrays that a model file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .. import _core
from ..errors import DataError, FormatError
from .schema import TensorSpec

__all__ = ["csr_schema", "ids_schema", "pack_csr", "pack_ids", "unpack_csr", "unpack_ids"]

Tensors = Mapping[str, npt.NDArray[Any]]


def pack_ids(name: str, ids: npt.NDArray[Any] | Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """Turn ids into arrays: integers as int64, strings as their UTF-8 bytes and where each begins.

    Parameters
    ----------
    name : str
        Prefix of the arrays' names.
    ids : array-like of int or str, shape (n,)

    Returns
    -------
    dict of str to ndarray
        ``{name: int64 (n,)}``, or ``{name.bytes: uint8, name.offsets: int64 (n + 1,)}``.

    Raises
    ------
    DataError
        If an id is neither, beyond int64, or the kinds are mixed.

    Examples
    --------
    >>> pack_ids("items", np.array(["a", "né"], dtype=object))["items.offsets"]
    array([0, 1, 4])
    """
    # A list goes through objects: numpy would turn [1, "a"] into strings.
    array = ids if isinstance(ids, np.ndarray) else np.array(ids, dtype=object)
    if array.ndim != 1:
        raise DataError(f"{name}: ids must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind not in "iuOU":
        raise DataError(f"{name}: ids of dtype {array.dtype} cannot be stored, only integers and strings")
    if array.dtype.kind == "i":
        return {name: array.astype(np.int64)}
    values = array.tolist()
    is_text = array.dtype.kind == "U" or (len(values) > 0 and isinstance(values[0], str))
    for row, value in enumerate(values if array.dtype.kind == "O" else ()):
        if not isinstance(value, str if is_text else int) or isinstance(value, bool):
            raise DataError(f"{name}: id {value!r} at row {row}: ids must be all integers or all strings")
    if not is_text:
        try:
            return {name: np.array(values, dtype=np.int64)}
        except OverflowError:
            raise DataError(f"{name}: id {max(values, key=abs)} is beyond int64") from None
    try:
        encoded = [value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise DataError(f"{name}: id {error.object!r} is not valid text ({error.reason})") from None
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    return {f"{name}.bytes": np.frombuffer(b"".join(encoded), np.uint8), f"{name}.offsets": offsets}


def unpack_ids(tensors: Tensors, name: str, size: int | None = None) -> npt.NDArray[Any]:
    """Turn the arrays of `pack_ids` back into ids.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Arrays as read from a file, dtypes already checked by `ids_schema`.
    name : str
        As given to `pack_ids`.
    size : int, optional
        How many ids there must be.

    Returns
    -------
    ndarray of shape (n,)
        int64 (the array of the file itself), or object with a ``str`` in each place.

    Raises
    ------
    FormatError
        If the arrays do not describe ids.

    Examples
    --------
    >>> unpack_ids(pack_ids("items", ["a", "né"]), "items")
    array(['a', 'né'], dtype=object)
    """
    as_text = {f"{name}.bytes", f"{name}.offsets"}
    present = {name, *as_text} & tensors.keys()
    if present == {name}:
        ids = tensors[name]
    elif present == as_text:
        ids = _decode(tensors[f"{name}.bytes"], tensors[f"{name}.offsets"], name)
    else:
        raise FormatError(
            f"ids {name!r} need either one array of integers or bytes with offsets, found {sorted(present)}"
        )
    if size is not None and len(ids) != size:
        raise FormatError(f"there are {len(ids)} ids {name!r}, expected {size}")
    return ids


def _decode(data: npt.NDArray[Any], offsets: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    check_offsets(f"{name}.offsets", offsets, data.size)
    raw = data.tobytes()
    bounds = offsets.tolist()
    ids = np.empty(len(bounds) - 1, dtype=object)
    try:
        if raw.isascii():  # one decoding for all: a character is a byte
            text = raw.decode("ascii")
            ids[:] = [text[a:b] for a, b in pairwise(bounds)]
        else:
            ids[:] = [raw[a:b].decode() for a, b in pairwise(bounds)]
    except UnicodeDecodeError as error:
        raise FormatError(f"array '{name}.bytes' is not UTF-8 ({error})") from None
    return ids


def ids_schema(name: str, size: int | str) -> dict[str, TensorSpec]:
    """Make the schema of `pack_ids`, either kind.

    Parameters
    ----------
    name : str
        As given to `pack_ids`.
    size : int or str
        How many ids there must be, or the name of that size in the schema.

    Returns
    -------
    dict of str to TensorSpec
        All optional: that one kind is whole is for `unpack_ids` to check.
    """
    after = size + 1 if isinstance(size, int) else f"{size}+1"
    return {
        name: TensorSpec("int64", (size,), optional=True),
        f"{name}.bytes": TensorSpec("uint8", (_size_name(name, "n_bytes"),), optional=True),
        f"{name}.offsets": TensorSpec("int64", (after,), optional=True),
    }


def pack_csr(name: str, matrix: Any) -> dict[str, npt.NDArray[Any]]:
    """Turn a sparse matrix into arrays.

    Parameters
    ----------
    name : str
        Prefix of the arrays' names.
    matrix : sparse matrix or array of shape (n_rows, n_columns)
        Converted to CSR; values to float32. Where all of them are 1 they are not stored.

    Returns
    -------
    dict of str to ndarray
        ``name.indptr`` (n_rows + 1,) and ``name.indices`` (n_stored,) of int32 or int64, ``name.data``
        (n_stored,) of float32, left out where every value is 1.

    Examples
    --------
    >>> sorted(pack_csr("history", sp.eye(3)))
    ['history.indices', 'history.indptr']
    """
    csr = sp.csr_matrix(matrix)
    data = np.asarray(csr.data, np.float32)
    parts: dict[str, npt.NDArray[Any]] = {f"{name}.indptr": csr.indptr, f"{name}.indices": csr.indices}
    if not np.all(data == 1):
        parts[f"{name}.data"] = data
    return parts


def unpack_csr(tensors: Tensors, name: str, n_columns: int) -> sp.csr_matrix:
    """Turn the arrays of `pack_csr` back into a matrix.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Arrays as read from a file, dtypes already checked by `csr_schema`.
    name : str
        As given to `pack_csr`.
    n_columns : int

    Returns
    -------
    csr_matrix of shape (n_rows, n_columns), float32
        Over the arrays of the file, not a copy.

    Raises
    ------
    FormatError
        If the row bounds fall or leave the arrays, a column is out of range, or a value is not finite.

    Examples
    --------
    >>> unpack_csr(pack_csr("rows", sp.eye(2)), "rows", n_columns=2).toarray()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    try:
        indptr, indices = tensors[f"{name}.indptr"], tensors[f"{name}.indices"]
    except KeyError as error:
        raise FormatError(f"array {error.args[0]!r} is missing") from None
    data = tensors.get(f"{name}.data")
    try:
        _core.check_csr((indptr, indices, data, n_columns))
    except ValueError as error:
        raise FormatError(f"matrix {name!r}: {error}") from None
    if indptr[-1] != indices.size:
        raise FormatError(f"matrix {name!r}: {indices.size} entries are stored, its rows have {indptr[-1]}")
    values = np.ones(indices.size, np.float32) if data is None else data
    return sp.csr_matrix((values, indices, indptr), shape=(indptr.size - 1, n_columns), copy=False)


def csr_schema(name: str, n_rows: int | str, *, optional: bool = False) -> dict[str, TensorSpec]:
    """Make the schema of `pack_csr`.

    Parameters
    ----------
    name : str
        As given to `pack_csr`.
    n_rows : int or str
        The number of rows, or its name in the schema.
    optional : bool
        Whether the matrix may be missing.

    Returns
    -------
    dict of str to TensorSpec
    """
    after = n_rows + 1 if isinstance(n_rows, int) else f"{n_rows}+1"
    stored = _size_name(name, "n_stored")
    return {
        f"{name}.indptr": TensorSpec(("int32", "int64"), (after,), optional=optional),
        f"{name}.indices": TensorSpec(("int32", "int64"), (stored,), optional=optional),
        f"{name}.data": TensorSpec("float32", (stored,), optional=True),
    }


def check_offsets(name: str, offsets: npt.NDArray[Any], end: int) -> None:
    """Raise `FormatError` unless `offsets` rise from 0 to `end`."""
    if offsets.size == 0 or offsets[0] != 0 or offsets[-1] != end:
        found = "nothing" if offsets.size == 0 else f"{offsets[0]} to {offsets[-1]}"
        raise FormatError(f"array {name!r} must go from 0 to {end}, found {found}")
    falls = offsets[1:] < offsets[:-1]
    if falls.any():
        raise FormatError(f"array {name!r} falls after position {int(falls.argmax())}")


def _size_name(name: str, what: str) -> str:
    """Make the name of a size that belongs to one packed object alone."""
    return f"{what}_of_" + "".join(c if c.isalnum() else "_" for c in name.lower())
