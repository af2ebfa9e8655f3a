"""Implicit ALS: a sweep over users and items beside implicit and irspack, and many factors in blocks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

import workloads
from factorec.fm import FMRanker, NegativeSampling, TrainingSet
from factorec.fm._implicit_als import ObservedPairs

UA, PLANTED = "one sweep, ua.base, k = {k}", "one sweep, 1 million pairs of 100,000 users and 50,000 items, k = {k}"
UNOBSERVED, L2 = 0.5, 0.01
CG, CHOLESKY = "implicit (3 CG steps)", "implicit (Cholesky)"


@pytest.fixture(scope="module")
def ua():
    """Users x items: 1 for a rating of 4 and more, 0.5 for 3, 0.2 below."""
    data = workloads.ua_base()
    grade = np.select([data.ratings >= 4, data.ratings == 3], [1.0, 0.5], 0.2).astype(np.float32)
    return csr_matrix((grade, (data.users, data.items)), shape=(data.n_users, data.n_items))


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    n, shape = 1_000_000, (100_000, 50_000)
    users = workloads.power_law(rng, n, shape[0], 0.8, 100)
    items = workloads.power_law(rng, n, shape[1], 1.0, 50)
    pairs = csr_matrix((np.ones(n, np.float32), (users, items)), shape=shape)
    pairs.data[:] = 1
    return pairs


def ours(contender, case, name, pairs, k, threads, *, block_size=128, rounds=15, **bars):
    n_users, n_items = pairs.shape
    n = n_users + n_items
    users, items = (csr_array(matrix) for matrix in (identity(n_users, 0, n), identity(n_items, n_users, n)))
    exposures = np.ones(n_users, np.float32), np.ones(n_items, np.float32)
    rows = ObservedPairs(users, items, csr_array(pairs), *exposures)
    options = {"unobserved_weight": UNOBSERVED, "block_size": block_size, "n_steps": 1, "tolerance": 0.0}
    start = np.random.default_rng(0).standard_normal((n, k), np.float32) * np.float32(0.1)
    penalty = (L2 * rows.totals(UNOBSERVED)).astype(np.float32)
    solver = rows.solver(penalty, start, options | {"n_threads": threads})
    seconds, objective = [], 0.0
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        objective = solver.sweep()
        seconds.append(time.perf_counter() - begin)
    contender(case, name, seconds=seconds[1:], note=f"objective {objective:.6g}", **bars)


def identity(n, start, n_features):
    return csr_matrix(
        (np.ones(n, np.float32), np.arange(start, start + n, dtype=np.int32), np.arange(n + 1, dtype=np.int32)),
        (n, n_features),
    )


def implicit_als(contender, case, pairs, k, threads, *, use_cg, rounds):
    als = pytest.importorskip("implicit.als")
    seconds = []
    model = als.AlternatingLeastSquares(
        k, regularization=1.0, alpha=1.0, use_cg=use_cg, iterations=rounds + 1, num_threads=threads, random_state=0
    )
    model.fit_callback = lambda number, elapsed, *_: seconds.append(elapsed)
    model.fit(pairs, show_progress=False)
    contender(case, CG if use_cg else CHOLESKY, seconds=seconds[1:])


def irspack_als(contender, case, pairs, k, threads, *, solver, rounds):
    module = pytest.importorskip("irspack.recommenders.ials")
    model = module.IALSRecommender(
        pairs.astype(np.float64),
        n_components=k,
        alpha0=UNOBSERVED,
        reg=L2,
        solver_type=solver,
        n_threads=threads,
        ialspp_subspace_dimension=64,
    )
    model.start_learning()
    seconds = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        model.run_epoch()
        seconds.append(time.perf_counter() - begin)
    contender(case, {"CG": "irspack (3 CG steps)", "IALSPP": "irspack (iALS++)"}[solver], seconds=seconds[1:])


CASES = pytest.mark.parametrize(("case", "rounds"), [("ua", 20), ("planted", 3)])


def named(case, k):
    return (UA if case == "ua" else PLANTED).format(k=k)


@CASES
def test_ours(contender, request, threads, case, rounds):
    bars = {CG: 1.0, CHOLESKY: 1.0} if case == "ua" else {CG: 1.0}
    ours(contender, named(case, 64), "factorec", request.getfixturevalue(case), 64, threads, rounds=rounds, bars=bars)


@pytest.mark.parametrize("block_size", [64, 128, 256])
def test_many_factors(contender, ua, threads, block_size):
    """Cost of a sweep and how far it gets: the objective after the last one."""
    name = "factorec, all at once" if block_size == 256 else f"factorec, blocks of {block_size}"
    ours(contender, UA.format(k=256), name, ua, 256, threads, block_size=block_size, rounds=9)


@pytest.mark.parametrize(("case", "rounds", "use_cg"), [("ua", 20, True), ("ua", 20, False), ("planted", 3, True)])
def test_implicit(contender, request, threads, case, rounds, use_cg):
    pairs = request.getfixturevalue(case)
    implicit_als(contender, named(case, 64), pairs, 64, threads, use_cg=use_cg, rounds=rounds)


@CASES
@pytest.mark.parametrize("solver", ["CG", "IALSPP"])
def test_irspack(contender, request, threads, case, rounds, solver):
    pairs = request.getfixturevalue(case)
    irspack_als(contender, named(case, 64), pairs, 64, threads, solver=solver, rounds=rounds)


def test_a_fit(contender, ua, threads):
    """All of `FMRanker(solver="ials").fit` on ua.base: reading the rows, ten sweeps, parameters."""
    user, item = ua.nonzero()
    seen = NegativeSampling(1, csr_array(ua))
    data = TrainingSet.from_ids(user, item, ua.data, n_users=ua.shape[0], n_items=ua.shape[1], negatives=seen)
    ranker = FMRanker(solver="ials", n_jobs=threads, random_state=0)
    contender("a fit, ua.base, k = 64", "factorec", lambda: ranker.fit(data))
