"""From a fitted recommender to the explanation of one score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import is_classifier

from ..errors import DataError
from ..explain import Explanation, decompose, explain_item
from .interactions import id_positions

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["explain"]


def explain(rec: Recommender, user: Any, item: Any, method: Literal["ridge", "paper"], noun: str) -> Explanation:
    """Explain the score of one item for one user by what the model learned from that user."""
    if method not in ("ridge", "paper"):
        raise DataError(f"method must be 'ridge' or 'paper', got {method!r}")
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
    p = rec.estimator_.parameters_
    wanted = _rows(rec, u, np.array([i]))
    shown: dict[str, Any] = {
        "user_id": users.ids[[u]].tolist()[0],
        "item_id": items.ids[[i]].tolist()[0],
        "title": None if rec.titles_ is None else str(rec.titles_[i]),
        "parts": decompose(p, wanted, rec.encoder_.field_ranges_)[0],
        "method": method,
        "loss": "logistic" if is_classifier(rec.estimator_) else "squared",
        "noun": noun,
        "backend": rec.backend_,
    }
    if reason := _nothing_to_go_by(p, history.items[rows], i, noun):
        return _by_parts_alone(reason, shown)
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
        p,
        _rows(rec, u, rated),
        history.label[rows],
        wanted,
        feature=int(rec.encoder_.entities("user").columns[u]),
        rated_ids=items.ids[rated],
        ratings=None if history.target is None else history.target[rows].astype(np.float64),
        titles=None if rec.titles_ is None else rec.titles_[rated],
        sample_weight=weight,
        **shown,
        **background,
    )


def _nothing_to_go_by(p: Any, rated: Any, item: int, noun: str) -> str:
    """Why none of a user's rows explains a score; "" if some do."""
    if not p.n_factors:
        return "the model has no factors (n_factors=0), so no rating influences another score"
    if not len(rated):
        return "the model learned from nothing that this user did"
    if (rated == item).all():
        return f"this {noun} is all that the model learned from this user"
    return ""


def _by_parts_alone(reason: str, shown: dict[str, Any]) -> Explanation:
    score, none = shown["parts"].score, np.empty(0)
    return Explanation(
        item_ids=none,
        influence=none,
        impact=none,
        rest=score,
        score=score,
        resolved_score=score,
        unexplained=reason,
        **shown,
    )


def _rows(rec: Recommender, user: int, items: Any) -> Any:
    """Full rows of one user with some items."""
    users, films = rec.encoder_.entities("user").rows, rec.encoder_.entities("item").rows
    return films[items] + users[np.full(len(items), user)]
