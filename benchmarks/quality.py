"""What the quality figures share: splits as positions, ranking of unseen items, fidelity of explanations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from factorec import _solve
from factorec.datasets import load_movielens
from factorec.fm import NegativeSampling, TrainingSet
from factorec.metrics import ranking
from factorec.search import ItemIndex

LIKE = 4


@dataclass(frozen=True)
class Interactions:
    """Rows as positions: users and items count from 0; -1 is an id that the training rows do not have."""

    users: np.ndarray
    items: np.ndarray
    rating: np.ndarray
    n_users: int
    n_items: int

    @property
    def like(self) -> np.ndarray:
        return (self.rating >= LIKE).astype(np.float32)

    def where(self, rows) -> Interactions:
        return Interactions(self.users[rows], self.items[rows], self.rating[rows], self.n_users, self.n_items)

    def matrix(self) -> csr_matrix:
        entries = (np.ones(len(self.users), np.float32), (self.users, self.items))
        return csr_matrix(entries, shape=(self.n_users, self.n_items))

    def training_set(self, target, *, negatives=None):
        return TrainingSet.from_ids(
            self.users, self.items, target, n_users=self.n_users, n_items=self.n_items, negatives=negatives
        )

    def rows(self) -> csr_matrix:
        """The flat matrix X; a column that no training row has stays empty."""
        known = np.stack([self.users >= 0, self.items >= 0], axis=1)
        columns = np.stack([self.users, self.items + self.n_users], axis=1)[known]
        indptr = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        shape = (len(self.users), self.n_users + self.n_items)
        return csr_matrix((np.ones(len(columns), np.float32), columns.astype(np.int32), indptr), shape=shape)


def movielens(split: str) -> tuple[Interactions, Interactions]:
    """Training and test rows of one published split."""
    data = load_movielens("100k", split=split)
    users, n_users = _positions(data.train["user_id"], data.test["user_id"])
    items, n_items = _positions(data.train["item_id"], data.test["item_id"])
    ratings = (np.asarray(data.train["rating"], np.float32), np.asarray(data.test["rating"], np.float32))
    train, test = (Interactions(*columns, n_users, n_items) for columns in zip(users, items, ratings, strict=True))
    return train, test


def _positions(train, test) -> tuple[tuple[np.ndarray, np.ndarray], int]:
    ids, index = np.unique(np.asarray(train), return_inverse=True)
    test = np.asarray(test)
    at = np.minimum(np.searchsorted(ids, test), len(ids) - 1)
    return (index, np.where(ids[at] == test, at, -1)), len(ids)


def with_negatives(train: Interactions, per_positive: int):
    """The positives of `train` with sampled unseen items; every rated item counts as seen."""
    positives = train.where(train.rating >= LIKE)
    sampling = NegativeSampling(per_positive, train.matrix())
    return positives.training_set(positives.like, negatives=sampling)


def ndcg(parameters, train: Interactions, test: Interactions, n: int = 10) -> float:
    """Mean NDCG@n over the users with a relevant item in `test`, ranking all unseen items."""
    users, items = _sides(parameters, train)
    index = ItemIndex(items, offsets=parameters.linear[train.n_users :])
    found = index.search(users, n=n, exclude=train.matrix())
    relevant = test.where((test.rating >= LIKE) & (test.items >= 0) & (test.users >= 0)).matrix()
    return float(ranking.ndcg_at_n(found.ids, relevant, n))


def _sides(parameters, interactions: Interactions) -> tuple[np.ndarray, np.ndarray]:
    factors = parameters.factors
    return factors[: interactions.n_users], factors[interactions.n_users :]


def fidelity(
    parameters,
    train: Interactions,
    target,
    *,
    loss: str,
    negatives: float = 0,
    n_users: int = 150,
    n: int = 20,
) -> float:
    """Mean overlap of the top n unseen items by the model's scores and by the re-solved ones.

    An explanation re-solves the user's vector on the user's own rows; how well its ranking agrees with the
    model's says whether it explains the model or something else. `negatives`: sampled negatives per positive;
    all unseen items then join the solve with label 0 and their expected weight.
    """
    users, items = _sides(parameters, train)
    linear = parameters.linear[train.n_users :]
    penalty = parameters.penalties.factors
    overlaps = []
    for user in np.random.default_rng(0).permutation(train.n_users)[:n_users]:
        mine = train.users == user
        unseen = np.setdiff1d(np.arange(train.n_items), train.items[mine])
        if negatives:
            mine &= train.rating >= LIKE
        rated, y = train.items[mine], np.asarray(target, np.float64)[mine]
        if len(rated) == 0 or len(unseen) < n:
            continue
        weight = np.ones(len(rated))
        if negatives:
            background = np.full(len(unseen), negatives * len(rated) / len(unseen))
            weight = np.concatenate([weight, background])
            y = np.concatenate([y, np.zeros(len(unseen))])
            rated = np.concatenate([rated, unseen])
        rest = parameters.bias + parameters.linear[user] + linear
        solution = _solve.solve(
            items[rated].astype(np.float64),
            rest[rated].astype(np.float64),
            y,
            weight,
            np.broadcast_to(penalty[user], items.shape[1:]).astype(np.float64),
            loss=loss,
            start=users[user].astype(np.float64),
        )
        model = (rest + items @ users[user])[unseen]
        resolved = (rest + items @ solution.coefficients)[unseen]
        overlaps.append(len(np.intersect1d(np.argsort(-model)[:n], np.argsort(-resolved)[:n])) / n)
    return float(np.mean(overlaps))
