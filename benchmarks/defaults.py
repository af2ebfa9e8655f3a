"""Quality of the defaults on MovieLens 100K; the test rows are never fitted, tuned or stopped on.

Usage: python benchmarks/defaults.py [--out build/bench/defaults.json] [--seeds 5]

Each figure with side features (users' age, gender and occupation, films' genres and year) stands beside that of ids
alone, seed by seed and fold by fold.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import machine
from factorec.fm import FMClassifier, FMRegressor
from quality import (
    FIELDS,
    N_FACTORS,
    NEGATIVES,
    auc_within_users,
    cold_films,
    fidelity,
    fitted,
    ndcg,
    point_metrics,
    split,
)

FIDELITY_BAR = 0.85
WITH = {"ids only": None, "side features": FIELDS}
FOLDS = ("u1", "u2", "u3", "u4", "u5")

Figures = list[dict[str, Any]]


def figure(case: str, values: list[float], bar: float | None, better: str, *, worst: bool = False) -> dict[str, Any]:
    """A mean with its range, or with `worst` the value that is furthest from what is wanted."""
    lowest, highest = float(np.min(values)), float(np.max(values))
    value = float(np.mean(values)) if not worst else lowest if better == "higher" else highest
    spread = f"{lowest:.4f} … {highest:.4f}"
    said = "" if bar is None else f"  bar {bar:g}: {'met' if (value >= bar) == (better == 'higher') else 'MISSED'}"
    print(f"{case:75} {value:.4f}  ({spread}){said}", flush=True)
    return {"case": case, "value": value, "spread": spread, "bar": bar, "better": better}


def against_ids(case: str, measured: dict[str, list[float]], better: str, bar: float, *, worst: bool) -> dict[str, Any]:
    """What side features change, run by run: the worst run (`worst`) or the mean."""
    change = np.subtract(measured["side features"], measured["ids only"]).tolist()
    name = f"{case}, side features minus ids only, {'worst run' if worst else 'mean'}"
    return figure(name, change, bar, better, worst=worst)


def likes(seeds: range, jobs: int) -> Figures:
    data = split("ua")
    figures: Figures = []
    losses: dict[str, list[float]] = {}
    for kind, fields in WITH.items():
        measured: dict[str, list[float]] = {"accuracy": [], "log_loss": [], "auc": [], "fidelity": []}
        for seed in seeds:
            model = FMClassifier(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
            rec = fitted(model, data, data.train, fields=fields)
            found = point_metrics(rec, data.test) | {"fidelity": fidelity(rec)}
            for name, values in measured.items():
                values.append(found[name])
        losses[kind] = measured["log_loss"]
        name = f"ua, {kind}, FMClassifier(n_factors={N_FACTORS}), {len(seeds)} seeds: "
        loss_bar = 0.558 if fields is None else 0.556
        figures += [
            figure(name + "accuracy", measured["accuracy"], 0.711 if fields is None else None, "higher"),
            figure(name + "log loss", measured["log_loss"], loss_bar, "lower"),
            figure(name + "AUC", measured["auc"], 0.772 if fields is None else None, "higher"),
            figure(f"fidelity of explanations, {kind}, FMClassifier", measured["fidelity"], FIDELITY_BAR, "higher"),
        ]
    return [*figures, against_ids("ua: log loss", losses, "lower", 0, worst=True)]


def ratings(jobs: int) -> Figures:
    figures: Figures = []
    losses: dict[str, list[float]] = {}
    for kind, fields in WITH.items():
        errors, overlaps = [], []
        for name in FOLDS:
            data = split(name)
            rec = fitted(FMRegressor(n_factors=N_FACTORS, random_state=0, n_jobs=jobs), data, data.train, fields=fields)
            errors.append(point_metrics(rec, data.test)["rmse"])
            overlaps.append(fidelity(rec))
        losses[kind] = errors
        name = f"u1 … u5, {kind}, FMRegressor(n_factors={N_FACTORS}): mean RMSE"
        figures += [
            figure(name, errors, 0.910 if fields is None else 0.905, "lower"),
            figure(f"fidelity of explanations, {kind}, FMRegressor", overlaps, FIDELITY_BAR, "higher"),
        ]
    return [*figures, against_ids("u1 … u5: RMSE", losses, "lower", 0, worst=True)]


def lists(seeds: range, jobs: int) -> Figures:
    data = split("ua")
    figures: Figures = []
    gains: dict[str, list[float]] = {}
    for kind, fields in WITH.items():
        gains[kind], overlaps = [], []
        for seed in seeds:
            model = FMClassifier(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
            rec = fitted(model, data, data.train, negatives=NEGATIVES, fields=fields)
            gains[kind].append(ndcg(rec, data.test))
            overlaps.append(fidelity(rec))
        name = f"ua, unseen films, {kind}, negatives={NEGATIVES}, {len(seeds)} seeds: NDCG@10"
        case = f"fidelity of explanations, {kind}, negatives={NEGATIVES}"
        figures += [
            figure(name, gains[kind], 0.29 if fields is None else None, "higher"),
            figure(case, overlaps, FIDELITY_BAR, "higher"),
        ]
    return [*figures, against_ids("ua, unseen films: NDCG@10", gains, "higher", -0.005, worst=False)]


def never_trained(seeds: range, jobs: int) -> Figures:
    """Likes among the ratings of films that were held out entirely, 20 % of all films, drawn by the seed."""
    figures: Figures = []
    for kind, fields in WITH.items():
        together, within = [], []
        for seed in seeds:
            data, train, test = cold_films(seed)
            model = FMClassifier(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
            rec = fitted(model, data, train, fields=fields)
            together.append(point_metrics(rec, test)["auc"])
            within.append(auc_within_users(rec, test))
        name = f"films never trained (20 %), {kind}, {len(seeds)} draws: "
        bar = None if fields is None else 0.60
        figures += [
            figure(name + "AUC of all pairs", together, bar, "higher"),
            figure(name + "mean AUC within users", within, None, "higher"),
        ]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seeds, jobs = range(arguments.seeds), machine.threads()
    figures = likes(seeds, jobs) + ratings(jobs) + lists(seeds, jobs) + never_trained(seeds, jobs)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "command": "python benchmarks/defaults.py",
            "machine": machine.describe(),
            "figures": figures,
        }
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
