"""Splitters of tables of interactions, with the methods of scikit-learn's cross-validators.

``split(X)`` yields pairs of row numbers (train, test), each ascending. X is a table of any kind that factorec
reads. scikit-learn's own `cross_val_score` and `GridSearchCV` take these splitters as ``cv=`` with frames of
pandas, polars and pyarrow (not with dicts of arrays, which scikit-learn cannot index).
"""

from __future__ import annotations

import numbers
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ..encoding.tables import n_rows, series
from ..encoding.vocabulary import Vocabulary
from ..errors import DataError
from ._checks import is_number, n_held_out, whole
from ._times import in_order_of_time

__all__ = ["LeaveLastN", "RandomSplit", "Splitter", "TemporalSplit", "UserSplit"]

Rows = npt.NDArray[np.intp]


class Splitter(BaseEstimator):  # type: ignore[misc]
    """What the splitters share."""

    n_splits: int = 1

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield row numbers of training and test rows.

        Parameters
        ----------
        X : table
        y, groups : ignored

        Yields
        ------
        train, test : ndarray of int
            Ascending.

        Raises
        ------
        DataError
            If a column is missing or cannot be used, or one side would be empty.
        """
        n = n_rows(X)
        if n < 2:
            raise DataError(f"a table of {n} {'row' if n == 1 else 'rows'} cannot be split")
        for held in self._masks(X, n):
            yield np.flatnonzero(held == 0), np.flatnonzero(held == 2)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many pairs `split` yields; the arguments are ignored."""
        return whole(self.n_splits, "n_splits")

    @abstractmethod
    def _masks(self, X: Any, n: int) -> Iterator[npt.NDArray[np.int8]]:
        """For each split, of each row: 0 to train on, 1 neither, 2 to test on."""


class RandomSplit(Splitter):
    """Hold out rows drawn at random.

    Parameters
    ----------
    test_size : float or int
        Share of the rows in the test, rounded up, or their number.
    n_splits : int
        How many times to draw; each draw is independent of the others.
    random_state : int, RandomState or None
        An integer gives the same splits every time.

    Examples
    --------
    >>> table = {"user_id": [1, 1, 2, 2], "item_id": [5, 6, 5, 7]}
    >>> train, test = next(RandomSplit(0.25, random_state=0).split(table))
    >>> train, test
    (array([0, 1, 3]), array([2]))
    """

    def __init__(self, test_size: float = 0.2, *, n_splits: int = 1, random_state: Any = None) -> None:
        self.test_size = test_size
        self.n_splits = n_splits
        self.random_state = random_state

    def _masks(self, X: Any, n: int) -> Iterator[npt.NDArray[np.int8]]:
        n_test = n_held_out(self.test_size, n, "rows")
        random = check_random_state(self.random_state)
        for _ in range(self.get_n_splits()):
            held = np.zeros(n, np.int8)
            held[random.permutation(n)[:n_test]] = 2
            yield held


class TemporalSplit(Splitter):
    """Hold out the newest rows of the whole table: learn from the past, judge by the future.

    Users and items that appear late are in the test alone; `Recommender.evaluate` reports them apart.

    Parameters
    ----------
    test_size : float or int
        Share of the rows in the test, rounded up, or their number.
    time : hashable or None
        Column with the time of each row: numbers, dates, or text as ISO 8601. Rows of one time are taken in the
        order of the table. None: the table is in order of time.
    n_splits : int
        With m > 1, the newest m windows of `test_size` are the tests, oldest first; each is learned for from all
        rows before it.

    Examples
    --------
    >>> table = {"user_id": [1, 1, 2, 2], "item_id": [5, 6, 5, 7], "timestamp": [40, 10, 20, 30]}
    >>> next(TemporalSplit(0.25).split(table))
    (array([1, 2, 3]), array([0]))
    >>> [test.tolist() for _, test in TemporalSplit(1, n_splits=3).split(table)]
    [[2], [3], [0]]
    """

    def __init__(self, test_size: float = 0.2, *, time: Any = "timestamp", n_splits: int = 1) -> None:
        self.test_size = test_size
        self.time = time
        self.n_splits = n_splits

    def _masks(self, X: Any, n: int) -> Iterator[npt.NDArray[np.int8]]:
        n_test = n_held_out(self.test_size, n, "rows")
        n_splits = self.get_n_splits()
        if n_splits * n_test >= n:
            raise DataError(f"{n_splits} windows of {n_test:,} rows leave none of {n:,} rows to train on")
        order = in_order_of_time(X, self.time, n)
        for window in range(n_splits, 0, -1):
            start = n - window * n_test
            held = np.ones(n, np.int8)
            held[order[:start]] = 0
            held[order[start : start + n_test]] = 2
            yield held


