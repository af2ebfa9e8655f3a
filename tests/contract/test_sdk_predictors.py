"""The predictors of the service's SDK, unmodified, against the server over loopback."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit
from sdk_environment import run_sdk
from servers import run_server

from factorec.fm import FMParameters
from factorec.formats.fm_artifact import write_fm_artifact
from factorec.sagemaker import KNN

NAME = "fm-endpoint"
N_FEATURES = 6

CONNECT = """
import json, sys
import boto3, numpy as np, sagemaker
from botocore.config import Config

url, name, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
runtime = boto3.client("sagemaker-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))
session = sagemaker.Session(boto3.Session(), sagemaker_runtime_client=runtime)
"""

SCRIPT = (
    CONNECT
    + """
from sagemaker import FactorizationMachinesPredictor
from sagemaker.amazon.common import RecordDeserializer, RecordSerializer
from sagemaker.deserializers import JSONDeserializer, JSONLinesDeserializer
from sagemaker.predictor import Predictor
from sagemaker.serializers import JSONLinesSerializer, JSONSerializer

instances = [{"features": row} for row in rows]
found = {}

def keep(name, predictions):
    found[name] = [[one["score"], one["predicted_label"]] for one in predictions]

def of_records(records):
    return [{key: record.label[key].float32_tensor.values[0] for key in record.label} for record in records]

predictor = Predictor(name, session, serializer=JSONSerializer(), deserializer=JSONDeserializer())
keep("json", predictor.predict({"instances": instances})["predictions"])

predictor = Predictor(name, session, serializer=JSONLinesSerializer(), deserializer=JSONLinesDeserializer())
keep("json lines", predictor.predict(instances))

predictor = FactorizationMachinesPredictor(name, session)
keep("records", of_records(predictor.predict(np.array(rows, np.float32))))
keep("float64 records", of_records(predictor.predict(np.array(rows))))
keep("a row", of_records(predictor.predict(np.array(rows[0], np.float32))))

predictor = Predictor(name, session, serializer=RecordSerializer(), deserializer=JSONDeserializer())
keep("records to json", predictor.predict(np.array(rows, np.float32))["predictions"])

# As the notebooks do it in version 2: a serializer of their own.
class FMSerializer(JSONSerializer):
    def serialize(self, data):
        return json.dumps({"instances": [{"features": row.tolist()} for row in data]})

predictor = sagemaker.predictor.Predictor(name, session, serializer=FMSerializer(), deserializer=JSONDeserializer())
keep("the notebooks'", predictor.predict(np.array(rows))["predictions"])

try:
    predictor.predict(np.zeros((1, 3)))
except runtime.exceptions.ModelError as error:
    found["error"] = error.response["OriginalStatusCode"]
print(json.dumps(found))
"""
)

KNN_SCRIPT = (
    CONNECT
    + """
from sagemaker import KNNPredictor
from sagemaker.deserializers import JSONLinesDeserializer
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer

found = {}
records = KNNPredictor(name, session).predict(np.array(rows, np.float32))
found["records"] = [one.label["predicted_label"].float32_tensor.values[0] for one in records]
# The accept type of the notebooks: neighbours too.
verbose = JSONLinesDeserializer(accept="application/jsonlines; verbose=true")
lines = Predictor(name, session, serializer=CSVSerializer(), deserializer=verbose).predict(rows)
found["labels"] = [one["labels"] for one in lines]
found["distances"] = [one["distances"] for one in lines]
print(json.dumps(found))
"""
)


@pytest.fixture(scope="module")
def parameters():
    rng = np.random.default_rng(0)
    linear, factors = rng.normal(size=N_FEATURES), rng.normal(size=(N_FEATURES, 4))
    return FMParameters(0.25, linear.astype(np.float32), factors.astype(np.float32))


def test_every_predictor_gets_the_native_scores(sdk_python, parameters, tmp_path):
    path = tmp_path / "model.tar.gz"
    names = {"feature_dim": str(N_FEATURES), "num_factors": "4", "predictor_type": "binary_classifier"}
    write_fm_artifact(
        path,
        parameters.bias,
        parameters.linear,
        parameters.factors,
        predictor_type="binary_classifier",
        hyperparameters=names,
    )
    rows = np.random.default_rng(1).integers(0, 3, size=(10, N_FEATURES)).astype(np.float32)
    with run_server("-m", "factorec", "serve", path, "--port", 0, "--name", NAME) as server:
        found = json.loads(run_sdk(sdk_python, SCRIPT, server.url, NAME, json.dumps(rows.tolist())).splitlines()[-1])
    assert found.pop("error") == 400
    scores = expit(parameters.decision_function(rows)).astype(np.float32)
    expected = np.stack([scores, scores >= 0.5], axis=1)
    np.testing.assert_array_equal(np.float32(found.pop("a row")), expected[:1])
    assert len(found) == 6
    for name, pairs in found.items():
        np.testing.assert_array_equal(np.float32(pairs), expected, err_msg=name)


def test_neighbours(sdk_python, tmp_path):
    items = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)
    given = {"feature_dim": "4", "k": "5", "sample_size": "50", "predictor_type": "classifier"}
    knn = KNN({**given, "index_metric": "INNER_PRODUCT"}).fit(items, np.arange(50))
    knn.save_artifact(tmp_path / "model.tar.gz")
    with run_server("-m", "factorec", "serve", tmp_path / "model.tar.gz", "--port", 0, "--name", NAME) as server:
        answer = run_sdk(sdk_python, KNN_SCRIPT, server.url, NAME, json.dumps(items[:3].tolist()))
    found, expected = json.loads(answer.splitlines()[-1]), knn.predict(items[:3], verbose=True)
    np.testing.assert_array_equal(np.float32(found["records"]), expected["predicted_label"])
    np.testing.assert_array_equal(np.float32(found["labels"]), expected["labels"])
    np.testing.assert_array_equal(np.float32(found["distances"]), expected["distances"])
