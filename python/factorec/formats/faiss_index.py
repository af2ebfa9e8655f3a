"""FAISS' serialised indexes, as far as they hold the vectors themselves: read, and flat ones written.

The layout is that of ``faiss.write_index`` (``faiss/impl/index_write.cpp``), little-endian: four letters for the kind,
a header, the vectors. Neither FAISS nor anything but numpy is needed.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._cursor import Cursor

__all__ = ["METRICS", "read_faiss_index", "write_faiss_index"]

# By FAISS' metric number, with the letters of a flat index.
METRICS = {0: "INNER_PRODUCT", 1: "L2"}
_FLAT = {"INNER_PRODUCT": b"IxFI", "L2": b"IxF2"}
_OTHERS = {
    b"IwPQ": "an inverted file of product-quantised codes (faiss.IVFPQ)",
    b"IvPQ": "an inverted file of product-quantised codes (faiss.IVFPQ)",
    b"IwQR": "an inverted file of product-quantised codes (faiss.IVFPQ)",
    b"IxPq": "product-quantised codes",
    b"IxPT": "vectors behind a transformation",
    b"IvFl": "an inverted file in an old form",
}
# What FAISS writes into two fields that were retired.
_UNUSED = 1 << 20


def read_faiss_index(data: bytes | bytearray | memoryview, *, name: str = "index") -> tuple[npt.NDArray[Any], str]:
    """Read the vectors of an index.

    Parameters
    ----------
    data : bytes-like
        What ``faiss.write_index`` wrote.
    name : str
        What errors call it.

    Returns
    -------
    vectors : ndarray of float32, shape (n, d)
        In the order of their ids, 0 to n - 1.
    metric : {"INNER_PRODUCT", "L2"}

    Raises
    ------
    FormatError
        For anything but a whole flat index (``IndexFlatIP``, ``IndexFlatL2``) or inverted file of whole vectors
        (``IndexIVFFlat``); the message has the offset, and says so where an index keeps only codes of its vectors.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_faiss_index(file, np.array([[1.0, 2.0]], np.float32), "L2")
    >>> read_faiss_index(file.getvalue())
    (array([[1., 2.]], dtype=float32), 'L2')
    """
    cursor = Cursor(data, name)
    kind = bytes(cursor.take(4, "the kind of the index"))
    if kind == b"IwFl":
        vectors, metric = _read_inverted(cursor)
    elif kind in (b"IxFI", b"IxF2", b"IxFl"):
        vectors, metric = _read_flat(cursor, kind)
    else:
        what = _OTHERS.get(kind, "not an index that holds its vectors")
        raise cursor.error(
            f"{kind!r} is {what}: the vectors cannot be had back exactly; train with index_type faiss.Flat", 0
        )
    cursor.end()
    return vectors, metric


def write_faiss_index(file: BinaryIO, vectors: npt.NDArray[np.float32], metric: str) -> None:
    """Write a flat index, byte for byte as ``faiss.write_index`` does.

    Parameters
    ----------
    file : binary file
        Open for writing.
    vectors : ndarray of float32, shape (n, d)
    metric : {"INNER_PRODUCT", "L2"}

    Raises
    ------
    DataError
        If an argument is something else.
    """
    if metric not in _FLAT:
        raise DataError(f"metric is {metric!r}, expected {' or '.join(map(repr, _FLAT))}")
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.shape[1]:
        raise DataError("vectors must be a float32 array of shape (n, d), d at least 1")
    number = next(number for number, known in METRICS.items() if known == metric)
    n, d = vectors.shape
    file.write(_FLAT[metric] + struct.pack("<iqqqBiQ", d, n, _UNUSED, _UNUSED, True, number, vectors.size))
    file.write(np.ascontiguousarray(vectors, "<f4").reshape(-1).view(np.uint8).data)


def _read_header(cursor: Cursor) -> tuple[int, int, str]:
    """Read dimension, number of vectors and metric."""
    start = cursor.offset
    d, n = cursor.number("<i", "the dimension"), cursor.number("<q", "the number of vectors")
    if d < 1 or n < 0:
        raise cursor.error(f"{n} vectors of dimension {d}", start)
    cursor.take(16, "two retired fields")
    start = cursor.offset
    if cursor.number("<B", "whether it is trained") != 1:
        raise cursor.error("the index is not trained", start)
    start = cursor.offset
    number = cursor.number("<i", "the metric")
    if number not in METRICS:
        raise cursor.error(f"metric {number}, only inner product (0) and L2 (1) are read", start)
    return d, n, METRICS[number]


def _read_flat(cursor: Cursor, kind: bytes) -> tuple[npt.NDArray[Any], str]:
    start = cursor.offset
    d, n, metric = _read_header(cursor)
    if kind not in (_FLAT[metric], b"IxFl"):
        raise cursor.error(f"{kind!r} has the metric {metric}", start)
    start = cursor.offset
    size = cursor.number("<Q", "the number of values")
    if size != n * d:
        raise cursor.error(f"{size} values for {n} vectors of dimension {d}", start)
    return cursor.array(np.dtype("<f4"), size, "values").reshape(n, d), metric


def _read_inverted(cursor: Cursor) -> tuple[npt.NDArray[Any], str]:
    """Read an inverted file: centroids, and for each a list of whole vectors with their ids."""
    d, n, metric = _read_header(cursor)
    start = cursor.offset
    n_lists = cursor.number("<Q", "the number of lists")
    cursor.number("<Q", "the number of probes")
    kind = bytes(cursor.take(4, "the kind of the centroids' index"))
    if kind not in (b"IxFI", b"IxF2", b"IxFl"):
        raise cursor.error(f"the centroids' index is {kind!r}, only flat ones are read", cursor.offset - 4)
    centroids, _ = _read_flat(cursor, kind)
    if centroids.shape != (n_lists, d):
        raise cursor.error(f"{n_lists} lists of dimension {d}, centroids of shape {centroids.shape}", start)
    _skip_direct_map(cursor)
    sizes = _read_list_sizes(cursor, n_lists, 4 * d)
    if sum(sizes) != n:
        raise cursor.error(f"the lists have {sum(sizes)} vectors, the header says {n}")
    if n * (4 * d + 8) != cursor.remaining:  # before memory is taken
        raise cursor.error(f"{n} vectors of dimension {d} with their ids do not fill {cursor.remaining} bytes")
    vectors, seen = np.empty((n, d), np.float32), np.zeros(n, np.bool_)
    for size in sizes:
        start = cursor.offset
        codes = cursor.array(np.dtype("<f4"), size * d, "the vectors of a list").reshape(size, d)
        ids = cursor.array(np.dtype("<i8"), size, "the ids of a list")
        if size and (ids.min() < 0 or ids.max() >= n or seen[ids].any() or len(np.unique(ids)) < size):
            raise cursor.error(f"ids must be 0 to {n - 1}, each once", start)
        vectors[ids], seen[ids] = codes, True
    return vectors, metric


def _skip_direct_map(cursor: Cursor) -> None:
    start = cursor.offset
    kind = cursor.number("<B", "the kind of the direct map")
    if kind not in (0, 1, 2):
        raise cursor.error(f"direct map {kind} is not known", start)
    size = cursor.number("<Q", "the size of the direct map")
    cursor.take(8 * size, "the direct map")
    if kind == 2:
        size = cursor.number("<Q", "the size of the hash table")
        cursor.take(16 * size, "the hash table")


def _read_list_sizes(cursor: Cursor, n_lists: int, code_size: int) -> list[int]:
    start = cursor.offset
    if bytes(cursor.take(4, "the kind of the lists")) != b"ilar":
        raise cursor.error("the lists are not in the file itself", start)
    if (cursor.number("<Q", "the number of lists"), cursor.number("<Q", "the size of a code")) != (n_lists, code_size):
        raise cursor.error(f"expected {n_lists} lists of codes of {code_size} bytes", start)
    form = bytes(cursor.take(4, "the form of the list sizes"))
    numbers: list[int] = cursor.array(np.dtype("<u8"), cursor.number("<Q", "the number of sizes"), "sizes").tolist()
    if form == b"full":
        if len(numbers) != n_lists:
            raise cursor.error(f"{len(numbers)} sizes for {n_lists} lists", start)
        return numbers
    if form != b"sprs" or len(numbers) % 2:
        raise cursor.error(f"the sizes of the lists have the form {form!r}", start)
    lists, sizes = numbers[::2], numbers[1::2]
    if any(a >= b for a, b in pairwise(lists)) or (lists and lists[-1] >= n_lists):
        raise cursor.error(f"lists must ascend from 0 to {n_lists - 1}", start)
    return sizes
