"""Batches: top 10 and top 100 beside faiss, implicit and numpy's bare product, which does not search.

Same items, same threads, Gaussian factors. d counts the offset as a column: peers have no offsets. faiss and numpy
choose their own instructions; with FACTOREC_SIMD set, only ours go down and only faiss is beside them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

import search_peers
from factorec.search import ItemIndex
from side_by_side import take_turns

NS = (10, 100)
OURS, PRODUCT, FAISS, IMPLICIT = "factorec", "numpy's bare product", "faiss", "implicit"


class Shape(NamedTuple):
    """Sizes, and how many times faster than whom."""

    n_queries: int
    n_items: int
    d: int
    bars: dict[str, float]
    avx2_bars: dict[str, float]

    def case(self, n: int) -> str:
        return f"top {n}, {self.n_queries:,} queries x {self.n_items:,} items, d = {self.d}"


SHAPES = (
    Shape(1024, 1_000_000, 17, {PRODUCT: 3.0}, {FAISS: 1.3}),
    Shape(1024, 1_000_000, 65, {PRODUCT: 2.5, FAISS: 15.0}, {FAISS: 1.3}),
    Shape(1024, 1_000_000, 129, {PRODUCT: 3.0}, {FAISS: 1.0}),
    Shape(4096, 100_000, 65, {PRODUCT: 1.5, FAISS: 2.5}, {FAISS: 1.3}),
)
NAMES = (OURS, FAISS) if search_peers.below_native() else (OURS, PRODUCT, FAISS, IMPLICIT)


@pytest.fixture(scope="module")
def measured(request, threads):
    """Seconds and notes by (n, contender) of a shape: both lengths and all contenders in turns."""
    shape = request.param
    vectors, queries = (search_peers.normal(n, shape.d, seed) for seed, n in enumerate(shape[:2][::-1]))
    index, flat = ItemIndex(vectors, n_jobs=threads), search_peers.faiss_flat(vectors)
    product = search_peers.BareProduct(vectors, queries) if PRODUCT in NAMES else None
    contenders, notes = {}, {}
    for n in NS:
        contenders[n, OURS] = lambda n=n: index.search(queries, n)
        if IMPLICIT in NAMES and (topk := search_peers.implicit_search(vectors, queries, n, threads)):
            contenders[n, IMPLICIT] = topk
            notes[n, IMPLICIT] = "cpu.topk"
        if flat is not None:
            contenders[n, FAISS] = search_peers.faiss_search(flat, queries, n)
            notes[n, FAISS] = search_peers.faiss_note(shape.n_queries, shape.d)
    if product is not None:
        contenders[0, PRODUCT] = product
    ours = {n: index.search(queries, n) for n in NS}

    def check(key, answer):
        if key[1] != PRODUCT:
            ids = answer.ids if key[1] == OURS else answer[0]
            search_peers.check_same_lists(ours[key[0]], ids, vectors, queries)

    seconds = take_turns(contenders, check)
    for n in NS if product is not None else ():
        seconds[n, PRODUCT], notes[n, PRODUCT] = seconds[0, PRODUCT], product.note
    return shape, seconds, notes


@pytest.mark.parametrize("measured", SHAPES, indirect=True, ids=lambda shape: "x".join(map(str, shape[:3])))
@pytest.mark.parametrize("n", NS)
@pytest.mark.parametrize("name", NAMES)
def test_batch(contender, measured, n, name):
    shape, seconds, notes = measured
    if (n, name) not in seconds:
        pytest.skip("not installed")
    bars, at_most = None, None
    if name == OURS:
        bars = shape.avx2_bars if os.environ.get("FACTOREC_SIMD") == "avx2" else shape.bars
        at_most = {f"{shape.case(100)}: {OURS}": 1.0} if n == 10 else None
    contender(shape.case(n), name, seconds=seconds[n, name], bars=bars, at_most=at_most, note=notes.get((n, name)))
