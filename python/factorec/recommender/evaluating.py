"""From a fitted recommender and held-out interactions to an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding import Vocabulary
from ..encoding.tables import series
from ..errors import DataError
from ..metrics import classification_metrics, ranking_metrics, regression_metrics
from .baselines import Means, rank_by
from .checks import check_columns
from .context import read_context
from .estimators import learns, like_log_odds
from .evaluation import Evaluation, Group
from .interactions import Interactions, read_interactions
from .ranking import check_n
from .training import is_like

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["evaluate"]

Mask = NDArray[np.bool_]
Ranking = dict[str, dict[str, NDArray[np.float64]]]  # by contender and metric, of each judged user


def evaluate(rec: Recommender, table: Any, n: int, context: Any, cold_items: bool) -> Evaluation:
    """Compare a fitted recommender, and what it should beat, with a table of held-out interactions."""
    n = check_n(n)
    rows = read_interactions(table, check_columns(rec), "table")
    if not len(rows):
        raise DataError("table: there are no rows to evaluate")
    users, items = _Side.read(rec, table, "user"), _Side.read(rec, table, "item")
    relevant = _relevant(rec, rows)
    means = _means(rec)
    predictions = _predictions(rec, rows, table, users, items, means)
    known, cold_item = users.trained[users.index], ~items.trained[items.index]
    masks = {"all": np.ones(len(rows), bool), "known users": known, "cold users": ~known, "cold items": cold_item}
    query = read_context(rec, {} if context is None else context, 1)
    lists = _lists(rec, users, items, relevant, n, query, cold_items, means)
    groups = {}
    for name, mask in masks.items():
        if mask.any():
            n_judged, ranking = lists.get(name, (0, {}))
            groups[name] = Group(int(mask.sum()), n_judged, _points(predictions, rows.weight, mask), ranking)
    notes = _notes(rec, relevant, users)
    n_cold_users, n_cold_items = (int((~side.trained).sum()) for side in (users, items))
    return Evaluation(groups, n, n_cold_users, n_cold_items, notes, rec.backend_)


@dataclass(frozen=True, slots=True)
class _Side:
    """The users or the items of a table.

    Attributes
    ----------
    index : ndarray of shape (n_rows,), int64
        Of each row, among the distinct ids of the table: those that the model lacks count too.
    position : ndarray of shape (n_ids,), int64
        Where the model has each id, -1 where it does not.
    trained : ndarray of shape (n_ids,), bool
        Whether the model has learned from rows of that id.
    """

    index: NDArray[np.int64]
    position: NDArray[np.int64]
    trained: Mask

    @classmethod
    def read(cls, rec: Recommender, table: Any, kind: Literal["user", "item"]) -> _Side:
        name = rec.user if kind == "user" else rec.item
        try:
            own, index = Vocabulary.from_values(series(table, name), name=name)
            known = rec.encoder_.users_ if kind == "user" else rec.encoder_.items_
            position = known.index(own.ids)
        except DataError as error:
            raise DataError(f"table: {error}") from None
        return cls(index, position, (position >= 0) & rec.encoder_.is_trained(kind)[position])

    def positions(self) -> NDArray[np.int64]:
        """Where the model has the id of each row."""
        return self.position[self.index]


def _relevant(rec: Recommender, rows: Interactions) -> Mask | None:
    """Which rows are relevant; None where nothing says which ratings count."""
    if learns(rec.estimator_) == "ratings" and rec.like_threshold is None:
        return None
    return is_like(rec, rows)


def _notes(rec: Recommender, relevant: Mask | None, users: _Side) -> tuple[str, ...]:
    notes = []
    if rec.negatives and rec.target is not None:
        notes.append(
            "the model's probabilities are of a like against items drawn at random (negatives): judge it by its lists"
        )
    if learns(rec.estimator_) == "lists":
        notes.append("no single predictions are judged: the scores of a ranker are in no unit, they only rank")
    if relevant is None:
        notes.append("no lists are judged: without like_threshold no rating counts as relevant")
    if rec.interactions_ is None:
        notes.append("no means to compare with, and seen items are not left out: the model was saved without history")
    n_unknown = int((users.position < 0).sum())
    if relevant is not None and n_unknown:
        who = "1 user" if n_unknown == 1 else f"{n_unknown:,} users"
        notes.append(f"the model's lists for {who} of whom it knows nothing are the popular items")
    return tuple(notes)


# Single predictions


@dataclass(frozen=True, slots=True)
class _Predictions:
    """What is predicted of all rows, by contender, and the metrics that compare it with what was observed."""

    observed: NDArray[np.float32]
    by: dict[str, NDArray[np.float64]]
    metrics: Callable[..., dict[str, float]]


def _means(rec: Recommender) -> dict[str, Means]:
    """What to beat, by what is predicted: likes or ratings."""
    history, found = rec.interactions_, {}
    if history is None or rec.target is None:
        return {}
    if learns(rec.estimator_) == "ratings":
        found["ratings"] = Means(rec, history.label)
        if rec.like_threshold is not None:
            found["likes"] = Means(rec, history.label >= rec.like_threshold)
    else:
        found["likes"] = Means(rec, history.label >= 1)
    return found


def _predictions(
    rec: Recommender, rows: Interactions, table: Any, users: _Side, items: _Side, means: dict[str, Means]
) -> list[_Predictions]:
    """Ratings, or log-odds of likes, or both, as the estimator has them."""
    if rec.target is None or learns(rec.estimator_) == "lists":
        return []
    X, ids = rec.encoder_.transform(table), (users.positions(), items.positions())
    found, estimator = [], rec.estimator_
    if learns(estimator) == "ratings":
        by = {"model": np.asarray(estimator.predict(X), np.float64)}
        by |= means["ratings"].scores(*ids) if means else {}
        found.append(_Predictions(rows.label, by, regression_metrics))
    log_odds = like_log_odds(rec, X)
    if log_odds is not None:
        by = {"model": log_odds} | (means["likes"].log_odds(*ids) if means else {})
        found.append(_Predictions(is_like(rec, rows).astype(np.float32), by, classification_metrics))
    return found


def _points(
    predictions: list[_Predictions], weight: NDArray[np.float32] | None, mask: Mask
) -> dict[str, dict[str, float]]:
    """Metrics of some rows by contender."""
    points: dict[str, dict[str, float]] = {}
    if weight is not None:
        weight = weight[mask]
        if not weight.any():
            return points
    for kind in predictions:
        for who, values in kind.by.items():
            points[who] = points.get(who, {}) | kind.metrics(kind.observed[mask], values[mask], weight)
    return points


# Lists


def _lists(
    rec: Recommender,
    users: _Side,
    items: _Side,
    relevant: Mask | None,
    n: int,
    context: csr_matrix | None,
    cold_items: bool,
    means: dict[str, Means],
) -> dict[str, tuple[int, dict[str, dict[str, float]]]]:
    """Number of judged users, and metrics by contender, of each group."""
    if relevant is None:
        return {}
    trained = rec.encoder_.is_trained("item")
    others = {"popularity": rec.popularity_}
    by_rating = next(iter(means.values()), None)
    if by_rating is not None and by_rating.tells_apart:
        others["item mean"] = by_rating.items
    candidates = np.ones_like(trained) if cold_items else trained
    asked, ranking = _rank(rec, users, items, relevant, n, context, candidates, others)
    known = users.trained[asked]
    # New items are ranked among themselves, by their features; popularity and means have nothing to say of them.
    cold = relevant & ~items.trained[items.index]
    new_asked, new_ranking = _rank(rec, users, items, cold, n, context, ~trained, {})
    return {
        "all": _averaged(np.ones(len(asked), bool), ranking),
        "known users": _averaged(known, ranking),
        "cold users": _averaged(~known, ranking),
        "cold items": _averaged(np.ones(len(new_asked), bool), new_ranking),
    }


def _rank(
    rec: Recommender,
    users: _Side,
    items: _Side,
    relevant: Mask,
    n: int,
    context: csr_matrix | None,
    candidates: Mask,
    others: Mapping[str, NDArray[Any]],
) -> tuple[NDArray[np.int64], Ranking]:
    """Rank the candidates for each user who has something relevant that was not seen.

    Parameters
    ----------
    context : csr_matrix of shape (1, n_features), or None
        In which all are ranked.
    candidates : ndarray of shape (n_items,), bool
    others : dict of str to ndarray of shape (n_items,)
        Contenders that rank items by a value of each, the same for all users.

    Returns
    -------
    asked : ndarray of shape (n_users,), int64
        Those users, among the ids of the table.
    ranking : dict
        By contender and metric, an array of shape (n_users,).
    """
    asked, truth = _truth(rec, users, items, relevant)
    exclude = None
    if rec.interactions_ is not None:
        exclude = rec.interactions_.seen(len(candidates), users.position[asked])
        seen = exclude.copy()
        seen.resize(truth.shape)
        truth = truth - truth.multiply(seen > 0)  # what was seen is not recommended, so not missed either
        truth.eliminate_zeros()
    judged = np.flatnonzero(np.diff(truth.indptr))
    asked, truth = asked[judged], truth[judged]
    if not len(asked) or not candidates.any():
        return asked[:0], {}
    filters: dict[str, Any] = {"exclude": None if exclude is None else exclude[judged], "items": candidates}
    shared = None if context is None else context[np.zeros(len(asked), np.intp)]
    lists = {"model": rec._ranker().top(users.position[asked], n, context=shared, **filters)[0]}
    for who, values in others.items():
        lists[who] = rank_by(values, len(asked), n, n_jobs=rec.estimator_.n_jobs, **filters)
    if "popularity" in lists:
        # Of a user without features the model knows no more than which items are popular.
        unknown = users.position[asked] < 0
        lists["model"][unknown] = lists["popularity"][unknown]
    return asked, {who: ranking_metrics(ids, truth, n, average=False) for who, ids in lists.items()}


def _truth(rec: Recommender, users: _Side, items: _Side, relevant: Mask) -> tuple[NDArray[np.int64], csr_matrix]:
    """Users with relevant items, and those items by position; ones that the model lacks have columns at the end."""
    n_known = len(rec.encoder_.items_)
    lacking = items.position < 0
    column = np.where(lacking, n_known + np.cumsum(lacking) - 1, items.position)
    asked, row = np.unique(users.index[relevant], return_inverse=True)
    ones = np.ones(len(row), np.float32)
    shape = (len(asked), n_known + int(lacking.sum()))
    truth = csr_matrix((ones, (row, column[items.index[relevant]])), shape=shape)
    truth.data[:] = 1  # of an item that stands in several rows
    return asked, truth


def _averaged(kept: Mask, ranking: Ranking) -> tuple[int, dict[str, dict[str, float]]]:
    """Number of users kept, and means over them."""
    if not kept.any() or not ranking:
        return 0, {}
    return int(kept.sum()), {
        who: {metric: float(values[kept].mean()) for metric, values in figures.items()}
        for who, figures in ranking.items()
    }
