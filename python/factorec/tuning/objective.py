"""One trial: settings to a figure on rows that were held out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sklearn.base import clone, is_classifier

from ..errors import DataError, DivergenceError
from ..model_selection import train_test_split
from ._optuna import optuna

__all__ = ["Objective", "default_metric"]


def default_metric(rec: Any) -> str:
    """What a recommender is for: lists, probabilities, or ratings."""
    if rec.negatives:
        return "ndcg@10"
    return "log_loss" if is_classifier(rec.estimator) else "rmse"


class Objective:
    """Fits a recommender on one part of a table and measures it on the other.

    A loss is measured after every epoch on the held-out rows, which also stop the training. Lists (``ndcg@n``) are
    measured once, at the end: training then is stopped by a part of its own rows, as it would be without tuning,
    and it is this part's loss by which trials are pruned.
    """

    def __init__(
        self, rec: Any, table: Any, *, metric: str, splitter: Any, max_epochs: int, catalogues: dict[str, Any]
    ) -> None:
        loss = "log_loss" if is_classifier(rec.estimator) else "rmse"
        if metric != loss and not re.fullmatch(r"ndcg@[1-9][0-9]*", metric):
            raise DataError(f"metric must be {loss!r} or 'ndcg@' with a length, as in 'ndcg@10', got {metric!r}")
        self.rec = rec
        self.metric = metric
        self.loss = loss
        self.max_epochs = max_epochs
        self.catalogues = catalogues
        self.train, self.held_out = train_test_split(table, splitter)

    @property
    def lists(self) -> bool:
        """Whether lists are judged, of which more is better."""
        return self.metric != self.loss

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
        options = {} if self.lists else {"validation": self.held_out}

        def on_epoch(epoch: int, history: dict[str, dict[str, float]]) -> None:
            report(epoch, history["validation"][self.loss])

        try:
            rec.fit(self.train, **self.catalogues, **options, on_epoch=on_epoch)
        except DivergenceError as error:
            raise optuna().TrialPruned(str(error)) from None
        losses = rec.estimator_.history_["validation"][self.loss]
        n_epochs = int(losses.argmin()) + 1
        if not self.lists:
            return float(losses.min()), n_epochs
        return float(rec.evaluate(self.held_out, n=int(self.metric[5:])).value(self.metric)), n_epochs
