"""Sparse matrices of any format to CSR. scipy trusts the positions in them and writes wherever they point."""

from __future__ import annotations

from typing import Any

__all__ = ["to_csr"]


def to_csr(matrix: Any) -> Any:
    """Return a sparse matrix as CSR, itself if it is one.

    Raises
    ------
    ValueError
        If another format holds positions outside of the matrix. CSR is returned unchecked: the core checks it.
    """
    if matrix.format == "csr":
        return matrix
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    for axis, positions in enumerate(getattr(matrix, "coords", ()) if matrix.format == "coo" else ()):
        if len(positions) and not 0 <= positions.min() <= positions.max() < matrix.shape[axis]:
            raise ValueError(f"positions along axis {axis} must be from 0 to {matrix.shape[axis] - 1}")
    return matrix.tocsr()
