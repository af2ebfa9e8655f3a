"""Run with `python -m pytest benchmarks --benchmark-enable --benchmark-json=build/bench/speed.json`.

A benchmark is one contender in one case:

    def test_ours(contender):
        contender("top 100, ML-100K", "factorec", function, bars={"numpy": 4.0})

    def test_numpy(contender):
        contender("top 100, ML-100K", "numpy", other_function)

Ours are "factorec" and "factorec, <way>"; a case without either holds several ways of ours. `report.py` puts each of
ours beside the peers of its case and beside whatever it has a bar against: a contender of the same case, or of another
as "case: contender".
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import openblas

os.environ |= openblas.best_build()  # read as numpy and faiss are loaded, so before

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import machine


def pytest_configure(config):
    # Peers warn about their own affairs.
    config.addinivalue_line("filterwarnings", "default")


def pytest_benchmark_update_machine_info(config, machine_info):
    arguments = shlex.join(map(str, config.invocation_params.args))
    machine_info["factorec"] = machine.describe() | {"command": f"{machine.variables()} python -m pytest {arguments}"}


@pytest.fixture(scope="session")
def threads():
    return machine.threads()


@pytest.fixture(scope="session", autouse=True)
def _limit_threads(threads):
    # Only what is loaded already can be limited, so the peers come first; faiss has a limit of its own besides.
    for peer in ("faiss", "implicit.cpu.topk"):
        with contextlib.suppress(ImportError):
            importlib.import_module(peer)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(threads)
    with threadpool_limits(threads):
        yield


@pytest.fixture
def contender(benchmark):
    """Time one contender of a case; the median counts.

    `bars`: other -> how many times faster than it ours has to be (their time / ours >= bar);
    `at_most`: other -> how many times its time ours may take (ours / theirs <= bar); `limit`: seconds that ours may
    take. Instead of a function to time: `seconds`, what was measured already or a function that measures once and
    returns seconds (for the difference of two times); `latencies`, seconds of every single call or a function that
    returns them, of which percentiles are told, with `p99_at_most` times the median as a bar. `roofline`: {"seconds":
    what the machine could do it in, "limit": by what it is limited}; `note`: printed behind the name.
    """

    def run(
        case,
        name,
        function=None,
        *,
        seconds=None,
        latencies=None,
        bars=None,
        at_most=None,
        limit=None,
        p99_at_most=None,
        roofline=None,
        rounds=5,
        note=None,
    ):
        benchmark.group = case
        told = {"bars": bars or {}, "at_most": at_most or {}, "limit": limit, "note": note}
        benchmark.extra_info.update(contender=name, p99_at_most=p99_at_most, roofline=roofline, **told)
        if function is not None:
            return benchmark.pedantic(function, rounds=rounds, warmup_rounds=1)
        if latencies is not None:
            measured = np.asarray(latencies() if callable(latencies) else latencies)
            at = {f"p{percent}": float(np.percentile(measured, percent)) for percent in (50, 90, 99)}
            benchmark.extra_info["percentiles"] = at
        else:
            measured = np.atleast_1d([seconds() for _ in range(rounds)] if callable(seconds) else seconds)
        benchmark.extra_info["seconds"] = float(np.median(measured))
        result = benchmark.pedantic(lambda: None)
        if benchmark.enabled:
            benchmark.stats.stats.data = measured.tolist()  # pytest-benchmark's own table and JSON show these
        return result

    return run
