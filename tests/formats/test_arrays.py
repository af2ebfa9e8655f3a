"""Ids and sparse matrices in a model file."""

import numpy as np
import pytest
import scipy.sparse as sp

from factorec.errors import DataError, FormatError
from factorec.formats.arrays import csr_schema, ids_schema, pack_csr, pack_ids, unpack_csr, unpack_ids
from factorec.formats.schema import TensorSpec, check_tensors


@pytest.mark.parametrize(
    "ids",
    [
        np.array([3, -1, 2**62]),
        np.array([1, 2], dtype=np.uint16),
        np.array([], dtype=np.int64),
        [1, 2, 3],
        [],
        np.array([4, 5], dtype=object),
    ],
)
def test_integers(ids):
    packed = pack_ids("users", ids)
    check_tensors(packed, ids_schema("users", len(ids)))
    got = unpack_ids(packed, "users", len(ids))
    assert got.dtype == np.int64
    assert got.tolist() == list(ids)


@pytest.mark.parametrize(
    "ids",
    [
        ["a", "bc", ""],
        ["", ""],
        ["naïve", "日本語", "😀", "plain"],
        ["with\0nul", "trailing\0", 'quote"\n'],
        np.array(["x", "yy"]),
        np.array(["x", "yy"], dtype=object),
    ],
)
def test_strings(ids):
    packed = pack_ids("users", ids)
    check_tensors(packed, ids_schema("users", "n_users"))
    got = unpack_ids(packed, "users")
    assert got.dtype == object
    assert got.tolist() == list(ids)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, "a"], "id 'a' at row 1: ids must be all integers or all strings"),
        (["a", 1], "id 1 at row 1"),
        (["a", None], "id None at row 1"),
        ([1, True], "id True at row 1"),
        (np.array([1.5]), "dtype float64"),
        (np.array([True]), "dtype bool"),
        ([2**63], "id 9223372036854775808 is beyond int64"),
        (np.array([2**63], dtype=np.uint64), "id 9223372036854775808 is beyond int64"),
        (["\ud800"], "is not valid text"),
        (np.zeros((2, 2), int), r"one-dimensional, got shape \(2, 2\)"),
    ],
)
def test_ids_that_cannot_be_stored(ids, message):
    with pytest.raises(DataError, match=message):
        pack_ids("users", ids)


def text(data, offsets):
    return {"u.bytes": np.frombuffer(data, np.uint8), "u.offsets": np.array(offsets, np.int64)}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, r"found \[\]"),
        ({"u.bytes": np.zeros(1, np.uint8)}, r"found \['u.bytes'\]"),
        ({"u": np.zeros(1, np.int64)} | text(b"", [0]), "found"),
        (text(b"abc", []), "must go from 0 to 3, found nothing"),
        (text(b"abc", [1, 3]), "must go from 0 to 3, found 1 to 3"),
        (text(b"abc", [0, 2]), "must go from 0 to 3, found 0 to 2"),
        (text(b"abc", [0, 2**62, 3]), "falls after position 1"),
        (text(b"abc", [0, 2, 1, 3]), "falls after position 1"),
        (text(b"abc", [0, -1, 3]), "falls after position 0"),
        (text(b"ab\xff", [0, 3]), "not UTF-8"),
        (text("é".encode(), [0, 1, 2]), "not UTF-8"),
        (text(b"abc", [0, 1, 2, 3]), "there are 3 ids 'u', expected 2"),
    ],
)
def test_broken_ids(tensors, message):
    with pytest.raises(FormatError, match=message):
        unpack_ids(tensors, "u", 2)


@pytest.mark.parametrize("ones", [True, False])
def test_csr(ones):
    matrix = sp.random(20, 30, 0.2, format="csr", dtype=np.float32, random_state=0)
    if ones:
        matrix.data[:] = 1
    packed = pack_csr("user.rows", matrix)
    check_tensors(packed, csr_schema("user.rows", 20))
    assert ("user.rows.data" in packed) == (not ones)
    got = unpack_csr(packed, "user.rows", 30)
    assert got.shape == (20, 30)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got.toarray(), matrix.toarray())
    assert np.shares_memory(got.indices, packed["user.rows.indices"])


def csr(indptr, indices, data=None):
    parts = {"m.indptr": np.array(indptr, np.int32), "m.indices": np.array(indices, np.int32)}
    return parts if data is None else parts | {"m.data": np.array(data, np.float32)}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "array 'm.indptr' is missing"),
        (csr([0, 2], [0, 5]), "row 0 has column 5, outside 0..2"),
        (csr([0, 2], [0, -1]), "row 0 has column -1"),
        (csr([0, 2, 1], [0, 1]), "indptr falls after row 1"),
        (csr([0, 2**30], [0, 1]), "beyond the 2 stored"),
        (csr([0, 1], [0, 1]), "2 entries are stored, its rows have 1"),
        (csr([1, 2], [0, 1]), "not 0"),
        (csr([], []), "indptr is empty"),
        (csr([0, 2], [0, 1], [1, np.nan]), "NaN"),
        (csr([0, 2], [0, 1], [1]), "data has 1 entries"),
    ],
)
def test_broken_csr(tensors, message):
    with pytest.raises(FormatError, match=message):
        unpack_csr(tensors, "m", 3)


def test_schema_sizes():
    schema = {"offsets": TensorSpec("int64", ("n+1",)), "ids": TensorSpec("int64", ("n",))}
    check_tensors({"offsets": np.zeros(4, np.int64), "ids": np.zeros(3, np.int64)}, schema)
    for sizes in [(4, 4), (0, 0)]:
        with pytest.raises(FormatError, match="has the shape"):
            check_tensors({"offsets": np.zeros(sizes[0], np.int64), "ids": np.zeros(sizes[1], np.int64)}, schema)
    with pytest.raises(ValueError, match="not a name"):
        check_tensors({"a": np.zeros(1)}, {"a": TensorSpec("float64", ("n*2",))})
