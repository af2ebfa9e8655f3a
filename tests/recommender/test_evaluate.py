"""Evaluation against its definitions."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, P, R, nDCG
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

import factorec as fr
from factorec.errors import DataError

from .conftest import MODELS, regressor


def trec(top, test_rows, n, known_users, train):
    """The same figures by ir-measures, over known users with a relevant item that they had not seen."""
    seen = set(zip(train["user_id"].tolist(), train["item_id"].tolist(), strict=True))
    rows = zip(test_rows["user_id"].tolist(), test_rows["item_id"].tolist(), test_rows["rating"].tolist(), strict=True)
    qrels: dict[str, dict[str, int]] = {}
    for user, item, rating in rows:
        if rating >= 4 and user in known_users and (user, item) not in seen:
            qrels.setdefault(str(user), {})[str(item)] = 1
    # ranks, not scores: ir-measures breaks ties in its own way
    run = {user: {str(item): float(-rank) for rank, item in enumerate(top[int(user)]["item_id"])} for user in qrels}
    values = ir_measures.calc_aggregate([P @ n, R @ n, AP @ n, nDCG @ n], qrels, run)
    return {"precision": values[P @ n], "recall": values[R @ n], "map": values[AP @ n], "ndcg": values[nDCG @ n]}, len(
        qrels
    )


def test_ranking_metrics_are_those_of_trec_eval(fitted, train, test_rows):
    rows = {name: np.append(values, extra) for (name, values), extra in zip(test_rows.items(), (1, 5, 5), strict=True)}
    rows = {
        "user_id": np.append(rows["user_id"], train["user_id"][0]),
        "item_id": np.append(rows["item_id"], 7),  # relevant, not known: missed
        "rating": np.append(rows["rating"], 5),
    }
    judged = fitted.evaluate(rows, n=5)
    expected, n_users = trec(fitted.recommend(n=5), rows, 5, set(fitted.encoder_.users_.ids.tolist()), train)
    assert judged.ranking == pytest.approx({f"{name}@5": value for name, value in expected.items()})
    assert judged.n_users == n_users
    assert (judged.n_cold_users, judged.n_cold_items) == (1, 2)


def test_seen_items_are_no_misses(likes, train, test_rows):
    both = {name: np.concatenate([values, train[name]]) for name, values in test_rows.items()}
    assert likes.evaluate(both).ranking == likes.evaluate(test_rows).ranking


def test_popularity_is_the_most_liked_unseen(likes, train, test_rows):
    ids, counts = np.unique(train["item_id"][train["rating"] >= 4], return_counts=True)
    count = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    order = sorted(likes.encoder_.items_.ids.tolist(), key=lambda i: (-count.get(i, 0), i))

    class Popular:
        def __getitem__(self, user):
            seen = set(train["item_id"][train["user_id"] == user].tolist())
            return {"item_id": [i for i in order if i not in seen][:5]}

    expected, _ = trec(Popular(), test_rows, 5, set(likes.encoder_.users_.ids.tolist()), train)
    assert likes.evaluate(test_rows, n=5).popularity == pytest.approx({f"{k}@5": v for k, v in expected.items()})


def test_point_metrics(likes, test_rows):
    like = test_rows["rating"] >= 4
    points = likes.evaluate(test_rows).points
    assert points["log_loss"] == pytest.approx(log_loss(like, likes.predict(test_rows)), rel=1e-5)
    assert points["auc"] == pytest.approx(roc_auc_score(like, likes.decision_function(test_rows)), rel=1e-5)
    rec = fr.Recommender(regressor()).fit(test_rows)
    judged = rec.evaluate(test_rows)
    assert judged.points["rmse"] == pytest.approx(
        root_mean_squared_error(test_rows["rating"], rec.predict(test_rows)), rel=1e-5
    )
    assert judged.ranking == {}  # what counts as relevant was not said


def test_a_model_of_planted_tastes_beats_popularity(train, test_rows):
    judged = MODELS["negatives"]().fit(train).evaluate(test_rows)
    assert judged.ranking["ndcg@10"] > judged.popularity["ndcg@10"]


def test_text_and_dict(likes, test_rows):
    judged = likes.evaluate(test_rows)
    text = repr(judged)
    assert "ndcg@10" in text
    assert "popularity" in text
    assert judged.to_dict()["ranking"] == judged.ranking
    with pytest.raises(DataError, match="n must be"):
        likes.evaluate(test_rows, n=0)
    with pytest.raises(DataError, match="no rows"):
        likes.evaluate({name: values[:0] for name, values in test_rows.items()})
