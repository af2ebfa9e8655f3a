"""What the estimators promise: settings, weights, going on, stopping, history, and staying whole when things fail."""

from __future__ import annotations

import pickle
import signal
from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from factorec import _core, errors, metrics
from factorec.fm import FMClassifier, FMRegressor, TrainingSet
from factorec.fm._rows import as_csr, csr_tuple


def settings(**changed):
    return {"n_factors": 4, "n_epochs": 4, "learning_rate": 0.1, "init_scale": 0.2, "random_state": 1, **changed}


def bits(model, penalties=True):
    """Everything that training sets, as bytes."""
    p, state = model.parameters_, model.solver_state_
    return (
        p.bias,
        p.linear.tobytes(),
        p.factors.tobytes(),
        *((p.penalties.linear.tobytes(), p.penalties.factors.tobytes()) if penalties else ()),
        state.linear_accumulator.tobytes(),
        state.factors_accumulator.tobytes(),
        state.bias_accumulator,
        state.n_epochs,
        *(array.tobytes() for array in (state.adam.arrays if state.adam else ())),
        *(state.adam.as_tuple()[:3] if state.adam else ()),
    )


def flat(data):
    return data.to_csr(), data.target


# Promise 3: the same bits at any number of threads, from blocks or flat rows, on every path through the core. There
# are rows enough that the core wakes them all.

PATHS = {
    "ids": (make_ids, {}),
    "sides": (make_sides, {}),
    "sgd": (make_sides, {"solver": "sgd", "learning_rate": 0.003}),
    "batches": (make_sides, {"batch_size": 7}),
    "adam": (make_sides, {"solver": "adam", "learning_rate": 0.01}),
    "adam in one batch": (make_sides, {"solver": "adam", "learning_rate": 0.01, "batch_size": 10**6}),
    "clip": (make_ids, {"clip_gradient": 0.1}),
    "in order": (make_sides, {"shuffle": False}),
}


@pytest.mark.parametrize(("make", "options"), PATHS.values(), ids=PATHS.keys())
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_same_bits_at_any_n_jobs_and_from_flat_rows(estimator, make, options):
    data = make(n_rows=45_000, n_users=200, n_items=300, binary=estimator is FMClassifier)
    models = [estimator(**settings(**options), n_jobs=n_jobs).fit(data) for n_jobs in (1, 2, 3, 5)]
    X, y = flat(data)
    models.append(estimator(**settings(**options), n_jobs=2).fit(X, y, field_ranges=data.field_ranges))
    for other in models[1:]:
        assert bits(other) == bits(models[0])
        np.testing.assert_array_equal(other.decision_function(X), models[0].decision_function(data))


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "adam"])
def test_same_bits_with_negatives_at_any_n_jobs(make, solver):
    data = make(n_rows=12_000, n_users=200, n_items=300, negatives=3)
    one, *others = (FMClassifier(**settings(solver=solver), n_jobs=n_jobs).fit(data) for n_jobs in (1, 2, 3, 5))
    for other in others:
        assert bits(other) == bits(one)


def test_rows_without_a_grid_are_the_same_at_any_n_jobs():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 5)).astype(np.float32), rng.normal(size=80)
    one, two = (FMRegressor(**settings(learning_rate=0.01), n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2))
    assert bits(one) == bits(two)


@pytest.mark.parametrize("options", [{}, {"l2_linear": 0.01, "l2_factors": 0.02}])
def test_seeds_decide(options):
    data = make_ids()
    assert bits(FMClassifier(**settings(**options)).fit(data)) == bits(FMClassifier(**settings(**options)).fit(data))
    other = FMClassifier(**settings(random_state=2, **options)).fit(data)
    assert bits(other) != bits(FMClassifier(**settings(**options)).fit(data))


# Weights.


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("form", ["blocks", "flat"])
@pytest.mark.parametrize(
    "options",
    [{}, {"class_weight": "balanced"}, {"early_stopping": True, "validation_fraction": 0.3}, {"solver": "adam"}],
    ids=str,
)
def test_weight_0_is_a_row_left_out_to_the_bit(make, batch_size, form, options):
    data = make()
    weight = np.random.default_rng(2).choice([0.0, 0.0, 1.0, 1.5], data.n_rows).astype(np.float32)
    kept = data.take(weight > 0)
    given, shorter = replace(data, weight=weight), replace(kept, weight=weight[weight > 0])
    model = FMClassifier(**settings(batch_size=batch_size), **options)
    if form == "blocks":
        one, two = clone(model).fit(given), clone(model).fit(shorter)
    else:
        fields = {"field_ranges": data.field_ranges}
        one = clone(model).fit(*flat(data), weight, **fields)
        two = clone(model).fit(*flat(kept), weight[weight > 0], **fields)
    assert bits(one) == bits(two)


