"""The SDK's own writer, reader and protobuf message as oracles, in both directions."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from record_bytes import framed
from record_mutations import has_strange_entry, mutate_payload
from scipy import sparse
from sdk_environment import run_sdk

from factorec.formats import recordio
from factorec.sagemaker import records

WRITE = """
import io, pathlib, sys
import numpy as np
from scipy import sparse
from sagemaker.amazon.common import write_numpy_to_dense_tensor, write_spmatrix_to_sparse_tensor

folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.glob("*.npz")):
    case = np.load(path)
    y = case["y"] if "y" in case else None
    with open(path.with_suffix(".pbr"), "wb") as file:
        if "dense" in case:
            write_numpy_to_dense_tensor(file, case["dense"], y)
        else:
            parts = case["data"], case["indices"], case["indptr"]
            write_spmatrix_to_sparse_tensor(file, sparse.csr_matrix(parts, shape=case["shape"]), y)
"""

# What a record holds, as JSON. A float is told by its bits: not every one is equal to itself.
DUMP = """
import struct

def text(value):
    if isinstance(value, bytes):  # what protobuf gives where a text is not UTF-8; we refuse it
        raise ValueError("not UTF-8")
    return value

def dump(record):
    def dump_value(value):
        which = value.WhichOneof("value")
        if which is None:
            return None
        field = getattr(value, which)
        if which == "bytes":
            return [which, [b.hex() for b in field.value], text(field.content_type)]
        numbers = [v if isinstance(v, int) else struct.pack("<d", v).hex() for v in field.values]
        return [which, numbers, list(field.keys), list(field.shape)]

    def dump_map(map):
        return {text(name): dump_value(map[name]) for name in sorted(map)}

    texts = [text(getattr(record, name)) for name in ("uid", "metadata", "configuration")]
    return [dump_map(record.features), dump_map(record.label), *texts]
"""

READ = (
    DUMP
    + """
import json, sys
from sagemaker.amazon.common import read_records

with open(sys.argv[1], "rb") as file:
    print(json.dumps([dump(record) for record in read_records(file)]))
"""
)

PARSE = (
    DUMP
    + """
import json, pathlib, sys
from sagemaker.amazon.record_pb2 import Record

def parse(payload):
    record = Record()
    try:
        record.ParseFromString(payload)
        return dump(record)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

