"""What a fitted encoder is in a file. Promise 8: nothing in it is trusted."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from factorec.encoding import (
    STATE_SCHEMA,
    Categorical,
    Encoder,
    MultiLabel,
    Numeric,
    Precomputed,
    fields_from_json,
    fields_to_json,
)
from factorec.errors import DataError, FormatError
from factorec.formats.schema import check_tensors

TRAIN = {"user_id": [1, 2, 1], "item_id": ["a", "b", "b"], "hour": [7, 8, None]}
USERS = {"user_id": [1, 2, 3], "age": [20, 40, 60], "job": [1, 2, 2]}
FIELDS = {
    "user": [
        Numeric("age", bins=3),
        Categorical("job", min_count=2, unknown="raise"),
        Numeric("age", bins=None, name="n"),
    ],
    "item": [Precomputed(rows=np.eye(2), ids=["a", "b"], name="vector")],
    "context": ["hour"],
}


@pytest.fixture
def state():
    encoder = Encoder(fields=FIELDS, duplicates="last", uncatalogued="raise")
    return encoder.fit(TRAIN | {"user_id": [1, 2, 3]}, users=USERS).state()


def restored(metadata, tensors):
    return Encoder.from_state("user_id", "item_id", FIELDS, metadata, tensors)


def test_a_state_holds_rules_and_options(state):
    metadata, tensors = state
    check_tensors(tensors, STATE_SCHEMA)
    again = restored(json.loads(json.dumps(metadata)), tensors)
    assert (again.duplicates, again.uncatalogued) == ("last", "raise")
    with pytest.raises(DataError, match="holds 9 in row 1"):
        again.rows_of("user", {"age": [1, 2], "job": [1, 9]})  # 1 was too rare, 9 was never there
    assert again.get_feature_names_out().tolist() == [
        "user_id_1", "user_id_2", "user_id_3", "age_<40", "age_40..60", "age_>=60", "job_2", "n", "hour_7", "hour_8",
        "item_id_a", "item_id_b", "vector_0", "vector_1",
    ]  # fmt: skip


def test_ids_alone_need_no_metadata():
    """As in files of version 0.1."""
    encoder = Encoder().fit(TRAIN)
    _, tensors = encoder.state()
    again = Encoder.from_state("user_id", "item_id", None, {}, tensors)
    assert (again.transform(TRAIN) != encoder.transform(TRAIN)).nnz == 0
    assert set(tensors) == {
        "users", "items.bytes", "items.offsets",
        "user.rows.indptr", "user.rows.indices", "item.rows.indptr", "item.rows.indices",
    }  # fmt: skip


def first_learnt(change):
    def apply(metadata, tensors):
        metadata["learnt"][1][0].update(change)

    return apply


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, t: m["learnt"].pop(), "nothing was learnt about field|hold more than the fields"),
        (lambda m, t: m["learnt"].append([{}, 0, 0]), "more fields were learnt than are declared"),
        (lambda m, t: m["learnt"][1].__setitem__(1, 1), "hold more than the fields"),
        (lambda m, t: m["learnt"][1].__setitem__(1, 99), "do not fit arrays 'fields.texts'"),
        (lambda m, t: m["learnt"][1].__setitem__(1, -1), "do not fit arrays 'fields.texts'"),
        (first_learnt({"n_columns": 7}), "field 'job' cannot be restored .7 of 2 categories have a column"),
        (first_learnt({"n_columns": None}), "field 'job' cannot be restored"),
        (lambda m, t: m["fields"]["user"][0].update(kind="Exec"), "describes no field"),
        (lambda m, t: m["fields"]["user"][0]["parameters"].update(shell="rm"), "describes no field"),
        (lambda m, t: m["fields"]["user"][0]["parameters"].update(bins="x"), "bins must be None or an integer"),
        (lambda m, t: m["fields"]["user"][1]["parameters"].update(missing="x"), "missing must be one of"),
        (lambda m, t: m.update(fields=[]), "fields must be 'auto' or a dict"),
        (lambda m, t: m.update(contexts=[]), "entities of 0 contexts, but there are 1"),
        (lambda m, t: m.update(contexts=[99]), "'context.rows' does not fit the context 'hour'"),
        (lambda m, t: m.update(contexts=[-1]), "'context.rows' does not fit the context 'hour'"),
        (lambda m, t: t["context.rows.indices"].__setitem__(0, 0), "'context.rows' does not fit the context 'hour'"),
        (lambda m, t: t["user.rows.indices"].__setitem__(0, 1), "'user.rows' does not fit the ids"),
        (lambda m, t: t["item.rows.indices"].__setitem__(1, 0), "'item.rows' does not fit the ids"),
        (
            lambda m, t: t["fields.numbers"].__setitem__(0, 1e9),
            "the edges of its bins do not rise",
        ),
        (lambda m, t: t.update({"user.columns": np.array([0, 0, 1])}), "'user.columns' does not number the ids"),
        (lambda m, t: t.update({"user.columns": np.array([-1, -1, -1])}), "'user.columns' does not number the ids"),
        (lambda m, t: t.update({"user.columns": np.array([0, 1, 7])}), "'user.columns' does not number the ids"),
        (lambda m, t: t["users"].__setitem__(0, 2), "given twice"),
        (lambda m, t: t.update(users=np.empty(0, dtype=np.int64)), "there are no users"),
    ],
)
def test_what_is_unexpected_is_refused(state, change, message):
    metadata, tensors = copy.deepcopy(state)
    change(metadata, tensors)
    with pytest.raises((FormatError, DataError), match=message):
        restored(metadata, tensors)


def test_declarations_in_json():
    fields = {"user": ["gender", 3, Numeric("age")], "item": [MultiLabel("tags", separator="|", min_count=2)]}
    assert repr(fields_from_json(json.loads(json.dumps(fields_to_json(fields))))) == repr(fields)
    assert json.dumps(fields_to_json({"user": [Numeric("age", bins=np.int64(4))]})).count("4") == 1
    assert fields_from_json(fields_to_json("auto")) == "auto"
    assert fields_from_json(fields_to_json(None)) is None
    given = fields_to_json({"item": [Precomputed(rows=np.eye(2), ids=[1, 2], name="v")]})
    assert given["item"][0]["parameters"]["rows"] == "not saved"
