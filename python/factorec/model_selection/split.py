"""Tables in two or three parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ..encoding.tables import n_rows
from ..errors import DataError
from .splitters import Splitter, UserSplit

__all__ = ["train_given_test_split", "train_test_split"]


def train_test_split(table: Any, splitter: Any) -> tuple[Any, Any]:
    """Split a table into rows to learn from and rows to judge by.

    Parameters
    ----------
    table : table
        Of any kind; columns of a dict must have equal length.
    splitter : RandomSplit, TemporalSplit, LeaveLastN or UserSplit, or a cross-validator of scikit-learn
        Its first split is taken. Of scikit-learn's, those that need no target and no groups.

    Returns
    -------
    train, test : tables
        Of the kind of `table`, with all its columns; rows in the order of `table`.

    Raises
    ------
    DataError
        If `table` or the parameters of `splitter` cannot be used, or one side would be empty.

    Examples
    --------
    >>> table = {"user_id": [1, 1, 2, 2, 2], "item_id": [5, 6, 5, 7, 8], "timestamp": [2, 1, 1, 2, 3]}
    >>> from factorec.model_selection import LeaveLastN
    >>> train, test = train_test_split(table, LeaveLastN(1))
    >>> test
    {'user_id': [1, 2], 'item_id': [5, 8], 'timestamp': [2, 3]}
    """
    n = _check_lengths(table)
    if not hasattr(splitter, "split"):
        raise DataError(f"splitter must be a splitter such as RandomSplit(0.2), got {splitter!r}")
    # scikit-learn's splitters count the columns of a dict, not its rows
    rows = table if isinstance(splitter, Splitter) else np.empty((n, 1))
    train, test = next(iter(splitter.split(rows)))
    return _take(table, np.sort(train)), _take(table, np.sort(test))


def train_given_test_split(table: Any, splitter: UserSplit) -> tuple[Any, Any, Any]:
    """Hold out whole users, and split their rows into what they have told and what to judge by.

    Fit on the first table, fold the users of the second in (`Recommender.fold_in_users`), evaluate on the third.

    Parameters
    ----------
    table : table
        Of any kind; columns of a dict must have equal length.
    splitter : UserSplit
        With ``given`` set. Its first split is taken.

    Returns
    -------
    train, given, test : tables
        Of the kind of `table`, with all its columns; rows in the order of `table`.

    Raises
    ------
    DataError
        If `table` or the parameters of `splitter` cannot be used, or a part would be empty.

    Examples
    --------
    >>> table = {"user_id": [1, 1, 2, 2, 2, 2], "item_id": [5, 6, 5, 7, 8, 9]}
    >>> train, given, test = train_given_test_split(table, UserSplit(1, given=0.5, random_state=2))
    >>> train["user_id"], given["user_id"], test["user_id"]
    ([1, 1], [2, 2], [2, 2])
    """
    _check_lengths(table)
    if not isinstance(splitter, UserSplit):
        raise DataError(f"splitter must be a UserSplit with given=, got {splitter!r}")
    train, given, test = (_take(table, rows) for rows in next(splitter.split_given(table)))
    return train, given, test


def _check_lengths(table: Any) -> int:
    if isinstance(table, Mapping):
        lengths = {name: len(values) for name, values in table.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
            raise DataError(f"the columns of a table must have equal length, got {counts}")
    return n_rows(table)


def _take(table: Any, rows: npt.NDArray[np.intp]) -> Any:
    if isinstance(table, Mapping):
        return {name: _take_values(values, rows) for name, values in table.items()}
    if isinstance(table, np.ndarray):
        return table[rows]
    return nw.from_native(table, eager_only=True)[rows, :].to_native()


def _take_values(values: Any, rows: npt.NDArray[np.intp]) -> Any:
    column = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(column, nw.Series):
        return column[rows].to_native()
    if isinstance(values, list | tuple):
        return [values[row] for row in rows.tolist()]
    return np.asarray(values)[rows]
