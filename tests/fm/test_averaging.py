"""``average``: the parameters returned are the mean over the ends of the last epochs."""

from __future__ import annotations

import numpy as np
import pytest
from fm_problems import make_ids, make_sides

from factorec.errors import DataError
from factorec.fm import FMClassifier, FMOrdinal, FMRegressor

ESTIMATORS = [FMClassifier, FMRegressor, FMOrdinal]


def settings(**changed):
    return {"n_factors": 4, "n_epochs": 6, "init_scale": 0.1, "n_jobs": 1, "random_state": 3, **changed}


def after_each_epoch(estimator, data, **options):
    """Bias, linear weights, factors and cuts after every epoch."""
    model = estimator(**settings(**options | {"n_epochs": 1})).fit(data)
    found = []
    for _ in range(6):
        found.append((model.bias_, model.linear_, model.factors_, getattr(model, "cuts_", np.zeros(0))))
        model.partial_fit(data)
    return found


@pytest.mark.parametrize("make", [make_ids, make_sides])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("average", "n"), [(True, 3), (0.5, 3), (1.0, 6), (1 / 3, 2), (0.01, 1)])
def test_the_mean_over_the_last_epochs(estimator, make, average, n):
    data = make(binary=estimator is FMClassifier)
    epochs = after_each_epoch(estimator, data, solver="sgd", learning_rate=0.03)
    model = estimator(**settings(solver="sgd", learning_rate=0.03, average=average)).fit(data, eval_set={"same": data})
    ours = model.bias_, model.linear_, model.factors_, getattr(model, "cuts_", np.zeros(0))
    for one, parts in zip(ours, zip(*epochs, strict=True), strict=True):
        np.testing.assert_allclose(one, np.mean(parts[-n:], axis=0), rtol=1e-5, atol=1e-6)
    # What is recorded of other rows is that of the mean.
    again = estimator(**settings(solver="sgd", learning_rate=0.03, average=average, n_epochs=1))
    again.fit(data).parameters_ = model.parameters_
    metric = "log_loss" if estimator is FMClassifier else "rmse"
    if estimator is FMOrdinal:
        again.cuts_ = model.cuts_
    if estimator is not FMClassifier:
        expected = np.sqrt(np.mean((again.predict(data) - data.target) ** 2))
    else:
        proba = again.predict_proba(data)
        expected = -np.log(proba[np.arange(data.n_rows), data.target.astype(int)]).mean()
    assert model.history_["same"][metric][-1] == pytest.approx(expected, rel=1e-4)


def test_penalties_are_those_of_the_same_objective():
    data = make_ids()
    plain, averaged = (FMClassifier(**settings(average=average)).fit(data) for average in (False, True))
    np.testing.assert_array_equal(plain.penalties_.factors, averaged.penalties_.factors)
    assert plain.factors_.tobytes() != averaged.factors_.tobytes()
    assert FMClassifier(**settings(average=0)).fit(data).factors_.tobytes() == plain.factors_.tobytes()


def test_early_stopping_judges_the_mean_and_keeps_it():
    data = make_ids(n_rows=400, binary=False)
    options = settings(average=1.0, learning_rate=0.3, early_stopping=True, n_epochs=30, n_iter_no_change=2)
    model = FMOrdinal(**options).fit(data)
    loss = model.history_["validation"]["log_loss"]
    held = data.take(np.flatnonzero(model._held_out(data.n_rows, model.solver_state_.seed)))
    level = np.searchsorted(model.levels_, held.target)
    found = -np.log(model.predict_proba(held)[np.arange(held.n_rows), level]).mean()
    assert found == pytest.approx(loss.min(), rel=1e-5)


@pytest.mark.parametrize("average", [-0.1, 1.5, "yes", None, np.nan])
def test_other_values_are_refused(average):
    with pytest.raises(DataError, match="average must be a bool, or the share"):
        FMClassifier(**settings(average=average)).fit(make_ids())