def objective_gradient(model, data, weight):
    """Gradient of the objective with the charged penalties at the fitted parameters, in float64."""
    X = data.to_csr().toarray().astype(np.float64)
    w, V = model.linear_.astype(np.float64), model.factors_.astype(np.float64)
    s = X @ V
    score = model.bias_ + X @ w + 0.5 * ((s**2).sum(1) - X**2 @ (V**2).sum(1))
    classifier = isinstance(model, FMClassifier)
    slope = weight * ((1 / (1 + np.exp(-score)) if classifier else score) - data.target)
    of_linear = X.T @ slope + model.penalties_.linear * w
    of_factors = X.T @ (slope[:, None] * s) - ((X**2).T @ slope)[:, None] * V + model.penalties_.factors[:, None] * V
    size = np.abs(X).T @ np.abs(slope) + 1e-300  # of features that do not occur the gradient is 0
    return slope.sum() / np.abs(slope).sum(), of_linear / size, of_factors / size[:, None]


@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
@pytest.mark.parametrize("power", [0.0, 0.5])
def test_penalties_are_those_of_the_objective(estimator, power):
    """At convergence the gradient of loss plus penalties_ is 0, in the target's own units."""
    data = make_sides(binary=estimator is FMClassifier, n_users=5, n_items=6)
    weight = np.random.default_rng(3).choice([0.5, 1.0, 2.0], data.n_rows).astype(np.float32)
    model = estimator(
        **settings(n_epochs=6000, batch_size=1000, l2_linear=0.05, l2_factors=0.03, l2_count_power=power)
    ).fit(replace(data, weight=weight))
    assert np.abs(model.factors_[:5]).max() > 0.1
    for part in objective_gradient(model, data, weight):
        assert np.abs(part).max() < 2e-3


def test_weight_2_is_the_row_twice_in_the_objective():
    data = make_ids(n_users=4, n_items=5)
    twice = np.arange(data.n_rows) % 3 == 0
    rows = np.r_[np.arange(data.n_rows), np.flatnonzero(twice)]
    options = settings(n_epochs=6000, batch_size=1000, l2_linear=0.05, l2_factors=0.05)
    weighted = FMClassifier(**options).fit(replace(data, weight=np.where(twice, 2, 1)))
    repeated = FMClassifier(**options).fit(data.take(rows))
    np.testing.assert_allclose(weighted.penalties_.factors, repeated.penalties_.factors, rtol=1e-6)
    for part in objective_gradient(weighted, data.take(rows), np.ones(len(rows))):
        assert np.abs(part).max() < 2e-3
    np.testing.assert_allclose(weighted.decision_function(data), repeated.decision_function(data), atol=0.02, rtol=0)


def test_class_weight_multiplies_the_row_weights():
    data = make_ids()
    weight = np.random.default_rng(4).choice([0.5, 1.0], data.n_rows)
    by_class = FMClassifier(**settings(class_weight={0: 1.0, 1: 3.0})).fit(replace(data, weight=weight))
    by_row = FMClassifier(**settings()).fit(replace(data, weight=weight * np.where(data.target == 1, 3.0, 1.0)))
    assert bits(by_class) == bits(by_row)
    positive = data.target.mean()
    balanced = FMClassifier(**settings(class_weight="balanced")).fit(data)
    by_row = FMClassifier(**settings()).fit(
        replace(data, weight=np.where(data.target == 1, 0.5 / positive, 0.5 / (1 - positive)))
    )
    assert bits(balanced) == bits(by_row)


def test_class_weight_does_not_touch_eval_set():
    data = make_ids()
    model = FMClassifier(**settings(class_weight={0: 1.0, 1: 9.0})).fit(data, eval_set={"test": data})
    found = metrics.classification_metrics(data.target, model.decision_function(data))
    assert model.history_["test"]["log_loss"][-1] == pytest.approx(found["log_loss"], rel=1e-6)


