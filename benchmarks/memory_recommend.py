"""Peak memory of lists for a million users, streamed to a file or a database.

Usage: python benchmarks/memory_recommend.py [--sink parquet|sqlite] [--users N] [--items N] [--out FIGURES.json]

One child process learns a model from random likes and saves it. Another loads it and writes the lists; what counts is
the most that this process ever held in memory (VmHWM): interpreter, libraries, model and history, which are
memory-mapped pages of the model file, index, batches and writer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import factorec as fr
import machine

N_FACTORS, N, PER_USER = 64, 100, 10
BAR_MB = 1000


def learn(n_users: int, n_items: int, model: Path) -> None:
    """Save a model of random likes: what it recommends is of no interest here."""
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), PER_USER)
    table = {"user_id": users, "item_id": random.integers(0, n_items, len(users))}
    estimator = fr.FMClassifier(n_factors=N_FACTORS, n_epochs=1, random_state=0, n_jobs=machine.threads())
    fr.Recommender(estimator, target=None, title=None, negatives=1).fit(table).save(model)


def write(model: Path, target: str) -> None:
    """Print the seconds that writing took and the most bytes that the process held."""
    began = time.perf_counter()
    fr.load(model).recommend(n=N, out=target)
    print(json.dumps({"seconds": time.perf_counter() - began, "peak": _peak()}))


def _peak() -> int:
    # Not getrusage: its maximum is inherited from the parent across exec.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell VmHWM")


def child(*arguments: object) -> str:
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--sink", choices=("parquet", "sqlite"), default="parquet")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--learn", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.learn:
        learn(arguments.users, arguments.items, arguments.learn)
        return
    if arguments.write:
        write(Path(arguments.write[0]), arguments.write[1])
        return

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.factorec")
        child("--users", arguments.users, "--items", arguments.items, "--learn", model)
        target = f"sqlite:///{folder}/lists.db" if arguments.sink == "sqlite" else f"{folder}/lists.parquet"
        found = json.loads(child("--write", model, target))
        sizes = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
    shape = f"{arguments.users:,} users x {N} of {arguments.items:,} items, d = {N_FACTORS}, to {arguments.sink}"
    rows = arguments.users * N
    print(f"{shape}: peak {found['peak'] / 1e6:.0f} MB (bar: {BAR_MB}),")
    print(f"{found['seconds']:.0f} s, {rows / found['seconds'] / 1e6:.2f} million rows/s; bytes: {sizes}")
    if arguments.out:
        figure = {"case": f"lists of {shape}: peak MB", "value": found["peak"] / 1e6, "bar": BAR_MB, "better": "lower"}
        command = f"python benchmarks/memory_recommend.py --sink {arguments.sink}"
        document = {"command": command, "machine": machine.describe(), "figures": [figure]}
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
