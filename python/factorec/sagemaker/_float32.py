"""Rows in the precision in which the managed service keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["as_float32"]


def as_float32(rows: Any) -> tuple[Any, tuple[int, int] | None]:
    """Rows, dense or CSR, as float32; and where the first value stands, row and column, that is not finite there."""
    with np.errstate(over="ignore"):
        rows = rows.astype(np.float32, copy=False)
    is_sparse = hasattr(rows, "indptr")
    finite = np.isfinite(rows.data if is_sparse else rows)
    if finite.all():
        return rows, None
    first = np.argwhere(~finite)[0]
    if is_sparse:
        at = int(first[0])
        return rows, (int(np.searchsorted(rows.indptr, at, "right")) - 1, int(rows.indices[at]))
    return rows, (int(first[0]), int(first[1]))
