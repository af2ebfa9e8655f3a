"""What benchmarks train on: MovieLens 100K as positions, and made-up interactions of a wanted size, by seed."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from factorec.datasets import load_movielens
from factorec.fm import Block, TrainingSet

LIKE = 4


class Ratings(NamedTuple):
    """Ratings of items by users, as positions."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    n_users: int
    n_items: int

    @property
    def likes(self) -> np.ndarray:
        return (self.ratings >= LIKE).astype(np.float32)

    def training_set(self, target: np.ndarray) -> TrainingSet:
        return TrainingSet.from_ids(self.users, self.items, target, n_users=self.n_users, n_items=self.n_items)


@cache
def ua_base() -> Ratings:
    """90,570 ratings of ua.base: 943 users, 1,680 films."""
    train = load_movielens("100k", split="ua").train
    users, items = (np.unique(np.asarray(train[name]), return_inverse=True)[1] for name in ("user_id", "item_id"))
    counts = int(users.max()) + 1, int(items.max()) + 1
    return Ratings(users.astype(np.int32), items.astype(np.int32), np.asarray(train["rating"], np.float32), *counts)


def power_law(rng: np.random.Generator, n_rows: int, n: int, exponent: float, shift: float) -> np.ndarray:
    """Positions below n, of which the r-th most frequent has a share proportional to (r + shift)^-exponent."""
    share = np.cumsum((np.arange(n) + shift) ** -exponent)
    # float32 sums would never reach the rarest.
    drawn = np.searchsorted(share, rng.random(n_rows) * share[-1], side="right")
    return rng.permutation(n).astype(np.int32)[np.minimum(drawn, n - 1)]


def like_ml10m(n_rows: int = 10_000_000, *, n_users: int = 69_878, n_items: int = 10_677, seed: int = 0) -> Ratings:
    """Ratings from 1 to 5 with the counts per user and per film of MovieLens 10M, given by 8 planted factors and noise.

    The power laws reproduce the most active user (7,359 ratings) and the median one (69), the most rated film (34,864)
    and the median one (135) of the real set. A pair may occur twice.
    """
    rng = np.random.default_rng(seed)
    users, items = power_law(rng, n_rows, n_users, 0.8, 100), power_law(rng, n_rows, n_items, 1.7, 200)
    of_user, of_item = (rng.standard_normal((n, 8), np.float32) for n in (n_users, n_items))
    ratings = 3.5 + 0.8 * rng.standard_normal(n_rows, np.float32)
    for start in range(0, n_rows, 1 << 18):  # in cache, and never rows x factors at once
        rows = slice(start, start + (1 << 18))
        ratings[rows] += 0.2 * np.einsum("rk,rk->r", of_user[users[rows]], of_item[items[rows]])
    return Ratings(users, items, np.clip(np.rint(ratings), 1, 5), n_users, n_items)


def five_fields(n_rows: int = 10_000_000, seed: int = 0) -> TrainingSet:
    """Ratings as of `like_ml10m` with five fields: user id, age group, hour of the week, item id, 1 to 5 genres."""
    drawn = like_ml10m(n_rows, seed=seed)
    rng = np.random.default_rng((seed, 1))
    sizes = (drawn.n_users, 7, 168, drawn.n_items, 20)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    n_features = int(starts[-1])
    ranges = {
        name: (int(starts[at]), int(starts[at + 1])) for at, name in enumerate(("user", "age", "hour", "item", "genre"))
    }

    def block(name: str, index: np.ndarray, fields: tuple[str, ...], columns: list[np.ndarray]) -> Block:
        lengths = [len(row) for row in columns]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        flat = np.concatenate(columns)
        rows: Any = csr_array((np.ones(len(flat), np.float32), flat, indptr), (len(columns), n_features))
        return Block(name, index, rows, {field: ranges[field] for field in fields})

    ages = starts[1] + rng.integers(0, 7, drawn.n_users)
    people = list(np.column_stack([np.arange(drawn.n_users), ages]))
    genres = [rng.choice(20, n, replace=False) for n in rng.integers(1, 6, drawn.n_items)]
    films = [np.concatenate([[starts[3] + at], np.sort(starts[4] + own)]) for at, own in enumerate(genres)]
    hours = [np.array([starts[2] + hour]) for hour in range(168)]
    hour = rng.integers(0, 168, n_rows).astype(np.int32)
    blocks = [
        block("user", drawn.users, ("user", "age"), people),
        block("hour", hour, ("hour",), hours),
        block("item", drawn.items, ("item", "genre"), films),
    ]
    return TrainingSet(drawn.ratings, blocks)
