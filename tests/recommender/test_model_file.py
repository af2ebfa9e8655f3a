"""Saved models: the same bits back, and nothing but whole files read."""

from __future__ import annotations

import numpy as np
import pytest

import factorec as fr
from factorec.errors import DataError, FormatError
from factorec.formats import model_file

from .conftest import MODELS, classifier


@pytest.fixture(scope="module")
def path(likes, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.factorec"
    likes.save(path)
    return path


def test_a_loaded_model_does_the_same_to_the_bit(fitted, test_rows, tmp_path):
    path = tmp_path / "model.factorec"
    fitted.save(path)
    loaded = fr.load(path)
    before, after = fitted.recommend(n=9), loaded.recommend(n=9)
    assert np.array_equal(before.item_ids, after.item_ids)
    assert np.array_equal(before.scores, after.scores)
    assert np.array_equal(before.titles, after.titles)
    assert np.array_equal(fitted.predict(test_rows), loaded.predict(test_rows))
    user, item = before.user_ids[3], before.item_ids[3, 0]
    assert np.array_equal(fitted.explain(user, item).contributions, loaded.explain(user, item).contributions)
    assert fitted.evaluate(test_rows) == loaded.evaluate(test_rows)
    assert np.array_equal(fitted.similar_items(item).scores, loaded.similar_items(item).scores)
    assert fitted.estimator_.history_.keys() == loaded.estimator_.history_.keys()
    assert repr(fitted) == repr(loaded)
    assert type(fitted.recommend(n=1).to_frame()) is type(loaded.recommend(n=1).to_frame())


@pytest.mark.parametrize("name", list(MODELS))
def test_learning_goes_on_with_the_same_bits(name, train, test_rows, tmp_path):
    rec = MODELS[name]().fit(train)
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    known = np.isin(test_rows["item_id"], train["item_id"]) & np.isin(test_rows["user_id"], train["user_id"])
    more = {column: values[known] for column, values in test_rows.items()}
    for _ in range(2):
        rec.partial_fit(more)
        loaded.partial_fit(more)
    a, b = rec.estimator_.parameters_, loaded.estimator_.parameters_
    assert a.bias == b.bias
    assert np.array_equal(a.linear, b.linear)
    assert np.array_equal(a.factors, b.factors)
    assert np.array_equal(a.penalties.factors, b.penalties.factors)
    assert np.array_equal(rec.recommend(n=5).scores, loaded.recommend(n=5).scores)
    rec.save(tmp_path / "again")
    loaded.save(tmp_path / "loaded")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "loaded").read_bytes()


def test_fitting_a_loaded_model_anew_is_fitting_the_first(train, tmp_path):
    rec = MODELS["negatives"]().fit(train)
    rec.save(tmp_path / "m")
    again = fr.load(tmp_path / "m").fit(train)
    assert np.array_equal(again.estimator_.factors_, rec.estimator_.factors_)


def test_parameters_come_back_as_they_were(train, tmp_path):
    estimator = classifier(
        class_weight={0: 1, 1: 2.5},
        learning_rate={"bias": 0.1, "linear": 0.2, "factors": 0.1},
        l2_factors={"user_id": 0.1, "item_id": 0.2},
        random_state=np.random.RandomState(0),
    )
    rec = fr.Recommender(estimator, like_threshold=np.float64(4)).fit(train)
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    expected = {**rec.get_params(), "estimator__random_state": None, "estimator": None}
    assert {**loaded.get_params(), "estimator": None} == expected


def test_a_model_without_history_says_so(likes, tmp_path):
    likes.save(tmp_path / "m", history=False)
    rec = fr.load(tmp_path / "m")
    user, item = likes.encoder_.users_.ids[0], likes.encoder_.items_.ids[0]
    with pytest.raises(DataError, match=r"saved without its users' history.*exclude_seen=False"):
        rec.recommend()
    with pytest.raises(DataError, match="saved without its users' history"):
        rec.explain(user, item)
    with pytest.raises(DataError, match="saved without its users' history"):
        rec.partial_fit({"user_id": [user], "item_id": [item], "rating": [4]})
    assert np.array_equal(
        rec.recommend(n=4, exclude_seen=False).scores, likes.recommend(n=4, exclude_seen=False).scores
    )
    assert rec.recommend([1], n=2, unknown="popular", exclude_seen=False).counts.tolist() == [2]
    rec.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_string_ids_and_titles_beyond_ascii(train, tmp_path):
    table = {**train, "item_id": np.array([f"Amélie {i} 映画" for i in train["item_id"]], dtype=object)}
    items = {"item_id": np.unique(table["item_id"]), "title": np.unique(table["item_id"])}
    rec = MODELS["likes"]().fit(table, items=items)
    rec.save(tmp_path / "m")
    assert fr.load(tmp_path / "m").recommend(n=2).titles.tolist() == rec.recommend(n=2).titles.tolist()


