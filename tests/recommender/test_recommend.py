"""Lists: exact, filtered, in the caller's ids and tables."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import factorec as fr
from factorec.errors import DataError, UnknownIdError


def seen_by(table, user):
    return set(table["item_id"][table["user_id"] == user].tolist())


def all_scores(rec, user):
    items = rec.encoder_.items_.ids
    return items, rec.decision_function({"user_id": np.full(len(items), user), "item_id": items})


def test_promise_2_lists_agree_with_the_decision_function(fitted, train):
    """Promise 2: scores to 1e-5 · max(1, |score|), order only different inside that."""
    scale = fitted.estimator_.solver_state_.target_scale
    top = fitted.recommend(n=20)
    for row, user in enumerate(top.user_ids):
        items, scores = all_scores(fitted, user)
        tolerance = 1e-5 * scale * np.maximum(1, np.abs(scores) / scale)
        count = top.counts[row]
        position = np.searchsorted(items, top.item_ids[row, :count])
        assert (np.abs(top.scores[row, :count] - scores[position]) <= tolerance[position]).all()
        unseen = ~np.isin(items, list(seen_by(train, user)))
        best = np.sort(scores[unseen])[::-1][:20]
        assert np.allclose(top.scores[row, :count], best, atol=2 * tolerance.max())


def test_promise_4_seen_and_excluded_items_never_appear(fitted, train):
    """Promise 4: not even as padding; counts say how many there are."""
    banned = fitted.encoder_.items_.ids[:5]
    top = fitted.recommend(n=40, exclude=banned)
    for row, user in enumerate(top.user_ids):
        left = set(fitted.encoder_.items_.ids.tolist()) - seen_by(train, user) - set(banned.tolist())
        assert set(top.item_ids[row, : top.counts[row]].tolist()) == left
        assert (top.item_ids[row, top.counts[row] :] == -1).all()
        assert np.isneginf(top.scores[row, top.counts[row] :]).all()


def test_filters_combine(likes, train):
    users, items = likes.encoder_.users_.ids, likes.encoder_.items_.ids
    pairs = {"user_id": np.array([users[0], users[0], users[1], 999_999]), "item_id": items[[0, 1, 2, 3]]}
    top = likes.recommend(users[:3], n=10, items=items[:6], exclude=pairs, exclude_seen=False)
    assert set(top[users[0]]["item_id"]) == set(items[2:6])
    assert set(top[users[1]]["item_id"]) == set(items[[0, 1, 3, 4, 5]])
    assert set(top[users[2]]["item_id"]) == set(items[:6])


def test_tables_of_items_filter_too(likes):
    items = likes.encoder_.items_.ids[:6]
    table = pd.DataFrame({"item_id": items, "price": 1.0})
    assert np.array_equal(likes.recommend(n=9, items=table).scores, likes.recommend(n=9, items=items).scores)
    assert np.array_equal(likes.recommend(n=9, exclude=table).scores, likes.recommend(n=9, exclude=items).scores)


def test_validation_rows_are_seen_and_eval_set_rows_are_not(train, test_rows):
    rec = fr.Recommender(fr.FMClassifier(n_factors=4, n_epochs=3, random_state=0), like_threshold=4)
    rec.fit(train, validation=test_rows)
    top = rec.recommend(n=40)
    for row, user in enumerate(top.user_ids):
        assert not seen_by(test_rows, user) & set(top.item_ids[row, : top.counts[row]].tolist())
    rec.fit(train, eval_set={"test": test_rows})
    assert any(seen_by(test_rows, user) & set(rec.recommend([user], n=40)[user]["item_id"]) for user in top.user_ids)
    assert set(rec.estimator_.history_) == {"train", "test"}


def test_batches_do_not_change_the_result(fitted):
    whole = fitted.recommend(n=7)
    parts = fitted.recommend(n=7, batch_size=9)
    assert np.array_equal(whole.item_ids, parts.item_ids)
    assert np.array_equal(whole.scores, parts.scores)


def test_users_are_answered_as_asked(likes):
    users = likes.encoder_.users_.ids
    top = likes.recommend([users[4], users[1], users[4]], n=3)
    assert top.user_ids.tolist() == [users[4], users[1], users[4]]
    assert np.array_equal(top.item_ids[0], top.item_ids[2])
    assert len(likes.recommend(np.array([], dtype=np.int64), n=3)) == 0


def test_unknown_users_are_listed(likes):
    with pytest.raises(UnknownIdError, match=r"unknown user ids: 5, 6 \(unknown='popular' gives"):
        likes.recommend([5, likes.encoder_.users_.ids[0], 6, 5])


def test_unknown_users_get_popular_items_on_request(likes, train):
    known = likes.encoder_.users_.ids[0]
    top = likes.recommend([5, known], n=4, unknown="popular", exclude=[train["item_id"][0]])
    assert top.popular.tolist() == [True, False]
    ids, counts = np.unique(train["item_id"][train["rating"] >= 4], return_counts=True)
    order = np.lexsort((ids, -counts))
    expected = [i for i in ids[order].tolist() if i != train["item_id"][0]][:4]
    assert top[5]["item_id"].tolist() == expected
    # the score is the model's all the same
    with pytest.warns(UserWarning, match="4 of 4 rows have a user"):
        scores = likes.decision_function({"user_id": [5] * 4, "item_id": expected})
    assert np.allclose(top[5]["score"], scores, rtol=1e-5)
    assert np.array_equal(
        top[known]["item_id"], likes.recommend([known], n=4, exclude=[train["item_id"][0]])[known]["item_id"]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be an integer of at least 1, got 0"),
        ({"n": True}, "n must be an integer"),
        ({"batch_size": 0}, "batch_size must be an integer"),
        ({"unknown": "ignore"}, "unknown must be 'raise' or 'popular'"),
        ({"context": {"hour": 3}}, "the model has no context fields"),
        ({"min_score": "4"}, "min_score must be a raw score, got '4'"),
        ({"min_score": np.nan}, "min_score must be a raw score, got nan"),
        ({"min_probability": 1.2}, "min_probability must be a probability from 0 to 1, got 1.2"),
        ({"min_probability": True}, "min_probability must be a probability from 0 to 1, got True"),
        ({"users": ["ann"]}, "holds strings"),
        ({"users": [[1, 2]]}, "one dimension"),
        ({"items": ["ann"]}, "items: column 'item_id' holds strings"),
        ({"exclude": ["ann"]}, "exclude: column 'item_id' holds strings"),
        ({"exclude": [[1, 2]]}, "exclude: .* one dimension"),
        ({"exclude": {"user_id": ["ann"], "item_id": [1]}}, "exclude: column 'user_id' holds strings"),
        ({"out": "lists.txt"}, "not one of .csv"),
    ],
)
def test_wrong_arguments_are_named(likes, arguments, message):
    with pytest.raises(DataError, match=message):
        likes.recommend(**arguments)


def test_a_list_for_each_row_of_a_table(likes):
    users = likes.encoder_.users_.ids[[4, 1, 4]]
    top = likes.recommend_for(pd.DataFrame({"user_id": users}), n=3, exclude_seen=False)
    assert np.array_equal(top.scores, likes.recommend(users, n=3, exclude_seen=False).scores)
    with pytest.raises(DataError, match="table: the table has no column 'user_id'"):
        likes.recommend_for({"id": users})
    with pytest.raises(TypeError, match="top"):
        likes.recommend_for({"user_id": users}, top=3)


def test_unknown_items_of_a_whitelist_are_counted(likes):
    known = likes.encoder_.items_.ids[:3]
    with pytest.warns(UserWarning, match="1 of 4 ids in items= are not known to the model") as warned:
        top = likes.recommend(n=2, items=[1, *known], exclude_seen=False)
    assert set(top.item_ids.ravel().tolist()) <= set(known.tolist())
    assert warned[0].filename == __file__  # where the caller wrote it
    with pytest.raises(UnknownIdError, match="unknown item ids: 1, 2 "):
        likes.recommend(items=[1, 2])


def test_result_is_a_mapping_with_titles(likes):
    top = likes.recommend(n=5)
    user = likes.encoder_.users_.ids[2]
    assert len(top) == len(list(top)) == len(likes.encoder_.users_)
    assert user in top
    assert 4 not in top
    one = top[user]
    assert one.dtype.names == ("item_id", "title", "score")
    assert one["title"].tolist() == [f"Film {i}" for i in one["item_id"]]
    assert top.titles[2].tolist() == one["title"].tolist()
    with pytest.raises(UnknownIdError, match="not among the users asked for"):
        top[4]
    text = repr(top)
    assert text.startswith(f"Recommendations({len(top)} users, n=5)")
    assert "... and 2 more" in text
    assert "Film" in repr(likes.recommend([user], n=5))


@pytest.mark.parametrize(
    ("make", "kind"), [(pd.DataFrame, pd.DataFrame), (pl.DataFrame, pl.DataFrame), (pa.table, pa.Table), (dict, dict)]
)
def test_frames_come_in_the_kind_of_table_given(train, make, kind, likes):
    rec = fr.Recommender(fr.FMClassifier(n_factors=8, n_epochs=12, random_state=0), like_threshold=4).fit(make(train))
    top = rec.recommend(n=3)
    assert isinstance(top.to_frame(), kind)
    assert np.array_equal(top.scores, likes.recommend(n=3).scores)
    for backend, other in [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table), ("dict", dict)]:
        frame = top.to_frame(backend)
        assert isinstance(frame, other)
        names = {"pyarrow": "column_names", "dict": "keys"}.get(backend, "columns")
        columns = getattr(frame, names)
        assert list(columns() if backend == "dict" else columns) == ["user_id", "rank", "item_id", "score"]
    with pytest.raises(DataError, match="backend must be one of"):
        top.to_frame("duckdb")


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_streamed_and_written_files_are_the_same(likes, tmp_path, suffix):
    streamed, written = tmp_path / f"streamed.{suffix}", tmp_path / f"written.{suffix}"
    assert likes.recommend(n=4, out=streamed, batch_size=8) == streamed
    likes.recommend(n=4).write(written)
    if suffix == "parquet":
        assert pd.read_parquet(streamed).equals(pd.read_parquet(written))
    else:
        assert streamed.read_bytes() == written.read_bytes()
    if suffix == "jsonl":
        line = json.loads(streamed.read_text().splitlines()[0])
        assert list(line) == ["user_id", "rank", "item_id", "title", "score"]


@pytest.mark.parametrize("how", ["write", "out", "sink"])
def test_lists_in_a_database(likes, tmp_path, how):
    target, top = f"sqlite:///{tmp_path}/lists.db", likes.recommend(n=4)
    if how == "write":
        top.write(target, model="m")
    elif how == "out":
        assert likes.recommend(n=4, out=target, batch_size=8) is None
    else:
        with fr.sinks.open_sink(target, model="m") as sink:
            assert likes.recommend(n=4, out=sink, batch_size=8) is None
    with contextlib.closing(sqlite3.connect(tmp_path / "lists.db")) as connection:
        rows = connection.execute("SELECT * FROM recommendations ORDER BY user_id, rank").fetchall()
    expected = top.to_columns()
    for position, name in enumerate(("user_id", "rank", "item_id", "score")):
        assert [row[position] for row in rows] == expected[name].tolist()
    assert {row[4] for row in rows} == {"factorec" if how == "out" else "m"}


def test_nothing_is_half_written(likes, tmp_path):
    """Promise 6."""
    path = tmp_path / "lists.csv"
    with pytest.raises(DataError):
        likes.recommend(n=4, out=path, batch_size=0)
    assert list(tmp_path.iterdir()) == []


def test_string_ids_and_other_names(train, likes):
    renamed = {
        "who": np.array([f"u{i:05d}" for i in train["user_id"]], dtype=object),
        "what": np.array([f"i{i:05d}" for i in train["item_id"]], dtype=object),
        "stars": train["rating"],
    }
    estimator = fr.FMClassifier(n_factors=8, n_epochs=12, random_state=0)
    rec = fr.Recommender(estimator, user="who", item="what", target="stars", like_threshold=4).fit(renamed)
    top, plain = rec.recommend(n=40), likes.recommend(n=40)
    assert np.array_equal(top.scores, plain.scores)  # the padded numbers sort as the strings do
    assert top.item_ids[0, 0] == f"i{plain.item_ids[0, 0]:05d}"
    assert top.item_ids[0, -1] is None
    assert list(top.to_columns()) == ["who", "rank", "what", "score"]
    assert rec.recommend(["u00003"], n=1).user_ids.tolist() == ["u00003"]
    with pytest.raises(DataError, match="integers"):
        rec.recommend([3])
