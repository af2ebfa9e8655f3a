"""Tables in files: values come back, errors are clear, nothing is half-written (promises 5 and 6)."""

import csv
import json
import os
import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factorec import _atomic
from factorec.errors import DataError
from factorec.sinks import SUFFIXES, open_sink, write_table

TITLES = [
    "Heat",
    "Good, the Bad and the Ugly, The",
    'The "Quoted"',
    "two\nlines\r\nand a return\r.",
    "日本語 😀 é",
    "a lone\rreturn",
    "",
    "100% {braces} \\ back",
    None,
]
COLUMNS = {
    "user_id": np.arange(9, dtype=np.int64) - 4,
    "item_id": np.array([f"tt{i}" for i in range(9)]),
    "rank": np.arange(9, dtype=np.int32),
    "title": np.array(TITLES, dtype=object),
    "score": np.linspace(-3, 1e-6, 9).astype(np.float32),
    "seen": np.arange(9) % 2 == 0,
}


def read(path):
    """Rows as dicts of Python values; numbers in CSV by the type of the column in COLUMNS."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        lines = path.read_bytes().decode().split("\n")
        assert lines.pop() == ""
        return [json.loads(line) for line in lines]
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"table{request.param}"


def expected_rows(path, columns=COLUMNS):
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*map(list, columns.values()), strict=True)]
    if path.suffix == ".csv":
        text = {None: "", True: "true", False: "false"}
        return [
            {k: text.get(v, str(v)) if k not in ("user_id", "rank") else str(v) for k, v in r.items()} for r in rows
        ]
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in rows]


def test_values_come_back(path):
    write_table(COLUMNS, path)
    got = read(path)
    if path.suffix == ".jsonl":  # shortest digits: equal as float32
        for row in got:
            row["score"] = float(np.float32(row["score"]))
    assert got == expected_rows(path)


def test_pieces_make_the_same_file(path):
    write_table(COLUMNS, path)
    whole = read(path)
    with open_sink(path) as sink:
        for start in range(0, 9, 4):
            sink.write({name: array[start : start + 4] for name, array in COLUMNS.items()})
        sink.write({name: array[:0] for name, array in COLUMNS.items()})
    assert read(path) == whole


def test_many_rows(path):
    """More rows than any buffer holds."""
    n = 300_000
    with open_sink(path) as sink:
        for start in range(0, n, 100_000):
            rows = np.arange(start, start + 100_000)
            sink.write({"id": rows, "score": (rows / 7).astype(np.float32)})
    got = read(path)
    assert [int(row["id"]) for row in got] == list(range(n))
    np.testing.assert_array_equal(
        np.array([float(row["score"]) for row in got], np.float32), (np.arange(n) / 7).astype(np.float32)
    )


def test_other_readers_agree(path):
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    columns = {name: array[:8] for name, array in COLUMNS.items()}
    write_table(columns, path)
    readers = {
        ".csv": (lambda p: pandas.read_csv(p, keep_default_na=False), polars.read_csv),
        ".jsonl": (lambda p: pandas.read_json(p, lines=True), polars.read_ndjson),
        ".parquet": (pandas.read_parquet, polars.read_parquet),
    }
    for reader in readers[path.suffix]:
        table = reader(path)
        assert list(table["title"]) == TITLES[:8]
        assert list(table["user_id"]) == columns["user_id"].tolist()
        np.testing.assert_array_equal(np.asarray(table["score"], np.float32), columns["score"])


def test_types_of_parquet(tmp_path):
    write_table(COLUMNS | {"half": np.ones(9, np.float16), "none": [None] * 9}, tmp_path / "t.parquet")
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "user_id": pa.int64(),
        "item_id": pa.string(),
        "rank": pa.int32(),
        "title": pa.string(),
        "score": pa.float32(),
        "seen": pa.bool_(),
        "half": pa.float32(),
        "none": pa.string(),
    }


def test_small_pieces_share_a_row_group(tmp_path):
    path = tmp_path / "t.parquet"
    with open_sink(path) as sink:
        for i in range(200):
            sink.write({"a": [i]})
    assert pq.ParquetFile(path).num_row_groups == 1


def test_numbers_that_are_not_finite(path):
    """Documented: null in JSON, empty in CSV, themselves in Parquet."""
    values = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32)
    objects = np.array([float("nan"), None, "x", ""], dtype=object)
    write_table({"v": values, "o": objects}, path)
    got = read(path)
    if path.suffix == ".jsonl":
        assert got == [
            {"v": None, "o": None},
            {"v": None, "o": None},
            {"v": None, "o": "x"},
            {"v": 0.5, "o": ""},
        ]
    elif path.suffix == ".csv":
        assert path.read_text() == 'v,o\n,\n,\n,x\n0.5,""\n'
    else:
        np.testing.assert_array_equal([row["v"] for row in got], values)
        assert [row["o"] for row in got] == [None, None, "x", ""]


def test_floats_are_written_short(tmp_path):
    write_table(
        {"a": np.array([0.1, 1e-8, 3e20, -0.0], np.float32), "b": [0.1, 1 / 3, 1e300, 2.0]},
        tmp_path / "t.csv",
    )
    assert (tmp_path / "t.csv").read_text().splitlines()[1:] == [
        "0.1,0.1", "1e-08,0.3333333333333333", "3e+20,1e+300", "-0.0,2.0",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["", None])
def test_single_column_has_no_empty_line(tmp_path, value):
    write_table({"only": np.array([value, "b"], dtype=object)}, tmp_path / "t.csv")
    assert len(read(tmp_path / "t.csv")) == 2


def test_odd_column_names(path):
    name = '100% "a", {b}\n'
    write_table({name: [1, 2], "é": ["x", "y"]}, path)
    assert [str(row[name]) for row in read(path)] == ["1", "2"]
    assert [row["é"] for row in read(path)] == ["x", "y"]


def test_no_rows_and_no_writes(path):
    write_table({"a": np.zeros(0, np.float32), "b": np.array([], dtype=object)}, path)
    assert read(path) == []
    if path.suffix == ".csv":
        assert path.read_text() == "a,b\n"
    with open_sink(path):
        pass
    assert read(path) == []


def test_ids_beyond_double_keep_their_digits(path):
    ids = np.array([2**63 - 1, -(2**63), 2**53 + 1])
    write_table({"id": ids, "object": np.array(ids.tolist(), dtype=object)}, path)
    assert [int(row["id"]) for row in read(path)] == ids.tolist()
    assert [int(row["object"]) for row in read(path)] == ids.tolist()


def test_suffix_in_capitals_and_path_as_string(tmp_path):
    write_table({"a": [1]}, str(tmp_path / "T.JSONL"))
    assert (tmp_path / "T.JSONL").read_text() == '{"a": 1}\n'


# ---- errors ----


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "at least one column"),
        ({1: [1]}, "column names must be strings, got 1"),
        ({"a": [1], "b": [1, 2]}, "column 'b' has 2 rows, column 'a' has 1"),
        ({"a": [[1, 2]]}, r"column 'a' must be one-dimensional, got shape \(1, 2\)"),
        ({"a": 3}, r"column 'a' must be one-dimensional, got shape \(\)"),
        ({"a": np.array([1 + 2j])}, "column 'a' has dtype complex128"),
        ({"a": np.array(["2020-01-01"], dtype="datetime64[D]")}, "column 'a' has dtype datetime64"),
        ({"ok": ["x"], "a": np.array(["x\ud800"], dtype=object)}, "column 'a'"),
    ],
)
def test_bad_columns_are_named(path, columns, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        write_table(columns, path)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("value", [b"bytes", [1], {"a": 1}, object()])
def test_bad_values_are_named(path, value):
    values = np.empty(3, dtype=object)
    values[:2] = "x", None
    values[2] = value
    with pytest.raises(DataError, match=f"column 'a', row 2: {type(value).__name__} cannot be written"):
        write_table({"a": values}, path)
    assert os.listdir(path.parent) == []


def test_pieces_must_have_the_same_columns(path):
    def write(second):
        with open_sink(path) as sink:
            sink.write({"a": [1], "b": [2]})
            sink.write(second)

    for second in ({"a": [1]}, {"b": [1], "a": [2]}, {"a": [1], "b": [1], "c": [1]}):
        with pytest.raises(DataError, match=r"differ from those written before, \['a', 'b'\]"):
            write(second)
    assert os.listdir(path.parent) == []


def test_pieces_of_another_type_in_parquet(tmp_path):
    with open_sink(tmp_path / "t.parquet") as sink:
        sink.write({"a": [1], "b": np.array([None], dtype=object)})
        sink.write({"a": np.array([2], np.int32), "b": ["x"]})
    assert read(tmp_path / "t.parquet") == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]


def test_pieces_that_do_not_fit_in_parquet(tmp_path):
    def write():
        with open_sink(tmp_path / "t.parquet") as sink:
            sink.write({"a": [1]})
            sink.write({"a": ["x"]})

    with pytest.raises(DataError, match="column 'a' cannot be written to Parquet"):
        write()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.jsonl.gz", "jsonl"])
def test_unknown_ending_lists_the_known(tmp_path, name):
    with pytest.raises(DataError, match=r"is not one of \.csv, \.jsonl, \.parquet"):
        write_table({"a": [1]}, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_missing_folder(tmp_path, path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_table({"a": [1]}, tmp_path / "none" / path.name)


def test_missing_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow: pip install 'factorec\[cli\]'"):
        write_table({"a": [1]}, tmp_path / "t.parquet")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("n", [10, 500_000])
def test_error_in_the_block_leaves_the_old_file(path, error, n):
    write_table({"a": [1]}, path)
    before = path.read_bytes()

    def write():
        with open_sink(path) as sink:
            sink.write({"a": np.arange(n)})
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("n", [10, 500_000])
def test_full_disk_leaves_the_old_file(path, monkeypatch, n):
    """The disk fills up when the rows are written, or only when the file is closed."""
    write_table({"a": [1]}, path)
    before = path.read_bytes()

    def open_full(name, mode):
        name.touch()
        return open("/dev/full", "wb")

    monkeypatch.setattr(_atomic, "open", open_full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_table({"a": np.arange(n)}, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_memory_does_not_grow_with_the_table(path):
    """Promise 5: three times the rows, the same peak."""
    n_rows = 70_000 if path.suffix == ".parquet" else 17_000

    def peak(n_pieces):
        tracemalloc.start()
        most = 0
        with open_sink(path) as sink:
            for _ in range(n_pieces):
                sink.write({"id": np.arange(n_rows)})
                most = max(most, pa.total_allocated_bytes())
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return traced + most

    peak(1)
    assert peak(9) < 1.5 * peak(3)
