"""Evaluation against its definitions."""

from __future__ import annotations

import json

import ir_measures
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from ir_measures import AP, P, R, nDCG
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

import factorec as fr
from factorec.encoding.tables import column_names, n_rows
from factorec.errors import DataError

from .conftest import MODELS, classifier, regressor


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
    judged = fitted.evaluate(rows, n=5).groups["known users"]
    expected, n_users = trec(fitted.recommend(n=5), rows, 5, set(fitted.encoder_.users_.ids.tolist()), train)
    assert judged.ranking["model"] == pytest.approx({f"{name}@5": value for name, value in expected.items()})
    assert judged.n_users == n_users


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


def test_text_frame_and_dict(likes, test_rows):
    judged = likes.evaluate(test_rows)
    text = repr(judged)
    for words in (
        "single predictions",
        "lists of 10",
        "ndcg@10",
        "popularity",
        "item mean",
        "new to the model: 0 users",
    ):
        assert words in text
    frame = judged.to_frame("pandas").set_index(["group", "contender"])
    assert frame.loc[("all", "model"), "ndcg@10"] == judged.ranking["ndcg@10"] == judged.value("ndcg@10")
    assert frame.loc[("all", "item mean"), "auc"] == judged.value("auc", contender="item mean")
    assert np.isnan(frame.loc[("all", "popularity"), "auc"])
    figures = json.loads(json.dumps(judged.to_dict(), allow_nan=False))
    assert figures["groups"]["all"]["contenders"]["model"] == judged.points | judged.ranking
    with pytest.raises(DataError, match="n must be"):
        likes.evaluate(test_rows, n=0)
    with pytest.raises(DataError, match="no rows"):
        likes.evaluate({name: values[:0] for name, values in test_rows.items()})
    with pytest.raises(DataError, match="no group 'cold users' in the table; there are 'all', 'known users'"):
        judged.value("auc", group="cold users")
    with pytest.raises(DataError, match="no contender 'chance' in 'all'; there are 'model', 'popularity', 'item mean'"):
        judged.value("auc", contender="chance")
    with pytest.raises(DataError, match="no figure 'rmse' of 'model' in 'all'; there are 'log_loss'"):
        judged.value("rmse")


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow", "dict"])
def test_frames_of_any_kind(likes, test_rows, backend):
    frame = likes.evaluate(test_rows).to_frame(backend)
    assert column_names(frame)[:4] == ["group", "contender", "n_rows", "n_users"]
    assert n_rows(frame) == 10  # all and known users, five contenders


def damped(values, groups, wanted):
    """Means by group as documented: five more rows at the mean of all."""
    overall = np.mean(values)
    of = {g: (np.sum(values[groups == g]) + 5 * overall) / (np.sum(groups == g) + 5) for g in np.unique(groups)}
    return np.array([of.get(g, overall) for g in wanted])


@pytest.mark.parametrize("kind", ["likes", "ratings", "negatives"])
def test_the_means_are_those_of_the_rows_learned_from(kind, train, test_rows):
    rows = {name: np.append(values, extra) for (name, values), extra in zip(test_rows.items(), (1, 7, 5), strict=True)}
    label = train["rating"] if kind == "ratings" else (train["rating"] >= 4).astype(float)
    judged = MODELS[kind]().fit(train).evaluate(rows)
    wanted = {
        "item mean": damped(label, train["item_id"], rows["item_id"]),
        "user mean": damped(label, train["user_id"], rows["user_id"]),
        "global mean": np.full(len(rows["rating"]), label.mean()),
    }
    for who, mean in wanted.items():
        if kind == "ratings":
            assert judged.value("rmse", contender=who) == pytest.approx(
                root_mean_squared_error(rows["rating"], mean), rel=1e-5
            )
        else:
            like = rows["rating"] >= 4
            assert judged.value("log_loss", contender=who) == pytest.approx(log_loss(like, mean), rel=1e-5)
            assert judged.value("auc", contender=who) == pytest.approx(roc_auc_score(like, mean), rel=1e-5)


def test_lists_by_item_mean(likes, train, test_rows):
    ids = likes.encoder_.items_.ids
    mean = damped((train["rating"] >= 4).astype(float), train["item_id"], ids)
    order = ids[np.argsort(-mean.astype(np.float32), kind="stable")].tolist()

    class ByMean:
        def __getitem__(self, user):
            seen = set(train["item_id"][train["user_id"] == user].tolist())
            return {"item_id": [i for i in order if i not in seen][:5]}

    expected, _ = trec(ByMean(), test_rows, 5, set(likes.encoder_.users_.ids.tolist()), train)
    found = likes.evaluate(test_rows, n=5).groups["all"].ranking["item mean"]
    assert found == pytest.approx({f"{k}@5": v for k, v in expected.items()})


