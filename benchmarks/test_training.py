"""Training on ids: one epoch beside LIBMF and libraries of factorization machines, and a whole run."""

from __future__ import annotations

import numpy as np
import pytest

import fm_peers
import machine
import peers
import roofline
import workloads
from epochs import difference, our_epoch
from factorec.datasets import load_movielens
from factorec.encoding import Encoder
from factorec.fm import Block, FMClassifier, FMRegressor, TrainingSet

BEST, PLAIN = "LIBMF, best build", "LIBMF as installed"
UA, ML10M = "one epoch, ua.base, k = {k}, {loss}", "one epoch, 10 million ratings as of ML-10M, k = {k}, {loss}"
LOSSES, SOLVERS = ("squared", "logistic"), ("sgd", "adagrad")
# Epochs of a short and of a long run, and rounds: the long ones take a tenth of a second and some seconds.
UA_EPOCHS, ML10M_EPOCHS = (2, 42), (1, 5)
# LIBMF's L2; a learning rate at which ours learns about as much as LIBMF does in as many epochs.
L2, RATES = 0.05, {"sgd": 0.05, "adagrad": 0.2}


@pytest.fixture(scope="module")
def like_ml10m():
    return workloads.like_ml10m()


def model(loss, solver, k, n_epochs, threads):
    estimator = FMRegressor if loss == "squared" else FMClassifier
    options = {"solver": solver, "learning_rate": RATES[solver], "l2_linear": L2, "l2_factors": L2}
    return estimator(n_factors=k, n_epochs=n_epochs, n_jobs=threads, random_state=0, **options)


def ours(contender, case, data, given, loss, solver, k, epochs, threads, rounds, bars):
    trained = model(loss, solver, k, epochs[1], threads)
    seconds = [our_epoch(trained, given) for _ in range(rounds + 1)][1:]
    roof = roofline.epoch(len(data.users), data.n_users + data.n_items, k, solver, threads)
    metric = trained.history_["train"]["rmse" if loss == "squared" else "log_loss"][-1]
    note = f"training loss {metric:.3f}"
    contender(case, f"factorec, {solver}", seconds=seconds, bars=bars, roofline=roof, note=note)


def theirs(contender, case, name, data, loss, k, epochs, threads, rounds, timeout):
    libmf = peers.best_build() if name == BEST else peers.plain_build()
    if libmf is None:
        pytest.skip("not installed, see benchmarks/README.md")
    # Whether the compiler's flags took is seen in the instructions.
    wide = machine.wide_instructions(libmf.path)
    if name == BEST and not wide:
        pytest.fail(f"{libmf.path} was not built with AVX, see benchmarks/README.md")
    squared = loss == "squared"
    target = data.ratings if squared else np.where(data.likes > 0, 1.0, -1.0)
    options = {"k": k, "threads": threads, "loss": peers.SQUARED if squared else peers.LOGISTIC}
    seconds, value = peers.epoch_seconds(
        libmf.path, data.users, data.items, target, epochs=epochs, rounds=rounds, timeout=timeout, **options
    )
    if not seconds:
        pytest.skip(f"LIBMF hung twice for {timeout:g} s")
    note = f"{wide} wide instructions, training loss {value:.3f}"
    contender(case, name, seconds=seconds, note=note)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_ua(contender, threads, loss, solver):
    data = workloads.ua_base()
    given = data.training_set(data.ratings if loss == "squared" else data.likes)
    if solver == "sgd":
        bars = {BEST: 4.0} | dict.fromkeys(fm_peers.LIBRARIES, 10.0)
    else:
        bars = {BEST: 2.0} | ({PLAIN: 10.0} if loss == "logistic" else {})
    if loss == "squared":
        bars.pop("LightFM (AdaGrad)", None)  # which has no squared loss
    case = UA.format(k=64, loss=loss)
    ours(contender, case, data, given, loss, solver, 64, UA_EPOCHS, threads, 15, bars)


@pytest.mark.parametrize("name", [BEST, PLAIN])
@pytest.mark.parametrize("loss", LOSSES)
def test_ua_libmf(contender, threads, loss, name):
    case = UA.format(k=64, loss=loss)
    theirs(contender, case, name, workloads.ua_base(), loss, 64, UA_EPOCHS, threads, 5, timeout=20)


@pytest.mark.parametrize("name", fm_peers.LIBRARIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_ua_fm_library(contender, threads, tmp_path, loss, name):
    data = workloads.ua_base()
    rows = data.training_set(data.ratings if loss == "squared" else data.likes)
    options = {"k": 64, "logistic": loss == "logistic", "threads": threads, "folder": tmp_path}
    try:
        train = fm_peers.LIBRARIES[name](rows.to_csr(), rows.target, **options)
    except ImportError as missing:
        pytest.skip(f"{missing}; see benchmarks/README.md")
    train(1)
    contender(UA.format(k=64, loss=loss), name, seconds=lambda: difference(train, 1, 5), rounds=3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [16, 64])
def test_ml10m(contender, threads, like_ml10m, k, solver):
    case = ML10M.format(k=k, loss="squared")
    given = like_ml10m.training_set(like_ml10m.ratings)
    bar = {("sgd", 16): 4.0, ("sgd", 64): 2.2, ("adagrad", 16): 2.2, ("adagrad", 64): 1.6}[solver, k]
    ours(contender, case, like_ml10m, given, "squared", solver, k, ML10M_EPOCHS, threads, 3, {BEST: bar})


@pytest.mark.parametrize("k", [16, 64])
def test_ml10m_libmf(contender, threads, like_ml10m, k):
    case = ML10M.format(k=k, loss="squared")
    theirs(contender, case, BEST, like_ml10m, "squared", k, ML10M_EPOCHS, threads, 3, timeout=60)


@pytest.fixture(scope="module")
def ua_split():
    """A training set of ua.base's likes, and the rows of ua.test whose film occurs in it."""
    data = load_movielens("100k", split="ua")
    encoder = Encoder().fit(data.train)
    encoded = encoder.encode(data.train)
    blocks = [Block(block.name, block.index, block.rows, block.field_ranges) for block in encoded.blocks]
    likes = (np.asarray(data.train["rating"]) >= workloads.LIKE).astype(float)
    known = np.isin(np.asarray(data.test["item_id"]), np.asarray(data.train["item_id"]))
    return TrainingSet(likes, blocks), encoder.transform(data.test)[known]


def test_fit_and_predict(contender, ua_split, threads):
    """One run of the ua split with the defaults, from positions to probabilities of all test rows."""
    train, test = ua_split

    def run():
        return FMClassifier(n_factors=64, n_jobs=threads, random_state=0).fit(train).predict_proba(test)

    contender("fit and predict, ua, 64 factors, defaults", "factorec", run, limit=1.0)
