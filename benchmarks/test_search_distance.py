"""Nearest neighbours by Euclidean distance: top 10 and top 100 beside faiss and scikit-learn.

Ours sums up squares of differences; both peers expand |q|^2 + |v|^2 - 2 <q, v>, which is a matrix product and cancels
far from the origin. Gaussian vectors, the same threads.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import search_peers
from factorec.search import ItemIndex
from side_by_side import take_turns

NS = (10, 100)
SHAPES = ((1024, 100_000, 17), (1024, 100_000, 65), (1024, 100_000, 129))  # queries, items, d
OURS, FAISS, SKLEARN = "factorec", "faiss", "scikit-learn"


def check_same_distances(ids, expected, vectors, queries):
    """The same items, but for distances that only rounding tells apart."""
    for query, mine, theirs in zip(queries.astype(np.float64), ids, expected, strict=True):
        distances = [((vectors[items].astype(np.float64) - query) ** 2).sum(axis=1) for items in (mine, theirs)]
        np.testing.assert_allclose(distances[0], distances[1], rtol=0, atol=1e-6 * vectors.shape[1] ** 2)


@pytest.fixture(scope="module")
def measured(request, threads):
    """Seconds by (n, contender) of a shape: all contenders in turns."""
    n_queries, n_items, d = request.param
    vectors, queries = search_peers.normal(n_items, d, 0), search_peers.normal(n_queries, d, 1)
    index = ItemIndex(vectors, metric="l2", n_jobs=threads)
    brute = NearestNeighbors(algorithm="brute", n_jobs=threads).fit(vectors)
    flat = search_peers.faiss_flat(vectors, "IndexFlatL2")
    contenders = {}
    for n in NS:
        contenders[n, OURS] = lambda n=n: index.search(queries, n).ids
        contenders[n, SKLEARN] = lambda n=n: brute.kneighbors(queries, n, return_distance=False)
        if flat is not None:
            contenders[n, FAISS] = lambda n=n: flat.search(queries, n)[1]
    ours = {n: index.search(queries, n).ids for n in NS}
    return request.param, take_turns(
        contenders, lambda key, ids: check_same_distances(ids, ours[key[0]], vectors, queries)
    )


@pytest.mark.parametrize("measured", SHAPES, indirect=True, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("n", NS)
@pytest.mark.parametrize("name", [OURS, FAISS, SKLEARN])
def test_nearest(contender, measured, n, name):
    (n_queries, n_items, d), seconds = measured
    if (n, name) not in seconds:
        pytest.skip("not installed")
    contender(
        f"nearest {n}, {n_queries:,} queries x {n_items:,} items, d = {d}",
        name,
        seconds=seconds[n, name],
        bars={FAISS: 1.2, SKLEARN: 2.0} if name == OURS else None,
        note={FAISS: search_peers.faiss_note(n_queries, d, "IndexFlatL2"), SKLEARN: "NearestNeighbors, brute"}.get(
            name
        ),
    )
