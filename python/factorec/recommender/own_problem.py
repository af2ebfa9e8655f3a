"""What a user's vector is re-solved from: the user's rows, and those of what was not met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .interactions import History
from .objectives import Objective
from .ranking import take_rows

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["learned_rows", "own_problem", "rows_of_user"]


def learned_rows(history: History, user: int) -> NDArray[np.int64]:
    """The rows of a user that the model learned from."""
    own = history.rows_of(user)
    return np.arange(own.start, own.stop)[history.weight[own] > 0]


def own_problem(rec: Recommender, user: int, objective: Objective) -> dict[str, Any]:
    """What `resolved_scores` and `explain_item` ask of a user, by name; the parameters are those of the mean."""
    history, p = rec.interactions_, rec.estimator_.parameters_.mean()
    assert history is not None
    rows = learned_rows(history, user)
    weight = objective.weights(history.label[rows], history.weight[rows])
    contexts = _contexts(rec, history, rows)
    prior = None if p.penalties is None else p.penalties.priors.get(str(rec.user))
    problem = {
        "X_rated": rows_of_user(rec, user, history.items[rows], contexts),
        "y": objective.targets(history.label[rows]),
        "feature": int(rec.encoder_.entities("user").columns[user]),
        "sample_weight": weight,
        "loss": objective.loss,
        "prior_mean": None if prior is None else prior.mean_factors,
    }
    return problem | (_background(rec, user, objective, weight, contexts) if objective.has_background else {})


def _background(
    rec: Recommender, user: int, objective: Objective, weight: NDArray[np.float64], contexts: csr_matrix | None
) -> dict[str, Any]:
    """What the user did not meet: every trained item but those met, or (implicit ALS) every one.

    Sampled negatives are drawn in the context of one of the user's rows; here each stands in the mean of these
    contexts, by weight.
    """
    candidates = rec.encoder_.is_trained("item")
    if rec.interactions_ is not None and not objective.every_pair:
        candidates[rec.interactions_.items[rec.interactions_.rows_of(user)]] = False
    items = np.flatnonzero(candidates)
    if not len(items):
        return {}
    mean = None if contexts is None else csr_matrix(weight[None, :] / weight.sum()) @ contexts
    return {
        "X_background": rows_of_user(rec, user, items, mean),
        "background_weight": float(objective.of_unmet(weight.sum(), len(items))),
        "background_target": objective.unmet,
    }


def _contexts(rec: Recommender, history: History, rows: NDArray[np.int64]) -> csr_matrix | None:
    """The context of each row of a history, all fields together; None for a model without context."""
    total = None
    for name, index in history.context.items():
        own = take_rows(rec.encoder_.entities(name).rows, index[rows])
        total = own if total is None else total + own
    return total


def rows_of_user(rec: Recommender, user: int, items: NDArray[Any], contexts: csr_matrix | None) -> Any:
    """Full rows of one user with some items, each in its context; one context stands for all."""
    users, films = rec.encoder_.entities("user").rows, rec.encoder_.entities("item").rows
    rows = films[items] + users[np.full(len(items), user)]
    if contexts is None:
        return rows
    if contexts.shape[0] != len(items):
        contexts = contexts[np.zeros(len(items), dtype=np.intp)]
    return rows + contexts
