"""Tables to blocks and flat rows."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from factorec.encoding import Encoder
from factorec.errors import DataError

COLUMNS = {"user_id": [30, 10, 30, 20], "item_id": ["b", "a", "a", "c"], "hour": [7, 7, 23, 8]}
TABLES = {
    "dict of lists": lambda columns: dict(columns),
    "dict of arrays": lambda columns: {name: np.array(values) for name, values in columns.items()},
    "dict of series": lambda columns: {name: pd.Series(values) for name, values in columns.items()},
    "structured": lambda columns: np.rec.fromarrays([np.array(v) for v in columns.values()], names=list(columns)),
    "pandas": pd.DataFrame,
    "pandas object": lambda columns: pd.DataFrame(columns).astype(object),
    "pandas category": lambda columns: pd.DataFrame(columns).astype("category"),
    "polars": pl.DataFrame,
    "polars category": lambda columns: pl.DataFrame(columns).with_columns(pl.col(pl.String).cast(pl.Categorical)),
    "pyarrow": pa.table,
    "pyarrow chunks": lambda columns: pa.concat_tables([pa.table(columns)[:2], pa.table(columns)[2:]]),
    "pyarrow dictionary": lambda columns: pa.table({k: pa.array(v).dictionary_encode() for k, v in columns.items()}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_gives_the_same_bits(kind):
    table = TABLES[kind](COLUMNS)
    encoder = Encoder(fields={"context": ["hour"]}).fit(table)
    assert encoder.users_.ids.dtype == np.int64
    np.testing.assert_array_equal(encoder.users_.ids, [10, 20, 30])
    np.testing.assert_array_equal(encoder.items_.ids, np.array(["a", "b", "c"], dtype=object))
    X = encoder.transform(table)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X.indptr, [0, 3, 6, 9, 12])
    np.testing.assert_array_equal(X.indices, [2, 3, 7, 0, 3, 6, 2, 5, 6, 1, 4, 8])
    np.testing.assert_array_equal(X.data, np.ones(12))


def test_two_dimensional_array_has_integer_column_names():
    ratings = np.array([[3, 7, 5.0], [1, 9, 4.0]])
    encoder = Encoder(user=0, item=1).fit(ratings)
    np.testing.assert_array_equal(encoder.users_.ids, [1, 3])
    assert encoder.field_ranges_ == {"0": (0, 2), "1": (2, 4)}
    np.testing.assert_array_equal(encoder.transform(ratings).toarray(), [[0, 1, 1, 0], [1, 0, 0, 1]])


def test_blocks_hold_what_the_flat_rows_hold():
    encoder = Encoder(fields={"context": ["hour"]})
    table = encoder.fit_encode(COLUMNS)
    assert [block.name for block in table.blocks] == ["user", "hour", "item"]
    assert table.field_ranges == {"user_id": (0, 3), "hour": (3, 6), "item_id": (6, 9)}
    assert (table.n_query_features, table.n_features) == (6, 9)
    flat = sum(block.rows[block.index].toarray() for block in table.blocks)
    np.testing.assert_array_equal(flat, encoder.transform(COLUMNS).toarray())
    for block in table.blocks:
        assert block.index.dtype == np.int32
        assert block.rows.dtype == np.float32
        assert block.field_ranges.items() <= table.field_ranges.items()


def test_fit_encode_is_fit_then_encode():
    together, apart = Encoder().fit_encode(COLUMNS), Encoder().fit(COLUMNS).encode(COLUMNS)
    for a, b in zip(together.blocks, apart.blocks, strict=True):
        np.testing.assert_array_equal(a.index, b.index)
        assert a.index.dtype == b.index.dtype
        assert (a.rows != b.rows).nnz == 0


def test_unknown_ids_are_minus_one_and_zero():
    encoder = Encoder().fit(COLUMNS)
    table = {"user_id": [11, 10, 99], "item_id": ["c", "z", ""]}
    assert [block.index.tolist() for block in encoder.encode(table).blocks] == [[-1, 0, -1], [2, -1, -1]]
    X = encoder.transform(table)
    np.testing.assert_array_equal(X.indptr, [0, 1, 2, 2])
    np.testing.assert_array_equal(X.indices, [5, 0])


def test_no_rows_to_transform():
    assert Encoder().fit(COLUMNS).transform({"user_id": [], "item_id": []}).shape == (0, 6)


def test_scikit_learn_contract():
    encoder = Encoder(fields={"context": ["hour"]})
    assert clone(encoder).get_params() == {
        "user": "user_id",
        "item": "item_id",
        "fields": {"context": ["hour"]},
        "duplicates": "raise",
        "uncatalogued": "ignore",
    }
    with pytest.raises(NotFittedError):
        encoder.transform(COLUMNS)
    names = encoder.fit(COLUMNS).get_feature_names_out()
    assert names.tolist()[2:5] == ["user_id_30", "hour_7", "hour_8"]
    again = pickle.loads(pickle.dumps(encoder))
    assert (again.transform(COLUMNS) != encoder.transform(COLUMNS)).nnz == 0
    model = make_pipeline(Encoder(), LogisticRegression()).fit(pd.DataFrame(COLUMNS), [1, 0, 1, 0])
    assert model.predict(pl.DataFrame(COLUMNS)).shape == (4,)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"user_id": [1], "film": [2]}, r"no column 'item_id'; its columns are 'user_id', 'film'"),
        (pd.DataFrame({"user_id": [1], 5: [2]}), r"no column 'item_id'; its columns are 'user_id', 5"),
        ({"user_id": [], "item_id": []}, "no rows"),
        ({"user_id": [1, 2], "item_id": [1]}, r"equal length, got 'user_id' 2, 'item_id' 1"),
        (
            {"user_id": [[1], [2]], "item_id": [1, 2]},
            r"'user_id' must have one dimension, got shape \(2, 1\)",
        ),
        (np.zeros(3), r"2 dimensions or named fields, got shape \(3,\)"),
        (
            pd.DataFrame([[1, 2]], columns=["user_id", "user_id"]),
            r"columns of one name; rename them: .*'user_id' 2 times",
        ),
        (pl.LazyFrame(COLUMNS), r"expected a table .*LazyFrame; collect\(\) it first"),
        ([1, 2], r"expected a table .*got builtins.list"),
    ],
)
def test_unusable_tables_are_named(table, message):
    with pytest.raises(DataError, match=message):
        Encoder().fit(table)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Encoder("a", "a"), "'a' is there twice"),
        (Encoder("a", "b", fields={"context": ["b"]}), "'b' is there twice"),
        (Encoder(fields={"context": ["item"]}), "a context cannot be named 'item'"),
    ],
)
def test_names_must_differ(encoder, message):
    with pytest.raises(DataError, match=message):
        encoder.fit({"a": [1], "b": [1], "item": [1], "user_id": [1], "item_id": [1]})


def test_ids_of_another_kind_than_in_fit():
    with pytest.raises(DataError, match="column 'user_id' holds strings, but the ids known there are integers"):
        Encoder().fit(COLUMNS).transform({"user_id": ["30"], "item_id": ["a"]})


def test_long_tables_are_read_in_threads_to_the_same_result(monkeypatch):
    rng = np.random.default_rng(0)
    table = {"user_id": rng.integers(0, 500, 120_000) * 10**12, "item_id": rng.integers(0, 90, 120_000).astype(str)}
    encoded = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        encoder = Encoder().fit(table)
        encoded += [encoder.fit_encode(table), encoder.encode(table)]
    for name, block in (("user_id", 0), ("item_id", 1)):
        _, expected = np.unique(table[name], return_inverse=True)
        for result in encoded:
            np.testing.assert_array_equal(result.blocks[block].index, expected)
    with pytest.raises(DataError, match="column 'user_id' has no id in row 7"):
        Encoder().fit({**table, "user_id": np.where(np.arange(120_000) == 7, np.nan, 1.0)})
