"""What is told while training: ``on_epoch``."""

from __future__ import annotations

import gc
import signal

import numpy as np
import pytest
from fm_problems import make_ids, make_sides

from factorec.errors import DataError
from factorec.fm import FMClassifier, FMRegressor, StopTraining


def settings(**changed):
    return {"n_factors": 4, "n_epochs": 4, "learning_rate": 0.1, "init_scale": 0.2, "random_state": 1, **changed}


@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
@pytest.mark.parametrize("verbose", [0, 2])
def test_on_epoch_is_told_the_history_epoch_by_epoch(estimator, verbose):
    data = make_sides(binary=estimator is FMClassifier)
    told = []

    def on_epoch(epoch, history):
        told.append((epoch, history))

    model = estimator(**settings(verbose=verbose)).fit(data, X_val=data, eval_set={"test": data}, on_epoch=on_epoch)
    assert [epoch for epoch, _ in told] == [0, 1, 2, 3]
    for name, metrics in model.history_.items():
        for metric, values in metrics.items():
            assert [history[name][metric] for _, history in told] == values.tolist()


def test_epochs_go_on_counting_through_warm_start():
    told = []
    model = FMClassifier(**settings(n_epochs=2, warm_start=True))
    for _ in range(2):
        model.fit(make_ids(), on_epoch=lambda epoch, _: told.append(epoch))
    assert told == [0, 1, 2, 3]


def test_what_on_epoch_does_to_its_history_changes_nothing():
    def on_epoch(_, history):
        history["validation"]["log_loss"] = 0.0
        history["train"].clear()

    data = make_ids()
    options = settings(n_epochs=30, early_stopping=True, n_iter_no_change=2, init_scale=0.3)
    told, untold = FMClassifier(**options).fit(data, on_epoch=on_epoch), FMClassifier(**options).fit(data)
    assert told.factors_.tobytes() == untold.factors_.tobytes()
    np.testing.assert_array_equal(told.history_["validation"]["log_loss"], untold.history_["validation"]["log_loss"])


class Enough(Exception):
    pass


def test_what_on_epoch_raises_ends_fit_and_leaves_the_estimator_as_it_was():
    def stop(epoch, _):
        if epoch == 1:
            raise Enough

    model = FMClassifier(**settings())
    with pytest.raises(Enough):
        model.fit(make_ids(), on_epoch=stop)
    assert not hasattr(model, "parameters_")
    model.fit(make_ids())
    before = dict(vars(model))
    with pytest.raises(Enough):
        model.fit(make_ids(n_users=3), on_epoch=stop)
    assert all(vars(model)[name] is value for name, value in before.items())
    assert vars(model).keys() == before.keys()


@pytest.mark.parametrize("array", ["index", "indptr", "indices"])
@pytest.mark.parametrize("options", [{}, {"batch_size": 32}, {"solver": "adam", "batch_size": 32}], ids=str)
def test_arrays_that_on_epoch_changes_are_not_trained_on(array, options):
    """Promise 6: the core does not follow positions that were changed after it checked them."""
    data = make_ids()
    block = data.blocks[0]
    owner = block.index if array == "index" else getattr(block.rows, array)
    while isinstance(owner.base, np.ndarray):
        owner = owner.base

    def spoil(*_):
        owner.flags.writeable = True
        owner[:] = 2**30

    with pytest.raises(DataError, match="changed by on_epoch"):
        FMClassifier(**settings(**options)).fit(data, on_epoch=spoil)


@pytest.mark.parametrize("solver", ["adagrad", "sgd", "adam"])
def test_stop_training_keeps_what_was_learned(solver):
    """The same bits as of so many epochs from the start, and training can go on from there."""

    def stop(epoch, _):
        if epoch == 1:
            raise StopTraining

    data = make_ids()
    options = settings(solver=solver, warm_start=True)
    stopped = FMClassifier(**options).fit(data, eval_set={"test": data}, on_epoch=stop)
    shorter = FMClassifier(**options | {"n_epochs": 2}).fit(data)
    assert stopped.factors_.tobytes() == shorter.factors_.tobytes()
    assert len(stopped.history_["train"]["log_loss"]) == len(stopped.history_["test"]["log_loss"]) == 2
    np.testing.assert_array_equal(stopped.penalties_.factors, shorter.penalties_.factors)
    told = []
    stopped.set_params(n_epochs=1).fit(data, on_epoch=lambda epoch, _: told.append(epoch))
    assert told == [2]
    assert stopped.factors_.tobytes() == FMClassifier(**options | {"n_epochs": 3}).fit(data).factors_.tobytes()


def test_stop_training_before_the_first_epoch_is_over_leaves_the_estimator_as_it_was():
    def on_alarm(*_):
        raise StopTraining

    def fit():
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        model.fit(data)

    before = signal.signal(signal.SIGALRM, on_alarm)
    gc.disable()  # as below
    try:
        model, data = FMClassifier(**settings()), make_ids(n_rows=1_000_000)
        with pytest.raises(StopTraining):
            fit()
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not hasattr(model, "parameters_")


@pytest.mark.parametrize("solver", ["adagrad", "adam"])
def test_a_signal_may_stop_training_inside_an_epoch(solver):
    def on_alarm(*_):
        raise StopTraining

    before = signal.signal(signal.SIGALRM, on_alarm)
    gc.disable()  # raised inside a callback of the collector, as hypothesis has one, it would be lost
    try:
        model = FMClassifier(**settings(solver=solver, n_epochs=1_000_000))
        model.fit(make_ids(), on_epoch=lambda epoch, _: epoch == 2 and signal.setitimer(signal.ITIMER_REAL, 0.1))
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.isfinite(model.factors_).all()
    assert model.solver_state_.n_epochs == len(model.history_["train"]["log_loss"]) >= 3
