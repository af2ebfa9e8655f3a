"""What the machine allows at best: the roofline that a measured epoch stands beside.

Usage: python benchmarks/roofline.py [--threads 2]

The rates are those of numpy on this machine, in the same run: arithmetic by a float32 matrix product, bandwidth by
scaling an array in place (read and written, as rows of the table are). benchmarks/README.md states the model.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

import machine

MEMORY = 1 << 28  # bytes a thread, beyond any cache
ROW_BYTES = 12  # two positions and a target
SECONDS = 0.1


@cache
def flops_rate(threads: int) -> float:
    """Floating point operations a second of a matrix product."""
    a = np.random.default_rng(0).standard_normal((1024, 1024), np.float32)
    out = np.empty_like(a)
    with threadpool_limits(threads):
        return 2 * len(a) ** 3 / _best(lambda: np.matmul(a, a, out=out))


@cache
def bandwidth(working_set: int, threads: int) -> float:
    """Bytes a second, read and written, of threads that each go through an array of their own again and again."""
    arrays = [np.ones(max(working_set, 1 << 17) // 4, np.float32) for _ in range(threads)]
    times = max(1, (1 << 21) // arrays[0].nbytes)  # so that the calls themselves cost little

    def scale(array: np.ndarray) -> float:
        def run() -> None:
            for _ in range(times):
                np.multiply(array, np.float32(1.0), out=array)

        return 2 * array.nbytes * times / _best(run)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(scale, arrays))


def _best(run) -> float:
    best, end = np.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def epoch(n_rows: int, n_features: int, k: int, solver: str, threads: int, per_row: float = 2) -> dict[str, object]:
    """The least seconds of an epoch, and what they are limited by.

    `per_row` features a row, each k factors, a linear weight and, with AdaGrad, two accumulators.
    """
    adagrad = solver == "adagrad"
    row_bytes = 4 * (k + 1 + 2 * adagrad)
    score = 2 * k if per_row == 2 else 3 * per_row * k  # two features: their inner product alone
    update = 7 if adagrad else 3  # a v + b s, and for AdaGrad the square of the gradient and a step apart from it
    flops = n_rows * (score + per_row * (k + 1) * update)
    blocks = 8 if n_rows < 1 << 20 else 16  # a side of the grid: a thread works on one block at a time
    seconds = {
        "arithmetic": flops / flops_rate(threads),
        "cache": n_rows * per_row * row_bytes * 2 / bandwidth(_power_of_two(n_features * row_bytes // blocks), threads),
        "memory": n_rows * ROW_BYTES / bandwidth(MEMORY, threads),
    }
    limit = max(seconds, key=lambda name: seconds[name])
    return {"seconds": seconds[limit], "limit": limit}


def _power_of_two(size: int) -> int:
    """Rounded up, so that cases of about the same size share a measurement."""
    return 1 << (size - 1).bit_length()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=machine.threads())
    threads = parser.parse_args().threads
    print(f"arithmetic ({threads} threads): {flops_rate(threads) / 1e9:.0f} GF/s")
    for size in (1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 24, MEMORY):
        print(f"in place, {size >> 10:,} KB a thread: {bandwidth(size, threads) / 1e9:.0f} GB/s")


if __name__ == "__main__":
    main()
