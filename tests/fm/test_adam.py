"""Solver "adam": the pass against a float64 reference, its options, and what only it keeps."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides, make_wide
from reference_adam import ReferenceAdam
from reference_training import CounterRng
from scipy import sparse

from factorec import _core, errors
from factorec.fm import FMClassifier, FMRegressor
from factorec.fm._adam import AdamOptions
from factorec.fm._fitting import Weights
from factorec.fm._rows import csr_tuple

RATES = {"bias": 0.02, "linear": 0.01, "factors": 0.003}
DECAY = {"bias": 0.01, "linear": 0.003, "factors": 0.02}


def started(estimator, bias, linear, factors, **options):
    """A class of estimators that begin with these weights and train with these options."""

    class Started(estimator):
        batches = None

        def _start(self, *_):
            return 0.0, 0.0, 1.0

        def _start_weights(self, *_):
            return Weights(bias, linear.copy(), factors.copy())

        def _adam_options(self):
            return AdamOptions(**options)

        def _on_batch(self, epoch, batch, metrics):
            self.batches = [*(self.batches or []), (epoch, batch, metrics)]

    return Started


def make_values(n_rows=700, n_features=40, *, binary=True):
    """Real values, empty rows, stored zeros, features that are rare or never occur."""
    rng = np.random.default_rng(3)
    stored = rng.random((n_rows, n_features)) < np.geomspace(0.5, 0.002, n_features)
    stored[::50] = False
    stored[:, -1] = False
    X = np.where(stored, rng.normal(size=stored.shape), 0).astype(np.float32)
    X[stored & (rng.random(stored.shape) < 0.05)] = 0
    y = (rng.random(n_rows) < 0.6).astype(float) if binary else rng.normal(3, 1, n_rows)
    rows, columns = np.nonzero(stored)
    indptr = np.searchsorted(rows, np.arange(n_rows + 1))
    return sparse.csr_array((X[stored], columns, indptr), X.shape), y


def problem(make, *, binary):
    """What to fit, and the same for the reference: dense rows, what is stored, targets."""
    if make is make_values:
        X, y = make_values(binary=binary)
        given = (X, y)
    else:
        data = make(n_rows=700, n_users=30, n_items=25, binary=binary)
        X, y, given = data.to_csr(), data.target, (data,)
    stored = np.zeros(X.shape, bool)
    stored[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices] = True
    return given, X.toarray().astype(float), stored, y


def compare(given, X, stored, y, *, loss="logistic", n_factors=6, n_epochs=3, sigma=0.1, weight=None, **options):
    """Train and follow by the reference; both models."""
    options = {"batch_size": 64} | options
    rng = np.random.default_rng(1)
    n = X.shape[1]
    start = (
        0.01,
        *((s * rng.normal(size=shape)).astype(np.float32) for s, shape in [(0.01, n), (sigma, (n, n_factors))]),
    )
    hooks = {k: v for k, v in options.items() if k in ("epsilon", "pad_last_batch", "lazy", "report_every")}
    hooks["rescale_gradient"] = options.get("rescale")
    model = started(FMClassifier if loss == "logistic" else FMRegressor, *start, **hooks)(
        n_factors,
        solver="adam",
        n_epochs=n_epochs,
        learning_rate=RATES,
        l2_bias=DECAY["bias"],
        l2_linear=DECAY["linear"],
        l2_factors=DECAY["factors"],
        batch_size=options["batch_size"],
        shuffle=options.get("shuffle", False),
        clip_gradient=options.get("clip"),
        random_state=0,
        n_jobs=2,
    ).fit(*given, **({} if weight is None else {"sample_weight": weight}))
    settings = {k: v for k, v in options.items() if k not in ("shuffle", "report_every")}
    if not options.get("pad_last_batch"):
        settings["batch_size"] = min(settings["batch_size"], len(y))
    if weight is not None and "rescale" not in settings:
        settings["rescale"] = 1 / (settings["batch_size"] * weight.mean())
    reference = ReferenceAdam(X, y, *start, loss, RATES, DECAY, weight, stored, **settings)
    seed = CounterRng(model.solver_state_.seed).fork(1)
    first = seed.shuffled(range(len(y)))
    history = [
        reference.epoch(seed.fork(epoch).shuffled(first) if options.get("shuffle") else None)
        for epoch in range(n_epochs)
    ]
    moved = {block: np.abs(reference.P[block] - P).max() for block, P in zip(RATES, start, strict=True)}
    for block, P in zip(RATES, (model.bias_, model.linear_, model.factors_), strict=True):
        assert moved[block] > 5e-4
        np.testing.assert_allclose(P, reference.P[block].reshape(np.shape(P)), rtol=0, atol=2e-4 * moved[block])
    for metric, values in model.history_["train"].items():
        if metric in history[0]:
            np.testing.assert_allclose(values, [record[metric] for record in history], rtol=1e-5, err_msg=metric)
    return model, reference


OPTIONS = {
    "batches of 64": {},
    "one factor": {"n_factors": 1},
    "many factors": {"n_factors": 70},
    "row by row": {"batch_size": 1, "n_epochs": 1},
    "one batch": {"batch_size": 700, "n_epochs": 20},
    "more than there are": {"batch_size": 10**12, "n_epochs": 20},
    "filled up": {"pad_last_batch": True, "batch_size": 300, "n_epochs": 5},
    "mostly filling": {"pad_last_batch": True, "batch_size": 5000, "n_epochs": 20},
    "clip": {"clip": 0.01},
    "rescale": {"rescale": 0.5},
    "epsilon": {"epsilon": 1e-3},
    "every feature": {"lazy": False},
    "shuffled": {"shuffle": True},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("make", [make_values, make_ids, make_sides])
def test_training_is_the_defined_pass(make, loss, options):
    compare(*problem(make, binary=loss == "logistic"), loss=loss, **options)


@pytest.mark.parametrize("batch_size", [2048, 3000, 4500])
def test_batches_of_several_chunks(batch_size):
    """The core looks at 2048 rows at a time."""
    data = make_sides(n_rows=4500, n_users=200, n_items=100)
    X = data.to_csr().toarray().astype(float)
    compare((data,), X, X != 0, data.target, batch_size=batch_size, n_epochs=10)


def test_small_factors_are_as_exact():
    """The managed service starts at 0.001, where epsilon and the roots of the squares are of one size."""
    given, X, stored, y = problem(make_ids, binary=True)
    compare(given, X, stored, y, sigma=0.001, n_epochs=2)


@pytest.mark.parametrize("batch_size", [64, 700])
def test_weights_multiply_gradients(batch_size):
    weight = np.random.default_rng(0).choice([0.25, 1.0, 3.0], 700)
    given, X, stored, y = problem(make_values, binary=True)
    compare(given, X, stored, y, weight=weight, batch_size=batch_size, n_epochs=5)


def test_weight_2_is_the_row_twice_where_both_are_in_one_batch():
    """Elsewhere it is not: the second row is then another step."""
    data = make_sides()
    twice = np.random.default_rng(0).random(data.n_rows) < 0.5
    X, y = data.to_csr(), data.target
    rows = np.sort(np.r_[np.arange(len(y)), np.flatnonzero(twice)])
    options = {"solver": "adam", "learning_rate": 0.01, "l2_factors": 0.01, "n_epochs": 50, "random_state": 0}
    model = FMClassifier(4, shuffle=False, batch_size=1000, **options)
    weighted = model.fit(X, y, 1.0 + twice).parameters_
    doubled = model.fit(X[rows], y[rows]).parameters_
    np.testing.assert_allclose(weighted.factors, doubled.factors, atol=1e-5)
    np.testing.assert_allclose(weighted.penalties.factors, doubled.penalties.factors)


# What only Adam keeps.


def settings(**changed):
    return {
        "n_factors": 4,
        "solver": "adam",
        "n_epochs": 3,
        "batch_size": 40,
        "learning_rate": 0.02,
        "init_scale": 0.2,
        "random_state": 1,
        **changed,
    }


def test_moments_are_kept():
    given, X, stored, y = problem(make_sides, binary=True)
    model, reference = compare(given, X, stored, y)
    moments = model.solver_state_.adam
    assert moments.n_steps == reference.t == 3 * 11
    for block in ("linear", "factors"):
        mean, square = getattr(moments, f"{block}_mean"), getattr(moments, f"{block}_square")
        np.testing.assert_allclose(mean, reference.mean[block], rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(square, reference.square[block], rtol=1e-3, atol=1e-12)
    assert moments.bias_mean == pytest.approx(reference.mean["bias"][0], rel=1e-3)
    assert moments.bias_square == pytest.approx(reference.square["bias"][0], rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"lazy": False}, {"rescale": 0.25}], ids=str)
@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_penalties_are_what_decay_charges_in_rows(options, loss):
    """At a minimum the gradient of the loss over all rows is what decay adds in all batches, both times rescale."""
    given, X, stored, y = problem(make_sides, binary=loss == "logistic")
    model, reference = compare(given, X, stored, y, loss=loss, **options)
    charged = reference.steps / 3 * (1 / options["rescale"] if "rescale" in options else 64)
    np.testing.assert_allclose(model.penalties_.factors, DECAY["factors"] * charged, rtol=1e-5)
    np.testing.assert_allclose(model.penalties_.linear, DECAY["linear"] * charged, rtol=1e-5)
    occurring = np.bincount(given[0].to_csr().indices, minlength=X.shape[1])
    for name, (start, stop) in given[0].field_ranges.items():
        at = np.flatnonzero(occurring[start:stop]) + start
        share = (charged[at] / occurring[at]).mean()
        assert model.penalties_.per_row[name] == pytest.approx((DECAY["linear"] * share, DECAY["factors"] * share))


def test_penalties_of_a_regressor_are_in_the_units_of_its_parameters():
    data = make_sides(binary=False)
    options = settings(l2_linear=0.1, l2_factors=0.2, shuffle=False)
    model = FMRegressor(**options).fit(data)
    scale = model.solver_state_.target_scale
    np.testing.assert_allclose(model.penalties_.factors, 2 * model.penalties_.linear * scale)


def test_reports_of_batches_add_up():
    given, X, stored, y = problem(make_ids, binary=True)
    model, _ = compare(given, X, stored, y, report_every=5)
    assert [(epoch, batch) for epoch, batch, _ in model.batches] == [(e, b) for e in range(3) for b in (0, 5, 10)]
    for epoch, batch, metrics in model.batches:
        assert metrics.keys() == model.history_["train"].keys()
        if batch == 10:  # the last one
            assert metrics["log_loss"] == model.history_["train"]["log_loss"][epoch]


def test_a_report_is_of_the_rows_so_far():
    given, X, _, y = problem(make_ids, binary=True)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=X.shape[1]).astype(np.float32), rng.normal(size=(X.shape[1], 4)).astype(np.float32)
    rates = {"bias": 0.0, "linear": 0.0, "factors": 0.0}  # so that scores stay
    model = started(FMClassifier, 0.5, *weights, report_every=4)(
        **settings(batch_size=50, learning_rate=rates, shuffle=False, n_epochs=1)
    ).fit(*given)
    score = model.decision_function(given[0])
    loss = np.logaddexp(0, score) - y * score
    for _, batch, metrics in model.batches:
        assert metrics["log_loss"] == pytest.approx(loss[: 50 * (batch + 1)].mean(), rel=1e-5)
        assert metrics["accuracy"] == pytest.approx(((score >= 0) == y)[: 50 * (batch + 1)].mean())


def test_the_default_batch_is_200_rows():
    data = make_wide(n_rows=500)
    one = FMClassifier(**settings(batch_size=None)).fit(data)
    assert one.solver_state_.adam.n_steps == 3 * 3
    np.testing.assert_array_equal(one.factors_, FMClassifier(**settings(batch_size=200)).fit(data).factors_)


@pytest.mark.parametrize("batch_size", [1, 40, 150, 10**6])
def test_default_decay_is_l2_per_row(batch_size):
    """So that it charges about the same in batches of any size: what a row charges, once a batch."""
    data = make_ids()
    default = FMClassifier(**settings(batch_size=batch_size)).fit(data)
    share = 1 / min(batch_size, data.n_rows)
    tuned = FMClassifier._tuned_adam
    decay = {"l2_linear": tuned.l2_linear * share, "l2_factors": tuned.l2_factors * share}
    same = FMClassifier(**settings(batch_size=batch_size, **decay)).fit(data)
    np.testing.assert_array_equal(default.factors_, same.factors_)
    if batch_size == 1:  # then it is L2 per row
        occurring = np.bincount(data.to_csr().indices, minlength=data.n_features)
        np.testing.assert_allclose(default.penalties_.factors, tuned.l2_factors * occurring, rtol=1e-6)


def test_early_stopping_restores_the_moments_of_the_best_epoch():
    data = make_sides(n_rows=400)
    model = FMClassifier(**settings(n_epochs=60, early_stopping=True, learning_rate=0.05)).fit(data)
    best = int(np.argmin(model.history_["validation"]["log_loss"])) + 1
    assert model.solver_state_.n_epochs == best < len(model.history_["train"]["log_loss"])
    assert model.solver_state_.adam.n_steps == best * 9


def test_another_solver_leaves_the_moments_alone():
    data = make_ids()
    model = FMClassifier(**settings(warm_start=True)).fit(data)
    before = model.solver_state_.adam
    model.set_params(solver="adagrad", batch_size=None).fit(data)
    after = model.solver_state_.adam
    assert after.as_tuple()[:3] == before.as_tuple()[:3]
    for one, other in zip(before.arrays, after.arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    plain = FMClassifier(**settings(solver="adagrad", warm_start=True)).fit(data)
    assert plain.solver_state_.adam is None
    assert plain.set_params(solver="adam").fit(data).solver_state_.adam.n_steps == 3 * 4


def test_a_pickle_goes_on_to_the_bit():
    data = make_sides()
    model = FMClassifier(**settings()).fit(data)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.partial_fit(data).factors_, again.partial_fit(data).factors_)


def test_divergence_is_named():
    data = make_sides(binary=False)
    with pytest.raises(errors.DivergenceError, match="diverged in epoch 1"):
        FMRegressor(**settings(learning_rate=1e38)).fit(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be a number above 0"),
        ({"epsilon": np.nan}, "epsilon must be a number above 0"),
        ({"rescale_gradient": np.inf}, "factor must be a number"),
        ({"report_every": -1}, "report_every"),
    ],
)
def test_options_are_checked(options, message):
    data = make_ids()
    weights = np.zeros(data.n_features, np.float32), np.zeros((data.n_features, 4), np.float32)
    with pytest.raises(errors.DataError, match=message):
        started(FMClassifier, 0.0, *weights, **options)(**settings()).fit(data)


def test_moments_of_another_size_are_refused():
    data = make_ids()
    model = FMClassifier(**settings(warm_start=True)).fit(data)
    moments = model.solver_state_.adam
    for name in ("linear_mean", "linear_square", "factors_mean", "factors_square"):
        short = replace(moments, **{name: getattr(moments, name)[:-1].copy()})
        model.solver_state_ = replace(model.solver_state_, adam=short)
        with pytest.raises(errors.DataError, match=r"gradients has|moments of the factors"):
            model.fit(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: None,
        lambda m: (*m[:3], *(array[:5] for array in m[3:])),
        lambda m: (*m[:5], m[5][:, :1].copy(), m[6]),
        lambda m: (*m[:6], m[6].astype(np.float64)),
        lambda m: (*m[:5], m[5].T.copy(), m[6]),
        lambda m: m[:5],
        lambda m: (*m[:2], -1, *m[3:]),
    ],
)
def test_the_core_checks_moments_for_itself(change):
    X, y = make_values()
    n = X.shape[1]
    zeros, ones = np.zeros(n, np.float32), np.ones(n, np.float32)
    many = np.zeros((n, 2), np.float32)
    options = {
        "loss": "logistic", "solver": "adam", "rate_bias": 0.1, "l2_bias": 0.0, "clip": None, "batch_size": 10,
        "shuffle": True, "seed": 0, "n_threads": 1, "epsilon": 1e-8, "rescale": 0.1, "pad_last_batch": False,
        "padding_moves_bias": True, "lazy": True, "report_every": 0,
    }  # fmt: skip

    def trainer(moments):
        start = (0.0, zeros.copy(), many.copy(), 1.0, ones, ones)
        features = (ones, ones, zeros, zeros)
        return _core.Trainer(
            [(None, csr_tuple(X))], y.astype(np.float32), None, features, [], None, options, start, moments
        )

    moments = (0.0, 0.0, 0, zeros.copy(), zeros.copy(), many.copy(), many.copy())
    sound = trainer(moments)
    sound.epoch(0)
    with pytest.raises((ValueError, IndexError, TypeError)):
        trainer(change(moments))
    spoilt = change(moments)
    if spoilt is None or spoilt[2] == 0:
        with pytest.raises((ValueError, IndexError, TypeError)):
            sound.copy_to(zeros, many, ones, ones, None if spoilt is None else spoilt[3:])
