"""Search: top 100 beside implicit, numpy and faiss, same items, same number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from factorec.datasets import load_movielens
from factorec.search import ItemIndex

N, N_FACTORS = 100, 65  # 64 factors and the offset as a column: peers have no offsets
SEEN = "top 100, 943 users x 1,682 items, d = 65, seen excluded"
LARGE = "top 100, 4,096 queries x 100,000 items, d = 65"


def normal(n, seed):
    return np.random.default_rng(seed).standard_normal((n, N_FACTORS), dtype=np.float32)


@pytest.fixture(scope="module")
def movielens(threads):
    """Queries, vectors, what each user has rated in ua.base, and our lists."""
    train = load_movielens("100k", split="ua").train
    rows, columns = (np.asarray(train[name]).astype(np.int64) - 1 for name in ("user_id", "item_id"))
    seen = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(943, 1682))
    queries, index = normal(943, 0), ItemIndex(normal(1682, 1), n_jobs=threads)
    return queries, normal(1682, 1), seen, index, index.search(queries, N, exclude=seen)


@pytest.fixture(scope="module")
def large(threads):
    queries, vectors = normal(4096, 2), normal(100_000, 3)
    index = ItemIndex(vectors, n_jobs=threads)
    return queries, vectors, index, index.search(queries, N)


def check_same_items(ours, ids, queries, vectors):
    """The same items, but for the order of scores that only rounding tells apart."""
    for row, (mine, theirs) in enumerate(zip(ours.ids, ids, strict=True)):
        exact = [vectors[items].astype(np.float64) @ queries[row].astype(np.float64) for items in (mine, theirs)]
        np.testing.assert_allclose(exact[0], exact[1], rtol=0, atol=1e-4)
        assert len(np.setdiff1d(mine, theirs)) <= 1


def test_seen_factorec(contender, movielens):
    queries, _, seen, index, _ = movielens
    contender(
        SEEN,
        "factorec",
        lambda: index.search(queries, N, exclude=seen),
        bars={"implicit": 4.0, "numpy": 4.0},
        rounds=50,
    )


def test_seen_implicit(contender, movielens, threads):
    topk = pytest.importorskip("implicit.cpu.topk").topk
    queries, vectors, seen, _, ours = movielens

    def search():
        return topk(vectors, queries, N, filter_query_items=seen, num_threads=threads)

    check_same_items(ours, search()[0], queries, vectors)
    contender(SEEN, "implicit", search, rounds=20, note="cpu.topk")


def test_seen_numpy(contender, movielens):
    queries, vectors, seen, _, ours = movielens
    seen_rows = np.repeat(np.arange(len(queries)), np.diff(seen.indptr))

    def search():
        scores = queries @ vectors.T
        scores[seen_rows, seen.indices] = -np.inf
        best = np.argpartition(scores, -N, axis=1)[:, -N:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        ids = np.take_along_axis(best, order, axis=1)
        return ids, np.take_along_axis(scores, ids, axis=1)

    check_same_items(ours, search()[0], queries, vectors)
    contender(SEEN, "numpy", search, rounds=20, note="matmul, argpartition, argsort")


def test_large_factorec(contender, large):
    queries, _, index, _ = large
    contender(LARGE, "factorec", lambda: index.search(queries, N), bars={"faiss": 1.2})


def test_large_faiss(contender, large, threads):
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(threads)
    queries, vectors, _, ours = large
    index = faiss.IndexFlatIP(N_FACTORS)
    index.add(vectors)
    check_same_items(ours, index.search(queries, N)[1], queries, vectors)
    contender(LARGE, "faiss", lambda: index.search(queries, N), note="IndexFlatIP")