def with_new_ids(test_rows):
    """Three rows more: an unknown user, an unknown item, both."""
    items = test_rows["item_id"]
    return {
        "user_id": np.append(test_rows["user_id"], [1, test_rows["user_id"][0], 2]),
        "item_id": np.append(items, [items[0], 7, 8]),
        "rating": np.append(test_rows["rating"], [5, 5, 5]),
    }


def test_groups_are_their_rows_and_users(fitted, test_rows):
    rows = with_new_ids(test_rows)
    judged, known = fitted.evaluate(rows, n=5), fitted.evaluate(test_rows, n=5)
    n = len(test_rows["rating"])
    assert {name: group.n_rows for name, group in judged.groups.items()} == {
        "all": n + 3,
        "known users": n + 1,
        "cold users": 2,
        "cold items": 2,
    }
    assert (judged.n_cold_users, judged.n_cold_items) == (2, 2)
    assert judged.groups["cold users"].n_users == 2
    assert list(known.groups) == ["all", "known users"]
    assert known.groups["all"] == known.groups["known users"]
    # means over all users are made of those over the known and the cold ones
    for who in ("model", "popularity", "item mean"):
        parts = [judged.groups[name] for name in ("known users", "cold users")]
        whole = sum(part.ranking[who]["ndcg@5"] * part.n_users for part in parts) / judged.n_users
        assert judged.value("ndcg@5", contender=who) == pytest.approx(whole)
    # unknown users get popular items; without features there is nothing to rank new items by
    cold = judged.groups["cold users"].ranking
    assert cold["model"] == cold["popularity"]
    assert judged.groups["cold items"].ranking == {}
    assert "2 users of whom it knows nothing" in repr(judged)


def test_what_is_the_same_is_shown_once(likes, test_rows):
    def shown(rows):
        return [line[0] for _, lines in likes.evaluate(rows).blocks() for line in lines if line[0][0] != " "]

    assert shown(test_rows) == ["all", "all"]
    new = {**test_rows, "user_id": test_rows["user_id"] + 1_000_000}
    assert shown(new) == ["all", "all"]
    rows = with_new_ids(test_rows)
    assert shown(rows) == ["all", "known users", "cold users", "cold items", "all", "known users", "cold users"]


def test_what_cannot_be_compared_is_said(test_rows, train):
    without = fr.Recommender(regressor()).fit(train).evaluate(test_rows)
    assert "without like_threshold no rating counts" in repr(without)
    assert list(without.groups["all"].points) == ["model", "item mean", "user mean", "global mean"]
    negatives = MODELS["negatives"]().fit(train)
    assert "judge it by its lists" in repr(negatives.evaluate(test_rows))
    negatives.interactions_ = None
    judged = negatives.evaluate(test_rows)
    assert "saved without history" in repr(judged)
    assert list(judged.groups["all"].points) == ["model"]
    assert list(judged.groups["all"].ranking) == ["model", "popularity"]


def test_figures_do_not_depend_on_the_kind_of_table(likes, test_rows):
    expected = likes.evaluate(with_new_ids(test_rows))
    for kind in (pd.DataFrame, lambda t: pd.DataFrame(t).astype(object), pl.DataFrame, pa.table):
        assert likes.evaluate(kind(with_new_ids(test_rows))) == expected


def test_one_class_and_weights_of_0(train, test_rows):
    rec = fr.Recommender(classifier(), like_threshold=4, weight="w")
    rec.fit({**train, "w": np.ones(len(train["rating"]))})
    rows = {**with_new_ids(test_rows), "w": np.append(np.ones(len(test_rows["rating"])), [0, 0, 0])}
    judged = rec.evaluate(rows)
    assert judged.groups["cold users"].points == {}  # all their rows weigh nothing
    assert judged.points == rec.evaluate({name: values[:-3] for name, values in rows.items()}).points
    likes = {name: values[test_rows["rating"] >= 4] for name, values in {**test_rows, "w": rows["w"][:-3]}.items()}
    judged = rec.evaluate(likes)
    assert np.isnan(judged.points["auc"])
    assert judged.to_dict()["groups"]["all"]["contenders"]["model"]["auc"] is None


def test_labels_are_what_is_learned(likes, test_rows, train):
    assert np.array_equal(likes.labels(test_rows), test_rows["rating"] >= 4)
    assert np.array_equal(fr.Recommender(regressor()).fit(train).labels(test_rows), test_rows["rating"])
