"""What a second thread gains in training, and that it changes no bit.

Runs of one thread and of two take turns, so that whatever else the machine does meets both. FACTOREC_BENCH_THREADS does
not apply.
"""

from __future__ import annotations

import numpy as np
import pytest

import roofline
import workloads
from epochs import our_epoch
from factorec.fm import FMClassifier, FMRegressor

CASES = {
    # data, estimator, k, solver, epochs of a run, rounds, bar
    "ua.base, k = 64, squared, sgd": ("ua", FMRegressor, 64, "sgd", 42, 11, 1.6),
    "ua.base, k = 64, logistic, sgd": ("ua", FMClassifier, 64, "sgd", 42, 11, 1.6),
    "ua.base, k = 64, logistic, adagrad": ("ua", FMClassifier, 64, "adagrad", 42, 11, None),
    "10 million ratings as of ML-10M, k = 16, squared, sgd": ("ML-10M", FMRegressor, 16, "sgd", 5, 3, 1.6),
    "10 million ratings as of ML-10M, k = 64, squared, sgd": ("ML-10M", FMRegressor, 64, "sgd", 5, 3, 1.6),
    "10 million rows of five fields, k = 16, squared, sgd": ("five fields", FMRegressor, 16, "sgd", 3, 3, 1.5),
}
RATES = {"ua": 0.02, "ML-10M": 0.005, "five fields": 0.005}


@pytest.fixture(scope="module")
def data():
    """The training sets, one at a time: the large ones take gigabytes while they are trained on."""
    made = {}

    def get(name, classes):
        key = name, classes
        if key not in made:
            made.clear()
            if name == "five fields":
                made[key] = workloads.five_fields()
            else:
                ratings = workloads.ua_base() if name == "ua" else workloads.like_ml10m()
                made[key] = ratings.training_set(ratings.likes if classes else ratings.ratings)
        return made[key]

    return get


@pytest.fixture(scope="module")
def taken(data):
    """Case -> threads -> seconds of an epoch, round by round, and rows, features and features a row."""
    done = {}

    def get(case):
        if case not in done:
            name, estimator, k, solver, n_epochs, rounds, _ = CASES[case]
            given = data(name, estimator is FMClassifier)
            seconds, models = {1: [], 2: []}, {}
            for _ in range(rounds):
                for threads in seconds:
                    options = {"solver": solver, "learning_rate": RATES[name], "random_state": 0}
                    models[threads] = estimator(n_factors=k, n_epochs=n_epochs, n_jobs=threads, **options)
                    seconds[threads].append(our_epoch(models[threads], given))
                one, two = models[1].parameters_, models[2].parameters_
                np.testing.assert_array_equal(one.factors.view(np.uint32), two.factors.view(np.uint32))
                np.testing.assert_array_equal(one.linear.view(np.uint32), two.linear.view(np.uint32))
            per_row = round(sum(block.rows.nnz / block.rows.shape[0] for block in given.blocks))
            done[case] = seconds, (given.n_rows, given.n_features, per_row)
        return done[case]

    return get


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_threads(contender, taken, case, n_jobs):
    seconds, (n_rows, n_features, per_row) = taken(case)
    _, _, k, solver, _, _, bar = CASES[case]
    roof = roofline.epoch(n_rows, n_features, k, solver, n_jobs, per_row)
    names = {1: "factorec, 1 thread", 2: "factorec, 2 threads"}
    bars = {names[1]: bar} if n_jobs == 2 and bar else None
    contender(f"one epoch, {case}", names[n_jobs], seconds=seconds[n_jobs], bars=bars, roofline=roof)
