"""Promise 3, its first half: the pass is the one that is defined, whatever path through the core it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from reference_training import Cuts, Negatives, Reference, Settings
from scipy import sparse

from factorec.fm import FMClassifier, FMOrdinal, FMRegressor, TrainingSet


def entries(matrix, row):
    span = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return list(zip(matrix.indices[span].tolist(), matrix.data[span].tolist(), strict=True))


def expected_negatives(data, target, weight, n_features):
    """Expected weight of the negatives of an epoch by column, counted row by row and item by item."""
    totals, all_of_them = np.zeros(n_features), 0.0
    seen = data.negatives.seen.toarray() != 0
    for row in np.flatnonzero(target == 1):
        unseen = np.flatnonzero(~seen[data.blocks[0].index[row]])
        share = data.negatives.n_per_positive * weight[row] / max(len(unseen), 1)
        for item in unseen:
            all_of_them += share
            for block, entity in [(b, b.index[row]) for b in data.blocks[:-1]] + [(data.blocks[-1], item)]:
                for column, _ in entries(block.rows, entity):
                    totals[column] += share
    return totals, all_of_them


def rates_of(value, field_ranges, n_features):
    """Of the bias, of each linear weight, of the factors of each feature. A dict names all three and any fields."""
    if not isinstance(value, dict):
        value = dict.fromkeys(("bias", "linear", "factors"), value)
    linear, factors = np.full(n_features, value["linear"]), np.full(n_features, value["factors"])
    for name, (start, stop) in (field_ranges or {}).items():
        if name in value:
            linear[start:stop] = factors[start:stop] = value[name]
    return value["bias"], linear, factors


def by_feature(value, field_ranges, totals, power, ids, side):
    out = np.zeros(len(totals))
    for name, (start, stop) in (field_ranges or {"": (0, len(totals))}).items():
        one = value.get(name, ids if name in ("user", "item") else side) if isinstance(value, dict) else value
        n = totals[start:stop]
        mean = n[n > 0].mean() if n.any() else 1.0
        out[start:stop] = one * np.where(n > 0, np.where(n > 0, n, 1.0) / mean, 1.0) ** -power
    return out


def reference_of(model, X, y=None, weight=None, field_ranges=None, grid=None):
    """Train the reference with the estimator's settings; parameters in the target's units, penalties and cuts."""
    data = X if isinstance(X, TrainingSet) else None
    if data is not None:
        X, y, weight, field_ranges = data.to_csr(), data.target, data.weight, data.field_ranges
        grid = field_ranges["user"], field_ranges["item"]
    n_rows, n_features = X.shape
    rows = [entries(X, row) for row in range(n_rows)]
    weight = np.ones(n_rows) if weight is None else np.asarray(weight, float)
    classifier = isinstance(model, FMClassifier)
    seed = int(np.random.RandomState(model.random_state).randint(2**31 - 1))

    totals = np.zeros(n_features)
    for row, w in zip(rows, weight, strict=True):
        for column, _ in row:
            totals[column] += w
    n_negatives, negatives = 0.0, None
    if data is not None and data.negatives is not None:
        more, n_negatives = expected_negatives(data, y, weight, n_features)
        totals += more
        seen = data.negatives.seen.toarray()
        item_block = data.blocks[-1]
        negatives = Negatives(
            data.negatives.n_per_positive,
            [set(np.flatnonzero(user)) for user in seen],
            data.blocks[0].index.tolist(),
            [[e for b in data.blocks[:-1] for e in entries(b.rows, b.index[row])] for row in range(n_rows)],
            [entries(item_block.rows, item) for item in range(item_block.rows.shape[0])],
        )
    factors = np.random.default_rng([seed, 1]).standard_normal((n_features, model.n_factors), np.float32)
    random = totals > 0
    if grid:  # only ids start at random
        random &= np.any([np.isin(np.arange(n_features), np.arange(*span)) for span in grid], axis=0)
    factors = np.where(random[:, None], factors * np.float32(model.init_scale), 0)
    mean, scale, bias, cuts = 0.0, 1.0, 0.0, None
    if isinstance(model, FMOrdinal):
        levels, y = np.unique(y, return_inverse=True)
        above = np.array([weight[y > t].sum() for t in range(len(levels) - 1)])
        start = np.log((weight.sum() - above + 0.5) / (above + 0.5))
        shares = np.ones(len(start)) if model.cut_weights is None else np.asarray(model.cut_weights, float)
        cuts = Cuts(start, shares / shares.sum(), np.ones(len(start)))
    elif classifier:
        positive = weight @ y
        bias = np.log((positive + 0.5) / (weight.sum() + n_negatives - positive + 0.5))
    else:
        mean = weight @ y / weight.sum()
        scale = np.sqrt(weight @ (y - mean) ** 2 / weight.sum())
    ids, side = ((t.l2_linear, t.l2_factors) for t in (type(model)._tuned, type(model)._tuned_side))
    l2 = [
        by_feature(v, field_ranges, totals, model._count_power(), *default)
        for v, *default in zip((model.l2_linear, model.l2_factors), ids, side, strict=True)
    ]
    settings = Settings(
        "logistic" if classifier else "ordinal" if cuts else "squared",
        model.solver,
        *rates_of(model.learning_rate, field_ranges, n_features),
        *l2,
        getattr(model, "l2_bias", 0.0),
        model.batch_size or 1,
        model.shuffle,
        np.inf if model.clip_gradient is None else model.clip_gradient,
        seed,
    )
    reference = Reference(
        rows, (y - mean) / scale, weight, settings, bias, np.zeros(n_features), factors, grid, negatives, cuts
    )
    for number in range(model.n_epochs):
        reference.epoch(number)
    return (
        mean + scale * reference.bias,
        scale * reference.linear,
        np.sqrt(scale) * reference.factors,
        totals * l2[0],
        totals * l2[1] * scale,
        cuts.value if cuts else None,
    )


def assert_same(model, expected):
    bias, linear, factors, l2_linear, l2_factors, cuts = expected
    if cuts is not None:
        np.testing.assert_allclose(model.cuts_, cuts, rtol=1e-4, atol=1e-5)
    assert model.bias_ == pytest.approx(bias, rel=1e-4, abs=1e-5)
    for ours, theirs in ((model.linear_, linear), (model.factors_, factors)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5 * np.abs(theirs).max())
    np.testing.assert_allclose(model.penalties_.linear, l2_linear, rtol=1e-5)
    np.testing.assert_allclose(model.penalties_.factors, l2_factors, rtol=1e-5)


def settings(**changed):
    return {
        "n_factors": 3,
        "n_epochs": 2,
        "learning_rate": 0.1,
        "l2_linear": 0.02,
        "l2_factors": 0.05,
        "init_scale": 0.3,
        "n_jobs": 1,
        "random_state": 3,
        **changed,
    }


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("n_factors", [1, 3, 8, 16, 17, 64, 70])
def test_classifier_is_the_defined_pass(make, solver, n_factors):
    data = make()
    model = FMClassifier(**settings(n_factors=n_factors, solver=solver, init_scale=0.1)).fit(data)
    assert_same(model, reference_of(model, data))


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("n_factors", [1, 8, 70])
def test_regressor_is_the_defined_pass(make, solver, n_factors):
    data = make(binary=False)
    model = FMRegressor(**settings(n_factors=n_factors, solver=solver, init_scale=0.1, learning_rate=0.02)).fit(data)
    assert_same(model, reference_of(model, data))


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("n_factors", [1, 8, 17, 70])
def test_ordinal_is_the_defined_pass(make, solver, n_factors):
    data = make(binary=False)
    options = settings(n_factors=n_factors, solver=solver, init_scale=0.1, cut_weights=[0.5, 0.5, 1, 0])
    model = FMOrdinal(**options).fit(data)
    assert_same(model, reference_of(model, data))


OPTIONS = {
    "no shuffle": {"shuffle": False},
    "clip": {"clip_gradient": 0.05},
    "clip, sgd": {"clip_gradient": 0.05, "solver": "sgd"},
    "l2 of the bias": {"l2_bias": 0.3},
    "count power": {"l2_count_power": 0.5},
    "batches of 7": {"batch_size": 7},
    "batches of 7, sgd": {"batch_size": 7, "solver": "sgd", "learning_rate": 0.03},
    "batches of 64": {"batch_size": 64},
    "batches of 64, in order": {"batch_size": 64, "shuffle": False},
    "one batch, sgd": {"batch_size": 10_000, "solver": "sgd"},
    "clip in batches": {"batch_size": 7, "clip_gradient": 0.05},
    "three epochs": {"n_epochs": 3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor, FMOrdinal])
def test_every_option(estimator, make, options):
    if estimator is FMOrdinal:  # cuts have no L2
        options = {name: value for name, value in options.items() if name != "l2_bias"}
    data = make(seed=1, binary=estimator is FMClassifier)
    weight = np.random.default_rng(5).choice([0.5, 1.0, 2.0], data.n_rows).astype(np.float32)
    data = replace(data, weight=weight)
    model = estimator(**settings(**options)).fit(data)
    assert_same(model, reference_of(model, data))


def test_l2_by_field():
    data = make_sides(seed=2)
    fields = list(data.field_ranges)
    l2 = {name: 0.01 * (1 + at) for at, name in enumerate(fields)}
    model = FMClassifier(**settings(l2_factors=l2, l2_linear=dict.fromkeys(fields, 0.0) | {"label": 0.2}))
    assert_same(model.fit(data), reference_of(model, data))
    assert model.penalties_.per_row["label"] == (0.2, pytest.approx(0.05))


@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_a_field_without_l2_of_its_own_takes_the_tuned_one(estimator):
    data = make_sides(seed=2, binary=estimator is FMClassifier)
    model = estimator(**settings(l2_factors={"label": 0.3}, l2_linear={"user": 0.0, "label": 0.2}))
    assert_same(model.fit(data), reference_of(model, data))
    tuned = estimator(**settings(l2_factors=None, l2_linear=None)).fit(data).penalties_.per_row
    assert model.penalties_.per_row["item"] == tuned["item"]
    assert model.penalties_.per_row["user"] == (0.0, tuned["user"][1])


RATES = {
    "by block": {"bias": 0.03, "linear": 0.2, "factors": 0.08},
    "of shared features": {"bias": 0.1, "linear": 0.1, "factors": 0.1, "label": 0.02, "age": 0.0},
    "of ids": {"bias": 0.1, "linear": 0.05, "factors": 0.1, "item": 0.02, "user": 0.2},
}


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES.keys())
@pytest.mark.parametrize("options", [{}, {"n_factors": 16}, {"n_factors": 80}, {"clip_gradient": 0.05}], ids=str)
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_rates_by_block_and_field(make, solver, batch_size, options, rates):
    """Pairs of ids, ids beside shared features, merged steps: every path takes each feature's own rate."""
    data = make(seed=2)
    rates = {name: rate for name, rate in rates.items() if name in ("bias", "linear", "factors", *data.field_ranges)}
    options = settings(solver=solver, batch_size=batch_size, learning_rate=rates, init_scale=0.1, **options)
    model = FMClassifier(**options).fit(data)
    assert_same(model, reference_of(model, data))


