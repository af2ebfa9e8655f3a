"""Side features are stored once per entity: training on blocks is training on the flat rows, without their memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fm_problems import make_wide

from factorec.fm import FMClassifier, FMRegressor, TrainingSet


def settings(**changed):
    return {"n_factors": 6, "n_epochs": 3, "learning_rate": 0.05, "init_scale": 0.1, "random_state": 1, **changed}


def bits(model):
    """Everything that training sets, as bytes."""
    p, state = model.parameters_, model.solver_state_
    arrays = (p.linear, p.factors, p.penalties.linear, p.penalties.factors)
    arrays += (state.linear_accumulator, state.factors_accumulator, *(state.adam.arrays if state.adam else ()))
    return (p.bias, state.bias_accumulator, state.n_epochs, *(array.tobytes() for array in arrays))


def flat(data):
    return data.to_csr(), data.target


# Promise 3 with 30 side features an item: blocks and the flat rows in the same order give the same bits.

OPTIONS = {
    "as it is": {},
    "sgd": {"solver": "sgd", "learning_rate": 0.003},
    "batches": {"batch_size": 50},
    "adam": {"solver": "adam", "batch_size": 50},
    "in order": {"shuffle": False},
    "clip": {"clip_gradient": 0.05},
    "rates and L2 by field": {"learning_rate": {"field 3": 0.01}, "l2_factors": {"field 15": 0.2}},
    "early stopping": {"early_stopping": True, "n_epochs": 30},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_blocks_train_to_the_bits_of_flat_rows(estimator, options):
    data = make_wide(binary=estimator is FMClassifier)
    assert np.diff(data.to_csr().indptr).min() == 32
    X, y = flat(data)
    one = estimator(**settings(**options)).fit(data)
    other = estimator(**settings(**options)).fit(X, y, field_ranges=data.field_ranges)
    assert bits(one) == bits(other)
    np.testing.assert_array_equal(one.decision_function(data), other.decision_function(X))


def test_class_and_row_weights():
    data = make_wide()
    weight = np.random.default_rng(0).choice([0.0, 0.5, 2.0], data.n_rows).astype(np.float32)
    weighted = TrainingSet(data.target, data.blocks, weight)
    X, y = flat(data)
    one = FMClassifier(**settings(class_weight="balanced")).fit(weighted)
    other = FMClassifier(**settings(class_weight="balanced")).fit(X, y, weight, field_ranges=data.field_ranges)
    assert bits(one) == bits(other)


@pytest.mark.parametrize("options", [{}, {"batch_size": 50}, {"solver": "adam", "batch_size": 50}], ids=str)
def test_partial_fit_and_warm_start(options):
    data, more = make_wide(), make_wide(seed=1)
    indices = [block.index for block in more.blocks]
    blocks = [replace(block, index=index) for block, index in zip(data.blocks, indices, strict=True)]
    more = TrainingSet(more.target, blocks)
    one, other = (FMClassifier(**settings(warm_start=True, **options)) for _ in range(2))
    for call in ("fit", "partial_fit", "partial_fit", "fit"):
        for part in (data, more):
            X, y = flat(part)
            getattr(one, call)(part)
            getattr(other, call)(X, y, field_ranges=part.field_ranges)
    assert one.solver_state_.n_epochs == 2 * (3 + 1 + 1 + 3)
    assert bits(one) == bits(other)


@pytest.mark.parametrize("solver", ["adagrad", "adam"])
def test_negatives_are_rows_like_any_other(solver):
    """The draws of an epoch written out as rows of their own, each after its positive."""
    data = make_wide(negatives=3)
    options = settings(solver=solver, batch_size=20, shuffle=False, n_epochs=1, l2_linear=0.01, l2_factors=0.02)
    sampled = FMClassifier(**options).fit(data)
    positive = np.flatnonzero(data.target == 1)
    user, item = (block.index for block in data.blocks)
    drawn = data.negatives.draw(user, sampled.solver_state_.seed, 0)[positive]  # keyed by the row
    assert (drawn >= 0).all()
    rows = np.sort(np.concatenate([np.arange(data.n_rows), np.repeat(positive, 3)]))
    first = np.r_[True, np.diff(rows) > 0]
    items, target = item[rows].copy(), data.target[rows].copy()
    items[~first], target[~first] = drawn.ravel(), 0.0
    indices = user[rows], items
    blocks = [replace(block, index=index) for block, index in zip(data.blocks, indices, strict=True)]
    written = FMClassifier(**options).fit(TrainingSet(target, blocks))
    assert written.parameters_.bias == sampled.parameters_.bias
    assert written.factors_.tobytes() == sampled.factors_.tobytes()
    assert written.linear_.tobytes() == sampled.linear_.tobytes()


# Promise 5: the memory of ids and the catalogue, never that of the flat rows.

N_ROWS, N_SIDE = 200_000, 30
PER_ROW = 64  # bytes; the flat rows take 8 bytes for each of 32 entries
FLAT = N_ROWS * 8 * (N_SIDE + 2)


def big():
    rng = np.random.default_rng(0)
    few = make_wide(n_rows=10, n_users=2000, n_items=500, n_features=N_SIDE)
    blocks = [
        replace(block, index=rng.integers(0, block.rows.shape[0], N_ROWS).astype(np.int32)) for block in few.blocks
    ]
    return TrainingSet(rng.integers(0, 2, N_ROWS).astype(float), blocks)


def peak(flat_too):
    """Bytes that a process has at most while it fits, above what it had before."""
    data = big()
    model = FMClassifier(n_factors=8, n_epochs=1, n_jobs=2)
    model.fit(make_wide())  # code and thread stacks
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    if flat_too:
        model.fit(*flat(data), field_ranges=data.field_ranges)
    else:
        model.fit(data)
    print(json.dumps(status("VmHWM") - before))


def status(name):
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def in_a_process(call):
    code = f"import test_side_features as t; t.{call}"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux's /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer takes memory of its own")
@pytest.mark.slow
def test_fitting_blocks_takes_no_memory_for_flat_rows():
    """In processes of their own, memory of the core included; the flat rows show that the measure would tell."""
    assert in_a_process("peak(True)") > FLAT
    assert in_a_process("peak(False)") < N_ROWS * PER_ROW < FLAT / 3


def test_arrays_of_fitting_blocks_are_as_long_as_the_rows():
    data = big()
    FMClassifier(n_factors=8, n_epochs=1).fit(make_wide())
    tracemalloc.start()
    try:
        FMClassifier(n_factors=8, n_epochs=1).fit(data, X_val=data)
        assert tracemalloc.get_traced_memory()[1] < N_ROWS * PER_ROW
    finally:
        tracemalloc.stop()