# Going on.


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("options", [{}, {"solver": "sgd"}, {"batch_size": 7}, {"solver": "adam"}], ids=str)
def test_warm_start_goes_on_to_the_bit(make, options):
    data = make(negatives=2)
    whole = FMClassifier(**settings(n_epochs=10, **options)).fit(data)
    parts = FMClassifier(**settings(n_epochs=5, warm_start=True, **options)).fit(data)
    first = parts.history_["train"]["log_loss"]
    parts.fit(data)
    # Adam's are the mean over all epochs, of which the parts' two means are taken.
    exact = options.get("solver") != "adam"
    assert bits(parts, exact) == bits(whole, exact)
    for name in ("linear", "factors"):
        np.testing.assert_allclose(
            getattr(parts.penalties_, name), getattr(whole.penalties_, name), rtol=0 if exact else 1e-6
        )
    np.testing.assert_array_equal(
        np.r_[first, parts.history_["train"]["log_loss"]], whole.history_["train"]["log_loss"]
    )


def test_warm_start_of_a_regressor_goes_on():
    data = make_sides(binary=False)
    whole = FMRegressor(**settings(n_epochs=10)).fit(data)
    parts = FMRegressor(**settings(n_epochs=5, warm_start=True)).fit(data).fit(data)
    np.testing.assert_allclose(parts.factors_, whole.factors_, rtol=1e-4, atol=1e-6)
    assert parts.bias_ == pytest.approx(whole.bias_, rel=1e-6)


def test_partial_fit_is_one_epoch_and_adds_penalties():
    data = make_ids()
    whole = FMClassifier(**settings(n_epochs=2)).fit(data)
    parts = FMClassifier(**settings()).partial_fit(data).partial_fit(data)
    np.testing.assert_array_equal(parts.factors_, whole.factors_)
    np.testing.assert_allclose(parts.penalties_.factors, 2 * whole.penalties_.factors)
    assert parts.solver_state_.n_epochs == 2


def test_partial_fit_teaches_a_new_user_with_a_new_item():
    """Both at zero they would stay there: the gradient of either is a multiple of the other."""
    known, unknown = ([0, 0, 1, 1], [0, 1, 0, 1]), ([2, 2, 3, 3], [2, 3, 2, 3])
    y = [1, 0, 0, 1]
    size = {"n_users": 4, "n_items": 4}
    model = FMClassifier(**settings(l2_linear=0, l2_factors=0, init_scale=0.5))
    model.partial_fit(TrainingSet.from_ids(*known, y, **size))
    assert not model.factors_[[2, 3, 6, 7]].any()
    later = TrainingSet.from_ids(*unknown, y, **size)
    for _ in range(200):
        model.partial_fit(later)
    np.testing.assert_array_equal(model.predict(later), y)


def test_partial_fit_refuses_other_classes():
    X, y = flat(make_ids())
    model = FMClassifier(**settings()).partial_fit(X, y)
    with pytest.raises(errors.DataError, match=r"classes are \[5, 6\], the model was fitted with \[0.0, 1.0\]"):
        model.partial_fit(X, y + 5, classes=[5, 6])
    one_class = FMClassifier(**settings()).partial_fit(X[:1], ["yes"], classes=["no", "yes"])
    assert list(one_class.classes_) == ["no", "yes"]


# Stopping.


@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_early_stopping_restores_the_best_epoch(estimator):
    data = make_sides(n_rows=400, binary=estimator is FMClassifier)
    train, held = data.take(np.arange(300)), data.take(np.arange(300, 400))
    # So slow that epochs differ by little: any improvement counts, nothing else does.
    options = settings(n_factors=16, init_scale=0.3, l2_linear=0.0, l2_factors=0.0, learning_rate=0.01)
    model = estimator(**options | {"n_epochs": 500}, early_stopping=True, n_iter_no_change=4).fit(train, X_val=held)
    loss = model.history_["validation"]["rmse" if estimator is FMRegressor else "log_loss"]
    best = int(loss.argmin())
    assert len(loss) == best + 1 + 4 < 500
    assert model.solver_state_.n_epochs == best + 1
    assert bits(model) == bits(estimator(**options | {"n_epochs": best + 1}).fit(train))


def test_eval_set_is_recorded_and_used_for_nothing():
    data = make_sides(n_rows=400)
    other = make_sides(n_rows=90, seed=9)
    options = settings(n_epochs=100, init_scale=0.3, early_stopping=True)
    with_it = FMClassifier(**options).fit(data, eval_set={"test": other})
    assert bits(with_it) == bits(FMClassifier(**options).fit(data))
    assert len(with_it.history_["test"]["auc"]) == len(with_it.history_["validation"]["auc"])


