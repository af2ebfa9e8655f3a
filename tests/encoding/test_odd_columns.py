"""Promise 6: columns that libraries really hand over are read, or refused with an error that names them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from factorec.encoding import Categorical, Encoder, MultiLabel, Numeric, Precomputed
from factorec.errors import DataError

TABLE = {"user_id": [1, 1, 2], "item_id": [7, 8, 9]}


def features(field, column, kind=dict):
    items = kind({"item_id": [7, 8, 9], "c": column})
    return Encoder(fields={"item": [field]}).fit(TABLE, items=items).get_feature_names_out().tolist()[5:]


def test_views_of_strings_are_strings():
    """What pyarrow makes of a frame of polars."""
    table = pa.table(pl.DataFrame({"item_id": ["7", "8", "9"], "c": ["a", "b", None], "l": [["a"], [], None]}))
    assert str(table.schema.field("c").type) == "string_view"
    encoder = Encoder(fields={"item": ["c", MultiLabel("l")]})
    encoder.fit({"user_id": [1, 1, 2], "item_id": table["item_id"]}, items=table)
    assert encoder.get_feature_names_out().tolist()[2:] == [
        "item_id_7",
        "item_id_8",
        "item_id_9",
        "c_a",
        "c_b",
        "l_a",
    ]


def test_integers_of_128_bits():
    column = pl.Series([1, 2, None], dtype=pl.Int128)
    assert features(Categorical("c"), column, pl.DataFrame) == ["c_1", "c_2"]
    assert features(Numeric("c", bins=2), column, pl.DataFrame) == features(Numeric("c", bins=2), [1, 2, None])


def test_numpys_own_missing_strings():
    column = np.array(["a", None, "b"], dtype=np.dtypes.StringDType(na_object=None))
    assert features(Categorical("c"), column) == ["c_a", "c_b"]


def test_masked_values_are_missing():
    column = np.ma.masked_array([1, 2, 3], [0, 1, 0])
    assert features(Categorical("c"), column) == ["c_1", "c_3"]
    with pytest.raises(DataError, match="'item_id' has no id in row 1"):
        Encoder().fit({"user_id": [1, 1, 2], "item_id": column})


@pytest.mark.parametrize(
    ("field", "column", "kind", "message"),
    [
        ("c", pd.cut(pd.Series([1, 2, 3]), 2), pd.DataFrame, "'c' holds .*[Ii]nterval"),
        ("c", [["a"], {"x": 1}, None], dict, r"'c' holds \['a'\] \(list\) in row 0"),
        (Numeric("c"), [10**400, 1, 2], dict, "'c' holds 1.* in row 0 .*, beyond the range of float64"),
    ],
)
def test_what_cannot_be_read_is_named(field, column, kind, message):
    with pytest.raises(DataError, match=f"items: column {message}"):
        features(field, column, kind)


@pytest.mark.parametrize("kind", [csr_matrix, csc_matrix])
@pytest.mark.parametrize("position", [-1, 9, 2**30])
def test_sparse_rows_that_point_outside_are_refused(kind, position):
    rows = kind(np.eye(3))
    rows.indices[1] = position
    field = Precomputed(rows=rows, ids=[7, 8, 9], name="r")
    with pytest.raises(DataError, match="field 'r': the sparse rows are not valid"):
        Encoder(fields={"item": [field]}).fit(TABLE)


def test_complex_rows_are_refused():
    field = Precomputed(rows=csr_matrix(np.eye(3) * 1j), ids=[7, 8, 9], name="r")
    with pytest.raises(DataError, match="field 'r': rows must hold numbers, got complex128"):
        Encoder(fields={"item": [field]}).fit(TABLE)
