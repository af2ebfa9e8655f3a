"""Artifacts of factorization machines: what is written, and what is read however it was packed."""

import io
import json
import os
import shutil
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from independent_mxnet import evaluate, unpack_artifact

from factorec.errors import DataError, FormatError
from factorec.fm import FMParameters
from factorec.formats.fm_artifact import read_fm_artifact, write_fm_artifact
from factorec.formats.mxnet_params import write_params
from factorec.formats.mxnet_symbol import symbol_json

N, K = 7, 3
RNG = np.random.default_rng(0)
LINEAR = RNG.normal(size=N).astype(np.float32)
FACTORS = RNG.normal(size=(N, K)).astype(np.float32)
GIVEN = {"epochs": "200", "mini_batch_size": "1000"}


@pytest.fixture
def artifact(tmp_path):
    path = tmp_path / "model.tar.gz"
    write_fm_artifact(path, 0.25, LINEAR, FACTORS, predictor_type="binary_classifier", hyperparameters=GIVEN)
    return path


def inner_zip(path):
    with tarfile.open(path) as archive:
        return archive.extractfile("model_algo-1").read()


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def params_of(arrays):
    file = io.BytesIO()
    write_params(file, {f"arg:{name}": np.asarray(array, np.float32) for name, array in arrays.items()})
    return file.getvalue()


def model_zip(path, arrays, meta=None, kind="binary_classifier"):
    """Write a zip as the service's, with arrays of any layout."""
    files = {"symbol.json": symbol_json(kind, N, K), "params": params_of(arrays)}
    if meta is not None:
        files["meta.json"] = json.dumps({"training_parameters": meta})
    path.write_bytes(zip_of(files))
    return path


def assert_same(read, bias=0.25, linear=LINEAR, factors=FACTORS, kind="binary_classifier"):
    assert read.bias == bias
    assert read.linear.dtype == read.factors.dtype == np.float32
    np.testing.assert_array_equal(read.linear, linear)
    np.testing.assert_array_equal(read.factors, factors)
    assert read.predictor_type == kind
    assert read.linear.flags.c_contiguous
    assert read.factors.flags.c_contiguous


def test_round_trip(artifact):
    read = read_fm_artifact(artifact)
    assert_same(read)
    own = {"feature_dim": "7", "num_factors": "3", "predictor_type": "binary_classifier"}
    assert read.hyperparameters == GIVEN | own
    assert read.meta == {"training_parameters": GIVEN | own}


@pytest.mark.parametrize("kind", ["binary_classifier", "regressor"])
def test_an_independent_reader_and_the_graph_give_the_models_scores(tmp_path, kind):
    path = tmp_path / "model.tar.gz"
    write_fm_artifact(path, -0.5, LINEAR, FACTORS, predictor_type=kind, hyperparameters={})
    graph, arrays, meta = unpack_artifact(path)
    assert {name: array.shape for name, array in arrays.items()} == {
        "arg:w1_weight": (N, 1),
        "arg:w0_weight": (1,),
        "arg:v": (N, K),
    }
    assert meta["training_parameters"]["predictor_type"] == kind
    X = RNG.normal(size=(20, N)) * (RNG.random((20, N)) < 0.5)
    variables = {name.removeprefix("arg:"): array for name, array in arrays.items()}
    outputs = evaluate(graph, variables | {"data": X, "out_label": np.zeros((20, 1))})
    scores = FMParameters(-0.5, LINEAR, FACTORS).decision_function(X)
    expected = 1 / (1 + np.exp(-scores)) if kind == "binary_classifier" else scores
    np.testing.assert_allclose(outputs[:, 0], expected, rtol=1e-5, atol=1e-6)


def test_the_same_model_writes_the_same_bytes(artifact, tmp_path):
    other = tmp_path / "other.tar.gz"
    turned = dict(reversed(GIVEN.items()))
    write_fm_artifact(other, 0.25, LINEAR, FACTORS, predictor_type="binary_classifier", hyperparameters=turned)
    assert other.read_bytes() == artifact.read_bytes()


