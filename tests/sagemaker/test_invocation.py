"""Whole invocations: bodies of every type in, the documented bodies out, and an error that says what is wrong."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from factorec import FMClassifier, FMOrdinal, FMParameters, Recommender
from factorec.errors import DataError, FormatError
from factorec.formats.fm_artifact import write_fm_artifact
from factorec.formats.recordio import read_recordio, write_recordio
from factorec.sagemaker import KNN
from factorec.sagemaker.invocation import invoke
from factorec.sagemaker.messages import RequestError
from factorec.sagemaker.model import FMModel, load_model

JSON, JSON_LINES, RECORDIO = "application/json", "application/jsonlines", "application/x-recordio-protobuf"
X = np.float32([[0, 1, 0, 0, 2.5, 0, 0], [0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, -1e-3], [0, 0, 0, 0, 0, 0, 1]])


def sparse(row: np.ndarray) -> dict:
    keys = np.flatnonzero(row)
    return {
        "data": {"features": {"keys": keys.tolist(), "shape": [len(row)], "values": row[keys].astype(float).tolist()}}
    }


def dense(row: np.ndarray) -> dict:
    return {"features": row.astype(float).tolist()}


def wrapped(row: np.ndarray) -> dict:
    return {"data": {"features": {"values": row.astype(float).tolist()}}}


@pytest.mark.parametrize("forms", [[dense], [wrapped], [sparse], [dense, sparse, wrapped], [sparse, dense]])
@pytest.mark.parametrize("content_type", [JSON, JSON_LINES])
def test_all_forms_score_as_decision_function(classifier, forms, content_type):
    instances = [forms[i % len(forms)](row) for i, row in enumerate(X)]
    if content_type == JSON:
        body = json.dumps({"configuration": {"any": 1}, "instances": instances}).encode()
    else:
        body = "\n".join(map(json.dumps, instances)).encode()
    answer = invoke(classifier, body, content_type=content_type, accept=JSON)
    raw = classifier.parameters.decision_function(X)
    expected = [{"score": float(np.float32(p)), "predicted_label": float(np.float32(p) >= 0.5)} for p in expit(raw)]
    assert json.loads(answer.body) == {"predictions": expected}
    assert answer.content_type == JSON


def test_regressor_has_unclamped_scores_only(regressor):
    body = json.dumps({"instances": [dense(100 * X[0])]}).encode()
    raw = regressor.parameters.decision_function(100 * X[:1])
    assert json.loads(invoke(regressor, body).body) == {"predictions": [{"score": float(np.float32(raw[0]))}]}


def test_response_bytes(classifier):
    body = json.dumps({"instances": [dense(X[1])] * 2}).encode()
    row = b'{"score":0.5744425058364868,"predicted_label":1.0}'  # sigmoid(0.3) in float32, widened to double
    assert invoke(classifier, body, accept=JSON).body == b'{"predictions":[' + row + b"," + row + b"]}"
    assert invoke(classifier, body, accept=JSON_LINES).body == row + b"\n" + row + b"\n"


def test_label_is_one_at_a_score_of_one_half(parameters):
    model = FMModel(type(parameters)(0.0, parameters.linear, parameters.factors), "binary_classifier")
    assert invoke(model, b'{"features": [0,0,0,0,0,0,0]}', content_type=JSON_LINES).body == (
        b'{"score":0.5,"predicted_label":1.0}\n'
    )


def test_response_is_of_the_requests_type_unless_asked_otherwise(classifier):
    line = json.dumps(dense(X[0])).encode()
    for accept in (None, "", "*/*", "text/html;q=0.9, */*;q=0.1"):
        assert invoke(classifier, line, content_type=JSON_LINES, accept=accept).content_type == JSON_LINES
    assert invoke(classifier, line, content_type=JSON_LINES, accept="application/json, */*").content_type == JSON
    assert invoke(classifier, line, content_type="Application/JSONLines; charset=utf-8").content_type == JSON_LINES


def test_types_that_are_refused(classifier):
    for content_type in ("text/csv", "application/x-npy", "application/octet-stream"):
        with pytest.raises(RequestError, match="not supported") as error:
            invoke(classifier, b"1,2", content_type=content_type)
        assert error.value.status == 415
    for accept in ("text/csv", "image/*", "application/json;q=0"):
        with pytest.raises(RequestError, match="not supported") as error:
            invoke(classifier, b"{}", content_type=JSON, accept=accept)
        assert error.value.status == 406


ZEROS = [0] * 7
PAIR = {"keys": [1, 2], "shape": [7], "values": [1, 2]}


def features(**changes) -> dict:
    return {"data": {"features": {k: v for k, v in (PAIR | changes).items() if v is not None}}}


BAD_INSTANCES = [
    ({"features": ZEROS[1:]}, "features has 6 values, the model has 7 features"),
    ({"features": [*ZEROS[1:], True]}, r"features\[6\] is true, not a number"),
    ({"features": [*ZEROS[1:], "1"]}, r"features\[6\] is a string, not a number"),
    ({"features": [*ZEROS[1:], None]}, r"features\[6\] is null, not a number"),
    ({"features": [*ZEROS[1:], [1]]}, r"features\[6\] is an array, not a number"),
    ({"features": [*ZEROS[1:], 1e39]}, r"features\[6\] is too large for float32"),
    ({"features": [*ZEROS[1:], 10**400]}, r"features\[6\] is too large for float32"),
    ({"features": {"0": 1}}, "features must be an array"),
    ({"features": ZEROS, "data": {"features": {"values": ZEROS}}}, "either"),
    ({"feature": ZEROS}, "either"),
    ([1], "either"),
    (None, "either"),
    ({"data": ZEROS}, "data must be an object"),
    ({"data": {"features": ZEROS}}, "data must be an object"),
    (features(keys=[1, 7]), r"keys\[1\] is 7, the model has features 0..6"),
    (features(keys=[1, -1]), r"keys\[1\] is -1"),
    (features(keys=[1, 2.0]), r"keys\[1\] is 2.0, not an integer"),
    (features(keys=[1, False]), r"keys\[1\] is false"),
    (features(keys=[1, 2**64]), r"keys\[1\] is 18446744073709551616, the model has"),
    (features(keys=[1]), "1 keys and 2 values"),
    (features(keys={}), "keys must be an array"),
    (features(values=[1, None]), r"values\[1\] is null"),
    (features(values=None), "values must be an array"),
    (features(shape=None), "no shape"),
    (features(shape=[8]), r"shape is not \[7\]"),
    (features(shape=[True]), r"shape is not \[7\]"),
    (features(shape=7), r"shape is not \[7\]"),
    (features(shape=[7, 1]), r"shape is not \[7\]"),
    (features(key=[1]), "unknown entry 'key'"),
    (features(keys=None), "values has 2 values, the model has 7 features"),
]


@pytest.mark.parametrize(("instance", "message"), BAD_INSTANCES)
@pytest.mark.parametrize("good", [dense(X[0]), sparse(X[0])])
def test_bad_instances_are_named(classifier, instance, message, good):
    with pytest.raises(RequestError, match=rf"unable to evaluate payload provided: instances\[2\].*{message}") as error:
        invoke(classifier, json.dumps({"instances": [good, good, instance, good]}).encode())
    assert error.value.status == 400
    assert isinstance(error.value, DataError)
    lines = "\n".join(["", *map(json.dumps, [good, instance])]).encode()
    with pytest.raises(RequestError, match=f"unable to evaluate payload provided: line 3.*{message}"):
        invoke(classifier, lines, content_type=JSON_LINES)


BAD_BODIES = [
    (b"", "empty"),
    (b" \n ", "empty"),
    (b"[]", "instances"),
    (b'{"instances": {}}', "instances"),
    (b'{"instances": [', "not JSON: expected a value at byte 15"),
    (b'{"instances": [{"features": [NaN]}]}', "NaN"),
    (b'{"instances": [{"features": [-Infinity]}]}', "Infinity"),
    (b'{"instances": [{"features": [1e999, 0, 0, 0, 0, 0, 0]}]}', r"features\[0\] is too large"),
    (b'{"instances": [{"features": [' + b"9" * 10_000 + b"]}]}", r"features\[0\] is too large"),
    (b"[" * 1_000_000, "nested"),
    (b'{"instances": "\xff"}', "byte 15 is not UTF-8"),
    ('{"instances": []}'.encode("utf-16"), "UTF-8"),
    (b"\x00\x01\x02", "JSON"),
]


@pytest.mark.parametrize(("body", "message"), BAD_BODIES)
def test_bodies_that_are_no_request(classifier, body, message):
    with pytest.raises(RequestError, match=message) as error:
        invoke(classifier, body, content_type=JSON)
    assert error.value.status == 400
    with pytest.raises(RequestError):
        invoke(classifier, body, content_type=JSON_LINES)


def test_a_byte_order_mark_is_skipped_and_no_instances_have_no_predictions(classifier):
    assert invoke(classifier, b'\xef\xbb\xbf{"instances": []}').body == b'{"predictions":[]}'


def test_a_feature_named_twice_gets_the_sum(regressor):
    twice, once = (
        {"instances": [{"data": {"features": {"keys": keys, "shape": [7], "values": values}}}]}
        for keys, values in (([3, 1, 3], [1, 5, 2]), ([1, 3], [5, 3]))
    )
    assert invoke(regressor, json.dumps(twice).encode()) == invoke(regressor, json.dumps(once).encode())


def test_scores_that_overflow_are_refused(regressor):
    body = json.dumps({"instances": [dense(X[0]), dense(3e38 * X[3])]}).encode()
    with pytest.raises(RequestError, match=r"score of row 1 .*overflows"):
        invoke(regressor, body)


def test_too_many_rows(classifier):
    body = json.dumps({"instances": [dense(row) for row in X]}).encode()
    assert invoke(classifier, body, max_rows=4).body
    with pytest.raises(RequestError, match="4 rows, at most 3") as error:
        invoke(classifier, body, max_rows=3)
    assert error.value.status == 413


def test_a_saved_recommender_answers_for_its_own_columns(tmp_path):
    table = {"user_id": [1, 1, 2, 3], "item_id": [5, 6, 5, 6], "rating": [1, 0, 1, 0]}
    rec = Recommender(FMClassifier(n_factors=2, n_epochs=2, random_state=0)).fit(table)
    rec.save(tmp_path / "m.factorec")
    model = load_model(tmp_path / "m.factorec")
    rows = np.eye(model.n_features, dtype=np.float32)
    body = json.dumps({"instances": [dense(row) for row in rows]}).encode()
    scores = [p["score"] for p in json.loads(invoke(model, body).body)["predictions"]]
    np.testing.assert_array_equal(scores, expit(rec.estimator_.decision_function(rows)).astype(np.float32))


@pytest.mark.parametrize(
    "estimator",
    [FMOrdinal(2, n_epochs=2), FMClassifier(2, solver="gibbs", n_epochs=4)],
    ids=["levels", "sampled likes"],
)
def test_a_recommender_whose_predictions_are_no_logistic_function_is_not_served(tmp_path, estimator):
    table = {"user_id": [1, 1, 2, 3], "item_id": [5, 6, 5, 6], "rating": [1, 0, 1, 0]}
    Recommender(estimator).fit(table).save(tmp_path / "m.factorec")
    with pytest.raises(FormatError, match=r"m\.factorec: a FM.* cannot be served"):
        load_model(tmp_path / "m.factorec")


@pytest.mark.parametrize("predictor_type", ["binary_classifier", "regressor"])
def test_an_artifact_answers_as_its_parameters_do(tmp_path, parameters, predictor_type):
    path, p = tmp_path / "model.tar.gz", parameters
    write_fm_artifact(path, p.bias, p.linear, p.factors, predictor_type=predictor_type, hyperparameters={})
    body = json.dumps({"instances": [sparse(row) for row in X]}).encode()
    p = FMParameters(float(np.float32(p.bias)), p.linear, p.factors)  # an artifact holds float32 only
    assert invoke(load_model(path), body) == invoke(FMModel(p, predictor_type), body)


def test_what_is_no_model_is_refused(tmp_path):
    for name, content in {"text": b"no model", "gzip": b"\x1f\x8b" + b"x" * 50, "zip": b"PK" + b"x" * 50}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=name):
            load_model(tmp_path / name)
    (tmp_path / "folder").mkdir()
    with pytest.raises((FormatError, OSError)):
        load_model(tmp_path / "folder")


def recordio(rows, labels=None) -> bytes:
    file = io.BytesIO()
    write_recordio(file, rows, labels)
    return file.getvalue()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_recordio_requests_and_responses(classifier, dtype, form):
    body = recordio(form(X.astype(dtype)), np.arange(len(X), dtype=np.float32))
    expected = classifier.predict(X)
    as_json = json.loads(invoke(classifier, body, content_type=RECORDIO, accept=JSON).body)["predictions"]
    assert [row["score"] for row in as_json] == expected["score"].tolist()
    answer = invoke(classifier, body, content_type=RECORDIO)
    assert answer.content_type == RECORDIO
    labels = read_recordio(answer.body).labels
    assert list(labels) == ["score", "predicted_label"]
    for name, values in labels.items():
        np.testing.assert_array_equal(values, expected[name])


def test_recordio_response_vector(parameters):
    """The bytes of the contract's test vector, from a model whose sigmoid is 0.4."""
    model = FMModel(
        FMParameters(float(np.log(0.4 / 0.6)), 0 * parameters.linear, 0 * parameters.factors), "binary_classifier"
    )
    body = invoke(model, b'{"instances": [{"features": [0,0,0,0,0,0,0]}]}', accept=RECORDIO).body
    payload = bytes.fromhex(
        "1211 0a05 73636f7265 1208 1206 0a04 cdcccc3e121b 0a0f 7072656469637465645f6c6162656c 1208 1206 0a04 00000000"
    )
    assert body == bytes.fromhex("0a23d7ce") + len(payload).to_bytes(4, "little") + payload


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (recordio(X)[:-3], "byte"),
        (recordio(X[:, :-1]), "record 0"),
        (b"nonsense", "byte 0"),
        (recordio(np.array([[1e39, 0, 0, 0, 0, 0, 0]])), "record 0 .* no finite float32"),
        (recordio(sp.csr_array([[0, 0, 0], [1.0, np.nan, 0]], shape=(2, 7))), "record 1 .* no finite float32"),
    ],
)
def test_bad_recordio(classifier, body, message):
    with pytest.raises(RequestError, match=f"unable to evaluate payload provided: .*{message}") as error:
        invoke(classifier, body, content_type=RECORDIO)
    assert error.value.status == 400


