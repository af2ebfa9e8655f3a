"""How time and memory grow: an epoch against ratings, features and k; a search against items, queries, d and n.

Usage: python benchmarks/growth.py [--out build/bench/growth.json] [--largest 10000000]

Every curve is of one thread and of as many as the process may use. Memory is what a fit took at its peak beyond the
training set, and what an index keeps beside the items' vectors. `report.py` draws the curves.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import machine
from epochs import our_epoch
from factorec.fm import FMRegressor
from factorec.search import ItemIndex
from workloads import Ratings, like_ml10m

SECONDS = 0.4  # what a point may take, once it has run three times
ALL = len(os.sched_getaffinity(0))
THREADS = sorted({1, ALL})
MB = 1e6

Series = dict[str, list[tuple[float, float]]]
Curve = dict[str, Any]


def curve(picture: str, title: str, x: str, y: str, series: Series) -> Curve:
    print(f"\n{title}: {y} against {x}", flush=True)
    for name, points in series.items():
        print(f"  {name:12}", "  ".join(f"{at:,.0f}: {value:.4g}" for at, value in points), flush=True)
    return {"picture": picture, "title": title, "x": x, "y": y, "series": series}


def named(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


# --- time and memory of one point


def seconds(run: Callable[[], object]) -> float:
    """Median of at least three runs after one that warms up."""
    run()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < SECONDS and len(times) < 50):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def epoch(given: Any, k: int, threads: int, solver: str = "sgd") -> float:
    n_epochs = int(np.clip(SECONDS / (given.n_rows * k * 1e-9), 3, 40))
    options = {"solver": solver, "learning_rate": 0.005, "n_jobs": threads, "random_state": 0}
    return our_epoch(FMRegressor(n_factors=k, n_epochs=n_epochs, **options), given)


def taken(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it returns, the bytes that it still holds, and those that it held at its peak."""
    ctypes.CDLL(None).malloc_trim(0)  # or it would be given what others have freed
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    kept = run()
    return kept, _status("VmRSS") - before, _status("VmHWM") - before


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"this system does not tell {field}")


# --- training


def training(largest: int) -> list[Curve]:
    every = like_ml10m(largest)
    sizes = [n for n in (100_000, 316_000, 1_000_000, 3_160_000, 10_000_000) if n <= largest]
    times: Series = {}
    memory: Series = {"training set": [], "fit, beyond it": []}
    for n in sizes:
        given = first(every, n)
        for k in (16, 64):
            for threads in THREADS:
                times.setdefault(f"k = {k}, {named(threads)}", []).append((n, epoch(given, k, threads)))
        fit = FMRegressor(n_factors=16, n_epochs=1, solver="sgd", learning_rate=0.005, n_jobs=ALL)
        memory["fit, beyond it"].append((n, taken(lambda: fit.fit(given))[2] / MB))  # noqa: B023
        held = given.target.nbytes + sum(block.index.nbytes for block in given.blocks)
        memory["training set"].append((n, held / MB))
    return [
        curve("training", "Ratings (69,878 users, 10,677 items)", "ratings", "seconds an epoch", times),
        curve("training", "Memory of a fit (k = 16)", "ratings", "MB", memory),
        features(),
        factors(first(every, min(1_000_000, largest))),
        curve("threads", "Epoch (1 million ratings)", "threads", "seconds an epoch", on_threads(every, largest)),
    ]


def first(ratings: Ratings, n: int) -> Any:
    some = ratings._replace(users=ratings.users[:n], items=ratings.items[:n], ratings=ratings.ratings[:n])
    return some.training_set(some.ratings)


