"""What a fitted recommender answers with lists: the best items of users, what is like what."""

from __future__ import annotations

from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError
from ..sinks import Sink, is_database, open_sink
from .ranking import Ranker, Request
from .recommendations import Recommendations

__all__ = ["Lists"]


class Lists(BaseEstimator):  # type: ignore[misc]
    """The methods of `Recommender` that return lists."""

    @overload
    def recommend(
        self,
        users: Any = None,
        *,
        n: int = 10,
        context: None = None,
        items: Any = None,
        exclude: Any = None,
        exclude_seen: bool = True,
        cold_items: bool = False,
        unknown: Literal["raise", "popular"] = "raise",
        out: None = None,
        batch_size: int | None = None,
    ) -> Recommendations: ...
    @overload
    def recommend(
        self,
        users: Any = None,
        *,
        n: int = 10,
        context: None = None,
        items: Any = None,
        exclude: Any = None,
        exclude_seen: bool = True,
        cold_items: bool = False,
        unknown: Literal["raise", "popular"] = "raise",
        out: str | PathLike[str] | Sink,
        batch_size: int | None = None,
    ) -> Path | None: ...
    def recommend(
        self,
        users: Any = None,
        *,
        n: int = 10,
        context: None = None,
        items: Any = None,
        exclude: Any = None,
        exclude_seen: bool = True,
        cold_items: bool = False,
        unknown: Literal["raise", "popular"] = "raise",
        out: str | PathLike[str] | Sink | None = None,
        batch_size: int | None = None,
    ) -> Recommendations | Path | None:
        """Find the best n items of every user, exactly.

        Candidates are the items of the table given to `fit`. Scores are those of `decision_function`; equal
        scores stand in the order of the items' ids.

        Parameters
        ----------
        users : array-like of ids, optional
            Who asks, answered in this order, repeated ids repeatedly; None: every user, by id.
        n : int
            How many items; a user with fewer candidates gets fewer (see ``counts``).
        context : None
            Reserved for a later version.
        items : array-like of ids, optional
            Recommend only these; a warning counts those that the model does not know.
        exclude : array-like of ids, or table, optional
            Items never to recommend; a table with the columns of users and items excludes those pairs.
        exclude_seen : bool
            Leave out what the user has in the tables given to `fit` (`table` and `validation`).
        cold_items : bool
            Reserved for a later version: items that no interaction names, by their features.
        unknown : {"raise", "popular"}
            Users that the model does not know are an error, or get the items with most likes (still with the raw
            score of the model, so these lists are not sorted by score; ``popular`` of the result marks them).
        out : path, URI or Sink, optional
            Stream the lists in bounded memory to a ``.jsonl``, ``.csv`` or ``.parquet`` file, to
            ``sqlite:///path.db``, to ``postgresql://…``, or, for the options of `factorec.sinks.open_sink`, to what
            that function opened.
        batch_size : int, optional
            How many users at a time; any value gives the same result.

        Returns
        -------
        Recommendations, Path or None
            The path if `out` is one, None if it is a database or a sink.

        Raises
        ------
        UnknownIdError
            If a user (unless ``unknown="popular"``) or every id of `items` is not known.
        DataError
            If an argument cannot be used.
        """
        check_is_fitted(self)
        for name, value in (("context", context), ("cold_items", cold_items)):
            if value not in (None, False):
                raise DataError(f"{name} needs side features, which come with version 0.3; leave it out")
        request = Request.read(self, users, n, items=items, exclude=exclude, exclude_seen=exclude_seen, unknown=unknown)
        batches = request.batches(batch_size)
        if out is None:
            return request.collect(batches)
        with nullcontext(out) if isinstance(out, Sink) else open_sink(out) as sink:
            for batch in batches:
                sink.write(batch.to_columns())
        return None if isinstance(out, Sink) or is_database(out) else Path(out)

    def similar_items(self, item: Any, n: int = 10) -> Recommendations:
        """Find the items whose vectors point the same way (cosine), best first.

        Parameters
        ----------
        item : id or array-like of ids
        n : int

        Returns
        -------
        Recommendations
            One list per asked item, without that item; the score is the cosine, from -1 to 1.

        Raises
        ------
        UnknownIdError
            If the model does not know an item.
        """
        check_is_fitted(self)
        return self._ranker().similar(self, item, n)

    def _ranker(self) -> Ranker:
        ranker: Ranker | None = self.__dict__.get("_cached_ranker")
        if ranker is None:
            ranker = self._cached_ranker = Ranker(self)
        return ranker
