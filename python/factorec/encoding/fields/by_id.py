"""Rows of features that are given per id, and what rows of features must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, issparse

from ...errors import DataError
from .._sparse import empty_rows, take_rows
from ..vocabulary import Vocabulary
from .base import Field, Learnt

__all__ = ["RowsById", "as_rows"]


class RowsById(Field):
    """Rows that were given per id."""

    reads_table = False

    def __init__(self, name: str, names: list[str], ids: Vocabulary | None, rows: csr_matrix | None) -> None:
        super().__init__(name)
        self.names = names
        self.ids = ids
        self._rows = rows

    @property
    def n_columns(self) -> int:
        """How many columns are kept."""
        return len(self.names)

    def feature_names(self) -> list[str]:
        """Name the columns ``field_0``, ``field_1`` and so on."""
        return list(self.names)

    def rows_of(self, entities: Vocabulary) -> csr_matrix:
        """Return the rows of users or items, empty ones for those that have none."""
        if self.ids is None or self._rows is None:  # from a file: whoever had a row has it already
            return empty_rows(len(entities), self.n_columns)
        return take_rows(self._rows, self.ids.index(entities.ids))

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """Rows are given by id: there is nothing in a table to read."""
        raise DataError(f"field {self.name!r} was given as rows by id and cannot be read from a table")

    def learnt(self) -> Learnt:
        """The names; the rows are kept with the entities."""
        return Learnt(texts=self.names)


def _check_sparse(rows: Any, name: str) -> None:
    if rows.dtype.kind not in "iufb":
        raise DataError(f"field {name!r}: rows must hold numbers, got {rows.dtype}")
    if hasattr(rows, "check_format"):
        try:
            rows.check_format(full_check=True)  # scipy trusts positions when it converts
        except ValueError as error:
            raise DataError(f"field {name!r}: the sparse rows are not valid: {error}") from None


def as_rows(result: Any, at: npt.NDArray[np.int64] | None, name: str) -> csr_matrix:
    """Return what a transformer made as finite float32 rows without stored zeros; `at` says which rows of a table."""
    if not issparse(result):
        result = np.asarray(result)
        if result.ndim == 1:
            result = result[:, None]
        if result.ndim != 2 or result.dtype.kind not in "iufbO":
            raise DataError(
                f"field {name!r}: rows must be a two-dimensional array of numbers, got shape {result.shape}"
            )
        try:
            result = result.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(f"field {name!r}: rows must hold numbers") from None
    else:
        _check_sparse(result, name)
    with np.errstate(over="ignore"):
        rows = csr_matrix(result, dtype=np.float32, copy=True)
    if at is not None and rows.shape[0] != len(at):
        raise DataError(f"field {name!r}: the transformer made {rows.shape[0]} rows of {len(at)}")
    rows.sum_duplicates()
    rows.eliminate_zeros()
    wrong = ~np.isfinite(rows.data)
    if wrong.any():
        entry = int(np.argmax(wrong))
        row = int(np.searchsorted(rows.indptr, entry, side="right")) - 1
        row = row if at is None else int(at[row])
        raise DataError(
            f"field {name!r}: row {row} (counting from 0) holds {rows.data[entry]} in column {rows.indices[entry]}; "
            f"features must be finite in float32"
        )
    return rows
