"""What is measured of every contender, by the same code."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score
from splits import N_ITEMS, Split

from factorec import metrics

__all__ = ["FIRST", "measure"]

# The metric that decides, and whether more of it is better.
FIRST = {"ratings": ("RMSE", False), "likes": ("log loss", False), "lists": ("NDCG@10", True)}


def measure(task: str, split: Split, answer: np.ndarray) -> dict[str, float]:
    """Metrics of what a contender answered for the test rows of `split`."""
    test = split.test
    if task == "ratings":
        error = answer - test.rating
        return {"RMSE": float(np.sqrt(np.mean(error**2))), "MAE": float(np.mean(np.abs(error)))}
    if task == "likes":
        positive = np.clip(np.asarray(answer, np.float64), 1e-12, 1 - 1e-12)
        return {
            "log loss": float(-np.where(test.like, np.log(positive), np.log1p(-positive)).mean()),
            "accuracy": float(np.mean((positive >= 0.5) == test.like)),
            "AUC": float(roc_auc_score(test.like, positive)),
        }
    lists = metrics.ranking.ranking_metrics(_top(split, answer, 20), split.relevant, 10)
    recall = metrics.ranking.recall_at_n(_top(split, answer, 20), split.relevant, 20)
    return {"NDCG@10": lists["ndcg@10"], "precision@10": lists["precision@10"], "recall@20": float(recall)}


def _top(split: Split, scores: np.ndarray, n: int) -> np.ndarray:
    """The n best films of each user among those trained that the user has not rated; of equals the first."""
    scores = np.array(scores, np.float64)
    scores[split.train.user, split.train.item] = -np.inf
    scores[:, np.bincount(split.train.item, minlength=N_ITEMS) == 0] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :n]
