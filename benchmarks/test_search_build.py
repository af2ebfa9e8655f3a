"""Building the index, beside what is the least that it could do: copying the matrix. (Bytes: memory_search.py.)"""

from __future__ import annotations

import numpy as np
import pytest

import search_peers
from factorec.search import ItemIndex
from side_by_side import take_turns

D = 65
OURS, COPY, FAISS = "factorec", "numpy's copy of the matrix", "faiss"


@pytest.fixture(scope="module")
def measured(request, threads):
    vectors = search_peers.normal(request.param, D, 0)
    offsets = np.zeros(len(vectors), np.float32)
    contenders = {OURS: lambda: ItemIndex(vectors, offsets=offsets, n_jobs=threads), COPY: vectors.copy}
    if search_peers.faiss_flat(vectors[:1]) is not None:
        contenders[FAISS] = lambda: search_peers.faiss_flat(vectors)
    return request.param, take_turns(contenders)


@pytest.mark.parametrize("measured", [100_000, 1_000_000], indirect=True)
@pytest.mark.parametrize("name", [OURS, COPY, FAISS])
def test_build(contender, measured, name):
    n_items, seconds = measured
    if name not in seconds:
        pytest.skip("not installed")
    note = "IndexFlatIP.add, which copies" if name == FAISS else "on one thread" if name == COPY else None
    contender(f"build the index, {n_items:,} items, d = {D}", name, seconds=seconds[name], note=note)
