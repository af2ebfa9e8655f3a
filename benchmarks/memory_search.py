"""What an index holds, and the peak memory of a search that must never hold queries x items.

Usage: python benchmarks/memory_search.py [--out build/bench/memory.json] [--items N] [--queries N] [--indexed N]

The index: resident bytes that building it adds in a process of its own, beside the bytes of the float32 matrix.
The search: two child processes load the same inputs and build the same index; one of them also searches. The peak of
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
BAR_INDEX = 1.35


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


def build(n_items: int) -> None:
    """Print what building an index adds to the resident bytes, now and at the peak, and the size of the matrix."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((n_items, N_FACTORS), dtype=np.float32)
    ItemIndex(vectors[:10_000], n_jobs=machine.threads())  # code pages and thread stacks
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    index = ItemIndex(vectors, n_jobs=machine.threads())
    held, peak = _status("VmRSS") - before, _status("VmHWM") - before
    print(json.dumps({"held": held, "peak": peak, "matrix": vectors.nbytes, "items": index.n_items}))


def _status(field: str) -> int:
    # Not getrusage: its maximum is inherited from the parent across exec.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"this system does not tell {field}")


def measure(n_queries: int, n_items: int, what: str) -> dict[str, int]:
    command = [sys.executable, __file__, "--items", str(n_items), "--queries", str(n_queries), "--child", what]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--indexed", type=int, default=1_000_000, help="items of the index that is measured")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", choices=("build", "load", "search"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child == "build":
        build(arguments.items)
        return
    if arguments.child:
        child(arguments.queries, arguments.items, arguments.child == "search")
        return

    loaded = measure(arguments.queries, arguments.items, "load")
    searched = measure(arguments.queries, arguments.items, "search")
    taken = searched["peak"] - loaded["now"] - searched["result"]
    shape = f"{arguments.queries:,} x {arguments.items:,}, d = {N_FACTORS}, n = {N}"
    print(f"inputs and index {loaded['now'] / 1e6:.0f} MB, peak with search {searched['peak'] / 1e6:.0f} MB,")
    print(f"of which result {searched['result'] / 1e6:.0f} MB; beyond: {taken / 1e6:.1f} MB (bar: {BAR_MB})")
    built = measure(0, arguments.indexed, "build")
    held, peak = (built[what] / built["matrix"] for what in ("held", "peak"))
    print(f"index over {arguments.indexed:,} items: {built['held'] / 1e6:.0f} MB, {held:.2f} x the matrix ", end="")
    print(f"(bar: {BAR_INDEX}), at the peak of building {peak:.2f} x")
    if arguments.out:
        index = f"index, {arguments.indexed:,} items, d = {N_FACTORS}"
        figures = [
            {
                "case": f"search {shape}: MB beyond inputs and result",
                "value": taken / 1e6,
                "bar": BAR_MB,
                "better": "lower",
            },
            {"case": f"{index}: bytes / the matrix's", "value": held, "bar": BAR_INDEX, "better": "lower"},
            {"case": f"{index}: bytes at the peak of building / the matrix's", "value": peak},
        ]
        document = {
            "command": "python benchmarks/memory_search.py",
            "machine": machine.describe(),
            "figures": figures,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
