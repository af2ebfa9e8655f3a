"""The codec against the contract's bytes, and against what protobuf and RecordIO say of odd ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from scipy import sparse

from factorec.errors import DataError, FormatError
from factorec.formats import recordio

MAGIC = (0xCED7230A).to_bytes(4, "little")
LABEL = "1212 0a06 76616c756573 1208 1206 0a04 0000803f"
SPARSE = "0a20 0a06 76616c756573 1216 1214 0a08 0000803f0000803f 1204 f305b009 1a02 c114" + LABEL
ZEROS = "0a10 0a06 76616c756573 1206 1204 1a02 c114" + LABEL
DENSE = "0a1a 0a06 76616c756573 1210 120e 0a0c 0000c03f 00000000 00000040"
RESPONSE = (
    "1211 0a05 73636f7265 1208 1206 0a04 cdcccc3e 121b 0a0f 7072656469637465645f6c6162656c 1208 1206 0a04 00000000"
)


def framed(*payloads):
    """Each payload, in hexadecimal or bytes, as a record."""
    raw = [bytes.fromhex(p.replace(" ", "")) if isinstance(p, str) else p for p in payloads]
    return b"".join(MAGIC + len(p).to_bytes(4, "little") + p + bytes(-len(p) % 4) for p in raw)


def written(X, y=None, **options):
    file = io.BytesIO()
    recordio.write_recordio(file, X, y, **options)
    return file.getvalue()


def csr(rows, dtype=np.float32):
    return sparse.csr_array(np.array(rows, dtype=dtype))


ONE = np.ones(1, dtype=np.float32)


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


def test_integers_beyond_int32_are_named():
    with pytest.raises(DataError, match="row 1 holds the integer 2147483648"):
        written(np.array([[1], [2**31]]))
