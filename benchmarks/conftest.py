"""Run with `python -m pytest benchmarks --benchmark-enable --benchmark-json=build/bench/speed.json`.

A benchmark is one contender in one case:

    def test_ours(contender):
        contender("top 100, ML-100K", "factorec", function, bars={"numpy": 4.0})

    def test_numpy(contender):
        contender("top 100, ML-100K", "numpy", other_function)

`report.py` puts the contenders of a case side by side and says which bars were met; a case without "factorec" holds
several ways of ours, each with a limit of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))

import machine


def pytest_configure(config):
    # Peers warn about their own affairs.
    config.addinivalue_line("filterwarnings", "default")


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["factorec"] = machine.describe()


@pytest.fixture(scope="session")
def threads():
    return machine.threads()


@pytest.fixture(scope="session", autouse=True)
def _limit_threads(threads):
    with threadpool_limits(threads):
        yield


@pytest.fixture
def contender(benchmark):
    """Time one contender of a case; the median counts.

    `bars`: contender -> how many times faster ours has to be; `limit`: seconds that ours may take;
    `seconds`: a function that measures by itself and returns seconds (for the difference of two times).
    """

    def run(case, name, function=None, *, seconds=None, bars=None, limit=None, rounds=5, note=None):
        benchmark.group = case
        benchmark.extra_info.update(contender=name, bars=bars or {}, limit=limit, note=note)
        if seconds is None:
            return benchmark.pedantic(function, rounds=rounds, warmup_rounds=1)
        measured = sorted(seconds() for _ in range(rounds))
        benchmark.extra_info["seconds"] = measured[len(measured) // 2]
        return benchmark.pedantic(lambda: None)

    return run
