"""Histories: what a user met, and who met an item, as features. The plain reference is a loop over the rows."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from factorec.encoding import STATE_SCHEMA, Encoder, History, Numeric, fields_from_json, fields_to_json
from factorec.errors import DataError, FormatError
from factorec.formats.schema import check_tensors

BOTH = {"user": [History()], "item": [History()]}
TRAIN = {"user_id": ["b", "a", "b", "b", "c"], "item_id": [7, 7, 5, 7, 9]}


def plain(table, side, rows=None):
    """Distinct partners of each entity, from the rows chosen."""
    own, other = ("user_id", "item_id") if side == "user" else ("item_id", "user_id")
    met = {}
    for row in range(len(table[own])) if rows is None else np.flatnonzero(rows):
        met.setdefault(table[own][row], set()).add(table[other][row])
    return met


def found(encoder, side):
    """The same, as the encoder holds it; checks the values."""
    field = f"{side}_history"
    start, stop = encoder.field_ranges_[field]
    entities = encoder.entities(side)
    rows = entities.rows[:, start:stop]
    ids = encoder.fields_[field].ids.ids
    met = {}
    for position in range(len(entities)):
        part = rows[position]
        if part.nnz:
            assert (part.data == np.float32(1 / math.sqrt(part.nnz))).all()
            met[entities.vocabulary.ids.tolist()[position]] = set(ids[part.indices].tolist())
    return met


def random_table(seed, n=80):
    rng = np.random.default_rng(seed)
    return {"user_id": rng.integers(0, 12, n), "item_id": rng.integers(100, 120, n)}


def as_lists(table):
    return {name: np.asarray(values).tolist() for name, values in table.items()}


def test_rows_of_users_and_items():
    encoder = Encoder(fields=BOTH).fit(TRAIN)
    assert encoder.field_ranges_ == {
        "user_id": (0, 3),
        "user_history": (3, 6),
        "item_id": (6, 9),
        "item_history": (9, 12),
    }
    assert encoder.n_query_features_ == 6
    assert encoder.get_feature_names_out()[3:6].tolist() == ["user_history_5", "user_history_7", "user_history_9"]
    half = math.sqrt(0.5)
    expected = [[0, 1, 0], [half, half, 0], [0, 0, 1]]
    np.testing.assert_array_equal(encoder.entities("user").rows[:, 3:6].toarray(), np.float32(expected))
    expected = [[0, 1, 0], [half, half, 0], [0, 0, 1]]
    np.testing.assert_array_equal(encoder.entities("item").rows[:, 9:].toarray(), np.float32(expected))


@pytest.mark.parametrize("seed", range(5))
def test_as_a_loop_over_the_rows_has_it(seed):
    table = random_table(seed)
    chosen = np.random.default_rng(seed).random(80) < 0.6
    for rows in (None, chosen):
        encoder = Encoder(fields=BOTH).fit(table, history=rows)
        for side in ("user", "item"):
            assert found(encoder, side) == plain(as_lists(table), side, rows)
        # Ids of rows that are in no history are known all the same.
        assert len(encoder.users_) == len(np.unique(table["user_id"]))


def test_memory_is_one_entry_per_pair():
    table = random_table(0, 5000)
    encoded = Encoder(fields=BOTH).fit_encode(table)
    pairs = len(set(zip(table["user_id"].tolist(), table["item_id"].tolist(), strict=True)))
    assert sum(block.rows.nnz for block in encoded.blocks) == 2 * pairs + 12 + 20


def test_transform_takes_histories_of_the_fitted_table():
    encoder = make_pipeline(Encoder(fields=BOTH)).fit(TRAIN)
    asked = {"user_id": ["b", "eve", "a"], "item_id": [9, 7, 1000]}
    rows = encoder.transform(asked).toarray()
    half = np.float32(math.sqrt(0.5))
    assert rows[0].tolist() == [0, 1, 0, half, half, 0, 0, 0, 1, 0, 0, 1]
    assert rows[1].tolist() == [0] * 6 + [0, 1, 0, half, half, 0]  # an unknown user has met nothing
    assert rows[2].tolist() == [1, 0, 0, 0, 1, 0] + [0] * 6
    assert repr(clone(encoder[0]).get_params()["fields"]) == repr(encoder[0].fields)


def test_with_other_fields_and_a_catalogue():
    items = {"item_id": [5, 7, 9, 11], "year": [1990, 1991, 1992, 1993]}
    fields = {"item": [History(name="fans"), Numeric("year", bins=2)]}
    encoder = Encoder(fields=fields).fit(TRAIN, items=items)
    assert encoder.field_ranges_ == {"user_id": (0, 3), "item_id": (3, 6), "fans": (6, 9), "year": (9, 11)}
    rows = encoder.entities("item").rows.toarray()
    assert rows[3].tolist() == [0] * 10 + [1]  # nobody has met a cold item
    np.testing.assert_array_equal(
        encoder.rows_of("item", {"item_id": [7, 0], "year": [1992, 1990]}).toarray()[:, 3:],
        [[0, 1, 0, *rows[1, 6:9], 0, 1], [0, 0, 0, 0, 0, 0, 1, 0]],
    )


def test_growth_by_new_rows_is_fitting_all_rows():
    first, more = random_table(1, 40), random_table(2, 60)
    encoder = Encoder(fields=BOTH).fit(first)
    grown, column_map = encoder.extend(
        user_ids=more["user_id"], item_ids=more["item_id"], history={"user": more, "item": more}
    )
    assert grown.get_feature_names_out()[column_map].tolist() == encoder.get_feature_names_out().tolist()
    both = {name: np.concatenate([first[name], more[name]]) for name in first}
    for side in ("user", "item"):
        assert found(grown, side) == plain(as_lists(both), side)
        assert found(encoder, side) == plain(as_lists(first), side)  # the old encoder is what it was
    assert (grown.transform(both) != grown.encode(both).to_csr()).nnz == 0


def test_growth_without_rows_keeps_histories():
    encoder = Encoder(fields=BOTH | {"context": ["hour"]}).fit(TRAIN | {"hour": [1, 2, 3, 4, 5]})
    grown, column_map = encoder.extend(user_ids=["z"], item_ids=[1])
    assert [grown.fields_[name].n_columns for name in ("user_history", "item_history")] == [4, 4]
    for side in ("user", "item"):
        old, new = encoder.entities(side).rows, grown.entities(side).rows
        np.testing.assert_array_equal(new[: old.shape[0]][:, column_map].toarray(), old.toarray())
        assert new[old.shape[0] :].nnz == 1  # its own id
    same, _ = encoder.extend(context={"hour": [77]})
    assert same.field_ranges_ == encoder.field_ranges_


def test_only_the_histories_of_one_side_grow_if_so_asked():
    encoder = Encoder(fields=BOTH).fit(TRAIN)
    more = {"user_id": ["z", "z", "a", "z"], "item_id": [5, 7, 5, 12345]}
    grown, _ = encoder.extend(user_ids=["z"], history={"user": more})
    assert found(grown, "user") == {"a": {5, 7}, "b": {5, 7}, "c": {9}, "z": {5, 7}}  # 12345 has no column
    assert found(grown, "item") == found(encoder, "item")


def test_known_pairs_change_nothing():
    encoder = Encoder(fields=BOTH).fit(TRAIN)
    grown, _ = encoder.extend(history={"user": TRAIN, "item": TRAIN})
    for side in ("user", "item"):
        assert (grown.entities(side).rows != encoder.entities(side).rows).nnz == 0


@pytest.mark.parametrize(
    ("fields", "fit", "message"),
    [
        ({"context": [History()]}, {}, "a History is a field of the user or of the item, not of the context"),
        ({"user": [History(), History()]}, {}, "'user_history' is there twice"),
        (BOTH, {"history": [True] * 4}, r"history must be a mask of 5 rows, .* got shape \(4,\) of bool"),
        (BOTH, {"history": [0, 1, 2, 3, 4]}, "history must be a mask of 5 rows, .* of int64"),
    ],
)
def test_what_cannot_be_used_is_named(fields, fit, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        Encoder(fields=fields).fit(TRAIN, **fit)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({"context": TRAIN}, "history must be a dict of tables by 'user' and 'item'"),
        (TRAIN, "history must be a dict of tables"),
        ({"user": {"user_id": ["a"]}}, "no column 'item_id'"),
        ({"user": {"user_id": [1], "item_id": [7]}}, "holds integers, but the ids known there are strings"),
        ({"user": {"user_id": ["a", "b"], "item_id": [7]}}, "equal length"),
    ],
)
def test_growth_refuses_what_it_cannot_use(history, message):
    with pytest.raises(DataError, match=message):
        Encoder(fields=BOTH).fit(TRAIN).extend(history=history)


def test_a_state_gives_the_bits_back():
    items = {"item_id": [5, 7, 9, 11], "year": [1990, 1991, 1992, 1993]}
    fields = {"user": [History(name="seen")], "item": [Numeric("year", bins=2), History()]}
    encoder = Encoder(fields=fields).fit(TRAIN, items=items, history=[True, True, True, False, False])
    encoder, _ = encoder.extend(user_ids=["A"], item_ids=[11], history={"user": TRAIN})  # columns out of order
    metadata, tensors = encoder.state()
    check_tensors(tensors, STATE_SCHEMA)
    again = Encoder.from_state("user_id", "item_id", fields, json.loads(json.dumps(metadata)), tensors)
    assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    for side in ("user", "item"):
        a, b = encoder.entities(side).rows, again.entities(side).rows
        for part in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    more = {"user_id": ["A", "q"], "item_id": [11, 5]}
    a, b = (e.extend(user_ids=["q"], history={"user": more, "item": more})[0] for e in (encoder, again))
    assert (a.transform(TRAIN) != b.transform(TRAIN)).nnz == 0


@pytest.mark.parametrize("n", [0, 2, 4, 2**40, -1, "3", None, 3.5])
def test_a_file_with_another_number_of_columns_is_refused(n):
    """Promise 8: before anything of that size is made."""
    metadata, tensors = Encoder(fields=BOTH).fit(TRAIN).state()
    metadata = copy.deepcopy(metadata)
    metadata["learnt"][0][0]["n_columns"] = n
    with pytest.raises(FormatError, match="'user_history' cannot be restored"):
        Encoder.from_state("user_id", "item_id", BOTH, metadata, tensors)


def test_a_file_that_learnt_more_is_refused():
    metadata, tensors = Encoder(fields=BOTH).fit(TRAIN).state()
    metadata = copy.deepcopy(metadata)
    metadata["learnt"][0][0]["more"] = 1
    with pytest.raises(FormatError, match="cannot be restored"):
        Encoder.from_state("user_id", "item_id", BOTH, metadata, tensors)


def test_as_json():
    as_json = json.loads(json.dumps(fields_to_json(BOTH)))
    assert as_json["user"] == [{"kind": "History", "parameters": {"name": None}}]
    assert repr(fields_from_json(as_json)) == repr(BOTH)
