"""Fields chosen from the tables themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from factorec.encoding import Encoder
from factorec.errors import DataError

N = 60
TRAIN = {"user_id": np.arange(N), "item_id": np.arange(N) % 7}
USERS = {
    "user_id": np.arange(N),
    "age": np.arange(N) % 50 + 18,
    "price": np.arange(N) * 0.37,
    "student": np.arange(N) % 2 == 0,
    "stars": np.arange(N) % 5,
    "gender": [("F", "M", None)[n % 3] for n in range(N)],
    "genres": [["a", "b"][: n % 3] for n in range(N)],
    "tags": [("x|y", "y", "z|x")[n % 3] for n in range(N)],
    "vector": [[0.5, n] for n in range(N)],
    "name": [f"user {n}" for n in range(N)],
    "number": np.arange(N) + 10**6,
    "born": np.array(["2020-01-01"], dtype="datetime64[D]").repeat(N),
    "same": ["s"] * N,
    "empty": [None] * N,
}


@pytest.mark.parametrize("kind", [dict, pd.DataFrame, pl.DataFrame, lambda c: pl.DataFrame(c).to_arrow()])
def test_what_is_chosen_is_printed(kind, capsys):
    encoder = Encoder(fields="auto").fit(TRAIN, users=kind(USERS))
    assert [repr(field) for field in encoder.declared_fields_["user"]] == [
        "Numeric(column='age')",
        "Numeric(column='price')",
        "Categorical(column='student')",
        "Categorical(column='stars')",
        "Categorical(column='gender')",
        "MultiLabel(column='genres')",
        "MultiLabel(column='tags', separator='|')",
    ]
    assert encoder.declared_fields_["item"] == []
    printed = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()[2:-1]}
    assert list(printed) == [name for name in USERS if name != "user_id"]
    assert "2 different values" in printed["gender"]
    assert "left out 60 different values in 60 rows: ids, names or texts?" in " ".join(printed["name"].split())
    assert "a different integer in every row: ids?" in printed["number"]
    assert "dates: declare Datetime" in printed["born"]
    assert "one value only" in printed["same"]
    assert "no value" in printed["empty"]
    assert "left out" in printed["vector"]


def test_what_was_chosen_can_be_declared(capsys):
    auto = Encoder(fields="auto").fit(TRAIN, users=USERS)
    declared = Encoder(fields=auto.declared_fields_).fit(TRAIN, users=USERS)
    assert (auto.entities("user").rows != declared.entities("user").rows).nnz == 0
    loaded = Encoder.from_state("user_id", "item_id", "auto", *auto.state())
    assert loaded.transform(TRAIN).shape == auto.transform(TRAIN).shape
    assert loaded.get_params() == auto.get_params()


def test_nothing_to_choose_from(capsys):
    assert Encoder(fields="auto").fit(TRAIN).n_features_ == N + 7
    assert "no table of users or items is given" in capsys.readouterr().out
    with pytest.raises(DataError, match="users: the table has no column 'user_id'"):
        Encoder(fields="auto").fit(TRAIN, users={"id": [1, 2], "gender": ["F", "F"]})
