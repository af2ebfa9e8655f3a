"""Batch transform over S3: a real client (s3fs) and a real server (moto's) on loopback."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from factorec.errors import DataError, FormatError
from factorec.sagemaker import invoke, transform
from factorec.sagemaker.batch_transform import TransformError
from factorec.sagemaker.batch_transform.stores import S3Store

LINES = {"content_type": "application/jsonlines", "split_type": "Line"}


def lines(n: int, seed: int = 0) -> bytes:
    rows = np.random.default_rng(seed).normal(size=(n, 7)).round(3)
    return b"".join(json.dumps({"features": row.tolist()}).encode() + b"\n" for row in rows)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the server's own libraries
        from moto.server import ThreadedMotoServer

        thread = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        thread.start()
        host, port = thread.get_host_and_port()
        yield f"http://{host}:{port}"
        thread.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the server, which has an empty bucket; the environment names the server."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL_S3": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    for key in keys(client):
        client.delete_object(Bucket="bucket", Key=key)
    client.delete_bucket(Bucket="bucket")
    client.close()


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket").get("Contents", [])]


def put(s3: Any, key: str, body: bytes) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=body)


def body(s3: Any, key: str) -> bytes:
    with s3.get_object(Bucket="bucket", Key=key)["Body"] as stream:
        return stream.read()


def test_every_object_below_a_prefix(s3, classifier):
    for seed, key in enumerate(["fm/in/b.jsonl", "fm/in/a.jsonl", "fm/in/deep/c.jsonl", "fm/other.jsonl"]):
        put(s3, key, lines(4, seed))
    put(s3, "fm/in/", b"")  # what consoles make for a folder
    for prefix in ("s3://bucket/fm/in", "s3://bucket/fm/in/"):
        done = transform(classifier, prefix, "s3://bucket/fm/out/", **LINES)
        assert done.outputs == [f"s3://bucket/fm/out/{name}.jsonl.out" for name in ("a", "b", "deep/c")]
        for name in ("a", "b", "deep/c"):
            expected = invoke(classifier, body(s3, f"fm/in/{name}.jsonl"), content_type=LINES["content_type"]).body
            assert body(s3, f"fm/out/{name}.jsonl.out") == expected
    assert len(keys(s3)) == 5 + 3


def test_a_prefix_may_end_inside_a_name_or_be_a_key(s3, classifier):
    for key in ("in/users-1.jsonl", "in/users-2.jsonl", "in/items.jsonl"):
        put(s3, key, lines(2))
    done = transform(classifier, "s3://bucket/in/users", "s3://bucket/out", **LINES)
    assert done.outputs == ["s3://bucket/out/users-1.jsonl.out", "s3://bucket/out/users-2.jsonl.out"]
    done = transform(classifier, "s3://bucket/in/items.jsonl", "s3://bucket/in", **LINES)
    assert done.outputs == ["s3://bucket/in/items.jsonl.out"]
    # The output is no input of the next run.
    assert transform(classifier, "s3://bucket/in/items.jsonl", "s3://bucket/in", **LINES) == done
    put(s3, "in/users/users-1.jsonl", lines(2))
    done = transform(classifier, "s3://bucket/in/users", "s3://bucket/new", **LINES)
    names = ["users-1.jsonl", "users-2.jsonl", "users/users-1.jsonl"]
    assert done.outputs == [f"s3://bucket/new/{name}.out" for name in names]


def test_a_whole_bucket(s3, classifier, tmp_path):
    for key in ("a", "b/c", "b/d"):
        put(s3, key, lines(2))
    done = transform(classifier, "s3://bucket", tmp_path, max_concurrent_transforms=3, **LINES)
    assert done.outputs == [str(tmp_path / f"{name}.out") for name in ("a", "b/c", "b/d")]


def test_between_s3_and_folders(s3, classifier, tmp_path):
    put(s3, "x.jsonl", lines(3))
    transform(classifier, "s3://bucket/x.jsonl", tmp_path, **LINES)
    (tmp_path / "y.jsonl").write_bytes(lines(3))
    transform(classifier, tmp_path / "y.jsonl", "s3://bucket/", **LINES)
    assert body(s3, "y.jsonl.out") == (tmp_path / "x.jsonl.out").read_bytes()


def test_keys_that_are_no_paths_below_a_folder_are_not_written(s3, classifier, tmp_path):
    """A key may hold anything: whoever fills the bucket must not choose what is written on this machine."""
    bad = ["in/../../outside", "in/a/../../../outside", "in//x", "in/a//x", "in/./x"]
    for key in [*bad, "in/good"]:
        put(s3, key, lines(1))
    folder = tmp_path / "deep" / "out"
    with pytest.raises(TransformError, match="which cannot be a file below a folder") as failed:
        transform(classifier, "s3://bucket/in/", folder, **LINES)
    assert sorted(failed.value.failures) == sorted(f"s3://bucket/{key}" for key in bad)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["good.out"]


def test_a_manifest_in_s3_lists_objects_only(s3, classifier, tmp_path):
    """Whoever fills the bucket must not choose which files of this machine are read."""
    (tmp_path / "private").write_bytes(lines(1))
    put(s3, "in/a", lines(2))
    for prefix in (str(tmp_path), f"{tmp_path}/", "", "."):
        put(s3, "manifest", json.dumps([{"prefix": prefix}, "private"]).encode())
        with pytest.raises(FormatError, match=r"the manifest is in S3, and its prefix .* is not"):
            transform(classifier, "s3://bucket/manifest", tmp_path / "out", data_type="ManifestFile", **LINES)
    put(s3, "manifest", json.dumps([{"prefix": "s3://bucket/in"}, "a"]).encode())
    done = transform(classifier, "s3://bucket/manifest", tmp_path / "out", data_type="ManifestFile", **LINES)
    assert done.outputs == [str(tmp_path / "out" / "a.out")]


def test_large_objects_pass_in_parts_and_a_failure_leaves_neither_object_nor_upload(s3, classifier, monkeypatch):
    monkeypatch.setattr(S3Store, "BLOCK_BYTES", 5 * 2**20)
    n = 200_000  # twice the block, both ways
    put(s3, "good", lines(n))
    put(s3, "bad", lines(n) + b"nonsense\n")
    parts = []
    with S3Store()._fs.open("s3://bucket/probe", "wb", block_size=5 * 2**20) as probe:
        assert probe.blocksize == 5 * 2**20
    upload = type(probe)._upload_chunk

    def counted(self: Any, final: bool = False) -> Any:
        parts.append(self.path)
        return upload(self, final)

    monkeypatch.setattr(type(probe), "_upload_chunk", counted)
    assert transform(classifier, "s3://bucket/good", "s3://bucket/out", max_payload=2, **LINES).n_requests > 5
    assert parts.count("bucket/out/good.out") >= 2
    assert body(s3, "out/good.out").count(b"\n") == n
    with pytest.raises(TransformError, match=f"record {n + 1}: "):
        transform(classifier, "s3://bucket/bad", "s3://bucket/out", max_payload=2, **LINES)
    assert parts.count("bucket/out/bad.out") >= 1  # the upload had begun
    assert "out/bad.out" not in keys(s3)
    assert not s3.list_multipart_uploads(Bucket="bucket").get("Uploads")


def test_what_is_not_there_or_not_allowed_is_named_without_the_secret(s3, classifier, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="there are no files"):
        transform(classifier, "s3://bucket/nothing", tmp_path, **LINES)
    with pytest.raises(FileNotFoundError, match="no-such-bucket"):
        transform(classifier, "s3://no-such-bucket/x", tmp_path, **LINES)
    put(s3, "in/a", lines(1))
    with pytest.raises(DataError, match="is in input"):
        transform(classifier, "s3://bucket/in", "s3://bucket/in/out", **LINES)
    (tmp_path / "x").write_bytes(lines(1))
    with pytest.raises(TransformError, match="1 of 1 files failed") as failed:
        transform(classifier, tmp_path / "x", "s3://no-such-bucket/out", **LINES)
    assert "very-secret" not in str(failed.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DataError, match="needs AWS_SECRET_ACCESS_KEY in the environment"):
        transform(classifier, "s3://bucket/in", tmp_path, **LINES)
