"""The log of a job that the managed service ran on MovieLens 100K (ua.base), reproduced."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from factorec.sagemaker import estimator

pytestmark = pytest.mark.slow

# What the job's log printed: epoch -> cross entropy, accuracy, F1 over the padded rows of training.
LOGGED = {
    14: (0.592996871781, 0.720879120879, 0.766505488040),
    32: (0.55529, 0.73279, 0.76838),
    49: (0.53861, 0.74216, 0.77367),
    67: (0.52747, 0.74441, 0.77493),
    85: (0.519658784971, 0.74703, 0.777093500658),
    102: (0.513777320275, 0.749967032967, 0.779587131523),
    120: (0.508168722635, 0.752186813187, 0.781653934412),
    138: (0.502633497301, 0.754890109890, 0.784027421401),
    156: (0.496849003048, 0.758780219780, 0.787516818802),
    174: (0.490630248353, 0.762956043956, 0.791199217880),
    192: (0.483857586871, 0.767879120879, 0.795480291632),
}
N_USERS, N_ITEMS = 943, 1682
# As the notebook gives them.
HYPERPARAMETERS = {
    "feature_dim": "2625",
    "predictor_type": "binary_classifier",
    "mini_batch_size": "1000",
    "num_factors": "64",
    "epochs": "200",
}


def one_hot(table) -> tuple[csr_array, np.ndarray]:
    users, items = (np.asarray(table[name]) for name in ("user_id", "item_id"))
    columns = np.column_stack([users - 1, N_USERS + items - 1])
    n = len(users)
    X = csr_array((np.ones(2 * n, np.float32), columns.ravel(), np.arange(0, 2 * n + 1, 2)), (n, N_USERS + N_ITEMS))
    return X, (np.asarray(table["rating"]) >= 4).astype(np.float32)


@pytest.fixture(scope="module")
def runs(movielens_ua):
    """Five jobs, each with rows shuffled once and start values of its own, and what each makes of ua.test."""
    X, y = one_hot(movielens_ua.train)
    X_test, y_test = one_hot(movielens_ua.test)
    assert (X.shape[0], int(y.sum())) == (90_570, 49_906)
    histories, tests = [], []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(X.shape[0])
        fm = estimator(HYPERPARAMETERS, random_state=seed).fit(X[order], y[order], eval_set={"test": (X_test, y_test)})
        histories.append(fm.history_["train"])
        tests.append((fm.history_["test"], fm.measure(X_test, y_test, padded=True)))
    return histories, tests


def test_metrics_of_training_are_those_of_the_log(runs):
    histories, _ = runs
    at = list(LOGGED)
    off = np.stack([[h[name][at] for name in ("log_loss", "accuracy", "f1")] for h in histories]).mean(axis=0)
    off = np.abs(off - np.array(list(LOGGED.values())).T)
    entropy, accuracy, f1 = (dict(zip(at, values, strict=True)) for values in off)
    assert max(entropy[epoch] for epoch in (14, 32, 49)) < 0.002
    assert max(entropy.values()) < 0.012
    assert max(accuracy.values()) < 0.006
    assert max(f1.values()) < 0.015


def test_every_run_begins_as_the_logged_one(runs):
    """Before the start values part the runs: one at a time, not in the mean."""
    for history in runs[0]:
        assert abs(history["log_loss"][14] - LOGGED[14][0]) < 0.001


def test_accuracies_are_over_padded_rows(runs):
    """91 batches of 1,000: an accuracy times 91,000 is a whole number, as in the log."""
    right = runs[0][0]["accuracy"] * 91_000
    np.testing.assert_allclose(right, np.round(right), atol=1e-6)


def test_metrics_of_test_rows(runs):
    """After 50 and 200 epochs, beside what a reimplementation in numpy found; padding flatters."""
    for epoch, found in ((49, (0.697, 0.589, 0.738)), (199, (0.701, 0.5725, 0.745))):
        for name, value, room in zip(("accuracy", "log_loss", "f1"), found, (0.005, 0.003, 0.012), strict=True):
            assert np.mean([test[name][epoch] for test, _ in runs[1]]) == pytest.approx(value, abs=room), (epoch, name)
    for test, padded in runs[1]:
        assert padded["accuracy"] > test["accuracy"][-1]
