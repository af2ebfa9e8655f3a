"""scikit-learn's searches, pipelines and cross-validation work on the estimators and on recommenders of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.calibration import CalibrationDisplay as ScikitLearns
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline

import factorec as fr
from factorec.model_selection import (
    LeaveLastN,
    RandomSplit,
    TemporalSplit,
    UserSplit,
    make_scorer,
    train_given_test_split,
)


def frame(n=3000, seed=0):
    data = fr.datasets.make_planted_fm(80, 40, n, target="real", seed=seed)
    rows = pd.DataFrame(data.table).drop_duplicates(["user_id", "item_id"], ignore_index=True)
    rows["rating"] = 1.0 + pd.qcut(rows["rating"], 5, labels=False)
    rows["user_id"] = "u" + rows["user_id"].astype(str)
    rows["timestamp"] = pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(len(rows)), unit="h")
    return rows


@pytest.fixture(
    scope="module", params=["pandas", "pandas objects", "polars", "pyarrow"], ids=lambda kind: kind.replace(" ", "-")
)
def table(request):
    rows = frame()
    if request.param == "pandas":
        return rows
    if request.param == "pandas objects":
        return rows.astype({"user_id": object, "item_id": object})
    return pl.from_pandas(rows) if request.param == "polars" else pl.from_pandas(rows).to_arrow()


def target(table):
    return np.asarray(table["rating"]).astype(float)


def pipeline(estimator=None):
    fm = fr.FMClassifier(n_factors=4, n_epochs=8, random_state=0) if estimator is None else estimator
    return Pipeline([("encode", fr.Encoder()), ("fm", fm)])


def recommender(**settings):
    estimator = fr.FMClassifier(n_factors=4, n_epochs=8, random_state=0)
    return fr.Recommender(estimator, **{"like_threshold": 4, "negatives": 2} | settings)


# Encoder and estimator in a pipeline


def test_a_pipeline_predicts_as_the_recommender_does(table):
    rating = target(table)
    like = (rating >= 4).astype(int)
    pipe = pipeline().fit(table, like)
    assert pipe[:-1].get_feature_names_out()[0] == "user_id_u0"
    rec = recommender(negatives=0).fit(table)
    # a flat matrix and a training set differ in what the classes are called, in nothing else
    assert pipe.predict_proba(table)[:, 1] == pytest.approx(rec.predict(table), abs=1e-6)
    ratings = pipeline(fr.FMRegressor(n_factors=4, n_epochs=8, random_state=0)).fit(table, rating)
    assert ratings.score(table, rating) > 0


def test_cross_validation_of_a_pipeline(table):
    like = (target(table) >= 4).astype(int)
    for cv in (
        3,
        KFold(3, shuffle=True, random_state=0),
        RandomSplit(0.3, n_splits=2, random_state=0),
        TemporalSplit(),
    ):
        scores = cross_val_score(pipeline(), table, like, scoring="roc_auc", cv=cv)
        assert (scores > 0.6).all()
    chance = cross_val_predict(pipeline(), table, like, cv=3, method="predict_proba")[:, 1]
    assert roc_auc_score(like, chance) > 0.6


def test_a_search_over_a_pipeline(table):
    rating = target(table)
    search = GridSearchCV(
        pipeline(fr.FMRegressor(n_epochs=8, random_state=0)),
        {"fm__n_factors": [1, 4], "fm__learning_rate": [1e-6, 0.1]},
        scoring="neg_root_mean_squared_error",
        cv=3,
    ).fit(table, rating)
    assert search.best_params_["fm__learning_rate"] == 0.1
    assert search.best_score_ > -rating.std()
    assert search.predict(table).shape == rating.shape


def test_a_threshold_tuned_by_cross_validation(table):
    like = (target(table) >= 5).astype(int)  # one in five: one half is no good threshold for F1
    tuned = TunedThresholdClassifierCV(pipeline(), scoring="f1", cv=3).fit(table, like)
    assert 0 < tuned.best_threshold_ < 0.5
    assert f1_score(like, tuned.predict(table)) > f1_score(like, pipeline().fit(table, like).predict(table))
    fixed = FixedThresholdClassifier(pipeline(), threshold=tuned.best_threshold_).fit(table, like)
    assert np.array_equal(fixed.predict(table), tuned.predict(table))


def test_calibration_by_scikit_learn(table):
    from matplotlib.figure import Figure

    like = (target(table) >= 4).astype(int)
    pipe = pipeline()
    calibrated = CalibratedClassifierCV(pipe, cv=3).fit(table, like)
    assert calibrated.predict_proba(table).shape == (len(like), 2)
    drawn = ScikitLearns.from_estimator(pipe.fit(table, like), table, like, ax=Figure().subplots())
    assert len(drawn.prob_true) > 1


USERS = pd.DataFrame({"user_id": [f"u{i}" for i in range(80)], "group": ["a", "b", "c", "d"] * 20})
ITEMS = pd.DataFrame({"item_id": range(41), "genre": ["x|y", "y", "z"] * 13 + ["z", "x"]})
FIELDS = {"user": ["group"], "item": [fr.MultiLabel("genre", separator="|")]}


def test_side_features_in_a_pipeline():
    """Catalogues reach the encoder as fit parameters; cross-validation hands them on whole."""
    table = frame()
    like = (target(table) >= 4).astype(int)
    catalogues = {"encode__users": USERS, "encode__items": ITEMS}
    pipe = pipeline().set_params(encode__fields=FIELDS)
    fitted = clone(pipe).fit(table, like, **catalogues)
    names = fitted[:-1].get_feature_names_out().tolist()
    assert {"group_a", "genre_x", "item_id_3"} <= set(names)
    scores = cross_val_score(pipe, table, like, scoring="roc_auc", cv=3, params=catalogues)
    assert (scores > 0.6).all()
    with config_context(enable_metadata_routing=True):  # what the other searches of scikit-learn ask for
        encoder = fr.Encoder(fields=FIELDS).set_fit_request(users=True, items=True)
        tuned = TunedThresholdClassifierCV(pipe.set_params(encode=encoder), scoring="f1", cv=3)
        tuned.fit(table, like, users=USERS, items=ITEMS)
    assert len(tuned.estimator_[:-1].get_feature_names_out()) == len(names)
    assert f1_score(like, tuned.predict(table)) > 0.6


# The recommender itself: tables without y, our scorers


@pytest.mark.parametrize(
    "cv",
    [
        RandomSplit(0.3, n_splits=2, random_state=0),
        LeaveLastN(5),
        TemporalSplit(0.2, n_splits=2),
        KFold(2, shuffle=True),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_cross_validation_of_a_recommender(table, cv):
    scores = cross_val_score(recommender(), table, scoring=make_scorer("ndcg@5"), cv=cv)
    assert len(scores) == cv.get_n_splits(table)
    assert ((scores > 0) & (scores < 1)).all()
    train, test = next(cv.split(table)) if not isinstance(cv, KFold) else (None, None)
    if train is not None:
        parts = (table.take(rows) if hasattr(table, "take") else table[rows] for rows in (train, test))
        fitted = recommender().fit(next(parts))
        assert scores[0] == fitted.evaluate(next(parts), n=5).ranking["ndcg@5"]


def test_new_users_apart(table):
    scores = cross_val_score(
        recommender(), table, scoring=make_scorer("recall@10", group="cold users"), cv=UserSplit(0.2, random_state=0)
    )
    assert scores[0] > 0


def test_new_users_who_told_something_are_folded_in():
    """Promise: users held out entirely, half of their rows given, and judged by the other half."""
    rec = recommender(negatives=0)
    train, given, test = train_given_test_split(frame(), UserSplit(0.2, given=0.5, random_state=0))
    before = rec.fit(train).evaluate(test, n=5)
    assert before.groups["cold users"].n_rows == len(test)
    after = rec.fold_in_users(given).evaluate(test, n=5)
    assert list(after.groups) == ["all", "known users"]
    assert after.points["auc"] > before.points["auc"]


def test_a_search_over_side_features():
    search = GridSearchCV(
        recommender(title=None),
        {"fields": [None, FIELDS]},
        scoring=make_scorer("ndcg@10", group="cold users"),
        cv=UserSplit(0.2, random_state=0),
    ).fit(frame(), users=USERS, items=ITEMS)
    assert len(search.cv_results_["mean_test_score"]) == 2
    assert search.best_score_ > 0


def test_catalogues_reach_fit():
    table = frame()
    items = pd.DataFrame({"item_id": range(40), "title": [f"Film {i}" for i in range(40)]})
    found = cross_validate(
        recommender(),
        table,
        scoring={"ndcg": make_scorer("ndcg@10"), "auc": make_scorer("auc")},
        cv=LeaveLastN(3),
        params={"items": items},
        return_estimator=True,
    )
    assert found["test_ndcg"].shape == found["test_auc"].shape == (1,)
    assert found["estimator"][0].titles_[0].startswith("Film")


def test_a_catalogue_as_long_as_the_table_is_a_dict():
    """As a frame, scikit-learn would split it with the table; `make_scorer` says so."""
    table = frame()
    items = {"item_id": np.arange(len(table)), "title": np.array([f"Film {i}" for i in range(len(table))], object)}
    titles = {}
    for kind, catalogue in (("dict", items), ("frame", pd.DataFrame(items))):
        found = cross_validate(
            recommender(),
            table,
            scoring=make_scorer("ndcg@10"),
            cv=RandomSplit(0.5, random_state=0),
            params={"items": catalogue},
            return_estimator=True,
        )
        titles[kind] = [str(title).startswith("Film") for title in found["estimator"][0].titles_]
    assert all(titles["dict"])
    assert not all(titles["frame"])


def test_a_search_over_a_recommender(table):
    search = GridSearchCV(
        recommender(),
        {"negatives": [1, 3], "estimator__learning_rate": [1e-6, 0.1]},
        scoring=make_scorer("ndcg@10"),
        cv=LeaveLastN(5),
    ).fit(table)
    assert search.best_params_["estimator__learning_rate"] == 0.1
    assert isinstance(search.best_estimator_, fr.Recommender)
    assert len(search.best_estimator_.recommend(n=3)) == 80
    assert np.array_equal(search.predict(table), search.best_estimator_.predict(table))
    drawn = RandomizedSearchCV(
        recommender(),
        {"negatives": [1, 2, 3]},
        n_iter=2,
        scoring=make_scorer("neg_log_loss"),
        cv=LeaveLastN(5),
        random_state=0,
    ).fit(table)
    assert drawn.best_score_ < 0


def test_in_processes():
    """Scorers and splitters travel to joblib's workers, and the figures are the same."""
    table = frame(1500)
    scores = [
        cross_val_score(
            recommender(),
            table,
            scoring=make_scorer("ndcg@5"),
            cv=RandomSplit(n_splits=2, random_state=0),
            n_jobs=n_jobs,
        )
        for n_jobs in (1, 2)
    ]
    assert np.array_equal(*scores)


def test_parameters_and_clones():
    rec = recommender(negatives=3)
    assert rec.get_params()["estimator__n_factors"] == 4
    again = clone(rec.set_params(estimator__n_factors=7))
    assert again.estimator.n_factors == 7
    assert clone(make_scorer("ndcg@5", group="cold users")).get_params() == {"metric": "ndcg@5", "group": "cold users"}
