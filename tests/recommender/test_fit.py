"""What is learned from a table, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_validate

import factorec as fr
from factorec.errors import DataError

from .conftest import MODELS, classifier, regressor


def parameters(rec):
    p = rec.estimator_.parameters_
    return p.bias, p.linear, p.factors, p.penalties.linear, p.penalties.factors


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(parameters(a), parameters(b), strict=True))


def test_is_a_meta_estimator(train):
    """fit leaves the given estimator alone; clone, set_params and pickle work as scikit-learn's do."""
    rec = MODELS["likes"]()
    assert rec.get_params()["estimator__n_factors"] == 8
    copy = clone(rec).set_params(estimator__n_factors=4).fit(train)
    assert copy.estimator_.n_factors == 4
    assert not hasattr(copy.estimator, "parameters_")
    assert copy.recommend(n=3).item_ids.shape == (len(copy.encoder_.users_), 3)
    again = pickle.loads(pickle.dumps(copy))
    assert np.array_equal(again.recommend(n=3).scores, copy.recommend(n=3).scores)
    with pytest.raises(NotFittedError):
        rec.recommend()


def test_cross_validation_takes_a_scoring_function(train):
    import pandas as pd

    def ndcg(rec, rows, _=None):
        return rec.evaluate(rows).ranking["ndcg@10"]

    result = cross_validate(
        MODELS["negatives"](), pd.DataFrame(train).sample(frac=1, random_state=0), scoring=ndcg, cv=3
    )
    assert (result["test_score"] > 0).all()


def test_same_as_the_long_way(train):
    """The short way is the stages joined: the same bits as a training set built by hand."""
    users, user = np.unique(train["user_id"], return_inverse=True)
    items, item = np.unique(train["item_id"], return_inverse=True)
    like = (train["rating"] >= 4).astype(float)
    data = fr.fm.TrainingSet.from_ids(user, item, like, n_users=len(users), n_items=len(items))
    fm = classifier().fit(data)
    rec = MODELS["likes"]().fit(train)
    assert np.array_equal(fm.factors_, rec.estimator_.factors_)
    assert np.array_equal(rec.encoder_.users_.ids, users)


def test_binary_target_needs_no_threshold(train):
    like = {**train, "rating": (train["rating"] >= 4).astype(int)}
    assert same(fr.Recommender(classifier()).fit(like), MODELS["likes"]().fit(train))


def test_negatives_learn_from_likes_alone_and_the_rest_stays_seen(train):
    """Rows that are not likes change nothing but what is never drawn."""
    rec = MODELS["negatives"]().fit(train)
    liked = train["rating"] >= 4
    users, user = np.unique(train["user_id"], return_inverse=True)
    items, item = np.unique(train["item_id"], return_inverse=True)
    import scipy.sparse as sp

    seen = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(len(users), len(items)))
    data = fr.fm.TrainingSet.from_ids(
        user[liked],
        item[liked],
        np.ones(liked.sum()),
        n_users=len(users),
        n_items=len(items),
        negatives=fr.fm.NegativeSampling(3, seen),
    )
    assert np.array_equal(classifier().fit(data).factors_, rec.estimator_.factors_)


def test_a_table_of_clicks_has_only_likes(train):
    clicks = {name: train[name][train["rating"] >= 4] for name in ("user_id", "item_id")}
    rec = fr.Recommender(classifier(), target=None, negatives=3).fit(clicks)
    assert rec.evaluate(clicks).points == {}
    assert rec.explain(clicks["user_id"][0], clicks["item_id"][-1]).ratings is None
    with pytest.raises(DataError, match=r"target=None every row is a like.*set negatives"):
        fr.Recommender(classifier(), target=None).fit(clicks)
    with pytest.raises(DataError, match="FMRegressor learns ratings and needs a target column"):
        fr.Recommender(regressor(), target=None).fit(clicks)


def test_a_row_of_weight_0_is_absent_but_seen(train):
    n = len(train["rating"])
    extra = {"user_id": train["user_id"][0], "item_id": 100 + 11 * 39, "rating": 5}
    weighted = {name: np.append(values, extra[name]) for name, values in train.items()}
    new_id = {**weighted, "item_id": np.append(train["item_id"], 12_345)}
    for table in (weighted, new_id):
        table["w"] = np.append(np.ones(n), 0.0)
    base = MODELS["likes"]().fit(train)
    rec = fr.Recommender(classifier(), like_threshold=4, weight="w")
    assert same(rec.fit(new_id), base)
    assert 12_345 not in rec.encoder_.items_.ids
    assert same(rec.fit(weighted), base)
    assert extra["item_id"] not in rec.recommend([extra["user_id"]], n=40)[extra["user_id"]]["item_id"]
    with pytest.raises(DataError, match="table: every weight is 0"):
        rec.fit({**weighted, "w": np.zeros(n + 1)})


def test_class_weights_count_in_explanations(train):
    """Impacts add up with the weights that training used, and the gap stays small."""
    rec = fr.Recommender(classifier(class_weight={0: 1.0, 1: 3.0}, n_epochs=80), like_threshold=4).fit(train)
    assert set(rec.interactions_.weight.tolist()) == {1.0, 3.0}
    user = rec.encoder_.users_.ids[0]
    gaps = [abs(rec.explain(user, item).gap) for item in rec.encoder_.items_.ids[:20]]
    assert np.median(gaps) < 0.2


