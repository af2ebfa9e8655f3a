"""What each side feature of MovieLens 100K adds to ids alone, with the defaults: one field at a time, then together.

Usage: python benchmarks/fields.py [--out build/bench/fields.json] [--seeds 5]

Log loss and NDCG@10 are of ua.test, RMSE is the mean of u1 … u5, AUC that of films that were never trained (defaults.py
measures the same). A test row is never fitted or tuned on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import machine
from defaults import FOLDS
from factorec.encoding import MultiLabel, Numeric
from factorec.fm import FMClassifier, FMRegressor
from quality import (
    FIELDS,
    ITEM_FIELDS,
    N_FACTORS,
    NEGATIVES,
    USER_FIELDS,
    cold_films,
    fitted,
    ndcg,
    point_metrics,
    split,
)

ABOUT = "What side features of MovieLens 100K add to ids, with the defaults (`python benchmarks/fields.py`)"
HEADER = ("fields beside the ids", "log loss", "RMSE", "NDCG@10", "AUC, new films")
USERS, ITEMS = FIELDS["user"], FIELDS["item"]
CASES: dict[str, dict[str, list[Any]] | None] = {
    "none": None,
    **{f"user: {name}": {"user": [field]} for name, field in USER_FIELDS.items()},
    **{f"film: {name}": {"item": [field]} for name, field in ITEM_FIELDS.items()},
    "user: all three": {"user": USERS},
    "film: both": {"item": ITEMS},
    "all five": FIELDS,
    "all five, age and year standardised": {
        "user": [Numeric("age", bins=None), *USERS[1:]],
        "item": [ITEMS[0], Numeric("year", bins=None)],
    },
    "all five, genres of weight 1/sqrt(n)": {
        "user": USERS,
        "item": [MultiLabel("genres", weight="1/sqrt(n)"), ITEMS[1]],
    },
    "all five, genres of weight 1/n": {"user": USERS, "item": [MultiLabel("genres", weight="1/n"), ITEMS[1]]},
}


def measure(fields: Any, seeds: range, jobs: int) -> tuple[float, float, float, float]:
    """The four figures, means over seeds or folds."""

    def classifier(data: Any, train: Any, seed: int, negatives: int = 0) -> Any:
        model = FMClassifier(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
        return fitted(model, data, train, negatives=negatives, fields=fields)

    ua = split("ua")
    losses = [point_metrics(classifier(ua, ua.train, seed), ua.test)["log_loss"] for seed in seeds]
    gains = [ndcg(classifier(ua, ua.train, seed, NEGATIVES), ua.test) for seed in seeds]
    errors = []
    for data in map(split, FOLDS):
        rec = fitted(FMRegressor(n_factors=N_FACTORS, random_state=0, n_jobs=jobs), data, data.train, fields=fields)
        errors.append(point_metrics(rec, data.test)["rmse"])
    ranked = []
    for seed in seeds:
        data, train, test = cold_films(seed)
        ranked.append(point_metrics(classifier(data, train, seed), test)["auc"])
    return float(np.mean(losses)), float(np.mean(errors)), float(np.mean(gains)), float(np.mean(ranked))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seeds, jobs = range(arguments.seeds), machine.threads()
    rows = []
    for case, fields in CASES.items():
        rows.append((case, *(f"{value:.4f}" for value in measure(fields, seeds, jobs))))
        print(f"{rows[-1][0]:40}", *rows[-1][1:], flush=True)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "command": "python benchmarks/fields.py",
            "machine": machine.describe(),
            "table": {"about": ABOUT, "header": HEADER, "rows": rows},
        }
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
