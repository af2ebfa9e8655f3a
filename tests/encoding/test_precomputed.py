"""Precomputed features: what transformers make of columns, and rows that are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, random_array
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler

from factorec.encoding import Encoder, Precomputed
from factorec.errors import DataError

TRAIN = {"user_id": [1, 1, 1], "item_id": [7, 8, 9], "time": np.array(["2020-01-01T06", "2020-01-02T06", "2020-03-01"])}
TRAIN["time"] = TRAIN["time"].astype("datetime64[s]")
ITEMS = {
    "item_id": [9, 8, 7, 6],
    "plot": ["a shark eats", None, "a Shark sleeps", "nobody eats nothing"],
    "price": [1.0, 2.0, 3.0, 4.0],
    "shop": ["x", "y", "x", "z"],
}


def items(field):
    encoder = Encoder(fields={"item": [field]}).fit(TRAIN, items=ITEMS)
    names = encoder.get_feature_names_out()[4:]
    return names.tolist(), encoder.entities("item").rows[:, 4:].toarray(), encoder


def test_texts():
    names, rows, encoder = items(Precomputed("plot", CountVectorizer()))
    assert names == ["plot_eats", "plot_shark", "plot_sleeps"]
    assert rows.tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 0], [1, 0, 0]]  # 7, 8, 9; and 6, which was not learnt from
    new = encoder.rows_of("item", {"plot": ["sleeps", None, ""]})[:, 4:]
    assert new.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_columns_that_no_trained_row_has_are_left_out():
    names, rows, _ = items(Precomputed("plot", HashingVectorizer(n_features=2**20, alternate_sign=False, norm=None)))
    assert len(names) == 3  # of a million; "nobody" and "nothing" are not among them
    assert sorted(rows.sum(axis=0).tolist()) == [1, 2, 2]
    assert all(name.startswith("plot_") and name[5:].isdigit() for name in names)
    assert items(Precomputed("shop", CountVectorizer(token_pattern=".")))[0] == ["shop_x", "shop_y"]


def test_frames():
    shops = OneHotEncoder(handle_unknown="ignore")
    transformer = ColumnTransformer([("s", shops, ["shop"]), ("p", StandardScaler(), ["price"])])
    names, rows, _ = items(Precomputed(["shop", "price"], transformer, name="both"))
    assert names == ["both_s__shop_x", "both_s__shop_y", "both_p__price"]
    np.testing.assert_allclose(rows, [[1, 0, 1.2247], [0, 1, 0], [1, 0, -1.2247], [0, 0, 2.4495]], atol=1e-4)
    assert items(Precomputed(["price"], KBinsDiscretizer(3, encode="onehot"), name="bins"))[1].sum() == 4


def test_dates_of_a_context():
    def hours(times):
        return (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)

    encoder = Encoder(fields={"context": [Precomputed("time", FunctionTransformer(hours), name="hour")]})
    X = encoder.fit(TRAIN).transform(TRAIN)
    assert X[:, 1].toarray().ravel().tolist() == [6, 6, 0]
    assert len(encoder.entities("hour")) == 2
    assert encoder.rows_of("hour", {"time": pd.to_datetime(["2021-01-01T03"])})[0, 1] == 3


def test_dense_results_and_frames_of_results():
    svd = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))
    names, rows, _ = items(Precomputed("plot", svd))
    assert names == ["plot_truncatedsvd0", "plot_truncatedsvd1"]
    np.testing.assert_array_equal(rows[1], 0)
    as_frame = FunctionTransformer(lambda values: pd.DataFrame({"a": values * 2, "b": 0.0}))
    assert items(Precomputed("price", as_frame))[1].ravel().tolist() == [6, 4, 2, 8]


def test_numbers_as_they_are():
    names, rows, _ = items(Precomputed("price"))
    assert (names, rows.ravel().tolist()) == (["price_0"], [3, 2, 1, 4])
    with pytest.raises(DataError, match="items: field 'shop': column 'shop' does not hold numbers; give"):
        items(Precomputed("shop"))


@pytest.mark.parametrize("make", [np.asarray, csr_matrix, lambda rows: csr_matrix(rows).tocoo(), np.ndarray.tolist])
def test_rows_by_id(make):
    rows = make(np.array([[0, 1.5, 0], [2, 0, 0], [0, 0, 5]]))
    field = Precomputed(rows=rows, ids=[9, 7, 100], name="given")
    encoder = Encoder(fields={"item": [field]}).fit(TRAIN)
    assert encoder.items_.ids.tolist() == [7, 8, 9, 100]
    assert encoder.get_feature_names_out()[4:].tolist() == ["given_0", "given_1"]  # the third is of no trained item
    assert encoder.entities("item").rows[:, 4:].toarray().tolist() == [[2, 0], [0, 0], [0, 1.5], [0, 0]]
    table = {"item_id": [9, 5, 7]}
    assert encoder.rows_of("item", table)[:, 4:].toarray().tolist() == [[0, 1.5], [0, 0], [2, 0]]
    assert repr(clone(field)) == repr(field)
    grown, _ = encoder.extend(item_ids=[5])
    assert grown.entities("item").rows[4].indices.tolist() == [4]


def test_stored_zeros_are_no_features():
    rows = csr_matrix((np.array([0.0, 1.0]), ([0, 0], [0, 1])), shape=(1, 2))
    encoder = Encoder(fields={"item": [Precomputed(rows=rows, ids=[7], name="given")]}).fit(TRAIN)
    assert encoder.get_feature_names_out()[4:].tolist() == ["given_1"]


class Refuses(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        raise KeyError("no such thing")


def function(make):
    return Precomputed("price", FunctionTransformer(make))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (Precomputed(), "Precomputed: name= is needed"),
        (Precomputed(name="x"), "either columns .* or rows= and ids="),
        (Precomputed("plot", rows=[[1]], ids=[1]), "either columns .* or rows= and ids="),
        (Precomputed(rows=[[1]], name="x"), "field 'x': rows= and ids= belong together"),
        (Precomputed(rows=[[1]], ids=[7, 8], name="x"), "field 'x': there are 2 ids and 1 rows"),
        (Precomputed(rows=[[1], [1]], ids=[7, 7], name="x"), "id 7 of 'item_id' is given twice"),
        (Precomputed(rows=[[1]], ids=["7"], name="x"), "holds integers, but the ids known there are strings"),
        (Precomputed(rows=[[1]], ids=[3], name="x"), "no row is that of an id in the training rows"),
        (
            Precomputed(rows=[[np.nan]], ids=[7], name="x"),
            r"field 'x': row 0 \(counting from 0\) holds nan in column 0",
        ),
        (Precomputed(rows=[["a"]], ids=[7], name="x"), "field 'x': rows must be a two-dimensional array of numbers"),
        (Precomputed("plot", TfidfVectorizer), "must be an object with fit and transform"),
        (Precomputed("plot", 3), "must be an object with fit and transform, got 3"),
        (Precomputed("plot", Refuses()), "items: field 'plot': Refuses failed: KeyError: 'no such thing'"),
        (Precomputed("plot", TfidfVectorizer(min_df=99)), "TfidfVectorizer failed: ValueError: max_df corresponds"),
        (Precomputed(["plot"], TfidfVectorizer(), name="x"), "field 'x'"),
        (function(lambda x: x / 0), r"items: field 'price': row 0 \(counting from 0\) holds inf in column 0"),
        (function(lambda x: x * 1e300), r"field 'price': row 0 .*finite in float32"),
        (function(lambda x: x[:2]), "the transformer made 2 rows of 4"),
        (function(lambda x: np.zeros((4, 2, 2))), r"two-dimensional array of numbers, got shape \(4, 2, 2\)"),
        (Precomputed("film"), "no column 'film'"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:overflow")
def test_what_cannot_be_used_is_named(field, message):
    with pytest.raises(DataError, match=message):
        Encoder(fields={"item": [field]}).fit(TRAIN, items=ITEMS)


def test_vectors_of_different_lengths():
    table = ITEMS | {"plot": [[1.0, 2.0], None, [1.0], []]}
    with pytest.raises(DataError, match=r"field 'plot': vectors must be of one length, got \[0, 1, 2\]"):
        Encoder(fields={"item": [Precomputed("plot")]}).fit(TRAIN, items=table)


def test_rows_by_id_are_not_for_context():
    field = Precomputed(rows=[[1.0]], ids=[1], name="x")
    with pytest.raises(DataError, match="rows= belong to ids of users or items, not to context"):
        Encoder(fields={"context": [field]}).fit(TRAIN)


def test_a_loaded_encoder_keeps_rows_and_refuses_new_ones():
    """Promise 8: no transformer is in a file."""
    rows = random_array((4, 3), density=0.7, rng=0)
    fields = {
        "item": [
            Precomputed("plot", TfidfVectorizer()),
            Precomputed("price"),
            Precomputed(rows=rows, ids=[6, 7, 8, 9], name="given"),
        ]
    }
    encoder = Encoder(fields=fields).fit(TRAIN, items=ITEMS)
    loaded = Encoder.from_state("user_id", "item_id", fields, *encoder.state())
    assert (loaded.transform(TRAIN) != encoder.transform(TRAIN)).nnz == 0
    assert loaded.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    grown, _ = loaded.extend(item_ids=[5])
    assert grown.entities("item").rows[4].nnz == 1
    with pytest.raises(DataError, match="field 'plot' was computed by TfidfVectorizer, which a model file"):
        loaded.extend(items={"item_id": [5], "plot": ["shark"], "price": [1.0]})
    with pytest.raises(DataError, match=r"a model file keeps neither transformers nor rows by id; .*declare the"):
        Encoder(fields=loaded.declared_fields_).fit(TRAIN, items=ITEMS)
