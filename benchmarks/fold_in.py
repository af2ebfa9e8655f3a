"""What folding in gives away against training again, on MovieLens 100K.

A fifth of the users (or items) is held out entirely. A model trained on the rest folds them in from a random half of
their rows; another is trained on the rest and that half. Both predict the other half, and rank it among all unseen
items. Seeds draw the ids, the halves and the models.

Usage: python benchmarks/fold_in.py [--out build/bench/fold_in.json] [--seeds 5]
"""

from __future__ import annotations

import argparse
import json
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import factorec as fr
import machine
from defaults import figure

N_FACTORS = 64
SHARE = 0.2
NEGATIVES = 8  # of the models that are judged by their lists


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


# What is measured of which estimator; NDCG@10 of the first by sampled negatives.
ESTIMATORS = {
    "log loss": partial(fr.FMClassifier, n_factors=N_FACTORS),
    "RMSE": partial(fr.FMRegressor, n_factors=N_FACTORS),
    "NDCG@10": partial(fr.FMClassifier, n_factors=N_FACTORS),
    "log loss, gibbs": partial(fr.FMClassifier, n_factors=10, solver="gibbs"),
    "RMSE, gibbs": partial(fr.FMRegressor, n_factors=10, solver="gibbs"),
    "RMSE, als": partial(fr.FMRegressor, n_factors=10, solver="als"),
    "RMSE, FMOrdinal": fr.FMOrdinal,
    "NDCG@10, ials": partial(fr.FMRanker, solver="ials"),
    "NDCG@10, softmax": fr.FMRanker,
}

BARS = {"NDCG@10, softmax": 0.03}  # folded in by a squared loss in place of its own


def measure(side: str, kind: str, seed: int, jobs: int) -> dict[str, float]:
    """Log loss, RMSE or NDCG@10 on the other half: without the held-out ids' rows, folded in, and trained again."""
    data = fr.datasets.load_movielens("100k")
    table = {name: np.asarray(data.train[name]) for name in ("user_id", "item_id", "rating")}
    rest, given, asked = hold_out(table, f"{side}_id", seed)
    negatives = NEGATIVES if kind == "NDCG@10" else 0
    rec, again = (
        fr.Recommender(ESTIMATORS[kind](random_state=seed, n_jobs=jobs), like_threshold=4, negatives=negatives)
        for _ in range(2)
    )
    rec.fit(rest)
    again.fit({name: np.concatenate([rest[name], given[name]]) for name in rest})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the few ids that no model knows
        unknown = _judged(rec, asked, kind)
        (rec.fold_in_users if side == "user" else rec.fold_in_items)(given)
        return {"unknown": unknown, "folded in": _judged(rec, asked, kind), "again": _judged(again, asked, kind)}


def _judged(rec: fr.Recommender, table: dict[str, np.ndarray], kind: str) -> float:
    judged = rec.evaluate(table, n=10)
    if kind.startswith("NDCG@10"):
        return judged.ranking.get("ndcg@10", float("nan"))  # none of the users known: no list
    return judged.points["log_loss" if kind.startswith("log loss") else "rmse"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench/fold_in.json"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose names hold this")
    arguments = parser.parse_args()
    figures: list[dict[str, Any]] = []
    for side in ("user", "item"):
        for kind in ESTIMATORS:
            if arguments.only not in kind:
                continue
            found = [measure(side, kind, seed, machine.threads()) for seed in range(arguments.seeds)]
            sign = -1 if kind.startswith("NDCG@10") else 1
            given_away = [sign * (one["folded in"] - one["again"]) for one in found]
            case = f"{kind} given away against training again, {SHARE:.0%} of {side}s, {arguments.seeds} seeds"
            means = {way: float(np.mean([one[way] for one in found])) for way in found[0]}
            figures.append(figure(case, given_away, BARS.get(kind, 0.010), "lower") | {"means": means})
            print("    " + ", ".join(f"{way} {value:.4f}" for way, value in means.items()), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    command = "python benchmarks/fold_in.py"
    document = {"command": command, "machine": machine.describe(), "figures": figures}
    arguments.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
