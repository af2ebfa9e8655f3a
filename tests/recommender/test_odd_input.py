"""Promise 6: odd columns and parameters are read as what they are, or refused with an error that says what to do."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

import factorec as fr
from factorec.errors import DataError

TABLE = {"user_id": [1, 1, 2, 2, 3, 3], "item_id": [7, 8, 8, 9, 7, 9], "rating": [1.0, 5, 4, 2, 3, 5]}


def fit(changes=None, fit=None, **parameters):
    estimator = fr.FMClassifier(n_factors=2, n_epochs=2, random_state=0)
    return fr.Recommender(estimator, like_threshold=4, **parameters).fit({**TABLE, **(changes or {})}, **(fit or {}))


@pytest.mark.parametrize(
    ("rating", "message"),
    [
        (np.array(["2020"] * 6, "M8[D]"), r"must hold numbers, got datetime64\[D\]"),
        (np.array([1j] * 6), "must hold numbers, got complex128"),
        (np.array([1] * 6, "m8[D]"), r"must hold numbers, got timedelta64\[D\]"),
        ([datetime.date(2020, 1, 1)] * 6, "must hold numbers"),
        ([10**400, 1, 2, 3, 4, 5], "holds integers beyond the range of float32"),
        (pd.array([True, None] * 3, dtype="boolean"), "holds nan in row 1; drop such rows or fill in a number"),
        (np.ma.masked_array([1.0, 5, 4, 2, 3, 5], [0, 0, 1, 0, 0, 0]), "holds nan in row 2"),
    ],
)
def test_targets_are_numbers(rating, message):
    with pytest.raises(DataError, match=f"table: column 'rating' {message}"):
        fit({"rating": pd.Series(rating) if isinstance(rating, pd.arrays.BooleanArray) else rating})


@pytest.mark.parametrize("column", ["user_id", "rating", "w", "t"])
def test_columns_of_unequal_length(column):
    table = {**TABLE, "w": [1] * 6, "t": range(6)}
    with pytest.raises(DataError, match=r"table: .* (equal|differ in) length"):
        fit({**table, column: table[column][:2]}, weight="w", time="t")
    if column != "t":  # it is not read later
        with pytest.raises(DataError, match=r"table: .* equal length"):
            fit(table, weight="w").partial_fit({**table, column: table[column][:2]})


def test_a_column_that_is_one_value():
    with pytest.raises(DataError, match="table: column 'rating' must be an array or a list, got 5"):
        fit({"rating": 5})


def test_times_out_of_range():
    early = datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))
    with pytest.raises(DataError, match="column 't' holds a time before the year 1"):
        fit({"t": [early] * 6}, time="t")


@pytest.mark.parametrize("negatives", [2**31, 2**70])
def test_more_negatives_than_can_be(negatives):
    with pytest.raises(DataError, match="negatives must be less than"):
        fit(negatives=negatives)


@pytest.mark.parametrize("eval_set", [[1], pd.DataFrame(TABLE)])
def test_eval_set_is_a_dict(eval_set):
    with pytest.raises(DataError, match="eval_set must be a dict of tables by name"):
        fit(fit={"eval_set": eval_set})


@pytest.mark.parametrize("n", [2**31, 2**63])
def test_longer_lists_than_can_be(n):
    with pytest.raises(DataError, match="n must be less than"):
        fit().recommend([1], n=n)


def test_a_user_folded_in_by_features_whose_rows_came_with_an_item():
    """Nothing was learned from such rows: the explanation says so and does not fail for want of a penalty."""
    rec = (
        fit()
        .fold_in_users(users={"user_id": [4]})
        .fold_in_items({"user_id": [4, 1], "item_id": [6, 6], "rating": [5, 1]})
    )
    assert "learned from nothing" in rec.explain(4, 7).unexplained
    assert not rec.fold_in_users({"user_id": [4], "item_id": [8], "rating": [5]}).explain(4, 7).unexplained


def test_folding_items_in_leaves_the_history_in_its_order(tmp_path):
    """With negatives, and rows of a user not in the order of the items; also on the read-only arrays of a file."""
    table = {"user_id": [1, 1, 1, 2, 2, 2], "item_id": [9, 7, 9, 8, 6, 5], "rating": [5.0, 1, 4, 5, 2, 4]}
    rec = fit(table, negatives=2)
    items, labels = rec.interactions_.items.copy(), rec.interactions_.label.copy()
    rec.save(tmp_path / "model.factorec")
    loaded = fr.load(tmp_path / "model.factorec")
    late = {"user_id": [1, 1, 2], "item_id": [4, 4, 4], "rating": [5.0, 5, 1]}
    before = rec.interactions_
    rec.fold_in_items(late)
    assert np.array_equal(before.items, items)
    assert np.array_equal(before.label, labels)
    assert np.array_equal(rec.interactions_.items[:3], items[:3])
    top, again = rec.recommend([1], n=3), loaded.fold_in_items(late).recommend([1], n=3)
    assert np.array_equal(top.scores, again.scores)
