"""What `recommend` was asked for, resolved to positions and answered in batches of users."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding.tables import column
from ..errors import DataError, UnknownIdError
from .context import read_context
from .estimators import score_of_probability
from .interactions import id_positions, names_columns
from .ranking import check_n, take_rows
from .recommendations import Recommendations

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Request", "asked_users"]

_BATCH = 4096  # users: enough to keep every thread busy, few enough to stay in some megabytes


@dataclass(frozen=True)
class Request:
    """One call of `Recommender.recommend` or `Recommender.recommend_for`, ready to be answered.

    Attributes
    ----------
    user_ids : ndarray of shape (n_queries,)
        As asked.
    users : ndarray of shape (n_queries,), int64
        Their positions; -1 for users that get the popular items.
    n : int
    context : csr_matrix of shape (n_queries, n_features) or (1, n_features), or None
        The context of each query, or one for all.
    exclude_seen : bool
    items : ndarray of shape (n_items,), bool
        The candidates.
    exclude_pairs : csr_matrix of shape (n_users, n_items), or None
        By user position: what that user is not to get.
    min_score : float
        Lower scores are left out; minus infinity keeps all.
    shown : dict of str to ndarray of shape (n_queries,)
        Columns of the context that the result shows beside the user's id.
    """

    rec: Recommender
    user_ids: NDArray[Any]
    users: NDArray[np.int64]
    n: int
    context: csr_matrix | None
    exclude_seen: bool
    items: NDArray[np.bool_]
    exclude_pairs: csr_matrix | None
    min_score: float
    shown: dict[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        rec: Recommender,
        users: Any,
        n: Any,
        *,
        context: Any = None,
        items: Any = None,
        exclude: Any = None,
        exclude_seen: bool = True,
        cold_items: bool = False,
        unknown: str = "raise",
        min_score: Any = None,
        min_probability: Any = None,
        shown: Mapping[str, NDArray[Any]] | None = None,
    ) -> Request:
        """Check and resolve the arguments of `Recommender.recommend`."""
        if unknown not in ("raise", "popular"):
            raise DataError(f"unknown must be 'raise' or 'popular', got {unknown!r}")
        if exclude_seen and rec.interactions_ is None:
            raise DataError(
                "this model was saved without its users' history, so it does not know what they have seen; "
                "pass exclude_seen=False"
            )
        user_ids, positions = asked_users(rec, users, unknown)
        allowed = _candidates(rec, items, cold_items)
        everywhere, pairs = _exclusions(rec, exclude)
        allowed[everywhere] = False
        threshold = _threshold(rec, min_score, min_probability)
        return cls(
            rec,
            user_ids,
            positions,
            check_n(n),
            read_context(rec, context, len(user_ids)),
            bool(exclude_seen),
            allowed,
            pairs,
            threshold,
            dict(shown or {}),
        )

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
            slice(None),
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.popular for part in parts]),
        )

    def _answer(self, batch: slice) -> Recommendations:
        users, ranker = self.users[batch], self.rec._ranker()
        exclude = None
        if self.exclude_seen and self.rec.interactions_ is not None:
            exclude = self.rec.interactions_.seen(len(self.items), users)
        if self.exclude_pairs is not None:
            pairs = take_rows(self.exclude_pairs, users)
            exclude = pairs if exclude is None else exclude + pairs
        context = self.context
        if context is not None:
            context = context[np.zeros(len(users), dtype=np.intp)] if context.shape[0] == 1 else context[batch]
        popular = users < 0
        positions, scores = ranker.top(users, self.n, context=context, exclude=exclude, items=self.items)
        if popular.any():
            # Nothing is known to be seen by them.
            context = None if context is None else context[np.flatnonzero(popular)]
            n_users = int(popular.sum())
            positions[popular], scores[popular] = ranker.top_popular(n_users, self.n, context=context, items=self.items)
        self._cut(positions, scores)
        return self._result(batch, positions, scores, popular)

    def _cut(self, positions: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take items below the threshold out, in place; those that stay move up (popular lists are not sorted)."""
        if self.min_score == -math.inf:
            return
        low = scores < np.float64(self.min_score)
        order = np.argsort(low, axis=1, kind="stable")
        positions[low], scores[low] = -1, -np.inf
        positions[:] = np.take_along_axis(positions, order, axis=1)
        scores[:] = np.take_along_axis(scores, order, axis=1)

    def _result(
        self,
        batch: slice,
        positions: NDArray[np.int64],
        scores: NDArray[np.float32],
        popular: NDArray[np.bool_],
    ) -> Recommendations:
        rec = self.rec
        return Recommendations(
            self.user_ids[batch],
            positions,
            scores,
            catalogue=rec.encoder_.items_.ids,
            titles=rec.titles_,
            popular=popular,
            context={name: values[batch] for name, values in self.shown.items()},
            user_name=rec.user,
            item_name=rec.item,
            backend=rec.backend_,
        )


