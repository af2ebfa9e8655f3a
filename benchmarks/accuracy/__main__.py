"""Accuracy beside other libraries on MovieLens 100K: ratings, likes and lists, by the same code on the same splits.

Usage: python benchmarks/accuracy [--tune] [--only ratings likes lists] [--seeds 2] [--out build/bench/accuracy.json]

``--tune`` chooses the peers' settings, on validation parts of the training rows alone, and writes them to
settings.json beside this file; without it they are read from there. The test rows are for the tables only. Times are
those of learning and answering, on one thread. A library that is not installed is left out, and named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"  # before numpy is loaded
os.environ["FACTOREC_BENCH_THREADS"] = "1"
HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

import numpy as np  # noqa: E402
from contenders import CONTENDERS, Contender  # noqa: E402
from measures import FIRST, measure  # noqa: E402
from splits import Split, published, validation  # noqa: E402

import machine  # noqa: E402

SETTINGS = HERE / "settings.json"
TEST = {"ratings": ("u1", "u2", "u3", "u4", "u5"), "likes": ("ua",), "lists": ("ua",)}
TITLES = {"ratings": "u1 … u5, ratings", "likes": "ua, likes (rating ≥ 4)", "lists": "ua, lists of unseen films"}
VALIDATION = {"ratings": ("u1", "u2", "u4"), "likes": ("ua",), "lists": ("ua",)}


def answered(contender: Contender, split: Split, seed: int, settings: dict[str, Any]) -> tuple[dict[str, float], float]:
    """Metrics and seconds of one run; peers' progress bars and warnings are not shown."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        answer = contender.fit(split, seed, **settings)
        seconds = time.perf_counter() - start
    return measure(contender.task, split, answer), seconds


def tune(contender: Contender) -> dict[str, Any]:
    """The settings that are best on the validation parts, with what they reached there."""
    metric, more = FIRST[contender.task]
    best: dict[str, Any] = {}
    for settings in contender.settings():
        values = [answered(contender, validation(name), 0, settings)[0][metric] for name in VALIDATION[contender.task]]
        value = float(np.mean(values))
        print(f"  {contender.name} {settings}: {metric} {value:.4f}", flush=True)
        if not best or (value > best["validation"]) == more:
            best = {"settings": settings, "validation": value}
    return best


def compare(contender: Contender, chosen: dict[str, Any], n_seeds: int) -> dict[str, Any]:
    """Means over seeds and splits."""
    runs: list[dict[str, Any]] = []
    for seed in range(n_seeds if contender.draws else 1):
        for name in TEST[contender.task]:
            metrics, seconds = answered(contender, published(name), seed, chosen.get("settings", {}))
            runs.append({"split": name, "seed": seed, "seconds": seconds, **metrics})
    means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0] if key not in ("split", "seed")}
    first = FIRST[contender.task][0]
    spread = [min(run[first] for run in runs), max(run[first] for run in runs)]
    print(f"{contender.task:8} {contender.name:60} {first} {means[first]:.4f}  {means['seconds']:.2f} s", flush=True)
    return {
        "name": contender.name,
        "ours": contender.ours,
        "settings": chosen,
        "means": means,
        "spread": spread,
        "runs": runs,
    }


def barred(contender: Contender, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of ours that have a bar."""
    metric, more = FIRST[contender.task]
    figures = []
    for where, bar in contender.bars.items():
        values = [run[metric] for run in found["runs"] if where in ("mean", run["split"])]
        splits = ", ".join(TEST[contender.task]) if where == "mean" else where
        figures.append(
            {
                "case": f"{splits}: {metric}, {contender.name}",
                "value": float(np.mean(values)),
                "spread": f"{min(values):.4f} … {max(values):.4f}",
                "bar": bar,
                "better": "higher" if more else "lower",
            }
        )
    if contender.seconds is not None:
        seconds = [run["seconds"] for run in found["runs"]]
        figures.append(
            {
                "case": f"seconds to learn and predict, {contender.name}",
                "value": float(np.mean(seconds)),
                "spread": f"{min(seconds):.2f} … {max(seconds):.2f}",
                "bar": contender.seconds,
                "better": "lower",
            }
        )
    return figures


def tabled(task: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """All contenders, the best first."""
    metric, more = FIRST[task]
    ranked = sorted(found, key=lambda one: one["means"][metric], reverse=more)
    metrics = [name for name in ranked[0]["means"] if name != "seconds"]
    rows = []
    for one in ranked:
        chosen = ", ".join(f"{name}={value}" for name, value in one["settings"].get("settings", {}).items())
        low, high = one["spread"]
        rows.append(
            [f"{one['name']}{f' ({chosen})' if chosen else ''}"]
            + [f"{one['means'][name]:.4f}" for name in metrics]
            + [f"{low:.4f} … {high:.4f}", f"{one['means']['seconds']:.2f} s"]
        )
    return {"header": [TITLES[task], *metrics, f"range of {metric}", "time"], "rows": rows}


def scattered(task: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Quality against time, for a picture."""
    metric, _ = FIRST[task]
    points = [
        {"name": one["name"], "seconds": one["means"]["seconds"], "value": one["means"][metric], "ours": one["ours"]}
        for one in found
    ]
    return {"title": TITLES[task], "y": metric, "points": points}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tune", action="store_true", help="choose the peers' settings anew, by validation")
    parser.add_argument("--only", nargs="+", choices=list(TEST), default=list(TEST))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    taking_part = [contender for contender in CONTENDERS if contender.task in arguments.only]
    chosen = json.loads(SETTINGS.read_text()) if SETTINGS.exists() else {}
    absent: list[str] = []
    figures: list[dict[str, Any]] = []
    if arguments.tune:
        for contender in taking_part:
            if contender.grid:
                with contextlib.suppress(ImportError):
                    chosen.setdefault(contender.task, {})[contender.name] = tune(contender)
        SETTINGS.write_text(json.dumps(chosen, indent=1) + "\n")
        return
    results: dict[str, list[dict[str, Any]]] = {task: [] for task in arguments.only}
    for contender in taking_part:
        try:
            found = compare(contender, chosen.get(contender.task, {}).get(contender.name, {}), arguments.seeds)
        except ImportError as error:
            absent.append(f"{contender.name} ({error})")
            continue
        results[contender.task].append(found)
        figures += barred(contender, found)
    if absent:
        print("not installed:", "; ".join(absent))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "command": "python benchmarks/accuracy",
            "machine": machine.describe(),
            "figures": figures,
            "tables": [tabled(task, found) for task, found in results.items()],
            "scatter": [scattered(task, found) for task, found in results.items()],
            "runs": results,
        }
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
