"""The command ``transform``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from factorec.formats.fm_artifact import write_fm_artifact

LINES = ["--content-type", "application/jsonlines", "--split-type", "Line"]


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tar.gz"
    linear, factors = np.float32([1, 2]), np.zeros((2, 1), np.float32)
    write_fm_artifact(path, 0.5, linear, factors, predictor_type="regressor", hyperparameters={})
    return path


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / name).write_text('{"features": [1, 0]}\n{"features": [1, 2]}\n')
    return tmp_path / "in"


def test_files_are_written_and_named(run, model, rows, tmp_path):
    code, out, err = run("transform", model, rows, tmp_path / "out", *LINES, "--batch-strategy", "SingleRecord")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [str(tmp_path / "out" / f"{name}.out") for name in "ab"]
    assert "2 files, 4 requests" in out
    for name in "ab":
        lines = (tmp_path / "out" / f"{name}.out").read_text().splitlines()
        assert list(map(json.loads, lines)) == [{"score": 1.5}, {"score": 5.5}]


def test_a_bad_file_fails_the_job_after_the_others(run, model, rows, tmp_path):
    (rows / "a").write_text("{}")
    code, _, err = run("transform", model, rows, tmp_path / "out", *LINES)
    assert code == 3
    assert "1 of 2 files failed and have no output" in err
    assert "record 1" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.out"]


def test_errors_speak_of_flags(run, model, rows, tmp_path):
    (rows / "a").write_text('{"features": [1, 0]}\n' * 60_000)
    code, _, err = run("transform", model, rows, tmp_path / "out", *LINES[:2], "--max-payload", 1)
    assert code == 3
    assert "give --split-type Line for lines or --split-type RecordIO" in err
    code, _, err = run("transform", model, rows, tmp_path / "out", *LINES, "--max-payload", 0)
    assert code == 3
    assert "--max-payload 0 (no limit) is for whole files; with --split-type give 1 to 100" in err
    assert run("transform", model, rows, tmp_path / "out", "--split-type", "line")[0] == 2
    assert run("transform", model, tmp_path / "none", tmp_path / "out")[0] == 4
    assert run("transform", rows / "b", rows, tmp_path / "out")[0] == 4  # no model


def test_s3_needs_credentials_in_the_environment(run, model, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    code, _, err = run("transform", model, "s3://bucket/in", tmp_path / "out")
    assert code == 3
    assert "needs AWS_ACCESS_KEY_ID in the environment" in err


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_job_leaves_nothing_behind(model, tmp_path, threads):
    with (tmp_path / "rows").open("wb") as file:
        for _ in range(400):
            file.write(b'{"features": [1, 0]}\n' * 50_000)
    arguments = [model, tmp_path / "rows", tmp_path / "out", *LINES, "--max-payload", 1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "factorec",
            "transform",
            *map(str, arguments),
            "--max-concurrent-transforms",
            str(threads),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "factorec: interrupted\n")
    assert list((tmp_path / "out").iterdir()) == []
