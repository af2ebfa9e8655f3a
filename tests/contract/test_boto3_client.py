"""The AWS client for Python, unmodified, against the server over loopback."""

from __future__ import annotations

import json

import boto3
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from botocore.config import Config
from scipy.special import expit
from servers import run_server

from factorec import FMClassifier, Recommender
from factorec.sagemaker import KNN

NAME = "fm-endpoint"


@pytest.fixture(scope="module")
def recommender():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"user": rng.integers(0, 30, 500), "item": rng.integers(0, 20, 500)})
    table["target"] = rng.integers(0, 2, 500)
    estimator = FMClassifier(n_factors=4, n_epochs=3, random_state=0)
    return Recommender(estimator, user="user", item="item", target="target").fit(table)


@pytest.fixture(scope="module")
def server(recommender, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.factorec"
    recommender.save(path)
    options = ["--port", 0, "--name", NAME, "--max-rows", 100, "--max-body", 20_000]
    with run_server("-m", "factorec", "serve", path, *options) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return connect(server)


def connect(server):
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def rows(recommender):
    """Users 3 to 12, each with an item, as one-hot rows."""
    n_users = len(recommender.encoder_.users_.ids)
    columns = np.stack([np.arange(3, 13), n_users + np.arange(10)], axis=1)
    n_features = recommender.estimator_.parameters_.n_features
    return sp.csr_array((np.ones(20, np.float32), columns.ravel(), np.arange(0, 21, 2)), shape=(10, n_features))


def dense_json(rows):
    return json.dumps({"instances": [{"features": row} for row in rows.toarray().tolist()]})


def sparse_instances(rows):
    return [
        {"data": {"features": {"keys": keys, "shape": [rows.shape[1]], "values": [1.0] * len(keys)}}}
        for keys in np.split(rows.indices, rows.indptr[1:-1])
        for keys in [keys.tolist()]
    ]


def expected(recommender, rows):
    return expit(recommender.estimator_.decision_function(rows)).astype(np.float32)


@pytest.mark.parametrize("encode", [dense_json, lambda rows: json.dumps({"instances": sparse_instances(rows)})])
def test_json(client, recommender, rows, encode):
    response = client.invoke_endpoint(EndpointName=NAME, Body=encode(rows), ContentType="application/json")
    assert response["ContentType"] == "application/json"
    assert response["InvokedProductionVariant"] == "AllTraffic"
    assert response["ResponseMetadata"]["RequestId"]
    predictions = json.loads(response["Body"].read())["predictions"]
    scores = np.float32([one["score"] for one in predictions])
    np.testing.assert_array_equal(scores, expected(recommender, rows))
    assert [one["predicted_label"] for one in predictions] == (scores >= 0.5).tolist()


def test_json_lines(client, recommender, rows):
    body = "".join(json.dumps(one) + "\n" for one in sparse_instances(rows))
    response = client.invoke_endpoint(EndpointName=NAME, Body=body, ContentType="application/jsonlines")
    assert response["ContentType"] == "application/jsonlines"
    lines = response["Body"].read().decode().splitlines()
    np.testing.assert_array_equal(np.float32([json.loads(one)["score"] for one in lines]), expected(recommender, rows))


def test_accept_decides_the_type_of_the_response(client, rows):
    response = client.invoke_endpoint(
        EndpointName=NAME, Body=dense_json(rows), ContentType="application/json", Accept="application/jsonlines"
    )
    assert response["ContentType"] == "application/jsonlines"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ({"Body": b"{"}, 400, "unable to evaluate payload provided"),
        ({"Body": b'{"instances": [{"features": [1]}]}'}, 400, "unable to evaluate payload provided"),
        ({"ContentType": "text/html"}, 415, "content-type text/html not supported"),
        ({"Accept": "text/html"}, 406, "Accept type 'text/html' is not supported"),
    ],
)
def test_errors_of_the_container_are_model_errors(client, rows, arguments, status, text):
    given = {"EndpointName": NAME, "Body": dense_json(rows), "ContentType": "application/json", **arguments}
    with pytest.raises(client.exceptions.ModelError) as raised:
        client.invoke_endpoint(**given)
    response = raised.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["Error"]["Message"].startswith(
        f'Received client error ({status}) from primary with message "{text}'
    )
    assert response["OriginalStatusCode"] == status
    assert response["OriginalMessage"].startswith(text)
    assert response["LogStreamArn"].endswith(f"/aws/sagemaker/Endpoints/{NAME}")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["ResponseMetadata"]["RequestId"] in response["Error"]["Message"]


