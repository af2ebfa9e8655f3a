"""From a fitted recommender to the explanation of one score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import is_classifier

from ..errors import DataError
from ..explain import Explanation, explain_item
from .interactions import id_positions

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["explain"]


def explain(rec: Recommender, user: Any, item: Any, method: Literal["ridge", "paper"], noun: str) -> Explanation:
    """Explain the score of one item for one user by what the model learned from that user."""
    if rec.interactions_ is None:
        raise DataError("this model was saved without its users' history, which is what explains a score")
    users, items = rec.encoder_.users_, rec.encoder_.items_
    u, i = (
        int(id_positions(vocabulary, [given], kind)[0])
        for vocabulary, given, kind in ((users, user, "user"), (items, item, "item"))
    )
    history = rec.interactions_
    own = history.rows_of(u)
    rows = np.arange(own.start, own.stop)[history.weight[own] > 0]
    user_id, item_id = users.ids[[u]].tolist()[0], items.ids[[i]].tolist()[0]
    if not len(rows):
        raise DataError(f"user {user_id!r} has no rows that the model learned from: nothing explains the score")
    rated = history.items[rows]
    weight = history.weight[rows].astype(np.float64)
    background: dict[str, Any] = {}
    if rec.negatives and method == "ridge":
        unseen = np.ones(len(items), dtype=bool)
        unseen[history.items[own]] = False
        if unseen.any():
            positions = np.flatnonzero(unseen)
            background["X_background"] = _rows(rec, u, positions)
            background["background_weight"] = rec.negatives * weight.sum() / len(positions)
    return explain_item(
        rec.estimator_.parameters_,
        _rows(rec, u, rated),
        history.label[rows],
        _rows(rec, u, np.array([i])),
        feature=int(rec.user_rows_.indices[rec.user_rows_.indptr[u]]),
        rated_ids=items.ids[rated],
        item_id=item_id,
        user_id=user_id,
        ratings=None if history.target is None else history.target[rows].astype(np.float64),
        titles=None if rec.titles_ is None else rec.titles_[rated],
        title=None if rec.titles_ is None else str(rec.titles_[i]),
        sample_weight=weight,
        loss="logistic" if is_classifier(rec.estimator_) else "squared",
        method=method,
        noun=noun,
        backend=rec.backend_,
        **background,
    )


def _rows(rec: Recommender, user: int, items: Any) -> Any:
    """Full rows of one user with some items."""
    return rec.item_rows_[items] + rec.user_rows_[np.full(len(items), user)]
