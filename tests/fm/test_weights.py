"""Growth, and what partial_fit leaves alone: features keep their place in the world and their bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides

from factorec import errors
from factorec.fm import Block, FMClassifier, FMParameters, FMRegressor, Penalties, TrainingSet
from factorec.fm._weights import grown

ESTIMATORS = pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])


def fitted(estimator, data, **options):
    settings = {"n_factors": 4, "n_epochs": 3, "learning_rate": 0.1, "init_scale": 0.2, "random_state": 1}
    return estimator(**settings | options).fit(data)


def state_of(model):
    p, s = model.parameters_, model.solver_state_
    moments = s.adam.arrays if s.adam else ()
    return [
        *(p.linear, p.factors, p.penalties.linear, p.penalties.factors),
        *(s.linear_accumulator, s.factors_accumulator, *moments),
    ]


def widened(data, column_map, n_features):
    """The same rows, every feature at its new column."""
    blocks = []
    for block in data.blocks:
        rows = block.rows.copy()
        rows.indices = column_map[rows.indices].astype(rows.indices.dtype)
        rows.resize(rows.shape[0], n_features)
        ranges = {name: (int(column_map[a]), int(column_map[b - 1]) + 1) for name, (a, b) in block.field_ranges.items()}
        blocks.append(Block(block.name, block.index, rows, ranges))
    return TrainingSet(data.target, blocks, data.weight)


# Two columns more at the end of the users, three at the end of the items.
def map_of(data, n_users=9, n_items=11):
    column = np.arange(data.n_features)
    border = data.n_query_features
    return column + 2 * (column >= n_users) + 3 * (column >= border + n_items), data.n_features + 5


@ESTIMATORS
@pytest.mark.parametrize("way", ["blocks", "flat", "batches", "partial_fit"])
def test_ids_start_at_random_and_other_fields_at_zero(estimator, way):
    data = make_sides(binary=estimator is FMClassifier)
    still = {"bias": 0, "linear": 0, "factors": 0}
    model = estimator(n_factors=4, n_epochs=1, learning_rate=still, batch_size=7 if way == "batches" else 1)
    if way == "flat":
        model.fit(data.to_csr(), data.target, field_ranges=data.field_ranges)
    elif way == "partial_fit":
        model.partial_fit(data.take(data.blocks[0].index < 4)).partial_fit(data)
    else:
        model.fit(data)
    occurring = np.bincount(data.to_csr().indices, minlength=data.n_features) > 0
    for name, (start, stop) in data.field_ranges.items():
        expected = occurring[start:stop] if name in ("user", "item") else np.zeros(stop - start, bool)
        np.testing.assert_array_equal(model.factors_[start:stop].any(axis=1), expected, err_msg=name)


@ESTIMATORS
@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "adam"])
def test_growing_moves_all_state_and_keeps_the_scores(estimator, make, solver):
    data = make(binary=estimator is FMClassifier)
    model = fitted(estimator, data, solver=solver)
    before, scores, bias = state_of(model), model.decision_function(data), model.bias_
    column_map, n_features = map_of(data)
    assert model.grow(column_map, n_features) is model
    new = np.setdiff1d(np.arange(n_features), column_map)
    fills = (0, 0, 0, 0, 1, 1, *(4 * (0,) if solver == "adam" else ()))
    for old, now, fill in zip(before, state_of(model), fills, strict=True):
        assert now.dtype == old.dtype
        np.testing.assert_array_equal(now[column_map], old)
        assert (now[new] == fill).all()
    assert model.bias_ == bias
    assert model.n_features_in_ == n_features
    assert model.parameters_.n_query_features == data.n_query_features + 2
    np.testing.assert_array_equal(model.decision_function(widened(data, column_map, n_features)), scores)


@ESTIMATORS
@pytest.mark.parametrize("solver", ["adagrad", "adam"])
def test_training_goes_on_after_growth_as_without(estimator, solver):
    data = make_sides(binary=estimator is FMClassifier)
    column_map, n_features = map_of(data)
    plain = fitted(estimator, data, solver=solver).partial_fit(data)
    moved = (
        fitted(estimator, data, solver=solver)
        .grow(column_map, n_features)
        .partial_fit(widened(data, column_map, n_features))
    )
    for old, now in zip(state_of(plain), state_of(moved), strict=True):
        np.testing.assert_array_equal(now[column_map], old)
    assert moved.penalties_.per_row == plain.penalties_.per_row


def test_growth_keeps_penalties_by_factor():
    """Sampled models have a penalty per factor."""
    p = FMParameters(0.0, np.ones(2, np.float32), np.ones((2, 3), np.float32), Penalties(np.ones(2), np.ones((2, 3))))
    state = fitted(FMClassifier, make_ids()).solver_state_
    state.linear_accumulator = state.factors_accumulator = np.full(2, 3.0, np.float32)
    wide, _ = grown(p, state, [0, 2], 3)
    np.testing.assert_array_equal(wide.penalties.factors, [[1, 1, 1], [0, 0, 0], [1, 1, 1]])


@ESTIMATORS
@pytest.mark.parametrize("solver", ["adagrad", "sgd", "adam"])
def test_partial_fit_keeps_the_bits_of_what_no_row_touches(estimator, solver):
    """Also of a regressor, whose parameters are trained in other units than they are returned in: parameters that
    were solved for and not trained, as here, would not survive the way there and back."""
    data = make_ids(400, binary=estimator is FMClassifier)
    model = fitted(estimator, data, solver=solver, learning_rate=0.003 if solver == "sgd" else 0.1)
    rng = np.random.default_rng(0)
    model.parameters_ = replace(
        model.parameters_,
        linear=rng.normal(0, 0.1, data.n_features).astype(np.float32),
        factors=rng.normal(0, 0.1, (data.n_features, 4)).astype(np.float32),
    )
    before = state_of(model)
    part = data.take(np.flatnonzero((data.blocks[0].index <= 1) & (data.blocks[1].index <= 2)))
    model.partial_fit(part)
    untouched = np.ones(data.n_features, bool)
    untouched[np.unique(part.to_csr().indices)] = False
    assert 0 < untouched.sum() < data.n_features
    for old, now in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(now[untouched], old[untouched])
    assert (model.factors_[~untouched] != before[1][~untouched]).any(axis=1).all()


@ESTIMATORS
def test_a_grown_feature_is_learned_by_partial_fit(estimator):
    data = make_ids(binary=estimator is FMClassifier)
    model = fitted(estimator, data)
    column_map, n_features = map_of(data)
    model.grow(column_map, n_features)
    rows = TrainingSet.from_ids([9, 9, 10], [11, 0, 12], [1, 0, 1], n_users=11, n_items=14)
    model.partial_fit(rows)
    assert model.factors_[[9, 10, 11 + 11, 11 + 12]].any(axis=1).all()
    assert not model.factors_[11 + 13].any()


@pytest.mark.parametrize(
    ("column_map", "n_features", "message"),
    [
        (np.arange(5), 30, r"column_map must be integers of shape \(20,\)"),
        (np.arange(20) / 2, 30, "column_map must be integers"),
        (np.arange(20) + 11, 30, r"column_map\[19\] is 30, outside 0\.\.29"),
        (np.arange(20) - 1, 30, r"column_map\[0\] is -1"),
        (np.repeat(np.arange(10), 2), 30, r"column_map must rise.*\[0\] is 0, then 0"),
        (np.arange(20), 19, "n_features must be an integer of at least 20"),
    ],
)
def test_growth_that_cannot_be_names_what_is_wrong(column_map, n_features, message):
    model = fitted(FMClassifier, make_ids())
    before = [part.tobytes() for part in state_of(model)]
    with pytest.raises(errors.DataError, match=message):
        model.grow(column_map, n_features)
    assert [part.tobytes() for part in state_of(model)] == before
