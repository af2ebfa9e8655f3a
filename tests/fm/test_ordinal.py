"""FMOrdinal: levels, cuts, probabilities, and what goes on from them."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from scipy.special import expit

from factorec import _core
from factorec.errors import DataError
from factorec.fm import FMClassifier, FMOrdinal, TrainingSet


def settings(**changed):
    return {"n_factors": 4, "n_epochs": 5, "init_scale": 0.1, "n_jobs": 1, "random_state": 3, **changed}


def planted(n_rows=4000, seed=0):
    """Levels 1, 2, 4, 5 of a planted score; the third gap is twice as wide in stars."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 40, n_rows), rng.integers(0, 30, n_rows)
    score = rng.normal(0, 1, 40)[user] + rng.normal(0, 1, 30)[item]
    cuts = np.array([-2.0, 0.0, 1.5])
    level = (score[:, None] + rng.logistic(size=(n_rows, 1)) > cuts).sum(axis=1)
    return TrainingSet.from_ids(user, item, np.array([1.0, 2, 4, 5])[level], n_users=40, n_items=30), score, cuts


def test_probabilities_follow_from_score_and_cuts():
    data = make_ids(binary=False)
    model = FMOrdinal(**settings()).fit(data)
    assert model.levels_.tolist() == [1, 2, 3, 4, 5]
    assert model.cuts_.shape == (4,)
    assert (np.diff(model.cuts_) > 0).all()
    assert model.bias_ == 0
    above = expit(model.decision_function(data)[:, None] - model.cuts_)
    proba = model.predict_proba(data)
    assert proba.shape == (data.n_rows, 5)
    assert (proba > 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(proba[:, 2:].sum(axis=1), above[:, 1], rtol=1e-12)
    np.testing.assert_allclose(model.predict(data), proba @ model.levels_, rtol=1e-12)
    for t, column in ((2, 0), (2.5, 1), (3, 1), (5, 3)):
        np.testing.assert_array_equal(model.predict_proba_at_least(data, t), above[:, column])
    assert (model.predict_proba_at_least(data, 1) == 1).all()
    assert (model.predict_proba_at_least(data, 5.1) == 0).all()
    with pytest.raises(DataError, match="t must be a finite number"):
        model.predict_proba_at_least(data, np.nan)


def test_planted_cuts_and_score_are_found():
    data, score, cuts = planted()
    model = FMOrdinal(n_factors=2, n_epochs=60, l2_factors=0.05, l2_linear=1e-4, random_state=0).fit(data)
    assert np.corrcoef(model.decision_function(data), score)[0, 1] > 0.95
    np.testing.assert_allclose(np.diff(model.cuts_), np.diff(cuts), atol=0.25)
    expected = 1 + expit(score[:, None] - cuts) @ [1, 2, 1]  # the middle gap is two stars wide
    assert np.abs(model.predict(data) - expected).mean() < 0.15
    history = model.history_["train"]
    assert set(history) == {"log_loss", "rmse", "mae"}
    assert history["log_loss"][-1] < history["log_loss"][0]


def test_two_levels_are_a_classifier():
    data = make_ids(seed=2)
    options = settings(l2_linear=0.02, l2_factors=0.05, learning_rate=0.1, l2_count_power=0.0)
    ordinal = FMOrdinal(**options).fit(replace(data, target=2 * data.target + 3))
    classifier = FMClassifier(**options).fit(data)
    assert ordinal.levels_.tolist() == [3, 5]
    assert -ordinal.cuts_[0] == pytest.approx(classifier.bias_, rel=1e-5)
    np.testing.assert_allclose(ordinal.linear_, classifier.linear_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ordinal.factors_, classifier.factors_, rtol=1e-4, atol=1e-6)
    assert ordinal.history_["train"]["log_loss"] == pytest.approx(classifier.history_["train"]["log_loss"], rel=1e-5)


@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_history_is_the_loss_of_the_levels(make):
    """Of rows beside the training: by the definition. Of the pass: the same, at a rate at which nothing moves."""
    data = make(n_rows=300, binary=False)
    weight = np.random.default_rng(5).choice([0.5, 1.0, 2.0], data.n_rows).astype(np.float32)
    data = replace(data, weight=weight)
    model = FMOrdinal(**settings(n_epochs=1, learning_rate=1e-12)).fit(data, eval_set={"same": data})
    proba = model.predict_proba(data)
    level = np.searchsorted(model.levels_, data.target)
    error = proba @ model.levels_ - data.target
    expected = {
        "log_loss": np.average(-np.log(proba[np.arange(len(level)), level]), weights=weight),
        "rmse": np.sqrt(np.average(error**2, weights=weight)),
        "mae": np.average(np.abs(error), weights=weight),
    }
    for metric, value in expected.items():
        assert model.history_["train"][metric] == pytest.approx(value, rel=1e-5)
        assert model.history_["same"][metric] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("solver", ["adagrad", "sgd"])
def test_same_bits_at_any_number_of_threads(make, solver):
    data = make(n_rows=30_000, n_users=300, n_items=200, binary=False)
    one, three = (FMOrdinal(**settings(n_epochs=2, solver=solver, n_jobs=n)).fit(data) for n in (1, 3))
    assert one.cuts_.tobytes() == three.cuts_.tobytes()
    assert one.factors_.tobytes() == three.factors_.tobytes()
    assert one.history_["train"]["log_loss"].tobytes() == three.history_["train"]["log_loss"].tobytes()


def test_what_cuts_weigh():
    data = make_ids(n_rows=400, binary=False)
    by_level = FMOrdinal(**settings(cut_weights={4: 2})).fit(data)
    by_cut = FMOrdinal(**settings(cut_weights=[0.5, 0.5, 1.0, 0.5])).fit(data)
    same = FMOrdinal(**settings()).fit(data)
    assert by_level.factors_.tobytes() == by_cut.factors_.tobytes() != same.factors_.tobytes()
    for wrong, message in (
        ({1: 2}, "names 1, but the cuts are those below"),
        ([1, 1, 1], r"shape \(3,\); 5 levels have 4 cuts"),
        ([1, 1, 1, -1], "not negative"),
        ([0, 0, 0, 0], "not all 0"),
        ([1, 1, 1, np.inf], "finite"),
        ("even", "must be numbers, one a cut"),
        ({4: "twice"}, r"cut_weights\[4\] must be a finite number"),
    ):
        with pytest.raises(DataError, match=message):
            FMOrdinal(**settings(cut_weights=wrong)).fit(data)


def test_cuts_keep_their_order_at_any_rate():
    data = make_ids(n_rows=500, binary=False)
    model = FMOrdinal(
        **settings(solver="sgd", learning_rate={"bias": 50.0, "linear": 0.01, "factors": 0.01}, n_epochs=9)
    )
    model.fit(data)
    assert np.isfinite(model.cuts_).all()
    assert (np.diff(model.cuts_) > 0).all()
    assert (model.predict_proba(data) >= 0).all()


def test_partial_fit_goes_on_from_cuts_and_accumulators():
    data = make_ids(n_rows=300, binary=False)
    two = FMOrdinal(**settings(n_epochs=2)).fit(data)
    one = FMOrdinal(**settings(n_epochs=1)).fit(data)
    again = copy.deepcopy(one).partial_fit(data)
    assert again.cuts_.tobytes() == two.cuts_.tobytes()
    assert again.solver_state_.cut_accumulator.tobytes() == two.solver_state_.cut_accumulator.tobytes()
    assert again.factors_.tobytes() == two.factors_.tobytes()
    warm = one.set_params(warm_start=True).fit(data)
    assert warm.cuts_.tobytes() == two.cuts_.tobytes()


def test_partial_fit_may_be_told_the_levels():
    data = make_ids(n_rows=60, binary=False)
    low = data.take(np.flatnonzero(data.target < 3))
    model = FMOrdinal(**settings()).partial_fit(low, classes=[1, 2, 3, 4, 5])
    assert model.levels_.tolist() == [1, 2, 3, 4, 5]
    model.partial_fit(data)
    target = data.target.copy()
    target[3] = 2.5
    with pytest.raises(DataError, match=r"target\[3\] is 2.5, which is none of the levels"):
        model.partial_fit(replace(data, target=target))


def test_grown_models_keep_their_cuts():
    data = make_ids(n_rows=200, binary=False)
    model = FMOrdinal(**settings()).fit(data)
    cuts = model.cuts_.copy()
    n_users = data.blocks[0].rows.shape[0]
    columns = [c + (c >= n_users) for c in range(model.n_features_in_)]
    model.grow(columns, model.n_features_in_ + 1)
    assert model.solver_state_.cuts.tobytes() == cuts.tobytes() == model.cuts_.tobytes()


def test_early_stopping_keeps_the_cuts_of_the_best_epoch():
    data = make_ids(n_rows=400, binary=False)
    model = FMOrdinal(**settings(early_stopping=True, n_epochs=40, n_iter_no_change=2, learning_rate=0.5)).fit(data)
    loss = model.history_["validation"]["log_loss"]
    assert len(loss) < 40
    best = FMOrdinal(**settings(n_epochs=int(np.argmin(loss)) + 1, learning_rate=0.5))
    held = model._held_out(data.n_rows, model.solver_state_.seed)
    best.fit(data.take(np.flatnonzero(~held)))
    assert best.cuts_.tobytes() == model.cuts_.tobytes()


def test_errors_name_what_is_wrong():
    data = make_ids(binary=False)
    with pytest.raises(DataError, match="one level only"):
        FMOrdinal(**settings()).fit(replace(data, target=np.full(data.n_rows, 3.0)))
    many = make_ids(n_rows=400, binary=False)
    with pytest.raises(DataError, match="400 distinct values; ordered levels are at most 256"):
        FMOrdinal(**settings()).fit(replace(many, target=np.arange(400.0)))
    with pytest.raises(DataError, match="solver must be 'adagrad'"):
        FMOrdinal(**settings(solver="adam")).fit(data)
    with pytest.raises(DataError, match="cut_weights are for solver 'adagrad' and 'sgd'"):
        FMOrdinal(**settings(solver="gibbs", cut_weights={4: 2})).fit(data)
    with pytest.raises(DataError, match="negatives are for FMClassifier"):
        FMOrdinal(**settings()).fit(make_ids(negatives=2))
    other = data.target.copy()
    other[0] = 9
    with pytest.raises(DataError, match=r"target\[0\] is 9, which is none of the levels"):
        FMOrdinal(**settings()).fit(data, eval_set={"other": replace(data, target=other)})


def test_hostile_arguments_of_the_core_are_refused():
    data = make_ids(n_rows=40, binary=False)
    rows = data.row_arrays()
    n = data.n_features
    ones = np.ones(n, np.float32)
    good = [np.array([-1.0, 0, 1, 2]), np.ones(4), np.ones(4), np.ones(4)]

    def trainer(cuts, target=None, **changed):
        options = {
            "loss": "ordinal",
            "solver": "adagrad",
            "rate_bias": 0.1,
            "l2_bias": 0.0,
            "clip": None,
            "batch_size": 1,
            "shuffle": True,
            "seed": 0,
            "n_threads": 1,
        } | changed
        level = (data.target - 1).astype(np.float32) if target is None else target
        factors = np.zeros((n, 2), np.float32)
        parameters = (0.0, ones.copy(), factors, 1.0, ones.copy(), ones.copy())
        return _core.Trainer(rows.blocks, level, None, (ones,) * 4, [], None, options, parameters, None, cuts)

    trainer(tuple(good)).epoch(0)
    bad = [
        [np.array([0.0, 0, 1, 2]), *good[1:]],
        [np.array([0.0, np.nan, 1, 2]), *good[1:]],
        [good[0], np.zeros(4), *good[2:]],
        [good[0], good[1], -np.ones(4), good[3]],
        [good[0], good[1], np.zeros(4), good[3]],
        [*good[:3], np.full(4, np.inf)],
        [part[:3] for part in good],
        *[[part[:-1] if i == short else part for i, part in enumerate(good)] for short in range(4)],
        good[:3],
        [np.empty(0)] * 4,
    ]
    for cuts in bad:
        with pytest.raises(ValueError):
            trainer(tuple(cuts))
    with pytest.raises(ValueError):
        trainer(None)
    for level, at in itertools.product((-1.0, 0.5, 5.0, np.nan, 1e30), (0, 39)):
        target = (data.target - 1).astype(np.float32)
        target[at] = level
        with pytest.raises(ValueError, match="target"):
            trainer(tuple(good), target)
