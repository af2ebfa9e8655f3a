"""From a fitted recommender to the explanation of one score."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding.fields import HistoryField
from ..errors import DataError
from ..explain import Explanation, decompose, explain_item
from .context import read_context
from .interactions import History, id_positions
from .losses import explained_loss
from .ranking import take_rows

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
    own = history.rows_of(u)
    rows = np.arange(own.start, own.stop)[history.weight[own] > 0]
    rated = history.items[rows]
    feature = int(encoder.entities("user").columns[u])
    wanted = _rows(rec, u, np.array([i]), read_context(rec, context, 1))
    parts = replace(decompose(p, wanted, encoder.field_ranges_)[0], backend=rec.backend_)
    if by == "feature":
        parts = parts.by_feature(_feature_names(rec))
    shown: dict[str, Any] = {
        "user_id": encoder.users_.ids[[u]].tolist()[0],
        "item_id": encoder.items_.ids[[i]].tolist()[0],
        "title": None if rec.titles_ is None else str(rec.titles_[i]),
        "parts": parts,
        "method": method,
        "loss": explained_loss(rec.estimator_),
        "noun": noun,
        "backend": rec.backend_,
    }
    mean = p.mean()
    if reason := _nothing_to_go_by(mean, feature, rated, i, noun):
        return _by_parts_alone(reason, shown)
    weight = history.weight[rows].astype(np.float64)
    contexts = _contexts(rec, history, rows)
    background = _background(rec, u, own, weight, contexts) if rec.negatives and method == "ridge" else {}
    return explain_item(
        mean,
        _rows(rec, u, rated, contexts),
        history.label[rows],
        wanted,
        feature=feature,
        rated_ids=encoder.items_.ids[rated],
        ratings=None if history.target is None else history.target[rows].astype(np.float64),
        titles=None if rec.titles_ is None else rec.titles_[rated],
        sample_weight=weight,
        prior_mean=_prior_mean(rec, mean) if method == "ridge" else None,
        **shown,
        **background,
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


def _prior_mean(rec: Recommender, p: Any) -> NDArray[np.float64] | None:
    """What the priors say of any user's vector; None for a model without."""
    prior = p.penalties.priors.get(str(rec.user))
    return None if prior is None else np.asarray(prior.mean_factors, dtype=np.float64)


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


def _background(
    rec: Recommender, user: int, own: slice, weight: NDArray[np.float64], contexts: csr_matrix | None
) -> dict[str, Any]:
    """What the sampled negatives of a user come to: every trained item that the user has not met, as a dislike.

    Training draws them in the context of one of the user's rows; here each stands in the mean of these contexts, by
    weight.
    """
    unseen = rec.encoder_.is_trained("item")
    if rec.interactions_ is not None:
        unseen[rec.interactions_.items[own]] = False
    items = np.flatnonzero(unseen)
    if not len(items):
        return {}
    mean = None if contexts is None else csr_matrix(weight[None, :] / weight.sum()) @ contexts
    return {
        "X_background": _rows(rec, user, items, mean),
        "background_weight": rec.negatives * weight.sum() / len(items),
    }


def _contexts(rec: Recommender, history: History, rows: NDArray[np.int64]) -> csr_matrix | None:
    """The context of each row of a history, all fields together; None for a model without context."""
    total = None
    for name, index in history.context.items():
        own = take_rows(rec.encoder_.entities(name).rows, index[rows])
        total = own if total is None else total + own
    return total


def _rows(rec: Recommender, user: int, items: NDArray[Any], contexts: csr_matrix | None) -> Any:
    """Full rows of one user with some items, each in its context; one context stands for all."""
    users, films = rec.encoder_.entities("user").rows, rec.encoder_.entities("item").rows
    rows = films[items] + users[np.full(len(items), user)]
    if contexts is None:
        return rows
    if contexts.shape[0] != len(items):
        contexts = contexts[np.zeros(len(items), dtype=np.intp)]
    return rows + contexts
