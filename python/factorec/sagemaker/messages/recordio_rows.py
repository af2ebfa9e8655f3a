"""Requests in recordio-protobuf (contract 3.1). Their labels, if there are any, are ignored."""

from __future__ import annotations

from typing import Any

from ...errors import FormatError
from ...formats.recordio import read_recordio
from .._float32 import as_float32
from .errors import PayloadError

__all__ = ["read_recordio_rows"]


def read_recordio_rows(body: bytes, n_features: int) -> Any:
    """Read dense and sparse records with any kind of tensor.

    Parameters
    ----------
    body : bytes
    n_features : int

    Returns
    -------
    csr_array or ndarray of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError
    """
    try:
        rows = read_recordio(body, n_features=n_features, n_jobs=1).features
    except FormatError as error:
        raise PayloadError(str(error)) from None
    rows, bad = as_float32(rows)
    if bad is not None:
        raise PayloadError(f"record {bad[0]} (counted from 0) holds a value that is no finite float32")
    return rows
