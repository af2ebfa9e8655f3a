"""What every field has: a declaration that the caller writes, and what is fitted from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator

from ...errors import DataError
from .._sparse import take_rows

__all__ = ["Declaration", "Field", "Learnt", "choose"]


@dataclass(frozen=True)
class Learnt:
    """What a field has learnt, as a file holds it: a few notes for JSON, any number of texts and numbers."""

    notes: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)


class Field(ABC):
    """A fitted field: one range of feature columns, filled from columns of a table.

    Parameters
    ----------
    name : str
        The field's name, by which learning rates and penalties are given too.
    """

    reads_table = True  # whether rows come from a table; otherwise from the ids

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """How many feature columns the field has."""

    @abstractmethod
    def feature_names(self) -> list[str]:
        """Name the feature columns."""

    @abstractmethod
    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """Turn a table into rows, few of them where values repeat.

        Parameters
        ----------
        table : table

        Returns
        -------
        rows : csr_matrix of shape (n_distinct, n_columns), float32
            Columns ascend, no zero is stored.
        which : ndarray of shape (n_rows,), int64
            The row of each row of the table.
        """

    def rows(self, table: Any) -> csr_matrix:
        """Turn a table into rows of shape (n_rows, n_columns), float32."""
        return take_rows(*self.distinct(table))

    @abstractmethod
    def learnt(self) -> Learnt:
        """Return what was learnt, for a file; the declaration's `restore_field` makes the field of it again."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.n_columns} columns)"


class Declaration(BaseEstimator):  # type: ignore[misc]
    """What a caller declares about a field. The constructor stores its arguments; `fit_field` checks them."""

    name: str | None

    @property
    @abstractmethod
    def columns_read(self) -> list[Hashable]:
        """The columns of the table that the field reads."""

    @property
    def reads_table(self) -> bool:
        """Whether the field is learnt from a table; otherwise from the ids."""
        return True

    @property
    def field_name(self) -> str:
        """``name``, or the name of the one column."""
        if self.name is not None:
            return str(self.name)
        if len(self.columns_read) != 1:
            raise DataError(f"{type(self).__name__}: name= is needed, since there is not just one column to name it by")
        return str(self.columns_read[0])

    @abstractmethod
    def check(self) -> None:
        """Raise `DataError` if a parameter is wrong."""

    @abstractmethod
    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> Field:
        """Learn the field's columns.

        Parameters
        ----------
        table : table
        learn : ndarray of positions, optional
            The rows to learn from; None: all.

        Returns
        -------
        Field

        Raises
        ------
        DataError
            If a parameter or the table cannot be used.
        """

    @abstractmethod
    def restore_field(self, learnt: Learnt) -> Field:
        """Make the fitted field from what its `learnt` returned."""

    def _check_choice(self, parameter: str, allowed: tuple[Any, ...]) -> None:
        value = getattr(self, parameter)
        if not any(value is option or (isinstance(value, str) and value == option) for option in allowed):
            names = ", ".join(map(repr, allowed))
            raise DataError(f"field {self.field_name!r}: {parameter} must be one of {names}, got {value!r}")

    def _check_min_count(self) -> None:
        value: Any = self.min_count
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise DataError(f"field {self.field_name!r}: min_count must be an integer of at least 1, got {value!r}")


def choose(learn: npt.NDArray[np.int64] | None, n: int) -> npt.NDArray[np.bool_]:
    """Return which of n rows to learn from, as a mask."""
    mask = np.full(n, learn is None)
    if learn is not None:
        mask[learn] = True
    return mask