def test_every_way_of_packing_is_read(artifact, tmp_path):
    raw = inner_zip(artifact)
    (tmp_path / "as_zip").write_bytes(raw)
    assert_same(read_fm_artifact(tmp_path / "as_zip"))

    with tarfile.open(artifact) as archive, tarfile.open(tmp_path / "model.tar", "w") as plain:
        plain.addfile(archive.getmember("model_algo-1"), archive.extractfile("model_algo-1"))
    assert_same(read_fm_artifact(tmp_path / "model.tar"))

    container = tmp_path / "container"  # as in /opt/ml/model
    container.mkdir()
    write_fm_artifact(container, 0.25, LINEAR, FACTORS, predictor_type="binary_classifier", hyperparameters={})
    assert os.listdir(container) == ["model_algo-1"]
    assert_same(read_fm_artifact(container))

    folder = tmp_path / "notebook"  # with all that a notebook leaves behind
    folder.mkdir()
    shutil.copy(artifact, folder)
    assert_same(read_fm_artifact(folder))
    (folder / "model_algo-1").write_bytes(raw)
    assert_same(read_fm_artifact(folder))
    zipfile.ZipFile(io.BytesIO(raw)).extractall(folder)
    assert_same(read_fm_artifact(folder))
    (folder / "symbol.json").rename(folder / "model-symbol.json")
    (folder / "params").rename(folder / "model-0000.params")
    assert_same(read_fm_artifact(folder))


def test_layout_of_dense_records_where_only_names_can_tell(tmp_path):
    square = RNG.normal(size=(3, 3)).astype(np.float32)
    arrays = {"v": square.T, "Linear_Plus_Bias_weight": LINEAR[None, :3], "Linear_Plus_Bias_bias": [0.25]}
    read = read_fm_artifact(model_zip(tmp_path / "dense", arrays, {"feature_dim": 3, "num_factors": "3"}))
    assert_same(read, linear=LINEAR[:3], factors=square)
    arrays = {"v": square, "w1_weight": LINEAR[:3, None], "w0_weight": [[0.25]]}
    assert_same(read_fm_artifact(model_zip(tmp_path / "sparse", arrays)), linear=LINEAR[:3], factors=square)


def row_sparse(values, rows, shape):
    """An array as a Module with row-sparse parameters saves it."""

    def packed(shape):
        return struct.pack(f"<i{len(shape)}q", len(shape), *shape)

    head = struct.pack("<Ii", 0xF993FAC9, 1) + packed(values.shape) + packed(shape)
    aux = struct.pack("<iiii", 1, 0, 0, 6) + packed((len(rows),))
    return head + aux + values.astype("<f4").tobytes() + np.asarray(rows, "<i8").tobytes()


def test_row_sparse_parameters(tmp_path):
    """What training on sparse records leaves: rows of features that never came are not stored."""
    rows, names = [0, 2, 6], [b"arg:v", b"arg:w1_weight", b"arg:w0_weight"]
    arrays = [
        row_sparse(FACTORS[rows], rows, (N, K)),
        row_sparse(LINEAR[:1, None], [0], (N, 1)),
        bytes.fromhex("c9fa93f9 00000000 01000000 0100000000000000 01000000 00000000 00000000 0000803e"),
    ]
    raw = struct.pack("<QQQ", 0x112, 0, 3) + b"".join(arrays) + struct.pack("<Q", 3)
    raw += b"".join(struct.pack("<Q", len(name)) + name for name in names)
    (tmp_path / "params").write_bytes(raw)
    kept = np.isin(np.arange(N), rows)[:, None]
    assert_same(
        read_fm_artifact(tmp_path), linear=np.where(np.arange(N) == 0, LINEAR, 0), factors=FACTORS * kept, kind=None
    )


