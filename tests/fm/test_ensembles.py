"""``n_seeds``: one model whose score is the mean of the scores of several."""

from __future__ import annotations

import numpy as np
import pytest
from fm_problems import make_ids, make_sides

from factorec.errors import DataError
from factorec.fm import FMClassifier, FMOrdinal, FMRegressor, StopTraining

ESTIMATORS = [FMClassifier, FMRegressor, FMOrdinal]


def settings(**changed):
    return {"n_factors": 4, "n_epochs": 3, "init_scale": 0.1, "n_jobs": 1, "random_state": 3, **changed}


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_score_is_the_mean_of_the_scores(estimator, make):
    data = make(binary=estimator is FMClassifier)
    one = [estimator(**settings(random_state=3 + i)).fit(data) for i in range(3)]
    model = estimator(**settings(n_seeds=3)).fit(data)
    assert model.factors_.shape == (data.n_features, 12)
    expected = np.mean([m.decision_function(data) for m in one], axis=0)
    np.testing.assert_allclose(model.decision_function(data), expected, rtol=1e-5, atol=1e-5)
    if estimator is FMOrdinal:
        np.testing.assert_allclose(model.cuts_, np.mean([m.cuts_ for m in one], axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.penalties_.factors, one[0].penalties_.factors)
    assert model.history_["train"].keys() == one[0].history_["train"].keys()
    for metric, values in one[0].history_["train"].items():
        np.testing.assert_array_equal(model.history_["train"][metric], values)
    # The split into query and item vectors holds for the folded factors.
    p = model.parameters_
    rows = data.to_csr()
    border = p.n_query_features
    queries, items = rows.copy(), rows.copy()
    queries.data[rows.indices >= border] = 0
    items.data[rows.indices < border] = 0
    queries.eliminate_zeros()
    items.eliminate_zeros()
    parts = p.bias + p.query_offsets(queries) + p.item_offsets(items)
    parts += (p.query_vectors(queries) * p.item_vectors(items)).sum(axis=1)
    np.testing.assert_allclose(parts, model.decision_function(data), rtol=1e-4, atol=1e-4)


def test_one_seed_is_the_plain_model():
    data = make_ids()
    plain, one = FMClassifier(**settings()).fit(data), FMClassifier(**settings(n_seeds=1)).fit(data)
    assert plain.factors_.tobytes() == one.factors_.tobytes()


def test_a_generator_draws_every_seed():
    data = make_ids()
    drawn = [np.random.RandomState(8), np.random.RandomState(8)]
    model = FMClassifier(**settings(n_seeds=2, random_state=drawn[0])).fit(data)
    one = [FMClassifier(**settings(random_state=drawn[1])).fit(data) for _ in range(2)]
    expected = np.mean([m.decision_function(data) for m in one], axis=0)
    np.testing.assert_allclose(model.decision_function(data), expected, rtol=1e-5, atol=1e-5)


def test_all_models_hold_out_the_same_rows():
    data = make_ids(n_rows=500)
    options = settings(n_seeds=3, n_epochs=20, early_stopping=True, learning_rate=0.4, n_iter_no_change=1)
    model = FMClassifier(**options).fit(data)
    assert model.factors_.shape[1] == 12
    weights = model._objective_weights(data, split=True)
    assert (weights == 0).sum() == 50


def test_it_does_not_go_on():
    data = make_ids()
    model = FMClassifier(**settings(n_seeds=2)).fit(data)
    before = model.factors_.copy()
    with pytest.raises(DataError, match="n_seeds=2: a mean of models cannot be trained on"):
        model.partial_fit(data)
    with pytest.raises(DataError, match="fit anew, or use n_seeds=1"):
        model.set_params(warm_start=True).fit(data)
    with pytest.raises(DataError, match="n_factors is 4, the fitted model has 8"):
        model.set_params(n_seeds=1).fit(data)
    with pytest.raises(DataError, match="n_seeds must be an integer of at least 1"):
        FMClassifier(**settings(n_seeds=0)).fit(data)
    np.testing.assert_array_equal(model.factors_, before)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(("stop_at", "n_models"), [(1, 1), (3, 2), (4, 2)])
def test_stop_training_leaves_out_models_not_begun(stop_at, n_models, early_stopping):
    """``stop_at``: how many epochs are done, of three each, when it is raised."""
    data = make_ids()
    done = []

    def on_epoch(epoch, metrics):
        done.append(epoch)
        if len(done) == stop_at + 1:
            raise StopTraining

    options = settings(n_seeds=3, early_stopping=early_stopping, n_iter_no_change=3, learning_rate=0.001)
    model = FMClassifier(**options).fit(data, on_epoch=on_epoch)
    assert model.factors_.shape[1] == 4 * n_models
    assert len(done) == stop_at + 1
