"""What a user or an item was not met with: rows in the solve of a model that learned from those, too.

Training draws m unseen items for every like; on average each unseen item gets an equal share of the user's m likes.
Implicit ALS weighs every pair alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding import Encoder
from .interactions import History
from .objectives import Objective
from .own_rows import Array, Index, OwnRows, Side

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Unmet", "background_of"]


@dataclass(frozen=True)
class Unmet:
    """Rows of each entity with all candidates of the other side that it was not met with.

    Attributes
    ----------
    side : {"user", "item"}
    columns : ndarray of shape (m,), int64
        The entities' own ids.
    met : csr_matrix of shape (m, n_others)
        Its structure says who was met, by entity.
    candidates : ndarray of bool, shape (n_others,)
    weights : callable
        The weights of an entity's rows: given the entity and the candidates that it was not met with.
    target : float
    features : csr_matrix of shape (m, n_features)
        The entities without their ids.
    others : csr_matrix of shape (n_others, n_features)
    """

    side: Side
    columns: Index
    met: csr_matrix
    candidates: NDArray[np.bool_]
    weights: Callable[[int, Index], Array]
    target: float
    features: csr_matrix
    others: csr_matrix

    @property
    def n_rows(self) -> Index:
        """How many rows each entity has, at most."""
        return np.full(self.met.shape[0], int(self.candidates.sum()), dtype=np.int64)

    def rows(self, first: int, stop: int) -> OwnRows:
        """Those of the entities from first to stop."""
        unmet, weights = [], []
        for entity in range(first, stop):
            left = self.candidates.copy()
            left[self.met.indices[self.met.indptr[entity] : self.met.indptr[entity + 1]]] = False
            unmet.append(np.flatnonzero(left))
            weights.append(self.weights(entity, unmet[-1]))
        indptr = np.concatenate([[0], np.cumsum([len(those) for those in unmet])])
        weight = np.concatenate(weights)
        return OwnRows(
            self.side,
            indptr,
            self.features[first:stop],
            [(self.others, np.concatenate(unmet))],
            np.full(len(weight), self.target),
            weight,
            self.columns[first:stop],
        )


def background_of(
    rec: Recommender,
    objective: Objective,
    encoder: Encoder,
    side: Side,
    history: History,
    solved: Index,
    features: csr_matrix,
) -> Unmet:
    """The background of the entities in `solved`, which have `features` beside their ids.

    A row carries the mean context of the user's likes. For items, what counts is what users did before the call:
    then no item's vector depends on which others are folded in beside it.
    """
    old = rec.interactions_
    assert old is not None
    n_items = len(encoder.items_)
    columns = encoder.entities(side).columns[solved]
    of_rows = _weighed(objective, history if side == "user" else old)
    if side == "user":
        likes = np.bincount(of_rows.users(), of_rows.weight, len(encoder.users_))[solved]

        def spread(user: int, unmet: Index) -> Array:
            return np.full(len(unmet), objective.of_unmet(likes[user], len(unmet)))

        return Unmet(
            side,
            columns,
            _excluded(objective, history.seen(n_items, solved)),
            encoder.is_trained("item"),
            spread,
            objective.unmet,
            features + _mean_context(encoder, of_rows)[solved],
            encoder.entities("item").rows,
        )
    n_old = len(rec.encoder_.users_)
    likes = np.bincount(of_rows.users(), of_rows.weight, n_old)
    trained = rec.encoder_.is_trained("item")
    seen = old.seen(len(trained)).copy()  # it shares the history's memory, whose order is that of the labels
    seen.sum_duplicates()
    n_unseen = int(trained.sum()) - np.asarray((seen[:, trained] > 0).sum(axis=1)).ravel()
    is_new = np.append(~trained, np.ones(n_items - len(trained), bool))[solved]

    def share(item: int, users: Index) -> Array:
        among = n_unseen[users] + is_new[item]
        weights: Array = np.broadcast_to(objective.of_unmet(likes[users], among), among.shape)
        return weights

    met = _excluded(objective, csr_matrix(history.seen(n_items).T)[solved])
    users = encoder.entities("user").rows + _mean_context(encoder, of_rows)
    return Unmet(side, columns, met, likes > 0, share, objective.unmet, features, users)


def _weighed(objective: Objective, history: History) -> History:
    """The history with what its rows weigh in the objective."""
    weight: Any = objective.weights(history.label, history.weight)
    return replace(history, weight=weight)


def _excluded(objective: Objective, met: csr_matrix) -> csr_matrix:
    """What is no background: what was met, unless every pair takes part."""
    return csr_matrix(met.shape, dtype=met.dtype) if objective.every_pair else met


def _mean_context(encoder: Encoder, history: History) -> csr_matrix:
    """The mean context of each user's likes, over all features."""
    n_users = len(encoder.users_)
    total = csr_matrix((n_users, encoder.n_features_), dtype=np.float64)
    users = history.users()
    likes = np.bincount(users, history.weight, n_users)
    for name, index in history.context.items():
        rows = np.flatnonzero((index >= 0) & (history.weight > 0))
        entities = encoder.entities(name).rows
        share = history.weight[rows] / likes[users[rows]]
        total += csr_matrix((share, (users[rows], index[rows])), shape=(n_users, entities.shape[0])) @ entities
    return total
