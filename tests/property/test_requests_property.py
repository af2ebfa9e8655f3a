"""Whatever a request is made of, it is answered, or refused with one kind of error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factorec import FMParameters
from factorec.formats.recordio import encode_labels
from factorec.sagemaker import KNN, invoke
from factorec.sagemaker.messages import RequestError
from factorec.sagemaker.model import FMModel

ROWS = np.float32([[1, 0, 2], [0, 0, 0]])
FM = FMModel(FMParameters(0.5, np.ones(3, np.float32), np.ones((3, 2), np.float32)), "binary_classifier", n_jobs=1)
NEAREST = KNN({"k": "2", "sample_size": "2", "predictor_type": "classifier"}, n_jobs=1).fit(ROWS, [1, 2])
BODIES = {
    "application/json": b'{"instances": [{"features": [1, 0, 2.5e0]}]}',
    "application/jsonlines": b'{"data": {"features": {"keys": [2], "shape": [3], "values": [1]}}}\n',
    "application/x-recordio-protobuf": encode_labels({"values": ROWS}),
    "text/csv": b"1,0,2.5\r\n-1,0,2\n",
}
TYPES = st.sampled_from(sorted(BODIES))
HEADERS = st.one_of(
    st.none(),
    TYPES,
    st.sampled_from(["*/*", "application/*;q=0.2, text/html", "application/json; verbose=TRUE", "; ;=;q=x", ","]),
    st.text(max_size=20),
)


def answer(model, body, content_type, accept):
    refusal = None
    try:
        response = invoke(model, body, content_type=content_type, accept=accept)
    except RequestError as error:
        refusal = error
    if refusal is not None:
        assert refusal.status in (400, 406, 415)
        assert str(refusal).encode()
        return
    if response.content_type == "application/json":
        assert isinstance(json.loads(response.body)["predictions"], list)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), HEADERS, HEADERS, st.sampled_from([FM, NEAREST]))
def test_any_bytes_and_headers(body, content_type, accept, model):
    answer(model, body, content_type, accept)


@settings(max_examples=600, deadline=None)
@given(TYPES, HEADERS, st.sampled_from([FM, NEAREST]), st.data())
def test_damaged_bodies(content_type, accept, model, data):
    body = bytearray(BODIES[content_type])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    answer(model, bytes(body), content_type, accept)


@pytest.mark.parametrize("model", [FM, NEAREST])
def test_no_rows_have_no_predictions(model):
    for accept in ("application/json; verbose=true", "application/jsonlines", "application/x-recordio-protobuf"):
        body = invoke(model, b'{"instances": []}', content_type="application/json", accept=accept).body
        assert body == (b'{"predictions":[]}' if "json;" in accept else b"")
