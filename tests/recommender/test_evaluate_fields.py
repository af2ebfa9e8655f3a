"""Evaluation of models with side features: new users and items apart, and lists in a context."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import log_loss, roc_auc_score

import factorec as fr
from factorec.errors import DataError
from factorec.metrics import ranking_metrics

from .conftest import classifier

GROUPS, GENRES, HOURS = np.array(["a", "b", "c"]), np.array(["x", "y", "z"]), np.array(["day", "night"])
NEW_USERS, NEW_ITEMS = 15, 10  # the last of 75 and 50, in no training row


def tables(seed=0):
    """Users like the genre of their group; by night all like x too. The last user and item are in no catalogue."""
    random = np.random.default_rng(seed)
    pairs = random.permutation(75 * 50)[:2600]
    user, item = pairs // 50, pairs % 50
    hour = random.integers(0, 2, len(pairs))
    fits = (user % 3 == item % 3) | ((item % 3 == 0) & (hour == 1))
    like = random.random(len(pairs)) < np.where(fits, 0.85, 0.15)
    rows = {"user_id": user, "item_id": item, "rating": like.astype(float), "hour": HOURS[hour]}
    held = (user >= 75 - NEW_USERS) | (item >= 50 - NEW_ITEMS) | (random.random(len(pairs)) < 0.2)
    users = {"user_id": np.arange(74), "group": GROUPS[np.arange(74) % 3]}
    items = {"item_id": np.arange(49), "genre": GENRES[np.arange(49) % 3]}
    return *({name: values[part] for name, values in rows.items()} for part in (~held, held)), users, items


TRAIN, TEST, USERS, ITEMS = tables()
FIELDS = {"user": ["group"], "item": ["genre"]}


def fit(**settings):
    settings = {"estimator": classifier(), "fields": FIELDS, "title": None} | settings
    return fr.Recommender(**settings).fit(TRAIN, users=USERS, items=ITEMS)


@pytest.fixture(scope="module", params=[0, 2], ids=["likes and dislikes", "negatives"])
def rec(request):
    return fit(negatives=request.param)


@pytest.fixture(scope="module")
def in_context():
    return fit(fields=FIELDS | {"context": ["hour"]})


def expected(rec, rows, n=5, seen=TRAIN, **options):
    """Metrics of the lists that `recommend` gives, by the ids of the table itself."""
    liked = rows["rating"] == 1
    users = np.unique(rows["user_id"][liked])
    unseen = {user: [] for user in users.tolist()}
    seen = set(zip(seen["user_id"].tolist(), seen["item_id"].tolist(), strict=True))
    for user, item in zip(rows["user_id"][liked].tolist(), rows["item_id"][liked].tolist(), strict=True):
        if (user, item) not in seen:
            unseen[user].append(item)
    asked = [user for user, items in unseen.items() if items]
    truth = csr_matrix((len(asked), 50)).tolil()
    for row, user in enumerate(asked):
        truth[row, unseen[user]] = 1
    lists = rec.recommend(asked, n=n, unknown="popular", **options)
    return len(asked), ranking_metrics(lists.item_ids, truth.tocsr(), n)


def only(rows, mask):
    return {name: values[mask] for name, values in rows.items()}


def test_lists_are_those_that_recommend_gives_known_and_new_users_apart(rec):
    judged = rec.evaluate(TEST, n=5)
    new = TEST["user_id"] >= 75 - NEW_USERS
    for name, mask in {"all": new | True, "known users": ~new, "cold users": new}.items():
        n_users, figures = expected(rec, only(TEST, mask))
        assert judged.groups[name].n_users == n_users
        assert judged.groups[name].ranking["model"] == pytest.approx(figures)
    assert (judged.n_cold_users, judged.n_cold_items) == (NEW_USERS, NEW_ITEMS)
    assert judged.notes[-1] == "the model's lists for 1 user of whom it knows nothing are the popular items"


def test_new_users_are_ranked_for_by_their_features():
    """Promise: cold users get better than popular items where the model has their features."""
    # So few rows take few steps: a higher rate than the default, which is made for more of them.
    rec = fit(estimator=classifier(n_epochs=40, learning_rate=0.08), negatives=2)
    cold = rec.evaluate(only(TEST, TEST["item_id"] < 50 - NEW_ITEMS), n=5).groups["cold users"].ranking
    assert cold["model"]["ndcg@5"] > cold["popularity"]["ndcg@5"] + 0.02


def test_new_items_are_ranked_among_themselves_by_their_features(rec):
    judged = rec.evaluate(TEST, n=3)
    new = only(TEST, TEST["item_id"] >= 50 - NEW_ITEMS)
    liked = only(new, new["rating"] == 1)
    users = np.unique(liked["user_id"])
    truth = csr_matrix((np.ones(len(liked["user_id"])), (np.searchsorted(users, liked["user_id"]), liked["item_id"])))
    candidates = np.arange(50 - NEW_ITEMS, 49)  # the last is in no catalogue: missed
    pairs = {"user_id": np.repeat(users, len(candidates)), "item_id": np.tile(candidates, len(users))}
    with pytest.warns(UserWarning, match="a user that the model does not know"):
        scores = rec.decision_function(pairs).reshape(len(users), -1)
    lists = candidates[np.argsort(-scores, axis=1, kind="stable")][:, :3]
    group = judged.groups["cold items"]
    assert (group.n_rows, group.n_users) == (len(new["rating"]), len(users))
    assert group.ranking == {"model": pytest.approx(ranking_metrics(lists, truth, 3))}


def test_single_predictions_of_new_items(rec):
    new = only(TEST, TEST["item_id"] >= 50 - NEW_ITEMS)
    with pytest.warns(UserWarning, match="does not know"):
        chance = rec.predict(new)
    judged = rec.evaluate(TEST).groups["cold items"].points
    assert judged["model"]["auc"] == pytest.approx(roc_auc_score(new["rating"], chance), rel=1e-5)
    assert judged["model"]["auc"] > 0.6
    # of an item without rows the item mean is the mean of all
    overall = TRAIN["rating"].mean()
    assert judged["item mean"]["log_loss"] == pytest.approx(
        log_loss(new["rating"], np.full(len(chance), overall)), rel=1e-5
    )
    assert judged["item mean"] == judged["global mean"]


def test_new_items_may_be_candidates_for_all(rec):
    judged = rec.evaluate(TEST, n=5, cold_items=True)
    assert judged.groups["all"].ranking["model"] == pytest.approx(expected(rec, TEST, cold_items=True)[1])
    assert judged.groups["cold items"] == rec.evaluate(TEST, n=5).groups["cold items"]


def test_lists_are_in_no_context_unless_one_is_given(in_context):
    for given, context in (
        (None, {}),
        ({}, {}),
        ({"hour": "day"}, {"hour": "day"}),
        ({"hour": "night"}, {"hour": "night"}),
    ):
        judged = in_context.evaluate(TEST, n=5, context=given)
        assert judged.ranking == pytest.approx(expected(in_context, TEST, context=context)[1])
    by_day, by_night = (in_context.evaluate(TEST, n=5, context={"hour": hour}) for hour in HOURS)
    assert by_day.ranking != by_night.ranking
    assert by_day.points == by_night.points  # each row has its own
    assert by_day.points["log_loss"] < fit().evaluate(TEST).points["log_loss"]
    with pytest.raises(DataError, match="no context column 'weather', only 'hour'"):
        in_context.evaluate(TEST, context={"weather": "rain"})
    with pytest.raises(DataError, match="no column 'hour'"):
        in_context.evaluate({name: values for name, values in TEST.items() if name != "hour"})


def test_after_saving_the_figures_are_the_same(in_context, tmp_path):
    in_context.save(tmp_path / "model")
    assert fr.load(tmp_path / "model").evaluate(TEST) == in_context.evaluate(TEST)


def test_users_and_items_may_all_be_new(rec):
    neither = only(TEST, (TEST["user_id"] >= 75 - NEW_USERS) & (TEST["item_id"] >= 50 - NEW_ITEMS))
    judged = rec.evaluate(neither)
    assert list(judged.groups) == ["all", "cold users", "cold items"]
    assert judged.groups["cold items"].ranking["model"]["recall@10"] > 0
    assert judged.ranking["recall@10"] == 0  # new items are not candidates there


@pytest.mark.parametrize("how", ["fold_in_users", "fold_in_items", "partial_fit"])
def test_new_ids_are_known_once_they_were_taken_in(how):
    """Also where they stood in a catalogue before, or in none."""
    rec = fit()
    first = np.arange(len(TEST["rating"])) % 2 == 0
    told, rest = only(TEST, first), only(TEST, ~first)
    if how == "fold_in_users":
        told = only(told, told["item_id"] < 50 - NEW_ITEMS)
    elif how == "fold_in_items":
        told = only(told, told["user_id"] < 75 - NEW_USERS)
    getattr(rec, how)(told)
    seen = {name: np.concatenate([TRAIN[name], told[name]]) for name in TRAIN}
    judged = rec.evaluate(rest, n=5)
    n_users, figures = expected(rec, rest, seen=seen)
    assert judged.groups["all"].ranking["model"] == pytest.approx(figures)
    assert judged.n_users == n_users
    assert ("cold users" in judged.groups) == (how == "fold_in_items")
    assert ("cold items" in judged.groups) == (how == "fold_in_users")
    mean = judged.value("log_loss", contender="global mean")
    assert mean == pytest.approx(
        log_loss(rest["rating"], np.full(len(rest["rating"]), seen["rating"].mean())), rel=1e-5
    )
