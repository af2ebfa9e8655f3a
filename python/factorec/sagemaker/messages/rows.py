"""Rows on their way from a request into one CSR matrix, checked."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .errors import PayloadError

__all__ = ["RowBuilder"]

_LARGEST = float(np.finfo(np.float32).max)


class RowBuilder:
    """Collects dense and sparse rows, in any mixture, as lists of Python numbers.

    Lists are joined first and checked as a whole: a row costs a few list operations. Where a check fails, the
    first wrong entry is looked up and named.

    Parameters
    ----------
    n_features : int
        The width of the rows.
    where : callable
        Turns the number of a row, from 0, into what errors call it.
    may_hold_bools : bool
        Whether the lists can hold ``True`` and ``False``, which Python takes as numbers.
    """

    def __init__(self, n_features: int, where: Callable[[int], str], *, may_hold_bools: bool = True) -> None:
        self.n_features = n_features
        self._where = where
        self._may_hold_bools = may_hold_bools
        self._is_dense: list[bool] = []
        self._lengths: list[int] = []  # of sparse rows
        self._keys: list[Any] = []
        self._values: list[Any] = []
        self._dense: list[Any] = []

    def __len__(self) -> int:
        return len(self._is_dense)

    def add_dense(self, values: list[Any], field: str) -> None:
        """Add a row of as many values as there are features."""
        if len(values) != self.n_features:
            raise PayloadError(
                f"{self._where(len(self))}: {field} has {len(values)} values, the model has {self.n_features} features"
            )
        self._dense += values
        self._is_dense.append(True)

    def add_sparse(self, keys: list[Any], values: list[Any], field: str) -> None:
        """Add a row of pairs (column, value). A column that is named twice gets the sum, as in scipy."""
        if len(keys) != len(values):
            raise PayloadError(f"{self._where(len(self))}: {field} has {len(keys)} keys and {len(values)} values")
        self._keys += keys
        self._values += values
        self._lengths.append(len(keys))
        self._is_dense.append(False)

    def build(self) -> Any:
        """All rows, in order.

        Returns
        -------
        csr_array of float32, shape (n_rows, n_features)
        """
        is_dense = np.array(self._is_dense, dtype=bool)
        indptr = np.zeros(len(self._lengths) + 1, np.int64)
        np.cumsum(self._lengths, out=indptr[1:])
        sparse = np.flatnonzero(~is_dense)
        dense = np.flatnonzero(is_dense)

        def in_sparse(entry: int) -> tuple[str, int]:
            row = int(np.searchsorted(indptr, entry, side="right")) - 1
            return self._where(int(sparse[row])), entry - int(indptr[row])

        def in_dense(entry: int) -> tuple[str, int]:
            row, column = divmod(entry, self.n_features)
            return self._where(int(dense[row])), column

        parts = []
        if len(sparse):
            keys = self._numbers(self._keys, "q", "keys", in_sparse)
            outside = (keys < 0) | (keys >= self.n_features)
            if outside.any():
                entry = int(np.flatnonzero(outside)[0])
                row, position = in_sparse(entry)
                raise PayloadError(
                    f"{row}: keys[{position}] is {keys[entry]}, the model has features 0..{self.n_features - 1}"
                )
            values = self._numbers(self._values, "d", "values", in_sparse).astype(np.float32)
            parts.append(sp.csr_array((values, keys, indptr), shape=(len(sparse), self.n_features)))
        if len(dense):
            values = self._numbers(self._dense, "d", "values", in_dense).astype(np.float32)
            parts.append(sp.csr_array(values.reshape(len(dense), self.n_features)))
        if not parts:
            return sp.csr_array((0, self.n_features), dtype=np.float32)
        if len(parts) == 1:
            return parts[0]
        order = np.empty(len(is_dense), np.int64)
        order[np.concatenate([sparse, dense])] = np.arange(len(is_dense))
        return sp.csr_array(sp.vstack(parts, format="csr"))[order]

    def _numbers(
        self, numbers: list[Any], code: str, field: str, locate: Callable[[int], tuple[str, int]]
    ) -> npt.NDArray[Any]:
        """A list as an array, if all of it are integers (``q``) or numbers that float32 can hold (``d``)."""
        try:
            result = np.frombuffer(array(code, numbers), np.dtype(code))
        except (TypeError, OverflowError):
            result = None
        if result is None or self._may_hold_bools or (code == "d" and not (np.abs(result) <= _LARGEST).all()):
            for entry, number in enumerate(numbers):
                problem = _problem(number, whole=code == "q")
                if problem:
                    row, position = locate(entry)
                    raise PayloadError(f"{row}: {field}[{position}] {problem}")
        assert result is not None
        return result


def _problem(number: Any, *, whole: bool) -> str:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return f"is {_shown(number)}, not a number"
    if whole:
        if isinstance(number, float):
            return f"is {number!r}, not an integer"
        return "" if -(2**63) <= number < 2**63 else "is an integer of more than 64 bits"
    if isinstance(number, float) and not math.isfinite(number):
        return f"is {number!r}, not a finite number"
    return "" if abs(number) <= _LARGEST else "is too large for float32"


def _shown(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", type(None): "null", bool: str(value).lower()}
    return names[type(value)]
