"""Quality of the defaults on MovieLens 100K; the test rows are never fitted, tuned or stopped on.

Usage: python benchmarks/accuracy.py [--out build/bench/accuracy.json] [--seeds 5]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import machine
from factorec import metrics
from factorec.fm import FMClassifier, FMRegressor
from quality import fidelity, movielens, ndcg, with_negatives

NEGATIVES = 8
N_FACTORS = 64
FIDELITY_BAR = 0.85


def figure(case: str, values: list[float], bar: float, better: str) -> dict[str, Any]:
    spread = f"{min(values):.4f} … {max(values):.4f}"
    mean = float(np.mean(values))
    met = mean >= bar if better == "higher" else mean <= bar
    print(f"{case:60} {mean:.4f}  ({spread})  bar {bar:g}: {'met' if met else 'MISSED'}", flush=True)
    return {"case": case, "value": mean, "spread": spread, "bar": bar, "better": better}


def likes(seeds: range, jobs: int) -> list[dict[str, Any]]:
    train, test = movielens("ua")
    y, X_test = test.like, test.rows()
    measured: dict[str, list[float]] = {"accuracy": [], "log loss": [], "AUC": [], "fidelity": []}
    for seed in seeds:
        model = FMClassifier(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
        model.fit(train.training_set(train.like))
        found = metrics.classification_metrics(y, model.decision_function(X_test))
        measured["accuracy"].append(found["accuracy"])
        measured["log loss"].append(found["log_loss"])
        measured["AUC"].append(found["auc"])
        measured["fidelity"].append(fidelity(model.parameters_, train, train.like, loss="logistic"))
    name = f"ua, ids only, FMClassifier(n_factors={N_FACTORS}), {len(seeds)} seeds: "
    return [
        figure(name + "accuracy", measured["accuracy"], 0.711, "higher"),
        figure(name + "log loss", measured["log loss"], 0.558, "lower"),
        figure(name + "AUC", measured["AUC"], 0.772, "higher"),
        figure("fidelity of explanations, FMClassifier", measured["fidelity"], FIDELITY_BAR, "higher"),
    ]


def ratings(jobs: int) -> list[dict[str, Any]]:
    errors, overlaps = [], []
    for split in ("u1", "u2", "u3", "u4", "u5"):
        train, test = movielens(split)
        model = FMRegressor(n_factors=N_FACTORS, random_state=0, n_jobs=jobs)
        model.fit(train.training_set(train.rating))
        errors.append(metrics.point.rmse(test.rating, model.predict(test.rows())))
        overlaps.append(fidelity(model.parameters_, train, train.rating, loss="squared"))
    name = f"u1 … u5, ids only, FMRegressor(n_factors={N_FACTORS}): mean RMSE"
    return [
        figure(name, errors, 0.910, "lower"),
        figure("fidelity of explanations, FMRegressor", overlaps, FIDELITY_BAR, "higher"),
    ]


def lists(seeds: range, jobs: int) -> list[dict[str, Any]]:
    train, test = movielens("ua")
    gains, overlaps = [], []
    for seed in seeds:
        model = FMClassifier(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
        model.fit(with_negatives(train, NEGATIVES))
        gains.append(ndcg(model.parameters_, train, test))
        overlaps.append(fidelity(model.parameters_, train, train.like, loss="logistic", negatives=NEGATIVES))
    name = f"ua, unseen films, negatives={NEGATIVES}, {len(seeds)} seeds: NDCG@10"
    return [
        figure(name, gains, 0.29, "higher"),
        figure(f"fidelity of explanations, negatives={NEGATIVES}", overlaps, FIDELITY_BAR, "higher"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seeds, jobs = range(arguments.seeds), machine.threads()
    figures = likes(seeds, jobs) + ratings(jobs) + lists(seeds, jobs)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "command": "python benchmarks/accuracy.py",
            "machine": machine.describe(),
            "figures": figures,
        }
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
