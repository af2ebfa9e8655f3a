"""Ours, each with the settings that a user would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from splits import LIKE, N_ITEMS, N_USERS, Part, Split

from factorec import FMClassifier, FMOrdinal, FMRanker, FMRegressor, Recommender
from factorec.fm import BaseFM, TrainingSet
from quality import ALL_FIELDS

Fit = Callable[..., np.ndarray]


def ids(part: Part, target: Any) -> TrainingSet:
    return TrainingSet.from_ids(part.user, part.item, target, n_users=N_USERS, n_items=N_ITEMS)


def ratings(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    """Ratings from ids alone."""
    model = FMRegressor(random_state=seed, n_jobs=1, **parameters).fit(ids(split.train, split.train.rating))
    return np.asarray(model.predict(ids(split.test, split.test.rating)))


def ratings_by_mean(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    """... by the mean of the parameters, not of the predictions."""
    model = FMRegressor(random_state=seed, n_jobs=1, **parameters).fit(ids(split.train, split.train.rating))
    scores = model.parameters_.mean().decision_function(ids(split.test, split.test.rating).to_csr(), n_jobs=1)
    return np.asarray(np.clip(scores, *model.target_range_))


def likes(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    """Probabilities of a like, learned from likes and dislikes, from ids alone."""
    model = FMClassifier(random_state=seed, n_jobs=1, **parameters).fit(ids(split.train, split.train.like))
    return np.asarray(model.predict_proba(ids(split.test, split.test.like))[:, 1])


def likes_of_levels(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    """Probabilities of a like, read off a model of all five levels, from ids alone."""
    model = FMOrdinal(random_state=seed, n_jobs=1, **parameters).fit(ids(split.train, split.train.rating))
    return np.asarray(model.predict_proba_at_least(ids(split.test, split.test.rating), LIKE))


def with_fields(split: Split, estimator: BaseFM) -> Recommender:
    rec = Recommender(estimator, title=None, like_threshold=LIKE, fields=ALL_FIELDS)
    return rec.fit(split.train.table, users=split.data.users, items=split.data.items)


def ratings_with_fields(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    rec = with_fields(split, FMRegressor(random_state=seed, n_jobs=1, **parameters))
    return np.asarray(rec.predict(split.test.table))


def likes_with_fields(split: Split, seed: int, **parameters: Any) -> np.ndarray:
    rec = with_fields(split, FMOrdinal(random_state=seed, n_jobs=1, **parameters))
    return np.asarray(rec.predict_like(split.test.table))


def ranker(split: Split, seed: int, *, soft_positives: Any = None, **parameters: Any) -> np.ndarray:
    """Scores of all films for all users, learned from graded positives."""
    estimator = FMRanker(random_state=seed, n_jobs=1, **parameters)
    rec = Recommender(estimator, title=None, like_threshold=LIKE, soft_positives=soft_positives)
    return _scores(rec.fit(split.train.table))


def classifier_lists(split: Split, seed: int, *, negatives: int, **parameters: Any) -> np.ndarray:
    estimator = FMClassifier(random_state=seed, n_jobs=1, **parameters)
    rec = Recommender(estimator, title=None, like_threshold=LIKE, negatives=negatives)
    return _scores(rec.fit(split.train.table))


def _scores(rec: Recommender) -> np.ndarray:
    """Scores of all films for all users, those of films and users that were not trained 0."""
    users, items = rec.encoder_.entities("user"), rec.encoder_.entities("item")
    p = rec.estimator_.parameters_
    found = np.zeros((N_USERS, N_ITEMS))
    table = p.query_vectors(users.rows) @ p.item_vectors(items.rows).T + p.item_offsets(items.rows)
    found[np.ix_(rec.encoder_.users_.ids - 1, rec.encoder_.items_.ids - 1)] = table
    return found
