"""Search in a process: Ctrl-C, fork, threads, memory. Each in a process of its own, with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import brute_force
import numpy as np
import pytest

from factorec.search import ItemIndex

SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")

START = """
import json, os, sys, time
import numpy as np
from factorec.search import ItemIndex
rng = np.random.default_rng(0)
def floats(*shape):
    return rng.standard_normal(shape, dtype=np.float32)
"""

INTERRUPTED = """
n_queries, n_items, n_factors, n, n_jobs = map(int, sys.argv[1:])
index, queries = ItemIndex(floats(n_items, n_factors)), floats(n_queries, n_factors)
before = index.search(queries[:2], 5)
print("ready", flush=True)
try:
    while True:  # the promise is about the call under way, however long it takes
        index.search(queries, n, n_jobs=n_jobs)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
after = index.search(queries[:2], 5)
print(bool((before.ids == after.ids).all()), flush=True)
"""


def seconds_to_interrupt(*arguments):
    command = [sys.executable, "-c", START + INTERRUPTED, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.4)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    stopped, usable = out.split()
    assert usable == "True"
    return float(stopped) - sent


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.skipif(SANITIZED, reason="the sanitizer makes everything several times slower")
@pytest.mark.parametrize(
    ("n_queries", "n_items", "n_factors", "n", "n_jobs"),
    [
        (50_000, 100_000, 65, 100, 1),
        (50_000, 100_000, 65, 100, 2),
        (300, 1_000, 20_000, 10, 2),
        (1, 500_000, 30, 10, 2),
        (30, 500_000, 2, 500_000, 2),
    ],
    ids=["one thread", "two threads", "many factors", "one query", "long lists"],
)
def test_interrupt_ends_a_search_within_200_ms(n_queries, n_items, n_factors, n, n_jobs):
    """Promise 7. The best of three: the machine may be busy with something else."""
    for _ in range(3):
        seconds = seconds_to_interrupt(n_queries, n_items, n_factors, n, n_jobs)
        if seconds < 0.2:
            return
    pytest.fail(f"it took {seconds:.2f} s")


FORKED = """
index, queries = ItemIndex(floats(20_000, 32)), floats(500, 32)
before = index.search(queries, 10, n_jobs=2)
child = os.fork()
if child == 0:
    try:
        after = index.search(queries, 10, n_jobs=2)
        same = (before.ids == after.ids).all() and (before.scores == after.scores).all()
        os._exit(0 if same else 3)
    except BaseException:
        os._exit(4)
_, status = os.waitpid(child, 0)
index.search(queries, 10, n_jobs=2)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_fork_after_use():
    """Promise 7: a child of a process that has searched with threads can search too."""
    subprocess.run([sys.executable, "-c", START + FORKED], check=True, timeout=60)


def test_searches_of_one_index_in_several_threads():
    rng = np.random.default_rng(0)
    index, queries = ItemIndex(rng.standard_normal((5000, 16))), rng.standard_normal((200, 16))
    expected = index.search(queries, 20, n_jobs=1)
    results = []
    threads = [threading.Thread(target=lambda: results.append(index.search(queries, 20, n_jobs=2))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        brute_force.assert_same(expected, result)


MEMORY = """
n_queries, n_items = map(int, sys.argv[1:])
def peak():  # not getrusage: its maximum is inherited from the parent across exec
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
index, queries = ItemIndex(floats(n_items, 65)), floats(n_queries, 65)
index.search(queries[:1], 100, n_jobs=2)
loaded = peak()
result = index.search(queries, 100, n_jobs=2)
print(json.dumps([peak() - loaded, result.ids.nbytes + result.scores.nbytes + result.counts.nbytes]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps freed memory")
@pytest.mark.parametrize(
    ("n_queries", "n_items"), [(20_000, 20_000), pytest.param(100_000, 100_000, marks=pytest.mark.slow)]
)
def test_memory_is_bounded(n_queries, n_items):
    """Promise 5: O(threads x block) besides the result, never queries x items."""
    command = [sys.executable, "-c", START + MEMORY, str(n_queries), str(n_items)]
    out = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True).stdout
    grown, result = json.loads(out)
    assert grown - result < 64e6