class LeaveLastN(Splitter):
    """Hold out each user's newest rows.

    Parameters
    ----------
    n : int
        How many rows of each user.
    user : hashable
        Column with the ids of users.
    time : hashable or None
        Column with the time of each row: numbers, dates, or text as ISO 8601. Rows of one time are taken in the
        order of the table. None: each user's rows are in order of time.
    min_train : int
        How many rows each user keeps for training. A user of m rows has min(n, m - min_train) in the test, or
        none if that is negative. 0: users of n rows or fewer are in the test alone, as users the model does not
        know.

    Examples
    --------
    >>> table = {"user_id": [1, 1, 1, 2, 2, 3], "timestamp": [30, 10, 20, 7, 7, 1]}
    >>> next(LeaveLastN(1).split(table))
    (array([1, 2, 3, 5]), array([0, 4]))
    """

    def __init__(self, n: int = 1, *, user: Any = "user_id", time: Any = "timestamp", min_train: int = 1) -> None:
        self.n = n
        self.user = user
        self.time = time
        self.min_train = min_train

    def _masks(self, X: Any, n: int) -> Iterator[npt.NDArray[np.int8]]:
        n_held, min_train = whole(self.n, "n"), whole(self.min_train, "min_train", least=0)
        user = _users(X, self.user, n)[1]
        from_end, n_of_user = _place_in_user(user, in_order_of_time(X, self.time, n)[::-1])
        held = from_end < np.minimum(n_held, n_of_user[user] - min_train)
        if not held.any():
            raise DataError(f"no user has more than min_train={min_train} rows, so that none can be held out")
        if held.all():
            raise DataError(f"no user has more than n={n_held} rows, so that none is left to train on")
        yield held.astype(np.int8) * np.int8(2)


class UserSplit(Splitter):
    """Hold out whole users, drawn at random: people whom the model does not know.

    Parameters
    ----------
    test_size : float or int
        Share of the users in the test, rounded up, or their number.
    given : float or int
        Share (rounded down) or number of each held-out user's rows that are given instead of tested: what the
        user has told so far, for `Recommender.fold_in_users`. At least one row of each such user is tested.
        `split` leaves these rows out; `split_given` and `train_given_test_split` hand them over.
    user : hashable
        Column with the ids of users.
    time : hashable or None
        The rows given are the user's oldest by this column; None: drawn at random.
    n_splits : int
        How many times to draw; each draw is independent of the others.
    random_state : int, RandomState or None
        An integer gives the same splits every time.

    Examples
    --------
    >>> table = {"user_id": [1, 1, 1, 2, 2, 3, 3, 3], "item_id": [5, 6, 7, 5, 7, 5, 6, 8]}
    >>> next(UserSplit(1, random_state=0).split(table))
    (array([0, 1, 2, 3, 4]), array([5, 6, 7]))
    >>> next(UserSplit(1, given=0.5, random_state=0).split_given(table))
    (array([0, 1, 2, 3, 4]), array([6]), array([5, 7]))
    """

    def __init__(
        self,
        test_size: float = 0.2,
        *,
        given: float = 0,
        user: Any = "user_id",
        time: Any = None,
        n_splits: int = 1,
        random_state: Any = None,
    ) -> None:
        self.test_size = test_size
        self.given = given
        self.user = user
        self.time = time
        self.n_splits = n_splits
        self.random_state = random_state

    def split_given(self, X: Any) -> Iterator[tuple[Rows, Rows, Rows]]:
        """Yield row numbers of training rows, of rows given by held-out users, and of their test rows.

        Parameters
        ----------
        X : table

        Yields
        ------
        train, given, test : ndarray of int
            Ascending; together all rows.

        Raises
        ------
        DataError
            As in `split`, or if no held-out user has a row to give.
        """
        for held in self._masks(X, n_rows(X)):
            parts = np.flatnonzero(held == 0), np.flatnonzero(held == 1), np.flatnonzero(held == 2)
            if not len(parts[1]):
                raise DataError(f"given={self.given!r} gives no row: held-out users have too few, or it is 0")
            yield parts

    def _masks(self, X: Any, n: int) -> Iterator[npt.NDArray[np.int8]]:
        given = self.given
        if not is_number(given) or given < 0 or (not isinstance(given, numbers.Integral) and given >= 1):
            raise DataError(f"given must be a share from 0 to below 1, or a number of rows, got {given!r}")
        n_users, user = _users(X, self.user, n)
        n_test = n_held_out(self.test_size, n_users, "users")
        oldest_first = None if self.time is None else in_order_of_time(X, self.time, n)
        random = check_random_state(self.random_state)
        for _ in range(self.get_n_splits()):
            held_out = np.zeros(n_users, bool)
            held_out[random.permutation(n_users)[:n_test]] = True
            held = held_out[user].astype(np.int8) * np.int8(2)
            if given:
                place, n_of_user = _place_in_user(user, random.permutation(n) if oldest_first is None else oldest_first)
                if isinstance(given, numbers.Integral):
                    n_given = np.minimum(given, n_of_user - 1)
                else:
                    n_given = np.floor(given * n_of_user + 1e-9)  # 0.29 of 100 is 29, whatever floats say
                held[(held == 2) & (place < n_given[user])] = 1
            yield held


def _users(X: Any, name: Any, n: int) -> tuple[int, npt.NDArray[np.int64]]:
    vocabulary, index = Vocabulary.from_values(series(X, name), name=name)
    if len(index) != n:
        raise DataError(f"column {name!r} has {len(index):,} values, the table has {n:,} rows")
    return len(vocabulary), index


def _place_in_user(
    user: npt.NDArray[np.int64], order: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The place of each row among its user's rows when rows are taken in `order`, and the rows of each user."""
    by_user = order[np.argsort(user[order], kind="stable")]
    counts = np.bincount(user)
    place = np.empty(len(user), np.intp)
    place[by_user] = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place, counts