def features() -> Curve:
    """Users to items as 4 to 1; the rows stay as many."""
    times: Series = {}
    for n in (1_000, 10_000, 100_000, 1_000_000):
        drawn = like_ml10m(2_000_000, n_users=n * 4 // 5, n_items=n // 5)
        given = drawn.training_set(drawn.ratings)
        for threads in THREADS:
            times.setdefault(named(threads), []).append((n, epoch(given, 16, threads)))
    return curve("training", "Features (2 million ratings, k = 16)", "users and items", "seconds an epoch", times)


def factors(given: Any) -> Curve:
    times: Series = {}
    for k in (4, 8, 16, 32, 64, 128, 256):
        for solver in ("sgd", "adagrad"):
            for threads in THREADS:
                times.setdefault(f"{solver}, {named(threads)}", []).append((k, epoch(given, k, threads, solver)))
    return curve("training", "Factors (1 million ratings)", "k (factors)", "seconds an epoch", times)


def on_threads(every: Ratings, largest: int) -> Series:
    given = first(every, min(1_000_000, largest))
    return {f"k = {k}": [(n, epoch(given, k, n)) for n in range(1, ALL + 1)] for k in (16, 64)}


# --- search


def normal(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d), np.float32)


def search(largest: int) -> list[Curve]:
    times: Series = {}
    build: Series = {}
    memory: Series = {"items' vectors": [], "index": [], "index, peak while built": []}
    d = 33
    for n_items in (n for n in (1_000, 10_000, 100_000, 1_000_000, 10_000_000) if n <= largest):
        vectors, queries = normal(n_items, d, 1), normal(256, d, 0)
        start = time.perf_counter()
        index, kept, peak = taken(lambda: ItemIndex(vectors, n_jobs=ALL))  # noqa: B023
        build.setdefault(named(ALL), []).append((n_items, time.perf_counter() - start))
        if n_items >= 100_000:  # less is lost among what the process holds anyway
            for name, size in zip(memory, (vectors.nbytes, kept, peak), strict=True):
                memory[name].append((n_items, size / MB))
        for threads in THREADS:
            point = n_items, seconds(lambda: index.search(queries, 100, n_jobs=threads))  # noqa: B023
            times.setdefault(named(threads), []).append(point)
    # Rows of 65 from here on: 64 factors and an offset as a peer would need it.
    vectors = normal(100_000, 65, 1)
    index = ItemIndex(vectors, n_jobs=ALL)
    queries = normal(4096, 65, 0)

    def against(values: tuple[int, ...], run: Callable[[int, int], object]) -> Series:
        return {named(t): [(x, seconds(lambda: run(x, t))) for x in values] for t in THREADS}  # noqa: B023

    by_queries = against((1, 4, 16, 64, 256, 1024, 4096), lambda q, t: index.search(queries[:q], 100, n_jobs=t))
    by_n = against((1, 10, 100, 1000), lambda n, t: index.search(queries[:1024], n, n_jobs=t))
    shapes = {width: (ItemIndex(normal(100_000, width, 1)), normal(1024, width, 0)) for width in WIDTHS}
    by_d = against(WIDTHS, lambda width, t: shapes[width][0].search(shapes[width][1], 100, n_jobs=t))
    both = {
        f"n = {n}": [(t, seconds(lambda: index.search(queries[:1024], n, n_jobs=t))) for t in range(1, ALL + 1)]  # noqa: B023
        for n in (10, 100)
    }
    fixed = "100,000 items, d = 65"
    return [
        curve("search", f"Items (256 queries, d = {d}, n = 100)", "items", "seconds", times),
        curve("search", f"Queries ({fixed}, n = 100)", "queries", "seconds", by_queries),
        curve("search", "Width (1,024 queries, 100,000 items, n = 100)", "d (factors)", "seconds", by_d),
        curve("search", f"Lists (1,024 queries, {fixed})", "n (length of a list)", "seconds", by_n),
        curve("search", f"Building the index (d = {d})", "items", "seconds", build),
        curve("search", f"Memory (d = {d})", "items", "MB", memory),
        curve("threads", f"Search (1,024 queries, {fixed})", "threads", "seconds", both),
    ]


WIDTHS = (8, 16, 32, 64, 65, 128, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=10_000_000, help="no more ratings and items than these")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    curves = training(arguments.largest) + search(arguments.largest)
    if arguments.out:
        document = {
            "command": "python benchmarks/growth.py",
            "machine": machine.describe() | {"threads": " and ".join(map(str, THREADS))},
            "curves": curves,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