print(json.dumps([parse(bytes.fromhex(line)) for line in pathlib.Path(sys.argv[1]).read_text().split("\\n")]))
"""
)

exec(DUMP)  # for our own objects, which have the same attributes


def told(printed):
    """The last line: the SDK prints where it looked for its configuration first."""
    return json.loads(printed.splitlines()[-1])


def random_csr(rng, dtype, n_rows=40, n_columns=30_000):
    """Rows of 0 to 9 entries, unsorted, with entries that are 0 and columns that come twice."""
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 10, n_rows))])
    indices = rng.integers(0, n_columns, indptr[-1])
    indices[1::7] = indices[::7][: len(indices[1::7])]
    data = rng.integers(-(2**31), 2**31, indptr[-1]).astype(dtype)
    data[::5] = 0
    return sparse.csr_matrix((data, indices, indptr), shape=(n_rows, n_columns))


def cases():
    rng = np.random.default_rng(0)
    labels = {"int64": rng.integers(-(2**31), 2**31, 40), "float64": rng.normal(size=40)}
    labels["float32"] = labels["float64"].astype(np.float32)
    for number, (name, y) in enumerate([*labels.items(), ("none", None)]):
        dtype = ["int64", "float64", "float32", "float32"][number]
        yield f"sparse-{dtype}-{name}", random_csr(rng, dtype), y
        yield f"dense-{dtype}-{name}", rng.integers(-(2**31), 2**31, (40, 7)).astype(dtype), y
    yield "no-rows", np.empty((0, 3), dtype=np.float32), None
    yield "no-columns", np.empty((40, 0), dtype=np.float32), labels["float32"]
    yield "sparse-no-columns", sparse.csr_matrix((40, 0), dtype=np.float32), labels["float32"]
    yield "sparse-zeros", sparse.csr_matrix((40, 2625), dtype=np.float32), labels["float32"]
    yield "huge-columns", sparse.csr_matrix(([1.5], [2**40], [0, 1]), shape=(1, 2**40 + 1)), None
    yield "odd-numbers", np.array([[np.nan, np.inf, -np.inf, -0.0, 5e-324]]), None
    yield "wide", rng.normal(size=(3, 100_000)), None


CASES = list(cases())


@pytest.fixture(scope="module")
def sdk_files(sdk_python, tmp_path_factory):
    """What the SDK writes of each case."""
    folder = tmp_path_factory.mktemp("sdk")
    for name, X, y in CASES:
        labels = {} if y is None else {"y": y}
        if sparse.issparse(X):
            arrays = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
        else:
            arrays = {"dense": X}
        np.savez(folder / f"{name}.npz", **arrays, **labels)
    run_sdk(sdk_python, WRITE, folder)
    return {name: (folder / f"{name}.pbr").read_bytes() for name, _, _ in CASES}


@pytest.mark.parametrize(("name", "X", "y"), CASES, ids=[name for name, _, _ in CASES])
class TestAgainstTheSdk:
    def test_the_same_bytes(self, sdk_files, name, X, y):
        write = records.write_spmatrix_to_sparse_tensor if sparse.issparse(X) else records.write_numpy_to_dense_tensor
        for writer in (write, recordio.write_recordio):
            file = io.BytesIO()
            writer(file, X, y)
            assert file.getvalue() == sdk_files[name]

    def test_its_file_is_read(self, sdk_files, name, X, y):
        read = recordio.read_recordio(sdk_files[name])
        if not X.shape[0]:
            assert read.n_rows == 0
            return
        assert read.features.shape == X.shape
        assert read.features.dtype == X.dtype
        if sparse.issparse(X):
            for part in ("indptr", "indices", "data"):
                np.testing.assert_array_equal(getattr(read.features, part), getattr(X, part))
        else:
            np.testing.assert_array_equal(read.features, X)
        if y is None:
            assert read.y is None
        else:
            np.testing.assert_array_equal(read.y, y, strict=True)


def test_the_sdk_reads_ours(sdk_python, tmp_path):
    path = tmp_path / "all.pbr"
    with path.open("wb") as file:
        for _, X, y in CASES:
            recordio.write_recordio(file, X, y)
        file.write(recordio.encode_labels({"score": [0.4, 0.7], "distances": np.eye(2), "": [1.0, 2.0]}))
    theirs = told(run_sdk(sdk_python, READ, path))
    ours = [dump(record) for record in records.read_records(path)]  # noqa: F821
    assert len(theirs) == sum(X.shape[0] for _, X, _ in CASES) + 2
    assert ours == theirs


def parse_here(payload):
    """As PARSE does there."""
    try:
        return dump(records.read_records(framed(payload))[0])  # noqa: F821
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


def test_protobuf_parses_mutations_alike(sdk_python, tmp_path):
    """Whatever is done to a message, what protobuf refuses is refused, and what is read is what protobuf reads."""
    rng = np.random.default_rng(5)
    payloads = [mutate_payload(rng) for _ in range(4000)]
    path = tmp_path / "payloads"
    path.write_text("\n".join(payload.hex() for payload in payloads))
    theirs = told(run_sdk(sdk_python, PARSE, path))
    ours = [parse_here(payload) for payload in payloads]
    wrong, alike = [], 0
    for payload, our, their in zip(payloads, ours, theirs, strict=True):
        if isinstance(our, str) or isinstance(their, str):
            as_it_must_be = isinstance(our, str) and isinstance(their, str)
        else:
            as_it_must_be = our == their
            alike += as_it_must_be
        if not as_it_must_be and (isinstance(their, str) or not has_strange_entry(payload)):
            wrong.append((payload.hex(), our, their))
    assert not wrong
    assert 1000 < alike < 3500
