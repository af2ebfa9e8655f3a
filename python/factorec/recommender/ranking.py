"""A fitted model taken apart for ranking: vectors of queries on one side, searchable items on the other."""

from __future__ import annotations

import numbers
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..errors import DataError
from ..fm import FMParameters
from ..search import ItemIndex
from .estimators import searched_parameters

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Ranker", "check_n", "take_rows"]

Positions = NDArray[np.int64]
Scores = NDArray[np.float32]


class Ranker:
    """Ranks items for users, and finds what lies near what; all ids are positions of the encoder's entities."""

    def __init__(self, rec: Recommender) -> None:
        encoder = rec.encoder_
        self.parameters: FMParameters = searched_parameters(rec)
        self._user_rows = encoder.entities("user").rows
        item_rows = encoder.entities("item").rows
        self._vectors = self.parameters.item_vectors(item_rows)
        self._offsets = self.parameters.item_offsets(item_rows)
        self._trained: dict[str, NDArray[np.bool_]] = {side: encoder.is_trained(side) for side in ("user", "item")}
        self._n_jobs = rec.estimator_.n_jobs
        self._index = ItemIndex(self._vectors, offsets=self._offsets, n_jobs=self._n_jobs)
        # Popularity as the offsets of an index of its own: the same filters, and ties by item position.
        counts = rec.popularity_.astype(np.float32)
        self._popular = ItemIndex(np.zeros((len(counts), 1), np.float32), offsets=counts, n_jobs=self._n_jobs)

    @property
    def trained_items(self) -> NDArray[np.bool_]:
        """Which items the model learned an own vector for: the candidates, unless others are asked for."""
        return self._trained["item"]

    def query_rows(self, users: Positions, context: csr_matrix | None = None) -> csr_matrix:
        """Rows of users (-1: none) in a context."""
        rows = take_rows(self._user_rows, users)
        return rows if context is None else csr_matrix(rows + context)

    def top(
        self, users: Positions, n: int, *, context: csr_matrix | None = None, exclude: Any = None, items: Any = None
    ) -> tuple[Positions, Scores]:
        """Best item positions (n_users, n), padded with -1, and full raw scores, padded with -inf.

        `context` has a row for each user; `items` is a mask over items, None for those that were trained.
        """
        rows = self.query_rows(users, context)
        allowed = self._allowed(items)
        result = self._index.search(self.parameters.query_vectors(rows), n, exclude=exclude, items=allowed)
        return result.ids, (result.scores + self._own(rows)[:, None]).astype(np.float32)

    def top_popular(
        self, n_users: int, n: int, *, context: csr_matrix | None = None, exclude: Any = None, items: Any = None
    ) -> tuple[Positions, Scores]:
        """Items with most likes, and their raw scores for a user that the model does not know."""
        allowed = self._allowed(items)
        ids = self._popular.search(np.zeros((n_users, 1), np.float32), n, exclude=exclude, items=allowed).ids
        rows = self.query_rows(np.full(n_users, -1), context)
        queries = self.parameters.query_vectors(rows)
        scores = self._offsets[ids]
        for rank in range(n):
            scores[:, rank] += np.einsum("qk,qk->q", queries, self._vectors[ids[:, rank]])
        scores += self._own(rows)[:, None]
        return ids, np.where(ids >= 0, scores, -np.inf).astype(np.float32)

    def similar(self, side: str, positions: Positions, n: int) -> tuple[Positions, Scores]:
        """Trained users or items by cosine to each asked one, without itself."""
        vectors = self._vectors if side == "item" else self._user_vectors
        index = self._similar_items if side == "item" else self._similar_users
        itself = csr_matrix(
            (np.ones(len(positions), np.float32), positions, np.arange(len(positions) + 1)),
            shape=(len(positions), index.n_items),
        )
        result = index.search(vectors[positions], n, exclude=itself, items=_unless_all(self._trained[side]))
        return result.ids, result.scores

    @cached_property
    def _user_vectors(self) -> NDArray[np.float32]:
        return self.parameters.query_vectors(self._user_rows)

    @cached_property
    def _similar_items(self) -> ItemIndex:
        return ItemIndex(self._vectors, metric="cosine", n_jobs=self._n_jobs)

    @cached_property
    def _similar_users(self) -> ItemIndex:
        return ItemIndex(self._user_vectors, metric="cosine", n_jobs=self._n_jobs)

    def _own(self, rows: csr_matrix) -> NDArray[np.float64]:
        """What a query adds to the score of every item."""
        return self.parameters.bias + self.parameters.query_offsets(rows)

    def _allowed(self, items: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        return _unless_all(self.trained_items if items is None else items)


def _unless_all(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return None if mask.all() else mask


def take_rows(rows: csr_matrix, positions: NDArray[Any]) -> csr_matrix:
    """Rows at positions; a row of zeros where the position is -1."""
    known = positions >= 0
    if known.all():
        return rows[positions]
    taken = rows[np.where(known, positions, 0)]
    lengths = np.diff(taken.indptr)
    kept = np.repeat(known, lengths)
    indptr = np.concatenate([[0], np.cumsum(lengths * known)])
    return csr_matrix((taken.data[kept], taken.indices[kept], indptr), shape=taken.shape)


def check_n(n: Any, name: str = "n") -> int:
    """An integer of at least 1."""
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 1:
        raise DataError(f"{name} must be an integer of at least 1, got {n!r}")
    return int(n)
