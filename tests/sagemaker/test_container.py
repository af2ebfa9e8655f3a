"""A training job below a folder: configuration, channels, model, failure, log, SIGTERM."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from factorec.errors import DataError, DivergenceError, FormatError
from factorec.formats.recordio import write_recordio
from factorec.sagemaker import KNN, estimator, load_artifact, load_model
from factorec.sagemaker.container import train

N, WIDTH = 400, 30
FM = {
    "feature_dim": str(WIDTH),
    "num_factors": "4",
    "predictor_type": "binary_classifier",
    "mini_batch_size": "100",
    "epochs": "3",
    "factors_lr": "0.01",
}
NEAREST = {"feature_dim": "5", "k": "3", "sample_size": "400", "predictor_type": "classifier"}
RECORDIO = {"ContentType": "application/x-recordio-protobuf", "TrainingInputMode": "File"}


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    X = random_array((N, WIDTH), density=0.2, format="csr", dtype=np.float32, random_state=generator)
    return csr_array(X), generator.integers(2, size=N).astype(np.float32)


@pytest.fixture
def vectors():
    generator = np.random.default_rng(1)
    return generator.standard_normal((N, 5)).astype(np.float32), np.arange(N)


class Root:
    """A container's folder."""

    def __init__(self, path, hyperparameters, channels=None, resources=None):
        self.path = path
        config = path / "input" / "config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        if channels is not None:
            (config / "inputdataconfig.json").write_text(json.dumps(channels))
        if resources is not None:
            (config / "resourceconfig.json").write_text(json.dumps(resources))

    def file(self, channel, name):
        path = self.path / "input" / "data" / channel / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def train(self, **options):
        self.stream = io.StringIO()
        return train(self.path, stream=self.stream, random_state=0, **options)

    @property
    def log(self):
        return self.stream.getvalue()

    @property
    def failure(self):
        path = self.path / "output" / "failure"
        return path.read_text() if path.exists() else None

    @property
    def model(self):
        folder = self.path / "model"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def fm_job(path, rows, **hyperparameters):
    root = Root(path, FM | hyperparameters, {"train": RECORDIO})
    write_recordio(root.file("train", "train.protobuf"), *rows)
    return root


def test_factorization_machines(tmp_path, rows):
    X, y = rows
    channels = {"train": RECORDIO, "test": {"ContentType": "application/x-recordio-protobuf"}}
    root = Root(tmp_path, FM, channels, {"current_host": "algo-7", "hosts": ["algo-7"]})
    write_recordio(root.file("train", "b/part-1"), X[250:], y[250:])
    write_recordio(root.file("train", "a"), X[:250], y[:250])
    root.file("train", ".hidden").write_bytes(b"not a record")
    write_recordio(root.file("test", "one"), X[:90], y[:90])
    result = root.train()
    assert not result.stopped
    assert root.failure is None
    assert root.model == ["model_algo-1"]
    expected = estimator(FM, random_state=0).fit(X, y)  # files in the order of their paths
    loaded = load_artifact(tmp_path / "model")
    assert (loaded.factors_ == expected.factors_).all()
    assert loaded.hyperparameters_ == expected.hyperparameters_
    assert load_model(tmp_path / "model").kind == "fm"
    assert "Channel train: 400 rows of 30 features, 2,400 entries, sparse, 2 file(s)" in root.log
    accuracy = re.findall(r"host=algo-7, test binary_classification_accuracy <score>=(\S+)", root.log)
    assert [float(value) for value in accuracy] == [pytest.approx(expected.measure(X[:90], y[:90])["accuracy"])]
    assert len(re.findall(r"epoch=\d, train binary_f_1.000", root.log)) == 3
    assert "Final configuration: {'epochs': '3'" in root.log
    root.train(padded_test_metrics=True)
    padded = re.findall(r"test binary_classification_cross_entropy <loss>=(\S+)", root.log)
    assert [float(p) for p in padded] == [pytest.approx(expected.measure(X[:90], y[:90], padded=True)["log_loss"])]


