"""A sweep of Gibbs sampling beside myFM, what a second thread gains, and how it grows.

Ours is timed sweep by sweep; myFM's is the difference of a long run and a short one, divided by the sweeps between
them. One thread, whatever FACTOREC_BENCH_THREADS says, unless a case names two. Before anything is timed, both samplers
must predict ua.test about equally well.
"""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest

import workloads
from factorec import _core
from factorec.datasets import load_movielens
from factorec.encoding import Encoder
from factorec.fm import Block, TrainingSet
from fm_peers import gibbs_of_myfm
from quality import ALL_FIELDS

CASE = "one Gibbs sweep, ua.base, k = {k}"
SMALL = "one Gibbs sweep, {kind}, k = 10"
GROWTH = "one Gibbs sweep, k = 15, ratings as of ML-10M"
BARS = {10: 2.0, 31: 2.7}
MYFM = "myFM (Gibbs)"
OPTIONS = {
    "draw": True,
    "n_levels": 0,
    "row_noise": False,
    "noise_shape": 60.0,
    "bipartite": False,
    "precision_linear": 1.0,
    "precision_factors": 1.0,
    "seed": 0,
    "n_threads": 1,
}


def sampler(data: workloads.Ratings, k: int, *, n_threads: int = 1, n_levels: int = 0, row_noise: bool = False):
    rows = data.training_set(data.ratings).row_arrays()
    n_users, n_features = data.n_users, data.n_users + data.n_items
    factors = np.random.default_rng(0).normal(0, 0.1, (n_features, k)).astype(np.float32)
    options = OPTIONS | {"n_levels": n_levels, "row_noise": row_noise, "n_threads": n_threads}
    target = (data.ratings - 1 if n_levels else data.ratings).astype(np.float32)
    bias = 0.0 if n_levels else float(target.mean())
    fields = [(0, n_users), (n_users, n_features)]
    linear = np.zeros(n_features, np.float32)
    return _core.GibbsSampler(rows.blocks, target, None, fields, options, bias, linear, factors), linear, factors


def sweep_seconds(drawn, n_sweeps: int) -> list[float]:
    seconds = []
    for number in range(n_sweeps):
        begin = time.perf_counter()
        drawn.sweep(number)
        seconds.append(time.perf_counter() - begin)
    return seconds


@pytest.fixture(scope="module")
def ua_test():
    """Positions of users and items of ua.test in ua.base, and ratings."""
    split = load_movielens("100k", split="ua")
    positions = []
    known = np.isin(np.asarray(split.test["item_id"]), np.asarray(split.train["item_id"]))
    for name in ("user_id", "item_id"):
        ids = np.unique(np.asarray(split.train[name]))
        positions.append(np.searchsorted(ids, np.asarray(split.test[name])[known]))
    return *positions, np.asarray(split.test["rating"], float)[known]


def our_rmse(data, k, ua_test, n_sweeps=60, burn_in=20):
    drawn, linear, factors = sampler(data, k)
    users, items, ratings = ua_test[0], ua_test[1] + data.n_users, ua_test[2]
    total = np.zeros(len(ratings))
    for number in range(n_sweeps):
        drawn.sweep(number)
        if number >= burn_in:
            drawn.copy_to(linear, factors)
            total += drawn.bias + linear[users] + linear[items] + (factors[users] * factors[items]).sum(1)
    predicted = np.clip(total / (n_sweeps - burn_in), 1, 5)
    return float(np.sqrt(np.mean((predicted - ratings) ** 2)))


@pytest.mark.parametrize("k", BARS)
def test_sweep(contender, ua_test, k):
    data = workloads.ua_base()
    rmse = our_rmse(data, k, ua_test)
    assert rmse < 0.96, rmse
    seconds = sweep_seconds(sampler(data, k)[0], 60)[10:]
    contender(CASE.format(k=k), "factorec", seconds=seconds, bars={MYFM: BARS[k]}, note=f"test RMSE {rmse:.4f}")


