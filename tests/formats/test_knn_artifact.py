"""Artifacts of k-nearest neighbours."""

import json
import tarfile

import numpy as np
import pytest

from factorec.errors import DataError, FormatError
from factorec.formats.artifact import read_artifact
from factorec.formats.faiss_index import read_faiss_index
from factorec.formats.fm_artifact import FMArtifact, write_fm_artifact
from factorec.formats.knn_artifact import KNNArtifact, read_knn_artifact, write_knn_artifact

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype(np.float32)
LABELS = np.arange(1, 7)


@pytest.fixture
def folder(tmp_path):
    """The unpacked files, to be edited."""
    write_knn_artifact(tmp_path, X, LABELS, k=3, predictor_type="classifier", metric="INNER_PRODUCT")
    return tmp_path


def edit(folder, **changes):
    path = folder / "model_algo-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("metric", ["INNER_PRODUCT", "COSINE", "L2"])
@pytest.mark.parametrize("target", ["model.tar.gz", "."])
def test_round_trip(tmp_path, metric, target):
    write_knn_artifact(tmp_path / target, X, LABELS, k=3, predictor_type="regressor", metric=metric)
    read = read_knn_artifact(tmp_path)
    if metric == "COSINE":
        np.testing.assert_allclose(np.linalg.norm(read.vectors, axis=1), 1, rtol=1e-6)
        lengths = np.linalg.norm(X, axis=1, keepdims=True)
        np.testing.assert_allclose(read.vectors * lengths, X, rtol=1e-6)
    else:
        np.testing.assert_array_equal(read.vectors, X)
    np.testing.assert_array_equal(read.labels, LABELS)
    assert read.labels.dtype == np.float32
    assert (read.k, read.predictor_type, read.metric) == (3, "regressor", metric)
    assert read.meta["version"] == "1.0"


def test_the_files_inside(tmp_path):
    path = tmp_path / "model.tar.gz"
    write_knn_artifact(path, X, LABELS, k=3, predictor_type="classifier", metric="L2")
    first = path.read_bytes()
    with tarfile.open(path) as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
    assert sorted(files) == ["model_algo-1", "model_algo-1.json", "model_algo-1.labels"]
    np.testing.assert_array_equal(np.frombuffer(files["model_algo-1.labels"], "<f4"), LABELS)
    vectors, metric = read_faiss_index(files["model_algo-1"])
    np.testing.assert_array_equal(vectors, X)
    assert metric == "L2"
    assert json.loads(files["model_algo-1.json"]) == {
        "k": 3,
        "predictor_type": "classifier",
        "dimension_reduction": None,
        "normalize": False,
        "version": "1.0",
    }
    write_knn_artifact(path, X, LABELS, k=3, predictor_type="classifier", metric="L2")
    assert path.read_bytes() == first


def test_a_zero_vector_stays_where_lengths_are_1(tmp_path):
    vectors = np.array([[0, 0], [3, 4]], np.float32)
    write_knn_artifact(tmp_path, vectors, [1, 2], k=1, predictor_type="classifier", metric="COSINE")
    np.testing.assert_allclose(read_knn_artifact(tmp_path).vectors, [[0, 0], [0.6, 0.8]], rtol=1e-6)


def test_writing_what_was_read_changes_nothing(tmp_path):
    """Dividing by a length of nearly 1 again would change last bits."""
    for name, vectors in (("a", X), ("b", None)):
        vectors = read_knn_artifact(tmp_path / "a").vectors if vectors is None else vectors
        (tmp_path / name).mkdir()
        write_knn_artifact(tmp_path / name, vectors, LABELS, k=3, predictor_type="classifier", metric="COSINE")
    assert (tmp_path / "a" / "model_algo-1").read_bytes() == (tmp_path / "b" / "model_algo-1").read_bytes()


def test_a_projection_of_our_own_is_recorded(tmp_path):
    reduction = {"type": "sign", "seed": 5, "target_dim": 4, "input_dim": 9}
    write_knn_artifact(
        tmp_path, X, LABELS, k=3, predictor_type="classifier", metric="L2", dimension_reduction=reduction
    )
    assert read_knn_artifact(tmp_path).meta["dimension_reduction"] == reduction | {"drawn_by": "factorec"}


