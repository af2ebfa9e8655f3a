"""The notebooks' step 6: rows 1000 to 1009 of ua.test scored through the AWS client, dense and sparse."""

from __future__ import annotations

import json

import boto3
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from servers import run_server

from factorec.formats.recordio import read_recordio, write_recordio
from factorec.sagemaker import estimator

N_USERS, N_FEATURES = 943, 2625
NAME = "fm-movielens"


def one_hot(table) -> csr_array:
    columns = np.stack([table["user_id"] - 1, N_USERS + table["item_id"] - 1], axis=1)
    n = len(columns)
    return csr_array((np.ones(2 * n, np.float32), columns.ravel(), np.arange(0, 2 * n + 1, 2)), (n, N_FEATURES))


@pytest.fixture(scope="module")
def fm(movielens_ua):
    given = {"feature_dim": "2625", "predictor_type": "binary_classifier", "num_factors": "64", "epochs": "3"}
    y = (np.asarray(movielens_ua.train["rating"]) >= 4).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(y))  # the notebooks' "shuf"
    return estimator(given, random_state=0).fit(one_hot(movielens_ua.train)[order], y[order])


@pytest.fixture(scope="module")
def rows(movielens_ua):
    return one_hot(movielens_ua.test)[1000:1010]


def test_the_notebooks_predictions(fm, rows, tmp_path):
    path = tmp_path / "model.tar.gz"
    fm.save_artifact(path)
    expected = expit(fm.decision_function(rows)).astype(np.float32)
    records = tmp_path / "rows.pbr"
    write_recordio(records, rows)
    dense = {"instances": [{"features": row.tolist()} for row in rows.toarray()]}
    keys = np.split(rows.indices, rows.indptr[1:-1])
    sparse = {
        "instances": [
            {"data": {"features": {"keys": row.tolist(), "shape": [N_FEATURES], "values": [1.0, 1.0]}}} for row in keys
        ]
    }
    with run_server("-m", "factorec", "serve", path, "--port", 0, "--name", NAME) as server:
        client = boto3.client(
            "sagemaker-runtime",
            endpoint_url=server.url,
            region_name="eu-west-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        for document in (dense, sparse):
            response = client.invoke_endpoint(
                EndpointName=NAME, ContentType="application/json", Body=json.dumps(document)
            )
            predictions = json.loads(response["Body"].read())["predictions"]
            np.testing.assert_array_equal(np.float32([one["score"] for one in predictions]), expected)
            np.testing.assert_array_equal([one["predicted_label"] for one in predictions], expected >= 0.5)
        response = client.invoke_endpoint(
            EndpointName=NAME, ContentType="application/x-recordio-protobuf", Body=records.read_bytes()
        )
        answer = response["Body"].read()
    labels = read_recordio(answer).labels
    np.testing.assert_array_equal(labels["score"].ravel(), expected)
