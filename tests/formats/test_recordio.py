"""The codec against the contract's bytes, and against what protobuf and RecordIO say of odd ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from record_bytes import MAGIC, feature, field, framed, label, part, tensor
from scipy import sparse

from factorec.errors import DataError, FormatError
from factorec.formats import recordio

LABEL = "1212 0a06 76616c756573 1208 1206 0a04 0000803f"
SPARSE = "0a20 0a06 76616c756573 1216 1214 0a08 0000803f0000803f 1204 f305b009 1a02 c114" + LABEL
ZEROS = "0a10 0a06 76616c756573 1206 1204 1a02 c114" + LABEL
DENSE = "0a1a 0a06 76616c756573 1210 120e 0a0c 0000c03f 00000000 00000040"
RESPONSE = (
    "1211 0a05 73636f7265 1208 1206 0a04 cdcccc3e 121b 0a0f 7072656469637465645f6c6162656c 1208 1206 0a04 00000000"
)


def written(X, y=None, **options):
    file = io.BytesIO()
    recordio.write_recordio(file, X, y, **options)
    return file.getvalue()


ONE = np.ones(1, dtype=np.float32)
ONE_ROW = feature(tensor(2, [1.0]))


class TestVectors:
    def test_sparse_row(self):
        row = sparse.csr_array((np.ones(2, np.float32), [755, 1200], [0, 2]), shape=(1, 2625))
        assert written(row, ONE) == framed(SPARSE)
        read = recordio.read_recordio(framed(SPARSE))
        assert (read.features != row).nnz == 0
        assert read.features.dtype == np.float32
        np.testing.assert_array_equal(read.y, ONE)

    def test_row_of_zeros(self):
        row = sparse.csr_array((1, 2625), dtype=np.float32)
        assert written(row, ONE) == framed(ZEROS)
        read = recordio.read_recordio(framed(ZEROS))
        assert (read.features.shape, read.features.nnz) == ((1, 2625), 0)

    def test_dense_row(self):
        row = np.array([[1.5, 0, 2]], dtype=np.float32)
        assert written(row) == framed(DENSE)
        read = recordio.read_recordio(framed(DENSE))
        np.testing.assert_array_equal(read.features, row, strict=True)
        assert read.y is None
        assert read.labels == {}

    def test_response(self):
        assert recordio.encode_labels({"score": [0.4], "predicted_label": [0.0]}) == framed(RESPONSE)
        read = recordio.read_recordio(framed(RESPONSE))
        assert list(read.labels) == ["score", "predicted_label"]
        np.testing.assert_array_equal(read.labels["score"], np.float32([0.4]), strict=True)
        assert read.features.shape == (1, 0)


def test_truncated_file_is_refused():
    raw = framed(SPARSE, ZEROS)
    ends = (0, len(framed(SPARSE)) - 2, len(framed(SPARSE)), len(raw) - 2)  # the first without and with its padding
    for n in range(len(raw) - 1):
        if n not in ends and n != ends[1] + 1:
            with pytest.raises(FormatError, match=r"record \d, byte \d+"):
                recordio.read_recordio(raw[:n])


def read(*payloads, **options):
    return recordio.read_recordio(framed(*payloads), **options)


class TestOddMessages:
    @pytest.mark.parametrize("packed", [True, False])
    @pytest.mark.parametrize(("kind", "dtype"), [(2, np.float32), (3, np.float64), (7, np.int64)])
    def test_every_tensor_packed_or_not(self, kind, dtype, packed):
        dense = read(feature(tensor(kind, [1, -2, 3], packed=packed)))
        np.testing.assert_array_equal(dense.features, np.array([[1, -2, 3]], dtype), strict=True)
        rows = read(feature(tensor(kind, [1, -2], keys=[4, 0], shape=[5], packed=packed)))
        assert rows.features.dtype == dtype
        np.testing.assert_array_equal(rows.features.toarray(), np.array([[-2, 0, 0, 0, 1]], dtype))
        assert rows.features.indices.tolist() == [4, 0]  # as stored

    def test_fields_in_any_order_and_unknown_ones(self):
        value = field(2, b"\x1a\x01\x03" + b"\x12\x01\x01" + b"\x0a\x04" + struct.pack("<f", 7) + field(9, b"?"))
        record = field(2, field(2, tensor(2, [1.0])) + field(1, b"values")) + field(77, b"new")
        record += field(1, field(2, value) + field(1, b"values")) + field(3, b"uid") + field(5, b"{}")
        records = read(record)
        assert records.features.toarray().tolist() == [[0, 7, 0]]
        assert records.y.tolist() == [1]

    def test_pieces_are_merged_and_the_last_of_a_name_counts(self):
        merged = field(1, field(1, b"values") + field(2, tensor(2, [1.0])) + field(2, tensor(2, [2.0])))
        assert read(merged).features.tolist() == [[1, 2]]
        other_type = field(1, field(1, b"values") + field(2, tensor(3, [1.0])) + field(2, tensor(2, [2.0])))
        assert read(other_type).features.tolist() == [[2]]
        larger = field(2, tensor(3, [1.0] * 9, [0] * 9, [3]) + tensor(2, [2.0]))
        assert read(field(1, field(1, b"values") + larger)).features.tolist() == [[2]]
        assert read(feature(tensor(2, [1.0])) + feature(tensor(2, [3.0]))).features.tolist() == [[3]]

    def test_tensors_of_two_dimensions_are_flat(self):
        records = read(feature(tensor(2, [5.0], keys=[7], shape=[2, 4])))
        assert records.features.shape == (1, 8)
        assert records.features.indices.tolist() == [7]
        assert read(feature(tensor(2, [1.0] * 6, shape=[2, 3]))).features.shape == (1, 6)

    def test_duplicate_keys_stay(self):
        features = read(feature(tensor(2, [1.0, 2.0], keys=[1, 1], shape=[2]))).features
        assert features.indices.tolist() == [1, 1]
        assert features.toarray().tolist() == [[0, 3]]

    def test_dense_and_sparse_rows_become_sparse(self):
        records = read(
            feature(tensor(2, [0.0, 1.5, 0.0])),
            feature(tensor(2, [2.5], keys=[2], shape=[3])),
            feature(tensor(2, shape=[3])),
        )
        assert records.features.nnz == 2
        assert records.features.toarray().tolist() == [[0, 1.5, 0], [0, 0, 2.5], [0, 0, 0]]

    def test_types_that_differ_become_float64(self):
        records = read(feature(tensor(2, [0.5])), feature(tensor(7, [2**31 - 1])), feature(tensor(3, [0.1])))
        np.testing.assert_array_equal(records.features, [[0.5], [2**31 - 1], [0.1]], strict=True)
        assert read(feature(tensor(2, [0.5])), feature(tensor(7, [0], [0], [1]))).features.dtype == np.float64

    def test_no_features_and_no_records(self):
        assert read(b"").features.shape == (1, 0)
        assert read().features.shape == (0, 0)
        assert read(n_features=7).features.shape == (0, 7)
        assert list(recordio.iter_recordio(b"")) == []
        assert read(feature(tensor(2))).features.shape == (1, 0)

    def test_labels_of_every_form(self):
        records = read(
            label(tensor(2, [1.0, 2.0]), b"two") + label(tensor(7, [-3])) + label(tensor(2, [9.0], [1], [3]), b"sparse")
        )
        np.testing.assert_array_equal(records.labels["two"], np.float32([[1, 2]]), strict=True)
        np.testing.assert_array_equal(records.y, [-3], strict=True)
        assert records.labels["sparse"].toarray().tolist() == [[0, 9, 0]]
        with pytest.raises(DataError, match="2 numbers under the label 'values'"):
            _ = read(label(tensor(2, [1.0, 2.0]))).y

    def test_a_huge_shape_takes_no_memory(self):
        records = read(feature(tensor(2, [1.0], keys=[2**60 - 1], shape=[2**60])), feature(tensor(2, shape=[2**60])))
        assert records.features.shape == (2, 2**60)
        assert records.features.indices.tolist() == [2**60 - 1]
        assert read(feature(tensor(2, shape=[2**62, 2**62, 0]))).features.shape == (1, 0)

    def test_a_record_of_several_parts_is_joined(self):
        payload = feature(tensor(2, [1.0, 2.0])) + field(3, b"-" * 11 + MAGIC + b"-" * 13)
        at = payload.index(MAGIC)
        whole = feature(tensor(2, [3.0, 4.0]))
        raw = part(payload[:at], 1) + part(payload[at + 4 :], 3) + framed(whole)
        assert recordio.read_recordio(raw).features.tolist() == [[1, 2], [3, 4]]
        split = list(recordio.split_records(raw))
        assert [len(record) for record in split] == [len(raw) - len(framed(whole)), len(framed(whole))]
        assert b"".join(split) == raw

    def test_padding_may_be_missing_at_the_end(self):
        raw = framed(feature(tensor(2, [1.0])) + field(3, b"x"), feature(tensor(2, [2.0])) + field(3, b"x"))
        stripped = list(recordio.split_records(raw, strip_padding=True))
        assert len(stripped) == 2
        assert sum(map(len, stripped)) < len(raw)
        assert [recordio.read_recordio(record).features.tolist() for record in stripped] == [[[1]], [[2]]]


class TestRefused:
    @pytest.mark.parametrize(
        ("payload", "what"),
        [
            (feature(field(9, field(1, b"jpeg"))), "the feature 'values' holds bytes"),
            (label(field(9, b""), b"photo"), "the label 'photo' holds bytes"),
            (feature(b""), "holds no tensor"),
            (feature(tensor(2, [1.0]), b"in0"), "a feature 'in0', and only 'values' is read"),
            (feature(tensor(2, [1.0, 2.0], keys=[1], shape=[3])), "1 keys and 2 values"),
            (feature(tensor(2, [1.0], keys=[1])), "keys without a shape"),
            (feature(tensor(2, [1.0], keys=[3], shape=[3])), "the key 3 in a shape of 3 elements"),
            (feature(tensor(2, [1.0], keys=[2**64 - 1], shape=[2**63 - 1])), "the key 18446744073709551615"),
            (feature(tensor(2, [1.0], shape=[2, 3])), "1 values in a shape of 6"),
            (feature(tensor(2, shape=[2**63])), r"more than 2\^63 - 1 elements"),
            (feature(tensor(2, shape=[2**32, 2**32])), r"more than 2\^63 - 1 elements"),
            (feature(field(2, field(1, b"123"))), "packed values are cut off"),
            (field(1, b"\x0a\xff"), "a number is cut off"),
            (feature(field(9, b"\x0a\x7f") + tensor(2, [1.0])), "a length goes beyond the end"),
            (feature(b"\x12\x7f") + feature(tensor(2, [1.0])), "a length goes beyond the end"),
            (field(1, b"\x0a\x7f"), "a length goes beyond the end"),
            (b"\x0a" + b"\xff" * 10, "more than 10 bytes"),
            (b"\x02", "a field number is out of range"),
            (b"\x7f", "a wire type that does not exist"),
            (b"\x1c", "a group ends that has not begun"),
            (b"\x1b\x24", "a group ends that has not begun"),
            (b"\x1b", "a group does not end"),
            (b"\x1b" * 200, "nested too deeply"),
            (b"\x0d\x00", "a field is cut off"),
            (label(tensor(2, [1.0]), b"\xff"), "not UTF-8"),
            (b"".join(label(tensor(2), b"%d" % i) for i in range(257)), "more than 256 labels"),
        ],
    )
    def test_with_the_place(self, payload, what):
        with pytest.raises(FormatError, match=r"record 0, byte \d+: .*" + what):
            read(payload)

    @pytest.mark.parametrize(
        ("second", "what"),
        [
            (feature(tensor(2, [1.0, 2.0])), "has 2 elements, expected 1"),
            (feature(tensor(2, shape=[2])), "has 2 elements, expected 1"),
            (field(3, b"x" * 30), "no feature 'values', which the first one has"),
            (b"", "lacks a name that the first one has"),
            (ONE_ROW + label(tensor(2, [1.0])), "a label 'values', which the first one has not"),
        ],
    )
    def test_records_that_differ(self, second, what):
        with pytest.raises(FormatError, match=rf"record 2, byte \d+: .*{what}"):
            read(ONE_ROW, ONE_ROW, second, feature(b""))

    def test_another_number_of_features(self):
        with pytest.raises(FormatError, match=r"record 0, byte .* has 1 elements, expected 3"):
            read(ONE_ROW, n_features=3)
        with pytest.raises(FormatError, match="there are no features"):
            read(label(tensor(2, [1.0])), n_features=3)
        with pytest.raises(DataError, match="n_features"):
            read(ONE_ROW, n_features=-1)

    @pytest.mark.parametrize(
        ("raw", "place", "what"),
        [
            (b"PK\3\4 is another format", 0, "the magic number is missing"),
            (framed(ONE_ROW) + b"\x0a", 28, "inside a record's header: 1 of 8"),
            (framed(ONE_ROW)[:-1], 0, r"the file ends inside a record: \d+ of \d+"),
            (MAGIC + b"\xff\xff\xff\x1f", 0, "the file ends inside a record: 0 of 536870911"),
            (MAGIC + b"\0\0\0\xa0", 4, "flag of a record's part is 5"),
            (part(b"", 3), 4, "a part without a first part"),
            (part(b"", 2), 4, "a part without a first part"),
            (part(b"", 1) + framed(ONE_ROW), 12, "a record begins before the last part"),
            (part(b"", 1), 8, "ends inside a record of several parts"),
        ],
    )
    def test_frames(self, raw, place, what):
        for read_all in (recordio.read_recordio, lambda raw: list(recordio.split_records(raw))):
            with pytest.raises(FormatError, match=rf"record \d, byte {place}: .*{what}"):
                read_all(raw)

    def test_the_first_of_many_faults_is_told_at_any_number_of_threads(self):
        bad = feature(tensor(2, [1.0, 2.0]))
        raw = framed(*[ONE_ROW] * 5000, bad, *[ONE_ROW] * 5000, bad, *[bad] * 20_000)
        for n_jobs in (1, 2, 3):
            with pytest.raises(FormatError, match="record 5000,"):
                recordio.read_recordio(raw, n_jobs=n_jobs)