def test_too_many_rows(client, rows):
    body = json.dumps({"instances": sparse_instances(rows) * 11})
    with pytest.raises(client.exceptions.ModelError) as raised:
        client.invoke_endpoint(EndpointName=NAME, Body=body, ContentType="application/json")
    assert raised.value.response["OriginalStatusCode"] == 413


def test_too_large_a_body_is_what_the_service_makes_of_it(client):
    with pytest.raises(client.exceptions.ClientError) as raised:
        client.invoke_endpoint(EndpointName=NAME, Body=b" " * 100_000, ContentType="application/json")
    assert str(raised.value) == (
        "An error occurred (413) when calling the InvokeEndpoint operation: HTTP content length exceeded 20000 bytes."
    )


def test_messages_have_the_length_that_the_service_gives_them(client):
    with pytest.raises(client.exceptions.ModelError) as raised:
        client.invoke_endpoint(EndpointName=NAME, Body=b"{}", ContentType="x" * 1024)
    assert len(raised.value.response["OriginalMessage"]) <= 2048
    assert len(raised.value.response["Error"]["Message"]) <= 2048


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"EndpointName": "other"}, "Endpoint other of account 000000000000 not found."),
        ({"TargetVariant": "blue"}, "Variant blue of endpoint"),
        ({"TargetModel": "model.tar.gz"}, "is not a multi-model endpoint"),
        ({"InferenceComponentName": "part"}, "has no inference components"),
    ],
)
def test_what_the_endpoint_does_not_have(client, rows, arguments, text):
    given = {"EndpointName": NAME, "Body": dense_json(rows), "ContentType": "application/json", **arguments}
    with pytest.raises(client.exceptions.ClientError, match=text) as raised:
        client.invoke_endpoint(**given)
    assert raised.value.response["Error"]["Code"] == "ValidationError"


def test_the_only_variant_may_be_named(client, rows):
    response = client.invoke_endpoint(
        EndpointName=NAME, Body=dense_json(rows), ContentType="application/json", TargetVariant="AllTraffic"
    )
    assert response["InvokedProductionVariant"] == "AllTraffic"


def test_operations_that_are_not_offered(client):
    with pytest.raises(client.exceptions.ClientError, match="not offered by this server"):
        client.invoke_endpoint_async(EndpointName=NAME, InputLocation="s3://bucket/key")
    with pytest.raises(client.exceptions.ClientError, match="not offered by this server"):
        client.invoke_endpoint_with_response_stream(EndpointName=NAME, Body=b"{}")


def test_neighbours(tmp_path):
    items = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)
    given = {"feature_dim": "4", "k": "5", "sample_size": "50", "predictor_type": "classifier"}
    knn = KNN({**given, "index_metric": "INNER_PRODUCT"}).fit(items, np.arange(100, 150))
    knn.save_artifact(tmp_path / "model.tar.gz")
    expected = knn.predict(items[:3], verbose=True)
    body = "\n".join(",".join(map(repr, row)) for row in items[:3].tolist())
    with run_server("-m", "factorec", "serve", tmp_path / "model.tar.gz", "--port", 0) as server:
        client = connect(server)
        response = client.invoke_endpoint(
            EndpointName="factorec", Body=body, ContentType="text/csv", Accept="application/json; verbose=true"
        )
        predictions = json.loads(response["Body"].read())["predictions"]
        response = client.invoke_endpoint(
            EndpointName="factorec", Body=body, ContentType="text/csv; label_size=0", Accept="application/json"
        )
        short = json.loads(response["Body"].read())["predictions"]
    for name in ("labels", "distances", "predicted_label"):
        np.testing.assert_array_equal(np.float32([one[name] for one in predictions]), expected[name])
    assert all(one["distances"] == sorted(one["distances"]) for one in predictions)
    assert short == [{"predicted_label": one["predicted_label"]} for one in predictions]
