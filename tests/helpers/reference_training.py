"""The training pass in plain Python and float64, written from its definition and sharing nothing with the library.

A row is a list of (column, value). Everything random is the counter generator of ``rng.hpp`` in Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

MASK = 2**64 - 1
STEP = 0x9E3779B97F4A7C15
GROUP_ROWS = 16
FROZEN_ROWS = 1024


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class CounterRng:
    def __init__(self, seed):
        self.key = mix((seed + STEP) & MASK)

    def fork(self, stream):
        child = CounterRng(0)
        child.key = mix(self.key ^ mix((stream * STEP + 0x632BE59BD9B4E019) & MASK))
        return child

    def below(self, bound, counter):
        return (mix((self.key + counter * STEP) & MASK) * bound) >> 64

    def shuffled(self, values):
        values = list(values)
        for i in range(len(values), 1, -1):
            j = self.below(i, i)
            values[i - 1], values[j] = values[j], values[i - 1]
        return values


def draw_negative(seen, n_items, seed, epoch, row, j):
    """The j-th negative of a row: an item that is not in `seen`, or None."""
    unseen = [item for item in range(n_items) if item not in seen]
    if not unseen:
        return None
    rng = CounterRng(seed).fork(0x6E656761).fork(epoch).fork(row)
    return unseen[rng.below(len(unseen), j)]


@dataclass
class Settings:
    loss: str
    solver: str
    rate_bias: float
    rate_linear: np.ndarray
    rate_factors: np.ndarray
    l2_linear: np.ndarray
    l2_factors: np.ndarray
    l2_bias: float = 0.0
    batch_size: int = 1
    shuffle: bool = True
    clip: float = np.inf
    seed: int = 0


@dataclass
class Cuts:
    """The cuts between ordered levels 0, 1, ..., and what the log loss of each weighs."""

    value: np.ndarray
    weight: np.ndarray
    state: np.ndarray

    def slopes(self, score, level):
        """Of the log loss of every cut, with respect to the score."""
        return 1 / (1 + np.exp(self.value - score)) - (level > np.arange(len(self.value)))


@dataclass
class Negatives:
    """Unseen items of users: `item_rows[i]` replaces the part of a row that belongs to its item."""

    per_positive: int
    seen: list[set[int]]
    user_of_row: list[int]
    query_rows: list[list]
    item_rows: list[list]


@dataclass
class Reference:
    """A model under training: one call to `epoch` is one pass."""

    rows: list[list]
    target: np.ndarray
    weight: np.ndarray
    settings: Settings
    bias: float
    linear: np.ndarray
    factors: np.ndarray
    grid: tuple | None = None  # ((start, stop), (start, stop)): the two one-hot fields
    negatives: Negatives | None = None
    cuts: Cuts | None = None
    bias_state: float = 1.0
    linear_state: np.ndarray = field(default=None)
    factors_state: np.ndarray = field(default=None)

    def __post_init__(self):
        self.linear = self.linear.astype(np.float64)
        self.factors = self.factors.astype(np.float64)
        if self.linear_state is None:
            self.linear_state = np.ones_like(self.linear)
            self.factors_state = np.ones_like(self.linear)
        self.rng = CounterRng(self.settings.seed)
        self.order = list(range(len(self.rows)))
        if self.settings.shuffle:
            self.order = self.rng.fork(1).shuffled(self.order)
        if self.settings.batch_size > 1:
            self.grid = None
        if self.grid:
            self.groups = [self.deal(span) for span in self.grid]

    # The model and its gradients.

    def score(self, row):
        s = sum((x * self.factors[f] for f, x in row), np.zeros(self.factors.shape[1]))
        squares = sum(x * x * (self.factors[f] @ self.factors[f]) for f, x in row)
        return self.bias + sum(x * self.linear[f] for f, x in row) + 0.5 * (s @ s - squares)

    def slope(self, row, y):
        z = self.score(row)
        if self.cuts:
            return self.cuts.weight @ self.cuts.slopes(z, y)
        return z - y if self.settings.loss == "squared" else 1 / (1 + np.exp(-z)) - y

    def gradients(self, row, slope, weight):
        """(column, linear gradient, factor gradient) of every entry, all at the current values."""
        s = sum((x * self.factors[f] for f, x in row), np.zeros(self.factors.shape[1]))
        cut, l2 = self.settings.clip, self.settings
        return [
            (
                f,
                np.clip(slope * x + weight * l2.l2_linear[f] * self.linear[f], -cut, cut),
                np.clip(slope * x * (s - x * self.factors[f]) + weight * l2.l2_factors[f] * self.factors[f], -cut, cut),
            )
            for f, x in row
        ]

    # Steps.

    def step(self, f, linear, factors, scale=1.0):
        rate_linear, rate_factors = self.settings.rate_linear[f], self.settings.rate_factors[f]
        if self.settings.solver == "adagrad":
            self.linear_state[f] += linear**2
            self.factors_state[f] += np.mean(factors**2)
            self.linear[f] -= rate_linear * linear / np.sqrt(self.linear_state[f])
            self.factors[f] -= rate_factors * factors / np.sqrt(self.factors_state[f])
        else:
            self.linear[f] -= rate_linear * scale * linear
            self.factors[f] -= rate_factors * scale * factors

    def step_merged(self, sums):
        for f, (count, linear, factors) in sums.items():
            if self.settings.solver == "adagrad":
                self.step(f, linear / np.sqrt(count), factors / np.sqrt(count))
            else:
                self.step(f, linear / count, factors / count, min(count, 16))

    def step_bias(self, slope, weight):
        """Slope: a number, or one for each cut."""
        if weight <= 0:
            return
        if self.cuts:
            self.step_cuts(np.clip(slope / weight, -self.settings.clip, self.settings.clip))
            return
        gradient = np.clip(slope / weight + self.settings.l2_bias * self.bias, -self.settings.clip, self.settings.clip)
        if self.settings.solver == "adagrad":
            self.bias_state += gradient**2
            gradient /= np.sqrt(self.bias_state)
        self.bias -= self.settings.rate_bias * gradient

    def step_cuts(self, gradient):
        """A higher cut lowers what a higher score raises. Of each gap at least half is left."""
        half = np.maximum(np.diff(self.cuts.value) / 2, 1e-6)
        if self.settings.solver == "adagrad":
            self.cuts.state += gradient**2
            gradient = gradient / np.sqrt(self.cuts.state)
        self.cuts.value = self.cuts.value + self.settings.rate_bias * gradient
        for t in range(1, len(half) + 1):
            self.cuts.value[t] = max(self.cuts.value[t], self.cuts.value[t - 1] + half[t - 1])

    # Rows in groups: the slopes of a group first, then its updates one after the other.

    def run(self, visits, frozen, sums):
        """Visit rows; gradients of columns for which frozen(f) holds go to `sums`. Returns sums of slope and weight."""
        total_slope = total_weight = 0.0
        for start in range(0, len(visits), GROUP_ROWS):
            group = visits[start : start + GROUP_ROWS]
            slopes = [self.slope(row, y) * w for row, y, w in group]
            if self.cuts:
                total_slope = total_slope + sum(self.cuts.slopes(self.score(row), y) * w for row, y, w in group)
            for (row, _, w), slope in zip(group, slopes, strict=True):
                for f, linear, factors in self.gradients(row, slope, w):
                    if frozen(f):
                        count, old_linear, old_factors = sums.get(f, (0, 0.0, 0.0))
                        sums[f] = (count + 1, old_linear + linear, old_factors + factors)
                    else:
                        self.step(f, linear, factors)
                total_slope = total_slope + (0 if self.cuts else slope)
                total_weight += w
        return total_slope, total_weight

    # The order of an epoch.

    def visits(self, row, epoch):
        """A row and its negatives: (entries, target, weight, item or None)."""
        yield self.rows[row], self.target[row], self.weight[row]
        n = self.negatives
        if n is None or self.target[row] != 1:
            return
        for j in range(n.per_positive):
            item = draw_negative(n.seen[n.user_of_row[row]], len(n.item_rows), self.settings.seed, epoch, row, j)
            if item is not None:
                yield n.query_rows[row] + n.item_rows[item], 0.0, self.weight[row]

    def deal(self, span):
        """Column -> one of 8 groups: descending count to the lightest group."""
        start, stop = span
        counts = dict.fromkeys(range(start, stop), 0)
        for row in self.rows:
            counts[self.column_in(row, span)] += 1
        load, group = [0] * 8, {}
        for f in sorted(counts, key=lambda f: (-counts[f], f)):
            group[f] = load.index(min(load))
            load[group[f]] += max(counts[f], 1)
        return group

    @staticmethod
    def column_in(row, span):
        (column,) = (f for f, _ in row if span[0] <= f < span[1])
        return column

    def epoch(self, number):
        if self.grid:
            self.epoch_of_grid(number)
            return
        order = self.rng.fork(1).fork(number).shuffled(self.order) if self.settings.shuffle else self.order
        visits = [visit for row in order for visit in self.visits(row, number)]
        size = self.settings.batch_size
        for start in range(0, len(visits), size):
            sums = {}
            slope, weight = self.run(visits[start : start + size], lambda _: size > 1, sums)
            self.step_merged(sums)
            self.step_bias(slope, weight)

    def epoch_of_grid(self, number):
        first, second = self.grid
        blocks = {}
        for row in self.order:
            for visit in self.visits(row, number):
                p = self.groups[0][self.column_in(visit[0], first)]
                q = self.groups[1][self.column_in(visit[0], second)]
                blocks.setdefault((p, q), []).append(visit)
        shifts, columns = range(8), range(8)
        if self.settings.shuffle:
            rng = self.rng.fork(2).fork(number)
            shifts, columns = rng.fork(0).shuffled(shifts), rng.fork(1).shuffled(columns)

        def frozen(f):
            return not (first[0] <= f < first[1] or second[0] <= f < second[1])

        for shift in shifts:
            of_round = [blocks.get((p, columns[(p + shift) % 8]), []) for p in range(8)]
            slope = weight = 0.0
            for start in range(0, max(map(len, of_round)), FROZEN_ROWS):
                sums = {}
                for block in of_round:
                    block_slope, block_weight = self.run(block[start : start + FROZEN_ROWS], frozen, sums)
                    slope, weight = slope + block_slope, weight + block_weight
                self.step_merged(sums)
            self.step_bias(slope, weight)
