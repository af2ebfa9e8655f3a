"""Filters: what each query has seen, and which items are asked for.

ML-100K's shape with what each user has rated in ua.base left out, beside implicit, numpy, and faiss, which takes no
list per query and leaves out nothing; what 100 seen items a query cost; and a mask over the items.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy import sparse

import search_peers
from factorec.datasets import load_movielens
from factorec.search import ItemIndex
from side_by_side import take_turns

NS, D = (10, 100), 65
OURS, FAISS, IMPLICIT, NUMPY = "factorec", "faiss", "implicit", "numpy"
SMALL, LARGE = (943, 1682), (4096, 100_000)
BURST = {SMALL: 10, LARGE: 1}
NOTHING = "nothing left out"
RANDOM, BEST = "100 random items a query", "the 100 best items of each query"
AT_MOST = {(SMALL, 10): 1.10, (SMALL, 100): 1.25, (LARGE, 10): 1.10, (LARGE, 100): 1.15}


def shape_name(shape):
    return f"{shape[0]:,} queries x {shape[1]:,} items, d = {D}"


def factors(shape):
    return search_peers.normal(shape[0], D, 0), search_peers.normal(shape[1], D, 1)


def csr(rows, columns, shape):
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


# --- What users have seen ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def movielens(threads):
    """Seconds by (n, contender), what each user has rated in ua.base left out."""
    train = load_movielens("100k", split="ua").train
    rows, columns = (np.asarray(train[name]).astype(np.int64) - 1 for name in ("user_id", "item_id"))
    seen = csr(rows, columns, SMALL)
    queries, vectors = factors(SMALL)
    index, flat = ItemIndex(vectors, n_jobs=threads), search_peers.faiss_flat(vectors)
    contenders, expected = {}, {}
    for n in NS:
        expected[n] = index.search(queries, n, exclude=seen)
        expected[n, FAISS] = index.search(queries, n)
        contenders[n, OURS] = lambda n=n: index.search(queries, n, exclude=seen)
        if flat is not None:
            contenders[n, FAISS] = search_peers.faiss_search(flat, queries, n)
        if search_peers.below_native():
            continue
        contenders[n, NUMPY] = search_peers.numpy_search(vectors, queries, n, seen)
        if topk := search_peers.implicit_search(vectors, queries, n, threads, seen):
            contenders[n, IMPLICIT] = topk

    def check(key, answer):
        ids = answer.ids if key[1] == OURS else answer[0]
        search_peers.check_same_lists(expected.get(key, expected[key[0]]), ids, vectors, queries)

    return take_turns(contenders, check, burst=BURST[SMALL])


@pytest.mark.parametrize("n", NS)
@pytest.mark.parametrize("name", [OURS, IMPLICIT, NUMPY, FAISS])
def test_seen(contender, movielens, n, name):
    if (n, name) not in movielens:
        pytest.skip("not installed, or left out below the machine's own SIMD level")
    bars = {IMPLICIT: 6.0, FAISS: 4.5} | ({NUMPY: 4.0} if n == 100 else {})
    if os.environ.get("FACTOREC_SIMD") == "avx2":
        bars = {FAISS: 1.3}
    notes = {
        IMPLICIT: "cpu.topk",
        NUMPY: "matmul, argpartition, argsort",
        FAISS: f"{NOTHING}, {search_peers.faiss_note(SMALL[0], D)}",
    }
    contender(
        f"top {n}, {shape_name(SMALL)}, seen excluded",
        name,
        seconds=movielens[n, name],
        bars=bars if name == OURS else None,
        note=notes.get(name),
    )


# --- What leaving out costs -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def overhead(request, threads):
    """Seconds by (n, what is left out) of a shape."""
    shape = request.param
    queries, vectors = factors(shape)
    index = ItemIndex(vectors, n_jobs=threads)
    random = np.random.default_rng(2)
    rows = np.repeat(np.arange(shape[0]), 100)
    columns = {
        RANDOM: np.concatenate([random.choice(shape[1], 100, replace=False) for _ in range(shape[0])]),
        BEST: index.search(queries, 100).ids.ravel(),
    }
    seen = {NOTHING: None} | {name: csr(rows, of, shape) for name, of in columns.items()}
    contenders = {
        (n, name): lambda n=n, rows=rows: index.search(queries, n, exclude=rows)
        for n in NS
        for name, rows in seen.items()
    }

    def check(key, answer):
        if seen[key[1]] is not None:
            assert (
                not seen[key[1]]
                .tocoo()
                .multiply(csr(np.repeat(np.arange(shape[0]), key[0]), answer.ids.ravel(), shape))
                .nnz
            )

    return shape, take_turns(contenders, check, burst=BURST[shape], rounds=7)


@pytest.mark.parametrize("overhead", [SMALL, LARGE], indirect=True, ids=["small", "large"])
@pytest.mark.parametrize("n", NS)
@pytest.mark.parametrize("name", [RANDOM, BEST, NOTHING])
def test_overhead(contender, overhead, n, name):
    shape, seconds = overhead
    at_most = {NOTHING: AT_MOST[shape, n]} if name == RANDOM else None
    own = name if name == NOTHING else f"{OURS}, {name} left out"
    contender(f"top {n}, {shape_name(shape)}, cost of leaving out", own, seconds=seconds[n, name], at_most=at_most)


# --- Some of the items ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def masked(request, threads):
    """Seconds by (n, contender) with a mask that lets one share of the items through."""
    share = request.param
    queries, vectors = factors(LARGE)
    queries = queries[:1024]  # faiss with a mask takes seconds
    mask = np.random.default_rng(3).random(LARGE[1]) < share
    index, flat = ItemIndex(vectors, n_jobs=threads), search_peers.faiss_flat(vectors)
    contenders, expected = {}, {}
    for n in NS:
        expected[n] = index.search(queries, n, items=mask)
        contenders[n, OURS] = lambda n=n: index.search(queries, n, items=mask)
        contenders[n, NOTHING] = lambda n=n: index.search(queries, n)
        if flat is not None:
            contenders[n, FAISS] = search_peers.faiss_search(flat, queries, n, mask)
    allowed = np.flatnonzero(mask)
    part = ItemIndex(vectors[mask], n_jobs=threads)

    def check(key, answer):
        n, name = key
        if name == FAISS:
            search_peers.check_same_lists(expected[n], answer[0], vectors, queries)
        elif name == OURS:  # an index over the allowed items alone gives the same lists
            np.testing.assert_array_equal(answer.ids, allowed[part.search(queries, n).ids])

    return share, take_turns(contenders, check, rounds=3)


@pytest.mark.parametrize("masked", [0.5, 0.05], indirect=True)
@pytest.mark.parametrize("n", NS)
@pytest.mark.parametrize("name", [OURS, NOTHING, FAISS])
def test_masked(contender, masked, n, name):
    share, seconds = masked
    if (n, name) not in seconds:
        pytest.skip("not installed")
    note = "IndexFlatIP with IDSelectorBitmap, without BLAS" if name == FAISS else None
    case = f"top {n}, {shape_name((1024, LARGE[1]))}, items= a mask of {share:.0%}"
    contender(case, name, seconds=seconds[n, name], note=note)