def test_dense_records_train_a_dense_network(tmp_path, rows):
    X, y = rows[0].toarray(), rows[1]
    root = fm_job(tmp_path, (X, y), predictor_type="regressor")
    root.train()
    expected = estimator(FM | {"predictor_type": "regressor"}, random_state=0).fit(X, y)
    assert not expected.sparse_input_
    assert (load_artifact(tmp_path / "model").factors_ == expected.factors_).all()
    assert "dense, 1 file(s)" in root.log


@pytest.mark.parametrize("sparse_first", [True, False])
def test_dense_and_sparse_files_together_are_sparse(tmp_path, rows, sparse_first):
    X, y = rows
    root = Root(tmp_path, FM)
    dense = X.toarray()
    parts = (X[:100], dense[100:]) if sparse_first else (dense[:100], X[100:])
    for name, part, labels in zip("ab", parts, (y[:100], y[100:]), strict=True):
        write_recordio(root.file("train", name), part, labels)
    root.train()
    np.testing.assert_allclose(
        load_artifact(tmp_path / "model").decision_function(X),
        estimator(FM, random_state=0).fit(X, y).decision_function(X),
        atol=0.2,  # stored zeros take steps, too
    )


def test_many_rows_are_read_in_pieces(tmp_path):
    """More rows than a batch of the reader has, grown several times over."""
    n = 200_000
    X = csr_array((np.ones(n, np.float32), np.arange(n) % WIDTH, np.arange(n + 1)), (n, WIDTH))
    y = (np.arange(n) // WIDTH % 2).astype(np.float32)
    root = fm_job(tmp_path, (X, y), epochs="1")
    root.train()
    expected = estimator(FM | {"epochs": "1"}, random_state=0).fit(X, y)
    assert (load_artifact(tmp_path / "model").factors_ == expected.factors_).all()


@pytest.mark.parametrize("kind", ["recordio", "csv"])
def test_nearest_neighbours(tmp_path, vectors, kind):
    X, y = vectors
    content_type = "text/csv;label_size=1" if kind == "csv" else "application/x-recordio-protobuf"
    root = Root(tmp_path, NEAREST, {"train": {"ContentType": content_type}, "test": {"ContentType": content_type}})
    for channel, part in (("train", slice(None)), ("test", slice(0, 50))):
        if kind == "csv":
            np.savetxt(root.file(channel, "rows.csv"), np.column_stack([y[part], X[part]]), delimiter=",", fmt="%.9g")
        else:
            write_recordio(root.file(channel, "rows"), X[part].astype(np.float64), y[part])
    root.train()
    assert root.model == ["model_algo-1", "model_algo-1.json", "model_algo-1.labels"]
    model = load_model(tmp_path / "model")
    assert model.kind == "knn"
    expected = KNN(NEAREST, random_state=0).fit(X, y).predict(X[:7], verbose=True)
    got = model.predict(X[:7], verbose=True)
    for name, values in expected.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name)
    assert "#test_score (algo-1) : ('accuracy', " in root.log
    assert re.search(r"#quality_metric: host=algo-1, test accuracy <score>=", root.log)


def test_csv_without_a_feature_dim(tmp_path):
    root = Root(
        tmp_path, {"k": "1", "sample_size": "2", "predictor_type": "regressor"}, {"train": {"ContentType": "text/csv"}}
    )
    root.file("train", "rows.csv").write_text("\n7,1,2\n8,3,4\n")
    root.train()
    assert load_model(tmp_path / "model").n_features == 2


def failing(root, error, match):
    with pytest.raises(error, match=match):
        root.train()
    assert root.failure.startswith("ClientError: ")
    assert re.search(match, root.failure)
    assert re.search(r"^\[.* ERROR \d+\] ClientError: ", root.log, re.MULTILINE)
    assert root.model == []