def test_what_use_bias_and_use_linear_leave_out_is_zero(tmp_path):
    zeros = np.zeros(N)
    path = tmp_path / "zip"
    assert_same(read_fm_artifact(model_zip(path, {"v": FACTORS, "w0_weight": [0.25]})), linear=zeros)
    assert_same(read_fm_artifact(model_zip(path, {"v": FACTORS, "w1_weight": LINEAR[:, None]})), bias=0.0)
    dense = {"v": FACTORS.T, "Linear_Plus_Bias_weight": LINEAR[None]}
    assert_same(read_fm_artifact(model_zip(path, dense)), bias=0.0)
    assert_same(read_fm_artifact(model_zip(path, {"v": FACTORS})), bias=0.0, linear=zeros)
    # Without any other name the size that meta.json states tells the layout.
    assert_same(read_fm_artifact(model_zip(path, {"v": FACTORS.T}, {"feature_dim": str(N)})), bias=0.0, linear=zeros)


def test_predictor_type_comes_from_meta_then_from_the_graph(tmp_path):
    path, arrays = tmp_path / "zip", {"v": FACTORS}
    assert read_fm_artifact(model_zip(path, arrays, kind="regressor")).predictor_type == "regressor"
    read = read_fm_artifact(model_zip(path, arrays, {"predictor_type": "regressor"}))
    assert read.predictor_type == "regressor"
    path.write_bytes(zip_of({"params": params_of(arrays)}))
    assert read_fm_artifact(path).predictor_type is None


@pytest.mark.parametrize(
    ("arrays", "meta", "message"),
    [
        ({"w": LINEAR}, {}, "no array 'arg:v'"),
        ({"v": LINEAR}, {}, "expected two dimensions"),
        ({"v": FACTORS, "w1_weight": LINEAR[:4, None]}, {}, "'w1_weight' is for 4 features, 'v' for 7"),
        ({"v": FACTORS, "w0_weight": [1, 2]}, {}, "'w0_weight' has 2 entries"),
        ({"v": FACTORS, "w0_weight": [1], "Linear_Plus_Bias_bias": [1]}, {}, "both layouts"),
        ({"v": FACTORS, "w0_weight": [np.nan]}, {}, "'w0_weight' holds values that are not finite"),
        ({"v": FACTORS}, {"feature_dim": "8"}, "feature_dim 7, meta.json says 8"),
        ({"v": FACTORS, "w0_weight": [1]}, {"num_factors": 7}, "num_factors 3, meta.json says 7"),
        ({"v": FACTORS}, {"feature_dim": "many"}, "feature_dim 'many', expected an integer"),
        ({"v": FACTORS}, {"feature_dim": True}, "expected an integer"),
        ({"v": FACTORS}, {"predictor_type": "ranker"}, "predictor_type 'ranker', expected"),
        ({"v": FACTORS}, {"predictor_type": ["regressor"]}, "predictor_type"),
        ({"v": FACTORS}, 5, "training_parameters must be an object"),
    ],
)
def test_what_is_no_model_is_named(tmp_path, arrays, meta, message):
    with pytest.raises(FormatError, match=message):
        read_fm_artifact(model_zip(tmp_path / "zip", arrays, meta))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": float("inf")}, "bias inf is not a finite float32"),
        ({"bias": 1e39}, "not a finite float32"),
        ({"linear": LINEAR[:3]}, r"linear has shape \(3,\)"),
        ({"linear": LINEAR.astype(float)}, "linear must be a float32 array"),
        ({"factors": FACTORS * np.float32(np.nan)}, "factors holds values that are not finite"),
        ({"predictor_type": "ranker"}, "predictor_type is 'ranker'"),
        ({"hyperparameters": {"feature_dim": "8"}}, "feature_dim is '8', the model's is '7'"),
    ],
)
def test_what_is_no_model_is_not_written(artifact, change, message):
    before = artifact.read_bytes()
    model = {"bias": 0.0, "linear": LINEAR, "factors": FACTORS, "predictor_type": "regressor", "hyperparameters": {}}
    with pytest.raises(DataError, match=message):
        write_fm_artifact(artifact, **(model | change))
    assert artifact.read_bytes() == before
