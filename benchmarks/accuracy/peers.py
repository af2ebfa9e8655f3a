"""The other libraries, each as it is meant to be used. One that is not installed raises ImportError and is left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack, identity
from splits import N_ITEMS, N_USERS, Part, Split

# Ratings or probabilities of the test rows; scores of all films for all users.
Answer = np.ndarray
Contender = Callable[..., Answer]


def one_hot(part: Part) -> csr_matrix:
    """User and film as one row of two ones."""
    users, items = identity(N_USERS, format="csr"), identity(N_ITEMS, format="csr")
    return csr_matrix(hstack([users[part.user], items[part.item]]), dtype=np.float64)


GROUPS = [0] * N_USERS + [1] * N_ITEMS


def item_mean(split: Split, seed: int) -> Answer:
    """The mean of all, and how users and films differ from it, each drawn to it by ten ratings."""
    train, mean = split.train, split.train.rating.mean()

    def deviation(index: np.ndarray, rest: np.ndarray, n: int) -> np.ndarray:
        return np.bincount(index, rest, n) / (np.bincount(index, minlength=n) + 10)

    of_item = deviation(train.item, train.rating - mean, N_ITEMS)
    of_user = deviation(train.user, train.rating - mean - of_item[train.item], N_USERS)
    return np.clip(mean + of_item[split.test.item] + of_user[split.test.user], 1, 5)


def myfm_ratings(split: Split, seed: int, *, rank: int, n_iter: int) -> Answer:
    from myfm import MyFMRegressor

    model = MyFMRegressor(rank=rank, random_seed=seed + 42)
    model.fit(one_hot(split.train), split.train.rating, n_iter=n_iter, grouping=GROUPS)
    return np.clip(model.predict(one_hot(split.test)), 1, 5)


def myfm_likes(split: Split, seed: int, *, rank: int, n_iter: int) -> Answer:
    from myfm import MyFMClassifier

    model = MyFMClassifier(rank=rank, random_seed=seed + 42)
    model.fit(one_hot(split.train), split.train.like.astype(float), n_iter=n_iter, grouping=GROUPS)
    return np.asarray(model.predict_proba(one_hot(split.test)))


def myfm_ordered(split: Split, seed: int, *, rank: int, n_iter: int) -> Answer:
    from myfm import MyFMOrderedProbit

    model = MyFMOrderedProbit(rank=rank, random_seed=seed + 42)
    model.fit(one_hot(split.train), split.train.rating - 1, n_iter=n_iter, grouping=GROUPS)
    return np.asarray(model.predict_proba(one_hot(split.test)))[:, 3:].sum(axis=1)


def popularity(split: Split, seed: int) -> Answer:
    counts = np.bincount(split.train.item[split.train.like], minlength=N_ITEMS)
    return np.broadcast_to(counts.astype(float), (N_USERS, N_ITEMS))


NO_SOFT = (0.0, 0.0)


def _graded(split: Split, soft: Sequence[float]) -> csr_matrix:
    """Likes count 1, ratings of 3 the first of `soft`, lower ones the second."""
    rating = split.train.rating
    matrix = split.train.matrix(np.where(split.train.like, 1.0, np.where(rating == 3, soft[0], soft[1])))
    matrix.eliminate_zeros()
    return matrix


def ease(split: Split, seed: int, *, l2: float, soft: Sequence[float]) -> Answer:
    """Steck (2019), embarrassingly shallow autoencoders: one inverse of the films' Gram matrix."""
    X = _graded(split, soft)
    gram = (X.T @ X).toarray().astype(np.float64)
    gram[np.diag_indices(N_ITEMS)] += l2
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(X @ weights)


def implicit_als(
    split: Split, seed: int, *, factors: int, regularization: float, alpha: float, soft: Sequence[float]
) -> Answer:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=factors, regularization=regularization, alpha=alpha, iterations=15, random_state=seed, num_threads=1
    )
    model.fit(_graded(split, soft), show_progress=False)
    return np.asarray(model.user_factors @ model.item_factors.T)


def implicit_bpr(split: Split, seed: int, *, factors: int, learning_rate: float, regularization: float) -> Answer:
    from implicit.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(
        factors=factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=100,
        random_state=seed,
        num_threads=1,
    )
    model.fit(_graded(split, NO_SOFT), show_progress=False)
    return np.asarray(model.user_factors @ model.item_factors.T)


def irspack_ials(
    split: Split, seed: int, *, n_components: int, alpha0: float, reg: float, soft: Sequence[float]
) -> Answer:
    from irspack import IALSRecommender

    os.environ.setdefault("IRSPACK_NUM_THREADS_DEFAULT", "1")
    model = IALSRecommender(
        _graded(split, soft), n_components=n_components, alpha0=alpha0, reg=reg, train_epochs=15, n_threads=1
    ).learn()
    return np.asarray(model.get_score(np.arange(N_USERS)))


def _lightfm(split: Split, seed: int, loss: str, n_components: int, epochs: int, item_alpha: float) -> Any:
    from lightfm import LightFM

    model = LightFM(
        no_components=n_components, loss=loss, item_alpha=item_alpha, user_alpha=item_alpha, random_state=seed
    )
    if loss == "logistic":
        matrix = split.train.matrix(np.where(split.train.like, 1, -1)).tocoo()
    else:
        matrix = _graded(split, NO_SOFT).tocoo()
    return model.fit(matrix.astype(np.int32), epochs=epochs, num_threads=1)


def lightfm_warp(split: Split, seed: int, *, n_components: int, epochs: int, item_alpha: float) -> Answer:
    model = _lightfm(split, seed, "warp", n_components, epochs, item_alpha)
    _, users = model.get_user_representations()
    item_biases, items = model.get_item_representations()
    return np.asarray(users @ items.T + item_biases)


def lightfm_likes(split: Split, seed: int, *, n_components: int, epochs: int, item_alpha: float) -> Answer:
    model = _lightfm(split, seed, "logistic", n_components, epochs, item_alpha)
    score = model.predict(split.test.user.astype(np.int32), split.test.item.astype(np.int32))
    return np.asarray(1 / (1 + np.exp(-score)))
