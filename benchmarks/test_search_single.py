"""One query at a time: every call timed, beside faiss, over 1,000 different queries.

The bars are for one thread (FACTOREC_BENCH_THREADS=1). The contenders take turns of 100 queries; each turn begins with
one that is not timed, because the other's items have pushed its own out of the caches.
"""

from __future__ import annotations

import numpy as np
import pytest

import search_peers
from factorec.search import ItemIndex
from side_by_side import take_turns

N, D, N_QUERIES, BURST, CHECKED = 10, 65, 1000, 100, 100
BARS = {1_682: 0.8, 100_000: 4.0, 1_000_000: 1.7}
P99_AT_MOST = 3.0
OURS, FAISS = "factorec", "faiss"


@pytest.fixture(scope="module")
def measured(request, threads):
    n_items = request.param
    turns = N_QUERIES // BURST
    # One more for each turn's warm-up, one for the check: no query is asked twice.
    queries = search_peers.normal(N_QUERIES + turns + 1, D, 0)
    vectors = search_peers.normal(n_items, D, 1)
    index, flat = ItemIndex(vectors, n_jobs=threads), search_peers.faiss_flat(vectors)

    def one_by_one(search):
        rows = iter([queries[i : i + 1] for i in range(len(queries))])
        return lambda: search(next(rows), N)

    contenders = {OURS: one_by_one(index.search)}
    if flat is not None:
        contenders[FAISS] = one_by_one(flat.search)
    ours = index.search(queries[:CHECKED], N)
    for i in range(CHECKED):
        alone = index.search(queries[i : i + 1], N)
        np.testing.assert_array_equal(alone.ids[0], ours.ids[i])
        np.testing.assert_array_equal(alone.scores[0], ours.scores[i])
        if flat is not None:
            search_peers.check_same_lists(alone, flat.search(queries[i : i + 1], N)[1], vectors, queries[i : i + 1])
    return n_items, take_turns(contenders, rounds=turns, burst=BURST)


@pytest.mark.parametrize("measured", BARS, indirect=True)
@pytest.mark.parametrize("name", [OURS, FAISS])
def test_single(contender, measured, threads, name):
    n_items, seconds = measured
    if name not in seconds:
        pytest.skip("not installed")
    barred = name == OURS and threads == 1 and not search_peers.below_native()
    contender(
        f"one query, top {N} of {n_items:,} items, d = {D}",
        name,
        latencies=seconds[name],
        bars={FAISS: BARS[n_items]} if barred else None,
        p99_at_most=P99_AT_MOST if barred else None,
        note=None if name == OURS else "IndexFlatIP",
    )
