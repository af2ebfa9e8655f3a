"""The lists that `Recommender.recommend` and `Recommender.similar_items` return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, cast

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UnknownIdError
from ..sinks import write_table

__all__ = ["BACKENDS", "Recommendations", "as_table"]

BACKENDS = ("pandas", "polars", "pyarrow", "dict")


class Recommendations:
    """The best items of each asked user, best first.

    Behaves like a mapping from user id to list: ``len``, iteration and ``in`` are over the users, ``top[user]``
    is one user's list.

    Parameters
    ----------
    user_ids : ndarray of shape (n_users,)
        The asked users, in the order asked.
    positions : ndarray of shape (n_users, n), int64
        Positions in `catalogue`, best first; -1 where a user has fewer than n items.
    scores : ndarray of shape (n_users, n), float32
        Full raw scores, as `Recommender.decision_function` gives them (log-odds of a like, or rating);
        -inf where there is no item.
    catalogue : ndarray of shape (n_items,)
        Item ids by position.
    titles : ndarray of shape (n_items,), object, optional
        Titles by position.
    popular : ndarray of shape (n_users,), bool, optional
        True where the list is the popular items, because the model does not know the user.
    context : dict of str to ndarray of shape (n_users,), optional
        Columns that tell several lists of one user apart; frames and files show them beside its id.
    user_name, item_name : str
        Column names in frames and files.
    backend : {"pandas", "polars", "pyarrow", "dict"}
        What `to_frame` returns by default.

    Attributes
    ----------
    counts : ndarray of shape (n_users,), int64
        How many items each list has.

    Examples
    --------
    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, target="real", seed=0)
    >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0)).fit(data.table)
    >>> top = rec.recommend(n=3)
    >>> len(top), top.scores.shape
    (100, (100, 3))
    >>> list(top.to_columns())
    ['user_id', 'rank', 'item_id', 'score']
    """

    def __init__(
        self,
        user_ids: NDArray[Any],
        positions: NDArray[np.int64],
        scores: NDArray[np.float32],
        *,
        catalogue: NDArray[Any],
        titles: NDArray[Any] | None = None,
        popular: NDArray[np.bool_] | None = None,
        context: Mapping[str, NDArray[Any]] | None = None,
        user_name: str = "user_id",
        item_name: str = "item_id",
        backend: str = "dict",
    ) -> None:
        self.user_ids = user_ids
        self.scores = scores
        self.counts: NDArray[np.int64] = (positions >= 0).sum(axis=1, dtype=np.int64)
        self.popular = np.zeros(len(user_ids), dtype=bool) if popular is None else popular
        self.positions = positions
        self.context = dict(context or {})
        self._catalogue = catalogue
        self._titles = titles
        self._names = (str(user_name), str(item_name))
        self._backend = backend
        self._rows: dict[Any, int] | None = None

    @property
    def n(self) -> int:
        """The asked length of a list."""
        return int(self.positions.shape[1])

    @property
    def item_ids(self) -> NDArray[Any]:
        """Item ids, shape (n_users, n); beyond ``counts[row]`` stand -1 (integer ids) or None."""
        return _take(self._catalogue, self.positions)

    @property
    def titles(self) -> NDArray[Any] | None:
        """Titles, shape (n_users, n), None beyond ``counts[row]``; None if the model has no titles."""
        return None if self._titles is None else _take(self._titles, self.positions)

    def __len__(self) -> int:
        return len(self.user_ids)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.user_ids.tolist())

    def __contains__(self, user: object) -> bool:
        return user in self._row_of()

    def __getitem__(self, user: Any) -> NDArray[np.void]:
        """One user's list: a structured array with the fields ``item_id``, ``title`` (if any) and ``score``."""
        try:
            row = self._row_of()[user]
        except KeyError:
            raise UnknownIdError("user", [user], "not among the users asked for") from None
        count = int(self.counts[row])
        positions = self.positions[row, :count]
        ids = self._catalogue[positions]
        fields = [("item_id", ids.dtype)] + ([] if self._titles is None else [("title", np.dtype(object))])
        out = np.empty(count, dtype=np.dtype([*fields, ("score", np.float32)]))
        out["item_id"] = ids
        if self._titles is not None:
            out["title"] = self._titles[positions]
        out["score"] = self.scores[row, :count]
        return out

    def to_columns(self) -> dict[str, NDArray[Any]]:
        """One row per recommended item: user, context (if any), rank (from 1), item, title (if any), score."""
        user_name, item_name = self._names
        held = self.positions >= 0
        positions = self.positions[held]
        ranks = np.broadcast_to(np.arange(1, self.n + 1, dtype=np.int64), self.positions.shape)
        columns = {
            user_name: np.repeat(self.user_ids, self.counts),
            **{name: np.repeat(values, self.counts) for name, values in self.context.items()},
            "rank": ranks[held],
            item_name: self._catalogue[positions],
        }
        if self._titles is not None:
            columns["title"] = self._titles[positions]
        columns["score"] = self.scores[held]
        return columns

    def to_frame(self, backend: str | None = None) -> Any:
        """The lists as a table, one row per recommended item.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow", "dict"}, optional
            What to return; by default the kind of table that the recommender was fitted on.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame, pyarrow.Table or dict of ndarray
            Columns: user, those of `context`, ``rank``, item, ``title`` (if any), ``score``.

        Raises
        ------
        DataError
            If the backend is not one of these, or not installed.
        """
        return as_table(self.to_columns(), self._backend if backend is None else backend)

    def write(self, target: str | PathLike[str], **options: Any) -> None:
        """Write the lists to a file or a database, one row per recommended item.

        Parameters
        ----------
        target : path-like, or URI
            A ``.jsonl``, ``.csv`` or ``.parquet`` file, ``sqlite:///path.db`` or ``postgresql://…``.
        **options
            ``table``, ``mode``, ``model`` and others: see `factorec.sinks.open_sink`.
        """
        write_table(self.to_columns(), target, **options)

    def __repr__(self) -> str:
        shown_users, shown_items = (1, 10) if len(self) == 1 else (3, 3)
        lines = [f"Recommendations({len(self):,} {'user' if len(self) == 1 else 'users'}, n={self.n})"]
        for row in range(min(shown_users, len(self))):
            lines.append(f"{self._names[0]} {self.user_ids[row]}" + self._remark(row))
            lines += self._lines_of(row, shown_items)
        if len(self) > shown_users:
            lines.append(f"... and {len(self) - shown_users:,} more")
        return "\n".join(lines)

    def _remark(self, row: int) -> str:
        said = "".join(f", {name} {values[row]}" for name, values in self.context.items())
        return said + (" (popular)" if self.popular[row] else "")

    def _lines_of(self, row: int, limit: int) -> list[str]:
        positions = self.positions[row, : min(int(self.counts[row]), limit)]
        ids = [str(i) for i in self._catalogue[positions]]
        width = max(map(len, ids), default=0)
        titles = [""] * len(ids) if self._titles is None else [f"  {t}" for t in self._titles[positions]]
        lines = [
            f"  {score:9.4f}  {item:>{width}}{title}"
            for score, item, title in zip(self.scores[row], ids, titles, strict=False)
        ]
        rest = int(self.counts[row]) - len(ids)
        return lines + ([f"  ... and {rest} more"] if rest > 0 else [] if ids else ["  nothing"])

    def _row_of(self) -> dict[Any, int]:
        if self._rows is None:
            # Reversed, so that the first of two equal users is found.
            ids = self.user_ids.tolist()
            self._rows = {user: row for row, user in zip(range(len(ids) - 1, -1, -1), reversed(ids), strict=True)}
        return self._rows


def as_table(columns: Mapping[str, NDArray[Any]], backend: str) -> Any:
    """Columns as a frame of `backend`; "dict": as they are, in a dict."""
    if backend not in BACKENDS:
        raise DataError(f"backend must be one of {', '.join(map(repr, BACKENDS))}, got {backend!r}")
    if backend == "dict":
        return dict(columns)
    try:
        return nw.from_dict(
            {name: column.tolist() if column.dtype == object else column for name, column in columns.items()},
            backend=cast(Any, backend),
        ).to_native()
    except ImportError:
        raise DataError(f"{backend} is not installed; to_frame(backend='dict') needs nothing") from None


def _take(values: NDArray[Any], positions: NDArray[np.int64]) -> NDArray[Any]:
    taken = values[positions]
    missing = positions < 0
    if missing.any():
        if taken.dtype.kind == "U":
            taken = taken.astype(object)
        taken[missing] = -1 if taken.dtype.kind in "iu" else None
    return taken