@pytest.mark.parametrize("k", BARS)
def test_sweep_myfm(contender, ua_test, k):
    data = workloads.ua_base()
    try:
        train = gibbs_of_myfm(data, k)
    except ImportError as missing:
        pytest.skip(f"{missing}; see benchmarks/README.md")
    users, items, ratings = ua_test
    rmse = float(np.sqrt(np.mean((np.clip(train(60, kept=40, at=(users, items)), 1, 5) - ratings) ** 2)))
    assert rmse < 0.96, rmse

    def seconds():
        times = []
        for n_sweeps in (2, 12):
            begin = time.perf_counter()
            train(n_sweeps)
            times.append(time.perf_counter() - begin)
        return (times[1] - times[0]) / 10

    contender(CASE.format(k=k), MYFM, seconds=seconds, note=f"test RMSE {rmse:.4f}")


KINDS = {
    "ids": {},
    "noise by user and item": {"row_noise": True},
    "ordered levels": {"n_levels": 5},
    "ordered levels, noise by user and item": {"n_levels": 5, "row_noise": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(contender, kind):
    seconds = sweep_seconds(sampler(workloads.ua_base(), 10, **KINDS[kind])[0], 60)[10:]
    contender(SMALL.format(kind=kind), "factorec", seconds=seconds)


@pytest.fixture(scope="module")
def all_fields():
    """ua.base with side features, histories and dates, as blocks of rows."""
    data = load_movielens("100k", split="ua")
    encoded = Encoder(fields=ALL_FIELDS).fit_encode(data.train, users=data.users, items=data.items)
    blocks = [Block(block.name, block.index, block.rows, block.field_ranges) for block in encoded.blocks]
    return TrainingSet(np.asarray(data.train["rating"], np.float64), blocks)


@pytest.mark.parametrize("interactions", ["all", "bipartite"])
def test_interactions(contender, all_fields, interactions):
    """What leaving out the pairs of features of the same side saves."""
    n = all_fields.n_features
    factors = np.random.default_rng(0).normal(0, 0.1, (n, 10)).astype(np.float32)
    options = OPTIONS | {"row_noise": True, "bipartite": interactions == "bipartite"}
    target = all_fields.target.astype(np.float32)
    fields = sorted(all_fields.field_ranges.values())
    rows = all_fields.row_arrays()
    linear = np.zeros(n, np.float32)
    drawn = _core.GibbsSampler(rows.blocks, target, None, fields, options, float(target.mean()), linear, factors)
    seconds = sweep_seconds(drawn, 25)[5:]
    contender("one Gibbs sweep, ua.base, all fields, k = 10", f"factorec, {interactions} pairs", seconds=seconds)


@pytest.fixture(scope="module")
def by_threads():
    """Seconds of a sweep with one thread and with two, in turns, for equal bits."""
    data = workloads.ua_base()
    drawn = {n_threads: sampler(data, 31, n_threads=n_threads) for n_threads in (1, 2)}
    seconds = {n_threads: [] for n_threads in drawn}
    for number in range(60):
        for n_threads, (each, _, _) in drawn.items():
            begin = time.perf_counter()
            each.sweep(number)
            seconds[n_threads].append(time.perf_counter() - begin)
    for each, linear, factors in drawn.values():
        each.copy_to(linear, factors)
    np.testing.assert_array_equal(drawn[1][2].view(np.uint32), drawn[2][2].view(np.uint32))
    np.testing.assert_array_equal(drawn[1][1].view(np.uint32), drawn[2][1].view(np.uint32))
    return {n_threads: times[10:] for n_threads, times in seconds.items()}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads(contender, by_threads, n_threads):
    names = {1: "factorec, 1 thread", 2: "factorec, 2 threads"}
    bars = {names[1]: 1.5} if n_threads == 2 else None
    case = "one Gibbs sweep, ua.base, k = 31, threads"
    contender(case, names[n_threads], seconds=by_threads[n_threads], bars=bars)


@pytest.mark.parametrize("n_rows", [1_000_000, 3_000_000, 10_000_000])
def test_growth(contender, n_rows):
    """The largest last: the memory told is the most that the process has had."""
    data = workloads.like_ml10m(n_rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    drawn, linear, factors = sampler(data, 15)
    seconds = sweep_seconds(drawn, 4)[1:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    drawn.copy_to(linear, factors)
    assert np.isfinite(factors).all()
    more = (peak - before) * 1024
    note = f"{np.median(seconds) / n_rows * 1e9:.0f} ns a rating, {more / 2**20:.0f} MiB more at the peak"
    contender(f"{GROWTH}, {n_rows:,}", "factorec", seconds=seconds, note=note)