@pytest.fixture
def knn() -> KNN:
    items = np.float32([[1, 0], [0, 1], [2, 2], [-1, 0]])
    given = {"k": "3", "sample_size": "4", "predictor_type": "regressor", "index_metric": "INNER_PRODUCT"}
    return KNN(given).fit(items, [101, 102, 103, 104])


def test_knn_neighbours_in_every_type_of_response(knn):
    csv = b"1,0\r\n\n0,-1\n"
    line = b'{"predicted_label":102.0,"labels":[102.0,101.0,103.0],"distances":[0.0,1.0,2.0]}'
    assert invoke(knn, csv, content_type="text/csv").body.startswith(b'{"predictions":[{"predicted_label":102.0},')
    verbose = invoke(knn, csv, content_type="text/csv; label_size=0", accept=f"{JSON_LINES}; verbose=true").body
    assert verbose.splitlines()[0] == line
    as_json = invoke(knn, csv, content_type="text/csv", accept=f"{JSON};verbose=True").body
    assert json.loads(as_json)["predictions"] == [json.loads(row) for row in verbose.splitlines()]
    labels = read_recordio(invoke(knn, csv, content_type="text/csv", accept=f"{RECORDIO}; verbose=true").body).labels
    for name, values in labels.items():
        assert values.tolist() == [json.loads(row)[name] for row in verbose.splitlines()]


