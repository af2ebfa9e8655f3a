"""Peak memory of a search that must never hold queries x items.

Usage: python benchmarks/memory_search.py [--out build/bench/memory.json] [--items N] [--queries N]

Two child processes load the same inputs and build the same index; one of them also searches. The peak of
the one over what the other holds, less the result itself, is what the search took.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import machine
from factorec.search import ItemIndex

N_FACTORS, N = 65, 100
BAR_MB = 64


def child(n_queries: int, n_items: int, search: bool) -> None:
    """Print resident bytes, now and at the peak, and the size of the result."""
    random = np.random.default_rng(0)
    queries = random.standard_normal((n_queries, N_FACTORS), dtype=np.float32)
    index = ItemIndex(random.standard_normal((n_items, N_FACTORS), dtype=np.float32))
    result_bytes = 0
    # Imports, code pages and thread stacks are the same in both: a search of one query loads them.
    index.search(queries[:1], n=N, n_jobs=machine.threads())
    # The peak starts anew: building the index may have stood higher than it does now.
    Path("/proc/self/clear_refs").write_text("5")
    if search:
        result = index.search(queries, n=N, n_jobs=machine.threads())
        result_bytes = result.ids.nbytes + result.scores.nbytes + result.counts.nbytes
    print(json.dumps({"now": _status("VmRSS"), "peak": _status("VmHWM"), "result": result_bytes}))


def _status(field: str) -> int:
    # Not getrusage: its maximum is inherited from the parent across exec.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"this system does not tell {field}")


def measure(n_queries: int, n_items: int, search: bool) -> dict[str, int]:
    command = [sys.executable, __file__, "--items", str(n_items), "--queries", str(n_queries)]
    command += ["--child", "search" if search else "load"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", choices=("load", "search"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.queries, arguments.items, arguments.child == "search")
        return

    loaded = measure(arguments.queries, arguments.items, search=False)
    searched = measure(arguments.queries, arguments.items, search=True)
    taken = searched["peak"] - loaded["now"] - searched["result"]
    shape = f"{arguments.queries:,} x {arguments.items:,}, d = {N_FACTORS}, n = {N}"
    print(f"inputs and index {loaded['now'] / 1e6:.0f} MB, peak with search {searched['peak'] / 1e6:.0f} MB,")
    print(f"of which result {searched['result'] / 1e6:.0f} MB; beyond: {taken / 1e6:.1f} MB (bar: {BAR_MB})")
    if arguments.out:
        figure = {
            "case": f"search {shape}: MB beyond inputs and result",
            "value": taken / 1e6,
            "bar": BAR_MB,
            "better": "lower",
        }
        document = {
            "command": "python benchmarks/memory_search.py",
            "machine": machine.describe(),
            "figures": [figure],
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