def test_equal_rates_by_field_are_one_rate_to_the_bit():
    data = make_sides(seed=2)
    one = FMClassifier(**settings()).fit(data)
    by_field = FMClassifier(**settings(learning_rate={"bias": 0.1, **dict.fromkeys(data.field_ranges, 0.1)})).fit(data)
    assert by_field.factors_.tobytes() == one.factors_.tobytes()
    assert by_field.linear_.tobytes() == one.linear_.tobytes()


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_negatives(make, solver, batch_size):
    """Explicit zeros among the rows get no negatives of their own."""
    data = make(n_rows=60, negatives=3, seed=4)
    assert set(data.target) == {0.0, 1.0}
    weight = np.random.default_rng(5).choice([0.5, 1.0, 2.0], data.n_rows).astype(np.float32)
    data = replace(data, weight=weight)
    model = FMClassifier(**settings(solver=solver, batch_size=batch_size, n_factors=17)).fit(data)
    assert_same(model, reference_of(model, data))


@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"clip_gradient": 0.1}, {"n_factors": 20}], ids=str)
@pytest.mark.parametrize("estimator", [FMClassifier, FMOrdinal])
def test_rows_without_two_one_hot_fields(estimator, solver, options):
    rng = np.random.default_rng(6)
    X = sparse.random_array((60, 7), density=0.5, rng=rng, dtype=np.float32, format="csr")
    y = rng.integers(0, 2 if estimator is FMClassifier else 4, 60).astype(float)
    weight = rng.choice([0.5, 1.0, 2.0], 60)
    model = estimator(**settings(solver=solver, **options)).fit(X, y, weight)
    assert_same(model, reference_of(model, X, y, weight))


