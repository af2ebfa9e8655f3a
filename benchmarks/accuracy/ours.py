"""Ours, each with the settings that a user would write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from splits import N_ITEMS, N_USERS, Part, Split

from factorec import FMClassifier, FMRegressor, Recommender
from factorec.fm import TrainingSet

Fit = Callable[..., np.ndarray]


def ids(part: Part, target: Any) -> TrainingSet:
    return TrainingSet.from_ids(part.user, part.item, target, n_users=N_USERS, n_items=N_ITEMS)


def ratings(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    model = FMRegressor(random_state=seed, n_jobs=1, **parameters).fit(ids(split.train, split.train.rating))
    return np.clip(model.decision_function(ids(split.test, split.test.rating)), 1, 5)


def likes(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    model = FMClassifier(random_state=seed, n_jobs=1, **parameters).fit(ids(split.train, split.train.like))
    return np.asarray(model.predict_proba(ids(split.test, split.test.like))[:, 1])


def lists(split: Split, seed: int, *, negatives: int, **parameters: Any) -> np.ndarray:
    estimator = FMClassifier(random_state=seed, n_jobs=1, **parameters)
    return _scores(Recommender(estimator, like_threshold=4, negatives=negatives, title=None).fit(split.train.table))


def _scores(rec: Recommender) -> np.ndarray:
    """Scores of all films for all users, those of films and users that were not trained 0."""
    users, items = rec.encoder_.entities("user"), rec.encoder_.entities("item")
    p = rec.estimator_.parameters_
    found = np.zeros((N_USERS, N_ITEMS))
    table = p.query_vectors(users.rows) @ p.item_vectors(items.rows).T + p.item_offsets(items.rows)
    found[np.ix_(rec.encoder_.users_.ids - 1, rec.encoder_.items_.ids - 1)] = table
    return found


RATINGS: dict[str, Fit] = {"FMRegressor": partial(ratings, n_factors=64)}
LIKES: dict[str, Fit] = {"FMClassifier": partial(likes, n_factors=64)}
LISTS: dict[str, Fit] = {
    "FMClassifier, negatives=8": partial(lists, n_factors=64, negatives=8),
    "FMClassifier, likes and dislikes": partial(lists, n_factors=64, negatives=0),
}
