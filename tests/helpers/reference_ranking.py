"""The ranking pass in plain Python and float64, written from its definition and sharing nothing with the library.

A row is a list of (column, value). Scores are those of whole rows, so that nothing here knows that the query's own
terms cancel. Everything random is the counter generator of ``rng.hpp`` in Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from reference_training import CounterRng, draw_negative


def draw_popular(seen, popularity, seed, epoch, row, j):
    """The j-th negative of a row: an unseen item in proportion to its popularity, or None."""
    unseen = [item for item in range(len(popularity)) if item not in seen]
    point = sum(popularity[item] for item in unseen)
    if not point:
        return None
    point = CounterRng(seed).fork(0x706F7075).fork(epoch).fork(row).below(point, j)
    for item in unseen:
        if point < popularity[item]:
            return item
        point -= popularity[item]
    raise AssertionError("a point beyond the last item")


@dataclass
class ReferenceRanking:
    """A model under training: one call to `epoch` is one pass. ``popularity`` None: negatives are uniform."""

    query_rows: list[list]  # of each training row
    item_rows: list[list]  # of each item
    user: list[int]  # of each training row
    item: list[int]
    weight: np.ndarray
    seen: list[set[int]]
    linear: np.ndarray
    factors: np.ndarray
    rate_linear: np.ndarray
    rate_factors: np.ndarray
    l2_linear: np.ndarray
    l2_factors: np.ndarray
    loss: str = "softmax"
    n_negatives: int = 20
    batch_size: int = 256
    shuffle: bool = True
    seed: int = 0
    popularity: list[int] | None = None
    linear_state: np.ndarray = field(default=None)
    factors_state: np.ndarray = field(default=None)

    def __post_init__(self):
        self.linear, self.factors = self.linear.astype(float), self.factors.astype(float)
        self.linear_state = np.ones_like(self.linear)
        self.factors_state = np.ones_like(self.linear)
        self.charged = np.zeros_like(self.linear)

    def candidates(self, row, epoch):
        seen, m = self.seen[self.user[row]], range(self.n_negatives)
        if self.popularity is not None:
            return [draw_popular(seen, self.popularity, self.seed, epoch, row, j) for j in m]
        return [draw_negative(seen, len(self.item_rows), self.seed, epoch, row, j) for j in m]

    def score(self, row):
        columns, values = [f for f, _ in row], np.array([x for _, x in row])
        parts = values[:, None] * self.factors[columns]
        return self.linear[columns] @ values + 0.5 * (parts.sum(axis=0) @ parts.sum(axis=0) - np.sum(parts**2))

    def slopes(self, scores, items, n_unseen):
        """Loss, its slope by each score, and which items are touched; the first item is the positive."""
        if self.loss == "softmax":
            if self.popularity is not None:
                scores = scores - np.log(np.maximum(1, [self.popularity[item] for item in items]))
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            return -np.log(shares[0]), shares - (np.arange(len(items)) == 0), range(len(items))
        if self.loss == "bpr":
            behind = scores[1:] - scores[0]
            slopes = 1 / (1 + np.exp(-behind)) / len(behind)
            return np.logaddexp(0, behind).mean(), np.append(-slopes.sum(), slopes), range(len(items))
        for tries in range(1, len(items)):
            margin = 1 + scores[tries] - scores[0]
            if margin > 0:
                rank = np.log1p(max(1, n_unseen // tries))
                slopes = np.zeros(len(items))
                slopes[0], slopes[tries] = -rank, rank
                return rank * margin, slopes, (0, tries)
        return 0.0, np.zeros(len(items)), ()

    def epoch(self, number):
        """One pass; the mean loss."""
        order = list(range(len(self.query_rows)))
        if self.shuffle:
            order = CounterRng(self.seed).fork(1).fork(number).shuffled(order)
        total_loss = total_weight = 0.0
        for begin in range(0, len(order), self.batch_size):
            sums = {}

            def add(f, count, weight, linear, factors, sums=sums):
                old = sums.get(f, (0, 0.0, 0.0, 0.0))
                sums[f] = tuple(a + b for a, b in zip(old, (count, weight, linear, factors), strict=True))

            for row in order[begin : begin + self.batch_size]:
                items = self.candidates(row, number)
                if items[0] is None:
                    continue
                items, weight, query = [self.item[row], *items], self.weight[row], self.query_rows[row]
                rows = [query + self.item_rows[item] for item in items]
                n_unseen = len(self.item_rows) - len(self.seen[self.user[row]])
                loss, slopes, touched = self.slopes(np.array([self.score(r) for r in rows]), items, n_unseen)
                total_loss, total_weight = total_loss + weight * loss, total_weight + weight
                for i in touched:
                    s = sum((x * self.factors[f] for f, x in rows[i]), np.zeros(self.factors.shape[1]))
                    for f, x in rows[i]:
                        slope = weight * slopes[i] * x
                        add(f, 0, 0.0, slope, slope * (s - x * self.factors[f]))
                    for f, _ in self.item_rows[items[i]]:
                        add(f, 1, weight, 0.0, 0.0)
                if len(touched):
                    for f, _ in query:
                        add(f, 1, weight, 0.0, 0.0)
            self.step(sums)
        return total_loss / total_weight if total_weight else 0.0

    def step(self, sums):
        for f, (count, weight, linear, factors) in sums.items():
            linear = (linear + weight * self.l2_linear[f] * self.linear[f]) / np.sqrt(count)
            factors = (factors + weight * self.l2_factors[f] * self.factors[f]) / np.sqrt(count)
            self.linear_state[f] += linear**2
            self.factors_state[f] += np.mean(factors**2)
            self.linear[f] -= self.rate_linear[f] * linear / np.sqrt(self.linear_state[f])
            self.factors[f] -= self.rate_factors[f] * factors / np.sqrt(self.factors_state[f])
            self.charged[f] += weight
