"""What a search is compared with: faiss, implicit, numpy, and numpy's bare product, which is no search at all."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from factorec.search import SearchResult

Floats = npt.NDArray[np.float32]
Search = Callable[[], tuple[Any, Any]]  # ids and scores

FAISS_BLAS = 128_000  # flat indexes multiply by BLAS from this queries x d on, and go query by query below


def normal(n: int, d: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)


def below_native() -> bool:
    """Whether FACTOREC_SIMD chose our level: peers whose BLAS stays at the machine's own level are then left out."""
    return "FACTOREC_SIMD" in os.environ


def faiss_flat(vectors: Floats, kind: str = "IndexFlatIP") -> Any | None:
    """faiss's exact index, by inner product or another kind, or None where faiss is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    index = getattr(faiss, kind)(vectors.shape[1])
    index.add(vectors)
    return index


def faiss_note(n_queries: int, d: int, kind: str = "IndexFlatIP") -> str:
    return f"{kind}{'' if n_queries * d >= FAISS_BLAS else f', without BLAS: queries x d < {FAISS_BLAS:,}'}"


def faiss_search(index: Any, queries: Floats, n: int, mask: npt.NDArray[np.bool_] | None = None) -> Search:
    import faiss

    bits = None if mask is None else np.packbits(mask, bitorder="little")
    parameters = None if bits is None else faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))

    def search() -> tuple[Any, Any]:
        scores, ids = index.search(queries, n, params=parameters)
        return ids, scores

    return search


def implicit_search(vectors: Floats, queries: Floats, n: int, threads: int, seen: Any = None) -> Search | None:
    try:
        from implicit.cpu.topk import topk
    except ImportError:
        return None
    return functools.partial(topk, vectors, queries, n, filter_query_items=seen, num_threads=threads)


def numpy_search(vectors: Floats, queries: Floats, n: int, seen: Any) -> Search:
    seen_rows = np.repeat(np.arange(len(queries)), np.diff(seen.indptr))

    def search() -> tuple[Any, Any]:
        scores = queries @ vectors.T
        scores[seen_rows, seen.indices] = -np.inf
        best = np.argpartition(scores, -n, axis=1)[:, -n:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        ids = np.take_along_axis(best, order, axis=1)
        return ids, np.take_along_axis(scores, ids, axis=1)

    return search


class BareProduct:
    """numpy's queries @ vectors.T, block by block into one preallocated block: every score, none looked at.

    Block size and orientation are the fastest for numpy: tried on part of the items, best of three.
    """

    SIZES = (1024, 2048, 4096, 8192, 16384)
    TRIED = 131_072

    def __init__(self, vectors: Floats, queries: Floats) -> None:
        self._vectors, self._queries = vectors, queries
        times = {}
        for size in self.SIZES:
            for items_first in (False, True):
                self._choose(size, items_first)
                self._multiply(self.TRIED)  # touches the pages of the block
                times[size, items_first] = min(self._seconds() for _ in range(3))
        self._choose(*min(times, key=times.__getitem__))

    def _choose(self, size: int, items_first: bool) -> None:
        self._size, self._items_first = size, items_first
        shape = (size, len(self._queries)) if items_first else (len(self._queries), size)
        self._block = np.empty(shape, np.float32)
        product = "items x queries" if items_first else "queries x items"
        self.note = f"no search: matmul of {product} in blocks of {size:,} items, no selection"

    def _seconds(self) -> float:
        start = time.perf_counter()
        self._multiply(self.TRIED)
        return time.perf_counter() - start

    def _multiply(self, n_items: int) -> None:
        queries = self._queries
        for start in range(0, min(n_items, len(self._vectors)), self._size):
            vectors = self._vectors[start : start + self._size]
            if self._items_first:
                np.matmul(vectors, queries.T, out=self._block[: len(vectors)])
            else:
                np.matmul(queries, vectors.T, out=self._block[:, : len(vectors)])

    def __call__(self) -> None:
        self._multiply(len(self._vectors))


def check_same_lists(ours: SearchResult, ids: Any, vectors: Floats, queries: Floats) -> None:
    """The same items, but for scores that only rounding tells apart: a peer sums in another order."""
    d = vectors.shape[1]
    for row, (mine, theirs) in enumerate(zip(ours.ids, ids, strict=True)):
        query = queries[row].astype(np.float64)
        exact = [vectors[items].astype(np.float64) @ query for items in (mine, theirs)]
        # Rounding moves a score by a few units in the last place of |q| |v|; an item that is not among the best, more.
        np.testing.assert_allclose(exact[0], exact[1], rtol=0, atol=1e-6 * d)
        assert len(np.setdiff1d(mine, theirs)) <= 1
