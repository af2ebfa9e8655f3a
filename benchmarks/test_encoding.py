"""Encoding: 10 million interactions, ids learned and encoded, from every kind of table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from factorec.datasets import make_planted_fm
from factorec.encoding import Encoder

N_ROWS, N_USERS, N_ITEMS = 10_000_000, 1_000_000, 100_000
CASE = "encode 10 million rows, 1 million users x 100,000 items, {}"


@pytest.fixture(scope="module")
def places():
    """Which user and item each row has."""
    rng = np.random.default_rng(0)
    table = make_planted_fm(N_USERS, N_ITEMS, N_ROWS, n_factors=1, seed=0).table
    return {name: (rng.permutation(n), table[name]) for name, n in (("user_id", N_USERS), ("item_id", N_ITEMS))}


@pytest.fixture(scope="module")
def integers(places):
    return {name: numbers[rows] for name, (numbers, rows) in places.items()}


@pytest.fixture(scope="module")
def wide(places):
    return {name: numbers[rows] * 10**11 for name, (numbers, rows) in places.items()}


@pytest.fixture(scope="module")
def strings(places):
    spell = {
        name: np.array([f"{name}-{number:08d}" for number in numbers], dtype=object)
        for name, (numbers, _) in places.items()
    }
    return pa.table({name: pa.array(spell[name][rows]) for name, (_, rows) in places.items()})


def fit_then_encode(table):
    return Encoder().fit(table).encode(table)


def fit_encode(table):
    return Encoder().fit_encode(table)


WAYS = pytest.mark.parametrize("way", [fit_then_encode, fit_encode], ids=lambda way: way.__name__)


@WAYS
@pytest.mark.parametrize("ids", ["integers", "wide"])
def test_integers(contender, request, ids, way):
    table = request.getfixturevalue(ids)
    case = CASE.format("int64 ids" if ids == "integers" else "int64 ids spread over 10^17")
    contender(case, way.__name__, lambda: way(table), limit=3.0, rounds=3)


@WAYS
@pytest.mark.parametrize("kind", ["pyarrow", "polars", "pandas str", "pandas object"])
def test_strings(contender, strings, kind, way):
    table = {
        "pyarrow": lambda: strings,
        "polars": lambda: pl.from_arrow(strings),
        "pandas str": lambda: pd.DataFrame(
            {name: pd.Series(strings[name], dtype="str") for name in strings.column_names}
        ),
        "pandas object": lambda: strings.to_pandas().astype(object),
    }[kind]()
    contender(CASE.format(f"strings from {kind}"), way.__name__, lambda: way(table), limit=8.0, rounds=3)
