"""Promise: with the defaults, side features of users and films help on MovieLens 100K.

One seed or fold each; ``benchmarks/defaults.py`` measures all of them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.metrics import root_mean_squared_error as rmse

from factorec import FMClassifier, FMRegressor, ItemIndex, MultiLabel, Numeric, Recommender

FILMS = [MultiLabel("genres"), Numeric("year")]
FIELDS = {"user": [Numeric("age"), "gender", "occupation"], "item": FILMS}
NEGATIVES = 8

# Films of the test rows that have no training row.
pytestmark = pytest.mark.filterwarnings("ignore:.* does not know:UserWarning")


@pytest.fixture(scope="module")
def fitted(load_split):
    @cache
    def fit(split, estimator, with_fields, negatives=0):
        data = load_split(split)
        rec = Recommender(
            estimator(n_factors=64, random_state=0),
            like_threshold=4,
            negatives=negatives,
            fields=FIELDS if with_fields else None,
        )
        return rec.fit(data.train, users=data.users, items=data.items), data.test

    return fit


def test_likes_are_predicted_better_with_than_without(fitted):
    losses = []
    for with_fields in (False, True):
        rec, test = fitted("ua", FMClassifier, with_fields)
        losses.append(log_loss(rec.labels(test), rec.predict(test)))
    assert losses[1] < losses[0]
    assert losses[1] <= 0.556


def test_ratings_are_predicted_better_with_than_without(fitted):
    errors = []
    for with_fields in (False, True):
        rec, test = fitted("u1", FMRegressor, with_fields)
        errors.append(rmse(test["rating"], rec.predict(test)))
    assert errors[1] < errors[0]
    assert errors[1] <= 0.910  # u1 is the hardest of five folds, whose mean must be 0.905 at most


@pytest.mark.slow
def test_lists_are_as_good_with_as_without(fitted):
    without, with_fields = (
        rec.evaluate(test, n=10).to_dict()["groups"]["all"]["contenders"]["model"]["ndcg@10"]
        for rec, test in (fitted("ua", FMClassifier, fields, NEGATIVES) for fields in (False, True))
    )
    assert with_fields >= without - 0.005


def test_films_that_were_never_trained_rank_by_their_features(load_split):
    data = load_split(None)
    films = np.random.default_rng(0).permutation(np.asarray(data.items["item_id"]))
    cold = np.isin(np.asarray(data.train["item_id"]), films[: len(films) // 5])
    rec = Recommender(FMClassifier(n_factors=64, random_state=0), like_threshold=4, fields=FIELDS)
    rec.fit(data.train[~cold], users=data.users, items=data.items)
    test = data.train[cold]
    score, like, user = rec.decision_function(test), rec.labels(test), np.asarray(test["user_id"])
    assert roc_auc_score(like, score) >= 0.60
    # Knowing who likes much is not enough: the order of one user's films counts here.
    own = [user == u for u in np.unique(user)]
    assert np.mean([roc_auc_score(like[rows], score[rows]) for rows in own if 0 < like[rows].mean() < 1]) >= 0.60
    assert (rec.recommend(n=10, cold_items=True).counts == 10).all()


def test_the_published_formula_ranks_wrongly_once_films_have_features(load_split):
    """`self_interaction=False` leaves out pairs such as film and genre: the docs say how often that shows."""
    data = load_split("ua")
    rec = Recommender(FMRegressor(n_factors=64, random_state=0), fields={"item": FILMS})
    rec.fit(data.train, items=data.items)
    p, items = rec.estimator_.parameters_, rec.encoder_.entities("item").rows
    queries = p.query_vectors(rec.encoder_.entities("user").rows)
    seen = rec.interactions_.seen(len(rec.encoder_.items_))
    exact = rec.recommend(rec.encoder_.users_.ids, n=10).positions

    def top(**kind):
        index = ItemIndex(p.item_vectors(items), offsets=p.item_offsets(items, **kind))
        return index.search(queries, 10, exclude=seen, items=rec.encoder_.is_trained("item")).ids

    np.testing.assert_array_equal(top(), exact)
    published = top(self_interaction=False)
    wrong = [len(np.setdiff1d(a, b)) for a, b in zip(exact, published, strict=True)]
    assert np.mean(np.array(wrong) > 0) > 0.5
