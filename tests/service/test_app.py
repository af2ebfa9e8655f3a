"""The routes, in this process. What clients see over a socket is in test_server.py and tests/contract."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from asgi_client import AsgiClient

from factorec.errors import FormatError
from factorec.sagemaker.invocation import invoke
from factorec.service import Limits, create_app

ROW = b'{"instances": [{"features": [1, 0, 2]}]}'


@pytest.fixture
def client(model):
    return AsgiClient(create_app(model, name="here", limits=Limits(max_body=1000, max_rows=5)))


class Failing:
    """A model with a defect."""

    kind, n_features, content_types = "fm", 3, ("application/json",)

    def predict(self, rows, *, verbose=False):
        raise RuntimeError("/secret/path of this machine")


class Wide:
    """A model whose responses are larger than its requests."""

    kind, n_features, content_types = "knn", 3, ("application/json",)

    def predict(self, rows, *, verbose=False):
        return {"labels": np.zeros((rows.shape[0], 1000), np.float32)}


def test_ping(client):
    response = client.get("/ping")
    assert (response.status_code, response.content) == (200, b"")


def test_execution_parameters(client, model):
    limits = Limits(max_body=20 * 2**20, max_concurrency=3)
    other = AsgiClient(create_app(model, limits=limits, batch_strategy="SINGLE_RECORD"))
    assert other.get("/execution-parameters").json() == {
        "MaxConcurrentTransforms": 3,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 20,
    }
    assert client.get("/execution-parameters").json()["BatchStrategy"] == "MULTI_RECORD"


@pytest.mark.parametrize("path", ["/invocations", "/endpoints/here/invocations"])
def test_invocations(client, model, path):
    response = client.post(path, content=ROW, headers={"Content-Type": "application/json", "X-Unknown": "1"})
    assert response.status_code == 200
    assert response.content == invoke(model, ROW, content_type="application/json").body
    assert response.headers["content-type"] == "application/json"
    assert len(response.headers["x-amzn-requestid"]) == 36


@pytest.mark.parametrize(
    ("content", "headers", "status", "text"),
    [
        (b"", {}, 400, "unable to evaluate payload provided"),
        (b"{", {}, 400, "unable to evaluate payload provided"),
        (ROW, {"Content-Type": "text/csv"}, 415, "content-type text/csv not supported"),
        (ROW, {"Accept": "text/html"}, 406, "Accept type 'text/html' is not supported"),
        (b" " * 1001, {}, 413, "HTTP content length exceeded 1000 bytes."),
        (json.dumps({"instances": [{"features": [0, 0, 0]}] * 6}).encode(), {}, 413, "the request has 6 rows"),
    ],
)
def test_errors_of_a_container_are_plain_text(client, content, headers, status, text):
    response = client.post("/invocations", content=content, headers=headers)
    assert response.status_code == status
    assert response.text.startswith(text)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-amzn-requestid"]


def test_bodies_in_chunks_are_counted(client):
    assert client.post("/invocations", content=[b" " * 400] * 3).status_code == 413
    assert client.post("/invocations", content=[ROW[:20], ROW[20:]]).status_code == 200


def test_routes_that_are_not_there(client):
    assert client.get("/").status_code == 404
    assert client.get("/invocations").status_code == 405
    assert client.post("/ping").status_code == 405


@pytest.mark.parametrize(("path", "status"), [("/invocations", 500), ("/endpoints/factorec/invocations", 424)])
def test_defects_are_logged_and_not_shown(path, status, caplog):
    with caplog.at_level(logging.ERROR, "factorec.service"):
        response = AsgiClient(create_app(Failing())).post(path, content=ROW)
    assert response.status_code == status
    assert "internal error" in response.text
    assert "secret" not in response.text
    assert response.headers["x-amzn-requestid"] in caplog.text
    assert "secret" in caplog.text


def test_responses_have_the_limit_of_requests():
    response = AsgiClient(create_app(Wide(), limits=Limits(max_body=1000))).post("/invocations", content=ROW)
    assert (response.status_code, response.text[:39]) == (413, "the response is larger than 1000 bytes;")


def test_a_bad_model_is_refused_at_once(tmp_path):
    (tmp_path / "model.factorec").write_bytes(b"no model")
    with pytest.raises(FormatError, match=r"model\.factorec"):
        create_app(tmp_path / "model.factorec")
