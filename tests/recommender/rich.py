"""Models with features on both sides and context, and with users and items that only a catalogue has."""

from __future__ import annotations

import numpy as np

import factorec as fr

from .conftest import MODELS

COLD_USERS, COLD_ITEMS = [5000, 5001], [9000, 9001, 9002]
FIELDS = {
    "user": [fr.Numeric("age"), "job"],
    "item": [fr.MultiLabel("genres", weight="1/sqrt(n)"), fr.Numeric("year", bins=3, missing="category")],
    "context": ["hour", fr.Numeric("heat")],
}


def with_context(table):
    rng = np.random.default_rng(5)
    n = len(table["rating"])
    hour = np.array(["morning", "noon", "night"], dtype=object)[rng.integers(0, 3, n)]
    return table | {"hour": hour, "heat": rng.normal(15, 8, n).round(0)}


def users_of(table):
    rng = np.random.default_rng(6)
    ids = np.append(np.unique(table["user_id"])[3:], COLD_USERS)  # three users are in no catalogue
    age = rng.normal(40, 12, len(ids)).round(1)
    age[::7] = np.nan
    return {"user_id": ids, "age": age, "job": np.array(["cook", "nurse", "pilot"], dtype=object)[ids % 3]}


def items_of(table):
    rng = np.random.default_rng(7)
    ids = np.append(np.unique(table["item_id"])[2:], COLD_ITEMS)
    genres = [rng.choice(["a", "b", "c", "d"], rng.integers(0, 4), replace=False).tolist() for _ in ids]
    year = rng.integers(1950, 2000, len(ids)).astype(float)
    year[::5] = np.nan
    titles = np.array([f"Film {i}" for i in ids], dtype=object)
    return {"item_id": ids, "genres": genres, "year": year, "title": titles}


CONTEXT = {"hour": "noon", "heat": 21.5}


def rich_tables(train):
    """Training rows, users and items."""
    table = with_context(train)
    return table, users_of(table), items_of(table)


def make(name, **parameters):
    """With one rate for all: at the default of side features, few rows teach them too little to change an order."""
    return MODELS[name]().set_params(fields=FIELDS, estimator__learning_rate=0.05, **parameters)


def fit(name, rich, **parameters):
    table, users, items = rich
    return make(name, **parameters).fit(table, users=users, items=items)


def full_scores(rec, user, items, context):
    """By full rows through the estimator."""
    table = {"user_id": np.full(len(items), user), "item_id": items}
    for name, value in context.items():
        table[name] = np.full(len(items), value, dtype=object if isinstance(value, str) else None)
    return rec.decision_function(table)
