"""Catalogues: who is in them, who is not, and who is in them twice."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from factorec.encoding import Categorical, Encoder, MultiLabel, Numeric, Precomputed
from factorec.errors import DataError

TRAIN = {"user_id": [3, 1, 3, 5], "item_id": ["b", "a", "a", "b"], "hour": [7, 23, 7, 7]}
USERS = {"user_id": [5, 2, 3, 1], "gender": ["F", "X", "M", None], "age": [30, 99, 20, 10]}
ITEMS = {"item_id": ["d", "a", "c"], "genres": ["war", "war|love", ""]}
FIELDS = {
    "user": ["gender", Numeric("age", bins=None)],
    "item": [MultiLabel("genres", separator="|", weight="1")],
    "context": [Categorical("hour")],
}


def fitted(**options):
    return Encoder(fields=FIELDS, **options).fit(TRAIN, users=USERS, items=ITEMS)


def test_entities_are_trained_ids_then_the_rest_of_the_catalogue():
    encoder = fitted()
    assert encoder.users_.ids.tolist() == [1, 3, 5, 2]
    assert encoder.items_.ids.tolist() == ["a", "b", "c", "d"]
    assert encoder.is_trained("user").tolist() == [True, True, True, False]
    assert encoder.entities("item").columns.tolist() == [8, 9, -1, -1]
    assert encoder.field_ranges_ == {
        "user_id": (0, 3),
        "gender": (3, 5),
        "age": (5, 6),
        "hour": (6, 8),
        "item_id": (8, 10),
        "genres": (10, 12),
    }
    assert list(encoder.field_ranges_) == list(encoder.fields_)
    assert (encoder.n_features_, encoder.n_query_features_) == (12, 8)
    columns = {name: place for place, name in enumerate(encoder.get_feature_names_out())}
    assert columns["gender_F"] == 3
    assert columns["genres_love"] == 10


def test_fields_learn_from_trained_rows_alone():
    """What only user 2 has is not learnt: gender X gets no column, and 99 is not in the mean age."""
    encoder = fitted()
    assert "gender_X" not in encoder.get_feature_names_out()
    ages = encoder.entities("user").rows[:, 5].toarray().ravel()
    np.testing.assert_allclose(ages, (np.array([10, 20, 30, 99]) - 20) / np.std([10, 20, 30]), rtol=1e-6)


def test_blocks_are_the_flat_rows():
    encoder = fitted()
    table = encoder.encode(TRAIN)
    assert [block.name for block in table.blocks] == ["user", "hour", "item"]
    for block in table.blocks:
        assert block.index.dtype == np.int32
        assert block.rows.has_sorted_indices
        assert (block.rows.data != 0).all()
    flat = sum(block.rows[block.index].toarray() for block in table.blocks)
    np.testing.assert_array_equal(flat, encoder.transform(TRAIN).toarray())


def test_a_catalogued_id_without_interactions_has_its_features_and_nothing_else():
    encoder = fitted()
    X = encoder.transform({"user_id": [2, 77], "item_id": ["d", "z"], "hour": [7, 9]})
    assert X[0].indices.tolist() == [5, 6, 11]
    assert X[1].nnz == 0


def test_an_uncatalogued_id_has_its_own_feature_alone():
    encoder = fitted()
    assert encoder.entities("item").rows[1].indices.tolist() == [9]
    with pytest.raises(DataError, match=r"items: 1 ids of 'item_id' in the training rows have no row here: 'b'; add"):
        fitted(uncatalogued="raise")


def test_duplicates_in_a_catalogue():
    users = {"user_id": [1, 3, 5, 3], "gender": ["F", "M", "F", "F"]}
    encoder = Encoder(fields={"user": ["gender"]})
    with pytest.raises(
        DataError, match=r"users: id 3 of 'user_id' stands in rows 1 and 3 \(counting from 0\); drop one"
    ):
        encoder.fit(TRAIN, users=users)
    for duplicates, gender in (("first", "gender_M"), ("last", "gender_F")):
        encoder.set_params(duplicates=duplicates).fit(TRAIN, users=users)
        row = encoder.entities("user").rows[1]
        assert encoder.get_feature_names_out()[row.indices].tolist() == ["user_id_3", gender]


def test_rows_of_a_catalogue_that_need_not_be_known():
    encoder = fitted()
    known = encoder.rows_of("user", USERS)
    np.testing.assert_array_equal(known.toarray(), encoder.entities("user").rows[[2, 3, 1, 0]].toarray())
    new = encoder.rows_of("user", {"gender": ["F", "?"], "age": [20, None]})
    assert [new[row].indices.tolist() for row in range(2)] == [[3], []]
    assert encoder.rows_of("hour", {"hour": [23, 5]}).indices.tolist() == [7]
    assert encoder.rows_of("item", {"genres": []}).shape == (0, 12)
    with pytest.raises(DataError, match="no block 'film', only 'user', 'hour', 'item'"):
        encoder.rows_of("film", {})
    with pytest.raises(DataError, match="no column 'age'"):
        encoder.rows_of("user", {"gender": ["F"]})


def test_context_entities_are_distinct_rows():
    encoder = Encoder(fields={"context": [Categorical("hour", min_count=2), Numeric("hour", bins=2, name="bin")]})
    table = encoder.fit_encode(TRAIN)
    hour, bins = table.blocks[1:3]
    assert (hour.index.tolist(), hour.rows.shape[0]) == ([0, 1, 0, 0], 2)  # the second one is empty: 23 is too rare
    assert bins.index.tolist() == [0, 1, 0, 0]
    asked = {"user_id": [3, 3, 3], "item_id": ["a", "a", "a"], "hour": [8, 7, 23]}
    assert [block.index.tolist() for block in encoder.encode(asked).blocks[1:3]] == [[1, 0, 1], [0, 0, 1]]
    assert encoder.entities("hour").vocabulary is None
    assert encoder.entities("hour").columns.tolist() == [-1, -1]


def test_tables_without_rows():
    encoder = fitted()
    nothing = {"user_id": [], "item_id": [], "hour": []}
    assert encoder.transform(nothing).shape == (0, 12)
    assert [block.rows.shape[0] for block in encoder.encode(nothing).blocks] == [4, 2, 4]
    for users in ({"user_id": [], "gender": []}, {"user_id": [88], "gender": ["F"]}):
        with pytest.raises(DataError, match="users: no row is that of an id in the training rows; the fields have"):
            Encoder(fields={"user": ["gender"]}).fit(TRAIN, users=users)


def test_scikit_learn_contract():
    encoder = fitted()
    assert repr(clone(encoder)) == repr(Encoder(fields=FIELDS))
    again = pickle.loads(pickle.dumps(encoder))
    assert (again.transform(TRAIN) != encoder.transform(TRAIN)).nnz == 0
    assert Numeric("age", bins=4).get_params() == {"column": "age", "bins": 4, "missing": "ignore", "name": None}
    assert Numeric("age").bins == 10
    assert repr(clone(MultiLabel("genres", separator="|"))) == "MultiLabel(column='genres', separator='|')"


def test_pipelines_take_flat_rows_with_features():
    """Also in cross-validation, where a fold has users and items that were not trained."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"user_id": rng.integers(0, 30, 300), "item_id": rng.integers(0, 50, 300)})
    users = pd.DataFrame({"user_id": np.arange(30), "likes": np.arange(30) % 2})
    target = users["likes"].to_numpy()[table["user_id"]]
    model = Pipeline([("encoder", Encoder(fields={"user": ["likes"]})), ("model", LogisticRegression())])
    model.fit(table, target, encoder__users=users)
    cold = pd.DataFrame({"user_id": [1000, 1001], "item_id": [1, 1]})
    assert model.predict_proba(cold).shape == (2, 2)
    search = GridSearchCV(model, {"model__C": [0.1, 1.0]}, cv=3)
    search.fit(table, target, encoder__users=users)
    assert search.best_score_ == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": ["gender"]}, r"fields must be 'auto' or a dict of lists .* got \['gender'\]"),
        ({"fields": "none"}, "fields must be 'auto' or a dict"),
        ({"fields": {"film": ["x"]}}, "got the keys 'film'"),
        ({"fields": {"user": "gender"}}, r"fields\['user'\] must be a list of fields, got 'gender'"),
        ({"fields": {"user": [Categorical]}}, "which is neither a field nor the name of a column"),
        ({"fields": {"user": [["a"]]}}, "which is neither a field nor the name of a column"),
        ({"fields": {"user": ["gender", "gender"]}}, "'gender' is there twice; give a field another name="),
        ({"fields": {"user": ["user_id"]}}, "'user_id' is there twice"),
        ({"fields": {"user": [Precomputed(["gender", "age"])]}}, "Precomputed: name= is needed"),
        ({"fields": {"user": ["shoe"]}}, "users: the table has no column 'shoe'; its columns are 'user_id', 'gender'"),
        ({"fields": {"context": ["shoe"]}}, "the table has no column 'shoe'"),
        ({"duplicates": "drop"}, "duplicates must be one of 'raise', 'first', 'last', got 'drop'"),
        ({"uncatalogued": None}, "uncatalogued must be one of 'ignore', 'raise', got None"),
        ({"fields": {"user": [Categorical("gender", missing="drop")]}}, "field 'gender': missing must be one of"),
        ({"fields": {"user": [Categorical("gender", unknown="category")]}}, "unknown must be one of 'ignore', 'raise'"),
        ({"fields": {"user": [Categorical("gender", min_count=0)]}}, "min_count must be an integer of at least 1"),
        ({"fields": {"user": [MultiLabel("gender", weight=1)]}}, "weight must be one of '1'"),
        ({"fields": {"user": [MultiLabel("gender", separator="")]}}, "separator must be None or some characters"),
        ({"fields": {"user": [MultiLabel("age", separator="|")]}}, "holds integers; a separator= needs strings"),
        (
            {"fields": {"user": [MultiLabel("gender")]}},
            r"'F' in row 0 \(counting from 0\), not a list; give separator=",
        ),
        ({"fields": {"user": [Numeric("age", bins=1)]}}, "bins must be None or an integer of at least 2, got 1"),
        ({"fields": {"user": [Numeric("gender")]}}, "users: column 'gender' holds 'F' in row 0 .*not a number"),
        ({"fields": {"user": [Categorical("gender", missing="raise")]}}, "'gender' has no value in row 3"),
        (
            {"fields": {"user": [Categorical("gender", unknown="raise")]}},
            r"users: column 'gender' holds 'X' in row 1 \(counting from 0\), a category that was not learnt",
        ),
    ],
)
def test_what_cannot_be_used_is_named(options, message):
    with pytest.raises(DataError, match=message):
        Encoder(**options).fit(TRAIN, users=USERS, items=ITEMS)


def test_missing_and_mismatched_catalogues():
    encoder = Encoder(fields=FIELDS)
    with pytest.raises(DataError, match=r"fields of the user \('gender', 'age'\) read the table users=, which is not"):
        encoder.fit(TRAIN, items=ITEMS)
    for ids, message in (
        (["1", "2"], "users: column 'user_id' holds strings, but the ids known there are integers; convert"),
        ([1, None], r"users: column 'user_id' has no id in row 1"),
    ):
        with pytest.raises(DataError, match=message):
            encoder.fit(TRAIN, users={"user_id": ids, "gender": ["F", "M"], "age": [1, 2]}, items=ITEMS)
    with pytest.raises(DataError, match=r"equal length, got 'user_id' 4, 'item_id' 4, 'hour' 1"):
        encoder.fit(TRAIN | {"hour": [1]}, users=USERS, items=ITEMS)
    with pytest.raises(DataError, match=r"users: the columns of a table must have equal length, got .*'age' 1"):
        Encoder(fields={"user": [Numeric("age")]}).fit(TRAIN, users=USERS | {"age": [1]})
