"""Promise 8, the whole way: a tampered model file is refused, or loads into a model that works."""

import contextlib
import json
import warnings

import numpy as np
import pytest

import factorec as fr
from factorec.errors import FactorecError, FormatError

JUNK = [None, True, 0, -1, 1.5, 1e308, 2**40, 2**70, "", "x", "user_id", "squared", [], [1], [[]], {}, {"a": 1}]


@pytest.fixture(scope="module", params=["regressor", "negatives", "fields", "sampled", "levels", "lists"])
def original(request, tmp_path_factory):
    table = fr.datasets.make_planted_fm(30, 20, 300, target="real", seed=0).table
    estimator = fr.FMClassifier(n_factors=3, n_epochs=2, random_state=0)
    if request.param == "regressor":  # by the solver with the largest state
        rec = fr.Recommender(fr.FMRegressor(n_factors=3, solver="adam", n_epochs=2, random_state=0)).fit(table)
    elif request.param == "negatives":
        rec = fr.Recommender(estimator, like_threshold=0.0, negatives=2).fit(table)
    elif request.param == "levels":
        table = table | {"rating": np.clip(np.round(table["rating"]), -1, 1)}
        rec = fr.Recommender(fr.FMOrdinal(n_factors=3, n_epochs=2, random_state=0), like_threshold=1).fit(table)
    elif request.param == "lists":
        rec = fr.Recommender(fr.FMRanker(n_factors=3, solver="ials", n_epochs=2, random_state=0), like_threshold=0.0)
        rec.fit(table)
    elif request.param == "sampled":
        sampler = fr.FMRegressor(
            2, solver="gibbs", n_epochs=6, burn_in=2, n_samples=2, interactions="bipartite", random_state=0
        )
        table, rec = with_fields(sampler, table, negatives=0)
    else:
        table, rec = with_fields(estimator, table, negatives=2)
    path = tmp_path_factory.mktemp("model") / "model.factorec"
    rec.save(path)
    return path.read_bytes(), table


def with_fields(estimator, table, negatives):
    """A model with every kind of field, a context, and users and items that only a catalogue has."""
    rng = np.random.default_rng(0)
    table = table | {"hour": rng.integers(0, 3, 300), "heat": rng.normal(size=300).round(1)}
    users = {"user_id": np.arange(32), "age": rng.normal(size=32), "job": rng.choice(["cook", "pilot"], 32)}
    genres = [rng.choice(["a", "b"], 1 + i % 2, replace=False).tolist() for i in range(22)]
    items = {"item_id": np.arange(22), "genres": genres, "title": [f"Film {i}" for i in range(22)]}
    items["look"] = rng.normal(size=(22)).round(1)
    fields = {
        "user": [fr.Numeric("age", bins=3), "job"],
        "item": [fr.MultiLabel("genres", missing="category"), fr.Precomputed("look")],
        "context": ["hour", fr.Numeric("heat")],
    }
    rec = fr.Recommender(estimator, like_threshold=0.0, negatives=negatives, fields=fields)
    return table, rec.fit(table, users=users, items=items)


def load_and_use(path, raw, table, *, go_on=False):
    """Whether it loads; once it does, everything works, or says what is wrong."""
    path.write_bytes(raw)
    try:
        rec = fr.load(path)
    except FormatError as error:
        assert str(path) in str(error)  # noqa: PT017 (the message is under test)
        return False
    with contextlib.suppress(FactorecError):  # a parameter that is looked at only when it is used: n_jobs
        use(rec, table)
        if go_on and rec.interactions_ is not None:  # with parameters as they were: negatives=2**40 takes all memory
            rec.partial_fit({name: values[:5] for name, values in table.items()} | {"user_id": [0, 1, 97, 98, 98]})
    return True


def use(rec, table):
    users = rec.encoder_.users_.ids[:3]
    context = {"hour": 1, "heat": 0.25} if "hour" in table else None
    top = rec.recommend(users, n=3, context=context, cold_items=True)
    assert not np.isnan(top.scores).any()
    assert not np.isnan(rec.decision_function(table)).any()
    repr(rec)
    if rec.interactions_ is not None:
        rec.explain(user=users[0], item=rec.encoder_.items_.ids[0], context=context)


def split(raw):
    end = 8 + int.from_bytes(raw[:8], "little")
    return json.loads(raw[8:end]), raw[end:]


def join(header, data):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def places(value, at=()):
    """Every place inside a JSON value."""
    yield at
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from places(inner, (*at, key))


def replaced(value, at, new):
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(copy[at[0]], at[1:], new)
    return copy


@pytest.mark.filterwarnings("ignore")
def test_every_place_of_the_metadata(original, tmp_path):
    raw, table = original
    rng = np.random.default_rng(0)
    header, data = split(raw)
    texts = header["__metadata__"]
    for key, text in texts.items():
        if key in ("format", "version", "library_version"):
            continue
        value = json.loads(text)
        for at in places(value):
            for new in rng.choice(len(JUNK), 3, replace=False):
                changed = header | {"__metadata__": texts | {key: json.dumps(replaced(value, at, JUNK[new]))}}
                load_and_use(tmp_path / "mutated", join(changed, data), table)


def test_values_of_the_arrays(original, tmp_path):
    raw, table = original
    rng = np.random.default_rng(1)
    start = 8 + int.from_bytes(raw[:8], "little")
    loaded = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(400):
            changed = bytearray(raw)
            for _ in range(rng.integers(1, 3)):
                at = int(rng.integers(start, len(raw)))
                changed[at] ^= 1 << int(rng.integers(0, 8))
            loaded += load_and_use(tmp_path / "mutated", bytes(changed), table, go_on=True)
    assert 0 < loaded < 400
