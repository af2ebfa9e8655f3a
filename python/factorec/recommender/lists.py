"""What a fitted recommender answers with lists: the best items of users, what is like what."""

from __future__ import annotations

from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..sinks import Sink, is_database, open_sink
from .context import query_columns
from .estimators import searched_parameters
from .interactions import id_positions, read_column
from .ranking import Ranker, check_n
from .recommendations import Recommendations
from .requests import Request

__all__ = ["Lists"]


class _Options(TypedDict, total=False):
    """What `recommend` and `recommend_for` share."""

    n: int
    items: Any
    exclude: Any
    exclude_seen: bool
    cold_items: bool
    unknown: Literal["raise", "popular"]
    min_score: float | None
    min_probability: float | None
    batch_size: int | None


class Lists(BaseEstimator):  # type: ignore[misc]
    """The methods of `Recommender` that return lists."""

    @overload
    def recommend(
        self, users: Any = None, *, context: Any = None, out: None = None, **options: Unpack[_Options]
    ) -> Recommendations: ...
    @overload
    def recommend(
        self, users: Any = None, *, context: Any = None, out: str | PathLike[str] | Sink, **options: Unpack[_Options]
    ) -> Path | None: ...
    def recommend(
        self,
        users: Any = None,
        *,
        n: int = 10,
        context: Any = None,
        items: Any = None,
        exclude: Any = None,
        exclude_seen: bool = True,
        cold_items: bool = False,
        unknown: Literal["raise", "popular"] = "raise",
        min_score: float | None = None,
        min_probability: float | None = None,
        out: str | PathLike[str] | Sink | None = None,
        batch_size: int | None = None,
    ) -> Recommendations | Path | None:
        """Find the best n items of every user, exactly.

        Candidates are the items of the tables given to `fit` and `partial_fit`. Scores are those of
        `decision_function`; equal scores stand in the order of ``encoder_.items_``: by id, later ones last.

        Parameters
        ----------
        users : array-like of ids, optional
            Who asks, answered in this order, repeated ids repeatedly; None: every user with interactions, by id.
            Users of the catalogue without interactions are answered by their features.
        n : int
            How many items; a user with fewer candidates gets fewer (see ``counts``).
        context : dict or table, optional
            By column of the context fields: one value for all, or one for each user. A model with context fields
            needs it; a field that is left out adds nothing, so ``{}`` ranks without any context.
        items : array-like of ids, or table, optional
            Recommend only these (of a table, its column of items); a warning counts those that are no candidates.
        exclude : array-like of ids, or table, optional
            Items never to recommend; a table with the columns of users and items excludes those pairs, one with the
            column of items those for everyone.
        exclude_seen : bool
            Leave out what the user has in the tables given to `fit` (`table` and `validation`) and `partial_fit`.
        cold_items : bool
            Whether items of the catalogue without interactions are candidates too, by their features.
        unknown : {"raise", "popular"}
            Users that the model does not know are an error, or get the items with most likes (still with the raw
            score of the model, so these lists are not sorted by score; ``popular`` of the result marks them).
        min_score : float, optional
            Leave out items with a lower score: log-odds for a classifier, rating for a regressor.
        min_probability : float, optional
            Leave out items with a lower probability of a like (see `predict_like`): classifiers, and `FMOrdinal` with
            `like_threshold`, but not those of ``solver="gibbs"``, whose probability is not told by the score alone.
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
        request = Request.read(
            self,
            users,
            n,
            context=context,
            items=items,
            exclude=exclude,
            exclude_seen=exclude_seen,
            cold_items=cold_items,
            unknown=unknown,
            min_score=min_score,
            min_probability=min_probability,
        )
        return _answer(request, out, batch_size)

    @overload
    def recommend_for(self, table: Any, *, out: None = None, **options: Unpack[_Options]) -> Recommendations: ...
    @overload
    def recommend_for(
        self, table: Any, *, out: str | PathLike[str] | Sink, **options: Unpack[_Options]
    ) -> Path | None: ...
    def recommend_for(
        self,
        table: Any,
        *,
        out: str | PathLike[str] | Sink | None = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> Recommendations | Path | None:
        """Find the best n items for every row of a table of queries.

        Parameters
        ----------
        table : table
            One row per query: the column of users and those of the context fields.
        n, items, exclude, exclude_seen, cold_items, unknown, min_score, min_probability, out, batch_size
            As in `recommend`.

        Returns
        -------
        Recommendations, Path or None
            As `recommend` does: a list per row, in the order of the rows. Frames and files show the context columns
            beside the user.

        Raises
        ------
        UnknownIdError
            If a user (unless ``unknown="popular"``) or every id of `items` is not known.
        DataError
            If the table lacks a column, or an argument cannot be used.

        Examples
        --------
        >>> import factorec as fr
        >>> data = fr.datasets.make_planted_fm(100, 40, 2000, target="real", seed=0)
        >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0)).fit(data.table)
        >>> rec.recommend_for({"user_id": [7, 3, 7]}, n=2).user_ids
        array([7, 3, 7])
        """
        check_is_fitted(self)
        users = read_column(table, self.user, "table")
        shown = query_columns(self, table)
        request = Request.read(self, users, options.pop("n", 10), context=shown or None, shown=shown, **options)
        return _answer(request, out, batch_size)

    def similar_items(self, item: Any, n: int = 10) -> Recommendations:
        """Find the items whose vectors point the same way (cosine), best first.

        Parameters
        ----------
        item : id or array-like of ids
            Items of the catalogue without interactions are compared by their features.
        n : int

        Returns
        -------
        Recommendations
            One list of items with interactions per asked item, without that item; the score is the cosine, from -1
            to 1.

        Raises
        ------
        UnknownIdError
            If the model does not know an item.
        """
        return self._similar("item", item, n)

    def similar_users(self, user: Any, n: int = 10) -> Recommendations:
        """Find the users whose vectors point the same way (cosine), best first.

        Parameters
        ----------
        user : id or array-like of ids
            Users of the catalogue without interactions are compared by their features.
        n : int

        Returns
        -------
        Recommendations
            One list of users with interactions per asked user, without that user; the score is the cosine, from -1
            to 1.

        Raises
        ------
        UnknownIdError
            If the model does not know a user.
        """
        return self._similar("user", user, n)

    def _similar(self, side: Literal["user", "item"], asked: Any, n: int) -> Recommendations:
        check_is_fitted(self)
        name, vocabulary, titles = self.user, self.encoder_.users_, None
        if side == "item":
            name, vocabulary, titles = self.item, self.encoder_.items_, self.titles_
        positions = id_positions(vocabulary, np.atleast_1d(np.asarray(asked)), side)
        found, cosines = self._ranker().similar(side, positions, check_n(n))
        return Recommendations(
            vocabulary.ids[positions],
            found,
            cosines,
            catalogue=vocabulary.ids,
            titles=titles,
            user_name=name,
            item_name=f"similar_{name}",
            backend=self.backend_,
        )

    def _ranker(self) -> Ranker:
        ranker: Ranker | None = self.__dict__.get("_cached_ranker")
        if ranker is None or ranker.parameters is not searched_parameters(self):  # search_with was set anew
            ranker = self._cached_ranker = Ranker(self)
        return ranker


def _answer(
    request: Request, out: str | PathLike[str] | Sink | None, batch_size: int | None
) -> Recommendations | Path | None:
    batches = request.batches(batch_size)
    if out is None:
        return request.collect(batches)
    with nullcontext(out) if isinstance(out, Sink) else open_sink(out) as sink:
        for batch in batches:
            sink.write(batch.to_columns())
    return None if isinstance(out, Sink) or is_database(out) else Path(out)
