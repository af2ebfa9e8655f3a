"""Training: one epoch beside LIBMF, and a whole run."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.sparse import csr_array

import machine
import peers
from factorec.datasets import load_movielens
from factorec.encoding import Encoder, MultiLabel, Numeric
from factorec.fm import Block, FMClassifier, TrainingSet

EPOCH = "one epoch, ua.base, 64 factors, logistic"
SHORT, LONG = 2, 22
LIKE = 4


@pytest.fixture(scope="module")
def ua():
    """User and item positions and 0/1 targets of ua.base and of ua.test's known films."""
    data = load_movielens("100k", split="ua")
    (train_users, test_users), n_users = _positions(data.train["user_id"], data.test["user_id"])
    (train_items, test_items), n_items = _positions(data.train["item_id"], data.test["item_id"])
    y = (np.asarray(data.train["rating"]) >= LIKE).astype(np.float32)
    known = test_items >= 0
    train = TrainingSet.from_ids(train_users, train_items, y, n_users=n_users, n_items=n_items)
    test = TrainingSet.from_ids(
        test_users[known], test_items[known], np.zeros(known.sum()), n_users=n_users, n_items=n_items
    )
    return train_users, train_items, y, train, test.to_csr()


def _positions(train, test):
    ids, index = np.unique(np.asarray(train), return_inverse=True)
    at = np.minimum(np.searchsorted(ids, np.asarray(test)), len(ids) - 1)
    return (index, np.where(ids[at] == np.asarray(test), at, -1)), len(ids)


def per_epoch(train, short=SHORT, long=LONG):
    """Seconds of one epoch: the set-up that every run pays once is in both times and drops out."""

    def measure():
        times = []
        for n_epochs in (short, long):
            start = time.perf_counter()
            train(n_epochs)
            times.append(time.perf_counter() - start)
        return (times[1] - times[0]) / (long - short)

    return measure


def test_epoch_factorec(contender, ua, threads):
    def fit(n_epochs):
        FMClassifier(n_factors=64, n_epochs=n_epochs, n_jobs=threads, random_state=0).fit(ua[3])

    fit(SHORT)
    contender(EPOCH, "factorec", seconds=per_epoch(fit), bars={"LIBMF, best build": 2.0, "LIBMF as installed": 10.0})


@pytest.mark.parametrize(
    ("name", "build"),
    [("LIBMF, best build", peers.best_build), ("LIBMF as installed", peers.plain_build)],
)
def test_epoch_libmf(contender, ua, threads, name, build):
    libmf = build()
    if libmf is None:
        pytest.skip("not installed, see benchmarks/README.md")
    users, items, y = ua[:3]
    sign = np.where(y > 0, 1.0, -1.0)
    # Whether the compiler's flags took is seen in the instructions.
    wide = machine.wide_instructions(libmf.path)
    if name == "LIBMF, best build" and not wide:
        pytest.fail(f"{libmf.path} was not built with AVX, see benchmarks/README.md")

    def train(n_epochs):
        libmf.train(users, items, sign, k=64, n_epochs=n_epochs, threads=threads)

    train(SHORT)
    contender(EPOCH, name, seconds=per_epoch(train), note=f"{wide} instructions on ymm or zmm registers")


@pytest.fixture(scope="module")
def ua_fields():
    """ua.base with users' age, gender and occupation and items' genres and year: some eight features a row."""
    data = load_movielens("100k", split="ua")
    fields = {"user": [Numeric("age", bins=8), "gender", "occupation"], "item": [MultiLabel("genres"), "year"]}
    encoded = Encoder(fields=fields).fit_encode(data.train, users=data.users, items=data.items)
    blocks = [Block(b.name, b.index, b.rows, b.field_ranges) for b in encoded.blocks]
    return TrainingSet((np.asarray(data.train["rating"]) >= LIKE).astype(float), blocks)


@pytest.fixture(scope="module")
def planted_fields():
    """A million rows of 32 features: five fields of 40 values a user, 25 a item, beside their ids."""
    random = np.random.default_rng(0)
    n_rows, counts, fields, size = 1_000_000, (50_000, 20_000), (5, 25), 40
    n_features = sum(counts) + size * sum(fields)
    blocks, start = [], 0
    for name, n, n_fields in zip(("user", "item"), counts, fields, strict=True):
        firsts = start + n + size * np.arange(n_fields)
        columns = np.column_stack([start + np.arange(n), firsts + random.integers(0, size, (n, n_fields))])
        indptr = np.arange(0, columns.size + 1, 1 + n_fields)
        rows = csr_array((np.ones(columns.size, np.float32), columns.ravel(), indptr), (n, n_features))
        ranges = {name: (start, start + n)} | {
            f"{name} field {i}": (f, f + size) for i, f in enumerate(firsts.tolist())
        }
        blocks.append(Block(name, random.integers(0, n, n_rows), rows, ranges))
        start += n + size * n_fields
    return TrainingSet(random.integers(0, 2, n_rows).astype(float), blocks)


@pytest.mark.parametrize(
    ("data", "case", "epochs"),
    [("ua_fields", "ua.base", (SHORT, LONG)), ("planted_fields", "1,000,000 rows of 32 features", (1, 3))],
)
@pytest.mark.parametrize("form", ["blocks", "flat rows"])
def test_epoch_with_side_features(contender, threads, request, data, case, epochs, form):
    """There is no peer that takes rows of more than a pair at this speed; flat rows show what blocks cost."""
    rows = request.getfixturevalue(data)
    given = (rows,) if form == "blocks" else (rows.to_csr(), rows.target)
    options = {} if form == "blocks" else {"field_ranges": rows.field_ranges}

    def fit(n_epochs):
        FMClassifier(n_factors=64, n_epochs=n_epochs, n_jobs=threads, random_state=0).fit(*given, **options)

    fit(1)
    per_row = rows.to_csr().nnz / rows.n_rows
    case = f"one epoch with side features, {case}, {per_row:.1f} a row, 64 factors, logistic"
    contender(case, form, seconds=per_epoch(fit, *epochs), rounds=5 if epochs[1] == LONG else 3)


def test_fit_and_predict(contender, ua, threads):
    """One run of the ua split with the defaults, from positions to probabilities of all test rows."""

    def run():
        return FMClassifier(n_factors=64, n_jobs=threads, random_state=0).fit(ua[3]).predict_proba(ua[4])

    contender("fit and predict, ua, 64 factors, defaults", "factorec", run, limit=1.0)
