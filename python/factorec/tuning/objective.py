"""One trial: settings to a figure on rows that were held out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sklearn.base import clone

from ..errors import DataError, DivergenceError
from ..fm import FMOrdinal
from ..model_selection import train_test_split
from ..recommender.estimators import learns
from ._optuna import optuna

__all__ = ["Objective", "default_metric"]


_NDCG = r"ndcg@[1-9][0-9]*"


def metrics_of(rec: Any) -> list[str]:
    """The losses that a recommender can be judged by, beside lists."""
    what = learns(rec.estimator)
    if what == "lists":
        return []
    if isinstance(rec.estimator, FMOrdinal) and rec.like_threshold is not None:
        return ["log_loss", "rmse"]
    return ["log_loss"] if what == "likes" else ["rmse"]


def default_metric(rec: Any) -> str:
    """What a recommender is for: lists, probabilities, or ratings."""
    if rec.negatives or learns(rec.estimator) == "lists":
        return "ndcg@10"
    return metrics_of(rec)[0]


class Objective:
    """Fits a recommender on one part of a table and measures it on the other.

    A loss that the estimator's history has is measured after every epoch on the held-out rows, which also stop the
    training. Lists (``ndcg@n``), and the probabilities of `FMOrdinal`, are measured once, at the end: training then is
    stopped by a part of its own rows, as it would be without tuning, and it is by this part that trials are pruned.
    """

    def __init__(
        self, rec: Any, table: Any, *, metric: str, splitter: Any, max_epochs: int, catalogues: dict[str, Any]
    ) -> None:
        losses = metrics_of(rec)
        if metric not in losses and not re.fullmatch(_NDCG, metric):
            known = "".join(f"{loss!r} or " for loss in losses)
            raise DataError(f"metric must be {known}'ndcg@' with a length, as in 'ndcg@10', got {metric!r}")
        self.rec = rec
        self.metric = metric
        # What the history of an epoch has of the rows that stop the training.
        self.watched = "ndcg_at_10" if not losses else "log_loss" if "log_loss" in losses else "rmse"
        self.each_epoch = metric == "rmse" or losses == [metric]
        if self.each_epoch:
            self.watched = metric
        self.max_epochs = max_epochs
        self.catalogues = catalogues
        self.train, self.held_out = train_test_split(table, splitter)

    @property
    def lists(self) -> bool:
        """Whether lists are judged, of which more is better."""
        return self.metric.startswith("ndcg")

    def recommender(self, params: dict[str, Any], **options: Any) -> Any:
        """An unfitted copy with other settings."""
        rec = clone(self.rec)
        rec.estimator.set_params(**params, **options, warm_start=False, verbose=0)
        return rec

    def __call__(self, params: dict[str, Any], report: Callable[[int, float], None]) -> tuple[float, int]:
        """Figure and number of epochs.

        Parameters
        ----------
        params : dict
            Settings of the estimator.
        report : callable
            Called with epoch and validation loss; what it raises ends the trial.
        """
        rec = self.recommender(params, n_epochs=self.max_epochs, early_stopping=True)
        options = {"validation": self.held_out} if self.each_epoch else {}
        sign = -1 if self.watched == "ndcg_at_10" else 1

        def on_epoch(epoch: int, history: dict[str, dict[str, float]]) -> None:
            report(epoch, sign * history["validation"][self.watched])

        try:
            rec.fit(self.train, **self.catalogues, **options, on_epoch=on_epoch)
        except DivergenceError as error:
            raise optuna().TrialPruned(str(error)) from None
        losses = sign * rec.estimator_.history_["validation"][self.watched]
        n_epochs = int(losses.argmin()) + 1
        if self.each_epoch:
            return float(losses.min()), n_epochs
        n = int(self.metric[5:]) if self.lists else 10
        return float(rec.evaluate(self.held_out, n=n).value(self.metric)), n_epochs
