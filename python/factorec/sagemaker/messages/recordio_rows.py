"""Requests in recordio-protobuf (contract 3.1). Their labels, if there are any, are ignored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ...formats.recordio import read_recordio
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
        rows: Any = read_recordio(body, n_features=n_features, n_jobs=1).features
    except FormatError as error:
        raise PayloadError(str(error)) from None
    with np.errstate(over="ignore"):
        rows = rows.astype(np.float32, copy=False)
    stored: npt.NDArray[np.float32] = rows.data if hasattr(rows, "indptr") else rows
    finite = np.isfinite(stored)
    if not finite.all():
        first = np.argwhere(~finite)[0]
        row = first[0] if len(first) == 2 else np.searchsorted(rows.indptr, first[0], side="right") - 1
        raise PayloadError(f"record {row} (counted from 0) holds a value that is no finite float32")
    return rows
