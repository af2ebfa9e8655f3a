"""Lazy mini-batch Adam with the managed service's settings: an epoch of ours beside one in numpy and scipy."""

from __future__ import annotations

import pytest

import workloads
from epochs import our_epoch
from factorec.fm import FMClassifier
from numpy_adam import NumpyAdam

CASE = "one epoch, ua.base, k = 64, logistic, Adam in batches of 1,000"
NUMPY = "numpy and scipy"
# Of bias, linear weights and factors.
RATES, DECAY = (0.1, 0.001, 0.0001), (0.01, 0.001, 0.00001)
BLOCKS = ("bias", "linear", "factors")


@pytest.fixture(scope="module")
def rows():
    data = workloads.ua_base()
    return data.training_set(data.likes)


def test_ours(contender, rows, threads):
    model = FMClassifier(
        64,
        solver="adam",
        n_epochs=42,
        batch_size=1000,
        learning_rate=dict(zip(BLOCKS, RATES, strict=True)),
        l2_bias=DECAY[0],
        l2_linear=DECAY[1],
        l2_factors=DECAY[2],
        shuffle=False,
        random_state=0,
        n_jobs=threads,
    )
    seconds = [our_epoch(model, rows) for _ in range(16)][1:]
    note = f"training loss {model.history_['train']['log_loss'][-1]:.3f}"
    contender(CASE, "factorec, adam", seconds=seconds, bars={NUMPY: 4.0}, note=note)


def test_numpy(contender, rows):
    peer = NumpyAdam(rows.to_csr(), rows.target, 64, batch_size=1000, rates=RATES, decay=DECAY)
    for _ in range(42 - 5):
        peer.epoch()
    contender(CASE, NUMPY, peer.epoch, rounds=5, note=f"training loss {peer.epoch():.3f}")
