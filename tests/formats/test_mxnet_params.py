"""MXNet's .params: files that MXNet 1.9.1 wrote, as constants; every field damaged; thousands of mutations."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from independent_mxnet import load_params

from factorec.errors import DataError, FormatError
from factorec.formats.mxnet_params import RowSparseArray, read_params, write_params

HEAD = "12010000000000000000000000000000 0100000000000000"
NAMED_V = "0100000000000000 0500000000000000 6172673a76"
NAMED_X = "0100000000000000 0100000000000000 78"
UNNAMED = "0000000000000000"
V2, V3, V1 = "c9fa93f9", "cafa93f9", "c8fa93f9"
CPU = "01000000 00000000"
ONE_TWO_THREE = "0000803f 00000040 00004040"

DENSE_3_1 = f"{V2} 00000000 02000000 0300000000000000 0100000000000000 {CPU} 00000000 {ONE_TWO_THREE}"
ROW_SPARSE = (
    f"{HEAD} {V2} 01000000 02000000 0200000000000000 0200000000000000 02000000 0300000000000000 0200000000000000"
    f"{CPU} 00000000 06000000 01000000 0200000000000000"
    "0000803f 00000040 00004040 00008040 0000000000000000 0200000000000000" + NAMED_V
)
CSR = (
    f"{HEAD} {V2} 02000000 01000000 0300000000000000 02000000 0300000000000000 0400000000000000"
    f"{CPU} 00000000 06000000 01000000 0400000000000000 06000000 01000000 0300000000000000 {ONE_TWO_THREE}"
    "0000000000000000 0200000000000000 0200000000000000 0300000000000000"
    "0000000000000000 0200000000000000 0100000000000000 0100000000000000 0500000000000000 6172673a63"
)
ROW_SPARSE_EMPTY = (
    f"{HEAD} {V2} 01000000 02000000 0000000000000000 0200000000000000 02000000 0300000000000000 0200000000000000"
    f"{CPU} 00000000 06000000 01000000 0000000000000000" + NAMED_V
)
CSR_EMPTY = (
    f"{HEAD} {V2} 02000000 01000000 0000000000000000 02000000 0300000000000000 0200000000000000"
    f"{CPU} 00000000 06000000 01000000 0400000000000000 06000000 01000000 0000000000000000" + "00" * 32 + NAMED_V
)
# [1, 0, 2] ([1.5, -2, 3] in bfloat16) without a name, by dtype flag.
BY_DTYPE = {
    "float32": "00000000 0000803f 00000000 00000040",
    "float64": "01000000 000000000000f03f 0000000000000000 0000000000000040",
    "float16": "02000000 003c 0000 0040",
    "uint8": "03000000 01 00 02",
    "int32": "04000000 01000000 00000000 02000000",
    "int8": "05000000 01 00 02",
    "int64": "06000000 0100000000000000 0000000000000000 0200000000000000",
    "bool": "07000000 01 00 01",
    "bfloat16": "0c000000 c03f 00c0 4040",
}


def raw(text):
    return bytes.fromhex(text)


def only(text, name="x"):
    arrays = read_params(raw(text))
    assert list(arrays) == [name]
    return arrays[name]


def written(arrays):
    file = io.BytesIO()
    write_params(file, arrays)
    return file.getvalue()


def test_the_contracts_dense_vector():
    column = np.array([[1], [2], [3]], np.float32)
    whole = raw(f"{HEAD} {DENSE_3_1} {NAMED_V}")
    assert written({"arg:v": column}) == whole
    np.testing.assert_array_equal(read_params(whole)["arg:v"], column)


def test_the_contracts_row_sparse_file():
    whole = raw(ROW_SPARSE)
    assert len(whole) == 153
    array = read_params(whole)["arg:v"]
    assert isinstance(array, RowSparseArray)
    assert array.shape == (3, 2)
    assert array.rows.tolist() == [0, 2]
    np.testing.assert_array_equal(array.toarray(), [[1, 2], [0, 0], [3, 4]])
    np.testing.assert_array_equal(load_params(whole)["arg:v"], array.toarray())


def test_csr_and_sparse_arrays_without_entries():
    array = only(CSR, "arg:c")
    assert isinstance(array, sp.csr_array)
    np.testing.assert_array_equal(array.toarray(), [[1, 0, 2, 0], [0, 0, 0, 0], [0, 3, 0, 0]])
    np.testing.assert_array_equal(load_params(raw(CSR))["arg:c"], array.toarray())
    for text in (ROW_SPARSE_EMPTY, CSR_EMPTY):
        np.testing.assert_array_equal(only(text, "arg:v").toarray(), np.zeros((3, 2)))


@pytest.mark.parametrize("dtype", BY_DTYPE)
def test_every_dtype(dtype):
    array = only(f"{HEAD} {V2} 00000000 01000000 0300000000000000 {CPU} {BY_DTYPE[dtype]} {UNNAMED}", "0")
    if dtype == "bfloat16":
        assert array.dtype == np.float32
        assert array.tolist() == [1.5, -2, 3]
    elif dtype == "bool":
        assert array.tolist() == [True, False, True]
    else:
        assert array.dtype == np.dtype(dtype)
        assert array.tolist() == [1, 0, 2]
    assert array.flags.writeable
    assert array.flags.aligned


def test_older_and_newer_forms():
    shapes = "02000000 0300000000000000 0100000000000000"
    v1 = only(f"{HEAD} {V1} {shapes} {CPU} 00000000 {ONE_TWO_THREE} {NAMED_X}")
    before = only(f"{HEAD} 02000000 03000000 01000000 {CPU} 00000000 {ONE_TWO_THREE} {NAMED_X}")
    for array in (v1, before):
        np.testing.assert_array_equal(array, [[1], [2], [3]])
    v3 = only(
        f"{HEAD} {V3} 00000000 02000000 01000000000000000200000000000000 {CPU} 00000000 0000803f00000040 {NAMED_X}"
    )
    np.testing.assert_array_equal(v3, [[1, 2]])
    scalar = only(f"{HEAD} {V3} 00000000 00000000 {CPU} 00000000 00002040 {NAMED_X}")
    assert scalar.shape == ()
    assert scalar == 2.5
    empty = only(f"{HEAD} {V3} 00000000 02000000 00000000000000000300000000000000 {CPU} 00000000 {NAMED_X}")
    assert empty.shape == (0, 3)


@pytest.mark.parametrize(
    "form",
    [
        f"{V2} 00000000 00000000",
        f"{V2} ffffffff 00000000",
        f"{V2} 01000000 00000000 00000000",
        f"{V1} 00000000",
        "00000000",
        f"{V3} 00000000 ffffffff",
        f"{V3} 00000000 01000000 ffffffffffffffff",
    ],
)
def test_arrays_without_a_value(form):
    assert only(f"{HEAD} {form} {NAMED_X}") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"params, offset 0: the magic number needs 8 bytes, 0 are left"),
        ("00" * 24, "offset 0: not a file of MXNet arrays"),
        ("1201000000000000 01" + "00" * 15, "offset 8: the reserved number is not 0"),
        ("1201000000000000" + "00" * 8 + "ff" * 8, "offset 16: 18446744073709551615 arrays"),
        (f"{HEAD} c7fa93f9", "offset 24: 0xf993fac7 does not begin an array"),
        (f"{HEAD} {V2} 03000000", "offset 28: storage type 3 is not known"),
        (f"{HEAD} {V3} 01000000", "offset 28: storage type 1 is not known"),
        (f"{HEAD} {V2} ffffffff 01000000 0100000000000000", "offset 24: an array of undefined storage has a shape"),
        (f"{HEAD} {V2} 00000000 21000000", "offset 32: 33 dimensions"),
        (f"{HEAD} {V2} 00000000 feffffff", "offset 32: -2 dimensions"),
        (f"{HEAD} {V2} 00000000 01000000 feffffffffffffff", r"offset 32: the shape \(-2,\) is not possible"),
        (f"{HEAD} {V2} 00000000 02000000" + "ffffffffffffff7f" * 2, "offset 32: the shape .* is not possible"),
        (f"{HEAD} {V2} 00000000 01000000 0100000000000000 07000000 00000000", "offset 44: device 7"),
        (f"{HEAD} {V2} 00000000 01000000 0100000000000000 {CPU} 08000000", "offset 52: dtype flag 8 is not known"),
        (f"{HEAD} {V2} 00000000 01000000 0000000000000001 {CPU} 00000000", r"offset 56: .* needs 288230376151711744"),
        (f"{HEAD} {DENSE_3_1} 0200000000000000", "offset 76: 2 names for 1 arrays"),
        (f"{HEAD} {DENSE_3_1} 0100000000000000 ffffffffffffffff", "a name needs 18446744073709551615 bytes"),
        (f"{HEAD} {DENSE_3_1} 0100000000000000 0100000000000000 ff", "offset 84: a name is not UTF-8"),
        (f"{HEAD} {DENSE_3_1} {NAMED_V} 00", "offset 97: 1 bytes follow the end"),
        (
            ROW_SPARSE.replace("0200000000000000" + NAMED_V, "0300000000000000" + NAMED_V),
            "must ascend from 0 to at most",
        ),
        (
            ROW_SPARSE.replace("0200000000000000" + NAMED_V, "0000000000000000" + NAMED_V),
            "must ascend from 0 to at most",
        ),
        (ROW_SPARSE.replace("06000000", "00000000"), "needs|must be integers|bytes"),
        (
            CSR.replace("03000000000000000000000000000000 02", "0400000000000000 0000000000000000 02"),
            "row bounds must rise",
        ),
        (
            CSR.replace("0000000000000000 0200000000000000 0100", "0000000000000000 0400000000000000 0100"),
            "columns? numb",
        ),
    ],
)
def test_damage_is_refused_with_its_place(text, message):
    with pytest.raises(FormatError, match=message):
        read_params(raw(text))


def test_names_must_differ():
    whole = written({"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)})
    with pytest.raises(FormatError, match="the name 'a' occurs twice"):
        read_params(whole[:-1] + b"a")


def test_what_cannot_be_written():
    for array in (np.ones(3), [1.0], np.float32(1)):
        with pytest.raises(DataError, match="array 'x' must be a float32 array"):
            written({"x": array})
    for array in (np.array(1, np.float32), np.ones((0, 3), np.float32)):
        with pytest.raises(DataError, match="at least one dimension and one entry"):
            written({"x": array})


def test_any_layout_in_memory_is_written_in_order():
    rng = np.random.default_rng(0)
    arrays = {
        "arg:fortran": np.asfortranarray(rng.normal(size=(4, 3)).astype(np.float32)),
        "arg:strided": rng.normal(size=(8, 3)).astype(np.float32)[::2, ::-1],
        "aux:é": np.ones((1, 2, 3), np.float32),
    }
    for read in (load_params(written(arrays)), read_params(written(arrays))):
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)


ORIGINALS = [
    raw(text)
    for text in (
        f"{HEAD} {DENSE_3_1} {NAMED_V}",
        ROW_SPARSE,
        CSR,
        f"{HEAD} {V3} 00000000 00000000 {CPU} 00000000 00002040 {NAMED_X}",
        f"{HEAD} {V1} 02000000 0300000000000000 0100000000000000 {CPU} 00000000 {ONE_TWO_THREE} {NAMED_X}",
        f"{HEAD} 02000000 03000000 01000000 {CPU} 00000000 {ONE_TWO_THREE} {NAMED_X}",
    )
]
# What a field may be replaced by: small numbers, extremes, the magic numbers.
NUMBERS = [0, 1, 2, 3, 5, 7, 12, 33, 2**31 - 1, 2**32 - 1, 2**62, 2**63, 2**64 - 1, 0xF993FAC8, 0xF993FAC9, 0xF993FACA]


def n_entries(array):
    return 0 if array is None else len(array.data) if isinstance(array, sp.csr_array) else array.size


def test_every_truncation_and_thousands_of_mutations():
    rng = np.random.default_rng(0)
    counts = {"read": 0, "refused": 0}

    def run(data):
        try:
            arrays = read_params(data)
        except FormatError:
            counts["refused"] += 1
            return
        counts["read"] += 1
        for array in arrays.values():
            if isinstance(array, RowSparseArray):
                array = array.values
            assert n_entries(array) <= len(data)

    for original in ORIGINALS:
        for size in range(len(original)):
            run(original[:size])
    assert counts == {"read": 0, "refused": sum(map(len, ORIGINALS))}
    tracemalloc.start()
    for _ in range(8000):
        data = bytearray(ORIGINALS[rng.integers(len(ORIGINALS))])
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(16, len(data)))
            number = NUMBERS[rng.integers(len(NUMBERS))]
            match rng.integers(4):
                case 0:
                    data[at] = rng.integers(256)
                case 1:
                    at -= at % 4
                    data[at : at + 4] = struct.pack("<I", number & 0xFFFFFFFF)
                case 2:
                    at -= at % 4
                    data[at : at + 8] = struct.pack("<Q", number)
                case _:
                    del data[at : at + int(rng.integers(1, 9))]
        run(bytes(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20  # files of 200 bytes, whatever sizes they state
    assert counts["read"] + counts["refused"] == 8000 + sum(map(len, ORIGINALS))
    assert counts["read"] > 400


def test_many_arrays_of_no_value_are_refused():
    with pytest.raises(FormatError, match="at most 65536 are read"):
        read_params(raw("1201000000000000" + "00" * 8) + struct.pack("<Q", 1 << 20) + bytes(4 << 20))
