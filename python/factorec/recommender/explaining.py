"""From a fitted recommender to the explanation of one score."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..encoding.fields import HistoryField
from ..errors import DataError
from ..explain import Explanation, decompose, explain_item
from .context import read_context
from .interactions import id_positions
from .objectives import objective_of
from .own_problem import learned_rows, own_problem, rows_of_user

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["explain"]


def explain(
    rec: Recommender,
    user: Any,
    item: Any,
    *,
    context: Any,
    by: Literal["field", "feature"],
    method: Literal["ridge", "paper"],
    noun: str,
) -> Explanation:
    """Explain the score of one item for one user by its parts, and by what the model learned from that user."""
    if method not in ("ridge", "paper"):
        raise DataError(f"method must be 'ridge' or 'paper', got {method!r}")
    if by not in ("field", "feature"):
        raise DataError(f"by must be 'field' or 'feature', got {by!r}")
    if rec.interactions_ is None:
        raise DataError(
            "this model was saved without its users' history, which is what explains a score; save it with history=True"
        )
    encoder, history, p = rec.encoder_, rec.interactions_, rec.estimator_.parameters_
    u, i = (
        int(id_positions(vocabulary, [given], kind)[0])
        for vocabulary, given, kind in ((encoder.users_, user, "user"), (encoder.items_, item, "item"))
    )
    rows = learned_rows(history, u)
    rated = history.items[rows]
    feature = int(encoder.entities("user").columns[u])
    objective = objective_of(rec)
    wanted = rows_of_user(rec, u, np.array([i]), read_context(rec, context, 1))
    parts = replace(decompose(p, wanted, encoder.field_ranges_)[0], backend=rec.backend_)
    if by == "feature":
        parts = parts.by_feature(_feature_names(rec))
    shown: dict[str, Any] = {
        "user_id": encoder.users_.ids[[u]].tolist()[0],
        "item_id": encoder.items_.ids[[i]].tolist()[0],
        "title": None if rec.titles_ is None else str(rec.titles_[i]),
        "parts": parts,
        "method": method,
        "loss": objective.loss,
        "unit": "score points" if objective.met is not None else None,
        "noun": noun,
        "backend": rec.backend_,
    }
    if reason := _nothing_to_go_by(p.mean(), feature, rated, i, noun):
        return _by_parts_alone(reason, shown)
    problem = own_problem(rec, u, objective)
    if method == "paper":
        problem = {name: problem[name] for name in ("X_rated", "y", "sample_weight", "feature", "loss")}
    elif objective.stands_for:
        shown["stand_in"] = objective.describe(noun, float(np.mean(problem.get("background_weight", 0.0))))
    return explain_item(
        p.mean(),
        x_wanted=wanted,
        rated_ids=encoder.items_.ids[rated],
        ratings=None if history.target is None else history.target[rows].astype(np.float64),
        titles=None if rec.titles_ is None else rec.titles_[rated],
        **problem | shown,
    )


def _feature_names(rec: Recommender) -> NDArray[np.object_]:
    """The encoder's names of features; what a user met by its title."""
    names: NDArray[np.object_] = rec.encoder_.get_feature_names_out()
    for name, field in rec.encoder_.fields_.items():
        start, stop = rec.encoder_.field_ranges_[name]
        if isinstance(field, HistoryField) and stop <= rec.encoder_.n_query_features_ and rec.titles_ is not None:
            titles = rec.titles_[rec.encoder_.items_.index(field.ids.ids)]
            names[start:stop] = [f"history of {title}" for title in titles]
    return names


def _nothing_to_go_by(p: Any, feature: int, rated: NDArray[np.int32], item: int, noun: str) -> str:
    """Why none of a user's rows explains a score; "" if some do."""
    if not p.n_factors:
        return "the model has no factors (n_factors=0), so no rating influences another score"
    if feature < 0 or not len(rated) or _is_unlearned(p, feature):
        return "the model learned from nothing that this user did"
    if (rated == item).all():
        return f"this {noun} is all that the model learned from this user"
    return ""


def _is_unlearned(p: Any, feature: int) -> bool:
    """Whether a vector is the zero of one who was folded in by features alone; rows that came later did not move it."""
    return not p.factors[feature].any() and not np.any(p.penalties.factors[feature])


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
