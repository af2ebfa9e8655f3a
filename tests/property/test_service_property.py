"""Whatever a request holds, the server answers it, and never with an error of its own."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
from asgi_client import AsgiClient
from hypothesis import given, settings
from hypothesis import strategies as st

from factorec import FMParameters
from factorec.formats.recordio import write_recordio
from factorec.sagemaker import KNN
from factorec.sagemaker.model import FMModel
from factorec.service import Limits, create_app

N_FEATURES = 3
TYPES = ["application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv"]
GOOD = [
    b'{"instances": [{"features": [1, 0, 2]}, {"data": {"features": {"keys": [1], "shape": [3], "values": [0.5]}}}]}',
    b'{"features": [1, 0, 2]}\n{"data": {"features": {"values": [1, 2, 3]}}}\n',
    b"1,0,2\n0.5,1e3,-1\n",
]


def records() -> bytes:
    file = BytesIO()
    write_recordio(file, np.float32([[1, 0, 2], [0, 0.5, 0]]))
    return file.getvalue()


@pytest.fixture(scope="module")
def clients():
    rng = np.random.default_rng(0)
    linear, factors = rng.normal(size=N_FEATURES), rng.normal(size=(N_FEATURES, 2))
    fm = FMModel(
        FMParameters(0.1, linear.astype(np.float32), factors.astype(np.float32)), "binary_classifier", n_jobs=1
    )
    names = {"feature_dim": str(N_FEATURES), "k": "2", "sample_size": "5", "predictor_type": "regressor"}
    knn = KNN(names).fit(rng.normal(size=(5, N_FEATURES)).astype(np.float32), np.arange(5))
    return [AsgiClient(create_app(model, limits=Limits(max_body=2000, max_rows=20))) for model in (fm, knn)]


def damaged(body: bytes):
    """`body` with bytes replaced, put in and taken out."""
    edits = st.lists(st.tuples(st.integers(0, len(body)), st.integers(0, 3), st.binary(max_size=4)), max_size=4)

    def apply(changes):
        changed = body
        for start, gone, new in changes:
            changed = changed[:start] + new + changed[start + gone :]
        return changed

    return edits.map(apply)


numbers = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=3), st.just(10**400))
json_like = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["instances", "features", "data", "keys", "shape", "values", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
bodies = st.one_of(
    st.binary(max_size=300),
    *map(damaged, [*GOOD, records()]),
    json_like.map(lambda value: json.dumps({"instances": value}).encode()),
    json_like.map(lambda value: json.dumps({"instances": [{"features": value}]}).encode()),
    json_like.map(lambda value: json.dumps({"instances": [{"data": {"features": value}}]}).encode()),
)
headers = st.one_of(
    st.none(), st.sampled_from([*TYPES, "application/json; verbose=true", "*/*"]), st.text("az/;=,*\x7f ", max_size=12)
)


@settings(max_examples=400, deadline=None)
@given(
    which=st.integers(0, 1),
    path=st.sampled_from(["/invocations", "/endpoints/factorec/invocations"]),
    body=bodies,
    content_type=st.one_of(st.sampled_from(TYPES), headers),
    accept=headers,
)
def test_every_request_is_answered(clients, which, path, body, content_type, accept):
    given_ = {"content-type": content_type, "accept": accept}
    response = clients[which].post(
        path, content=body, headers={name: value for name, value in given_.items() if value is not None}
    )
    status = response.status_code
    if status == 424:
        status = response.json()["OriginalStatusCode"]
    assert status in (200, 400, 406, 413, 415), response.text
    assert "Traceback" not in response.text
    if status == 200 and response.headers["content-type"] == "application/json":
        json.loads(response.content)["predictions"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=900), max_size=6))
def test_chunks_are_as_good_as_a_whole(clients, parts):
    whole = clients[0].post("/invocations", content=b"".join(parts))
    in_parts = clients[0].post("/invocations", content=parts)
    assert (whole.status_code, whole.text) == (in_parts.status_code, in_parts.text)
