"""Hyperparameters of every kind are read, or refused by an error that says what is wrong."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorec.errors import DataError
from factorec.sagemaker.hyperparameters import FMHyperparameters, KNNHyperparameters

REQUIRED = {
    FMHyperparameters: {"feature_dim": "2625", "num_factors": "64", "predictor_type": "regressor"},
    KNNHyperparameters: {"feature_dim": "65", "k": "3", "sample_size": "9", "predictor_type": "classifier"},
}
tables = st.sampled_from(list(REQUIRED))
texts = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["auto", "normal", "uniform", "true", "false", "True", "1e-5", "1e999", "-0", "٣", "1_000", "0x10"]
    ),
)
values = st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=3), st.lists(texts))


def names(table):
    return st.sampled_from([field.name for field in dataclasses.fields(table)] + [*table.hidden, "unknown", ""])


@pytest.mark.filterwarnings("ignore:.* has no effect")
@given(tables.flatmap(lambda table: st.tuples(st.just(table), st.dictionaries(names(table), values, max_size=4))))
def test_anything_is_read_or_refused(case):
    table, changed = case
    try:
        read = table.read(REQUIRED[table] | changed)
    except DataError:
        return
    strings = read.as_strings()
    assert table.read(strings) == read
    for name, value in dataclasses.asdict(read).items():
        assert not isinstance(value, float) or math.isfinite(value), name
        if name in changed and isinstance(changed[name], int | float) and not isinstance(changed[name], bool):
            assert float(value) == float(changed[name])
