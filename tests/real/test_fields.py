"""The fields of MovieLens 100K: age, gender and occupation of users, genres and year of films."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from factorec.encoding import Encoder, MultiLabel, Numeric

FIELDS = {"user": [Numeric("age"), "gender", "occupation"], "item": [MultiLabel("genres"), Numeric("year", bins=10)]}


@pytest.fixture(scope="module")
def encoder(movielens_ua):
    return Encoder(fields=FIELDS).fit(movielens_ua.train, users=movielens_ua.users, items=movielens_ua.items)


def test_features_are_what_the_tables_say(encoder, movielens_ua):
    sizes = {name: stop - start for name, (start, stop) in encoder.field_ranges_.items()}
    assert sizes == {
        "user_id": 943,
        "age": 10,
        "gender": 2,
        "occupation": 21,
        "item_id": 1680,
        "genres": 19,
        "year": 8,  # half of the films are of three years
    }
    names = encoder.get_feature_names_out()
    items = movielens_ua.items
    for place, item in enumerate(encoder.items_.ids.tolist()):
        row = encoder.entities("item").rows[place]
        stands = items["item_id"] == item
        (genres,) = items["genres"][stands]
        own = [f"item_id_{item}"] if encoder.is_trained("item")[place] else []
        found = names[row.indices].tolist()
        assert found[: len(own) + len(genres)] == own + [f"genres_{genre}" for genre in sorted(genres)]
        assert len(found) == len(own) + len(genres) + (item != 267)  # "unknown" has no year
    never_rated = np.setdiff1d(items["item_id"], movielens_ua.train["item_id"])
    np.testing.assert_array_equal(encoder.items_.ids[~encoder.is_trained("item")], never_rated)


def test_bins_hold_about_equally_many_users(encoder):
    start, stop = encoder.field_ranges_["age"]
    counts = np.asarray(encoder.entities("user").rows[:, start:stop].sum(axis=0)).ravel()
    assert counts.sum() == 943
    assert counts.min() > 60
    assert counts.max() < 130


@pytest.mark.parametrize("kind", ["dict", "polars", "pyarrow"])
def test_every_library_gives_the_same_bits(encoder, movielens_ua, kind):
    def convert(frame):
        if kind == "dict":
            return {name: frame[name].to_list() for name in frame}
        return (pl.from_pandas if kind == "polars" else pa.Table.from_pandas)(frame)

    own = Encoder(fields=FIELDS)
    own.fit(convert(movielens_ua.train), users=convert(movielens_ua.users), items=convert(movielens_ua.items))
    X, expected = own.transform(convert(movielens_ua.test)), encoder.transform(movielens_ua.test)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(X, part), getattr(expected, part))


def test_auto_chooses_them(movielens_ua, capsys):
    encoder = Encoder(fields="auto").fit(movielens_ua.train, users=movielens_ua.users, items=movielens_ua.items)
    chosen = {side: [field.field_name for field in fields] for side, fields in encoder.declared_fields_.items()}
    assert chosen == {"user": ["age", "gender", "occupation"], "context": [], "item": ["year", "genres"]}
    printed = capsys.readouterr().out
    assert "zip_code    left out" in printed
    assert "title       left out" in printed
