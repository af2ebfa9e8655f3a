"""More users and items: everything keeps its place and its meaning."""

from __future__ import annotations

import numpy as np
import pytest

from factorec.encoding import Categorical, Encoder, MultiLabel, Numeric
from factorec.errors import DataError

TRAIN = {"user_id": [3, 1, 3], "item_id": ["b", "a", "a"], "hour": [7, 23, 7]}
USERS = {"user_id": [1, 2, 3], "age": [20, 30, 40]}
ITEMS = {"item_id": ["c", "b", "a"], "genres": [["x"], ["x", "y"], ["y"]]}
FIELDS = {"user": [Numeric("age", bins=None)], "item": [MultiLabel("genres")], "context": [Categorical("hour")]}


@pytest.fixture
def encoder():
    return Encoder(fields=FIELDS).fit(TRAIN, users=USERS, items=ITEMS)


def test_new_columns_stand_at_the_end_of_their_ids(encoder):
    grown, column_map = encoder.extend(user_ids=[9, 2], item_ids=["c"], users={"user_id": [9], "age": [60]})
    assert encoder.field_ranges_ == {
        "user_id": (0, 2),
        "age": (2, 3),
        "hour": (3, 5),
        "item_id": (5, 7),
        "genres": (7, 9),
    }
    assert grown.field_ranges_ == {
        "user_id": (0, 4),
        "age": (4, 5),
        "hour": (5, 7),
        "item_id": (7, 10),
        "genres": (10, 12),
    }
    assert column_map.tolist() == [0, 1, 4, 5, 6, 7, 8, 10, 11]
    assert column_map.dtype == np.int64
    names = grown.get_feature_names_out()
    assert names[:4].tolist() == ["user_id_1", "user_id_3", "user_id_2", "user_id_9"]
    np.testing.assert_array_equal(names[column_map], encoder.get_feature_names_out())
    assert grown.users_.ids.tolist() == [1, 3, 2, 9]
    assert grown.entities("user").columns.tolist() == [0, 1, 2, 3]
    assert grown.is_trained("item").tolist() == [True, True, True]
    assert encoder.is_trained("item").tolist() == [True, True, False]


def test_what_was_there_keeps_its_bits(encoder):
    grown, column_map = encoder.extend(user_ids=[9], users={"user_id": [9, 8, 1], "age": [60, 50, 99]})
    assert grown.users_.ids.tolist() == [1, 3, 2, 8, 9]
    assert grown.is_trained("user").tolist() == [True, True, False, False, True]
    for block in ("user", "hour", "item"):
        old, new = encoder.entities(block).rows, grown.entities(block).rows
        np.testing.assert_array_equal(new[: old.shape[0]][:, column_map].toarray(), old.toarray())
    mean, std = 30, 10
    assert grown.entities("user").rows[3:, grown.field_ranges_["age"][0]].toarray().ravel().tolist() == [
        (50 - mean) / std,
        (60 - mean) / std,
    ]


def test_ids_without_fields():
    encoder = Encoder().fit(TRAIN)
    grown, column_map = encoder.extend(item_ids=["a", "0"])
    assert grown.get_feature_names_out().tolist() == [
        "user_id_1",
        "user_id_3",
        "item_id_a",
        "item_id_b",
        "item_id_0",
    ]
    assert column_map.tolist() == [0, 1, 2, 3]
    same, column_map = grown.extend()
    assert same.n_features_ == 5
    assert column_map.tolist() == [0, 1, 2, 3, 4]


def test_new_values_of_context_become_entities():
    encoder = Encoder(fields={"context": [Numeric("hour", bins=None)]}).fit(TRAIN)
    more = {"user_id": [1], "item_id": ["a"], "hour": [9]}
    block = encoder.encode(more).blocks[1]
    assert (block.index.tolist(), block.rows.shape[0], len(encoder.entities("hour"))) == ([2], 3, 2)
    grown, _ = encoder.extend(context=more)
    assert len(grown.entities("hour")) == 3
    again = grown.encode(more).blocks[1]
    assert again.index.tolist() == [2]
    assert (again.rows != block.rows).nnz == 0


def test_a_state_of_a_grown_encoder(encoder):
    grown, _ = encoder.extend(user_ids=[2, 9], item_ids=["c"], users={"user_id": [9], "age": [60]})
    again = Encoder.from_state("user_id", "item_id", FIELDS, *grown.state())
    np.testing.assert_array_equal(again.get_feature_names_out(), grown.get_feature_names_out())
    for block in ("user", "hour", "item"):
        a, b = again.entities(block), grown.entities(block)
        np.testing.assert_array_equal(a.columns, b.columns)
        assert (a.rows != b.rows).nnz == 0


def test_new_rows_follow_the_rules_of_the_encoder(encoder):
    twice = {"user_id": [8, 8], "age": [1, 2]}
    with pytest.raises(DataError, match=r"users: id 8 of 'user_id' stands in rows 0 and 1"):
        encoder.extend(users=twice)
    with pytest.raises(DataError, match="holds strings, but the ids known there are integers"):
        encoder.extend(user_ids=["8"])
    assert len(encoder.set_params(duplicates="last").extend(users=twice)[0].users_) == 4
    with pytest.raises(DataError, match=r"users: 1 ids of 'user_id' .*have no row here: 9"):
        encoder.set_params(uncatalogued="raise").extend(user_ids=[9], users=USERS)
    with pytest.raises(DataError, match="new ids of 'user_id' have no features, since users= is not given"):
        encoder.extend(user_ids=[9])
