"""``symbol.json``: the graph of a factorization machine, as MXNet's ``Module.load`` wants it.

The graph computes ``w0 + x w1 + 1/2 (|x V|**2 - x**2 |V|**2)``, summed over factors, and ends in the output that says
what the model predicts. Node for node it is the published MXNet example of a sparse factorization machine, with the
names that programs for the managed service look up: ``data``, ``v``, ``w1_weight``, ``w0_weight``, ``out_label``.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..errors import DataError, FormatError

__all__ = ["OUTPUTS", "predictor_type_of", "symbol_json"]

# The regressor's is a guess: no artifact of one was at hand. It is what the squared loss without a factor 2 means.
OUTPUTS = {"binary_classifier": "LogisticRegressionOutput", "regressor": "LinearRegressionOutput"}

# The release that the service's own fork is closest to.
_MXNET_VERSION = 10300
_ROW_SPARSE, _CSR = {"__storage_type__": "1"}, {"__storage_type__": "2"}


class _Node(NamedTuple):
    op: str
    name: str
    inputs: tuple[int, ...] = ()
    attributes: dict[str, str] = {}  # noqa: RUF012 (never changed)


def symbol_json(predictor_type: str, n_features: int, n_factors: int) -> str:
    """Make the graph of a model trained on sparse records.

    Parameters
    ----------
    predictor_type : {"binary_classifier", "regressor"}
    n_features, n_factors : int

    Returns
    -------
    str
        JSON in MXNet's own layout, spaces included.

    Raises
    ------
    DataError
        If `predictor_type` is neither.

    Examples
    --------
    >>> len(json.loads(symbol_json("regressor", 2625, 64))["nodes"])
    18
    """
    if predictor_type not in OUTPUTS:
        raise DataError(f"predictor_type is {predictor_type!r}, expected {' or '.join(map(repr, OUTPUTS))}")
    over_columns = {"axis": "1", "keepdims": "True"}
    nodes = [
        _Node("null", "data", (), _CSR),
        _Node("null", "w1_weight", (), {"__shape__": f"({n_features}, 1)"} | _ROW_SPARSE),
        _Node("dot", "dot0", (0, 1)),
        _Node("null", "w0_weight", (), {"__shape__": "(1,)"}),
        _Node("broadcast_add", "broadcast_add0", (2, 3)),
        _Node("null", "v", (), {"__shape__": f"({n_features}, {n_factors})"} | _ROW_SPARSE),
        _Node("dot", "dot1", (0, 5)),
        _Node("square", "square0", (6,)),
        _Node("_mul_scalar", "_mulscalar0", (7,), {"scalar": "0.5"}),
        _Node("Concat", "concat0", (4, 8), {"dim": "1", "num_args": "2"}),
        _Node("sum", "sum0", (9,), over_columns),
        _Node("square", "square1", (0,)),
        _Node("_square_sum", "_square_sum0", (5,), over_columns),
        _Node("dot", "dot2", (11, 12)),
        _Node("_mul_scalar", "_mulscalar1", (13,), {"scalar": "-0.5"}),
        _Node("elemwise_add", "_plus0", (10, 14)),
        _Node("null", "out_label"),
        _Node(OUTPUTS[predictor_type], "out", (15, 16)),
    ]
    arguments = [i for i, node in enumerate(nodes) if node.op == "null"]
    # Every node has one output, so the numbers of the first outputs are those of the nodes.
    rows = ", \n".join(f"    {i}" for i in range(len(nodes) + 1))
    return (
        '{\n  "nodes": [\n'
        + ", \n".join(map(_node_text, nodes))
        + f'\n  ], \n  "arg_nodes": {arguments}, \n  "node_row_ptr": [\n{rows}\n  ], \n'
        + f'  "heads": [[{len(nodes) - 1}, 0, 0]], \n  "attrs": {{"mxnet_version": ["int", {_MXNET_VERSION}]}}\n}}'
    )


def predictor_type_of(graph: Any) -> str | None:
    """Tell from a graph what its model predicts.

    Parameters
    ----------
    graph : object
        ``symbol.json``, parsed.

    Returns
    -------
    str or None
        ``"binary_classifier"`` or ``"regressor"``; None if the outputs, and all other nodes, leave it open.

    Raises
    ------
    FormatError
        If this is no graph.

    Examples
    --------
    >>> predictor_type_of(json.loads(symbol_json("regressor", 4, 2)))
    'regressor'
    """
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise FormatError("not a graph of MXNet: it has no list of nodes")
    ops = [node.get("op") for node in nodes]
    heads = graph.get("heads")
    last = [
        ops[head[0]]
        for head in (heads if isinstance(heads, list) else ())
        if isinstance(head, list) and head and type(head[0]) is int and 0 <= head[0] < len(ops)
    ]
    # The service may hang metrics behind the output, so that the heads are other nodes.
    for candidates in (last, ops):
        found = [kind for kind, op in OUTPUTS.items() if op in candidates]
        if len(found) == 1:
            return found[0]
    return None


def _node_text(node: _Node) -> str:
    lines = [f'"op": {json.dumps(node.op)}', f'"name": {json.dumps(node.name)}']
    entries = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(node.attributes.items())]
    if len(entries) == 1:  # MXNet breaks lines from two entries on
        lines.append(f'"attrs": {{{entries[0]}}}')
    elif entries:
        lines.append('"attrs": {\n        ' + ", \n        ".join(entries) + "\n      }")
    lines.append(f'"inputs": {[[i, 0, 0] for i in node.inputs]}')
    return "    {\n      " + ", \n      ".join(lines) + "\n    }"