@pytest.mark.parametrize("given", [False, True])
def test_flat_rows_find_their_grid(given):
    """Three one-hot fields: the grid spans the two with most columns, asked for by name or found by a scan."""
    rng = np.random.default_rng(7)
    columns = np.column_stack([rng.integers(0, 3, 90), 3 + rng.integers(0, 12, 90), 15 + rng.integers(0, 10, 90)])
    X = sparse.csr_array((np.ones(270, np.float32), columns.ravel().astype(np.int32), np.arange(0, 271, 3)), (90, 25))
    y = rng.integers(0, 2, 90).astype(float)
    fields = {"small": (0, 3), "wide": (3, 15), "middle": (15, 25)} if given else None
    model = FMClassifier(**settings()).fit(X, y, field_ranges=fields)
    found = (3, int(columns[:, 1].max()) + 1), (15, int(columns[:, 2].max()) + 1)
    assert_same(model, reference_of(model, X, y, field_ranges=fields, grid=((3, 15), (15, 25)) if given else found))


@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
def test_shared_features_step_every_1024_rows_of_a_block(solver):
    """Two users and two items: the blocks hold more rows than a shared feature stays constant for."""
    data = make_sides(n_rows=3000, n_users=2, n_items=2, seed=8)
    assert np.unique(data.blocks[0].index * 2 + data.blocks[2].index, return_counts=True)[1].max() > 1500
    model = FMClassifier(**settings(solver=solver, n_epochs=1)).fit(data)
    assert_same(model, reference_of(model, data))