def asked_users(rec: Recommender, users: Any, unknown: str = "raise") -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Ids as asked, and their positions; None asks for everyone whom the model learned an own vector for."""
    vocabulary = rec.encoder_.users_
    if users is None:
        positions = np.flatnonzero(rec.encoder_.is_trained("user"))
        return vocabulary.ids[positions], positions
    ids = np.atleast_1d(np.asarray(users))
    if ids.dtype.kind == "U":
        ids = ids.astype(object)
    if unknown == "raise":
        return ids, id_positions(vocabulary, ids, "user", "unknown='popular' gives them popular items")
    return ids, vocabulary.index(ids)


def _candidates(rec: Recommender, items: Any, cold_items: Any) -> NDArray[np.bool_]:
    """Mask of the allowed items. A catalogue has items that nobody met yet: those are counted in a warning."""
    trained = rec.encoder_.is_trained("item")
    candidates = np.ones(len(trained), dtype=bool) if cold_items else trained.copy()
    if items is None:
        return candidates
    ids, positions = _items(rec, items, "items")
    usable = positions >= 0
    usable[usable] = candidates[positions[usable]]
    if not usable.all():
        cold = int((positions[~usable] >= 0).sum())
        hint = "cold_items=True ranks those of the catalogue by their features" if cold else ""
        if not usable.any():
            text = "none of items= is known to the model" if not cold else f"none of items= has interactions; {hint}"
            raise UnknownIdError("item", dict.fromkeys(ids.tolist()), text)
        warnings.warn(
            f"{(~usable).sum():,} of {len(ids):,} ids in items= are not known to the model and cannot be recommended"
            + (f"; {hint}" if cold else ""),
            UserWarning,
            stacklevel=4,
        )
    listed = np.zeros(len(candidates), dtype=bool)
    listed[positions[usable]] = True
    return listed


def _exclusions(rec: Recommender, exclude: Any) -> tuple[NDArray[np.int64], csr_matrix | None]:
    """Items to leave out for everyone, and (user, item) pairs. What the model does not know is out anyway."""
    if exclude is None:
        return np.empty(0, dtype=np.int64), None
    users, items = rec.encoder_.users_, rec.encoder_.items_
    if names_columns(exclude, (rec.user, rec.item)):
        try:
            user, item = users.index(column(exclude, rec.user)), items.index(column(exclude, rec.item))
        except DataError as error:
            raise DataError(f"exclude: {error}") from None
        known = (user >= 0) & (item >= 0)
        ones = np.ones(int(known.sum()), dtype=np.float32)
        pairs = csr_matrix((ones, (user[known], item[known])), shape=(len(users), len(items)))
        return np.empty(0, dtype=np.int64), pairs
    _, positions = _items(rec, exclude, "exclude")
    return positions[positions >= 0], None


def _items(rec: Recommender, given: Any, argument: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Ids of items, from a list or from a table's column of items, and their positions."""
    try:
        ids = column(given, rec.item) if names_columns(given, (rec.item,)) else np.atleast_1d(np.asarray(given))
        return ids, rec.encoder_.items_.index(ids)
    except DataError as error:
        raise DataError(f"{argument}: {error}") from None


def _threshold(rec: Recommender, min_score: Any, min_probability: Any) -> float:
    """The lowest raw score that is kept."""
    lowest = -math.inf
    if min_score is not None:
        lowest = _number(min_score, "min_score", "a raw score")
    if min_probability is None:
        return lowest
    p = _number(min_probability, "min_probability", "a probability from 0 to 1")
    if not 0 <= p <= 1:
        raise DataError(f"min_probability must be a probability from 0 to 1, got {min_probability!r}")
    return max(lowest, score_of_probability(rec, p))


def _number(value: Any, name: str, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
        raise DataError(f"{name} must be {what}, got {value!r}")
    return float(value)
