"""The recommender itself: its parameters, how it learns, how it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal, Self

from sklearn.utils.validation import check_is_fitted

from ..fm import BaseFM
from . import fitting, model_file
from .folding import FoldIn
from .lists import Lists
from .scores import Scores

__all__ = ["Recommender"]


class Recommender(FoldIn, Lists, Scores):
    """Learn from a table of interactions, recommend the best items of every user, and say why.

    A scikit-learn meta-estimator around a factorization machine: `fit` clones the estimator to ``estimator_``.
    Tables may be pandas, polars or pyarrow frames, or dicts of arrays; ids may be integers or strings.

    Parameters
    ----------
    estimator : FMRanker, FMClassifier, FMRegressor or FMOrdinal, optional
        What learns; None: ``FMRanker()``. A ranker learns which items a user chooses and makes the best lists; a
        classifier learns likes against dislikes, a regressor ratings, `FMOrdinal` ratings and how likely each is.
        What learns only from rated items says how one is liked, not which would be chosen: on MovieLens 100K, lists
        by such a model are worse than the same popular films for everyone.
    user, item : str
        Columns with the ids of users and items.
    target : str or None
        Column with the rating, or with 0 and 1. None: every row is a like (clicks, purchases); this needs a
        ranker, or a classifier with `negatives`.
    weight : str, optional
        Column with the weight of each row; a row of weight 0 is seen by its user but not learned from.
    time : str, optional
        Column with the time of each row, numbers or dates. With ``estimator.early_stopping`` and no `validation`
        table, `fit` holds out the newest ``estimator.validation_fraction`` of the rows, not random ones. What is
        held out, by whom ever, is in no `History`.
    title : str or None
        Column of the `items` table with titles; None: no titles.
    like_threshold : float, optional
        Ranker, classifier: a target of at least this is a like; None: the target must hold 0 and 1 only. Regressor,
        `FMOrdinal`: a target of at least this counts as relevant in `evaluate`; of `FMOrdinal` it is also the like
        whose probability `predict_like` gives.
    negatives : int
        Classifier: for each like and epoch this many items that the user has not seen are drawn as dislikes, and
        rows that are not likes are not learned from (they stay seen); `predict` then is the probability of a like
        against items drawn at random. A classifier whose lists are to be good needs this; a ranker draws its own.
    soft_positives : float or dict of float to float, optional
        Ranker: the grade of a row below `like_threshold`, where a like has grade 1: what was chosen and not liked
        still says what a user chooses. A number for all, 0 to leave them seen and nothing else, or grades by
        target, which must name every target that is no like. None: 0.3 with `like_threshold`, otherwise 0.
    fields : dict of str to list, "auto" or None
        Side features, as `Encoder` takes them: ``{"user": […], "item": […], "context": […]}``, lists of
        `Categorical`, `MultiLabel`, `Numeric`, `Datetime`, `Precomputed` or names of columns. Those of users and
        items read the tables `users` and `items` given to `fit`, those of the context the interactions; `History`,
        of users or items, knows the rows that are learned from. ``"auto"`` takes all columns of users and items that
        look useful and prints which.
    duplicates : {"raise", "first", "last"}
        An id in more than one row of `users` or `items` is an error, or the first or last row counts.
    uncatalogued : {"ignore", "raise"}
        An id of the interactions without a row in a catalogue whose fields are used has no features beside its own,
        or is an error.
    search_with : {"samples", "mean"}
        By which parameters lists are made where the estimator has samples of them (``solver="gibbs"``): all samples,
        whose mean score `decision_function` of the estimator is, or the mean of the parameters, which has
        ``n_samples`` times fewer factors to search and ranks a little differently. Scores of lists, `explain` and
        `decision_function` of the recommender are then of that model; `predict` always uses all samples.

    Attributes
    ----------
    estimator_ : FMRanker, FMClassifier, FMRegressor or FMOrdinal
        The fitted clone of `estimator`; ``estimator_.history_`` has the metrics of every epoch.
    encoder_ : Encoder
        Ids to positions: ``encoder_.users_.ids``, ``encoder_.items_.ids``; the fields and their columns.
    interactions_ : History or None
        What each user has met, by position; None for a model that was saved without it.
    popularity_ : ndarray of shape (n_items,), int64
        Number of likes of each item.

    Examples
    --------
    Lists from a table of clicks:

    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, target="real", seed=0)
    >>> clicks = {"user_id": data.table["user_id"], "item_id": data.table["item_id"]}
    >>> rec = fr.Recommender(fr.FMRanker(n_factors=8, random_state=0), target=None).fit(clicks)
    >>> top = rec.recommend([3, 7], n=5)
    >>> top.item_ids.shape, top.counts.tolist()
    ((2, 5), [5, 5])

    Ratings, and why one is expected:

    >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0)).fit(data.table)
    >>> why = rec.explain(user=3, item=int(rec.recommend([3])[3]["item_id"][0]))
    >>> abs(why.gap) < 1
    True

    With the genres of items, and the day of the week as context:

    >>> import numpy as np
    >>> days = np.array(["weekday", "weekend"])[data.table["user_id"] % 2]
    >>> items = {"item_id": np.arange(41), "genre": np.array(["drama", "comedy", "crime"])[np.arange(41) % 3]}
    >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0), title=None,
    ...                      fields={"item": ["genre"], "context": ["day"]})
    >>> rec = rec.fit({**data.table, "day": days}, items=items)
    >>> rec.recommend([3], n=5, context={"day": "weekend"}, cold_items=True).counts
    array([5])
    """

    def __init__(
        self,
        estimator: BaseFM | None = None,
        *,
        user: Any = "user_id",
        item: Any = "item_id",
        target: Any = "rating",
        weight: Any = None,
        time: Any = None,
        title: Any = "title",
        like_threshold: float | None = None,
        negatives: int = 0,
        soft_positives: float | Mapping[float, float] | None = None,
        fields: Any = None,
        duplicates: Literal["raise", "first", "last"] = "raise",
        uncatalogued: Literal["ignore", "raise"] = "ignore",
        search_with: Literal["samples", "mean"] = "samples",
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
        self.soft_positives = soft_positives
        self.fields = fields
        self.duplicates = duplicates
        self.uncatalogued = uncatalogued
        self.search_with = search_with

    def fit(
        self,
        table: Any,
        *,
        items: Any = None,
        users: Any = None,
        validation: Any = None,
        eval_set: Mapping[str, Any] | None = None,
        on_epoch: Any = None,
    ) -> Self:
        """Learn from a table of interactions.

        Parameters
        ----------
        table : table
            One row per interaction, with the columns named in the constructor.
        items, users : table, optional
            Catalogues: one row per item (with titles), one per user, with the columns that `fields` names. What is
            only in a catalogue is *cold*: the model knows it by its features alone.
        validation : table, optional
            Interactions for early stopping (``estimator.early_stopping``); they count as seen, cold items included.
        eval_set : dict of str to table, optional
            Interactions whose metrics are recorded in ``estimator_.history_`` and used for nothing else.
        on_epoch : callable, optional
            Called after each epoch as ``on_epoch(epoch, metrics)``, see `FMClassifier.fit`; what it raises ends
            training.

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
        fitting.fit(self, table, items, users, validation, {} if eval_set is None else eval_set, on_epoch)
        return self

    def partial_fit(self, table: Any, *, users: Any = None, items: Any = None) -> Self:
        """Go once over more interactions.

        New ids, and those that were in a catalogue only, get parameters of their own, as in `fit`; parameters that
        no row has keep their bits. Fields do not change: a category that `fit` did not meet stays unknown; but
        what a `History` field knows of the users and items of these rows grows by them, with a column for each new
        id. Rows given twice count twice, in what is learned and in the users' histories.

        Parameters
        ----------
        table : table
            As in `fit`.
        users, items : table, optional
            Catalogue rows of new users and items; those of known ones are left out of account.

        Returns
        -------
        Recommender

        Raises
        ------
        DataError
            If a table cannot be used, or the history was not saved. The model is then what it was before.
        """
        check_is_fitted(self)
        fitting.partial_fit(self, table, users, items)
        return self

    def save(self, path: str | PathLike[str], *, history: bool = True) -> None:
        """Write the model to one file that `factorec.load` reads; whole or not at all.

        Parameters
        ----------
        path : path
        history : bool
            False leaves out what each user has seen and rated: the file is smaller and tells nothing about
            persons, but then `recommend` needs ``exclude_seen=False`` and `explain` is not possible. A model with a
            `History` field cannot do without.

        Raises
        ------
        DataError
            If a parameter cannot be saved, or a `History` field would tell what users met.
        OSError
            If the file cannot be written; what stood there before stays.
        """
        check_is_fitted(self)
        model_file.save(self, path, history=history)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_cached_ranker", None)  # a cache that depends on the machine
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")