def read(path):
    from factorec.recommender.model_file import schema

    tensors, metadata = model_file.read(path, schema=schema, classes={"Recommender"})
    return dict(tensors), {k: v for k, v in metadata.items() if k != "library_version"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(estimator="os.system"), "the estimator is 'os.system', expected one of"),
        (lambda t, m: m["estimator_parameters"].update(shell="rm"), "unknown or missing: shell"),
        (lambda t, m: m["estimator_parameters"].pop("solver"), "unknown or missing: solver"),
        (lambda t, m: m["estimator_parameters"].update(n_epochs="many"), "n_epochs must be an integer"),
        (lambda t, m: m["estimator_parameters"].update(n_factors=3), "8 factors, but n_factors=3"),
        (lambda t, m: m["parameters"].update(negatives=-3), "negatives must be an integer"),
        (lambda t, m: m["parameters"].update(estimator=None), "unknown or missing: estimator"),
        (lambda t, m: m.update(parameters=[]), "unexpected metadata"),
        (lambda t, m: m.pop("penalties_per_row"), "unexpected metadata"),
        (lambda t, m: m["solver_state"].update(seed="x"), "solver's state"),
        (lambda t, m: m["solver_state"].update(seed=-1), "solver's state"),
        (lambda t, m: m["solver_state"].update(n_epochs=2**70), "solver's state"),
        (lambda t, m: m["solver_state"].update(n_epochs=1.5), "solver's state"),
        (lambda t, m: m["solver_state"].update(target_scale=0), "solver's state"),
        (lambda t, m: m["solver_state"].update(target_mean=10**400), "solver's state"),
        (lambda t, m: m.update(field_ranges={"user_id": [0, 3]}), "do not fit"),
        (lambda t, m: m.update(metrics=[]), "recorded metrics"),
        (lambda t, m: m.update(table="duckdb"), "kind of table"),
        (lambda t, m: t["linear"].__setitem__(3, np.nan), "array 'linear' is not finite"),
        (lambda t, m: t.pop("factors"), "array 'factors' is missing"),
        (lambda t, m: t.update(extra=np.zeros(2)), "unknown array 'extra'"),
        (lambda t, m: t["users"].__setitem__(1, t["users"][0]), "given twice"),
        (lambda t, m: t["item.rows.indices"].__setitem__(0, 0), "'item.rows' does not fit"),
        (lambda t, m: t["history.indices"].__setitem__(0, 10**6), "history"),
        (lambda t, m: t["history.label"].__setitem__(0, 0.5), "neither 0 nor 1"),
        (lambda t, m: t["history.weight"].__setitem__(0, -1), "negative weight"),
        (lambda t, m: t.pop("history.label"), "'history.label' is missing"),
        (lambda t, m: t["popularity"].__setitem__(0, -1), "negative count"),
    ],
)
def test_promise_8_what_is_unexpected_is_refused(path, tmp_path, change, message):
    """Promise 8: nothing in a file is trusted; the error names the file and the part."""
    tensors, metadata = read(path)
    tensors = {name: values.copy() for name, values in tensors.items()}
    change(tensors, metadata)
    model_file.write(tmp_path / "changed", tensors, metadata)
    with pytest.raises(FormatError, match=message) as caught:
        fr.load(tmp_path / "changed")
    assert str(tmp_path / "changed") in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.pop("adam"), "moments are not complete"),
        (lambda t, m: t.pop("solver.adam.linear_square"), "not complete: linear_mean, factors_mean, factors_square"),
        (lambda t, m: [t.pop(name) for name in list(t) if "adam" in name], "not complete: no arrays"),
        (lambda t, m: t["solver.adam.factors_square"].__setitem__((0, 0), -1), "negative square"),
        (lambda t, m: t["solver.adam.factors_mean"].__setitem__((0, 0), np.inf), "not finite"),
        (lambda t, m: t.update({"solver.adam.factors_mean": t["factors"][:, :3]}), "has the shape"),
        (lambda t, m: m["adam"].update(n_steps=-1), "Adam's state"),
        (lambda t, m: m["adam"].update(n_steps=1.5), "Adam's state"),
        (lambda t, m: m["adam"].update(bias_square=-1.0), "Adam's state"),
        (lambda t, m: m["adam"].pop("bias_mean"), "expected numbers"),
        (lambda t, m: m.update(adam=[1]), "unexpected metadata|expected numbers"),
    ],
)
def test_promise_8_moments_are_checked(train, tmp_path, change, message):
    MODELS["adam"]().fit(train).save(tmp_path / "m")
    tensors, metadata = read(tmp_path / "m")
    tensors = {name: values.copy() for name, values in tensors.items()}
    change(tensors, metadata)
    model_file.write(tmp_path / "changed", tensors, metadata)
    with pytest.raises(FormatError, match=message):
        fr.load(tmp_path / "changed")


def test_promise_8_mutated_files_never_crash(path, tmp_path):
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    random = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            data[random.integers(0, header if random.random() < 0.7 else len(data))] = random.integers(0, 256)
        if random.random() < 0.2:
            data = data[: random.integers(0, len(data))]
        (tmp_path / "mutated").write_bytes(data)
        try:
            rec = fr.load(tmp_path / "mutated")
        except FormatError:
            continue
        rec.recommend(n=3)  # a changed number is still a model


def test_what_cannot_be_saved_is_named(train, tmp_path):
    rec = fr.Recommender(classifier(), like_threshold=4).fit(train)
    rec.title = object()
    with pytest.raises(DataError, match="parameter 'title' cannot be saved"):
        rec.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="no such folder"):
        MODELS["likes"]().fit(train).save(tmp_path / "nowhere" / "m")
