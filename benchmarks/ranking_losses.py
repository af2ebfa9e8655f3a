"""Which loss ranks best: FMRanker's beside FMClassifier's, with and without sampled negatives, and popularity.

Usage: python benchmarks/ranking_losses.py [--out build/bench/ranking_losses.json] [--seeds 3] [--jobs 1]

MovieLens 100K, ua, ids alone, 64 factors. Full ranking: every film of ua.base that the user has not rated in the
training rows competes; a film rated 4 or more is relevant. Each method's setting is chosen by NDCG@10 on ten ratings a
user held out of ua.base; the methods are compared there too. ua.test is printed beside and decides nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import machine
from factorec import metrics
from factorec.fm import FMClassifier, FMRanker, NegativeSampling, TrainingSet
from factorec.search import ItemIndex
from quality import LIKE, N_FACTORS, NEGATIVES, split

SOFT = 0.3  # grade of a rating below LIKE, where it counts as a positive
VALIDATION_ROWS = 10  # a user

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class Ratings:
    """Rows of a table by the positions of their users and films."""

    user: Any
    item: Any
    rating: Any
    shape: tuple[int, int]

    def take(self, rows: Any) -> Ratings:
        return Ratings(self.user[rows], self.item[rows], self.rating[rows], self.shape)

    def rated(self) -> Any:
        return sp.csr_array((np.ones(len(self.user), np.float32), (self.user, self.item)), self.shape)

    def relevant(self) -> Any:
        likes = self.take(self.rating >= LIKE)
        return sp.csr_matrix((np.ones(len(likes.user), np.float32), (likes.user, likes.item)), self.shape)

    def training_set(self, target: Floats, *, weight: Floats | None = None, negatives: int = 1) -> TrainingSet:
        """Rows of the given targets; none where the target is NaN. What was rated is never a negative."""
        rows = np.isfinite(target)
        return TrainingSet.from_ids(
            self.user[rows],
            self.item[rows],
            target[rows],
            n_users=self.shape[0],
            n_items=self.shape[1],
            weight=None if weight is None else weight[rows],
            negatives=NegativeSampling(negatives, self.rated()) if negatives else None,
        )


# What a method makes of the ratings.


def graded(ratings: Ratings) -> TrainingSet:
    return ratings.training_set(np.where(ratings.rating >= LIKE, 1.0, SOFT))


def likes_only(ratings: Ratings) -> TrainingSet:
    return ratings.training_set(np.where(ratings.rating >= LIKE, 1.0, 0.0))


def dislikes_left_out(ratings: Ratings) -> TrainingSet:
    return ratings.training_set(np.where(ratings.rating >= LIKE, 1.0, np.nan), negatives=NEGATIVES)


def dislikes_as_zeros(ratings: Ratings) -> TrainingSet:
    return ratings.training_set((ratings.rating >= LIKE).astype(float), negatives=NEGATIVES)


def dislikes_as_soft_ones(ratings: Ratings) -> TrainingSet:
    weight = np.where(ratings.rating >= LIKE, 1.0, SOFT)
    return ratings.training_set(np.ones(len(weight)), weight=weight, negatives=NEGATIVES)


def like_or_dislike(ratings: Ratings) -> TrainingSet:
    return ratings.training_set((ratings.rating >= LIKE).astype(float), negatives=0)


@dataclass
class Method:
    """An estimator, what it learns from, and the settings that validation chooses from: the defaults first."""

    name: str
    estimator: Callable[..., Any]
    data: Callable[[Ratings], TrainingSet]
    settings: list[dict[str, Any]]

    def lists(self, ratings: Ratings, settings: dict[str, Any], seed: int, jobs: int) -> tuple[Any, float]:
        """The ten best films of every user, and the seconds of training."""
        model = self.estimator(N_FACTORS, random_state=seed, n_jobs=jobs, **settings)
        data = self.data(ratings)
        begin = time.perf_counter()
        model.fit(data)
        seconds = time.perf_counter() - begin
        n_users, p = ratings.shape[0], model.parameters_
        index = ItemIndex(p.factors[n_users:], offsets=p.linear[n_users:], n_jobs=jobs)
        return index.search(p.factors[:n_users], 10, exclude=ratings.rated()).ids, seconds


def ranker(loss: str) -> Callable[..., FMRanker]:
    return lambda k, **settings: FMRanker(k, loss=loss, **settings)


WITH_NEGATIVES: list[dict[str, Any]] = [
    {},
    {"n_epochs": 40},
    {"n_epochs": 40, "l2_factors": 0.03},
    {"n_epochs": 40, "l2_factors": 0.03, "l2_linear": 0.005},
]
SLOWLY = {"n_epochs": 40, "learning_rate": 0.07, "l2_linear": 0.003, "init_scale": 0.1}
METHODS = [
    Method("FMRanker softmax", ranker("softmax"), graded, [{}, {"l2_factors": 0.03}, SLOWLY]),
    Method("FMRanker softmax, likes only", ranker("softmax"), likes_only, [{}, SLOWLY]),
    Method("FMRanker bpr", ranker("bpr"), graded, [{}, {"l2_linear": 0.01, "l2_factors": 0.01}]),
    Method("FMRanker warp", ranker("warp"), graded, [{}, {"n_epochs": 15, "l2_linear": 0.3, "l2_factors": 0.3}]),
    Method("FMRanker ials", lambda k, **s: FMRanker(k, solver="ials", **s), graded, [{}]),
    Method(f"FMClassifier, {NEGATIVES} negatives, dislikes left out", FMClassifier, dislikes_left_out, WITH_NEGATIVES),
    Method(f"FMClassifier, {NEGATIVES} negatives, dislikes as zeros", FMClassifier, dislikes_as_zeros, WITH_NEGATIVES),
    Method(
        f"FMClassifier, {NEGATIVES} negatives, dislikes as ones of weight {SOFT}",
        FMClassifier,
        dislikes_as_soft_ones,
        WITH_NEGATIVES,
    ),
    Method("FMClassifier, likes against dislikes", FMClassifier, like_or_dislike, [{}]),
]


def popular_lists(ratings: Ratings) -> Any:
    likes = np.asarray(ratings.relevant().sum(axis=0)).ravel().astype(np.float32)
    index = ItemIndex(likes[:, None])
    return index.search(np.ones((ratings.shape[0], 1), np.float32), 10, exclude=ratings.rated()).ids


def ndcg(lists: Any, held_out: Ratings) -> float:
    return float(metrics.ranking.ndcg_at_n(lists, held_out.relevant(), 10))


def read_split() -> tuple[Ratings, Ratings]:
    """ua.base and the rows of ua.test whose films it knows."""
    data = split("ua")
    users, user = np.unique(data.train["user_id"], return_inverse=True)
    items, item = np.unique(data.train["item_id"], return_inverse=True)
    shape = (len(users), len(items))
    base = Ratings(user, item, np.asarray(data.train["rating"]), shape)
    known = np.isin(data.test["item_id"], items)
    test = Ratings(
        np.searchsorted(users, data.test["user_id"]),
        np.searchsorted(items, data.test["item_id"]).clip(max=len(items) - 1),
        np.asarray(data.test["rating"]),
        shape,
    )
    return base, test.take(known)


def held_out_rows(base: Ratings) -> Any:
    """Ten ratings of every user, drawn at random."""
    order = np.lexsort((np.random.default_rng(0).random(len(base.user)), base.user))
    first = np.searchsorted(base.user[order], base.user[order])
    held = np.zeros(len(order), bool)
    held[order] = np.arange(len(order)) - first < VALIDATION_ROWS
    return held


def tabled(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The best on the validation rows first."""
    header = ["ua, ids alone: what ranks best, its setting chosen by validation", "NDCG@10, validation", "test"]
    ranked = sorted(rows, key=lambda row: -row["validation"])
    found = []
    for row in ranked:
        chosen = ", ".join(f"{name}={value}" for name, value in row["settings"].items())
        name = f"{row['method']} ({chosen})" if chosen else row["method"]
        found.append([name, f"{row['validation']:.4f}", f"{row['test']:.4f}"])
    return {"header": header, "rows": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    base, test = read_split()
    held = held_out_rows(base)
    train, validation = base.take(~held), base.take(held)
    rows = [
        {
            "method": "popularity: likes of each film",
            "settings": {},
            "validation": ndcg(popular_lists(train), validation),
            "test": ndcg(popular_lists(base), test),
            "spread": 0.0,
            "seconds": 0.0,
        }
    ]
    for method in METHODS:
        tried = [ndcg(method.lists(train, s, 0, options.jobs)[0], validation) for s in method.settings]
        chosen = method.settings[int(np.argmax(tried))]
        on_validation = [
            ndcg(method.lists(train, chosen, s, options.jobs)[0], validation) for s in range(options.seeds)
        ]
        found = [method.lists(base, chosen, seed, options.jobs) for seed in range(options.seeds)]
        on_test = [ndcg(lists, test) for lists, _ in found]
        rows.append(
            {
                "method": method.name,
                "settings": chosen,
                "validation": float(np.mean(on_validation)),
                "test": float(np.mean(on_test)),
                "spread": float(np.ptp(on_test)),
                "seconds": min(seconds for _, seconds in found),
            }
        )
        shown = rows[-1]
        print(
            f"{method.name:65} validation {shown['validation']:.4f}  test {shown['test']:.4f} "
            f"(spread {shown['spread']:.4f})  {shown['seconds']:.2f} s  {chosen or 'defaults'}",
            flush=True,
        )
    first = rows[0]
    print(f"{first['method']:65} validation {first['validation']:.4f}  test {first['test']:.4f}")
    sampled = [row for row in rows if row["method"].startswith("FMRanker") and "ials" not in row["method"]]
    logistic = [row for row in rows if row["method"].startswith("FMClassifier")]
    best, other = (max(of, key=lambda row: row["validation"]) for of in (sampled, logistic))
    print(
        f"\nOn validation: {best['method']} {best['validation']:.4f}, best FMClassifier {other['validation']:.4f} "
        f"({other['method']})"
    )
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "command": "python benchmarks/ranking_losses.py",
            "machine": machine.describe(),
            "figures": [],
            "tables": [tabled(rows)],
        }
        options.out.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
