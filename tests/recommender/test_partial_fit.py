"""Going on with more rows: new ids get parameters of their own, what no row has keeps its bits."""

from __future__ import annotations

import numpy as np
import pytest

import factorec as fr
from factorec.errors import DataError

from .conftest import MODELS, classifier
from .rich import CONTEXT, FIELDS, fit, full_scores, rich_tables, with_context


@pytest.fixture(scope="session")
def rich(train):
    return rich_tables(train)


@pytest.fixture(params=list(MODELS))
def grown(request, rich):
    """A model before and after rows of new users and items, some of which a catalogue has."""
    table, *_ = rich
    old, rec = fit(request.param, rich), fit(request.param, rich)
    known = table["item_id"][:4]
    more = {
        "user_id": np.array([1, 1, 1, 5000, 5000, table["user_id"][0], 2]),
        "item_id": np.array([known[0], 50, 9001, known[1], 9001, 50, known[2]]),
        "rating": np.array([5, 5, 4, 5, 1, 5, 5]),
    }
    more = with_context(more) | {"heat": np.full(7, -40.5)}
    rec.partial_fit(
        more,
        users={"user_id": [1, 3], "age": [20.0, 99.0], "job": ["cook", "pilot"]},  # 3 is known: nothing changes
        items={"item_id": [50, 60], "genres": [["a"], []], "year": [1970, None], "title": ["Fifty", "Sixty"]},
    )
    return old, rec, more


def test_old_entities_keep_their_places_and_new_ones_follow(grown):
    old, rec, _ = grown
    n_users, n_items = len(old.encoder_.users_), len(old.encoder_.items_)
    assert rec.encoder_.users_.ids[:n_users].tolist() == old.encoder_.users_.ids.tolist()
    assert rec.encoder_.users_.ids[n_users:].tolist() == [1, 2]
    assert rec.encoder_.items_.ids[n_items:].tolist() == [50, 60]
    trained = dict(zip(rec.encoder_.items_.ids.tolist(), rec.encoder_.is_trained("item"), strict=True))
    assert (trained[50], trained[9001], trained[9000], trained[60]) == (True, True, False, False)
    assert rec.titles_[-2:].tolist() == ["Fifty", "Sixty"]
    assert len(rec.popularity_) == n_items + 2
    assert rec.popularity_[n_items] == 2


def test_what_no_row_has_keeps_its_bits(grown):
    old, rec, more = grown
    before, after = old.estimator_.parameters_, rec.estimator_.parameters_
    for side, column in (("user", "user_id"), ("item", "item_id")):
        vocabulary = old.encoder_.users_ if side == "user" else old.encoder_.items_
        untouched = ~np.isin(vocabulary.ids, more[column]) & old.encoder_.is_trained(side)
        if side == "item" and old.negatives:
            continue  # any item may have been drawn
        here = old.encoder_.entities(side).columns[untouched]
        there = rec.encoder_.entities(side).columns[: len(vocabulary)][untouched]
        assert np.array_equal(before.factors[here], after.factors[there])
        assert np.array_equal(before.linear[here], after.linear[there])
    new = rec.encoder_.entities("user").columns[rec.encoder_.users_.index([1, 5000])]
    assert after.factors[new].any(axis=1).all()


def test_new_ids_are_ranked_predicted_explained_and_seen(grown):
    """Promises 2 and 4 after growth."""
    _, rec, more = grown
    top = rec.recommend([1, 5000], n=60, context=CONTEXT, cold_items=True)
    for user in (1, 5000):
        scores = full_scores(rec, user, top[user]["item_id"], CONTEXT)
        assert np.allclose(top[user]["score"], scores, rtol=1e-5, atol=1e-5)
        assert not set(more["item_id"][more["user_id"] == user]) & set(top[user]["item_id"].tolist())
    assert 1 in rec.recommend(n=1, context={}).user_ids
    why = rec.explain(1, 9001, context=CONTEXT) if "context" in rec.explain.__kwdefaults__ else None
    assert why is None or np.isfinite(why.score)


def test_going_on_after_loading_gives_the_same_bits(grown, tmp_path):
    old, rec, more = grown
    old.save(tmp_path / "old")
    rec.save(tmp_path / "grown")
    loaded = fr.load(tmp_path / "grown")
    assert np.array_equal(loaded.recommend(n=5, context=CONTEXT).scores, rec.recommend(n=5, context=CONTEXT).scores)
    rec.partial_fit(more)
    loaded.partial_fit(more)
    assert np.array_equal(loaded.estimator_.factors_, rec.estimator_.factors_)
    rec.save(tmp_path / "a")
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(DataError, match="holds strings"):
        fr.load(tmp_path / "old").partial_fit(more | {"user_id": np.array(list("abcdefg"), dtype=object)})


def test_a_model_of_ids_alone_grows_too(train):
    rec = fr.Recommender(classifier(), like_threshold=4).fit(train)
    n = len(rec.encoder_.users_)
    rec.partial_fit({"user_id": [1, 1], "item_id": [train["item_id"][0], 50], "rating": [5, 1]})
    assert rec.encoder_.users_.ids[n:].tolist() == [1]
    assert 50 in rec.encoder_.items_.ids
    top = rec.recommend([1], n=60)
    assert len(top[1]) == len(rec.encoder_.items_) - 2
    assert rec.explain(1, train["item_id"][5]).contributions["item_id"].tolist() != []


def test_rows_of_weight_0_bring_no_ids(train):
    rec = fr.Recommender(classifier(), like_threshold=4, weight="w").fit(train | {"w": np.ones(len(train["rating"]))})
    n, rows = len(rec.encoder_.users_), len(rec.interactions_.items)
    known = train["user_id"][0], train["item_id"][0]
    rec.partial_fit({"user_id": [1, *known[:1]], "item_id": [known[1]] * 2, "rating": [5, 5], "w": [0.0, 0.0]})
    assert len(rec.encoder_.users_) == n
    assert len(rec.interactions_.items) == rows + 1


def test_promise_6_after_an_error_the_model_is_what_it_was(rich):
    table, *_ = rich
    rec = fit("likes", rich)
    before, lists = vars(rec).copy(), rec.recommend(n=3, context={})
    more = {name: values[:3].copy() for name, values in table.items()} | {"user_id": np.array([1, 2, 3])}
    bad = [
        (
            {name: values for name, values in more.items() if name != "hour"},
            {},
            "table: the table has no column 'hour'",
        ),
        (more | {"rating": np.array([1.0, np.nan, 2.0])}, {}, "table: column 'rating' holds nan in row 1"),
        (more, {"users": {"id": [1]}}, "users: the table has no column 'user_id'"),
        (
            more,
            {"users": {"user_id": [1, 1], "age": [1, 2], "job": ["a", "a"]}},
            "users: id 1 of 'user_id' stands in rows",
        ),
        (more, {"users": {"user_id": [1], "age": ["old"], "job": ["a"]}}, "users: column 'age' holds"),
        (more, {"items": {"item_id": [1], "genres": [["a"]]}}, "items: the table has no column 'year'"),
    ]
    for rows, catalogues, message in bad:
        with pytest.raises(DataError, match=message):
            rec.partial_fit(rows, **catalogues)
        assert {k: v for k, v in vars(rec).items() if k != "_cached_ranker"}.items() >= {
            k: v for k, v in before.items() if k != "_cached_ranker"
        }.items()
    assert np.array_equal(rec.recommend(n=3, context={}).scores, lists.scores)
    assert rec.get_params()["fields"] == FIELDS
