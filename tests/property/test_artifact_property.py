"""Promise 8, the whole way: a tampered artifact is refused, or loads into a model that answers."""

import io
import json
import random
import warnings
import zipfile

import numpy as np
import pytest

from factorec.errors import FactorecError, FormatError
from factorec.formats.fm_artifact import write_fm_artifact
from factorec.formats.knn_artifact import write_knn_artifact
from factorec.sagemaker.invocation import invoke
from factorec.sagemaker.messages import RequestError
from factorec.sagemaker.model import load_model

JUNK = [None, True, 0, -1, 1.5, 1e308, 2**40, 2**70, "", "x", "7", [], [1], {}, {"a": 1}, "regressor", "fjlt"]
EXTREMES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\x7f\x7f", b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\1\0\0\0"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The unpacked files of each algorithm."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 4)).astype(np.float32)
    fm, knn = tmp_path_factory.mktemp("fm"), tmp_path_factory.mktemp("knn")
    write_fm_artifact(fm, 0.5, vectors[:, 0].copy(), vectors, predictor_type="regressor", hyperparameters={})
    reduction = {"type": "sign", "seed": 5, "target_dim": 4, "input_dim": 6}
    write_knn_artifact(
        knn, vectors, range(6), k=3, predictor_type="classifier", metric="COSINE", dimension_reduction=reduction
    )
    with zipfile.ZipFile(io.BytesIO((fm / "model_algo-1").read_bytes())) as inner:
        fm_files = {name: inner.read(name) for name in inner.namelist()}
    return fm_files, {path.name: path.read_bytes() for path in knn.iterdir()}


def tampered_json(text, rng):
    """The same document with one value replaced, wherever it is."""
    document = json.loads(text)
    at = document
    while True:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        if isinstance(at[key], dict | list) and at[key] and rng.random() < 0.8:
            at = at[key]
            continue
        at[key] = rng.choice(JUNK)
        return json.dumps(document).encode()


def tampered_bytes(data, rng):
    raw = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(3):
            case 0:
                raw[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                at -= at % 4
                raw[at : at + 4] = rng.choice(EXTREMES)
            case _:
                del raw[at : at + rng.randint(1, 9)]
    return bytes(raw)


def is_used(folder):
    """Whether it loads; once it does, it answers, or says what is wrong."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "k is [0-9]+, and there are [0-9]+ rows")
        try:
            model = load_model(folder, n_jobs=1)
        except FormatError:
            return False
        except FactorecError as error:
            pytest.fail(f"the artifact is wrong, not the arguments: {error!r}")
    width = model.n_features
    shape = {"keys": [0, width - 1], "shape": [width], "values": [1, 2]}
    body = json.dumps({"instances": [{"data": {"features": shape}}]}).encode()
    try:
        answer = json.loads(invoke(model, body, accept="application/json; verbose=true").body)
    except RequestError as error:
        assert error.status == 400  # noqa: PT017 (what overflows cannot be told)
    else:
        assert len(answer["predictions"]) == 1
    return True


def test_thousands_of_tampered_files(originals, tmp_path):
    rng = random.Random(0)
    counts = [0, 0]
    for _ in range(2000):
        files = rng.choice(originals)
        name = rng.choice(list(files))
        tamper = tampered_json if name.endswith("json") and rng.random() < 0.7 else tampered_bytes
        for path in tmp_path.iterdir():
            path.unlink()
        for file, data in files.items():
            (tmp_path / file).write_bytes(tamper(data, rng) if file == name else data)
        counts[is_used(tmp_path)] += 1
    assert min(counts) > 400
