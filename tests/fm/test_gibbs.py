"""Estimators with solver="gibbs": samples as one model, predictions from them, and the estimator's contract."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides, make_wide
from scipy import sparse
from scipy.special import ndtr
from sklearn.base import clone

from factorec.errors import DataError
from factorec.fm import FMClassifier, FMOrdinal, FMRegressor, StopTraining, TrainingSet
from factorec.fm._predictive import LikesPredictive

ESTIMATORS = [FMRegressor, FMClassifier, FMOrdinal]


def gibbs(estimator=FMRegressor, **settings):
    return estimator(**({"n_factors": 3, "n_epochs": 30, "n_samples": 6, "random_state": 0} | settings), solver="gibbs")


def data_for(estimator, make=make_sides, **settings):
    return make(binary=estimator is FMClassifier, **settings)


def same_parameters(one, other):
    np.testing.assert_array_equal(one.factors, other.factors)
    np.testing.assert_array_equal(one.linear, other.linear)
    assert one.bias == other.bias


@pytest.mark.parametrize("interactions", ["all", "bipartite"])
@pytest.mark.parametrize("make", [make_ids, make_sides, make_wide])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_score_is_the_mean_of_the_samples_scores(estimator, make, interactions):
    data = data_for(estimator, make)
    fm = gibbs(estimator, interactions=interactions).fit(data)
    p = fm.parameters_
    assert p.factors.shape == (data.n_features, 6 * 3)
    assert p.posterior.n_samples == 6
    assert (p.interactions, p.mean().interactions) == (interactions, interactions)
    scores = fm.sample_scores(data)
    assert scores.std(axis=1).min() > 0
    np.testing.assert_allclose(scores.mean(axis=1), fm.decision_function(data), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(p.sample_scores(data.to_csr()), scores, rtol=1e-5, atol=1e-5)


def test_samples_are_spread_evenly_and_end_with_the_last_sweep():
    data = make_ids(binary=False)
    every = gibbs(n_epochs=30, burn_in=10, n_samples=99).fit(data)
    some = gibbs(n_epochs=30, burn_in=10, n_samples=4).fit(data)
    assert every.parameters_.posterior.n_samples == 20
    for number, sweep in enumerate([4, 9, 14, 19]):
        np.testing.assert_allclose(
            some.parameters_.sample(number).factors, every.parameters_.sample(sweep).factors, rtol=1e-6
        )
    same_parameters(some.parameters_.mean(), every.parameters_.mean())  # of all sweeps, kept or not
    X = data.to_csr()
    np.testing.assert_allclose(
        every.parameters_.mean().factors,
        np.mean([every.parameters_.sample(s).factors for s in range(20)], axis=0),
        rtol=1e-5,
        atol=1e-6,
    )
    rmse = np.sqrt(np.mean((every.predict(X) - data.target) ** 2))
    recorded = gibbs(n_epochs=30, burn_in=10).fit(data, eval_set={"rows": data}).history_["rows"]["rmse"]
    assert len(recorded) == 30
    assert recorded[-1] == pytest.approx(rmse, rel=1e-5)  # of the running mean


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_result_does_not_depend_on_threads_or_form(estimator):
    data = data_for(estimator, make_wide, n_rows=400)
    fitted = [gibbs(estimator, n_jobs=n_jobs).fit(data).parameters_ for n_jobs in (1, 2, 3)]
    for other in fitted[1:]:
        same_parameters(fitted[0], other)
    ids = data_for(estimator, make_ids)
    flat = gibbs(estimator).fit(ids.to_csr(), ids.target, field_ranges=ids.field_ranges)
    same_parameters(flat.parameters_, gibbs(estimator).fit(ids).parameters_)
    assert flat.parameters_.posterior.log_noise is not None


def test_flat_features_of_an_id_stand_in_its_block():
    """A flat matrix of which ids determine the rest is the same model as the training set, to the bit."""
    data = make_wide(n_rows=900, n_users=8, n_items=9, binary=False)
    assert all(len(np.unique(block.index)) == block.rows.shape[0] for block in data.blocks)
    flat = gibbs().fit(data.to_csr(), data.target, field_ranges=data.field_ranges)
    np.testing.assert_allclose(flat.decision_function(data), gibbs().fit(data).decision_function(data), rtol=1e-4)


def test_flat_matrices_of_any_kind():
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    dense = rng.normal(loc=100, size=(60, 3))  # large numbers
    no_ids = sparse.random_array((60, 7), density=0.3, rng=rng, dtype=np.float32).tocsr()
    for X in (dense, no_ids, sparse.csr_array((60, 4), dtype=np.float32)):
        fm = gibbs().fit(X, y)
        assert np.isfinite(fm.predict(X)).all()
        assert fm.parameters_.posterior.log_noise is None
    twice = sparse.csr_array(np.repeat(no_ids.toarray()[:20], 3, axis=0))  # rows in several copies
    shuffled = twice.copy()
    for row in range(60):
        part = slice(twice.indptr[row], twice.indptr[row + 1])
        shuffled.indices[part], shuffled.data[part] = twice.indices[part][::-1], twice.data[part][::-1]
    shuffled.has_sorted_indices = False
    same_parameters(gibbs().fit(twice, y).parameters_, gibbs().fit(shuffled, y).parameters_)


def test_predictive_deviation():
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 40, 4000), rng.integers(0, 30, 4000)
    effect = rng.normal(size=40)[user] + rng.normal(size=30)[item]
    target = 3 + effect + rng.normal(scale=0.5, size=4000)
    data = TrainingSet.from_ids(user, item, target, n_users=40, n_items=30)
    fm = gibbs(n_epochs=60, n_samples=20).fit(data.take(np.arange(3000)))
    rest = data.take(np.arange(3000, 4000))
    mean, std = fm.predict(rest, return_std=True)
    np.testing.assert_array_equal(mean, fm.predict(rest))
    assert np.mean(std) == pytest.approx(0.5, abs=0.05)
    assert np.mean(((rest.target - mean) / std) ** 2) == pytest.approx(1.0, abs=0.15)
    p = fm.parameters_
    precision = p.posterior.noise_precision * np.exp(rest.to_csr() @ p.posterior.log_noise.astype(np.float64))
    np.testing.assert_allclose(
        std, np.sqrt(fm.sample_scores(rest).var(axis=1) + (1 / precision).mean(axis=1)), rtol=1e-4
    )
    with pytest.raises(DataError, match="return_std needs"):
        FMRegressor(n_factors=2, n_epochs=2).fit(data).predict(data, return_std=True)


def test_erratic_users_count_for_less():
    rng = np.random.default_rng(1)
    user, item = rng.integers(0, 10, 3000), rng.integers(0, 20, 3000)
    noise = np.where(user < 5, 0.3, 2.0)
    data = TrainingSet.from_ids(
        user, item, rng.normal(size=20)[item] + rng.normal(size=3000) * noise, n_users=10, n_items=20
    )
    fm = gibbs().fit(data)
    log_noise = fm.parameters_.posterior.mean_log_noise()
    assert log_noise[:5].min() > log_noise[5:10].max() + 1
    weights = fm._objective_weights(data, split=False)
    np.testing.assert_allclose(weights, np.exp(log_noise[user] + log_noise[10 + item]), rtol=1e-4)
    assert gibbs(row_noise=False).fit(data).parameters_.posterior.log_noise is None


def test_likes_are_the_normal_distribution_of_what_the_samples_say():
    data = make_sides()
    fm = gibbs(FMClassifier, row_noise=False).fit(data)
    scores = fm.sample_scores(data)
    np.testing.assert_allclose(
        fm.predict_proba(data)[:, 1], ndtr(scores.mean(axis=1) / np.sqrt(1 + scores.var(axis=1))), atol=1e-5
    )
    noisy = gibbs(FMClassifier).fit(data)
    np.testing.assert_array_equal(noisy.predict_proba(data)[:, 1] >= 0.5, noisy.decision_function(data) >= 0)
    assert noisy.explained_loss == "probit"
    history = gibbs(FMClassifier).fit(data, eval_set={"rows": data}).history_["rows"]
    target, p = data.target, noisy.predict_proba(data)[:, 1]
    long = gibbs(FMClassifier, n_samples=99).fit(data, eval_set={"rows": data})
    p = long.predict_proba(data)[:, 1]
    log_loss = -np.mean(np.where(target == 1, np.log(p), np.log1p(-p)))
    assert history["log_loss"][-1] == pytest.approx(log_loss, rel=1e-4)
    assert history["accuracy"][-1] == pytest.approx(np.mean((p >= 0.5) == target))


def test_metrics_of_certain_likes_are_finite():
    likes = LikesPredictive(3)
    likes.add(np.array([1e6, -1e6, 50.0]), 1.0)
    metrics = likes.metrics(np.array([1.0, 0.0, 0.0]), None, 1)
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert 100 < metrics["log_loss"] < 1000


@pytest.mark.parametrize("row_noise", [False, True])
def test_levels_are_the_mean_of_the_samples_probabilities(row_noise):
    data = make_sides(binary=False)
    fm = gibbs(FMOrdinal, row_noise=row_noise, n_samples=99).fit(data, eval_set={"rows": data})
    p = fm.parameters_
    assert p.bias == 0
    assert (p.posterior.bias == 0).all()
    assert p.posterior.cuts.shape == (p.posterior.n_samples, 4)
    scale = 1.0
    if row_noise:
        scale = np.exp(0.5 * (data.to_csr() @ p.posterior.log_noise.astype(np.float64)))[:, :, None]
    above = ndtr((fm.sample_scores(data)[:, :, None] - p.posterior.cuts) * scale).mean(axis=1)
    proba = fm.predict_proba(data)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(proba, -np.diff(above, axis=1, prepend=1, append=0), atol=1e-5)
    np.testing.assert_allclose(fm.predict(data), proba @ fm.levels_)
    np.testing.assert_allclose(fm.predict_proba_at_least(data, 4), proba[:, 3:].sum(axis=1))
    np.testing.assert_allclose(fm.cuts_, p.posterior.cuts.mean(axis=0))
    assert fm.history_["rows"]["rmse"][-1] == pytest.approx(np.sqrt(np.mean((fm.predict(data) - data.target) ** 2)))
    log_loss = -np.log(proba[np.arange(data.n_rows), data.target.astype(int) - 1]).mean()
    assert fm.history_["rows"]["log_loss"][-1] == pytest.approx(log_loss, rel=1e-4)


def test_two_levels_are_a_classifier():
    data = make_ids(n_rows=600)
    settings = {"n_epochs": 60, "n_samples": 40}
    p = gibbs(FMClassifier, **settings).fit(data).predict_proba(data)[:, 1]
    ordinal = gibbs(FMOrdinal, **settings).fit(data)
    np.testing.assert_allclose(ordinal.predict_proba_at_least(data, 1), p, atol=0.05)
    assert ordinal.cuts_.shape == (1,)


def test_mean_holds_penalties_and_priors():
    data = make_sides(binary=False)
    fm = gibbs().fit(data)
    p, mean = fm.parameters_, fm.parameters_.mean()
    assert p.penalties is None
    assert fm.penalties_ is mean.penalties
    assert mean.factors.shape == (data.n_features, 3)
    for name, (start, stop) in data.field_ranges.items():
        prior = mean.penalties.priors[name]
        np.testing.assert_array_equal(mean.penalties.linear[start:stop], prior.linear)
        np.testing.assert_array_equal(mean.penalties.factors[start:stop], np.tile(prior.factors, (stop - start, 1)))
        assert p.posterior.priors[name].factors.shape == (6, 3)
    assert (mean.penalties.factors > 0).all()


def test_units_of_the_target_do_not_matter():
    data = make_sides(binary=False)
    other = replace(data, target=1000 + 20 * data.target)
    one, two = gibbs().fit(data), gibbs().fit(other)
    np.testing.assert_allclose(1000 + 20 * one.decision_function(data), two.decision_function(data), rtol=1e-4)
    np.testing.assert_allclose(20 * one.predict(data, True)[1], two.predict(data, True)[1], rtol=1e-3)
    np.testing.assert_allclose(one.penalties_.linear, two.penalties_.linear, rtol=1e-2)
    np.testing.assert_allclose(20 * one.penalties_.factors, two.penalties_.factors, rtol=1e-2)


def test_rows_of_weight_zero_are_absent():
    data = make_sides(binary=False)
    weight = np.ones(data.n_rows, np.float32)
    weight[::3] = 0
    part = data.take(np.flatnonzero(weight))
    same_parameters(gibbs().fit(replace(data, weight=weight)).parameters_, gibbs().fit(part).parameters_)


def test_class_weights_multiply_row_weights():
    data = make_ids()
    weight = np.where(data.target == 1, 2, 1).astype(np.float32)
    same_parameters(
        gibbs(FMClassifier, class_weight={1: 2}).fit(data).parameters_,
        gibbs(FMClassifier).fit(replace(data, weight=weight)).parameters_,
    )


@pytest.mark.parametrize("stop_at", [0, 4, 12])
def test_stopping_keeps_what_was_sampled(stop_at):
    data = make_ids(binary=False)
    seen = []

    def on_epoch(epoch, metrics):
        seen.append((epoch, sorted(metrics)))
        if epoch == stop_at:
            raise StopTraining

    fm = gibbs(burn_in=8, n_samples=20).fit(data, eval_set={"rows": data}, on_epoch=on_epoch)
    assert seen == [(epoch, ["rows", "train"]) for epoch in range(stop_at + 1)]
    assert len(fm.history_["train"]["rmse"]) == len(fm.history_["rows"]["mae"]) == stop_at + 1
    n_samples = fm.parameters_.posterior.n_samples
    assert n_samples == max(1, (stop_at - 7) * 20 // 22)
    np.testing.assert_allclose(fm.sample_scores(data).mean(axis=1), fm.decision_function(data), rtol=1e-5, atol=1e-5)


def test_an_error_leaves_the_estimator_as_it_was():
    data = make_ids(binary=False)
    fm = gibbs().fit(data)
    before = dict(vars(fm))

    def on_epoch(epoch, metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fm.fit(data, on_epoch=on_epoch)
    assert vars(fm) == before


def test_early_stopping_watches_the_running_mean():
    data = make_ids(n_rows=400, binary=False)
    fm = gibbs(n_epochs=400, n_samples=400, early_stopping=True, n_iter_no_change=2, burn_in=10).fit(data)
    watched = fm.history_["validation"]["rmse"]
    assert len(watched) < 400
    assert fm.parameters_.posterior.n_samples == len(watched) - 10
    assert (watched[-2:] >= watched[10:-2].min()).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_warm_start_goes_on(estimator):
    data = data_for(estimator)
    fm = gibbs(estimator, warm_start=True).fit(data)
    last, sweeps = fm.parameters_, fm.solver_state_.n_epochs
    fm.set_params(n_epochs=10).fit(data)
    assert fm.solver_state_.n_epochs == sweeps + 10
    assert fm.parameters_.posterior.n_samples == 6
    assert not np.array_equal(fm.factors_, last.factors)
    with pytest.raises(DataError, match="n_factors is 5"):
        fm.set_params(n_factors=5).fit(data)
    if estimator is FMRegressor:
        with pytest.raises(DataError, match="cannot go on"):
            fm.set_params(n_factors=3, solver="adagrad").fit(data)


def test_grows():
    data = make_ids(binary=False)
    fm = gibbs().fit(data)
    n, border = data.n_features, data.n_query_features
    place = np.concatenate([np.arange(border), np.arange(border, n) + 2])
    scores, mean = fm.sample_scores(data), fm.parameters_.mean().decision_function(data.to_csr())
    wide = sparse.csr_array(
        (data.to_csr().data, place[data.to_csr().indices], data.to_csr().indptr), (data.n_rows, n + 3)
    )
    fm.grow(place, n + 3)
    np.testing.assert_array_equal(fm.sample_scores(wide), scores)
    np.testing.assert_array_equal(fm.parameters_.mean().decision_function(wide), mean)
    assert fm.parameters_.n_query_features == fm.parameters_.mean().n_query_features == border + 2
    assert fm.penalties_.linear.shape == (n + 3,)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_survives_pickle_and_is_cloned(estimator):
    data = data_for(estimator)
    fm = gibbs(estimator).fit(data)
    twin = pickle.loads(pickle.dumps(fm))
    np.testing.assert_array_equal(twin.predict(data), fm.predict(data))
    same_parameters(clone(fm).fit(data).parameters_, fm.parameters_)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"burn_in": -1}, "burn_in"),
        ({"burn_in": 30}, "burn_in is 30, but n_epochs is 30"),
        ({"row_noise": "yes"}, "row_noise"),
        ({"interactions": "some"}, "interactions must be"),
        ({"n_seeds": 2}, "samples already"),
    ],
)
def test_refuses_settings(settings, message):
    with pytest.raises(DataError, match=message):
        gibbs(**settings).fit(make_ids(binary=False))


def test_refuses_what_it_cannot_do():
    data = make_ids(binary=False)
    fm = gibbs().fit(data)
    assert not hasattr(fm, "partial_fit")
    with pytest.raises(DataError, match=r"no partial_fit: fold in .* warm_start"):
        fm.partial_fit(data)
    with pytest.raises(DataError, match="need a TrainingSet"):
        gibbs(interactions="bipartite").fit(data.to_csr(), data.target)
    with pytest.raises(DataError, match="needs solver 'gibbs' or 'als'"):
        FMRegressor(interactions="bipartite").fit(data)
    with pytest.raises(DataError, match="no sampled negatives"):
        gibbs(FMClassifier).fit(make_ids(negatives=2, positives_only=True))
    with pytest.raises(DataError, match="least squares is FMRegressor's"):
        FMClassifier(solver="als").fit(make_ids())
    with pytest.raises(DataError, match="no posterior"):
        FMRegressor(n_factors=2, n_epochs=2).fit(data).sample_scores(data)
