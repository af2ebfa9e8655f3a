"""The recommender itself: what may be asked of it, each answer in a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError
from ..explain import Explanation
from ..fm import BaseFM
from ..sinks import open_sink
from . import explaining, fitting, model_file
from .evaluation import Evaluation, evaluate
from .ranking import Ranker, Request
from .recommendations import Recommendations

__all__ = ["Recommender"]


class Recommender(BaseEstimator):  # type: ignore[misc]
    """Learn from a table of interactions, recommend the best items of every user, and say why.

    A scikit-learn meta-estimator around a factorization machine: `fit` clones the estimator to ``estimator_``.
    Tables may be pandas, polars or pyarrow frames, or dicts of arrays; ids may be integers or strings.

    Parameters
    ----------
    estimator : FMClassifier or FMRegressor
        What learns. A classifier learns likes, a regressor learns ratings.
    user, item : str
        Columns with the ids of users and items.
    target : str or None
        Column with the rating, or with 0 and 1. None: every row is a like (clicks, purchases); this needs a
        classifier and `negatives`.
    weight : str, optional
        Column with the weight of each row; a row of weight 0 is seen by its user but not learned from.
    time : None
        Reserved for a later version.
    title : str or None
        Column of the `items` table with titles; None: no titles.
    like_threshold : float, optional
        Classifier: a target of at least this is a like; None: the target must hold 0 and 1 only. Regressor: a
        target of at least this counts as relevant in `evaluate`.
    negatives : int
        Classifier: for each like and epoch this many items that the user has not seen are drawn as dislikes, and
        rows that are not likes are not learned from (they stay seen). A model that ranks items nobody rated
        needs this; `predict` then is the probability of a like against items drawn at random.
    fields : None
        Reserved for a later version (side features).

    Attributes
    ----------
    estimator_ : FMClassifier or FMRegressor
        The fitted clone of `estimator`; ``estimator_.history_`` has the metrics of every epoch.
    encoder_ : Encoder
        Ids to positions: ``encoder_.users_.ids``, ``encoder_.items_.ids``.

    Examples
    --------
    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, target="real", seed=0)
    >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0)).fit(data.table)
    >>> top = rec.recommend([3, 7], n=5)
    >>> top.item_ids.shape, top.counts.tolist()
    ((2, 5), [5, 5])
    >>> why = rec.explain(user=3, item=int(top[3]["item_id"][0]))
    >>> abs(why.gap) < 1
    True
    """

    def __init__(
        self,
        estimator: BaseFM,
        *,
        user: Any = "user_id",
        item: Any = "item_id",
        target: Any = "rating",
        weight: Any = None,
        time: None = None,
        title: Any = "title",
        like_threshold: float | None = None,
        negatives: int = 0,
        fields: None = None,
    ) -> None:
        self.estimator = estimator
        self.user = user
        self.item = item
        self.target = target
        self.weight = weight
        self.time = time
        self.title = title
        self.like_threshold = like_threshold
        self.negatives = negatives
        self.fields = fields

    def fit(
        self,
        table: Any,
        *,
        items: Any = None,
        users: Any = None,
        validation: Any = None,
        eval_set: Mapping[str, Any] | None = None,
    ) -> Self:
        """Learn from a table of interactions.

        Parameters
        ----------
        table : table
            One row per interaction, with the columns named in the constructor.
        items, users : table, optional
            Catalogues: one row per item (with titles), one per user.
        validation : table, optional
            Interactions for early stopping (``estimator.early_stopping``); they count as seen.
        eval_set : dict of str to table, optional
            Interactions whose metrics are recorded in ``estimator_.history_`` and used for nothing else.

        Returns
        -------
        Recommender

        Raises
        ------
        DataError
            If a column is missing or holds values that cannot be used, or the parameters contradict each other.
        DivergenceError
            If training does not converge.
        """
        fitting.fit(self, table, items, users, validation, eval_set or {})
        return self

    def partial_fit(self, table: Any) -> Self:
        """Go once over more interactions of users and items that the model knows.

        Rows given twice count twice, in what is learned and in the users' histories.

        Parameters
        ----------
        table : table
            As in `fit`.

        Returns
        -------
        Recommender

        Raises
        ------
        DataError
            If the table cannot be used, or the history was not saved.
        UnknownIdError
            If a user or an item was not in the table given to `fit`.
        """
        check_is_fitted(self)
        fitting.partial_fit(self, table)
        return self

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
        out: str | PathLike[str],
        batch_size: int | None = None,
    ) -> Path: ...
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
        out: str | PathLike[str] | None = None,
        batch_size: int | None = None,
    ) -> Recommendations | Path:
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
        out : path, optional
            Stream the lists to a ``.jsonl``, ``.csv`` or ``.parquet`` file in bounded memory.
        batch_size : int, optional
            How many users at a time; any value gives the same result.

        Returns
        -------
        Recommendations, or Path
            The path if `out` is given.

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
        with open_sink(out) as sink:
            for batch in batches:
                sink.write(batch.to_columns())
        return Path(out)

    def decision_function(self, table: Any) -> NDArray[np.float64]:
        """Raw score of each row: log-odds of a like, or rating before clipping.

        Parameters
        ----------
        table : table
            With the columns of users and items. An id that the model does not know counts as an average one; a
            warning says how many there are.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        check_is_fitted(self)
        scores: NDArray[np.float64] = self.estimator_.decision_function(fitting.encode_rows(self, table))
        return scores

    def predict(self, table: Any) -> NDArray[np.float64]:
        """Rating, or probability of a like, of each row; see `decision_function` for unknown ids.

        With `negatives`, the probability is that of a like against items drawn at random: it ranks, but is not
        calibrated for items that users chose to rate.

        Parameters
        ----------
        table : table
            With the columns of users and items, and at least one row.

        Returns
        -------
        ndarray of shape (n_rows,), float64
        """
        check_is_fitted(self)
        X = fitting.encode_rows(self, table)
        if hasattr(self.estimator_, "predict_proba"):
            probabilities: NDArray[np.float64] = self.estimator_.predict_proba(X)[:, 1]
            return probabilities
        predictions: NDArray[np.float64] = self.estimator_.predict(X)
        return predictions

    def explain(
        self, user: Any, item: Any, *, method: Literal["ridge", "paper"] = "ridge", noun: str = "item"
    ) -> Explanation:
        """Say which of the user's own interactions account for the score of an item, and by how much.

        Parameters
        ----------
        user, item : id
        method : {"ridge", "paper"}
            The exact re-solved explanation, or the formula as published (Rastegarpanah et al. 2017).
        noun : str
            What items are called in the text: "film".

        Returns
        -------
        Explanation

        Raises
        ------
        UnknownIdError
            If the model does not know the user or the item.
        DataError
            If the user has nothing that the model learned from, or the history was not saved.
        """
        check_is_fitted(self)
        return explaining.explain(self, user, item, method, noun)

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

    def evaluate(self, table: Any, n: int = 10) -> Evaluation:
        """Compare predictions and top-n lists with held-out interactions.

        Point metrics are over all rows. Ranking metrics are trec_eval's precision, recall, NDCG and MAP at n,
        averaged over the users who have a relevant item in `table`: one with a like (classifier), or with a
        target of at least `like_threshold` (regressor). Lists leave out what the user saw in `fit`; relevant items
        that the model does not know count as missed.

        Parameters
        ----------
        table : table
            Interactions that were not given to `fit`.
        n : int

        Returns
        -------
        Evaluation
            ``points``, ``ranking``, ``popularity`` (the same ranking metrics for the items with most likes),
            and counts of users and of unknown ids.

        Raises
        ------
        DataError
            If the table has no rows, or a column is missing or holds values that cannot be used.
        """
        check_is_fitted(self)
        return evaluate(self, table, n)

    def save(self, path: str | PathLike[str], *, history: bool = True) -> None:
        """Write the model to one file that `factorec.load` reads; whole or not at all.

        Parameters
        ----------
        path : path
        history : bool
            False leaves out what each user has seen and rated: the file is smaller and tells nothing about
            persons, but then `recommend` needs ``exclude_seen=False`` and `explain` is not possible.

        Raises
        ------
        OSError
            If the file cannot be written; what stood there before stays.
        """
        check_is_fitted(self)
        model_file.save(self, path, history=history)

    def _ranker(self) -> Ranker:
        ranker: Ranker | None = self.__dict__.get("_cached_ranker")
        if ranker is None:
            ranker = self._cached_ranker = Ranker(self)
        return ranker

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_cached_ranker", None)  # a cache that depends on the machine
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")
