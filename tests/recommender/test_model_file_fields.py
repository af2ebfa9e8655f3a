"""Saved models with side features: the same bits back, and nothing but whole files read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import factorec as fr
from factorec.errors import DataError, FormatError
from factorec.formats import model_file

from .conftest import MODELS, classifier
from .rich import CONTEXT, FIELDS, fit, rich_tables
from .test_model_file import read

# Written by version 0.1.0 with ids alone: make_planted_fm(12, 8, 60, target="real", seed=0), FMRegressor(n_factors=2).
OLD_FILE = Path(__file__).with_name("ids_only.factorec")


@pytest.fixture(scope="module")
def rich(train):
    return rich_tables(train)


@pytest.fixture(scope="module")
def path(rich, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.factorec"
    fit("likes", rich).save(path)
    return path


@pytest.mark.parametrize("name", list(MODELS))
def test_a_loaded_model_does_the_same_to_the_bit(name, rich, tmp_path):
    table, users, items = rich
    rec = fit(name, rich)
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    assert repr(loaded.get_params()["fields"]) == repr(FIELDS)
    for arguments in ({"context": CONTEXT, "cold_items": True}, {"context": {}}, {"users": [5000], "context": CONTEXT}):
        before, after = rec.recommend(n=9, **arguments), loaded.recommend(n=9, **arguments)
        assert np.array_equal(before.scores, after.scores)
        assert np.array_equal(before.item_ids, after.item_ids)
    new = {column: values[:9] for column, values in table.items()} | {"heat": np.full(9, 77.25)}
    assert np.array_equal(rec.decision_function(new), loaded.decision_function(new))
    user, item = rec.encoder_.users_.ids[3], 9001
    assert repr(rec.explain(user, item, context=CONTEXT)) == repr(loaded.explain(user, item, context=CONTEXT))
    for name_of, index in rec.interactions_.context.items():
        assert np.array_equal(loaded.interactions_.context[name_of], index)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    assert np.array_equal(loaded.fit(table, users=users, items=items).estimator_.factors_, rec.estimator_.factors_)


def test_a_model_without_history_ranks_in_context(rich, tmp_path):
    rec = fit("likes", rich)
    rec.save(tmp_path / "m", history=False)
    loaded = fr.load(tmp_path / "m")
    assert loaded.interactions_ is None
    expected = rec.recommend(n=4, context=CONTEXT, exclude_seen=False)
    assert np.array_equal(loaded.recommend(n=4, context=CONTEXT, exclude_seen=False).scores, expected.scores)


def test_promise_8_large_arrays_stay_in_the_file(path):
    """Parameters, features and history are views of the mapped file."""
    rec = fr.load(path)
    for array in (rec.estimator_.factors_, rec.estimator_.linear_, rec.interactions_.items, rec.interactions_.label):
        assert not array.flags.writeable
        assert not array.flags.owndata


def test_rows_of_a_transformer_are_kept_but_not_the_transformer(train, tmp_path):
    items = np.unique(train["item_id"])
    plots = np.array(["a shark", "two sharks", "a ship and a shark"], dtype=object)[np.arange(len(items)) % 3]
    catalogue = {"item_id": np.append(items, 9000), "plot": np.append(plots, "a ship")}
    fields = {"item": [fr.Precomputed("plot", TfidfVectorizer())]}
    rec = fr.Recommender(classifier(), like_threshold=4, title=None, fields=fields).fit(train, items=catalogue)
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    assert np.array_equal(loaded.recommend(n=50, cold_items=True).scores, rec.recommend(n=50, cold_items=True).scores)
    more = {"user_id": [1], "item_id": [9000], "rating": [5]}
    rec.partial_fit(more)
    loaded.partial_fit(more)  # known by its row
    assert np.array_equal(loaded.estimator_.factors_, rec.estimator_.factors_)
    with pytest.raises(DataError, match="plot"):
        loaded.partial_fit(more, items={"item_id": [9001], "plot": ["a wreck"]})
    loaded.save(tmp_path / "again")


def test_inferred_fields_come_back(rich, tmp_path, capsys):
    table, users, items = rich
    rec = fr.Recommender(classifier(), like_threshold=4, fields="auto")
    rec.fit(table, users=users, items=pd.DataFrame(items))
    assert "genres" in capsys.readouterr().out
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    assert loaded.fields == "auto"
    assert np.array_equal(loaded.recommend(n=5, cold_items=True).scores, rec.recommend(n=5, cold_items=True).scores)
    assert capsys.readouterr().out == ""


def test_files_of_ids_alone_still_load(tmp_path):
    """Written before there were fields."""
    rec = fr.load(OLD_FILE)
    top = rec.recommend(n=3)
    table = {"user_id": np.repeat(top.user_ids, top.counts), "item_id": top.to_columns()["item_id"]}
    assert np.allclose(top.to_columns()["score"], rec.decision_function(table), rtol=1e-5, atol=1e-5)
    assert rec.interactions_.context == {}
    rec.partial_fit({"user_id": [0, 99], "item_id": [1, 77], "rating": [1.0, 2.0]})
    rec.save(tmp_path / "new")
    assert np.array_equal(fr.load(tmp_path / "new").recommend(n=3).scores, rec.recommend(n=3).scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m["parameters"].update(fields={"user": ["age"]}), ""),  # only what fit would read: harmless
        (lambda t, m: m["parameters"].update(fields={"user": [{"kind": "os.system"}]}), "describes no field"),
        (lambda t, m: m["encoder"].update(fields=None), "more fields were learnt"),
        (lambda t, m: m.update(encoder={}), "more than the fields"),
        (lambda t, m: m["encoder"].update(contexts=[1]), "contexts"),
        (lambda t, m: m["encoder"].update(learnt=[]), "more than the fields"),
        (lambda t, m: t["item.columns"].__setitem__(0, -1), "item"),
        (lambda t, m: t.pop("item.columns"), "fit"),
        (lambda t, m: t["item.rows.indices"].__setitem__(1, 0), "item.rows"),
        (lambda t, m: t["context.rows.indices"].__setitem__(1, 0), "context.rows"),
        (lambda t, m: t["history.context"].__setitem__((0, 0), 10**6), "history.context"),
        (lambda t, m: t["history.context"].__setitem__((1, 0), -7), "history.context"),
        (lambda t, m: t.update({"history.context": t["history.context"][:1].copy()}), "history.context"),
        (lambda t, m: t.pop("history.context"), "history.context"),
    ],
)
def test_promise_8_what_is_unexpected_is_refused(path, tmp_path, change, message):
    tensors, metadata = read(path)
    tensors = {name: values.copy() for name, values in tensors.items()}
    change(tensors, metadata)
    model_file.write(tmp_path / "changed", tensors, metadata)
    if not message:
        fr.load(tmp_path / "changed").recommend(n=3, context={})
        return
    with pytest.raises(FormatError, match=message) as caught:
        fr.load(tmp_path / "changed")
    assert str(tmp_path / "changed") in str(caught.value)
