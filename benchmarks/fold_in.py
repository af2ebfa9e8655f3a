"""What folding in gives away against training again, on MovieLens 100K.

A fifth of the users (or items) is held out entirely. A model trained on the rest folds them in from a random half of
their rows; another is trained on the rest and that half. Both predict the other half. Seeds draw the ids, the halves
and the models.

Usage: python benchmarks/fold_in.py [--out build/bench/fold_in.json] [--seeds 5]
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import factorec as fr
import machine
from accuracy import figure

N_FACTORS = 64
SHARE = 0.2


def hold_out(table: dict[str, np.ndarray], column: str, seed: int):
    """Rows of other ids, and two halves of the rows of a fifth of the ids."""
    rng = np.random.default_rng(seed)
    ids, code = np.unique(table[column], return_inverse=True)
    late = np.zeros(len(ids), bool)
    late[rng.permutation(len(ids))[: round(SHARE * len(ids))]] = True
    shuffled = rng.permutation(len(code))
    by_id = shuffled[np.argsort(code[shuffled], kind="stable")]
    counts = np.bincount(code)
    place = np.arange(len(code)) - np.repeat(np.cumsum(counts) - counts, counts)
    first_half = np.empty(len(code), bool)
    first_half[by_id] = place < np.ceil(counts / 2)[code[by_id]]
    is_late = late[code]
    return [
        {name: values[rows] for name, values in table.items()}
        for rows in (~is_late, is_late & first_half, is_late & ~first_half)
    ]


def losses(side: str, kind: str, seed: int, jobs: int) -> dict[str, float]:
    """Log loss, or RMSE, on the other half: trained again, folded in, and without the held-out ids' rows."""
    data = fr.datasets.load_movielens("100k")
    table = {name: np.asarray(data.train[name]) for name in ("user_id", "item_id", "rating")}
    rest, given, asked = hold_out(table, f"{side}_id", seed)
    estimator = fr.FMClassifier if kind == "likes" else fr.FMRegressor
    rec = fr.Recommender(estimator(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs), like_threshold=4)
    again = fr.Recommender(rec.estimator, like_threshold=4)
    again.fit({name: np.concatenate([rest[name], given[name]]) for name in rest})
    rec.fit(rest)
    metric = "log_loss" if kind == "likes" else "rmse"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the few ids that no model knows
        return {
            "unknown": _loss(rec, asked, metric),
            "folded": _loss((rec.fold_in_users if side == "user" else rec.fold_in_items)(given), asked, metric),
            "again": _loss(again, asked, metric),
        }


def _loss(rec: fr.Recommender, table: dict[str, np.ndarray], metric: str) -> float:
    if metric == "log_loss":
        scores = rec.decision_function(table)
        return float(fr.metrics.classification_metrics(table["rating"] >= rec.like_threshold, scores)["log_loss"])
    return float(np.sqrt(np.mean((table["rating"] - rec.predict(table)) ** 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench/fold_in.json"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    figures: list[dict[str, Any]] = []
    for side in ("user", "item"):
        for kind, name in (("likes", "log loss"), ("ratings", "RMSE")):
            found = [losses(side, kind, seed, machine.threads()) for seed in range(arguments.seeds)]
            case = f"{SHARE:.0%} of {side}s folded in from half of their rows, {arguments.seeds} seeds: {name} above"
            case += " a full retrain"
            figures.append(figure(case, [one["folded"] - one["again"] for one in found], 0.010, "lower"))
            means = {way: np.mean([one[way] for one in found]) for way in found[0]}
            print("  " + ", ".join(f"{way} {value:.4f}" for way, value in means.items()), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine.describe(), "figures": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
