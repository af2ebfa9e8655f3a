"""Promise: with the defaults, an explanation explains the model's own ranking.

The re-solved scores of the films that a user has not seen share at least 0.85 of their top 20 with the model's.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse

import factorec as fr
from factorec import fm
from factorec.explain import resolved_scores
from factorec.recommender.objectives import objective_of
from factorec.recommender.own_problem import own_problem, rows_of_user

N_USERS, N = 160, 20
NEGATIVES = 8


@pytest.fixture(scope="module")
def ratings(movielens_ua):
    users, user = np.unique(np.asarray(movielens_ua.train["user_id"]), return_inverse=True)
    items, item = np.unique(np.asarray(movielens_ua.train["item_id"]), return_inverse=True)
    return user, item, np.asarray(movielens_ua.train["rating"], dtype=np.float64), len(users), len(items)


def rows(user, items, n_users, n_items):
    columns = np.stack([np.full(len(items), user), n_users + items], axis=1).ravel()
    indptr = np.arange(0, len(columns) + 1, 2)
    return sparse.csr_array((np.ones(len(columns), np.float32), columns, indptr), (len(items), n_users + n_items))


CASES = [
    *itertools.product(["classifier", "regressor", "negatives"], [{"solver": "adagrad"}, {"solver": "adam"}]),
    ("ordinal", {}),
    ("ordinal", {"cut_weights": {4: 2}}),
    ("ordinal", {"n_factors": 16, "n_seeds": 3}),
    ("classifier", {"n_factors": 16, "n_seeds": 3}),
    ("regressor", {"n_factors": 16, "n_seeds": 3}),
    ("regressor", {"solver": "sgd", "average": True}),
]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_resolved_scores_rank_as_the_model_does(ratings, kind, options):
    user, item, rating, n_users, n_items = ratings
    like = (rating >= 4).astype(np.float64)
    trained = like == 1 if kind == "negatives" else np.ones(len(user), bool)
    target = rating if kind in ("regressor", "ordinal") else like
    seen = sparse.csr_array((np.ones(len(user), np.float32), (user, item)), (n_users, n_items))
    data = fm.TrainingSet.from_ids(
        user[trained],
        item[trained],
        target[trained],
        n_users=n_users,
        n_items=n_items,
        negatives=fm.NegativeSampling(NEGATIVES, seen) if kind == "negatives" else None,
    )
    estimator = {"regressor": fm.FMRegressor, "ordinal": fm.FMOrdinal}.get(kind, fm.FMClassifier)
    model = estimator(**{"n_factors": 64, "random_state": 0} | options).fit(data)
    p, loss = model.parameters_, {"regressor": "squared"}.get(kind, "logistic")
    if kind == "ordinal":
        loss = model.explained_loss

    overlaps = []
    for u in np.random.default_rng(0).permutation(n_users):
        own = np.flatnonzero((user == u) & trained)
        unseen = np.setdiff1d(np.arange(n_items), seen.indices[seen.indptr[u] : seen.indptr[u + 1]])
        if not len(own) or len(unseen) < N:
            continue
        wanted = rows(u, unseen, n_users, n_items)
        background = {}
        if kind == "negatives":
            background = {
                "X_background": wanted,
                "background_weight": NEGATIVES * len(own) / len(unseen),
            }
        resolved = resolved_scores(
            p, rows(u, item[own], n_users, n_items), target[own], wanted, feature=u, loss=loss, **background
        )
        score = p.decision_function(wanted)
        overlaps.append(len(np.intersect1d(np.argsort(-score)[:N], np.argsort(-resolved)[:N])) / N)
        if len(overlaps) == N_USERS:
            break
    assert len(overlaps) == N_USERS
    assert np.mean(overlaps) >= 0.85


# The least overlap. Of a sampled model, the mean of its parameters is explained; a loss of lists has one in its place.
SOLVERS = {
    "least squares": (fr.FMRegressor(16, solver="als", random_state=0), 0.95),
    "implicit": (fr.FMRanker(solver="ials", random_state=0), 0.95),
    "levels": (fr.FMOrdinal(random_state=0), 0.85),
    "sampled": (fr.FMRegressor(10, solver="gibbs", n_epochs=100, random_state=0), 0.8),
    "sampled levels": (fr.FMOrdinal(10, solver="gibbs", n_epochs=100, random_state=0), 0.8),
    "softmax": (fr.FMRanker(random_state=0), 0.75),
    "bpr": (fr.FMRanker(loss="bpr", random_state=0), 0.75),
    "warp": (fr.FMRanker(loss="warp", random_state=0), 0.75),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(SOLVERS))
def test_what_explains_other_solvers_ranks_as_they_do(movielens_ua, kind):
    estimator, least = SOLVERS[kind]
    rec = fr.Recommender(estimator, like_threshold=4).fit(movielens_ua.train)
    p, history, objective = rec.estimator_.parameters_, rec.interactions_, objective_of(rec)
    overlaps = []
    for u in np.random.default_rng(0).permutation(len(rec.encoder_.users_))[:N_USERS]:
        unseen = np.setdiff1d(np.arange(len(rec.encoder_.items_)), history.items[history.rows_of(u)])
        wanted = rows_of_user(rec, u, unseen, None)
        resolved = resolved_scores(p.mean(), X_wanted=wanted, **own_problem(rec, u, objective))
        model = p.decision_function(wanted)
        overlaps.append(len(np.intersect1d(np.argsort(-model)[:N], np.argsort(-resolved)[:N])) / N)
    assert np.mean(overlaps) >= least


FIELDS = {
    "user": [fr.Numeric("age", bins=8), "gender", "occupation"],
    "item": [fr.MultiLabel("genres"), fr.Numeric("year", bins=10, missing="category")],
}


@pytest.mark.parametrize("kind", ["classifier", "regressor", "negatives"])
def test_resolved_scores_rank_as_the_model_does_with_features_on_both_sides(movielens_ua, kind):
    data = movielens_ua
    estimator = fr.FMRegressor if kind == "regressor" else fr.FMClassifier
    negatives = NEGATIVES if kind == "negatives" else 0
    rec = fr.Recommender(
        estimator(n_factors=64, random_state=0), like_threshold=4, negatives=negatives, fields=FIELDS
    ).fit(data.train, items=data.items, users=data.users)
    users, items = rec.encoder_.entities("user"), rec.encoder_.entities("item")
    p, history = rec.estimator_.parameters_, rec.interactions_

    def rows(user, chosen):
        return items.rows[chosen] + users.rows[np.full(len(chosen), user)]

    overlaps = []
    for u in np.random.default_rng(0).permutation(len(users)):
        own = history.rows_of(u)
        learned = np.arange(own.start, own.stop)[history.weight[own] > 0]
        unseen = np.setdiff1d(np.flatnonzero(items.columns >= 0), history.items[own])
        if not len(learned) or len(unseen) < N:
            continue
        wanted = rows(u, unseen)
        background = {}
        if negatives:
            background = {"X_background": wanted, "background_weight": negatives * len(learned) / len(unseen)}
        resolved = resolved_scores(
            p,
            rows(u, history.items[learned]),
            history.label[learned],
            wanted,
            feature=int(users.columns[u]),
            loss="squared" if kind == "regressor" else "logistic",
            **background,
        )
        model = p.decision_function(wanted)
        best = int(np.argmax(model))
        why = rec.explain(users.vocabulary.ids[u], items.vocabulary.ids[unseen[best]])
        assert why.parts.score == why.score == pytest.approx(model[best], rel=1e-5)
        assert why.resolved_score == pytest.approx(resolved[best], abs=1e-8)
        overlaps.append(len(np.intersect1d(np.argsort(-model)[:N], np.argsort(-resolved)[:N])) / N)
        if len(overlaps) == N_USERS:
            break
    assert len(overlaps) == N_USERS
    assert np.mean(overlaps) >= 0.85
