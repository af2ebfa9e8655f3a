"""What comes before the first epoch, beside an epoch: encoding a table, checking a training set, dealing out rows."""

from __future__ import annotations

import time

import numpy as np
import pytest

import workloads
from epochs import our_epoch
from factorec.encoding import Encoder
from factorec.fm import Block, FMClassifier, TrainingSet

CASE = "before the first of 10 million ratings' epochs, {}"
EPOCH = "one epoch, k = 16, defaults"


@pytest.fixture(scope="module")
def table():
    ratings = workloads.like_ml10m()
    ids = {"user_id": ratings.users.astype(np.int64), "item_id": ratings.items.astype(np.int64)}
    return ids | {"like": ratings.likes.astype(float)}


@pytest.fixture(scope="module")
def encoded(table):
    encoder = Encoder()
    return encoder, encoder.fit_encode(table)


def training_set(encoded, target):
    return TrainingSet(target, [Block(b.name, b.index, b.rows, b.field_ranges) for b in encoded.blocks])


def model(n_epochs, threads):
    return FMClassifier(n_factors=16, n_epochs=n_epochs, n_jobs=threads, random_state=0)


def test_epoch(contender, encoded, table, threads):
    given = training_set(encoded[1], table["like"])
    contender(CASE.format("ids"), EPOCH, seconds=lambda: our_epoch(model(6, threads), given), rounds=3)


def test_encoding(contender, encoded, table):
    """Positions of ids that the encoder knows."""
    contender(CASE.format("ids"), "Encoder.encode", lambda: encoded[0].encode(table), at_most={EPOCH: 1.0})


def test_learning_ids(contender, table):
    contender(CASE.format("ids"), "Encoder.fit_encode", lambda: Encoder().fit_encode(table), rounds=3)


def test_validation(contender, encoded, table):
    """Every check of a training set."""
    contender(CASE.format("ids"), "TrainingSet", lambda: training_set(encoded[1], table["like"]), at_most={EPOCH: 1.0})


def test_fit(contender, encoded, table, threads):
    """The checks of `fit`, the shuffle, dealing the rows to blocks, copying parameters in and out."""
    given = training_set(encoded[1], table["like"])

    def beyond_epochs():
        estimator, ends = model(3, threads), []
        start = time.perf_counter()
        estimator.fit(given, on_epoch=lambda *_: ends.append(time.perf_counter()))
        return time.perf_counter() - start - (ends[-1] - ends[0]) / 2 * 3

    contender(CASE.format("ids"), "fit beyond its epochs", seconds=beyond_epochs, rounds=3)
