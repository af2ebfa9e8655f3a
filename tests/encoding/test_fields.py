"""Fields: what each makes of its column."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from factorec.encoding import Categorical, MultiLabel, Numeric
from factorec.encoding._sparse import concatenate_rows, distinct_rows
from factorec.errors import DataError


def rows(declaration, values, more=None):
    field = declaration.fit_field({"x": values})
    return field.feature_names(), field.rows({"x": values if more is None else more}).toarray().tolist()


def test_categories_have_a_column_each():
    names, found = rows(Categorical("x"), ["b", "a", None, "b"])
    assert names == ["x_a", "x_b"]
    assert found == [[0, 1], [1, 0], [0, 0], [0, 1]]


def test_missing_categories_may_have_a_column():
    names, found = rows(Categorical("x", missing="category"), [True, None, False])
    assert names == ["x_0", "x_1", "x_missing"]
    assert found == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_rare_categories_count_as_unknown_ones():
    declaration = Categorical("x", min_count=2, unknown="raise")
    names, found = rows(declaration, [7, 8, 7], [7, 8])
    assert names == ["x_7"]
    assert found == [[1], [0]]
    with pytest.raises(DataError, match=r"'x' holds 9 in row 1 \(counting from 0\), a category that was not learnt"):
        rows(declaration, [7, 8, 7], [7, 9])


@pytest.mark.parametrize(("weight", "value"), [("1", 1), ("1/n", 0.5), ("1/sqrt(n)", np.float32(0.5**0.5))])
def test_labels_share_a_row(weight, value):
    names, found = rows(MultiLabel("x", weight=weight), [["b", "a", "b"], [], ["a"], None])
    assert names == ["x_a", "x_b"]
    assert found == [[value, value], [0, 0], [1, 0], [0, 0]]
    assert rows(MultiLabel("x", weight=weight, separator="|"), ["b| a||b", "", "a", None])[1] == found


def test_numbers_are_standardised():
    names, found = rows(Numeric("x", bins=None), [1, 3, None])
    assert names == ["x"]
    assert found == [[-1], [1], [0]]
    assert rows(Numeric("x", bins=None, missing="category"), [1, 3, None])[1] == [[-1, 0], [1, 0], [0, 1]]
    assert rows(Numeric("x", bins=None), [5, 5], [5, 7])[1] == [[0], [0]]


def test_numbers_fall_in_bins():
    names, found = rows(Numeric("x", bins=3), [1, 2, 3, 4, 5, 6], [0, 3, 5.5, 99, None])
    assert names == ["x_<3", "x_3..5", "x_>=5"]
    assert found == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert rows(Numeric("x", bins=4), [0, 0, 0, 0, 1.5])[0] == ["x_<1.5", "x_>=1.5"]
    with pytest.raises(DataError, match=r"'x' holds inf in row 1 \(counting from 0\), not a finite number"):
        rows(Numeric("x", bins=None), [1, np.inf])


def test_a_label_counts_once_a_row():
    names, found = rows(MultiLabel("x", min_count=2), [["a", "a"], ["b"], ["b", "c"]])
    assert names == ["x_b"]
    assert found == [[0], [1], [1]]


def test_labels_of_every_kind_of_cell():
    expected = (["x_1", "x_2"], [[1, 1], [0, 0], [0, 1]])
    for cells in (
        [[1, 2], None, [2]],
        [(1, 2), (), (2.0,)],
        [{2, 1}, set(), frozenset([2])],
        [np.array([1, 2]), None, np.array([2.0, np.nan])],
        [pd.Series([1, 2]), [None], pd.Series([2])],
        np.array([[1, 2], [np.nan, np.nan], [2, np.nan]]),
        pl.Series([[1, 2], None, [2, None]]),
        pl.Series([[1, 2], [None, None], [2, None]], dtype=pl.Array(pl.Int8, 2)),
    ):
        assert rows(MultiLabel("x"), cells) == expected
    table = np.array([([1, 2],), ([2, 2],)], dtype=[("x", int, 2)])
    assert MultiLabel("x").fit_field(table).rows(table).toarray().tolist() == [[1, 1], [0, 1]]


def test_labels_that_are_not_known():
    declaration = MultiLabel("x", weight="1/n", missing="raise", unknown="raise", min_count=2)
    field = declaration.fit_field({"x": [["a", "b"], ["a", "c"], ["c"]]})
    assert field.rows({"x": [["b", "a"], ["b"], []]}).toarray().tolist() == [[1, 0], [0, 0], [0, 0]]
    with pytest.raises(DataError, match=r"column 'x' holds 'q' in row 1 \(counting from 0\), a category that was not"):
        field.rows({"x": [["a"], ["a", "q"]]})
    with pytest.raises(DataError, match=r"column 'x' has no value in row 1 \(counting from 0\); fill it in"):
        field.rows({"x": [["a"], None]})


@pytest.mark.parametrize(
    ("declaration", "values", "message"),
    [
        (
            Categorical("x"),
            [1, None, 2.5],
            r"'x' holds 2.5 in row 2 \(counting from 0\), not a whole number; categories are",
        ),
        (Categorical("x"), [None, 1, "a"], r"'x' holds 'a' \(str\) in row 2"),
        (Categorical("x"), ["a", None, "\ud800"], r"'x' holds '\\ud800' in row 2 .* which UTF-8 cannot encode"),
        (Categorical("x"), [1.0, np.inf], "'x' holds inf in row 1"),
        (Categorical("x"), [datetime.date(2020, 1, 1)], r"'x' holds datetime.date\(2020, 1, 1\) \(date\) in row 0"),
        (Categorical("x"), pl.Series([datetime.date(2020, 1, 1)]), "values of type Date; categories are integers or"),
        (Categorical("x"), [["a"], ["b"]], r"'x' must have one dimension, got shape \(2, 1\)"),
        (MultiLabel("x"), ["a|b"], r"'x' holds 'a\|b' in row 0 \(counting from 0\), not a list; give separator="),
        (MultiLabel("x"), [["a"], 3], r"'x' holds 3 in row 1 \(counting from 0\), not a list"),
        (MultiLabel("x"), [["a"], [None, 3]], r"'x' holds 3 \(int\) in row 1 .*labels are integers or strings"),
        (MultiLabel("x"), [[], [0.5]], "'x' holds 0.5 in row 1"),
        (MultiLabel("x"), [[["a"]]], r"'x' holds \['a'\] \(list\) in row 0"),
        (MultiLabel("x", separator="|"), [["a"]], "'x'"),
        (Numeric("x"), [1, "2"], r"'x' holds '2' in row 1 \(counting from 0\), not a number; convert or drop it"),
        (Numeric("x"), pl.Series(["1"]), "values of type String, not numbers; convert the column, or declare it"),
        (Numeric("x"), [-np.inf, 1], r"'x' holds -inf in row 0 \(counting from 0\), not a finite number"),
        (Numeric("x"), pl.Series([1.0, None, float("inf")]), "'x' holds inf in row 2"),
        (Numeric("x"), [1, 1 + 1j], "not a number|not numbers"),
        (Numeric("x"), np.array(["2020-01-01"], dtype="datetime64[D]"), "values of type datetime64.*, not numbers"),
        (Numeric("x"), [None, None], "field 'x': column 'x' has no number to learn from"),
        (Numeric("x", bins=None), [1e308, 1.7e308, -1e308], "'x' holds numbers too large to average"),
        (Numeric("x", missing="raise"), [1, None], "'x' has no value in row 1"),
    ],
)
def test_what_cannot_be_used_is_named(declaration, values, message):
    with pytest.raises(DataError, match=message):
        rows(declaration, values)


def test_kinds_do_not_mix_between_fit_and_later():
    field = Categorical("x").fit_field({"x": [1, 2]})
    assert field.rows({"x": [True, None, 2.0]}).toarray().tolist() == [[1, 0], [0, 0], [0, 1]]
    with pytest.raises(DataError, match="column 'x' holds strings, but the categories known there are integers"):
        field.rows({"x": ["1"]})
    empty = Categorical("x").fit_field({"x": [None, None]})
    assert empty.n_columns == 0
    assert empty.rows({"x": ["a", None]}).shape == (2, 0)


def test_numbers_of_every_type():
    for values in (
        [1, 2, 4],
        [True, 2.0, 4],
        np.array([1, 2, 4], dtype=np.uint8),
        np.array([1, 2, 4], dtype=np.float16),
        [Decimal(1), Decimal("2.0"), Decimal(4)],
        pl.Series([Decimal(1), Decimal(2), Decimal(4)]),
        pd.Series([1, 2, 4], dtype="Int8"),
    ):
        assert rows(Numeric("x", bins=2), values) == (["x_<2", "x_>=2"], [[1, 0], [0, 1], [0, 1]])


def test_numbers_far_from_the_learnt_ones():
    field = Numeric("x", bins=None).fit_field({"x": [0, 1e-30]})
    with pytest.raises(DataError, match=r"'x' holds 1e\+20 in row 1 \(counting from 0\), which is beyond float32"):
        field.rows({"x": [0, 1e20]})
    binned = Numeric("x").fit_field({"x": [0, 1e-30]})
    assert binned.rows({"x": [-1e300, 1e300]}).toarray().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("values", [np.arange(1000) % 7, np.r_[np.zeros(900), 1:101], np.r_[1:101, np.full(900, 200)]])
@pytest.mark.parametrize("bins", [2, 3, 10])
def test_bins_are_as_equal_as_numbers_allow(values, bins):
    field = Numeric("x", bins=bins).fit_field({"x": values})
    counts = field.rows({"x": values}).toarray().sum(axis=0)
    assert counts.sum() == len(values)
    assert (counts > 0).all()
    assert 2 <= len(counts) <= bins
    often = np.unique(values, return_counts=True)[1].max()
    assert counts.max() <= max(often, len(values) / bins) + often


def test_distinct_rows_compare_columns_and_values():
    dense = np.array([[0, 1], [1, 0], [0, 0], [0, 1], [0, 2], [1, 2], [0, 0], [1, 2]])
    first, which = distinct_rows(csr_matrix(dense, dtype=np.float32))
    assert first.tolist() == [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(dense[first][which], dense)
    first, which = distinct_rows(csr_matrix((0, 3), dtype=np.float32))
    assert (len(first), len(which)) == (0, 0)


def test_rows_of_several_lengths_one_after_the_other():
    parts = [csr_matrix(np.eye(3, 9, k=k, dtype=np.float32) + np.eye(3, 9, k=k + 1) * (k > 0)) for k in (0, 3)]
    index = [np.array([2, -1, 0, 0]), np.array([-1, -1, 2, 1])]
    expected = sum(np.vstack([p.toarray(), np.zeros(9)])[i] for p, i in zip(parts, index, strict=True))
    np.testing.assert_array_equal(concatenate_rows(list(zip(parts, index, strict=True))).toarray(), expected)
