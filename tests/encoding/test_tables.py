"""One way to read a column, whatever the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from factorec.encoding.tables import column, column_names, n_rows
from factorec.errors import DataError

TABLES = [
    {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]},
    np.array([(1, 0.5), (2, 1.5), (3, 2.5)], dtype=[("a", int), ("b", float)]),
    pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}, index=[7, 7, 9]),
    pl.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}),
    pa.table({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(table).__name__)
def test_tables_with_names(table):
    assert column_names(table) == ["a", "b"]
    assert n_rows(table) == 3
    for name, expected in (("a", [1, 2, 3]), ("b", [0.5, 1.5, 2.5])):
        values = column(table, name)
        assert isinstance(values, np.ndarray)
        np.testing.assert_array_equal(values, expected)


def test_arrays_have_integer_names():
    table = np.array([[1, 2], [3, 4]])
    assert column_names(table) == [0, 1]
    np.testing.assert_array_equal(column(table, 1), [2, 4])
    for name in (2, -1, "a"):
        with pytest.raises(DataError, match=f"no column {name!r}; its columns are 0, 1"):
            column(table, name)


def test_pandas_columns_may_have_integer_names():
    np.testing.assert_array_equal(column(pd.DataFrame({0: [1, 2], 5: [3, 4]}), 5), [3, 4])


def test_lists_of_strings_stay_whole():
    values = column({"a": ["nul\0", "b"]}, "a")
    assert values.tolist() == ["nul\0", "b"]


def test_no_columns():
    assert n_rows({}) == 0
    with pytest.raises(DataError, match="no column 'a'"):
        column({}, "a")
