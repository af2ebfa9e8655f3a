"""Fields: what each makes of its column."""

from __future__ import annotations

import numpy as np
import pytest

from factorec.encoding import Categorical, MultiLabel, Numeric
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
