"""MovieLens 100K as arrays of positions: the published splits, and validation parts of their training rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from factorec.datasets import MovieLens, load_movielens

LIKE = 4
N_USERS, N_ITEMS = 943, 1682

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Ratings: a table, and the positions of its users and films, which are their numbers less one."""

    table: Any
    user: Positions = field(init=False)
    item: Positions = field(init=False)
    rating: npt.NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        columns = {"user": ("user_id", -1), "item": ("item_id", -1), "rating": ("rating", 0)}
        for name, (column, shift) in columns.items():
            kind = np.float64 if name == "rating" else np.int64
            object.__setattr__(self, name, np.asarray(self.table[column]).astype(kind) + shift)

    @property
    def like(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.rating >= LIKE)

    def matrix(self, values: Any) -> csr_matrix:
        """Users by films, with the values given for each rating."""
        values = np.broadcast_to(np.asarray(values, np.float32), self.rating.shape)
        return csr_matrix((values, (self.user, self.item)), shape=(N_USERS, N_ITEMS))


@dataclass(frozen=True)
class Split:
    """What a contender learns from, and what it is measured on."""

    name: str
    data: MovieLens
    train: Part
    test: Part

    @cached_property
    def relevant(self) -> csr_matrix:
        """Liked films among the test rows that some training row has."""
        trained = np.bincount(self.train.item, minlength=N_ITEMS)[self.test.item] > 0
        chosen = self.test.like & trained
        ones = np.ones(int(chosen.sum()), np.float32)
        return csr_matrix((ones, (self.test.user[chosen], self.test.item[chosen])), shape=(N_USERS, N_ITEMS))


@cache
def published(name: str) -> Split:
    data = load_movielens("100k", split=name)
    return Split(name, data, Part(data.train), Part(data.test))


@cache
def validation(name: str) -> Split:
    """A part of the training rows held out: of "ua" ten of each user, of a fold 15 % of the rows, at random.

    No test row is in either part.
    """
    data = load_movielens("100k", split=name)
    train = data.train
    random = np.random.default_rng(0).random(len(train))
    if name == "ua":
        users = np.asarray(train["user_id"])
        order = np.lexsort((random, users))
        first = np.concatenate([[0], np.flatnonzero(np.diff(users[order])) + 1])
        rank = np.arange(len(users)) - np.repeat(first, np.diff([*first, len(users)]))
        held = np.zeros(len(users), bool)
        held[order[rank < 10]] = True
    else:
        held = random < 0.15
    return Split(f"{name}, validation", data, Part(train[~held]), Part(train[held]))
