"""Who takes part in which comparison, and among which settings the peers' are chosen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import ours

import peers

__all__ = ["CONTENDERS", "Contender"]


@dataclass(frozen=True)
class Contender:
    """One row of a table.

    ``fit(split, seed, **settings)`` answers ratings or probabilities of a like for the test rows, or scores of all
    films for all users. ``grid`` holds the values among which validation chooses; without one, what ``fit`` does
    alone are the settings.
    """

    task: str
    name: str
    fit: Callable[..., np.ndarray]
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ours: bool = False
    draws: bool = True  # whether the seed matters
    bars: Mapping[str, float] = field(default_factory=dict)  # of the metric that decides: split, or "mean" -> bar
    seconds: float | None = None  # bar on the mean time of a split

    def settings(self) -> list[dict[str, Any]]:
        """All combinations of the grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]


def _ours(
    task: str,
    name: str,
    fit: Callable[..., np.ndarray],
    *,
    bars: Mapping[str, float] | None = None,
    seconds: float | None = None,
    **parameters: Any,
) -> Contender:
    return Contender(task, name, partial(fit, **parameters), ours=True, bars=bars or {}, seconds=seconds)


# Grades of a rating of 3 and of lower ones, where a like has 1.
SOFT = [[0.0, 0.0], [0.3, 0.3], [0.5, 0.2]]

CONTENDERS = [
    Contender("ratings", "means of users and films", peers.item_mean, draws=False),
    Contender("ratings", "myFM", peers.myfm_ratings, {"rank": [8, 10], "n_iter": [200]}),
    _ours("ratings", "FMRegressor()", ours.ratings),
    _ours("ratings", 'FMRegressor(solver="als")', ours.ratings, solver="als"),
    _ours(
        "ratings", 'FMRegressor(10, solver="gibbs", n_epochs=150)', ours.ratings,
        n_factors=10, solver="gibbs", n_epochs=150, bars={"mean": 0.896}, seconds=1.0,
    ),
    _ours("ratings", 'FMRegressor(solver="gibbs")', ours.ratings, solver="gibbs", bars={"mean": 0.892}),
    _ours("ratings", 'FMRegressor(solver="gibbs"), parameters_.mean()', ours.ratings_by_mean, solver="gibbs"),
    _ours(
        "ratings", 'all fields, FMRegressor(15, solver="gibbs", n_samples=270, interactions="bipartite")',
        ours.ratings_with_fields,
        n_factors=15, solver="gibbs", n_samples=270, interactions="bipartite", bars={"mean": 0.875, "u1": 0.880},
    ),
    Contender(
        "likes", "LightFM, logistic", peers.lightfm_likes,
        {"n_components": [16, 32], "epochs": [5, 10, 20], "item_alpha": [1e-5, 1e-4, 1e-3]},
    ),
    Contender("likes", "myFM, probit", peers.myfm_likes, {"rank": [10, 32], "n_iter": [200]}),
    Contender("likes", "myFM, ordered probit", peers.myfm_ordered, {"rank": [10], "n_iter": [200]}),
    _ours("likes", "FMClassifier()", ours.likes),
    _ours("likes", 'FMClassifier(solver="gibbs")', ours.likes, solver="gibbs"),
    _ours("likes", "FMOrdinal()", ours.likes_of_levels, bars={"mean": 0.554}),
    _ours("likes", "FMOrdinal(cut_weights={4: 2})", ours.likes_of_levels, cut_weights={4: 2}),
    _ours("likes", "FMOrdinal(cut_weights={4: 2}, n_seeds=8)", ours.likes_of_levels, cut_weights={4: 2}, n_seeds=8),
    _ours("likes", 'FMOrdinal(solver="gibbs")', ours.likes_of_levels, solver="gibbs", bars={"mean": 0.542}),
    _ours(
        "likes", 'all fields, FMOrdinal(15, solver="gibbs", n_epochs=200, n_samples=180, interactions="bipartite")',
        ours.likes_with_fields,
        n_factors=15, solver="gibbs", n_epochs=200, n_samples=180, interactions="bipartite", bars={"mean": 0.532},
    ),
    Contender("lists", "popularity", peers.popularity, draws=False),
    Contender("lists", "EASE", peers.ease, {"l2": [100, 200, 400, 800], "soft": SOFT}, draws=False),
    Contender(
        "lists", "implicit, ALS", peers.implicit_als,
        {"factors": [32, 64], "regularization": [3.0, 10.0, 30.0], "alpha": [0.5, 1.0, 2.0], "soft": SOFT},
    ),
    Contender(
        "lists", "implicit, BPR", peers.implicit_bpr,
        {"factors": [32, 64], "learning_rate": [0.003, 0.01, 0.03], "regularization": [0.003, 0.01, 0.03]},
    ),
    Contender(
        "lists", "irspack, iALS", peers.irspack_ials,
        {"n_components": [32, 64], "alpha0": [0.3, 0.5, 1.0], "reg": [0.003, 0.01, 0.03], "soft": SOFT},
    ),
    Contender(
        "lists", "LightFM, WARP", peers.lightfm_warp,
        {"n_components": [32], "epochs": [10, 20, 40], "item_alpha": [1e-6, 1e-5, 1e-4]},
    ),
    _ours("lists", "FMClassifier(64), likes and dislikes", ours.classifier_lists, n_factors=64, negatives=0),
    _ours("lists", "FMClassifier(64), negatives=8", ours.classifier_lists, n_factors=64, negatives=8),
    _ours("lists", 'FMRanker(loss="bpr")', ours.ranker, loss="bpr"),
    _ours("lists", 'FMRanker(loss="warp")', ours.ranker, loss="warp"),
    _ours("lists", "FMRanker()", ours.ranker, bars={"mean": 0.312}),
    _ours("lists", 'FMRanker(solver="ials")', ours.ranker, solver="ials", bars={"mean": 0.320}),
    _ours(
        "lists", 'FMRanker(solver="ials"), soft_positives={3: 0.5, 2: 0.2, 1: 0.2}', ours.ranker,
        solver="ials", soft_positives={3: 0.5, 2: 0.2, 1: 0.2},
    ),
]  # fmt: skip
