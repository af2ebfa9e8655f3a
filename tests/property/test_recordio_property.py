"""What is written is read; anything else is read as its messages say or refused, in little memory."""

from __future__ import annotations

import contextlib
import io
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from record_bytes import feature, framed, label, part, tensor
from record_mutations import message, mutate
from scipy import sparse

from factorec import _core
from factorec.errors import FormatError
from factorec.formats import recordio

DTYPES = st.sampled_from(["float32", "float64", "int64"])
DTYPE_OF = {2: "float32", 3: "float64", 7: "int64"}  # by field number in a Value
INT32 = st.integers(-(2**31), 2**31 - 1)


def numbers(dtype, shape):
    return hnp.arrays(dtype, shape, elements=INT32 if dtype == "int64" else None)


@st.composite
def rows(draw):
    """A matrix and labels; of a sparse one the entries are in any order, some are 0 and some come twice."""
    n_rows, dtype, label_dtype = draw(st.integers(0, 20)), draw(DTYPES), draw(DTYPES)
    n_columns = draw(st.integers(0, 6) | st.sampled_from([2**31, 2**62]))
    y = draw(st.none() | numbers(label_dtype, n_rows))
    if n_columns <= 6 and draw(st.booleans()):
        return draw(numbers(dtype, (n_rows, n_columns))), y
    lengths = draw(hnp.arrays(np.int64, n_rows, elements=st.integers(0, 4 if n_columns else 0)))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = draw(hnp.arrays(np.int64, int(indptr[-1]), elements=st.integers(0, max(0, n_columns - 1))))
    return sparse.csr_array((draw(numbers(dtype, int(indptr[-1]))), indices, indptr), shape=(n_rows, n_columns)), y


def assert_same(features, X):
    assert sparse.issparse(features) == sparse.issparse(X)
    assert features.shape == X.shape
    for part_of in ("indptr", "indices", "data") if sparse.issparse(X) else ("real",):
        np.testing.assert_array_equal(getattr(features, part_of), getattr(X, part_of))
    assert features.dtype == X.dtype


@settings(max_examples=300, deadline=None)
@given(data=rows(), batch=st.integers(1, 7), n_jobs=st.integers(1, 3))
def test_what_is_written_is_read(data, batch, n_jobs):
    X, y = data
    file = io.BytesIO()
    recordio.write_recordio(file, X, y, n_jobs=n_jobs)
    raw = file.getvalue()
    records = recordio.read_recordio(raw, n_jobs=n_jobs, n_features=X.shape[1])
    if not X.shape[0]:
        assert raw == b""
        assert records.n_rows == 0
        return
    assert_same(records.features, X)
    np.testing.assert_array_equal(records.y, y)

    pieces = list(recordio.iter_recordio(io.BytesIO(raw), rows_per_batch=batch))
    assert {piece.n_rows for piece in pieces[:-1]} <= {batch}
    stack = sparse.vstack if sparse.issparse(X) else np.vstack
    assert_same(stack([piece.features for piece in pieces]), X)
    assert b"".join(recordio.split_records(io.BytesIO(raw))) == raw

    again = io.BytesIO()
    with recordio.RecordIOWriter(again) as writer:
        for begin in range(0, X.shape[0], batch):
            writer.write(X[begin : begin + batch], None if y is None else y[begin : begin + batch])
    # scipy's slices keep the order of entries, so that even the bytes are the same
    assert again.getvalue() == raw


def reference(raw):
    """The same arrays record by record from the messages, or None where the rules of `iter_recordio` are broken."""
    try:
        messages = _core.recordio_messages(raw, 0, len(raw), 0, 0)
        table: dict[tuple[bool, str], list] = {}
        for number, (features, labels, *_) in enumerate(messages):
            found = {(is_label, name.decode()): v for is_label in (0, 1) for name, v in (features, labels)[is_label]}
            if (number and found.keys() != table.keys()) or not {name for is_l, name in found if not is_l} <= {
                "values"
            }:
                return None
            for key, value in found.items():
                table.setdefault(key, []).append(value)
    except ValueError:
        return None
    columns = {key: reference_column(values) for key, values in table.items()}
    return None if any(column is None for column in columns.values()) else (len(messages), columns)


