"""Tables in parts: of the caller's kind, whole rows, in their order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.model_selection import LeaveOneOut, ShuffleSplit

import factorec as fr
from factorec.errors import DataError
from factorec.model_selection import (
    LeaveLastN,
    RandomSplit,
    UserSplit,
    make_scorer,
    train_given_test_split,
    train_test_split,
)

ROWS = {"user_id": [1, 1, 2, 2, 2], "name": ["a", "b", "c", None, "e"], "timestamp": [1.0, 2.0, 1.0, 3.0, 2.0]}
STRUCTURED = np.array(list(zip([1, 1, 2, 2, 2], [1.0, 2.0, 1.0, 3.0, 2.0], strict=True)), "i8,f8")
STRUCTURED.dtype.names = ("user_id", "timestamp")
KINDS = {
    "lists": ROWS,
    "arrays": {name: np.array(values, dtype=object) for name, values in ROWS.items()},
    "series": {"user_id": pd.Series(ROWS["user_id"]), "timestamp": pl.Series(ROWS["timestamp"])},
    "pandas": pd.DataFrame(ROWS, index=[9, 9, 7, 7, 1]),
    "pandas objects": pd.DataFrame(ROWS).astype(object),
    "polars": pl.DataFrame(ROWS),
    "pyarrow": pa.table(ROWS),
    "structured": STRUCTURED,
}


@pytest.mark.parametrize("table", KINDS.values(), ids=KINDS)
def test_the_parts_are_of_the_callers_kind(table):
    parts = train_test_split(table, LeaveLastN(1))
    assert [type(part) for part in parts] == [type(table)] * 2
    for part, rows in zip(parts, ([0, 2, 4], [1, 3]), strict=True):
        for name in ROWS if "name" in fr.encoding.tables.column_names(table) else ("user_id", "timestamp"):
            whole, taken = (fr.encoding.tables.column(t, name) for t in (table, part))
            assert [None if v != v else v for v in taken.tolist()] == [
                None if v != v else v for v in whole[rows].tolist()
            ]


def test_frames_keep_dtypes_and_index():
    frame = pd.DataFrame(ROWS, index=[9, 9, 7, 7, 1])
    _, test = train_test_split(frame, LeaveLastN(1))
    assert test.index.tolist() == [9, 7]
    assert (test.dtypes == frame.dtypes).all()
    wide = pl.DataFrame(ROWS).with_columns(genres=pl.Series([["x"], [], ["y", "z"], None, ["x"]]))
    assert train_test_split(wide, LeaveLastN(1))[1]["genres"].to_list() == [[], None]


def test_a_matrix_has_columns_by_number():
    table = np.array([[1, 5], [1, 6], [2, 5], [2, 7]])
    assert train_test_split(table, LeaveLastN(1, user=0, time=1))[1].tolist() == [[1, 6], [2, 7]]


def test_three_parts():
    train, given, test = train_given_test_split(pd.DataFrame(ROWS), UserSplit(1, given=2, time="timestamp"))
    assert len(train) + len(given) + len(test) == 5
    assert set(given["user_id"]) == set(test["user_id"])
    assert given["timestamp"].max() <= test["timestamp"].min()
    with pytest.raises(DataError, match="must be a UserSplit"):
        train_given_test_split(ROWS, RandomSplit())


def test_scikit_learns_splitters_work_on_dicts_too():
    train, test = train_test_split(ROWS, ShuffleSplit(1, test_size=2, random_state=0))
    assert (len(train["user_id"]), len(test["user_id"])) == (3, 2)
    assert train_test_split(ROWS, LeaveOneOut())[1] == {"user_id": [1], "name": ["a"], "timestamp": [1.0]}


def test_what_cannot_be_split():
    with pytest.raises(DataError, match="equal length, got 'a' 2, 'b' 1"):
        train_test_split({"a": [1, 2], "b": [1]}, RandomSplit(1))
    with pytest.raises(DataError, match="expected a table"):
        train_test_split([1, 2, 3], RandomSplit(1))
    with pytest.raises(DataError, match="splitter must be"):
        train_test_split(ROWS, 0.2)


def test_scorers_are_figures_of_evaluate_where_more_is_better():
    data = fr.datasets.make_planted_fm(60, 30, 1500, seed=0)
    train, test = train_test_split(data.table, RandomSplit(0.2, random_state=0))
    rec = fr.Recommender(fr.FMClassifier(n_factors=4, random_state=0)).fit(train)
    judged = rec.evaluate(test, n=5)
    assert make_scorer("ndcg@5")(rec, test) == judged.ranking["ndcg@5"]
    assert make_scorer("auc")(rec, test) == judged.points["auc"]
    assert make_scorer("neg_log_loss")(rec, test) == -judged.points["log_loss"]
    for metric, message in (
        ("log_loss", "use 'neg_log_loss'"),
        ("ndcg", "as in 'ndcg@10', got 'ndcg'"),
        ("ndcg@0", "got 'ndcg@0'"),
        ("roc_auc", "one of accuracy, f1, auc"),
    ):
        with pytest.raises(DataError, match=message):
            make_scorer(metric)
    with pytest.raises(DataError, match="no figure 'rmse'"):
        make_scorer("neg_rmse")(rec, test)
    with pytest.raises(DataError, match="no group 'cold users'"):
        make_scorer("auc", group="cold users")(rec, test)
