"""RecordIO-protobuf: ua.base as one-hot rows, between a CSR matrix and a file, beside the managed service's own SDK.

The SDK runs in a child process, in the environment that $FACTOREC_SDK_PYTHON names or that is built once in
build/bench. Both write to a file that is open; "by path" adds what makes a file appear whole: a flush to disk and a
rename.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sdk_environment import build_sdk, run_sdk

import workloads
from factorec.formats.recordio import read_recordio, write_recordio

WRITE = "CSR to recordio file, ua.base one-hot, 90,570 rows x 2,625"
READ = "recordio file to CSR, ua.base one-hot, 90,570 rows x 2,625"
SDK = "sagemaker SDK"
ROUNDS = 3

CHILD = """
import json, sys, time
import numpy as np
from scipy import sparse
from sagemaker.amazon.common import read_records, write_spmatrix_to_sparse_tensor

arrays, path, rounds = np.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
X = sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=arrays["shape"])

def write():
    with open(path, "wb") as file:
        write_spmatrix_to_sparse_tensor(file, X, arrays["y"])

def read():
    with open(path, "rb") as file:
        records = read_records(file)
    indptr, indices, data, y = [0], [], [], []
    for record in records:
        tensor = record.features["values"].float32_tensor
        indices.extend(tensor.keys)
        data.extend(tensor.values)
        indptr.append(len(indices))
        y.append(record.label["values"].float32_tensor.values[0])
    parts = np.array(data, np.float32), np.array(indices, np.int32), np.array(indptr, np.int32)
    return sparse.csr_matrix(parts, shape=(len(records), tensor.shape[0])), np.array(y, np.float32)

seconds = {"write": [], "read": []}
for _ in range(rounds):
    for name, work in (("write", write), ("read", read)):
        start = time.perf_counter()
        result = work()
        seconds[name].append(time.perf_counter() - start)
assert (result[0] != X).nnz == 0
print(json.dumps(seconds))
"""


@pytest.fixture(scope="module")
def rows():
    ratings = workloads.ua_base()
    n_rows = len(ratings.users)
    columns = np.column_stack([ratings.users, 943 + ratings.items]).astype(np.int32).ravel()
    indptr = np.arange(0, 2 * n_rows + 1, 2, dtype=np.int32)
    return sparse.csr_array((np.ones(2 * n_rows, np.float32), columns, indptr), shape=(n_rows, 2625)), ratings.likes


@pytest.fixture(scope="module")
def sdk_seconds(rows, tmp_path_factory):
    """Seconds of each round by direction; the file that it wrote."""
    X, y = rows
    folder = tmp_path_factory.mktemp("sdk")
    np.savez(folder / "rows.npz", data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)
    python = build_sdk(Path("build/bench").resolve())
    printed = run_sdk(python, CHILD, folder / "rows.npz", folder / "rows.pbr", ROUNDS, timeout=600)
    return json.loads(printed.splitlines()[-1]), (folder / "rows.pbr").read_bytes()


def test_write(contender, rows, tmp_path):
    path = tmp_path / "rows.pbr"

    def write():
        with path.open("wb") as file:
            write_recordio(file, *rows)

    contender(WRITE, "factorec", write, bars={SDK: 50.0}, rounds=15)
    assert path.stat().st_size == 5_796_480


def test_write_by_path(contender, rows, tmp_path):
    contender(WRITE, "factorec, by path", lambda: write_recordio(tmp_path / "rows.pbr", *rows), rounds=15)


def test_write_by_the_sdk(contender, rows, sdk_seconds, tmp_path):
    contender(WRITE, SDK, seconds=sdk_seconds[0]["write"])
    path = tmp_path / "rows.pbr"
    write_recordio(path, *rows)
    assert path.read_bytes() == sdk_seconds[1]


def test_read(contender, rows, tmp_path):
    path = tmp_path / "rows.pbr"
    write_recordio(path, *rows)
    records = contender(READ, "factorec", lambda: read_recordio(path), bars={SDK: 50.0}, rounds=15)
    assert (records.features != rows[0]).nnz == 0


def test_read_by_the_sdk(contender, sdk_seconds):
    contender(READ, SDK, seconds=sdk_seconds[0]["read"])
