"""Which loss explains an estimator's scores, and folds new ids in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sklearn.base import is_classifier

from .._losses import Loss, OrderedLevels

__all__ = ["explained_loss"]


def explained_loss(estimator: Any) -> Loss:
    """The loss of a row in the training objective; levels are the targets that they stand for."""
    loss: Loss = getattr(estimator, "explained_loss", "logistic" if is_classifier(estimator) else "squared")
    if isinstance(loss, OrderedLevels) and loss.levels is None:
        return replace(loss, levels=tuple(estimator.levels_.tolist()))
    return loss
