"""Interactions: rows of a table as a recommender reads them, and the history that it keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding import Vocabulary
from ..encoding._ids import is_missing
from ..encoding.tables import check_lengths, column, column_names, n_rows
from ..errors import DataError, UnknownIdError
from .estimators import Learns

__all__ = [
    "SOFT_POSITIVES",
    "Columns",
    "History",
    "Interactions",
    "id_positions",
    "names_columns",
    "read_column",
    "read_interactions",
    "read_times",
]


# What a row below `like_threshold` counts, beside one above it, for an estimator that learns lists.
SOFT_POSITIVES = 0.3


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what, what counts as a like, and what a row without one still counts."""

    user: Any
    item: Any
    target: Any
    weight: Any
    like_threshold: float | None
    soft_positives: float | Mapping[float, float] | None
    learns: Learns


@dataclass(frozen=True, slots=True)
class Interactions:
    """What the rows of a table say beside their ids.

    Attributes
    ----------
    target : ndarray of shape (n,), float32, or None
        As given (the rating); None if the table has no target column.
    label : ndarray of shape (n,), float32
        What the estimator learns: for a classifier 1 where the target is a like, for a regressor the target, for
        a ranker the grade of the row: 1 for a like, less for what was chosen and not liked, 0 for what is only seen.
    weight : ndarray of shape (n,), float32, or None
    """

    target: NDArray[np.float32] | None
    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.label)


def read_interactions(table: Any, columns: Columns, name: str) -> Interactions:
    """Read a table; `name` is what error messages call it."""
    target = weight = label = None
    try:
        check_lengths(table, [columns.user, columns.item, columns.target, columns.weight])
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if columns.target is not None:
        values = _numbers(table, columns.target, name)
        target = values.astype(np.float32)
        if columns.learns == "ratings":
            label = target
        else:
            label = (_labels if columns.learns == "likes" else _grades)(values, columns, name)
    if columns.weight is not None:
        values = _numbers(table, columns.weight, name)
        _refuse(values < 0, values, columns.weight, name, "a weight must not be negative")
        weight = values.astype(np.float32)
    if label is None:
        label = np.ones(n_rows(table), dtype=np.float32)
    return Interactions(target, label, weight)


def read_column(table: Any, name: Any, table_name: str) -> NDArray[Any]:
    """One column as an array; `table_name` is what error messages call the table."""
    try:
        values = column(table, name)
    except DataError as error:
        raise DataError(f"{table_name}: {error}") from None
    return values if isinstance(values, np.ndarray) else values.to_numpy()


def read_times(table: Any, name: Any, table_name: str) -> NDArray[Any]:
    """A column of numbers or dates, as numbers that can be compared; none missing."""
    values = read_column(table, name, table_name)
    if values.dtype == object and all(value is None or isinstance(value, date) for value in values):
        try:
            values = np.array(list(map(_to_utc, values)), dtype="datetime64[us]")
        except OverflowError:
            raise DataError(f"{table_name}: column {name!r} holds a time before the year 1 or after 9999") from None
    if values.dtype.kind not in "iufM":
        raise DataError(f"{table_name}: column {name!r} must hold numbers or dates, got {values.dtype}")
    missing = np.isnat(values) if values.dtype.kind == "M" else ~np.isfinite(values)
    if missing.any():
        raise DataError(f"{table_name}: column {name!r} has no time in row {int(np.argmax(missing))}")
    return values.view(np.int64) if values.dtype.kind == "M" else values


def _to_utc(value: Any) -> Any:
    """A date of Python's own without its time zone, which numpy has not."""
    return value.astimezone(UTC).replace(tzinfo=None) if getattr(value, "tzinfo", None) is not None else value


def id_positions(vocabulary: Vocabulary, ids: Any, kind: str, hint: str = "") -> NDArray[np.int64]:
    """Positions of ids; those that the model does not know raise `UnknownIdError`."""
    ids = np.atleast_1d(np.asarray(ids))
    if ids.ndim != 1:
        raise DataError(f"{kind} ids must have one dimension, got shape {ids.shape}")
    positions = vocabulary.index(ids)
    if (positions < 0).any():
        raise UnknownIdError(kind, dict.fromkeys(ids[positions < 0].tolist()), hint)
    return positions


def names_columns(table: Any, names: tuple[Any, ...]) -> bool:
    """Whether `table` is a table with all these columns."""
    try:
        return set(names) <= set(column_names(table))
    except (DataError, TypeError):
        return False


def _labels(values: NDArray[np.float64], columns: Columns, name: str) -> NDArray[np.float32]:
    if columns.like_threshold is not None:
        return (values >= columns.like_threshold).astype(np.float32)
    wrong = (values != 0) & (values != 1)
    hint = "a classifier learns 0 and 1; give like_threshold= to say which values count as a like"
    _refuse(wrong, values, columns.target, name, hint)
    return values.astype(np.float32)


