"""What a model should beat: predictions and lists that need no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..search import ItemIndex
from .interactions import History
from .training import has_unseen

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["DAMPING", "Means", "rank_by"]

DAMPING = 5.0  # rows at the mean of all rows, added to each mean of few


class Means:
    """Mean of a value of rows (the rating, or 1 for a like) by item, by user and of all rows the model learned from.

    Where unseen items take part, the model learns from what was chosen alone; the means are then over all rows that
    users' histories hold. The mean of an item or user of n rows with sum s is (s + 5 m) / (n + 5), with m the mean of
    all: few rows say little.

    Parameters
    ----------
    rec : Recommender
        Fitted, with its history.
    values : ndarray of shape (n,)
        Of each row of the history.

    Attributes
    ----------
    overall : float
    items, users : ndarray of shape (n_items,), (n_users,), float64
        By position; `overall` for those without rows.
    """

    def __init__(self, rec: Recommender, values: NDArray[Any]) -> None:
        history: History | None = rec.interactions_
        assert history is not None
        used = np.ones(len(values), bool) if has_unseen(rec) else history.weight > 0
        label = values[used].astype(np.float64)
        self._smallest = 0.5 / max(len(label), 1)
        self.overall = float(label.mean()) if len(label) else 0.0
        self.tells_apart = bool(len(label)) and label.min() < label.max()
        self.items = self._by(history.items[used], label, len(rec.encoder_.items_))
        self.users = self._by(history.users()[used], label, len(rec.encoder_.users_))

    def _by(self, position: NDArray[Any], label: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        sums, counts = np.bincount(position, label, minlength=n), np.bincount(position, minlength=n)
        return np.asarray((sums + DAMPING * self.overall) / (counts + DAMPING))

    def scores(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """What each mean says of rows; -1 is an unknown user or item."""
        return {
            "item mean": np.where(items < 0, self.overall, self.items[items]),
            "user mean": np.where(users < 0, self.overall, self.users[users]),
            "global mean": np.full(len(users), self.overall),
        }

    def log_odds(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """What each share of likes says of rows, as log-odds."""
        log_odds = {}
        for name, mean in self.scores(users, items).items():
            # A share of 0 or 1 (of all rows) would be a certainty, and its log loss infinite.
            share = np.clip(mean, self._smallest, 1 - self._smallest)
            log_odds[name] = np.log(share) - np.log1p(-share)
        return log_odds


def rank_by(
    values: NDArray[Any], n_users: int, n: int, *, exclude: Any, items: NDArray[np.bool_], n_jobs: int | None
) -> NDArray[np.int64]:
    """Positions (n_users, n) of the allowed items of largest value, padded with -1; ties by position."""
    index = ItemIndex(np.zeros((len(values), 1), np.float32), offsets=values.astype(np.float32), n_jobs=n_jobs)
    return index.search(np.zeros((n_users, 1), np.float32), n, exclude=exclude, items=items).ids