def test_knn_takes_every_type_of_request(knn, tmp_path):
    rows = np.float32([[1, 0], [0.5, -1]])
    bodies = {
        "text/csv; label_size=1": b"\xef\xbb\xbfuser 1,1,0\nuser 2,0.5,-1",
        "text/csv": b" 1 , 0\n5e-1,-1\n",
        JSON: json.dumps({"instances": [dense(rows[0]), sparse(rows[1])]}).encode(),
        JSON_LINES: json.dumps(dense(rows[0])).encode() + b"\n" + json.dumps(wrapped(rows[1])).encode(),
        RECORDIO: recordio(rows),
    }
    knn.save_artifact(tmp_path / "model.tar.gz")
    for model in (knn, load_model(tmp_path / "model.tar.gz")):
        answers = {invoke(model, body, content_type=name, accept=JSON).body for name, body in bodies.items()}
        assert len(answers) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"1,2\n\n1\n", "line 3 has 1 columns, the model has 2 features"),
        (b"1,2\n1,x\n", "line 2, column 2: 'x' is no finite"),
        (b"1,nan", "line 1, column 2: 'nan'"),
        (b"1e39,0", "line 1, column 1"),
        (b"1_0,0", "'1_0'"),
        ("1,\u0661".encode(), "column 2"),
        (b"a,b\n1,2", "line 1, column 1: 'a'"),
        (b"\xff,1", "byte 0 is not UTF-8"),
        (b"\n", "empty"),
    ],
)
def test_bad_csv(knn, body, message):
    with pytest.raises(RequestError, match=f"unable to evaluate payload provided: .*{message}"):
        invoke(knn, body, content_type="text/csv")
    with pytest.raises(RequestError, match="label_size=2"):
        invoke(knn, b"1", content_type="text/csv; label_size=2")
