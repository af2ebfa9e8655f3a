"""The promises again, with features on both sides, context, and users and items that only a catalogue has."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import factorec as fr
from factorec.errors import DataError, UnknownIdError

from .conftest import MODELS
from .rich import COLD_ITEMS, COLD_USERS, CONTEXT, fit, full_scores, make, rich_tables, with_context


@pytest.fixture(scope="session")
def rich(train):
    return rich_tables(train)


@pytest.fixture(scope="session", params=list(MODELS))
def fitted(request, rich):
    return fit(request.param, rich)


@pytest.fixture(scope="session")
def likes(rich):
    return fit("likes", rich)


def seen_by(table, user):
    return table["item_id"][table["user_id"] == user]


@pytest.mark.parametrize("cold_items", [False, True])
def test_promise_2_lists_agree_with_the_decision_function(fitted, rich, cold_items):
    """Promise 2: with features on both sides and context, for trained and cold users, trained and cold items."""
    scale = fitted.estimator_.solver_state_.target_scale
    users = [*fitted.encoder_.users_.ids[:20], *COLD_USERS]
    top = fitted.recommend(users, n=30, context=CONTEXT, cold_items=cold_items)
    candidates = fitted.encoder_.items_.ids
    if not cold_items:
        candidates = candidates[fitted.encoder_.is_trained("item")]
    for user in users:
        scores = full_scores(fitted, user, candidates, CONTEXT)
        tolerance = 1e-5 * scale * np.maximum(1, np.abs(scores) / scale)
        score_of = dict(zip(candidates.tolist(), scores, strict=True))
        found = top[user]
        for item, score in zip(found["item_id"].tolist(), found["score"], strict=True):
            assert abs(score - score_of[item]) <= 1e-5 * scale * max(1, abs(score) / scale)
        unseen = ~np.isin(candidates, seen_by(rich[0], user))
        assert len(found) == min(30, unseen.sum())
        best = np.sort(scores[unseen])[::-1][: len(found)]
        assert np.allclose(found["score"], best, rtol=0, atol=2 * tolerance.max())


def test_promise_2_another_hour_is_another_ranking(fitted):
    """The same user in another context: other scores, another order; a list per row says the same."""
    users = fitted.encoder_.users_.ids[:15]
    lists = {hour: fitted.recommend(users, n=10, context={"hour": hour, "heat": 3.0}) for hour in ("noon", "night")}
    assert (lists["noon"].item_ids != lists["night"].item_ids).any()
    queries = {"user_id": np.repeat(users, 2), "hour": np.array(["noon", "night"] * 15, dtype=object), "heat": [3] * 30}
    both = fitted.recommend_for(queries, n=10)
    for place, hour in enumerate(("noon", "night")):
        assert np.array_equal(both.scores[place::2], lists[hour].scores)
        assert np.array_equal(both.item_ids[place::2], lists[hour].item_ids)
    assert list(both.to_columns()) == ["user_id", "hour", "heat", "rank", "item_id", "title", "score"]
    assert "noon" in repr(both)


def test_context_by_value_by_user_and_in_part(fitted):
    users = fitted.encoder_.users_.ids[:4]
    one = fitted.recommend(users, n=5, context=CONTEXT)
    for each in (
        {"hour": np.array(["noon"] * 4, dtype=object), "heat": 21.5},
        {"hour": ["noon"] * 4, "heat": [21.5] * 4},
        pd.DataFrame({"hour": ["noon"] * 4, "heat": [21.5] * 4, "other": 1}),
        pl.DataFrame({"hour": ["noon"] * 4, "heat": [21.5] * 4}),
        pa.table({"hour": ["noon"] * 4, "heat": [21.5] * 4}),
    ):
        assert np.array_equal(fitted.recommend(users, n=5, context=each).scores, one.scores)
    # A field that is left out, a missing value and a category that is not known all add nothing.
    nothing = fitted.recommend(users, n=5, context={})
    for empty in ({"hour": None}, {"hour": "dawn"}, pd.DataFrame(index=range(4)), {"hour": [None, "dawn", None, ""]}):
        assert np.array_equal(fitted.recommend(users, n=5, context=empty).scores, nothing.scores)
    only = fitted.recommend(users, n=5, context={"hour": "noon"})
    assert not np.array_equal(only.scores, nothing.scores)
    assert not np.array_equal(only.scores, one.scores)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (None, r"context fields \(columns 'hour', 'heat'\): give context=.*context={} ranks without"),
        ({"our": "noon"}, "context: there is no context column 'our', only 'hour', 'heat'"),
        ({"hour": ["noon"] * 3}, "context: column 'hour' has 3 values for 2 users"),
        (pd.DataFrame({"hour": ["noon"] * 3}), "context: the table has 3 rows for 2 users"),
        ({"heat": "hot"}, "context: column 'heat' holds 'hot'"),
        ({"hour": 7}, "context: column 'hour' holds integers"),
        ("noon", "context: expected a table"),
        (3, "context: expected a table"),
    ],
)
def test_promise_6_wrong_contexts_are_named(likes, context, message):
    with pytest.raises(DataError, match=message):
        likes.recommend(likes.encoder_.users_.ids[:2], context=context)


def test_promise_6_query_tables_need_their_columns(likes):
    user = likes.encoder_.users_.ids[:1]
    with pytest.raises(DataError, match="table: the table has no column 'heat'"):
        likes.recommend_for({"user_id": user, "hour": ["noon"]})
    with pytest.raises(DataError, match="table: the table has no column 'hour'"):
        likes.predict({"user_id": user, "item_id": [100], "heat": [1]})


def test_promise_3_the_same_bits_at_any_number_of_threads(rich):
    one, three = (fit("negatives", rich, estimator__n_jobs=n) for n in (1, 3))
    assert np.array_equal(one.estimator_.factors_, three.estimator_.factors_)
    lists = [
        rec.recommend(n=9, context=CONTEXT, cold_items=True, batch_size=size) for rec, size in ((one, 7), (three, 50))
    ]
    assert np.array_equal(lists[0].scores, lists[1].scores)
    assert np.array_equal(lists[0].item_ids, lists[1].item_ids)


def test_promise_3_the_same_bits_from_any_kind_of_table(rich):
    dicts = fit("negatives", rich)
    frames = fit("negatives", [pd.DataFrame(part) for part in rich])
    polars = fit("negatives", [pl.DataFrame(part) for part in rich])
    arrow = fit("negatives", [pa.table({name: list(values) for name, values in part.items()}) for part in rich])
    for other in (frames, polars, arrow):
        assert np.array_equal(dicts.estimator_.factors_, other.estimator_.factors_)
        assert np.array_equal(
            dicts.recommend(n=9, context=CONTEXT, cold_items=True).scores,
            other.recommend(n=9, context=CONTEXT, cold_items=True).scores,
        )


def test_promise_4_filters_leak_no_cold_item(fitted, rich):
    """Promise 4: cold items only where asked for, and then filtered like others; counts say how many are left."""
    trained = set(fitted.encoder_.items_.ids[fitted.encoder_.is_trained("item")].tolist())
    assert trained.isdisjoint(COLD_ITEMS)
    banned = [9000, int(fitted.encoder_.items_.ids[0])]
    user = int(fitted.encoder_.users_.ids[4])
    pair = {"user_id": [user, COLD_USERS[0]], "item_id": [9001, 9002]}
    for cold_items in (False, True):
        candidates = trained | (set(COLD_ITEMS) if cold_items else set())
        for exclude, left_out in (
            (banned, lambda who: set(banned)),
            (pair, lambda who: {9001 if who == user else 9002}),
        ):
            top = fitted.recommend([user, *COLD_USERS[:1]], n=60, context={}, exclude=exclude, cold_items=cold_items)
            for row, who in enumerate((user, COLD_USERS[0])):
                expected = candidates - set(seen_by(rich[0], who).tolist()) - left_out(who)
                assert set(top[who]["item_id"].tolist()) == expected
                assert top.counts[row] == len(expected)
                assert (top.item_ids[row, top.counts[row] :] == -1).all()
                assert np.isneginf(top.scores[row, top.counts[row] :]).all()
    assert set(fitted.recommend([user], context={}, items=[9000, 9002], cold_items=True).item_ids[0, :2]) == {
        9000,
        9002,
    }
    with pytest.raises(UnknownIdError, match=r"unknown item ids: 9000, 9002 .*cold_items=True"):
        fitted.recommend([user], context={}, items=[9000, 9002])
    with pytest.warns(UserWarning, match=r"1 of 2 ids in items= .*cold_items=True ranks those of the catalogue"):
        fitted.recommend([user], context={}, items=[9000, min(trained)], exclude_seen=False)


@pytest.mark.parametrize("name", list(MODELS))
def test_promise_4_cold_items_of_validation_rows_are_seen(name, rich, test_rows):
    table, users, items = rich
    held = with_context({column: values[:30] for column, values in test_rows.items()})
    user = table["user_id"][0]
    met = {"user_id": user, "item_id": 9001, "rating": 5, "hour": "dusk", "heat": 99.5}  # in a context of its own
    held = {column: np.append(values, met[column]) for column, values in held.items()}
    rec = make(name).fit(table, users=users, items=items, validation=held)
    found = rec.recommend([user], n=60, context=CONTEXT, cold_items=True)[user]["item_id"]
    assert 9001 not in found
    assert 9002 in found
    assert np.isfinite(rec.estimator_.history_["validation"]["auc" if name != "ratings" else "rmse"]).all()


def test_promise_4_cold_items_are_never_sampled_as_negatives(rich):
    """Cold rows in the catalogue change no bit of what is trained."""
    table, users, items = rich
    known = ~np.isin(items["item_id"], COLD_ITEMS)
    few = {name: [v for v, k in zip(values, known, strict=True) if k] for name, values in items.items()}
    a, b = fit("negatives", rich), make("negatives").fit(table, users=users, items=few)
    assert np.array_equal(a.estimator_.factors_, b.estimator_.factors_)


def test_promise_5_streams_are_the_lists(fitted, tmp_path):
    whole = fitted.recommend(n=6, context=CONTEXT, cold_items=True)
    path = fitted.recommend(n=6, context=CONTEXT, cold_items=True, out=tmp_path / "lists.parquet", batch_size=7)
    assert pd.read_parquet(path)["item_id"].tolist() == whole.to_columns()["item_id"].tolist()
    queries = {"user_id": whole.user_ids[:9], "hour": np.array(["noon"] * 9, dtype=object), "heat": np.full(9, 21.5)}
    path = fitted.recommend_for(queries, n=6, cold_items=True, out=tmp_path / "lists.jsonl", batch_size=4)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert list(lines[0]) == ["user_id", "hour", "heat", "rank", "item_id", "title", "score"]
    assert [line["item_id"] for line in lines] == whole.item_ids[:9][whole.item_ids[:9] >= 0].tolist()


def test_everyone_is_who_has_interactions(likes):
    assert set(COLD_USERS) <= set(likes.encoder_.users_.ids.tolist())
    assert set(likes.recommend(n=1, context={}).user_ids.tolist()).isdisjoint(COLD_USERS)


def test_cold_ids_count_by_their_features(likes):
    """Predictions of cold ids need no warning; those of ids that nobody knows do."""
    row = {"user_id": [5000], "item_id": [9001], "hour": ["noon"], "heat": [20.0]}
    score = likes.decision_function(row)[0]
    assert 0 < likes.predict(row)[0] < 1
    with pytest.warns(UserWarning, match="user that the model does not know"):
        assert likes.decision_function(row | {"user_id": [4999]})[0] != score


def test_cold_users_and_items_are_compared_by_their_features(likes):
    trained = likes.encoder_.items_.ids[likes.encoder_.is_trained("item")]
    found = likes.similar_items(9001, n=60).item_ids[0]
    assert set(found[found >= 0].tolist()) == set(trained.tolist())
    users = likes.similar_users([5000], n=100).item_ids[0]
    assert set(users[users >= 0].tolist()).isdisjoint(COLD_USERS)


def test_unknown_users_get_popular_items_in_their_context(likes):
    top = likes.recommend([4999], n=5, context=CONTEXT, unknown="popular", cold_items=True)
    with pytest.warns(UserWarning, match="5 of 5 rows have a user"):
        scores = full_scores(likes, 4999, top.item_ids[0], CONTEXT)
    assert np.allclose(top.scores[0], scores, rtol=1e-5, atol=1e-6)
    counts = likes.popularity_[likes.encoder_.items_.index(top.item_ids[0])]
    assert (np.diff(counts) <= 0).all()
    assert counts[0] == likes.popularity_.max()


def test_rows_of_weight_0_bring_no_category_and_no_id(rich):
    """They are seen all the same, in whatever context."""
    table, users, items = rich
    n = len(table["rating"])
    odd = {"user_id": table["user_id"][0], "item_id": 9001, "rating": 5, "hour": "dawn", "heat": -99.5, "w": 0.0}
    weighted = {name: np.append(values, odd[name]) for name, values in (table | {"w": np.ones(n)}).items()}
    for name in MODELS:
        rec = make(name, weight="w").fit(weighted, users=users, items=items)
        assert np.array_equal(rec.estimator_.factors_, fit(name, rich).estimator_.factors_)
        assert not rec.encoder_.is_trained("item")[rec.encoder_.items_.index([9001])]
        assert 9001 not in rec.recommend([odd["user_id"]], n=60, context={}, cold_items=True).item_ids


def test_duplicates_and_ids_without_a_row_follow_the_rule_that_is_asked_for(rich, tmp_path):
    table, users, items = rich
    once = {name: list(values) for name, values in items.items()}
    more = {"item_id": 9000, "genres": ["a", "b"], "year": 1999, "title": "Other"}
    twice = {name: [*values, more[name]] for name, values in once.items()}
    same = make("likes").fit(table, users=users, items=once).recommend(n=9, context={}, cold_items=True)
    first = make("likes", duplicates="first").fit(table, users=users, items=twice)
    assert np.array_equal(first.recommend(n=9, context={}, cold_items=True).scores, same.scores)
    last = make("likes", duplicates="last").fit(table, users=users, items=twice)
    place = last.encoder_.items_.index([9000])[0]
    assert (first.titles_[place], last.titles_[place]) == ("Film 9000", "Other")
    row = {"user_id": [users["user_id"][0]], "item_id": [9000], "hour": ["noon"], "heat": [20]}
    assert first.decision_function(row) != last.decision_function(row)
    with pytest.raises(DataError, match=r"items: id 9000 .* 'first' or 'last'"):
        make("likes").fit(table, users=users, items=twice)
    with pytest.raises(DataError, match="users: 3 ids of 'user_id' in the training rows have no row here"):
        make("likes", uncatalogued="raise").fit(table, users=users, items=items)
    with pytest.raises(DataError, match="duplicates must be one of 'raise', 'first', 'last', got 'all'"):
        make("likes", duplicates="all").fit(table, users=users, items=items)
    last.save(tmp_path / "m")
    assert fr.load(tmp_path / "m").encoder_.duplicates == "last"
