"""MXNet's arrays and graphs, read and evaluated a second time: plain, without limits, sharing no code with the library.

The layout is that of MXNet's ``NDArray::Save``; the operators are as MXNet documents them.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile

import numpy as np

TYPES = {0: np.float32, 1: np.float64, 2: np.float16, 3: np.uint8, 4: np.int32, 5: np.int8, 6: np.int64, 7: np.bool_}


def load_params(raw: bytes) -> dict[str, np.ndarray]:
    """All arrays, dense; stored rows and CSR entries put where they belong."""
    f = io.BytesIO(raw)

    def get(code):
        value = struct.unpack("<" + code, f.read(struct.calcsize("<" + code)))
        return value[0] if len(value) == 1 else value

    def get_shape():
        return tuple(get("q") for _ in range(get("i")))

    def get_data(flag, shape):
        dtype = np.dtype(TYPES[flag])
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(f.read(count * dtype.itemsize), dtype).reshape(shape)

    magic, reserved, count = get("Q"), get("Q"), get("Q")
    assert (magic, reserved) == (0x112, 0)
    arrays = []
    for _ in range(count):
        assert get("I") == 0xF993FAC9, "only the current form is read here"
        storage = get("i")
        stored = get_shape() if storage else None
        shape = get_shape()
        assert (get("i"), get("i")) == (1, 0)  # cpu 0
        flag = get("i")
        aux = [(get("i"), get_shape()) for _ in range((0, 1, 2)[storage])]
        data = get_data(flag, stored if storage else shape)
        aux = [get_data(*part) for part in aux]
        if storage == 1:
            full = np.zeros(shape, data.dtype)
            full[aux[0]] = data
            data = full
        elif storage == 2:
            full = np.zeros(shape, data.dtype)
            for row in range(shape[0]):
                for entry in range(aux[0][row], aux[0][row + 1]):
                    full[row, aux[1][entry]] += data[entry]
            data = full
        arrays.append(data)
    names = [f.read(get("Q")).decode() for _ in range(get("Q"))]
    assert f.read() == b""
    return dict(zip(names, arrays, strict=True))


def unpack_artifact(path) -> tuple[dict, dict[str, np.ndarray], dict]:
    """Graph, arrays and meta.json of a model.tar.gz, by the standard library's own readers."""
    with tarfile.open(path, "r:gz") as outer:
        assert outer.getnames() == ["model_algo-1"]
        inner = zipfile.ZipFile(io.BytesIO(outer.extractfile("model_algo-1").read()))
    assert inner.testzip() is None
    assert sorted(inner.namelist()) == ["meta.json", "params", "symbol.json"]
    return (
        json.loads(inner.read("symbol.json")),
        load_params(inner.read("params")),
        json.loads(inner.read("meta.json")),
    )


def evaluate(graph: dict, values: dict[str, np.ndarray]) -> np.ndarray:
    """What the graph's first head computes, node by node in float64; `values` has the variables."""
    results = []
    for node in graph["nodes"]:
        a = [results[i] for i, output, _ in node["inputs"]]
        assert all(output == 0 for _, output, _ in node["inputs"])
        attributes = node.get("attrs", {})
        keep = attributes.get("keepdims") == "True"
        match node["op"]:
            case "null":
                out = np.asarray(values[node["name"]], np.float64)
            case "dot":
                out = a[0] @ a[1]
            case "broadcast_add":
                out = a[0] + a[1]
            case "elemwise_add":
                assert a[0].shape == a[1].shape
                out = a[0] + a[1]
            case "square":
                out = a[0] ** 2
            case "_mul_scalar":
                out = a[0] * float(attributes["scalar"])
            case "Concat":
                assert len(a) == int(attributes["num_args"])
                out = np.concatenate(a, axis=int(attributes["dim"]))
            case "sum":
                out = a[0].sum(axis=int(attributes["axis"]), keepdims=keep)
            case "_square_sum":
                out = (a[0] ** 2).sum(axis=int(attributes["axis"]), keepdims=keep)
            case "LogisticRegressionOutput":
                out = 1 / (1 + np.exp(-a[0]))
            case "LinearRegressionOutput":
                out = a[0]
            case other:
                raise AssertionError(f"unknown operator {other}")
        results.append(out)
    return results[graph["heads"][0][0]]