def test_partial_fit_counts_rows_again(train):
    rec = MODELS["likes"]().fit(train)
    n, likes = len(rec.interactions_.items), rec.popularity_.sum()
    penalties = rec.estimator_.penalties_.factors.copy()
    rec.recommend(n=1)
    more = {name: values[:50] for name, values in train.items()}
    rec.partial_fit(more)
    assert len(rec.interactions_.items) == n + 50
    assert rec.popularity_.sum() == likes + (more["rating"] >= 4).sum()
    assert (rec.estimator_.penalties_.factors > penalties).any()
    user, item = more["user_id"][0], more["item_id"][0]
    score = rec.decision_function({"user_id": [user], "item_id": [item]})[0]
    assert rec.recommend([user], n=1, items=[item], exclude_seen=False).scores[0, 0] == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fr.Recommender(object()), "estimator must be an FMRanker, .* got object"),
        (lambda: fr.Recommender(fr.FMRanker), "got the class FMRanker: call it"),
        (
            lambda: fr.Recommender(classifier(), like_threshold=4, fields=["genre"]),
            "fields must be 'auto' or a dict of lists by 'user'",
        ),
        (
            lambda: fr.Recommender(classifier(), like_threshold=4, fields={"films": ["genre"]}),
            "fields must be .* got the keys 'films'",
        ),
        (lambda: fr.Recommender(classifier(), like_threshold=4, fields={"item": ["genre"]}), "'genre'.* items=, which"),
        (lambda: fr.Recommender(classifier(), like_threshold=4, fields={"context": ["hour"]}), "no column 'hour'"),
        (lambda: fr.Recommender(classifier(), like_threshold=4, time="t"), "table: the table has no column 't'"),
        (lambda: fr.Recommender(classifier(), user=["a", "b"]), "user must be the name of one column, got"),
        (lambda: fr.Recommender(classifier(), negatives=-1), "negatives must be an integer of at least 0, got -1"),
        (lambda: fr.Recommender(classifier(), negatives=1.5), "negatives must be an integer"),
        (lambda: fr.Recommender(regressor(), negatives=2), "negatives are for FMClassifier: .* use FMRanker"),
        (lambda: fr.Recommender(classifier(), like_threshold="4"), "like_threshold must be a finite number"),
        (lambda: fr.Recommender(classifier()), r"table: column 'rating' holds \d in row \d+; .*like_threshold="),
        (lambda: fr.Recommender(classifier(), target="stars"), "table: the table has no column 'stars'"),
        (lambda: fr.Recommender(classifier(), user="who", like_threshold=4), "table: the table has no column 'who'"),
        (lambda: fr.Recommender(classifier(), like_threshold=9, negatives=2), "only likes are, and no 'rating' is one"),
        (lambda: fr.Recommender(classifier(l2_factors={"genre": 1}), like_threshold=4), "genre"),
    ],
)
def test_wrong_parameters_are_named(train, make, message):
    with pytest.raises(DataError, match=message):
        make().fit(train)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("rating", 3, np.nan, "table: column 'rating' holds nan in row 3; drop such rows"),
        ("rating", 2, 1e300, "table: column 'rating' holds 1e[+]300 in row 2; that is beyond the range of float32"),
        ("weight", 5, -1.0, "table: column 'weight' holds -1 in row 5; a weight must not be negative"),
        ("user_id", 1, np.nan, "table: column 'user_id' has no id in row 1"),
        ("item_id", 1, 0.5, "table: column 'item_id' holds 0.5 in row 1"),
    ],
)
def test_wrong_values_are_named(train, column, row, value, message):
    """Promise 6: field, row, value, what to do."""
    bad = {name: values.astype(float) for name, values in train.items()} | {"weight": np.ones(len(train["rating"]))}
    bad[column] = bad[column].copy()
    bad[column][row] = value
    with pytest.raises(DataError, match=message):
        fr.Recommender(regressor(), weight="weight").fit(bad)


def test_wrong_catalogues_and_held_out_tables_are_named(train, catalogue):
    rec = MODELS["likes"]()
    twice = {name: np.append(values, values[0]) for name, values in catalogue.items()}
    with pytest.raises(DataError, match=rf"items: id {catalogue['item_id'][0]} stands in more than one row"):
        rec.fit(train, items=twice)
    with pytest.raises(DataError, match=r"items: the table has no column 'title'.*title=None takes none"):
        rec.fit(train, items={"item_id": catalogue["item_id"]})
    with pytest.raises(DataError, match="users: the table has no column 'user_id'"):
        rec.fit(train, users={"id": [1]})
    with pytest.raises(DataError, match="validation: the table has no column 'rating'"):
        rec.fit(train, validation={"user_id": [1], "item_id": [2]})
    with pytest.raises(DataError, match="text: column 'rating' must hold numbers"):
        rec.fit(train, eval_set={"text": {**train, "rating": np.array(["good"] * len(train["rating"]))}})
    with pytest.raises(DataError, match="expected a table"):
        rec.fit("ratings.csv")
    assert not hasattr(rec, "estimator_")


def test_items_without_a_title_have_their_id(train, catalogue):
    rec = MODELS["ratings"]().set_params(estimator__n_epochs=1)
    first, second, third = catalogue["item_id"][:3].tolist()
    rec.fit(train, items=pd.DataFrame({"item_id": [first, second], "title": ["One", None]}))
    assert rec.titles_[:3].tolist() == ["One", str(second), str(third)]


def test_promise_3_the_same_bits_at_any_number_of_threads(train):
    one, three = MODELS["negatives"](), MODELS["negatives"]()
    one.set_params(estimator__n_jobs=1).fit(train)
    three.set_params(estimator__n_jobs=3).fit(train)
    assert same(one, three)
    assert np.array_equal(one.recommend(n=9).scores, three.recommend(n=9).scores)
