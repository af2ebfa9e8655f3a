"""What a model should beat: predictions and lists that need no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from ..search import ItemIndex

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["DAMPING", "Means", "rank_by"]

DAMPING = 5.0  # rows at the mean of all rows, added to each mean of few


class Means:
    """Mean target (share of likes, for a classifier) by item, by user and of all rows the model learned from.

    Where negatives are sampled, the model learns from likes alone; the means are then over all rows that users'
    histories hold. The mean of an item or user of n rows with sum s is (s + 5 m) / (n + 5), with m the mean of
    all: few rows say little.

    Attributes
    ----------
    overall : float
    items, users : ndarray of shape (n_items,), (n_users,), float64
        By position; `overall` for those without rows.
    """

    def __init__(self, rec: Recommender) -> None:
        history = rec.interactions_
        assert history is not None
        used = np.ones(len(history.label), bool) if rec.negatives else history.weight > 0
        label = history.label[used].astype(np.float64)
        self._binary = is_classifier(rec.estimator_)
        self._smallest = 0.5 / max(len(label), 1)
        self.overall = float(label.mean()) if len(label) else 0.0
        self.tells_apart = bool(len(label)) and label.min() < label.max()
        self.items = self._by(history.items[used], label, len(rec.encoder_.items_))
        self.users = self._by(history.users()[used], label, len(rec.encoder_.users_))

    def _by(self, position: NDArray[Any], label: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        sums, counts = np.bincount(position, label, minlength=n), np.bincount(position, minlength=n)
        return np.asarray((sums + DAMPING * self.overall) / (counts + DAMPING))

    def scores(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Raw scores of rows by each mean, as an estimator gives them; -1 is an unknown user or item."""
        means = {
            "item mean": np.where(items < 0, self.overall, self.items[items]),
            "user mean": np.where(users < 0, self.overall, self.users[users]),
            "global mean": np.full(len(users), self.overall),
        }
        return {name: self._log_odds(mean) if self._binary else mean for name, mean in means.items()}

    def _log_odds(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        # A mean of 0 or 1 (of all rows) would be a certainty, and its log loss infinite.
        mean = np.clip(mean, self._smallest, 1 - self._smallest)
        return np.log(mean) - np.log1p(-mean)


def rank_by(
    values: NDArray[Any], n_users: int, n: int, *, exclude: Any, items: NDArray[np.bool_], n_jobs: int | None
) -> NDArray[np.int64]:
    """Positions (n_users, n) of the allowed items of largest value, padded with -1; ties by position."""
    index = ItemIndex(np.zeros((len(values), 1), np.float32), offsets=values.astype(np.float32), n_jobs=n_jobs)
    return index.search(np.zeros((n_users, 1), np.float32), n, exclude=exclude, items=items).ids
