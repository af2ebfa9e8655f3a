"""Serialised indexes: the bytes of FAISS 1.15 as constants, and FAISS itself where it is installed."""

import importlib.util
import io

import numpy as np
import pytest

from factorec.errors import DataError, FormatError
from factorec.formats.faiss_index import read_faiss_index, write_faiss_index

X = np.arange(6, dtype=np.float32).reshape(3, 2)
HEADER = "020000000300000000000000000010000000000000001000000000000"
VALUES = "0600000000000000000000000000803f0000004000004040000080400000a040"
FLAT = {
    "INNER_PRODUCT": bytes.fromhex("49784649" + HEADER + "100000000" + VALUES),
    "L2": bytes.fromhex("49784632" + HEADER + "101000000" + VALUES),
}
# Two lists, [0, 2) and [2, 3) of X, a line each: header, centroids, no direct map, sizes, codes and ids.
IVF_FULL = bytes.fromhex(
    "4977466c" + HEADER + "10100000002000000000000000100000000000000"
    "497846320200000002000000000000000000100000000000000010000000000001010000000400000000000000"
    "000000000000000000008040 0000a040 00 0000000000000000"
    "696c6172 0200000000000000 0800000000000000 66756c6c 0200000000000000 0100000000000000 0200000000000000"
    "000000000000803f 0000000000000000"
    "0000004000004040000080400000a040 01000000000000000200000000000000"
)
IVF_SPARSE = bytes.fromhex(
    "4977466c" + HEADER + "10000000004000000000000000100000000000000"
    "497846490200000004000000000000000000100000000000000010000000000001000000000800000000000000"
    "54bd853eb81c773f256f263f9083423f81b17c3f350d243ea1265b3f3552043f 00 0000000000000000"
    "696c6172 0400000000000000 0800000000000000 73707273 0400000000000000"
    "0000000000000000 0100000000000000 0100000000000000 0200000000000000"
    "000000000000803f 0000000000000000"
    "0000004000004040000080400000a040 01000000000000000200000000000000"
)


def written(vectors, metric):
    file = io.BytesIO()
    write_faiss_index(file, vectors, metric)
    return file.getvalue()


@pytest.mark.parametrize("metric", ["INNER_PRODUCT", "L2"])
def test_flat_indexes_are_faiss_bytes(metric):
    assert written(X, metric) == FLAT[metric]
    vectors, read = read_faiss_index(FLAT[metric])
    np.testing.assert_array_equal(vectors, X)
    assert read == metric
    assert vectors.flags.writeable


@pytest.mark.parametrize(("raw", "metric"), [(IVF_FULL, "L2"), (IVF_SPARSE, "INNER_PRODUCT")])
def test_inverted_files_of_whole_vectors(raw, metric):
    vectors, read = read_faiss_index(raw)
    np.testing.assert_array_equal(vectors, X)
    assert read == metric


def patched(raw, old, new, count=1):
    assert raw.count(bytes.fromhex(old)) >= 1
    return raw.replace(bytes.fromhex(old), bytes.fromhex(new), count)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "offset 0: the kind of the index needs 4 bytes, 0 are left"),
        (b"IwPQ" + FLAT["L2"][4:], "offset 0: b'IwPQ' is an inverted file of product-quantised.*faiss.Flat"),
        (b"hello world", "offset 0: b'hell' is not an index"),
        (FLAT["L2"][:-1], "offset 45: values need 24 bytes, 23 are left"),
        (FLAT["L2"] + b"x", "offset 69: 1 bytes follow the end"),
        (b"IxFI" + FLAT["L2"][4:], "has the metric L2"),
        (patched(FLAT["L2"], "0101000000", "0102000000"), "offset 33: metric 2"),
        (patched(FLAT["L2"], "0101000000", "0001000000"), "offset 32: the index is not trained"),
        (patched(FLAT["L2"], "0300000000000000", "0300000000000070"), "6 values for"),
        (patched(FLAT["L2"], "02000000", "00000000"), "offset 4: 3 vectors of dimension 0"),
        (patched(FLAT["L2"], "0300000000000000", "ffffffffffffffff"), "offset 4: -1 vectors"),
        (patched(IVF_FULL, "696c6172", "696c6f64"), "the lists are not in the file"),
        (patched(IVF_FULL, "66756c6c", "66756c6d"), "have the form"),
        (patched(IVF_FULL, "66756c6c0200", "66756c6c0300"), "3 sizes for 2 lists|size"),
        (IVF_FULL[:-8] + bytes(8), "ids must be 0 to 2, each once"),
        (IVF_FULL[:-8] + b"\xff" * 8, "ids must be 0 to 2, each once"),
        (IVF_FULL[:-16] + IVF_FULL[-8:] * 2, "ids must be 0 to 2, each once"),
        (IVF_FULL[:-8], "do not fill"),
        (
            patched(IVF_SPARSE, "01000000000000000200000000000000", "00000000000000000200000000000000"),
            "lists must ascend",
        ),
    ],
)
def test_what_is_no_index_is_refused_with_its_place(raw, message):
    with pytest.raises(FormatError, match=message):
        read_faiss_index(raw)


def test_what_cannot_be_written():
    with pytest.raises(DataError, match="metric is 'COSINE'"):
        written(X, "COSINE")
    for vectors in (X.astype(float), X[0], X[:, :0]):
        with pytest.raises(DataError, match="vectors must be a float32 array"):
            written(vectors, "L2")


def test_every_truncation_and_thousands_of_mutations():
    rng = np.random.default_rng(0)
    counts = {"read": 0, "refused": 0}

    def run(raw):
        try:
            vectors, _ = read_faiss_index(raw)
        except FormatError:
            counts["refused"] += 1
        else:
            counts["read"] += 1
            assert vectors.dtype == np.float32
            assert vectors.nbytes <= len(raw)

    originals = [*FLAT.values(), IVF_FULL, IVF_SPARSE]
    for raw in originals:
        for size in range(len(raw)):
            run(raw[:size])
    assert counts["read"] == 0
    for _ in range(4000):
        raw = bytearray(originals[rng.integers(len(originals))])
        for _ in range(rng.integers(1, 3)):
            at = int(rng.integers(len(raw)))
            match rng.integers(3):
                case 0:
                    raw[at] = rng.integers(256)
                case 1:
                    raw[at : at + 8] = int(rng.integers(-3, 9)).to_bytes(8, "little", signed=True)
                case _:
                    raw[at : at + 8] = rng.bytes(8)
        run(bytes(raw))
    assert sum(counts.values()) == 4000 + sum(map(len, originals))
    assert counts["read"] > 200  # changed values


@pytest.mark.skipif(not importlib.util.find_spec("faiss"), reason="the constants above are what FAISS writes")
def test_faiss_reads_and_writes_the_same():
    import faiss

    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(200, 5)).astype(np.float32)
    for metric, index in (("INNER_PRODUCT", faiss.IndexFlatIP(5)), ("L2", faiss.IndexFlatL2(5))):
        index.add(vectors)
        assert faiss.serialize_index(index).tobytes() == written(vectors, metric)
    inverted = faiss.IndexIVFFlat(faiss.IndexFlatL2(5), 5, 4)
    inverted.train(vectors)
    inverted.add(vectors)
    for kind in (faiss.DirectMap.NoMap, faiss.DirectMap.Array, faiss.DirectMap.Hashtable):
        inverted.set_direct_map_type(kind)
        np.testing.assert_array_equal(read_faiss_index(faiss.serialize_index(inverted).tobytes())[0], vectors)
