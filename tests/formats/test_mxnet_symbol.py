"""symbol.json: the text that MXNet 1.9.1 wrote for this graph (its version set to 1.3.0), and what graphs say."""

import json
from pathlib import Path

import pytest

from factorec.errors import DataError, FormatError
from factorec.formats.mxnet_symbol import predictor_type_of, symbol_json

WRITTEN_BY_MXNET = (Path(__file__).parent / "fm_symbol.json").read_text()


def test_the_text_is_mxnets():
    assert symbol_json("binary_classifier", 6, 2) == WRITTEN_BY_MXNET
    assert symbol_json("regressor", 6, 2) == WRITTEN_BY_MXNET.replace("Logistic", "Linear")
    assert '"(2625, 64)"' in symbol_json("regressor", 2625, 64)


def test_only_two_predictor_types():
    with pytest.raises(DataError, match="predictor_type is 'classifier', expected 'binary_classifier' or 'regressor'"):
        symbol_json("classifier", 6, 2)


def test_the_output_tells_what_is_predicted():
    graph = json.loads(WRITTEN_BY_MXNET)
    assert predictor_type_of(graph) == "binary_classifier"
    # Metrics behind the output are other heads; the output is found among all nodes.
    graph["nodes"].append({"op": "mean", "name": "metric", "inputs": [[17, 0, 0]]})
    graph["heads"] = [[18, 0, 0]]
    assert predictor_type_of(graph) == "binary_classifier"
    graph["nodes"].append({"op": "LinearRegressionOutput", "name": "other", "inputs": []})
    assert predictor_type_of(graph) is None
    graph["heads"] = [[19, 0, 0]]
    assert predictor_type_of(graph) == "regressor"
    graph["nodes"] = [{"op": "null", "name": "data"}, {}]
    assert predictor_type_of(graph) is None


@pytest.mark.parametrize("heads", [None, 5, "x", [], [5], [[]], [["17"]], [[99, 0, 0]], [[-1]], [[True]], [[17.0]]])
def test_heads_of_any_kind(heads):
    graph = json.loads(WRITTEN_BY_MXNET) | {"heads": heads}
    assert predictor_type_of(graph) == "binary_classifier"


@pytest.mark.parametrize("graph", [None, [], 5, "nodes", {}, {"nodes": {}}, {"nodes": [1]}, {"nodes": [[]]}])
def test_what_is_no_graph(graph):
    with pytest.raises(FormatError, match="it has no list of nodes"):
        predictor_type_of(graph)


def test_operators_of_any_kind():
    assert predictor_type_of({"nodes": [{"op": ["x"]}, {"op": {}}, {"op": None}], "heads": [[0]]}) is None
