"""What each estimator learns from a table, and what the recommender says by it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone

import factorec as fr
from factorec.errors import DataError

from .conftest import classifier, regressor


def ranker(**settings):
    return fr.FMRanker(**{"n_factors": 8, "n_epochs": 8, "random_state": 0} | settings)


def ordinal(**settings):
    return fr.FMOrdinal(**{"n_factors": 8, "n_epochs": 12, "random_state": 0} | settings)


@pytest.fixture(scope="module")
def clicks(train):
    return {name: train[name][train["rating"] >= 4] for name in ("user_id", "item_id")}


@pytest.fixture(scope="module")
def lists(train, catalogue):
    return fr.Recommender(ranker(), like_threshold=4).fit(train, items=catalogue)


@pytest.fixture(scope="module")
def levels(train, catalogue):
    return fr.Recommender(ordinal(), like_threshold=4).fit(train, items=catalogue)


def test_without_an_estimator_a_table_of_clicks_is_ranked(clicks):
    rec = fr.Recommender(target=None).fit(clicks)
    assert isinstance(rec.estimator_, fr.FMRanker)
    assert rec.estimator is None
    assert rec.get_params()["estimator"] is None
    assert (rec.interactions_.label == 1).all()
    assert rec.recommend(n=3).item_ids.shape == (len(np.unique(clicks["user_id"])), 3)
    assert rec.popularity_.sum() == len(clicks["user_id"])


def test_lists_come_before_chance_and_popularity(lists, test_rows):
    judged = lists.evaluate(test_rows)
    assert judged.points == {}
    assert judged.ranking["ndcg@10"] > judged.popularity["ndcg@10"]
    assert any("only rank" in note for note in judged.notes)
    assert set(judged.to_dict()["groups"]["all"]["contenders"]) == {"model", "popularity", "item mean"}


@pytest.mark.parametrize(
    ("soft", "grades"),
    [
        (None, {1: 0.3, 2: 0.3, 3: 0.3, 4: 1, 5: 1}),
        (0.5, {1: 0.5, 2: 0.5, 3: 0.5, 4: 1, 5: 1}),
        (0, {1: 0, 2: 0, 3: 0, 4: 1, 5: 1}),
        ({1: 0, 2: 0.1, 3: 0.6, 4: 7}, {1: 0, 2: 0.1, 3: 0.6, 4: 1, 5: 1}),
    ],
)
def test_soft_positives_are_the_grades_below_the_threshold(train, soft, grades):
    rec = fr.Recommender(ranker(n_epochs=1), like_threshold=4, soft_positives=soft).fit(train)
    history = rec.interactions_
    expected = np.array([grades[int(target)] for target in history.target], np.float32)
    assert np.array_equal(history.label, expected)
    assert ((history.weight > 0) == (expected > 0)).all()  # a grade of 0 is seen and not learned from
    assert np.array_equal(rec.labels(train), np.array([grades[int(t)] for t in train["rating"]], np.float32))
    likes = np.unique(train["item_id"][train["rating"] >= 4], return_counts=True)
    assert dict(zip(rec.encoder_.items_.ids, rec.popularity_, strict=True)) == {
        item: dict(zip(*likes, strict=True)).get(item, 0) for item in rec.encoder_.items_.ids
    }
    user = train["user_id"][0]
    seen = set(train["item_id"][train["user_id"] == user])
    assert not seen & set(rec.recommend([user], n=40).item_ids[0].tolist())


def test_grades_alone_need_no_threshold(train):
    grades = {1: 0, 2: 0, 3: 0.25, 4: 1, 5: 2}
    rec = fr.Recommender(ranker(n_epochs=1), soft_positives=grades).fit(train)
    assert rec.interactions_.label.max() == 2
    assert rec.popularity_.sum() == (train["rating"] >= 4).sum()  # a grade of at least 1 is a like
    with pytest.raises(DataError, match=r"table: column 'rating' holds 3 in row \d+; soft_positives has no grade"):
        fr.Recommender(ranker(), soft_positives={1: 0, 2: 0, 4: 1, 5: 1}).fit(train)


def test_zeros_of_a_binary_target_are_seen_only(train):
    table = {**train, "rating": (train["rating"] >= 4).astype(np.int64)}
    rec = fr.Recommender(ranker(n_epochs=1)).fit(table)
    assert set(np.unique(rec.interactions_.label)) == {0, 1}
    assert (rec.interactions_.weight[rec.interactions_.label == 0] == 0).all()
    soft = fr.Recommender(ranker(n_epochs=1), soft_positives=0.2).fit(table)
    assert set(np.unique(soft.interactions_.label)) == {np.float32(0.2), 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fr.Recommender(ranker(), negatives=4), r"negatives are for FMClassifier; FMRanker.*n_negatives=4"),
        (lambda: fr.Recommender(ranker()), r"column 'rating' holds \d in row \d+; give like_threshold=.*target=None"),
        (lambda: fr.Recommender(ranker(), target=None, like_threshold=4), "like_threshold needs a target column"),
        (lambda: fr.Recommender(ranker(), target=None, soft_positives=0.2), "soft_positives needs a target column"),
        (
            lambda: fr.Recommender(ranker(), like_threshold=4, soft_positives=-1),
            "must be a number of at least 0, got -1",
        ),
        (lambda: fr.Recommender(ranker(), like_threshold=4, soft_positives="x"), "number of at least 0, got 'x'"),
        (lambda: fr.Recommender(ranker(), like_threshold=4, soft_positives={"x": 1}), "got the target 'x'"),
        (lambda: fr.Recommender(ranker(), like_threshold=4, soft_positives={3: True}), "of target 3 must be a number"),
        (lambda: fr.Recommender(ranker(), like_threshold=4, soft_positives={3: 1e39}), "of target 3 must be a number"),
        (lambda: fr.Recommender(ranker(), like_threshold=9, soft_positives=0), "no 'rating' counts"),
        (lambda: fr.Recommender(classifier(), like_threshold=4, soft_positives=0.2), "soft_positives are for FMRanker"),
        (lambda: fr.Recommender(regressor(), soft_positives={3: 1}), "soft_positives are for FMRanker: FMRegressor"),
        (lambda: fr.Recommender(ordinal(), negatives=2), "which FMOrdinal could learn; to rank, use FMRanker"),
        (lambda: fr.Recommender(ordinal(), target=None), "FMOrdinal learns ratings and needs a target column"),
        (lambda: fr.Recommender(classifier(), target=None), "use FMRanker, or set negatives"),
        (lambda: fr.Recommender(search_with="median"), "search_with must be one of 'samples', 'mean'"),
    ],
)
def test_parameters_that_contradict_each_other(train, make, message):
    with pytest.raises(DataError, match=message):
        make().fit(train)


def test_predictions_of_a_ranker_are_its_scores(lists, test_rows):
    assert np.array_equal(lists.predict(test_rows), lists.decision_function(test_rows))
    with pytest.raises(DataError, match="FMRanker knows no probability of a like"):
        lists.predict_like(test_rows)
    with pytest.raises(DataError, match=r"min_probability needs a classifier or FMOrdinal; of FMRanker, min_score"):
        lists.recommend(min_probability=0.5)
    scores = lists.recommend(n=40).scores
    bound = float(np.median(scores[np.isfinite(scores)]))
    assert (lists.recommend(n=40, min_score=bound).counts == (scores >= bound).sum(axis=1)).all()


def test_predictions_of_levels_are_ratings_and_probabilities(levels, test_rows):
    ratings, likes = levels.predict(test_rows), levels.predict_like(test_rows)
    assert ratings.min() >= 1
    assert ratings.max() <= 5
    assert likes.shape == ratings.shape
    assert np.array_equal(likes, expit(levels.decision_function(test_rows) - levels.estimator_.cuts_[2]))
    judged = levels.evaluate(test_rows)
    assert {"rmse", "mae", "log_loss", "accuracy", "f1", "auc"} <= set(judged.points)
    assert judged.points["rmse"] == pytest.approx(np.sqrt(np.mean((ratings - test_rows["rating"]) ** 2)))
    liked = test_rows["rating"] >= 4
    loss = -np.log(np.where(liked, likes, 1 - likes)).mean()
    assert judged.points["log_loss"] == pytest.approx(loss, abs=1e-6)
    assert judged.value("rmse") < judged.value("rmse", contender="global mean")
    assert judged.value("log_loss") < judged.value("log_loss", contender="global mean")
    assert judged.ranking


def test_levels_without_a_threshold_are_judged_as_ratings_alone(train, test_rows):
    rec = fr.Recommender(ordinal(n_epochs=2)).fit(train)
    judged = rec.evaluate(test_rows)
    assert set(judged.points) == {"rmse", "mae"}
    assert not judged.ranking
    with pytest.raises(DataError, match="predict_like of FMOrdinal needs like_threshold"):
        rec.predict_like(test_rows)
    with pytest.raises(DataError, match="min_probability of FMOrdinal needs like_threshold"):
        rec.recommend(min_probability=0.5)


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.7, 1.0])
def test_promise_4_a_lowest_probability_of_levels(levels, probability):
    top = levels.recommend(n=40, min_probability=probability)
    columns = top.to_columns()
    everything = levels.recommend(n=40).to_columns()
    kept = levels.predict_like(everything) >= probability - 1e-6
    assert abs(len(columns["score"]) - kept.sum()) <= 1
    if len(columns["score"]):
        assert (levels.predict_like(columns) >= probability - 1e-6).all()


@pytest.mark.parametrize("threshold", [0, 1, 6])
def test_a_threshold_outside_the_levels(train, test_rows, threshold):
    rec = fr.Recommender(ordinal(n_epochs=2), like_threshold=threshold).fit(train)
    assert (rec.predict_like(test_rows) == (threshold <= 1)).all()
    assert np.isfinite(rec.evaluate(test_rows).points["log_loss"])
    kept = rec.recommend(n=5, min_probability=0.5).counts
    assert (kept > 0).all() if threshold <= 1 else not kept.any()


def test_of_a_classifier_predict_is_the_probability(train, test_rows):
    rec = fr.Recommender(classifier(), like_threshold=4).fit(train)
    assert np.array_equal(rec.predict_like(test_rows), rec.predict(test_rows))
    with pytest.raises(DataError, match="return_std needs an FMRegressor with solver='gibbs', got FMClassifier"):
        rec.predict(test_rows, return_std=True)
    ratings = fr.Recommender(regressor()).fit(train)
    with pytest.raises(DataError, match="FMRegressor knows no probability of a like"):
        ratings.predict_like(test_rows)


def test_a_ranker_is_cloned_and_stops_early_on_lists(train, test_rows):
    rec = fr.Recommender(ranker(n_epochs=20, early_stopping=True), like_threshold=4)
    fitted = clone(rec).fit(train, validation=test_rows, eval_set={"test": test_rows})
    assert not hasattr(rec, "estimator_")
    assert "ndcg_at_10" in fitted.estimator_.history_["validation"]
    seen = {(u, i) for u, i in zip(test_rows["user_id"], test_rows["item_id"], strict=True)}
    columns = fitted.recommend(n=10).to_columns()
    assert not seen & set(zip(columns["user_id"], columns["item_id"], strict=True))  # held-out rows are seen too