def _grades(values: NDArray[np.float64], columns: Columns, name: str) -> NDArray[np.float32]:
    """How much each row counts as a choice of its item."""
    threshold, soft = columns.like_threshold, columns.soft_positives
    if isinstance(soft, Mapping):
        grades = np.full(len(values), np.nan)
        if threshold is not None:
            grades[values >= threshold] = 1.0
        for value, grade in soft.items():
            grades[np.isnan(grades) & (values == value)] = grade
        hint = "soft_positives has no grade for it; name it there (0: seen, not learned from)"
        _refuse(np.isnan(grades), values, columns.target, name, hint)
        return grades.astype(np.float32)
    if threshold is None:
        hint = "give like_threshold= to say which values count in full, or target=None if every row does"
        _refuse((values != 0) & (values != 1), values, columns.target, name, hint)
        return np.where(values == 1, 1.0, soft or 0.0).astype(np.float32)
    return np.where(values >= threshold, 1.0, SOFT_POSITIVES if soft is None else soft).astype(np.float32)


def _numbers(table: Any, name: Any, table_name: str) -> NDArray[np.float64]:
    values = read_column(table, name, table_name)
    if values.dtype.kind in "mMcV":  # numpy would make numbers of dates, too
        raise DataError(f"{table_name}: column {name!r} must hold numbers, got {values.dtype}")
    try:
        if values.dtype.kind == "O":
            values = np.array([np.nan if is_missing(value) else value for value in values], dtype=object)
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{table_name}: column {name!r} must hold numbers") from None
    except OverflowError:
        raise DataError(f"{table_name}: column {name!r} holds integers beyond the range of float32") from None
    _refuse(~np.isfinite(numbers), numbers, name, table_name, "drop such rows or fill in a number")
    large = np.abs(numbers) > np.finfo(np.float32).max
    _refuse(large, numbers, name, table_name, "that is beyond the range of float32")
    return numbers


def _refuse(wrong: NDArray[np.bool_], values: NDArray[Any], column_name: Any, table_name: str, hint: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{table_name}: column {column_name!r} holds {values[row]:g} in row {row}; {hint}")


@dataclass(frozen=True, slots=True)
class History:
    """What each user has met, by position: the rows given to fit whose user and item are known.

    Attributes
    ----------
    indptr : ndarray of shape (n_users + 1,), int64
        Where each user's rows start.
    items : ndarray of shape (n,), int32
    target : ndarray of shape (n,), float32, or None
        As the caller gave it.
    label, weight : ndarray of shape (n,), float32
        As the estimator got them; `weight` is 0 for rows that are seen but were not trained on.
    context : dict of str to ndarray of shape (n,), int32
        By context field: the position of its value, -1 for one that is not known.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    target: NDArray[np.float32] | None
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    context: dict[str, NDArray[np.int32]] = field(default_factory=dict)

    @classmethod
    def collect(
        cls,
        users: NDArray[np.integer[Any]],
        items: NDArray[np.integer[Any]],
        target: NDArray[np.float32] | None,
        label: NDArray[np.float32],
        weight: NDArray[np.float32],
        n_users: int,
        context: Mapping[str, NDArray[np.integer[Any]]] | None = None,
    ) -> History:
        """Sort rows by user, keeping their order; rows whose user or item is -1 are dropped."""
        order = np.argsort(users, kind="stable")
        order = order[(users[order] >= 0) & (items[order] >= 0)]
        indptr = np.zeros(n_users + 1, dtype=np.int64)
        np.cumsum(np.bincount(users[order], minlength=n_users), out=indptr[1:])
        return cls(
            indptr,
            items[order].astype(np.int32),
            None if target is None else target[order],
            label[order],
            weight[order],
            {name: index[order].astype(np.int32) for name, index in (context or {}).items()},
        )

    def users(self) -> NDArray[np.int64]:
        """The user of each row."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def rows_of(self, user: int) -> slice:
        """The rows of one user."""
        return slice(int(self.indptr[user]), int(self.indptr[user + 1]))

    def seen(self, n_items: int, users: NDArray[np.int64] | None = None) -> csr_matrix:
        """Structure (users, items) of what was met; of the given users only, -1 standing for an unknown one."""
        if users is None:
            indptr, items = self.indptr, self.items
        else:
            known = users >= 0
            starts, stops = self.indptr[users * known], self.indptr[users * known + known]
            lengths = stops - starts
            indptr = np.concatenate([[0], np.cumsum(lengths)])
            items = self.items[np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)]
        data = np.ones(len(items), dtype=np.float32)
        return csr_matrix((data, items, indptr), shape=(len(indptr) - 1, n_items))
