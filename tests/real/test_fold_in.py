"""Promise: folding in gives away at most 0.010 of log loss (RMSE: stars) against training again.

A fifth of the users, or films, is held out entirely and folded in from a random half of their rows; the loss is that on
the other half.
"""

from __future__ import annotations

import numpy as np
import pytest

import factorec as fr


def hold_out(data, column):
    """Rows of other ids, and two halves of the rows of a fifth of the ids."""
    rng = np.random.default_rng(0)
    table = {name: np.asarray(data.train[name]) for name in ("user_id", "item_id", "rating")}
    ids = np.unique(table[column])
    late = np.isin(table[column], rng.permutation(ids)[: len(ids) // 5])
    given = np.zeros(len(late), bool)
    for identifier in np.unique(table[column][late]):
        own = rng.permutation(np.flatnonzero(table[column] == identifier))
        given[own[: (len(own) + 1) // 2]] = True
    return [{name: values[part] for name, values in table.items()} for part in (~late, given, late & ~given)]


def loss(rec, table):
    if not isinstance(rec.estimator_, fr.FMClassifier):
        return np.sqrt(np.mean((table["rating"] - rec.predict(table)) ** 2))
    p, like = rec.predict(table), table["rating"] >= 4
    return -np.mean(np.log(np.where(like, p, 1 - p)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "solver"),
    [
        *((fr.FMClassifier, solver) for solver in ("adagrad", "adam", "gibbs")),
        *((fr.FMRegressor, solver) for solver in ("adagrad", "adam", "gibbs", "als")),
        (fr.FMOrdinal, "adagrad"),
        (fr.FMOrdinal, "gibbs"),
    ],
)
@pytest.mark.parametrize("side", ["user", "item"])
@pytest.mark.filterwarnings("ignore:.*does not know:UserWarning")  # films that only held-out users rated
def test_folding_in_is_almost_as_good_as_training_again(movielens, side, estimator, solver):
    rest, given, asked = hold_out(movielens, f"{side}_id")
    settings = {"n_factors": 64 if solver in ("adagrad", "adam") else 10, "solver": solver, "random_state": 0}
    if solver == "gibbs":
        settings["n_epochs"] = 100
    rec, again = (fr.Recommender(estimator(**settings), like_threshold=4) for _ in range(2))
    again.fit({name: np.concatenate([rest[name], given[name]]) for name in rest})
    rec.fit(rest)
    without = loss(rec, asked)
    (rec.fold_in_users if side == "user" else rec.fold_in_items)(given)
    assert loss(rec, asked) <= loss(again, asked) + 0.010
    assert loss(rec, asked) < without - 0.05