def test_validation_with_negatives_draws_them_once():
    """Validation rows are all positive: only their negatives give both classes, the same in every epoch."""
    data = make_ids(n_rows=80, n_users=20, n_items=30, negatives=2, positives_only=True)
    still = {"bias": 0.0, "linear": 0.0, "factors": 0.0}
    model = FMClassifier(**settings(learning_rate=still)).fit(data, X_val=data)
    auc = model.history_["validation"]["auc"]
    assert np.isfinite(auc).all()
    assert len(set(auc)) == 1


# History.


def test_history_is_what_the_parameters_give():
    data, weight = make_sides(seed=5), np.random.default_rng(5).choice([0.5, 2.0], 150).astype(np.float32)
    data = replace(data, weight=weight)
    model = FMClassifier(**settings()).fit(data, X_val=data, eval_set={"flat": flat(data), "blocks": data})
    assert list(model.history_) == ["train", "validation", "flat", "blocks"]
    scores = model.decision_function(data)
    for name, w in (("validation", weight), ("blocks", weight), ("flat", None)):
        found = metrics.classification_metrics(data.target, scores, w)
        assert list(model.history_[name]) == ["log_loss", "accuracy", "f1", "auc"]
        for metric, values in model.history_[name].items():
            assert values.shape == (4,)
            assert values[-1] == pytest.approx(found[metric], rel=1e-5), (name, metric)


def test_training_history_is_measured_before_each_update():
    data = replace(make_sides(seed=5), weight=np.random.default_rng(5).choice([0.5, 2.0], 150))
    still = {"bias": 0.0, "linear": 0.0, "factors": 0.0}
    model = FMClassifier(**settings(learning_rate=still, n_epochs=2)).fit(data)
    found = metrics.classification_metrics(data.target, model.decision_function(data), data.weight)
    for metric, values in model.history_["train"].items():
        np.testing.assert_allclose(values, found[metric], rtol=1e-5)


def test_history_of_a_regressor_is_in_the_target_s_units_and_clipped():
    data = make_sides(binary=False)
    held = replace(data, target=data.target * 100)
    model = FMRegressor(**settings()).fit(data, eval_set={"same": data, "far": held})
    for name, target in (("same", data.target), ("far", held.target)):
        error = model.predict(data.to_csr()) - target
        assert model.history_[name]["rmse"][-1] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
        assert model.history_[name]["mae"][-1] == pytest.approx(np.abs(error).mean(), rel=1e-5)


# Regression targets.


@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_scaled_targets_give_the_scaled_model(make):
    data = make(binary=False)
    far = replace(data, target=data.target * 1000 + 5)
    model, scaled = FMRegressor(**settings()).fit(data), FMRegressor(**settings()).fit(far)
    assert scaled.bias_ == pytest.approx(1000 * model.bias_ + 5, rel=1e-6)
    np.testing.assert_allclose(scaled.linear_, 1000 * model.linear_, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scaled.factors_, np.sqrt(1000) * model.factors_, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scaled.penalties_.linear, model.penalties_.linear)
    np.testing.assert_allclose(scaled.penalties_.factors, 1000 * model.penalties_.factors)


def test_one_target_for_all_rows():
    data = replace(make_ids(), target=np.full(150, 0.1))
    model = FMRegressor(**settings()).fit(data)
    assert model.solver_state_.target_scale == 1.0
    np.testing.assert_array_equal(model.predict(data.to_csr()), 0.1)


@pytest.mark.parametrize("factor", [1e-40, 1e35, 1e300])
def test_targets_beyond_float32_are_refused(factor):
    data = make_ids(binary=False)
    with pytest.raises(errors.DataError, match="rescale"):
        FMRegressor(**settings()).fit(replace(data, target=data.target * factor))


# Staying whole.


def test_divergence_names_epoch_and_rate_and_changes_nothing():
    data = make_sides(binary=False)
    model = FMRegressor(**settings(n_factors=3)).fit(data)
    before, state = bits(model), dict(vars(model))
    model.set_params(solver="sgd", learning_rate=50.0, n_epochs=40)
    with pytest.raises(errors.DivergenceError, match=r"diverged in epoch [1-9]\d*.*bias 50, linear 50, factors 50"):
        model.fit(make_ids(n_users=3, n_items=4, binary=False))
    assert bits(model) == before
    assert model.n_features_in_ == state["n_features_in_"]
    model.decision_function(data)


def test_a_refused_fit_changes_nothing():
    data = make_ids()
    model = FMClassifier(**settings()).fit(data)
    before = {name: id(value) for name, value in vars(model).items()}
    X = sparse.csr_array(np.eye(6, dtype=np.float32))
    with pytest.raises(errors.DataError, match="l2_linear"):
        model.set_params(l2_linear={"nothing": 1.0}).fit(X, list("ababab"))
    del before["l2_linear"]
    assert {name: id(value) for name, value in vars(model).items() if name != "l2_linear"} == before


