"""How often the published item vectors rank wrongly on MovieLens 100K as soon as films have genres and a year.

Usage: python benchmarks/published_formula.py [--out build/bench/published_formula.json] [--seeds 5]

The published recipe appends w'x of an item to its vector; pairs of features inside the item, such as a film and its
genre, are left out (`FMParameters.item_offsets(..., self_interaction=False)`). The model's own scores, by
`decision_function`, have them. Compared are the two top 10 of each user's unseen films of ua.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import machine
from defaults import figure
from factorec import ItemIndex, Recommender
from factorec.fm import FMClassifier, FMRegressor
from quality import ITEM_FIELDS, N_FACTORS, NEGATIVES, fitted, ndcg_of_lists, split

N = 10
FILMS = {"item": list(ITEM_FIELDS.values())}


def published_top(rec: Recommender, n: int = N) -> np.ndarray:
    """Positions of the n best unseen films of every user by the published formula."""
    p, encoder, history = rec.estimator_.parameters_, rec.encoder_, rec.interactions_
    items = encoder.entities("item").rows
    index = ItemIndex(p.item_vectors(items), offsets=p.item_offsets(items, self_interaction=False))
    seen = history.seen(len(encoder.items_))
    queries = p.query_vectors(encoder.entities("user").rows)
    return index.search(queries, n, exclude=seen, items=encoder.is_trained("item")).ids


def measure(kind: str, fields: Any, seed: int, jobs: int) -> tuple[float, float, float, float]:
    """Share of users whose top 10 is another set, mean number of wrong films in it, and both NDCG@10."""
    data = split("ua")
    estimator = FMRegressor if kind == "ratings" else FMClassifier
    model = estimator(n_factors=N_FACTORS, random_state=seed, n_jobs=jobs)
    rec = fitted(model, data, data.train, negatives=NEGATIVES if kind == "lists" else 0, fields=fields)
    exact = rec.recommend(rec.encoder_.users_.ids, n=N).positions
    published = published_top(rec)
    wrong = np.array([N - len(np.intersect1d(a, b)) for a, b in zip(exact, published, strict=True)])
    gains = [ndcg_of_lists(rec, positions, data.test, N) for positions in (exact, published)]
    return float((wrong > 0).mean()), float(wrong.mean()), *gains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    jobs, figures = machine.threads(), []
    for name, fields in (("ids only", None), ("genres and year", FILMS)):
        for kind in ("likes", "ratings", "lists"):
            found = [measure(kind, fields, seed, jobs) for seed in range(arguments.seeds)]
            share, wrong, exact, published = zip(*found, strict=True)
            case = f"published formula, {name}, {kind}: "
            figures += [
                figure(case + "users whose top 10 is wrong", share, None, "lower"),
                figure(case + "wrong films of 10", wrong, None, "lower"),
            ]
            if kind == "lists":
                figures += [
                    figure(case + "NDCG@10 by the model's scores", exact, None, "higher"),
                    figure(case + "NDCG@10 by the published formula", published, None, "higher"),
                ]
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "command": "python benchmarks/published_formula.py",
            "machine": machine.describe(),
            "figures": figures,
        }
        arguments.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
