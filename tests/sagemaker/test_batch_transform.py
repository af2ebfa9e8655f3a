"""Batch transform over folders: splits, batches, names, errors, bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import struct
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from factorec.errors import DataError, FormatError
from factorec.formats.recordio import RecordIOWriter, split_records, write_recordio
from factorec.sagemaker import KNN, invoke, transform
from factorec.sagemaker.batch_transform import TransformError
from factorec.sagemaker.batch_transform.records import read_requests
from factorec.sagemaker.model import FMModel

JSON, JSON_LINES = "application/json", "application/jsonlines"
LINES = {"content_type": JSON_LINES, "split_type": "Line"}


def lines(n: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 7)).round(3)
    return b"".join(json.dumps({"features": row.tolist()}).encode() + b"\n" for row in rows)


def answers(model: FMModel, body: bytes) -> bytes:
    return invoke(model, body, content_type=JSON_LINES).body


def multi_part_record(n_parts: int) -> bytes:
    """One record of parts of 1 MiB each, without its last part."""
    frame = [struct.pack("<II", 0xCED7230A, flag << 29 | 2**20) + bytes(2**20) for flag in (1, 2)]
    return frame[0] + frame[1] * (n_parts - 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep" / "er").mkdir(parents=True)
    for i, name in enumerate(["b.jsonl", "a.jsonl", "deep/er/c.jsonl"]):
        (tmp_path / "in" / name).write_bytes(lines(5 + i, seed=i))
    (tmp_path / "in" / ".hidden").write_bytes(b"not a record")
    return tmp_path / "in"


@pytest.mark.parametrize("batch_strategy", [None, "MultiRecord", "SingleRecord"])
@pytest.mark.parametrize("threads", [1, 3])
def test_one_output_for_each_input_named_after_it(classifier, folder, tmp_path, batch_strategy, threads):
    done = transform(
        classifier,
        folder,
        tmp_path / "out",
        batch_strategy=batch_strategy,
        max_concurrent_transforms=threads,
        **LINES,
    )
    names = ["a.jsonl", "b.jsonl", "deep/er/c.jsonl"]
    assert done.outputs == [str(tmp_path / "out" / f"{name}.out") for name in names]
    assert done.n_requests == (18 if batch_strategy == "SingleRecord" else 3)
    for name in names:
        expected = answers(classifier, (folder / name).read_bytes())
        assert (tmp_path / "out" / f"{name}.out").read_bytes() == expected
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*")) == 3


def test_a_file_may_have_its_output_beside_it(classifier, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(lines(3))
    assert transform(classifier, tmp_path / "rows.jsonl", tmp_path, **LINES).outputs == [
        str(tmp_path / "rows.jsonl.out")
    ]
    with pytest.raises(DataError, match="is in input"):
        transform(classifier, tmp_path, tmp_path, **LINES)
    with pytest.raises(DataError, match="is in input"):
        transform(classifier, tmp_path, tmp_path / "out", **LINES)
    assert not (tmp_path / "out").exists()


def test_assembled_by_line_only_where_a_response_has_no_newline(classifier, tmp_path):
    (tmp_path / "x").write_bytes(lines(3))
    outputs = {}
    for accept in (JSON, JSON_LINES):
        for assemble_with in ("None", "Line"):
            transform(
                classifier,
                tmp_path / "x",
                tmp_path,
                accept=accept,
                assemble_with=assemble_with,
                batch_strategy="SingleRecord",
                **LINES,
            )
            outputs[accept, assemble_with] = (tmp_path / "x.out").read_bytes()
    assert outputs[JSON_LINES, "Line"] == outputs[JSON_LINES, "None"] == answers(classifier, lines(3))
    assert outputs[JSON, "None"].count(b"\n") == 0  # documents one after another, as the service does
    documents = outputs[JSON, "Line"].splitlines()
    assert [len(json.loads(document)["predictions"]) for document in documents] == [1, 1, 1]
    assert outputs[JSON, "None"] == b"".join(documents)


def test_requests_are_filled_up_to_the_limit_and_no_further(tmp_path):
    (tmp_path / "x").write_bytes(b"aaa\n\n  \nbbb\nccccc\ndd")
    with (tmp_path / "x").open("rb") as file:
        requests = list(read_requests(file, "Line", "MultiRecord", 8))
    assert [request.records for request in requests] == [[b"aaa\n", b"bbb\n"], [b"ccccc\n", b"dd"]]
    assert [request.numbers for request in requests] == [[1, 4], [5, 6]]


def test_several_requests_give_what_one_gives(classifier, tmp_path):
    body = lines(40_000)
    assert len(body) > 2**21
    (tmp_path / "x").write_bytes(body)
    one, many = (
        transform(classifier, tmp_path / "x", tmp_path / str(size), max_payload=size, **LINES) for size in (6, 1)
    )
    assert one.n_requests == 1
    assert many.n_requests >= 3
    assert Path(one.outputs[0]).read_bytes() == Path(many.outputs[0]).read_bytes()


def test_a_bad_record_costs_its_file_and_no_other(classifier, folder, tmp_path):
    good = (folder / "a.jsonl").read_bytes()
    (folder / "a.jsonl").write_bytes(good + b"\n" + b'{"features": [1]}\n' + good)
    (folder / "deep" / "er" / "c.jsonl").write_bytes(b"{")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jsonl.out").write_bytes(b"of an earlier run")
    with pytest.raises(TransformError) as failed:
        transform(classifier, folder, tmp_path / "out", **LINES)
    message = str(failed.value)
    assert message.startswith("2 of 3 files failed and have no output: ")
    assert "a.jsonl: record 8: unable to evaluate payload provided: line 1: features has 1 values" in message
    assert list(failed.value.failures) == [str(folder / "a.jsonl"), str(folder / "deep/er/c.jsonl")]
    written = [path.name for path in sorted((tmp_path / "out").rglob("*")) if path.is_file()]
    assert written == ["a.jsonl.out", "b.jsonl.out"]
    assert (tmp_path / "out" / "a.jsonl.out").read_bytes() == b"of an earlier run"


@pytest.mark.parametrize("threads", [1, 4])
def test_a_late_bad_record_leaves_nothing_behind(classifier, tmp_path, threads):
    (tmp_path / "x").write_bytes(lines(40_000) + b"nonsense\n")
    with pytest.raises(TransformError, match=r"record 40001: .*not JSON"):
        transform(
            classifier,
            tmp_path / "x",
            tmp_path / "out",
            max_payload=1,
            max_concurrent_transforms=threads,
            **LINES,
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_a_large_file_that_is_not_split_names_split_type(classifier, tmp_path):
    (tmp_path / "x").write_bytes(lines(20_000))
    with pytest.raises(TransformError, match=r'1,048,576 bytes.*give split_type="Line"'):
        transform(classifier, tmp_path / "x", tmp_path / "out", content_type=JSON_LINES, max_payload=1)
    transform(classifier, tmp_path / "x", tmp_path / "out", content_type=JSON_LINES, max_payload=0)
    assert (tmp_path / "out" / "x.out").read_bytes() == answers(classifier, lines(20_000))


def test_a_record_above_the_limit_is_an_error(classifier, tmp_path):
    (tmp_path / "x").write_bytes(lines(2) + b" " * 2**20 + lines(1))
    with pytest.raises(TransformError, match="record 3 is larger than one request"):
        transform(classifier, tmp_path / "x", tmp_path / "out", max_payload=1, **LINES)


def test_gzip(classifier, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.gz").write_bytes(gzip.compress(lines(9)))
    transform(classifier, tmp_path / "in", tmp_path / "out", compression_type="Gzip", **LINES)
    assert (tmp_path / "out" / "a.gz.out").read_bytes() == answers(classifier, lines(9))
    (tmp_path / "in" / "b.gz").write_bytes(gzip.compress(lines(9))[:-20])
    (tmp_path / "in" / "c.gz").write_bytes(lines(9))
    damaged = bytearray(gzip.compress(lines(9)))
    damaged[30:60] = bytes(30)
    (tmp_path / "in" / "d.gz").write_bytes(damaged)
    with pytest.raises(TransformError, match="not a whole gzip file") as failed:
        transform(classifier, tmp_path / "in", tmp_path / "other", compression_type="Gzip", **LINES)
    assert [Path(name).name for name in failed.value.failures] == ["b.gz", "c.gz", "d.gz"]
    assert all(isinstance(error, FormatError) for error in failed.value.failures.values())
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["a.gz.out"]


def test_an_empty_file_has_an_empty_output_if_it_is_split(classifier, tmp_path):
    (tmp_path / "x").write_bytes(b"")
    assert Path(transform(classifier, tmp_path / "x", tmp_path, **LINES).outputs[0]).read_bytes() == b""
    with pytest.raises(TransformError, match="the body is empty"):
        transform(classifier, tmp_path / "x", tmp_path, content_type=JSON_LINES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_type": "TFRecord"}, "TFRecord is not supported"),
        ({"split_type": "line"}, "split_type must be None, Line, RecordIO"),
        ({"batch_strategy": "MULTI_RECORD"}, "batch_strategy must be"),
        ({"assemble_with": "RecordIO"}, "assemble_with must be"),
        ({"compression_type": "gzip"}, "compression_type must be"),
        ({"max_payload": 101}, "max_payload must be an integer from 0 to 100"),
        ({"max_payload": 0, "split_type": "Line"}, "max_payload=0"),
        ({"max_payload": 6, "max_concurrent_transforms": 17}, "at most 100"),
        ({"max_concurrent_transforms": 0}, "max_concurrent_transforms must be"),
        ({"content_type": "text/csv"}, "not supported"),
        ({"accept": "text/csv"}, "not supported"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(classifier, folder, tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        transform(classifier, folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_input_that_is_not_there(classifier, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there are no files"):
        transform(classifier, tmp_path / "empty", tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        transform(classifier, tmp_path / "none", tmp_path / "out")
    with pytest.raises(DataError, match="gs:// is not supported"):
        transform(classifier, "gs://bucket/x", tmp_path / "out")
    (tmp_path / "model").write_bytes(b"x" * 100)
    with pytest.raises(FormatError):
        transform(tmp_path / "model", tmp_path / "empty", tmp_path / "out")


def test_progress_counts_bytes(classifier, folder, tmp_path):
    seen = []
    transform(classifier, folder, tmp_path / "out", progress=lambda *of: seen.append(of), **LINES)
    total = sum(path.stat().st_size for path in folder.rglob("*.jsonl"))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


def test_a_file_larger_than_memory_passes_through(tmp_path):
    """The input has four times the memory that may be added; only requests are ever held."""
    code = """
        import resource, sys
        import numpy as np
        from factorec import FMParameters
        from factorec.sagemaker import transform
        from factorec.sagemaker.model import FMModel
        model = FMModel(FMParameters(0.0, np.ones(7, np.float32), np.ones((7, 2), np.float32)), "regressor", n_jobs=1)
        options = dict(content_type="application/jsonlines", split_type="Line", max_payload=1)
        folder = sys.argv[1]
        transform(model, folder + "/small", folder + "/out", **options)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 2**20,) * 2)
        print(transform(model, folder + "/large", folder + "/out", **options).n_requests)
    """
    line = b'{"features": [1, 2, 3, 4, 5, 6, 7], "padding": "' + b"x" * 10_000 + b'"}\n'
    (tmp_path / "small").write_bytes(line)
    with (tmp_path / "large").open("wb") as file:
        for _ in range(256):
            file.write(line * (2**20 // len(line)))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 255
    n_lines = 256 * (2**20 // len(line))
    assert (tmp_path / "out" / "large.out").read_bytes().count(b"\n") == n_lines


@pytest.mark.parametrize("batch_strategy", ["MultiRecord", "SingleRecord"])
def test_recordio_is_split_between_records(regressor, tmp_path, batch_strategy):
    X = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    with RecordIOWriter(tmp_path / "x.pbr") as writer:
        writer.write(X[:5])
        writer.write(sparse.csr_array(X[5:]))
    transform(
        regressor,
        tmp_path / "x.pbr",
        tmp_path,
        content_type="application/x-recordio-protobuf",
        accept=JSON_LINES,
        split_type="RecordIO",
        batch_strategy=batch_strategy,
    )
    expected = [{"score": score} for score in regressor.predict(X)["score"].tolist()]
    assert [json.loads(line) for line in (tmp_path / "x.pbr.out").read_text().splitlines()] == expected
    body = (tmp_path / "x.pbr").read_bytes()
    (tmp_path / "x.pbr").write_bytes(body[:-8])
    with pytest.raises(TransformError, match=r"x\.pbr: "):
        transform(regressor, tmp_path / "x.pbr", tmp_path / "out", content_type=JSON, split_type="RecordIO")


def test_recordio_requests_are_filled_up_to_the_limit(tmp_path):
    write_recordio(tmp_path / "x", np.ones((5, 3), np.float32))  # 36 bytes each
    for limit, sizes in {36: [1] * 5, 107: [2, 2, 1], 108: [3, 2], 1000: [5]}.items():
        with (tmp_path / "x").open("rb") as file:
            requests = list(read_requests(file, "RecordIO", "MultiRecord", limit))
        assert [len(request.records) for request in requests] == sizes
        assert b"".join(b"".join(request.records) for request in requests) == (tmp_path / "x").read_bytes()
    with (tmp_path / "x").open("rb") as file, pytest.raises(DataError, match="record 1 is larger"):
        list(read_requests(file, "RecordIO", "MultiRecord", 35))


def test_the_notebooks_way_from_users_to_neighbours(tmp_path):
    """Dense user vectors in, a line of neighbours for each user out; unsplit above 6 MB it says what to do."""
    rng = np.random.default_rng(0)
    items, users = rng.normal(size=(50, 65)).astype(np.float32), rng.normal(size=(30_000, 65)).astype(np.float32)
    given = {"k": "20", "sample_size": "50", "predictor_type": "classifier", "index_metric": "INNER_PRODUCT"}
    knn = KNN(given).fit(items, np.arange(1, 51))
    write_recordio(tmp_path / "users.pbr", users)
    options = {
        "content_type": "application/x-recordio-protobuf",
        "accept": "application/jsonlines; verbose=true",
    }
    with pytest.raises(TransformError, match='split_type="RecordIO"'):
        transform(knn, tmp_path / "users.pbr", tmp_path / "out", **options)
    transform(knn, tmp_path / "users.pbr", tmp_path / "out", split_type="RecordIO", **options)
    lines = (tmp_path / "out" / "users.pbr.out").read_text().splitlines()
    assert len(lines) == len(users)
    labels, scores = knn.neighbors(users[-1:])
    last = json.loads(lines[-1])
    assert last["labels"] == labels[0, ::-1].tolist()
    assert last["distances"] == scores[0, ::-1].tolist()


def test_a_record_beyond_the_limit_is_not_held_until_its_end(classifier, tmp_path):
    """A small compressed file can hold one record of gigabytes, in one part or in many."""
    for name, body in (
        ("parts", multi_part_record(64)),
        ("one", struct.pack("<II", 0xCED7230A, 2**28) + bytes(64 * 2**20)),
    ):
        path = tmp_path / name
        path.write_bytes(gzip.compress(body, 1))
        tracemalloc.start()
        with pytest.raises(TransformError, match="record 0, byte 0: it is larger than 1,048,576 bytes"):
            transform(
                classifier,
                path,
                tmp_path / "out",
                content_type="application/x-recordio-protobuf",
                split_type="RecordIO",
                compression_type="Gzip",
                max_payload=1,
            )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 32 * 2**20


@pytest.mark.parametrize("strip_padding", [False, True])
def test_a_record_of_just_the_limit_passes(strip_padding):
    body = struct.pack("<II", 0xCED7230A, 1001) + bytes(1004)
    size = 1009 if strip_padding else 1012
    assert [len(r) for r in split_records(io.BytesIO(body), strip_padding=strip_padding, max_bytes=size)] == [size]
    with pytest.raises(FormatError, match="it is larger than 900 bytes"):
        list(split_records(OneByteAtATime(body), max_bytes=900))


class OneByteAtATime(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        return super().read(1)
