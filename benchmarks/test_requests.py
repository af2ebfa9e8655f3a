"""Requests of 6 MB, the most that an endpoint takes: from bytes to rows, beside the standard library's parser alone.

Ours ends with a CSR matrix that is checked; ``json.loads`` with lists and dicts that are yet to be made into one.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from factorec.sagemaker.messages.json_rows import read_json, read_json_lines

MAX_BYTES = 6_291_456
N_FEATURES = 2625


def dense(row):
    values = np.zeros(N_FEATURES)
    values[row] = 1
    return {"features": values.tolist()}


def sparse(row):
    return {"data": {"features": {"keys": row, "shape": [N_FEATURES], "values": [1.0] * len(row)}}}


@pytest.fixture(scope="module", params=[dense, sparse], ids=lambda form: form.__name__)
def instances(request):
    """As many one-hot instances as fit."""
    rng = np.random.default_rng(0)
    size = len(json.dumps(request.param([500, 1500]))) + 2
    rows = np.stack([rng.integers(0, 943, MAX_BYTES // size), rng.integers(943, N_FEATURES, MAX_BYTES // size)], axis=1)
    return [request.param(row) for row in rows.tolist()]


def case_of(instances, content_type):
    form = "dense" if "features" in instances[0] else "sparse"
    return f"{content_type} of 6 MB, {len(instances):,} {form} one-hot rows of {N_FEATURES:,}"


@pytest.mark.parametrize("name", ["factorec", "json.loads"])
def test_json(contender, instances, name):
    body = json.dumps({"instances": instances}).encode()
    read = {"factorec": lambda: read_json(body, N_FEATURES), "json.loads": lambda: json.loads(body)}[name]
    bars = {"json.loads": 3.0} if name == "factorec" else None
    contender(case_of(instances, "JSON"), name, read, limit=0.1 if bars else None, bars=bars)


@pytest.mark.parametrize("name", ["factorec", "json.loads"])
def test_json_lines(contender, instances, name):
    body = b"\n".join(json.dumps(instance).encode() for instance in instances)
    read = {
        "factorec": lambda: read_json_lines(body, N_FEATURES),
        "json.loads": lambda: [json.loads(line) for line in body.split(b"\n")],
    }[name]
    bars = {"json.loads": 3.0} if name == "factorec" else None
    contender(case_of(instances, "JSON lines"), name, read, limit=0.1 if bars else None, bars=bars)
