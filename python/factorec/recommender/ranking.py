"""Ranking with a fitted recommender: what was asked for, answered in batches of users."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding.tables import column
from ..errors import DataError, UnknownIdError
from ..search import ItemIndex
from .interactions import id_positions, names_columns
from .recommendations import Recommendations

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Ranker", "Request", "check_n", "take_rows"]

_BATCH = 4096  # users: enough to keep every thread busy, few enough to stay in some megabytes


class Ranker:
    """A fitted model taken apart: query vectors on one side, a searchable item index on the other."""

    def __init__(self, rec: Recommender) -> None:
        self._parameters = rec.estimator_.parameters_
        self._user_rows = rec.encoder_.entities("user").rows
        item_rows = rec.encoder_.entities("item").rows
        self._vectors = self._parameters.item_vectors(item_rows)
        self._offsets = self._parameters.item_offsets(item_rows)
        n_jobs = rec.estimator_.n_jobs
        self._index = ItemIndex(self._vectors, offsets=self._offsets, n_jobs=n_jobs)
        # Popularity as the offsets of an index of its own: the same filters, and ties by item position.
        counts = rec.popularity_.astype(np.float32)
        self._popular = ItemIndex(np.zeros((len(counts), 1), np.float32), offsets=counts, n_jobs=n_jobs)
        self._n_jobs = n_jobs

    def top(self, users: NDArray[np.int64], n: int, **filters: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Best item positions (n_users, n), padded with -1, and full raw scores, padded with -inf."""
        rows = take_rows(self._user_rows, users)
        result = self._index.search(self._parameters.query_vectors(rows), n, **filters)
        own = self._parameters.bias + self._parameters.query_offsets(rows).astype(np.float64)
        return result.ids, (result.scores + own[:, None]).astype(np.float32)

    def top_popular(self, n_users: int, n: int, **filters: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Items with most likes, and their raw scores for a user that the model does not know."""
        ids = self._popular.search(np.zeros((n_users, 1), np.float32), n, **filters).ids
        scores = (self._parameters.bias + self._offsets.astype(np.float64)).astype(np.float32)
        return ids, np.where(ids >= 0, scores[ids], np.float32(-np.inf))

    def similar(self, rec: Recommender, item: Any, n: int) -> Recommendations:
        """Items by cosine to each asked item, without itself."""
        asked = np.atleast_1d(np.asarray(item))
        positions = id_positions(rec.encoder_.items_, asked, "item")
        index = ItemIndex(self._vectors, metric="cosine", n_jobs=self._n_jobs)
        itself = csr_matrix(
            (np.ones(len(positions), np.float32), positions, np.arange(len(positions) + 1)),
            shape=(len(positions), index.n_items),
        )
        result = index.search(self._vectors[positions], check_n(n), exclude=itself)
        return Recommendations(
            rec.encoder_.items_.ids[positions],
            result.ids,
            result.scores,
            catalogue=rec.encoder_.items_.ids,
            titles=rec.titles_,
            user_name=rec.item,
            item_name=f"similar_{rec.item}",
            backend=rec.backend_,
        )


@dataclass(frozen=True)
class Request:
    """One call of `Recommender.recommend`, its ids resolved to positions."""

    rec: Recommender
    user_ids: NDArray[Any]
    users: NDArray[np.int64]
    n: int
    exclude_seen: bool
    items: NDArray[np.int64] | None
    exclude_items: NDArray[np.int64] | None
    exclude_pairs: csr_matrix | None

    @classmethod
    def read(
        cls, rec: Recommender, users: Any, n: Any, *, items: Any, exclude: Any, exclude_seen: bool, unknown: str
    ) -> Request:
        """Check and resolve the arguments of `Recommender.recommend`."""
        if unknown not in ("raise", "popular"):
            raise DataError(f"unknown must be 'raise' or 'popular', got {unknown!r}")
        if exclude_seen and rec.interactions_ is None:
            raise DataError(
                "this model was saved without its users' history, so it does not know what they have seen; "
                "pass exclude_seen=False"
            )
        vocabulary = rec.encoder_.users_
        if users is None:
            user_ids, positions = vocabulary.ids, np.arange(len(vocabulary))
        else:
            user_ids = np.atleast_1d(np.asarray(users))
            if user_ids.dtype.kind == "U":
                user_ids = user_ids.astype(object)
            if unknown == "raise":
                positions = id_positions(vocabulary, user_ids, "user", "unknown='popular' gives them popular items")
            else:
                positions = vocabulary.index(user_ids)
        whitelist = None if items is None else _whitelist(rec, items)
        everywhere, pairs = _exclusions(rec, exclude)
        return cls(rec, user_ids, positions, check_n(n), bool(exclude_seen), whitelist, everywhere, pairs)

    def batches(self, batch_size: int | None) -> Iterator[Recommendations]:
        """Answer in batches of users."""
        size = _BATCH if batch_size is None else check_n(batch_size, "batch_size")
        for start in range(0, max(len(self.users), 1), size):  # no user: one empty batch, with its columns
            yield self._answer(slice(start, start + size))

    def collect(self, batches: Iterator[Recommendations]) -> Recommendations:
        """All batches as one result."""
        parts = list(batches)
        if len(parts) == 1:
            return parts[0]
        return self._result(
            self.user_ids,
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.popular for part in parts]),
        )

    def _answer(self, batch: slice) -> Recommendations:
        users, ranker = self.users[batch], self.rec._ranker()
        exclude = None
        if self.exclude_seen and self.rec.interactions_ is not None:
            exclude = self.rec.interactions_.seen(len(self.rec.encoder_.items_), users)
        if self.exclude_pairs is not None:
            pairs = take_rows(self.exclude_pairs, users)
            exclude = pairs if exclude is None else exclude + pairs
        shared = {"items": self.items, "exclude_items": self.exclude_items}
        popular = users < 0
        positions, scores = ranker.top(users, self.n, exclude=exclude, **shared)
        if popular.any():
            # Nothing is known to be seen by them.
            positions[popular], scores[popular] = ranker.top_popular(int(popular.sum()), self.n, **shared)
        return self._result(self.user_ids[batch], positions, scores, popular)

    def _result(
        self,
        user_ids: NDArray[Any],
        positions: NDArray[np.int64],
        scores: NDArray[np.float32],
        popular: NDArray[np.bool_],
    ) -> Recommendations:
        rec = self.rec
        return Recommendations(
            user_ids,
            positions,
            scores,
            catalogue=rec.encoder_.items_.ids,
            titles=rec.titles_,
            popular=popular,
            user_name=rec.user,
            item_name=rec.item,
            backend=rec.backend_,
        )


def check_n(n: Any, name: str = "n") -> int:
    """An integer of at least 1."""
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 1:
        raise DataError(f"{name} must be an integer of at least 1, got {n!r}")
    return int(n)


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


def _whitelist(rec: Recommender, items: Any) -> NDArray[np.int64]:
    """Positions of the allowed items. A catalogue has items that nobody met yet: those are counted in a warning."""
    ids = np.atleast_1d(np.asarray(items))
    positions = rec.encoder_.items_.index(ids)
    unknown = positions < 0
    if unknown.any():
        if unknown.all():
            raise UnknownIdError("item", dict.fromkeys(ids.tolist()), "none of items= is known to the model")
        warnings.warn(
            f"{unknown.sum():,} of {len(ids):,} ids in items= are not known to the model and cannot be recommended",
            UserWarning,
            stacklevel=4,
        )
    return np.asarray(positions[~unknown])


def _exclusions(rec: Recommender, exclude: Any) -> tuple[NDArray[np.int64] | None, csr_matrix | None]:
    """Items to leave out for everyone, or (user, item) pairs. What the model does not know is out anyway."""
    if exclude is None:
        return None, None
    users, items = rec.encoder_.users_, rec.encoder_.items_
    if names_columns(exclude, (rec.user, rec.item)):
        user = users.index(column(exclude, rec.user))
        item = items.index(column(exclude, rec.item))
        known = (user >= 0) & (item >= 0)
        ones = np.ones(int(known.sum()), dtype=np.float32)
        return None, csr_matrix((ones, (user[known], item[known])), shape=(len(users), len(items)))
    positions = items.index(np.atleast_1d(np.asarray(exclude)))
    return positions[positions >= 0], None
