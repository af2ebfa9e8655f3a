"""Reading in batches, and writing: files, dtypes, errors."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from record_bytes import feature, framed, label, tensor
from scipy import sparse

from factorec.errors import DataError, FormatError
from factorec.formats import recordio

ONE_ROW = feature(tensor(2, [1.0]))


def written(X, y=None, **options):
    file = io.BytesIO()
    recordio.write_recordio(file, X, y, **options)
    return file.getvalue()


def csr(rows, dtype=np.float32):
    return sparse.csr_array(np.array(rows, dtype=dtype))


def random_rows(n_rows=3000, n_columns=500, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n_rows, n_columns), density=0.01, format="csr", rng=rng, dtype=np.float64).astype(dtype)
    return X, rng.integers(0, 2, n_rows).astype(np.float32)


class TestStreams:
    def test_batches_of_a_file_that_gives_a_little_at_a_time(self, tmp_path):
        X, y = random_rows()
        path = tmp_path / "rows.pbr"
        recordio.write_recordio(path, X, y)

        class Dripping(io.BytesIO):
            def read(self, n):
                return super().read(min(n, 777))

        batches = list(recordio.iter_recordio(Dripping(path.read_bytes()), rows_per_batch=1024))
        assert [batch.n_rows for batch in batches] == [1024, 1024, 952]
        assert (sparse.vstack([batch.features for batch in batches]) != X).nnz == 0
        assert np.array_equal(np.concatenate([batch.y for batch in batches]), y)
        for batch in (1, 10**9):
            assert sum(b.n_rows for b in recordio.iter_recordio(path, rows_per_batch=batch)) == 3000
        with pytest.raises(DataError, match="rows_per_batch"):
            recordio.iter_recordio(path, rows_per_batch=0)

    def test_errors_name_the_file_and_count_across_batches(self, tmp_path):
        path = tmp_path / "rows.pbr"
        good = framed(ONE_ROW)
        path.write_bytes(good * 10 + framed(feature(tensor(2, [1.0, 2.0]))))
        batches = recordio.iter_recordio(path, rows_per_batch=4)
        assert [next(batches).n_rows for _ in range(2)] == [4, 4]
        with pytest.raises(FormatError, match=rf"rows.pbr: record 10, byte {10 * len(good) + 10}"):
            next(batches)
        labelled = framed(ONE_ROW + label(tensor(2, [1.0])))
        with pytest.raises(FormatError, match=r"records from 1 .* labels"):
            list(recordio.iter_recordio(labelled + good, rows_per_batch=1))

    def test_large_file_in_little_memory(self, tmp_path):
        path = tmp_path / "rows.pbr"
        X = np.ones((2000, 1000), dtype=np.float32)
        with recordio.RecordIOWriter(path) as writer:
            for _ in range(10):
                writer.write(X)
        assert writer.n_rows == 20_000
        tracemalloc.start()
        try:
            assert sum(batch.n_rows for batch in recordio.iter_recordio(path, rows_per_batch=100)) == 20_000
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert path.stat().st_size > 80e6
        assert peak < 25e6

    def test_many_batches_join(self):
        file = io.BytesIO()
        with recordio.RecordIOWriter(file) as writer:
            X, y = random_rows(70_000, 40)
            writer.write(X, y)
            writer.write(X[:5].toarray(), y[:5])
        records = recordio.read_recordio(file.getvalue())
        assert records.n_rows == 70_005
        assert (records.features != sparse.vstack([X, X[:5]])).nnz == 0
        assert np.array_equal(records.y, np.concatenate([y, y[:5]]))

    def test_text_files_and_other_things_are_refused(self):
        with pytest.raises(DataError, match="binary mode"):
            recordio.read_recordio(io.StringIO("text"))
        with pytest.raises(DataError, match="path, a binary file or bytes"):
            recordio.read_recordio(7)


class TestWriting:
    def test_the_same_bytes_at_any_number_of_threads_and_in_any_pieces(self):
        X, y = random_rows(30_000, 2000)
        whole = written(X, y, n_jobs=1)
        assert written(X, y, n_jobs=2) == whole
        file = io.BytesIO()
        with recordio.RecordIOWriter(file) as writer:
            for begin in range(0, 30_000, 7000):
                writer.write(X[begin : begin + 7000], y[begin : begin + 7000])
        assert file.getvalue() == whole

    def test_nothing_is_left_of_a_file_that_failed(self, tmp_path):
        path = tmp_path / "rows.pbr"
        path.write_bytes(b"old")
        with pytest.raises(DataError, match="row 1 holds"):
            recordio.write_recordio(path, np.array([[1], [2**31]]))
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("X", "y", "what"),
        [
            (np.ones(3), None, "X must have 2 dimensions, not 1"),
            (np.ones((2, 2)), np.ones(3), "y has 3 entries, X has 2 rows"),
            (np.ones((2, 2)), np.ones((2, 1)), "y must have 1 dimensions"),
            (np.array([["a"]]), None, "X is <U1"),
            (np.array([[1j]]), None, "X is complex128"),
            (np.array([[2**63]], dtype=np.uint64), None, "9223372036854775808"),
            (np.ones((1, 1)), [-(2**31) - 1], "row 0 holds the integer -2147483649"),
        ],
    )
    def test_refused(self, X, y, what):
        with pytest.raises(DataError, match=what):
            written(X, y)

    def test_indices_outside_of_the_matrix(self):
        X = csr(np.eye(3))
        X.indices[1] = 3
        with pytest.raises(DataError, match=r"row 1 has column 3, outside 0\.\.2"):
            written(X)
        X = csr(np.eye(3))
        X.indptr[2] = 99
        with pytest.raises(DataError, match="row 1: indptr goes from 1 to 99"):
            written(X)

    def test_dtypes(self):
        for dtype, back in [("float16", "float32"), ("uint8", "int64"), ("bool", "int64"), (">f8", "float64")]:
            X = np.array([[1, 0]], dtype=dtype)
            features = recordio.read_recordio(written(X)).features
            assert features.dtype == back
            assert features.tolist() == [[1, 0]]
            assert written(sparse.csr_array(X.astype("float32"))) == written(csr([[1, 0]]))
        as_float = recordio.read_recordio(written(np.array([[1]]), [3], dtype="float32", label_dtype="float64"))
        assert as_float.features.dtype == np.float32
        assert as_float.y.dtype == np.float64
        with pytest.raises(DataError, match="cannot be written as int64"):
            written(np.array([[0.5]]), dtype="int64")
        with pytest.raises(DataError, match="dtype must be"):
            written(np.array([[0.5]]), dtype="float16")

    def test_a_writer_keeps_to_one_form(self):
        file = io.BytesIO()
        with recordio.RecordIOWriter(file) as writer:
            writer.write(np.ones((1, 2)))
            with pytest.raises(DataError, match="3 columns without labels, the rows before have 2 columns without"):
                writer.write(np.ones((1, 3)))
            with pytest.raises(DataError, match="with labels"):
                writer.write(np.ones((1, 2)), [1])
        with pytest.raises(DataError, match="with block"):
            writer.write(np.ones((1, 2)))

    def test_labels_alone(self):
        body = recordio.encode_labels({"distances": np.eye(2), "labels": [[7, 8], [9, 10]]})
        labels = recordio.read_recordio(body).labels
        np.testing.assert_array_equal(labels["distances"], np.eye(2, dtype=np.float32), strict=True)
        np.testing.assert_array_equal(labels["labels"], np.float32([[7, 8], [9, 10]]), strict=True)
        with pytest.raises(DataError, match="one length"):
            recordio.encode_labels({"a": [1.0], "b": [1.0, 2.0]})
        with pytest.raises(DataError, match="one length"):
            recordio.encode_labels({})