class Stop(Exception):
    pass


@pytest.mark.parametrize("work", ["ids", "sides", "negatives", "rows", "batches", "adam", "adam in one batch"])
def test_a_signal_ends_fit_and_changes_nothing(work):
    """Promise 7: fits that would take hours; a handler that raises is what Ctrl-C is."""
    rng = np.random.default_rng(0)
    data = (make_ids if work in ("ids", "negatives", "rows") else make_sides)(
        n_rows=5000, n_users=50, n_items=60, negatives=5 if work == "negatives" else 0
    )
    rows = (data, None) if work != "rows" else (rng.normal(size=(500, 300)).astype(np.float32), np.arange(500) % 2)
    options = {"batch_size": 50} if work == "batches" else {}
    if work.startswith("adam"):
        options = {"solver": "adam", "batch_size": 200 if work == "adam" else 5000}
    model = FMClassifier(**settings(learning_rate=1e-4, **options), n_jobs=2).fit(*rows)
    before = bits(model)

    def stop(*_):
        raise Stop

    old = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Stop):
            model.set_params(n_epochs=10**8).fit(*rows)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert bits(model) == before
    assert bits(model.set_params(n_epochs=4).fit(*rows)) == before


# scikit-learn's ways.


def test_pickle_clone_and_threads():
    data = make_sides()
    model = FMClassifier(**settings()).fit(data)
    again = pickle.loads(pickle.dumps(model))
    assert bits(again) == bits(model)
    np.testing.assert_array_equal(again.predict_proba(data.to_csr()), model.predict_proba(data.to_csr()))
    assert not hasattr(clone(model), "parameters_")
    fitted = Parallel(n_jobs=3, backend="threading")(
        delayed(lambda m: m.fit(data))(clone(model).set_params(n_jobs=2)) for _ in range(6)
    )
    assert {bits(m) for m in fitted} == {bits(model)}


def test_unfitted_estimators_say_so():
    with pytest.raises(NotFittedError):
        FMClassifier().decision_function(np.eye(3))


def test_predictions():
    data = make_sides()
    X = data.to_csr()
    model = FMClassifier(**settings()).fit(X, np.where(data.target == 1, "like", "dislike"))
    scores = model.decision_function(X)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X) == "like", scores >= 0)
    ratings = FMRegressor(**settings(init_scale=2.0)).fit(X, make_sides(binary=False).target)
    np.testing.assert_array_equal(ratings.predict(X), np.clip(ratings.decision_function(X), 1, 5))
    assert ratings.target_range_ == (1.0, 5.0)


@pytest.mark.parametrize("verbose", [1, 2])
def test_progress_is_shown_on_request(verbose, capsys):
    FMClassifier(**settings(verbose=verbose)).fit(make_ids(), eval_set={"test": make_ids(seed=8)})
    shown = "".join(capsys.readouterr())
    assert "log_loss" in shown
    assert "test" in shown


# Memory.


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csr_reaches_the_core_without_a_copy(index, monkeypatch, tmp_path):
    """Promise 5, with read-only memory maps: they could not even be written to."""
    X, y = flat(make_ids())
    arrays = []
    for name, array in (("data", X.data), ("indices", X.indices.astype(index)), ("indptr", X.indptr.astype(index))):
        np.save(tmp_path / f"{name}.npy", array)
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = sparse.csr_matrix(X.shape, dtype=np.float32)
    mapped.data, mapped.indices, mapped.indptr = arrays
    seen = []
    trainer = _core.Trainer

    def spy(blocks, *rest):
        seen.extend(blocks)
        return trainer(blocks, *rest)

    monkeypatch.setattr(_core, "Trainer", spy)
    model = FMClassifier(**settings()).fit(mapped, y)
    ((no_index, (indptr, indices, data, _)),) = seen
    assert no_index is None
    assert indices.dtype == index
    for ours, theirs in ((indptr, mapped.indptr), (indices, mapped.indices), (data, mapped.data)):
        assert np.shares_memory(ours, theirs)
    assert bits(model) == bits(FMClassifier(**settings()).fit(X, y))
    for ours, theirs in zip(csr_tuple(as_csr(mapped)), (mapped.indptr, mapped.indices, mapped.data), strict=False):
        assert np.shares_memory(ours, theirs)