def test_what_the_user_can_mend(tmp_path, rows, vectors):
    X, y = rows
    count = iter(range(100))

    def root(hyperparameters=FM, **options):
        return Root(tmp_path / str(next(count)), hyperparameters, **options)

    failing(root(FM | {"epoch": "3"}), DataError, "'epoch' is not a hyperparameter .* did you mean 'epochs'")
    failing(root(), DataError, "no channel 'train'")
    failing(root(channels={"test": RECORDIO}), DataError, "no channel 'train'")
    failing(root(channels={"train": RECORDIO}), DataError, "channel 'train' has no files: .*train is not there")
    failing(root({"epochs": "3"}), DataError, "which algorithm is it")
    failing(root(channels={"train": RECORDIO | {"TrainingInputMode": "Pipe"}}), DataError, "Pipe is not supported")
    failing(root(channels={"train": RECORDIO | {"CompressionType": "Gzip"}}), DataError, "CompressionType must be None")
    failing(
        root(resources={"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}), DataError, "only one is supported"
    )
    job = root()
    (job.path / "input/config/hyperparameters.json").write_text("[1")
    failing(job, FormatError, "hyperparameters.json: not JSON")
    job = root()
    (job.path / "input/config/hyperparameters.json").unlink()
    failing(job, OSError, "hyperparameters.json")
    job = root(channels={"train": {"ContentType": "text/csv"}})
    job.file("train", "x").write_text("1,2\n")
    failing(job, DataError, "content-type 'text/csv' not supported")
    job = root(NEAREST, channels={"train": {"ContentType": "text/csv;label_size=0"}})
    job.file("train", "x").write_text("1,2\n")
    failing(job, DataError, "label_size must be 1")
    job = root(NEAREST, channels={"train": {"ContentType": "text/csv"}})
    job.file("train", "x.csv").write_text("1,2,3,4,5,6\n1,2\n")
    failing(job, DataError, "x.csv: in the lines from 1 on: line 2 has 2 columns")
    job = root()
    write_recordio(job.file("train", "x"), X[:, :20], y)
    failing(job, FormatError, "x.*20")
    job = root()
    write_recordio(job.file("train", "unlabelled"), X)
    failing(job, DataError, "unlabelled: record 0 has no label")
    job = root()
    write_recordio(job.file("train", "good"), X, y)
    cut = job.file("train", "z")
    write_recordio(cut, X, y)
    cut.write_bytes(cut.read_bytes()[:-9])
    failing(job, FormatError, "z.*")
    job = root()
    write_recordio(job.file("train", "labels"), X, y + 1)
    failing(job, DataError, "labels of a binary_classifier are 0 and 1")
    job = root()
    write_recordio(job.file("train", "a"), X, y)
    write_recordio(job.file("train", "nan"), X, np.where(np.arange(N) == 7, np.nan, y).astype(np.float32))
    failing(job, DataError, "nan: row 7 has the label nan")
    job = root()
    infinite = X.astype(np.float64)
    infinite.data[infinite.indptr[5]] = 1e300
    write_recordio(job.file("train", "wide"), infinite, y)
    failing(job, DataError, r"wide: row 5 holds 1e\+300: features must be finite float32")
    job = root(NEAREST)
    dense = np.ones((N, 5))
    dense[3, 2] = -np.inf
    write_recordio(job.file("train", "dense"), dense, y)
    failing(job, DataError, "dense: row 3 holds -inf")
    job = root(
        {"k": "1", "sample_size": "2", "predictor_type": "regressor"}, channels={"train": {"ContentType": "text/csv"}}
    )
    job.file("train", "x.csv").write_text("1\n2\n")
    failing(job, DataError, "x.csv: the first line has no comma")
    job = root(FM | {"num_factors": str(10**15)})
    write_recordio(job.file("train", "x"), X, y)
    failing(job, MemoryError, "Unable to allocate")
    job = root()
    write_recordio(job.file("train", "few"), X[:10], y[:10])
    failing(job, DataError, "mini_batch_size is 100, there are only 10 rows")
    job = root(FM | {"factors_lr": "1e30", "predictor_type": "regressor"})
    write_recordio(job.file("train", "x"), X, y)
    failing(job, DivergenceError, "training diverged in epoch 1")


def test_what_the_program_is_to_blame_for(tmp_path, rows, monkeypatch):
    root = fm_job(tmp_path, rows)
    monkeypatch.setattr("factorec.sagemaker.container.read_rows", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        root.train()
    assert root.failure == "InternalServerError: division by zero"


def test_the_failure_of_a_file_whose_name_is_no_text(tmp_path):
    root = Root(tmp_path, FM)
    path = os.fsencode(root.file("train", "x").parent) + b"/\xff"
    with open(path, "wb") as file:
        file.write(b"not a record")
    with pytest.raises(FormatError, match="no record begins here"):
        root.train()
    assert root.failure.startswith("ClientError: ")
    assert r"/\udcff: record 0" in root.failure
    assert r"/\udcff: record 0" in root.log


def test_the_failure_is_there_when_nobody_reads_the_log(tmp_path):
    root = Root(tmp_path, FM | {"epochs": "-1"})

    class Closed(io.StringIO):
        def write(self, text):
            if "ERROR" in text:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        train(root.path, stream=Closed())
    assert root.failure.startswith("ClientError: epochs must be")


def test_a_failed_job_leaves_the_model_that_was_there(tmp_path, rows):
    root = fm_job(tmp_path, rows)
    root.train()
    before = (tmp_path / "model" / "model_algo-1").read_bytes()
    good = root.file("train", "train.protobuf").read_bytes()
    root.file("train", "train.protobuf").write_bytes(b"x" * 64)
    with pytest.raises(FormatError):
        root.train()
    assert (tmp_path / "model" / "model_algo-1").read_bytes() == before
    assert root.failure
    root.file("train", "train.protobuf").write_bytes(good)
    root.train()
    assert root.failure is None  # not that of the job before


def test_warnings_are_logged(tmp_path, rows):
    X, y = rows
    root = fm_job(tmp_path, (X, np.sort(y)), bias_init_scale="1")
    (tmp_path / "input/config/inputdataconfig.json").write_text(json.dumps({"train": RECORDIO, "validation": {}}))
    root.train()
    assert "WARNING" in root.log
    assert "rows are sorted by target" in root.log
    assert "bias_init_scale has no effect" in root.log
    assert "Channel validation is not read" in root.log


def command(root, *options):
    return [sys.executable, "-m", "factorec", "sagemaker", "train", "--root", str(root.path), *options]


@pytest.mark.slow
def test_the_command(tmp_path, rows):
    root = fm_job(tmp_path / "good", rows)
    done = subprocess.run(command(root), capture_output=True, text=True, check=True)
    assert "#quality_metric: host=algo-1, epoch=2, train binary_f_1.000 <score>=" in done.stdout
    assert done.stderr == ""
    first = (root.path / "model" / "model_algo-1").read_bytes()
    environment = os.environ | {"FACTOREC_SAGEMAKER_ROOT": str(root.path), "FACTOREC_SAGEMAKER_ALGORITHM": "fm"}
    subprocess.run([*command(root)[:5]], capture_output=True, check=True, env=environment)
    assert (root.path / "model" / "model_algo-1").read_bytes() == first  # the same seed
    bad = fm_job(tmp_path / "bad", rows, epochs="-1")
    failed = subprocess.run(command(bad), capture_output=True, text=True, check=False)
    assert failed.returncode == 3
    assert failed.stderr.startswith("factorec: epochs must be an integer")
    assert "Traceback" not in failed.stderr + failed.stdout
    assert bad.failure.startswith("ClientError: epochs must be an integer of at least 1, got '-1'")


def started(root, until):
    """The job as a process whose log has come to ``until``."""
    process = subprocess.Popen(command(root), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if until in line:
            break
    return process, lines


@pytest.mark.slow
def test_sigterm_saves_what_was_learned(tmp_path, rows):
    root = fm_job(tmp_path, rows, epochs="100000000")
    process, _ = started(root, "epoch=2, train binary_f")
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 30  # the service kills after that
    assert process.returncode == 143
    assert err == ""
    assert "SIGTERM: training was stopped" in out
    assert root.failure is None
    assert root.model == ["model_algo-1"]
    loaded = load_artifact(tmp_path / "model")
    assert np.isfinite(loaded.factors_).all()
    assert loaded.linear_.any()


@pytest.mark.slow
def test_sigterm_before_the_first_epoch_is_over_leaves_no_model(tmp_path):
    n = 300_000  # an epoch of seconds
    X = csr_array((np.ones(n, np.float32), np.arange(n) % WIDTH, np.arange(n + 1)), (n, WIDTH))
    root = fm_job(tmp_path, (X, np.arange(n, dtype=np.float32) % 2), num_factors="3000")
    process, _ = started(root, "Channel train: 300,000 rows")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err == "factorec: terminated\n"
    assert "SIGTERM came before there was a model" in out
    assert root.model == []
    assert root.failure is None
