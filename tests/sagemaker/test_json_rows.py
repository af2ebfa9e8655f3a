"""The core's reader of JSON instances against the standard library's parser."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_json_rows import reference_rows

from factorec import _core
from factorec.sagemaker.messages import PayloadError
from factorec.sagemaker.messages.json_rows import read_json, read_json_lines

N = 3
numbers = st.one_of(
    st.integers(-5, 5), st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(), st.integers()
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=5,
)
dense = st.lists(numbers, min_size=N, max_size=N)
sparse = st.integers(0, 4).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "keys": st.lists(st.integers(0, N - 1), min_size=n, max_size=n),
            "shape": st.just([N]),
            "values": st.lists(numbers, min_size=n, max_size=n),
        }
    )
)
features = st.one_of(
    sparse,
    st.fixed_dictionaries({"values": dense}, optional={"shape": st.just([N])}),
    st.dictionaries(st.sampled_from(["keys", "shape", "values", "key"]), anything, max_size=3),
)
instances = st.one_of(
    st.fixed_dictionaries({"features": dense}, optional={"id": anything}),
    st.fixed_dictionaries({"data": st.fixed_dictionaries({"features": features}, optional={"x": anything})}),
    anything,
)


def agree(body: bytes, *, lines: bool) -> bool:
    """Whether both take the body; they must do the same."""
    reader = read_json_lines if lines else read_json
    try:
        expected = reference_rows(body, N, lines=lines)
    except ValueError:
        with pytest.raises(PayloadError):
            reader(body, N)
        return False
    rows = reader(body, N)
    assert rows.shape == (len(expected), N)
    assert rows.indices.tolist() == [column for columns, _ in expected for column in columns]
    assert rows.data.tobytes() == np.array([v for _, values in expected for v in values], np.float32).tobytes()
    assert np.diff(rows.indptr).tolist() == [len(columns) for columns, _ in expected]
    return True


def encoded(value: object, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@settings(max_examples=400, deadline=None)
@given(st.lists(instances, max_size=4), st.booleans(), st.booleans())
def test_documents(given_instances, lines, ascii_only):
    if lines:
        agree(b"\r\n \n".join(encoded(instance, ascii_only) for instance in given_instances), lines=True)
    else:
        agree(encoded({"a": 0, "instances": given_instances, "b": [{}]}, ascii_only), lines=False)


@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_damaged_documents(data):
    good = {"data": {"features": {"keys": [2, 0], "shape": [3], "values": [-1.5, 2e3]}}}, {"features": [0.0, 1, 2.5]}
    body = bytearray(json.dumps({"instances": good, "\u00e9\\": None}).encode())
    assert agree(bytes(body), lines=False)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        byte = data.draw(st.sampled_from(b'{}[]",:\\u019.eE+- tfn\n\xff'))
        how = data.draw(st.sampled_from(["insert", "replace", "delete"]))
        body[at : at + (how != "insert")] = b"" if how == "delete" else bytes([byte])
    agree(bytes(body), lines=False)


@pytest.mark.parametrize(
    "number",
    ["0", "-0", "-0.0", "1.5e+3", "1E-2", "1e-400", "5e-324", "1e-46", "3.4028234663852886e38", "3.4028235677973366e38"]
    + [
        "1e39",
        "1e400",
        "-1e400",
        "0e999999999999999999999",
        "1e-999999999999999999999",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
    ]
    + ["0x10", "1_0", "NaN", "-Infinity", "nan", "true", "null", '"1"', "[1]", "{}", "1" * 300, "0." + "0" * 300 + "1"]
    + ["16777217", "9007199254740993", "0.1", "1.00000005960464477539062500", "1 ", "\t1"],
)
def test_numbers(number):
    agree(f'{{"instances": [{{"features": [{number}, 0, 1]}}]}}'.encode(), lines=False)
    agree(f'{{"features": [0, 1, {number}]}}'.encode(), lines=True)
    key = f'{{"instances": [{{"data": {{"features": {{"keys": [{number}], "shape": [3], "values": [1]}}}}}}]}}'
    agree(key.encode(), lines=False)
    agree(key.replace("keys", "shapes").replace("shape", "keys").encode(), lines=False)


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [], "instances": []}',
        '{"instances": [{"features": [0, 1, 2], "features": [0, 1, 2]}]}',
        '{"instances": [{"data": {"features": {"values": [0, 1, 2]}}, "data": {}}]}',
        '{"instances": [{"data": {"features": {"values": [0, 1, 2], "values": [0, 1, 2]}}}]}',
        '{"instances": [{"data": {"features": {"values": [0, 1, 2]}, "features": 1}}]}',
    ],
)
def test_names_that_count_must_not_be_given_twice(body):
    assert not agree(body.encode(), lines=False)


def test_places_of_the_core_are_checked():
    with pytest.raises(ValueError, match="begin is 4, the text has 3 bytes"):
        _core.read_json_rows(b"123", 4, 3, False)
    with pytest.raises(ValueError, match="begin is -1"):
        _core.read_json_rows(b"123", -1, 3, False)
    with pytest.raises(TypeError):
        _core.read_json_rows(bytearray(b"123"), 0, 3, False)
