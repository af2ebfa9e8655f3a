"""The same values give the same bits, whatever the table and however it spells what is missing."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from factorec.encoding import Categorical, Encoder, MultiLabel, Numeric, Precomputed

DAY = datetime.datetime(2020, 1, 31, 12)
COLUMNS = {
    "user_id": [4, 1, 3, 2, 5],
    "age": [20, None, 40, 60, 30],
    "price": [0.1, 2.5, None, -3.0, 0.0],
    "gender": ["F", None, "M", "é\0 😀", ""],
    "student": [True, None, False, True, True],
    "zip": [None, 1012, 1012, 80331, 1012],
    "tags": [["a", "b", "a"], [], None, ["b"], ["c", None]],
    "years": [[1999, 2001], None, [], [1999], [2001]],
    "text": ["a b", "b", None, "c a a", ""],
    "joined": [DAY, None, DAY, DAY + datetime.timedelta(days=40), DAY],
    "vector": [[1.0, 0.0], [0.5, -2.0], None, [3.0, 4.0], [0.0, 0.0]],
}
TRAIN = {"user_id": [1, 2, 3, 4, 5, 1], "item_id": [1, 1, 1, 1, 1, 1]}


def days(dates):
    return ((dates - np.datetime64("2020-01-01")) / np.timedelta64(1, "D")).astype(float)


FIELDS = {
    "user": [
        Numeric("age", bins=None),
        Numeric("age", bins=2, missing="category", name="age bins"),
        Numeric("price", bins=None),
        Numeric("student", bins=None, name="student as number"),
        "gender",
        Categorical("student", missing="category"),
        "zip",
        MultiLabel("tags", missing="category", weight="1/n"),
        MultiLabel("years", weight="1"),
        Precomputed("text", TfidfVectorizer(token_pattern=r"\w+")),
        Precomputed(["gender", "student"], OneHotEncoder(), name="pairs"),
        Precomputed("joined", FunctionTransformer(days)),
        Precomputed("vector"),
        Precomputed(["age", "price"], name="numbers"),
    ]
}


def nan(values):
    return [float("nan") if value is None else value for value in values]


def scalar(values):
    return not any(isinstance(value, list) for value in values)


def nullable(columns):
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    types = {"age": "Int64", "price": "Float64", "gender": "string", "student": "boolean", "zip": "Int32"}
    return frame.astype(types | {"text": "string", "joined": "datetime64[ns]"})


def arrow(columns):
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def chunks(columns):
    table = arrow(columns)
    return pa.concat_tables([table[:2], table[2:]])


def dictionaries(columns):
    table = arrow(columns)
    for place, name in enumerate(table.column_names):
        if name in ("gender", "text"):
            table = table.set_column(place, name, table[name].dictionary_encode())
    return table


def objects(columns, missing=None):
    table = {}
    for name, values in columns.items():
        table[name] = np.empty(len(values), dtype=object)
        table[name][:] = [missing if value is None else value for value in values]
    return table


TABLES = {
    "lists with None": lambda columns: columns,
    "lists with NaN": lambda columns: {name: nan(values) for name, values in columns.items()},
    "lists with NaT": lambda columns: columns | {"joined": [pd.NaT if v is None else v for v in columns["joined"]]},
    "tuples": lambda columns: {
        name: [tuple(v) if isinstance(v, list) else v for v in values] for name, values in columns.items()
    },
    "arrays in cells": lambda columns: {
        name: [np.array(v) if isinstance(v, list) and None not in v else v for v in values]
        for name, values in columns.items()
    },
    "object arrays": objects,
    "object arrays with NA": lambda columns: objects(columns, pd.NA),
    "dict of series": lambda columns: {name: pd.Series(values) for name, values in columns.items()},
    "pandas": pd.DataFrame,
    "pandas object": lambda columns: pd.DataFrame(objects(columns)),
    "pandas object with NA": lambda columns: pd.DataFrame(objects(columns, pd.NA)).astype(object),
    "pandas nullable": nullable,
    "pandas category": lambda columns: pd.DataFrame(columns).astype(
        {"gender": "category", "zip": "category", "text": "category"}
    ),
    "pandas on arrow": lambda columns: arrow(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "pandas in UTC": lambda columns: pd.DataFrame(columns).assign(joined=pd.to_datetime(columns["joined"], utc=True)),
    "polars": pl.DataFrame,
    "polars category": lambda columns: pl.DataFrame(columns).with_columns(
        pl.col("gender", "text").cast(pl.Categorical), pl.col("zip").cast(pl.Int32)
    ),
    "polars with NaN": lambda columns: pl.DataFrame(columns).with_columns(
        pl.col("age", "price").cast(float).fill_null(float("nan"))
    ),
    "polars in Paris": lambda columns: pl.DataFrame(columns).with_columns(
        pl.col("joined").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris")
    ),
    "polars arrays": lambda columns: pl.DataFrame(columns).with_columns(pl.col("vector").cast(pl.Array(float, 2))),
    "pyarrow": arrow,
    "pyarrow chunks": chunks,
    "pyarrow dictionaries": dictionaries,
}


@pytest.fixture(scope="module")
def expected():
    return Encoder(fields=FIELDS).fit(TRAIN, users=COLUMNS)


def same(a, b):
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    assert a.dtype == b.dtype == np.float32


@pytest.mark.parametrize("kind", TABLES)
def test_every_library_gives_the_same_bits(kind, expected):
    users = TABLES[kind](COLUMNS)
    encoder = Encoder(fields=FIELDS).fit(TRAIN, users=users)
    assert encoder.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
    same(encoder.entities("user").rows, expected.entities("user").rows)
    same(expected.rows_of("user", users), expected.entities("user").rows[[3, 0, 2, 1, 4]])


def test_what_the_columns_are_is_what_was_declared(expected):
    """So that the comparison above compares something."""
    names = expected.get_feature_names_out().tolist()
    assert names[5:-1] == [
        "age", "age bins_<40", "age bins_>=40", "age bins_missing", "price", "student as number",
        "gender_", "gender_F", "gender_M", "gender_é\0 😀", "student_0", "student_1", "student_missing",
        "zip_1012", "zip_80331", "tags_a", "tags_b", "tags_c", "tags_missing", "years_1999", "years_2001",
        "text_a", "text_b", "text_c",
        "pairs_gender_", "pairs_gender_F", "pairs_gender_M", "pairs_gender_é\0 😀", "pairs_gender_nan",
        "pairs_student_0.0", "pairs_student_1.0", "pairs_student_nan",
        "joined_0", "vector_0", "vector_1", "numbers_age", "numbers_price",
    ]  # fmt: skip
    row = dict(zip(names, expected.entities("user").rows[0].toarray().ravel().tolist(), strict=True))
    assert {name: value for name, value in row.items() if value} == {
        "user_id_1": 1, "age bins_missing": 1, "student_missing": 1, "zip_1012": 1,
        "price": pytest.approx(2.6 / np.std([0.1, 2.5, -3, 0])), "text_b": 1, "pairs_gender_nan": 1,
        "pairs_student_nan": 1, "vector_0": 0.5, "vector_1": -2,
        "numbers_price": 2.5,
    }  # fmt: skip


def test_without_pandas_a_transformer_gets_an_array(monkeypatch, expected):
    from factorec.encoding import _values

    monkeypatch.setattr(_values, "pd", None)
    encoder = Encoder(fields={"user": [FIELDS["user"][-4]]}).fit(TRAIN, users=COLUMNS)
    start, stop = expected.field_ranges_["pairs"]
    assert encoder.n_features_ == 5 + stop - start + 1


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "structured", "two-dimensional"])
def test_contexts_of_every_library(kind):
    columns = {"user": [3, 1, 3, 1], "item": [2, 1, 1, 2], "hour": [7, 23, 7, 8]}
    tables = {
        "pandas": pd.DataFrame,
        "polars": pl.DataFrame,
        "pyarrow": pa.table,
        "structured": lambda c: np.rec.fromarrays([np.array(v) for v in c.values()], names=list(c)),
        "two-dimensional": lambda c: np.array(list(c.values())).T,
    }
    names = list(columns) if kind != "two-dimensional" else [0, 1, 2]
    user, item, hour = names
    context = [Categorical(hour), Numeric(hour, bins=None, name="n"), Numeric(hour, bins=2, name="b")]
    encoder = Encoder(user, item, fields={"context": context})
    X = encoder.fit(tables[kind](columns)).transform(tables[kind](columns))
    assert list(encoder.field_ranges_) == [str(user), str(hour), "n", "b", str(item)]
    np.testing.assert_array_equal(X[:, 2:5].toarray(), [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(X[:, 5].toarray().ravel(), (np.array([7, 23, 7, 8]) - 11.25) / 6.796, rtol=1e-3)
    np.testing.assert_array_equal(X[:, 6:8].toarray().argmax(axis=1), [0, 1, 0, 1])
