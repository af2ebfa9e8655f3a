"""JSON and JSON lines requests (contract 3.1), read in the core straight into CSR arrays."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp

from ... import _core
from .errors import PayloadError

__all__ = ["read_json", "read_json_lines"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_json(body: bytes, n_features: int) -> Any:
    """Read ``{"instances": [...]}``; other entries, such as ``configuration``, are ignored.

    Each instance is ``{"features": [...]}``, ``{"data": {"features": {"values": [...]}}}`` or
    ``{"data": {"features": {"keys": [...], "shape": [N], "values": [...]}}}``, in any mixture. Entries beside
    ``features`` and ``data`` are ignored, too. A column that ``keys`` name twice gets the sum, as in scipy (a guess).

    Parameters
    ----------
    body : bytes
        UTF-8; a byte order mark is skipped.
    n_features : int

    Returns
    -------
    csr_array of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError
        For whatever JSON has not, such as NaN, and for what does not fit the model. Names that count must not be
        given twice.

    Examples
    --------
    >>> rows = read_json(b'{"instances": [{"features": [0, 2]}, {"data": {"features": {"values": [1, 0]}}}]}', 2)
    >>> rows.toarray()
    array([[0., 2.],
           [1., 0.]], dtype=float32)
    """
    return _read(body, n_features, lines=False)


def read_json_lines(body: bytes, n_features: int) -> Any:
    r"""Read one instance, as in `read_json`, from each line; empty lines are skipped.

    Parameters
    ----------
    body : bytes
    n_features : int

    Returns
    -------
    csr_array of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError

    Examples
    --------
    >>> read_json_lines(b'{"features": [0, 2]}\n{"features": [1, 0]}\n', 2).shape
    (2, 2)
    """
    return _read(body, n_features, lines=True)


def _read(body: bytes, n_features: int, *, lines: bool) -> Any:
    try:
        if not body.isascii():
            body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError(f"byte {error.start} is not UTF-8, which JSON is") from None
    begin = len(_BYTE_ORDER_MARK) if body.startswith(_BYTE_ORDER_MARK) else 0
    try:
        indptr, indices, values = _core.read_json_rows(body, begin, n_features, lines)
    except ValueError as error:
        raise PayloadError(str(error)) from None
    return sp.csr_array((values, indices, indptr), shape=(len(indptr) - 1, n_features))
