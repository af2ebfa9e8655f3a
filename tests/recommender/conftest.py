"""A small planted table in which users like items of their own kind, with ids that have gaps."""

from __future__ import annotations

import numpy as np
import pytest

import factorec as fr

N_USERS, N_ITEMS = 60, 40


def make_table(n: int = 1500, seed: int = 0) -> dict[str, np.ndarray]:
    data = fr.datasets.make_planted_fm(N_USERS, N_ITEMS, n, target="real", noise=0.3, seed=seed)
    pair = data.table["user_id"] * N_ITEMS + data.table["item_id"]
    _, first = np.unique(pair, return_index=True)  # each pair once
    score = data.table["rating"][first]
    cuts = np.quantile(score, [0.2, 0.4, 0.6, 0.8])
    return {
        "user_id": data.table["user_id"][first] * 7 + 3,
        "item_id": data.table["item_id"][first] * 11 + 100,
        "rating": 1 + np.searchsorted(cuts, score),
    }


def split(table: dict[str, np.ndarray], share: float = 0.2) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    held = np.random.default_rng(1).random(len(table["rating"])) < share
    return {k: v[~held] for k, v in table.items()}, {k: v[held] for k, v in table.items()}


def titles_of(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ids = np.append(np.unique(table["item_id"]), 99_999)  # and one that nobody rated
    return {"item_id": ids, "title": np.array([f"Film {i}" for i in ids], dtype=object)}


@pytest.fixture(scope="session")
def table():
    return make_table()


@pytest.fixture(scope="session")
def train(table):
    return split(table)[0]


@pytest.fixture(scope="session")
def test_rows(table):
    return split(table)[1]


@pytest.fixture(scope="session")
def catalogue(table):
    return titles_of(table)


def classifier(**settings):
    return fr.FMClassifier(**{"n_factors": 8, "n_epochs": 12, "random_state": 0} | settings)


def regressor(**settings):
    return fr.FMRegressor(**{"n_factors": 8, "n_epochs": 12, "random_state": 0} | settings)


MODELS = {
    "likes": lambda: fr.Recommender(classifier(), like_threshold=4),
    "ratings": lambda: fr.Recommender(regressor(), like_threshold=4),
    "negatives": lambda: fr.Recommender(classifier(), like_threshold=4, negatives=3),
    "adam": lambda: fr.Recommender(classifier(solver="adam", batch_size=50), like_threshold=4),
}


@pytest.fixture(scope="session", params=list(MODELS))
def fitted(request, train, catalogue):
    return MODELS[request.param]().fit(train, items=catalogue)


@pytest.fixture(scope="session")
def likes(train, catalogue):
    return MODELS["likes"]().fit(train, items=catalogue)


@pytest.fixture(scope="session")
def negatives(train, catalogue):
    return MODELS["negatives"]().fit(train, items=catalogue)