def reference_column(column):
    """(elements of a tensor, the set of types, per record its entries or, for a dense one, its elements)."""
    kinds, widths, contents = set(), set(), []
    for kind, values, keys, shape, *_ in column:
        if kind not in DTYPE_OF:
            return None
        product = int(np.prod(np.array(shape, dtype=object)))
        is_sparse = bool(keys) or (bool(shape) and not values)
        if product >= 2**63:
            return None
        if keys and (len(keys) != len(values) or not shape or max(keys) >= product):
            return None
        if not is_sparse and shape and product != len(values):
            return None
        kinds.add(kind)
        widths.add(product if shape else len(values))
        contents.append(list(zip(keys, values, strict=True)) if is_sparse else np.array(values))
    return (widths.pop(), kinds, contents) if len(widths) == 1 else None


def check(raw):
    """Whether the bytes are read; they are exactly if the reference reads them, and to the same arrays."""
    expected = reference(raw)
    try:
        records = recordio.read_recordio(raw)
    except FormatError:
        assert expected is None, raw.hex()
        return False
    assert expected is not None, raw.hex()
    n_rows, columns = expected
    assert records.n_rows == n_rows
    assert records.labels.keys() == {name for is_label, name in columns if is_label}
    for (is_label, name), (width, kinds, contents) in columns.items():
        array = records.labels[name] if is_label else records.features
        assert array.dtype == (DTYPE_OF[min(kinds)] if len(kinds) == 1 else "float64")
        assert sparse.issparse(array) == any(isinstance(content, list) for content in contents)
        assert array.shape == ((n_rows,) if is_label and width == 1 and array.ndim == 1 else (n_rows, width))
        for row, content in enumerate(contents):
            if not sparse.issparse(array):
                np.testing.assert_array_equal(np.atleast_1d(array[row]), content)
                continue
            begin, end = array.indptr[row : row + 2]
            entries = content if isinstance(content, list) else [(i, v) for i, v in enumerate(content) if v != 0]
            assert array.indices[begin:end].tolist() == [key for key, _ in entries]
            np.testing.assert_array_equal(array.data[begin:end], [value for _, value in entries])
    for piece in recordio.iter_recordio(raw, rows_per_batch=2):
        assert piece.n_rows
    return True


def alike(rng):
    """A file of records that a reader takes: the same names and widths, tensors of several kinds and layouts."""
    width, has_labels = int(rng.choice([1, 3, 200, 2**40])), rng.random() < 0.5
    kinds = [2] if rng.random() < 0.7 else [2, 3, 7]
    payloads = []
    for _ in range(rng.integers(1, 6)):
        kind = int(rng.choice(kinds))
        n = width if width <= 3 and rng.random() < 0.3 else int(rng.integers(0, min(width, 5) + 1))
        values = rng.integers(-3, 4, n).tolist()
        if n == width:
            value = tensor(kind, values, packed=rng.random() < 0.7)
        else:
            value = tensor(kind, values, rng.integers(0, width, n).tolist(), [width], packed=rng.random() < 0.7)
        payloads.append(feature(value) + (label(tensor(2, [1.0])) if has_labels else b""))
    return payloads


def tampered(rng):
    """Messages tampered with inside of sound frames, or a file tampered with."""
    payloads = alike(rng) if rng.random() < 0.7 else [message(rng) for _ in range(rng.integers(1, 4))]
    at = int(rng.integers(0, len(payloads)))
    match rng.integers(0, 5):
        case 0:
            payloads[at] = mutate(payloads[at], rng)
        case 1:
            payloads[at] = payloads[int(rng.integers(0, len(payloads)))] + mutate(payloads[at], rng)
        case 2:
            cut = int(rng.integers(0, len(payloads[at]) + 1))
            parts = part(payloads[at][:cut], 1) + part(payloads[at][cut:], 3)
            return framed(*payloads[:at]) + parts + framed(*payloads[at + 1 :])
        case 3:
            return mutate(framed(*payloads), rng)
    return framed(*payloads)


@contextlib.contextmanager
def memory_limit(n_bytes):
    """Let the process take no more than that beside what it has."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def fuzz(n, seed):
    rng = np.random.default_rng(seed)
    with memory_limit(1 << 28):
        read = sum(check(tampered(rng)) for _ in range(n))
    print(f"{n} files from seed {seed}: {read} read, {n - read} refused")
    assert 0.1 * n < read < 0.8 * n


def test_thousands_of_tampered_files():
    fuzz(4000, 20240229)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_many_more_tampered_files(seed):
    fuzz(25_000, seed)


@settings(max_examples=500, deadline=None)
@given(raw=st.binary(max_size=60), flag=st.integers(0, 3))
def test_any_bytes_in_a_frame(raw, flag):
    check(part(raw, flag))