def test_edited_after_training(folder):
    edit(folder, k="5", predictor_type="regressor")
    read = read_knn_artifact(folder)
    assert (read.k, read.predictor_type) == (5, "regressor")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "has the k '0', expected"),
        ({"k": True}, "has the k 'True', expected"),
        ({"k": None}, "has the k 'None'"),
        ({"predictor_type": "binary_classifier"}, "predictor_type 'binary_classifier', expected classifier"),
        ({"predictor_type": ["classifier"]}, "predictor_type"),
        ({"dimension_reduction": {"type": "fjlt", "seed": 3, "target_dim": 2}}, "'fjlt', whose projection is not"),
    ],
)
def test_meta_that_cannot_be_used(folder, changes, message):
    edit(folder, **changes)
    with pytest.raises(FormatError, match=message):
        read_knn_artifact(folder)


def test_files_that_contradict_each_other(folder):
    (folder / "model_algo-1.labels").write_bytes(bytes(20))
    with pytest.raises(FormatError, match=r"model_algo-1.labels has 20 bytes, expected 4 for each of 6 vectors"):
        read_knn_artifact(folder)
    (folder / "model_algo-1.labels").write_bytes(np.full(6, np.nan, "<f4").tobytes())
    with pytest.raises(FormatError, match=r"model_algo-1\.labels holds values that are not finite"):
        read_knn_artifact(folder)
    (folder / "model_algo-1.labels").unlink()
    with pytest.raises(
        FormatError, match=r"holds no 'model_algo-1.labels', found \['model_algo-1', 'model_algo-1.json'"
    ):
        read_knn_artifact(folder)
    (folder / "model_algo-1.json").write_text("[" * 100_000)
    (folder / "model_algo-1.labels").write_bytes(bytes(24))
    with pytest.raises(FormatError, match="not JSON"):
        read_knn_artifact(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": True}, "k is True"),
        ({"metric": "DOT"}, "metric is 'DOT'"),
        ({"predictor_type": "ranker"}, "predictor_type is 'ranker'"),
        ({"vectors": X.astype(float)}, "float32 array"),
        ({"vectors": X[:0]}, "not empty"),
        ({"vectors": X * np.float32(np.inf)}, "vectors holds values that are not finite"),
        ({"labels": LABELS[:3]}, r"labels must be numbers of shape \(6,\)"),
        ({"labels": list("abcdef")}, "labels must be numbers"),
        ({"labels": LABELS + 2**24 - 1}, r"labels\[1\] is 16777217: float32 does not tell"),
        ({"labels": LABELS * 1e39}, "labels holds values that are not finite"),
    ],
)
def test_what_cannot_be_written(tmp_path, change, message):
    model = {"vectors": X, "labels": LABELS, "k": 3, "predictor_type": "classifier", "metric": "L2"}
    with pytest.raises(DataError, match=message):
        write_knn_artifact(tmp_path / "model.tar.gz", **(model | change))
    assert not list(tmp_path.iterdir())


def test_either_artifact_is_told_apart(tmp_path):
    path = tmp_path / "model.tar.gz"
    write_knn_artifact(path, X, LABELS, k=3, predictor_type="classifier", metric="L2")
    assert isinstance(read_artifact(path), KNNArtifact)
    write_fm_artifact(path, 0.0, X[:, 0].copy(), X, predictor_type="regressor", hyperparameters={})
    assert isinstance(read_artifact(path), FMArtifact)
    with pytest.raises(FormatError, match=r"holds no 'model_algo-1\.labels'"):
        read_knn_artifact(path)
    (tmp_path / "model_algo-1").write_bytes(b"neither")
    with pytest.raises(FormatError, match="not a zip"):
        read_artifact(tmp_path)


def test_a_folder_gets_all_files_or_none(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "model_algo-1.json").unlink()
    (folder / "model_algo-1.json").mkdir()  # the last one fails
    with pytest.raises(OSError, match="not a regular file"):
        write_knn_artifact(folder, -X, LABELS, k=3, predictor_type="classifier", metric="L2")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == {
        name: data for name, data in before.items() if name != "model_algo-1.json"
    }
